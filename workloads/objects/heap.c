/*
 * The part of counted allocation that is not on the path of every object.
 * Leaves out calloc, which nothing here needs: CPython's lists are filled by hand.
 * After CPython's PyMem_Realloc, with the old size given instead of looked up.
 */
#include "workloads/objects/heap.h"

void *heap_realloc(struct heap *heap, enum heap_domain domain, void *block, size_t old_bytes,
                   size_t new_bytes)
{
    void *moved = heap->domains[domain]->realloc(block, new_bytes);

    if (moved)
        gauge_add(&heap->gauge->live_bytes, new_bytes - old_bytes); /* wraps when it shrinks */
    return moved;
}
