/*
 * What the classic workloads draw: sizes and slots by the distributions that their papers name.
 * Leaves out the generator itself (random.h). Inline, for measured loops; each costs one or two
 * steps of the generator. Sources are at each function.
 */
#ifndef TIDEMARK_WORKLOADS_DRAW_H
#define TIDEMARK_WORKLOADS_DRAW_H

#include "workloads/random.h"

#include <stddef.h>
#include <stdint.h>

/* Uniform in [0, count), count from 1 to 2^32; no value is off by more than 1 in 2^32. */
static inline size_t draw_below(uint64_t *state, uint64_t count)
{
    return (size_t)(((random_next(state) >> 32) * count) >> 32);
}

/* Uniform in [low, high], both drawn. */
static inline size_t draw_between(uint64_t *state, size_t low, size_t high)
{
    return low + draw_below(state, high - low + 1);
}

/* Uniform in [0, 1). */
static inline double draw_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

/* 1 with a chance of `percent` in a hundred. */
static inline int draw_chance(uint64_t *state, unsigned percent)
{
    return draw_below(state, 100) < percent;
}

/*
 * In [low, high], with a density that falls as the square of the size: half of the sizes lie below
 * 2 / (1 / low + 1 / high). glibc's bench-malloc-thread.
 */
static inline size_t draw_inverse_square(uint64_t *state, size_t low, size_t high)
{
    double most = 1.0 / (double)low, least = 1.0 / (double)high;

    return (size_t)(1.0 / ((least - most) * draw_unit(state) + most));
}

/* In [low, high], with a density that falls in a straight line to none at `high`: the smaller of
 * two. rpmalloc-benchmark. */
static inline size_t draw_falloff(uint64_t *state, size_t low, size_t high)
{
    size_t one = draw_between(state, low, high), other = draw_between(state, low, high);

    return one < other ? one : other;
}

/*
 * In [0, count): four in five fall into the first fifth, and four in five of those into its first
 * fifth, six times over. ITHare's alloc-test.
 */
static inline size_t draw_pareto(uint64_t *state, size_t count)
{
    enum { FOLDS = 6 };

    for (int fold = 0; fold < FOLDS; fold++) {
        size_t fifth = count / 5;
        if (fifth == 0)
            break;
        if (draw_below(state, 5) == 0)
            return fifth + draw_below(state, count - fifth);
        count = fifth;
    }
    return draw_below(state, count);
}

/*
 * Sizes that are half as frequent each time they double: 2^k + 1 + uniform below 2^k, where k - 2
 * is how many zero bits end a number drawn from 1 to 2^levels. From 5 to 2^(levels + 3) bytes.
 * ITHare's alloc-test.
 */
static inline size_t draw_doubling(uint64_t *state, unsigned levels)
{
    size_t number = draw_between(state, 1, (size_t)1 << levels);
    size_t base = (size_t)4 << __builtin_ctzll(number);

    return base + 1 + draw_below(state, base);
}

/* The index i of the first `cumulative[i]` above a draw in [0, cumulative[count - 1]). */
static inline size_t draw_weighted(uint64_t *state, const double *cumulative, size_t count)
{
    double at = draw_unit(state) * cumulative[count - 1];
    size_t i = 0;

    while (i + 1 < count && cumulative[i] <= at)
        i++;
    return i;
}

#endif
