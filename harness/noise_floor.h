/*
 * The noise floor of a run: how far two identical cells, an A/A control and its reference, came out
 * apart. Leaves out any judgement of other cells: a difference within the floor is noise, one
 * beyond it need not be real.
 */
#ifndef TIDEMARK_HARNESS_NOISE_FLOOR_H
#define TIDEMARK_HARNESS_NOISE_FLOOR_H

#include <jansson.h>
#include <stddef.h>

/* Finished samples of one cell, in any order. Borrowed. */
struct noise_floor_side {
    const json_t *const *samples;
    size_t count;
};

/*
 * The object `noise_floor` of results/FORMAT.md; the caller owns it. Samples are paired by round
 * and repeat; one without its other half is left out. `room` holds as many numbers as the control
 * has samples. O(control samples * reference samples).
 */
json_t *noise_floor_of(const struct noise_floor_side *control,
                       const struct noise_floor_side *reference, double *room);

#endif
