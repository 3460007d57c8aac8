/*
 * Random calls on a table of blocks, each of which remembers what was written to it. Leaves out
 * what is asked of the addresses (check_sequences.c) and of threads (check_threads.c).
 */
#ifndef TIDEMARK_HARNESS_CHECK_SEQUENCES_H
#define TIDEMARK_HARNESS_CHECK_SEQUENCES_H

#include "harness/check_run.h"

struct check_block {
    unsigned char *block; /* NULL: there is none */
    size_t size;
    uint64_t mark;
};

/* Takes a block of a random size from malloc, calloc or aligned_alloc, as the row has them, and
 * stamps it. `taken` holds none. */
void check_block_take(const struct check_run *run, struct check_block *taken, uint64_t *state);

/* Looks at its content, and frees it; `what` is for the sentence of a failure. NULL is passed over.
 */
void check_block_drop(const struct check_run *run, struct check_block *taken, const char *what);

/* Looks at its content before and after a realloc to a random size. */
void check_block_resize(const struct check_run *run, struct check_block *taken, uint64_t *state,
                        const char *what);

/* One call on a random block of the table: take where there is none, else drop or resize. */
void check_block_step(const struct check_run *run, struct check_block *blocks, size_t count,
                      uint64_t *state, const char *what);

/* Drops them all. */
void check_block_drop_all(const struct check_run *run, struct check_block *blocks, size_t count,
                          const char *what);

#endif
