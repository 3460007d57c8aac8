/*
 * Names and bounds. Leaves out counting.
 */
#include "harness/latency_operation.h"

const char *latency_operation_name(unsigned operation)
{
    static const char *const names[LATENCY_OPERATIONS] = {
        [LATENCY_MALLOC] = "malloc",
        [LATENCY_CALLOC] = "calloc",
        [LATENCY_REALLOC] = "realloc",
        [LATENCY_ALIGNED_ALLOC] = "aligned_alloc",
        [LATENCY_FREE] = "free",
        [LATENCY_REGION_CREATE] = "region_create",
        [LATENCY_REGION_ALLOC] = "region_alloc",
        [LATENCY_REGION_RESET] = "region_reset",
        [LATENCY_REGION_DESTROY] = "region_destroy",
    };

    return names[operation];
}

const char *latency_layer_name(unsigned layer)
{
    return layer == LATENCY_RAW ? "raw" : "object";
}

int latency_class_bounds(unsigned size_class, uint64_t *least_bytes, uint64_t *most_bytes)
{
    const unsigned bits = size_class + LATENCY_LEAST_CLASS_BITS - 1;

    if (size_class == 0)
        return 0;
    *least_bytes = size_class == 1 ? 0 : (UINT64_C(1) << (bits - 1)) + 1;
    *most_bytes = size_class == LATENCY_CLASSES - 1 ? UINT64_MAX : UINT64_C(1) << bits;
    return 1;
}
