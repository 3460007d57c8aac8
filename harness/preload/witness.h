/*
 * What programs that are run under a row tell of themselves: that they loaded what was preloaded,
 * and whose malloc they have. Leaves out everything after that.
 */
#ifndef TIDEMARK_HARNESS_PRELOAD_WITNESS_H
#define TIDEMARK_HARNESS_PRELOAD_WITNESS_H

#include <stdatomic.h>
#include <stdint.h>

#define WITNESS_VARIABLE "TIDEMARK_WITNESS" /* the file, in the environment */

enum { WITNESS_LAYOUT = 2, WITNESS_PATH_BYTES = 512, WITNESS_NAME_BYTES = 64 };

/* What the parent expects, then what the programs tell. */
struct witness {
    uint32_t layout;
    uint32_t is_of_file;               /* 1: malloc is to come from this very file */
    uint64_t device, inode;            /* of it */
    char expected[WITNESS_NAME_BYTES]; /* else from one of this name, up to its first dot */

    _Atomic uint32_t images;    /* programs that began */
    _Atomic uint32_t strangers; /* of them, those whose malloc comes from elsewhere */
    _Atomic uint32_t is_told;   /* 1: some program writes `malloc_file`, or has */
    _Atomic uint32_t is_stranger_told;
    char malloc_file[WITNESS_PATH_BYTES];  /* that serves malloc in one as expected */
    char strange_file[WITNESS_PATH_BYTES]; /* that serves it in one of the strangers */
    char stranger[WITNESS_NAME_BYTES];     /* its name */
};

#endif
