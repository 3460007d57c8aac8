/*
 * Counted allocation: what the object runtime asks of the two allocators of a row, with the gauge
 * kept current. Leaves out headers and size look-ups: the caller gives the size at free, so that
 * the blocks are those that CPython asks for. The two domains are those of CPython's
 * Objects/obmalloc.c: PyObject_ and PyMem_ (which stands on one or the other), and PyMem_Raw.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_HEAP_H
#define TIDEMARK_WORKLOADS_OBJECTS_HEAP_H

#include "allocators/allocator.h"
#include "workloads/workload.h"

#include <stddef.h>

enum heap_domain {
    HEAP_OBJECT, /* PyObject_Malloc: pymalloc, or whatever replaces it in this row */
    HEAP_RAW,    /* malloc */
};

/* Owns nothing; the allocators and the gauge outlive it. One thread at a time. */
struct heap {
    const struct allocator_ops *domains[2]; /* by enum heap_domain */
    struct workload_gauge *gauge;
};

/* A block of `bytes`, or NULL. Costs one load, add and store above the allocator's own time. */
static inline void *heap_malloc(struct heap *heap, enum heap_domain domain, size_t bytes)
{
    void *block = heap->domains[domain]->malloc(bytes);

    if (block)
        gauge_add(&heap->gauge->live_bytes, bytes);
    return block;
}

/* Takes back a block of `bytes`, as asked for in `domain`. `block` may not be NULL. */
static inline void heap_free(struct heap *heap, enum heap_domain domain, void *block, size_t bytes)
{
    heap->domains[domain]->free(block);
    gauge_subtract(&heap->gauge->live_bytes, bytes);
    gauge_add(&heap->gauge->frees, 1);
}

/*
 * Makes a block of `old_bytes` (0 with a NULL block) one of `new_bytes`, which is not 0. Returns
 * NULL with the old block untouched when memory ran out. Counts no free: what the allocator does
 * with the old place is its own affair.
 */
void *heap_realloc(struct heap *heap, enum heap_domain domain, void *block, size_t old_bytes,
                   size_t new_bytes);

#endif
