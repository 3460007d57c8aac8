/*
 * The processor's own counter as a clock of some ten nanoseconds a reading, for what is as short as
 * a malloc. Leaves out wall time. After Intel's "How to Benchmark Code Execution Times" (2010).
 *
 * x86-64: `lfence; rdtsc` begins, so that what the program did before is over and not counted;
 * `rdtscp` ends, which waits until all before it has been executed (stores may still be on their
 * way to memory). What comes after the second reading may start before it, which lengthens nothing.
 * A further lfence behind either costs both an empty interval and a malloc 10 ticks more, and tells
 * nothing. The counter is used where it is invariant (CPUID: it runs at one rate in every state of
 * the processor) and the kernel has not given it up for a slower source. aarch64: `isb; mrs
 * cntvct_el0`, architecturally of one rate, but of 1 to 54 MHz on many machines. Elsewhere, and
 * where the counter is not trusted, clock_gettime, in nanoseconds.
 */
#ifndef TIDEMARK_HARNESS_CYCLE_CLOCK_H
#define TIDEMARK_HARNESS_CYCLE_CLOCK_H

#include "harness/clock.h"
#include "harness/latency_histogram.h"

enum { CYCLE_CLOCK_SOURCE_BYTES = 32 };

struct cycle_clock {
    int uses_counter;                      /* 0: clock_gettime */
    const char *name;                      /* "tsc", "cntvct", "clock_gettime" */
    char source[CYCLE_CLOCK_SOURCE_BYTES]; /* of the kernel's own clock; "" when it does not tell */
    /* CLOCK_MONOTONIC_RAW went on by `calibration_ns` while `calibration_ticks` passed; the ratio
     * is off by at most `calibration_error_ns` of them. */
    uint64_t calibration_ticks, calibration_ns, calibration_error_ns;
    /* Of readings right behind each other: what the clock adds to whatever it measures. */
    struct latency_histogram own_ticks;
};

static inline uint64_t cycle_clock_begin(const struct cycle_clock *clock)
{
#if defined(__x86_64__)
    if (__builtin_expect(clock->uses_counter, 1)) {
        __builtin_ia32_lfence();
        return __builtin_ia32_rdtsc();
    }
#elif defined(__aarch64__)
    if (__builtin_expect(clock->uses_counter, 1)) {
        uint64_t ticks;
        __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(ticks)::"memory");
        return ticks;
    }
#endif
    (void)clock;
    return clock_ns(CLOCK_MONOTONIC_RAW);
}

static inline uint64_t cycle_clock_end(const struct cycle_clock *clock)
{
#if defined(__x86_64__)
    if (__builtin_expect(clock->uses_counter, 1)) {
        unsigned processor;
        return __builtin_ia32_rdtscp(&processor);
    }
#endif
    return cycle_clock_begin(clock);
}

/* What passed between two readings: never negative, although another processor's counter may lag
 * behind by a few ticks. */
static inline uint64_t cycle_clock_between(uint64_t begin, uint64_t end)
{
    return end > begin ? end - begin : 0;
}

/*
 * Chooses and calibrates the clock, and measures its own cost. Takes some 30 ms. Allocates nothing;
 * it cannot fail.
 */
void cycle_clock_open(struct cycle_clock *clock);

/* Whether the counter can be trusted, by the processor's own word and by the name of the kernel's
 * clock source ("" when it is unknown). Thread-safe. */
int cycle_clock_is_trusted(int is_invariant, const char *source);

#endif
