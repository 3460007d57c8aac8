/*
 * What of a plan is done and what is left: the (cell, round) pairs that have a sample, and the
 * cells that are given up. Leaves out the samples themselves (harness/run_folder.h). A fresh run
 * starts with nothing done, a resumed one with what its samples.jsonl holds.
 */
#ifndef TIDEMARK_HARNESS_TALLY_H
#define TIDEMARK_HARNESS_TALLY_H

#include "harness/plan.h"
#include "harness/sample.h"

enum { TALLY_ERROR_BYTES = 256 };

struct tally_cell {
    double seconds; /* that its last sample took; 0: not yet run */
    unsigned runs_left;
    unsigned limits_hit; /* samples that ran into a limit */
    int given_up;        /* no further sample is taken */
};

struct tally {
    const struct plan *plan; /* borrowed */
    struct tally_cell *cells;
    unsigned char *done; /* round by round, 1 for each cell that has its sample */
    size_t stored;       /* samples; the number of the next one */
    int failures;        /* 1: a sample crashed, hung or broke a limit */
};

/* Nothing is done. Returns 0 or -ENOMEM; tally_free either way. */
int tally_init(struct tally *tally, const struct plan *plan);

/* 1 when this sample is still to be taken. */
int tally_is_left(const struct tally *tally, size_t cell, unsigned round);

/*
 * Counts a sample that was stored. What is missing stays missing, and a cell that has run into a
 * limit twice would do so again, each time at the cost of the whole limit: such a cell is given up.
 */
void tally_add(struct tally *tally, size_t cell, unsigned round, enum sample_status status,
               double seconds);

/*
 * Counts the stored samples, in their order. Returns 0, or -EINVAL with a message in `error`
 * (TALLY_ERROR_BYTES) that names the line when one does not fit the plan or is there twice.
 */
int tally_add_stored(struct tally *tally, const json_t *samples, char *error);

/* Samples still to be taken, and the seconds that they are guessed to take: as long as the last one
 * of their cell, or a second beyond the idle time of a cell that has not run. */
size_t tally_left(const struct tally *tally);
double tally_seconds_left(const struct tally *tally);

void tally_free(struct tally *tally);

#endif
