/*
 * What recording blocks by their stacks costs: `tidemark snapshot` measured with its own programs.
 * Leaves out statistics, which are those of all overheads (harness/overhead.h).
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_SNAPSHOT_H
#define TIDEMARK_HARNESS_OVERHEAD_SNAPSHOT_H

#include "harness/overhead.h"

/* One round; times are of the workloads' phases, without the writing of snapshots at their ends. */
struct overhead_snapshot {
    double workload_pair_ns; /* a malloc and a free, recorded in tidemark-sites */
    double program_pair_ns;  /* the same under libtidemark-snapshot.so */
    /* Times over those of the same program that is not recorded. */
    double workload_ratio, program_ratio; /* `waste`: makes objects and fills them */
    double workload_malloc_ratio,
        program_malloc_ratio; /* `list_lifetime`: hardly more than malloc */
};

/* Takes some two seconds. Returns 0, or a negative errno with a message in `error`
 * (OVERHEAD_ERROR_BYTES). */
int overhead_snapshot_measure(const struct program_paths *paths, struct overhead_snapshot *figures,
                              char *error);

#endif
