/*
 * The clocks, as nanoseconds. Inline, so that the child stays small; leaves out wall time, which no
 * figure uses.
 */
#ifndef TIDEMARK_HARNESS_CLOCK_H
#define TIDEMARK_HARNESS_CLOCK_H

#include <stdint.h>
#include <time.h>

#define CLOCK_SECOND_NS 1000000000u

static inline uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * CLOCK_SECOND_NS + (uint64_t)now.tv_nsec;
}

/* Since some fixed point in the past, never set back; the same in every process. About 20 ns, no
 * system call (vdso). */
static inline uint64_t clock_monotonic_ns(void)
{
    return clock_ns(CLOCK_MONOTONIC);
}

static inline double clock_seconds_since(uint64_t start_ns)
{
    return (double)(clock_monotonic_ns() - start_ns) / CLOCK_SECOND_NS;
}

#endif
