/*
 * What `tidemark record` adds to a program, and how large a trace gets, with heaptrack beside it
 * where it is installed. Leaves out the rest of the harness (harness/overhead.h).
 */
#ifndef TIDEMARK_HARNESS_OVERHEAD_RECORD_H
#define TIDEMARK_HARNESS_OVERHEAD_RECORD_H

#include "harness/overhead.h"

/*
 * Runs a program four times a round, one after another, the first of a round in turn: as it is,
 * recorded, recorded with its call stacks, and under heaptrack. `argv` is what is run, NULL: our
 * factoring (workloads/cfrac.c), which does hardly anything but malloc and free. It reads nothing,
 * what it writes is thrown away, and it ends with status 0. The trace is then replayed on `null`
 * (harness/overhead_replay.h). Returns as overhead_measure; of an interrupt nothing is left,
 * neither files nor processes. One at a time.
 */
json_t *overhead_record_measure(char *const *argv, unsigned rounds,
                                const struct program_paths *paths, unsigned *rounds_done,
                                char *error);

#endif
