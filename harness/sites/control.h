/*
 * The page that `tidemark snapshot` shares with the programs that it starts, whichever of them is
 * recorded. Leaves out snapshots, which go to a file beside it (harness/sites/stream.h).
 */
#ifndef TIDEMARK_HARNESS_SITES_CONTROL_H
#define TIDEMARK_HARNESS_SITES_CONTROL_H

#include <stdatomic.h>
#include <stdint.h>

#define CONTROL_VARIABLE "TIDEMARK_SNAPSHOT" /* the folder of both files, in the environment */
#define CONTROL_FILE     "control"
#define CONTROL_STREAM   "stream"

enum { CONTROL_LAYOUT = 1, CONTROL_NAME_BYTES = 256 };

struct control {
    uint32_t layout;
    char program[CONTROL_NAME_BYTES]; /* only a program of this name; empty: the first */
    /* Raised by the parent: the recorded program's next call of malloc takes a snapshot. */
    _Atomic uint32_t requests;
    _Atomic int32_t recorded; /* the process that records, 0 when there is none */
    _Atomic uint32_t images;  /* programs that it has executed: each begins anew */
    _Atomic uint32_t others;  /* programs that were started and are not recorded */
    _Atomic int32_t error;    /* a negative errno of the first snapshot that failed */
};

#endif
