/*
 * The ring of blocks that sh6 and sh8 fill: at its end a fifth stays, another one each time; what
 * lies below it is freed first in first out, what lies above it last in first out. Leaves out
 * sizes. Source: the published description of MicroQuill's SmartHeap benchmarks, and nothing else
 * of them.
 */
#ifndef TIDEMARK_WORKLOADS_RING_H
#define TIDEMARK_WORKLOADS_RING_H

#include "workloads/block.h"

enum { RING_PARTS = 5 };

/* All but `slots` and `count` zero: an empty ring. */
struct ring {
    struct slot *slots;
    size_t count; /* at least RING_PARTS */
    size_t at;    /* nothing below it is empty that was filled since the last turn */
    size_t kept;  /* the part that stays next */
};

/* Makes a block of `bytes` in the next empty slot, after freeing as said above when there is none.
 * Returns 0 or -ENOMEM. */
int ring_put(struct worker *worker, struct ring *ring, size_t bytes);

#endif
