/*
 * What ring.h declares. It leaves out the blocks that stay at the very end: their slots are the
 * workload's to empty. Source: as ring.h.
 */
#include "workloads/ring.h"

static void free_around_kept(struct worker *worker, struct ring *ring)
{
    size_t begin = ring->count * ring->kept / RING_PARTS;
    size_t end = ring->count * (ring->kept + 1) / RING_PARTS;

    slots_empty(worker, ring->slots, begin);
    for (size_t i = ring->count; i > end; i--)
        slot_empty(worker, &ring->slots[i - 1]);
    ring->kept = (ring->kept + 1) % RING_PARTS;
    ring->at = 0;
}

static void skip_full(struct ring *ring)
{
    while (ring->at < ring->count && ring->slots[ring->at].block)
        ring->at++;
}

int ring_put(struct worker *worker, struct ring *ring, size_t bytes)
{
    skip_full(ring);
    if (ring->at == ring->count) {
        free_around_kept(worker, ring);
        skip_full(ring);
    }
    return slot_fill(worker, &ring->slots[ring->at], bytes);
}
