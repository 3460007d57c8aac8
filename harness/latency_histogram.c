/*
 * Buckets of ticks. Leaves out interpolation within a bucket: its middle says what is known. The
 * idea of equal steps within each doubling is Gil Tene's HdrHistogram (2012), the code our own.
 */
#include "harness/latency_histogram.h"

/* Of the doubling that a bucket above the exact ones belongs to: how wide each of its buckets is.
 */
static unsigned width_bits(size_t bucket)
{
    return (unsigned)((bucket - LATENCY_EXACT) / LATENCY_STEPS) + 1;
}

uint64_t latency_bucket_least(size_t bucket)
{
    if (bucket < LATENCY_EXACT)
        return bucket;
    if (bucket >= LATENCY_BUCKETS - 1)
        return UINT64_C(1) << LATENCY_MOST_BITS;
    const uint64_t step = (bucket - LATENCY_EXACT) % LATENCY_STEPS + LATENCY_STEPS;

    return step << width_bits(bucket);
}

uint64_t latency_bucket_most(size_t bucket)
{
    return bucket >= LATENCY_BUCKETS - 1 ? UINT64_MAX : latency_bucket_least(bucket + 1) - 1;
}

void latency_histogram_merge(struct latency_histogram *histogram,
                             const struct latency_histogram *other)
{
    if (other->count == 0)
        return;
    if (histogram->count == 0 || other->least < histogram->least)
        histogram->least = other->least;
    if (other->most > histogram->most)
        histogram->most = other->most;
    histogram->count += other->count;
    histogram->sum += other->sum;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        histogram->buckets[i] += other->buckets[i];
}

/* How many values, the smallest first, make up `parts` of a million: rounded up, at least one. The
 * count is split so that no product wraps. */
static uint64_t rank_of(uint64_t count, uint64_t parts)
{
    const uint64_t rest = count % LATENCY_PER_WHOLE * parts;
    const uint64_t rank = count / LATENCY_PER_WHOLE * parts + rest / LATENCY_PER_WHOLE +
                          (rest % LATENCY_PER_WHOLE != 0);

    return rank > 0 ? rank : 1;
}

static uint64_t middle_of(const struct latency_histogram *histogram, size_t bucket)
{
    const uint64_t least = latency_bucket_least(bucket);
    const uint64_t middle = least + (latency_bucket_most(bucket) - least) / 2;

    if (bucket == LATENCY_BUCKETS - 1 || middle > histogram->most)
        return histogram->most;
    return middle < histogram->least ? histogram->least : middle;
}

uint64_t latency_histogram_quantile(const struct latency_histogram *histogram, uint64_t parts)
{
    const uint64_t rank = rank_of(histogram->count, parts);
    uint64_t passed = 0;

    if (rank >= histogram->count)
        return histogram->most;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        passed += histogram->buckets[i];
        if (passed >= rank)
            return middle_of(histogram, i);
    }
    return histogram->most;
}
