/*
 * What programs that are run under a row tell of themselves: that they loaded what was preloaded,
 * and whose malloc they have. Leaves out everything after that.
 */
#ifndef TIDEMARK_HARNESS_PRELOAD_WITNESS_H
#define TIDEMARK_HARNESS_PRELOAD_WITNESS_H

#include <stdatomic.h>
#include <stdint.h>

#define WITNESS_VARIABLE "TIDEMARK_WITNESS" /* the file, in the environment */

enum { WITNESS_LAYOUT = 1, WITNESS_PATH_BYTES = 512 };

struct witness {
    uint32_t layout;
    _Atomic uint32_t images;              /* programs that began */
    _Atomic uint32_t is_told;             /* 1: `malloc_file` is whole */
    char malloc_file[WITNESS_PATH_BYTES]; /* that serves malloc in the first of them */
};

#endif
