/*
 * A histogram of durations, as whole ticks of some clock: 32 buckets to each doubling, after the
 * idea of Gil Tene's HdrHistogram. Leaves out units, threads and growth: its size is fixed, nothing
 * is allocated, and all bytes zero is an empty one.
 *
 * Values below 64 have a bucket each. Above, a bucket is at most 1/32 of its least value wide, so
 * that its middle, which stands for all of it, is off by at most 1/64 of the value. Least, most,
 * count and sum are exact. What is 2^36 or more (34 s of a clock of 2 GHz) falls into one last
 * bucket, of which no more is known than the most.
 */
#ifndef TIDEMARK_HARNESS_LATENCY_HISTOGRAM_H
#define TIDEMARK_HARNESS_LATENCY_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

enum {
    LATENCY_STEP_BITS = 5, /* 32 buckets to a doubling */
    LATENCY_EXACT_BITS = LATENCY_STEP_BITS + 1,
    LATENCY_MOST_BITS = 36,
    LATENCY_STEPS = 1 << LATENCY_STEP_BITS,
    LATENCY_EXACT = 1 << LATENCY_EXACT_BITS, /* values below have a bucket each */
    LATENCY_BUCKETS = LATENCY_EXACT + (LATENCY_MOST_BITS - LATENCY_EXACT_BITS) * LATENCY_STEPS + 1,
    LATENCY_PER_WHOLE = 1000000, /* quantiles are parts of a million: 999000 is p99.9 */
};

struct latency_histogram {
    uint64_t count, sum;
    uint64_t least, most; /* 0 of an empty one */
    uint64_t buckets[LATENCY_BUCKETS];
};

/* The bucket of a value. Inline, as is adding: it stands between two measured operations. */
static inline size_t latency_bucket_of(uint64_t value)
{
    if (value < LATENCY_EXACT)
        return (size_t)value;
    if (value >> LATENCY_MOST_BITS)
        return LATENCY_BUCKETS - 1;
    const unsigned exponent = 63u - (unsigned)__builtin_clzll(value);      /* 6 to 35 */
    const size_t step = (size_t)(value >> (exponent - LATENCY_STEP_BITS)); /* 32 to 63 */

    return LATENCY_EXACT + (size_t)(exponent - LATENCY_EXACT_BITS) * LATENCY_STEPS + step -
           LATENCY_STEPS;
}

static inline void latency_histogram_add(struct latency_histogram *histogram, uint64_t value)
{
    if (histogram->count++ == 0 || value < histogram->least)
        histogram->least = value;
    if (value > histogram->most)
        histogram->most = value;
    histogram->sum += value;
    histogram->buckets[latency_bucket_of(value)]++;
}

/* The least and the most value of a bucket; the last one ends at UINT64_MAX. Thread-safe. */
uint64_t latency_bucket_least(size_t bucket);
uint64_t latency_bucket_most(size_t bucket);

/* Adds all of `other`: as if each of its values had been added. Some 1,000 additions. */
void latency_histogram_merge(struct latency_histogram *histogram,
                             const struct latency_histogram *other);

/*
 * The smallest value that `parts` of a million of all values do not pass (500000: the median), by
 * the middle of its bucket: off by at most 1/64, never outside least and most. That of the last
 * bucket, and of parts that are all values, is `most`. 0 of an empty one.
 */
uint64_t latency_histogram_quantile(const struct latency_histogram *histogram, uint64_t parts);

#endif
