/*
 * The cells of a plan that run a program (workloads/program_process.h): which library is preloaded,
 * and whether it was there. Leaves out running it.
 */
#ifndef TIDEMARK_HARNESS_PROGRAM_CELLS_H
#define TIDEMARK_HARNESS_PROGRAM_CELLS_H

#include "harness/plan.h"
#include "harness/preload/witness.h"
#include "harness/process_tree.h"
#include "harness/program_paths.h"

enum { PROGRAM_SCRATCH_BYTES = 256 };

/* Tells each such cell what is preloaded; one whose row no program can run on becomes n/a. */
void program_cells_prepare(struct plan *plan, const struct program_paths *paths);

/*
 * What a sample's programs tell of themselves: a file without a name, shared with them. Empty (page
 * NULL) for a cell that runs no program. One whose program has a driver has a folder for it,
 * beneath TMPDIR or /tmp. Returns 0 or a negative errno.
 */
struct program_witness {
    struct witness *page;
    int fd;
    char scratch[PROGRAM_SCRATCH_BYTES]; /* a folder for a driver, which goes when this is closed;
                                            empty: none */
    uint64_t looked_ns;
    struct tree_stranger stranger; /* that ran without the row's malloc, if any did */
};
int program_witness_open(struct program_witness *witness, const struct cell *cell);

/* Now and then while the program runs: looks for processes that are not on the row's malloc. `tree`
 * is scanned. */
void program_witness_look(struct program_witness *witness, struct process_tree *tree);

/* Adds where it is, what is preloaded, and where drivers are and their folder. Returns 0 or -E2BIG.
 */
int program_witness_environment(const struct program_witness *witness, const struct cell *cell,
                                const struct program_paths *paths, struct environment *environment);

/*
 * Whether all programs ran on the row's malloc: 0 with the file that served it in `file`
 * (WITNESS_PATH_BYTES), or -ELIBACC with a sentence in `reason` (PLAN_REASON_BYTES).
 */
int program_witness_check(const struct program_witness *witness, const struct cell *cell,
                          char *file, char *reason);

void program_witness_close(struct program_witness *witness);

#endif
