/*
 * What a curve says of memory that goes back: how long a share of it took, and how much stayed for
 * how long. Leaves out reading it (harness/sampler.h). Byte-seconds of what is resident and not in
 * use are those of Maas et al., "Learning-based Memory Allocation for C++ Server Workloads",
 * ASPLOS 2020, whose measure is the same without the live bytes.
 */
#ifndef TIDEMARK_HARNESS_RETURNED_H
#define TIDEMARK_HARNESS_RETURNED_H

#include "harness/sampler.h"

#include <stddef.h>
#include <stdint.h>

struct returned_curve {
    const struct tick *ticks;
    size_t count;
    uint64_t from_ns, until_ns; /* the last free, and the end of the rest: on the curve's clock */
    /* At `from_ns`, read of the child that is parked there, which no tick is as near to: resident
     * above the baseline, and what the program still holds. */
    int64_t first_bytes, first_live_bytes;
    int64_t baseline_bytes; /* resident before the first operation */
    int64_t peak_bytes;     /* above the baseline */
    int64_t floor_bytes;    /* live at the end of the work: what cannot go back */
};

enum { RETURNED_LEAST_BYTES = 1 << 20 }; /* of peak - floor, below which a share says nothing */

/*
 * When `share` of (peak - floor) had gone back, first: nanoseconds after `from_ns`, 0 for before
 * it. Returns 0; -ETIME when that was not seen until `until_ns`; -ENODATA when less than
 * RETURNED_LEAST_BYTES could go, or no tick is there. O(ticks).
 */
int returned_time(const struct returned_curve *curve, double share, uint64_t *after_ns);

/*
 * Byte-seconds above baseline and live bytes, from `from_ns` for `duration_ns`; between ticks it is
 * a straight line, and never below 0. Returns 0; -ENODATA when the rest ended before that, or no
 * tick is there. O(ticks).
 */
int returned_excess(const struct returned_curve *curve, uint64_t duration_ns, double *byte_seconds);

#endif
