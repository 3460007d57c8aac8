/*
 * What a child holds some time after its last free: the costly figures at 0, 0.1, 1, 10 and 30 s,
 * read while it rests. Leaves out the curve between them (harness/returned.h). The times are those
 * of docs/return.md.
 */
#ifndef TIDEMARK_HARNESS_MOMENTS_H
#define TIDEMARK_HARNESS_MOMENTS_H

#include "harness/memory_group.h"
#include "harness/procfs.h"

#include <stdint.h>

enum { MOMENTS = 5 };

/* After the last free, ascending; the first is 0. */
extern const uint64_t moment_after_ns[MOMENTS];

#define MOMENT_NO_CHARGE UINT64_MAX

struct moment {
    uint64_t at_ns; /* CLOCK_MONOTONIC, when it was read; 0: it was not */
    struct memory_rollup rollup;
    uint64_t page_table_bytes;
    uint64_t charge_bytes; /* to the sample's memory group; MOMENT_NO_CHARGE where it has none */
};

/* Of one sample under way. All zero is before any free. */
struct moments {
    uint64_t last_free_ns; /* CLOCK_MONOTONIC: the end of the last phase that freed; 0: none did */
    int next;              /* the first that is still to come */
    struct moment taken[MOMENTS];
};

/*
 * A phase of the workload has ended at `end_ns`. Where it freed, or none did before it, time starts
 * anew, and `now`, the figures of its end, is the first moment; else what was due in it is passed
 * over.
 */
void moments_phase_ended(struct moments *moments, uint64_t end_ns, int freed,
                         const struct moment *now);

/*
 * A rest has ended at `end_ns`, with the figures `now`: they are those of the moments that were due
 * by then and that nobody had come to read, since the child had been parked or asleep.
 */
void moments_rest_ended(struct moments *moments, uint64_t end_ns, const struct moment *now);

/* The child has done something else until `end_ns`: what was due by then is passed over. */
void moments_pass(struct moments *moments, uint64_t end_ns);

/* When the next is due, CLOCK_MONOTONIC; UINT64_MAX for never. */
uint64_t moments_due_ns(const struct moments *moments);

/*
 * It is due: reads it when the child rests, and passes over it when not. What cannot be read, of a
 * child that has just ended, is passed over too. Some 10 ms a GB.
 */
void moments_take(struct moments *moments, pid_t pid, int rests, const struct memory_group *group);

#endif
