/*
 * The one generator of workloads and plans: splitmix64 (Steele, Lea and Flood, OOPSLA 2014). Any
 * seed is a good one. Leaves out distributions; inline, for measured loops.
 */
#ifndef TIDEMARK_WORKLOADS_RANDOM_H
#define TIDEMARK_WORKLOADS_RANDOM_H

#include <stdint.h>

/* The next 64 random bits of `state`, which it moves on. Not thread-safe on one state. */
static inline uint64_t random_next(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);

    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
