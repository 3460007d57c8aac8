/*
 * Which samples are dirty: those before which a piece of the canary was slow
 * (canary_slow_ratio) for this run. Leaves out the work (harness/canary.h) and what is run once
 * more for it (harness/tally.h).
 */
#ifndef TIDEMARK_HARNESS_DIRTY_H
#define TIDEMARK_HARNESS_DIRTY_H

#include "harness/canary.h"

/* Usual is the median over the run so far, which needs so many earlier readings: before that
 * nothing is dirty. */
enum { DIRTY_LEAST_EARLIER = 5 };

/* The readings of a run so far, each piece apart. All zero is an empty one. */
struct canary_history {
    double *pieces[CANARY_PIECES]; /* owned, in no order */
    size_t count, room;
};

/* Returns 0, or -ENOMEM with the history as it was. */
int canary_history_add(struct canary_history *history, const struct canary_reading *reading);

/*
 * 1 when the reading, which is not yet in the history, makes its sample dirty. O(n log n) in the
 * readings so far: some milliseconds after a hundred thousand.
 */
int canary_history_is_dirty(struct canary_history *history, const struct canary_reading *reading);

void canary_history_free(struct canary_history *history);

#endif
