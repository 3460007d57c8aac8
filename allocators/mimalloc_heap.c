/*
 * mimalloc-heap: a first-class heap of mimalloc as a region: the end of the heap frees its pages,
 * not its blocks. Leaves out freeing one block, and mi_heap_delete, which would leave live blocks
 * to the default heap. Source: mimalloc.h, "Heaps"; mi_heap_destroy.
 */
#include "allocators/mimalloc.h"

#include <stdio.h>

enum { HEAP_ALIGNMENT = 16 };

/* A reset is a new heap: the handle has to outlive it. */
struct heap_region {
    void *heap; /* NULL when there was no memory for a new one */
};

static void *(*heap_new)(void);
static void (*heap_destroy)(void *heap);
static void *(*heap_malloc)(void *heap, size_t size);
static void *(*heap_malloc_aligned)(void *heap, size_t size, size_t alignment);
static struct allocator_ops heap_default; /* for the handles */

static void *mimalloc_heap_create(void)
{
    struct heap_region *region = heap_default.malloc(sizeof *region);

    if (!region)
        return NULL;
    region->heap = heap_new();
    if (!region->heap) {
        heap_default.free(region);
        return NULL;
    }
    return region;
}

static void *mimalloc_heap_alloc(void *region, size_t size, size_t alignment)
{
    void *heap = ((struct heap_region *)region)->heap;

    if (!heap)
        return NULL;
    return alignment > HEAP_ALIGNMENT ? heap_malloc_aligned(heap, size, alignment)
                                      : heap_malloc(heap, size);
}

static void mimalloc_heap_reset(void *region)
{
    struct heap_region *own = region;

    if (own->heap)
        heap_destroy(own->heap);
    own->heap = heap_new();
}

static void mimalloc_heap_destroy(void *region)
{
    struct heap_region *own = region;

    if (own->heap)
        heap_destroy(own->heap);
    heap_default.free(own);
}

static int mimalloc_heap_open(const struct allocator *self, struct allocator_ops *ops,
                              const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = mimalloc_load(self, &heap_default, &handle, reason);
    const struct shared_library_function functions[] = {
        {"mi_heap_new", &heap_new},
        {"mi_heap_destroy", &heap_destroy},
        {"mi_heap_malloc", &heap_malloc},
        {"mi_heap_malloc_aligned", &heap_malloc_aligned},
        {0},
    };

    (void)raw;
    if (!error)
        error = shared_library_functions(self, functions, reason);
    if (error)
        return error;
    *ops = (struct allocator_ops){
        .region_create = mimalloc_heap_create,
        .region_alloc = mimalloc_heap_alloc,
        .region_reset = mimalloc_heap_reset,
        .region_destroy = mimalloc_heap_destroy,
        .purge = mimalloc_purge,
    };
    return 0;
}

const struct allocator allocator_mimalloc_heap = {
    .name = "mimalloc-heap",
    .summary = "a heap of mimalloc as a region: mi_heap_new to mi_heap_destroy",
    .source = "mimalloc.h, heaps",
    .family = ALLOCATOR_REGION,
    .capabilities = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_PURGE,
    .soname = "libmimalloc.so.2",
    .package = "libmimalloc2.0",
    .environment = {.prefix = "MIMALLOC_", .assign = '='},
    .tunables = mimalloc_tunables,
    .eager = "decommit_delay:0",
    .open = mimalloc_heap_open,
    .version = mimalloc_version,
    .tunable_value = mimalloc_tunable_value,
};
