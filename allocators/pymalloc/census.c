/*
 * The census of a heap: the figures of sys._debugmallocstats(), then every arena by address and
 * every pool in it. Leaves out counting (arena.c) and what a census is for (allocator.h). From
 * CPython 3.11, Objects/obmalloc.c (_PyObject_DebugMallocStats); that pools are told one by one is
 * ours.
 */
#include "allocators/pymalloc/arena.h"

/*
 * Arenas stand in the vector by the order of their mapping. They are put in order of address some
 * hundred at a time, by a heap on the stack: a table for all would have to be allocated from what
 * is looked at. The vector is passed over once for each batch: 10,000 arenas take 20 passes.
 */
enum { BATCH_ARENAS = 512 };

/* A place of a batch that no arena has taken: above every arena. */
static const struct arena no_arena = {.base = UINTPTR_MAX};

/* Lets the root of a heap, the largest above, sink to its place (Williams 1964). */
static void sink_root(const struct arena **heap, size_t count)
{
    const struct arena *root = heap[0];
    size_t at = 0;

    for (size_t child = 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && heap[child + 1]->base > heap[child]->base)
            child++;
        if (heap[child]->base <= root->base)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = root;
}

/* The lowest arenas at or above `from`, as a heap; no_arena where there are no more. */
static void find_lowest(const struct arenas *arenas, uintptr_t from, const struct arena **heap)
{
    for (size_t i = 0; i < BATCH_ARENAS; i++)
        heap[i] = &no_arena;
    for (size_t i = 0; i < arenas->vector_length; i++) {
        const struct arena *arena = &arenas->vector[i];
        if (arena->base == 0 || arena->base < from || arena->base >= heap[0]->base)
            continue;
        heap[0] = arena;
        sink_root(heap, BATCH_ARENAS);
    }
}

static void sort(const struct arena **heap)
{
    for (size_t count = BATCH_ARENAS; count > 1; count--) {
        const struct arena *largest = heap[0];
        heap[0] = heap[count - 1];
        heap[count - 1] = largest;
        sink_root(heap, count - 1);
    }
}

static void tell_arena(const struct arena *arena, const struct allocator_census *census)
{
    uintptr_t at = arena->carve_at; /* pool-aligned, as the first pool is */
    uintptr_t first = (arena->base + POOL_BYTES - 1) & ~(uintptr_t)(POOL_BYTES - 1);
    size_t carved = (at - first) / POOL_BYTES;

    census->arena(census->context, arena->base);
    for (size_t i = 0; i < arena->pools_total; i++) {
        const struct pool *pool = (const struct pool *)(first + i * POOL_BYTES);
        /* What was not carved is not touched: it may never have been resident. */
        size_t in_use = i < carved ? pool->blocks_in_use : 0;
        census->pool(census->context, in_use ? size_class_block_bytes(pool->size_class) : 0,
                     in_use);
    }
}

static void tell_arenas(const struct arenas *arenas, const struct allocator_census *census)
{
    const struct arena *batch[BATCH_ARENAS];
    uintptr_t from = 0;

    do {
        find_lowest(arenas, from, batch);
        sort(batch);
        for (size_t i = 0; i < BATCH_ARENAS && batch[i] != &no_arena; i++)
            tell_arena(batch[i], census);
        from = batch[BATCH_ARENAS - 1]->base + 1;
    } while (from != no_arena.base + 1);
}

static void tell_figures(const struct pymalloc_statistics *statistics,
                         const struct allocator_census *census)
{
    const struct {
        const char *name;
        size_t value;
    } figures[] = {
        {"arena_bytes", ARENA_BYTES},
        {"pool_bytes", POOL_BYTES},
        {"pool_header_bytes", POOL_HEADER_BYTES},
        {"arenas_allocated", statistics->arenas_allocated},
        {"arenas_reclaimed", statistics->arenas_reclaimed},
        {"arenas_highwater", statistics->arenas_highwater},
        {"arenas_current", statistics->arenas_current},
        {"pools_unused", statistics->pools_unused},
        {"allocated_bytes", statistics->allocated_bytes},
        {"available_bytes", statistics->available_bytes},
        {"header_bytes", statistics->header_bytes},
        {"quantization_bytes", statistics->quantization_bytes},
        {"alignment_bytes", statistics->alignment_bytes},
#if PYMALLOC_HAS_ADDRESS_MAP
        {"map_mid_nodes", statistics->map_mid_nodes},
        {"map_bottom_nodes", statistics->map_bottom_nodes},
#endif
    };

    for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
        census->figure(census->context, figures[i].name, figures[i].value);
}

static void tell_classes(const struct pymalloc_statistics *statistics,
                         const struct allocator_census *census)
{
    for (unsigned i = 0; i < SIZE_CLASSES; i++) {
        const struct pymalloc_class_statistics *class = &statistics->classes[i];
        if (class->pools > 0)
            census->size_class(census->context, size_class_block_bytes(i), class->pools,
                               class->blocks_in_use, class->blocks_available);
    }
}

void arenas_census(const struct arenas *arenas, const struct allocator_census *census)
{
    struct pymalloc_statistics statistics = {0};

    arenas_count(arenas, &statistics);
    tell_figures(&statistics, census);
    tell_classes(&statistics, census);
    tell_arenas(arenas, census);
}
