/*
 * Which operations are timed, of which layer of a row, and the classes of sizes. Leaves out what is
 * kept of them (harness/latency_table.h).
 */
#ifndef TIDEMARK_HARNESS_LATENCY_OPERATION_H
#define TIDEMARK_HARNESS_LATENCY_OPERATION_H

#include <stddef.h>
#include <stdint.h>

/* In a row of one allocator all is of the object layer; in a composed row the raw one is what
 * stands beneath. */
enum latency_layer { LATENCY_OBJECT, LATENCY_RAW, LATENCY_LAYERS };

enum latency_operation {
    LATENCY_MALLOC,
    LATENCY_CALLOC,
    LATENCY_REALLOC,
    LATENCY_ALIGNED_ALLOC,
    LATENCY_FREE,
    LATENCY_REGION_CREATE,
    LATENCY_REGION_ALLOC,
    LATENCY_REGION_RESET,
    LATENCY_REGION_DESTROY,
    LATENCY_OPERATIONS
};

enum {
    LATENCY_SPOTS = LATENCY_LAYERS * LATENCY_OPERATIONS,
    /* Calls that are kept of each: so many of those that lost the processor against their will, and
       so many of all others. On a busy machine the former would be all. */
    LATENCY_SLOWEST = 16,
    LATENCY_MOST_SLOWEST = 2 * LATENCY_SLOWEST,
    /* Size classes: 0 is no size, or one that is not known; 1 is up to 8 bytes, each further one
       twice that; the last is all above 1 MiB. */
    LATENCY_LEAST_CLASS_BITS = 3,
    LATENCY_MOST_CLASS_BITS = 20,
    LATENCY_CLASSES = LATENCY_MOST_CLASS_BITS - LATENCY_LEAST_CLASS_BITS + 3,
};

static inline unsigned latency_class_of(size_t size_bytes)
{
    if (size_bytes <= (size_t)1 << LATENCY_LEAST_CLASS_BITS)
        return 1;
    if (size_bytes > (size_t)1 << LATENCY_MOST_CLASS_BITS)
        return LATENCY_CLASSES - 1;
    return 63u - (unsigned)__builtin_clzll(size_bytes - 1) + 2u - LATENCY_LEAST_CLASS_BITS;
}

/* "malloc" and so on; "object", "raw". Thread-safe. */
const char *latency_operation_name(unsigned operation);
const char *latency_layer_name(unsigned layer);

/* The bounds of a class in bytes, both within it. Returns 0 of the class without a size; the last
 * one has UINT64_MAX as its most. */
int latency_class_bounds(unsigned size_class, uint64_t *least_bytes, uint64_t *most_bytes);

static inline unsigned latency_spot_of(unsigned layer, unsigned operation)
{
    return layer * LATENCY_OPERATIONS + operation;
}

#endif
