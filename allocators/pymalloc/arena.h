/*
 * Arenas: where pools come from, where they return to, and which arena goes back to the operating
 * system when. Leaves out what happens inside a pool (pymalloc.c) and how an address is known to be
 * ours (address_map.h). From Objects/obmalloc.c of CPython 2.7 to 3.11 (geometry.h).
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_ARENA_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_ARENA_H

#include "allocators/allocator.h"
#include "allocators/pymalloc/address_map.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A free block links the next free one of its pool; a block in use is all the caller's. */
struct free_block {
    struct free_block *next;
};

/*
 * The head of a pool, at its start, which is always a multiple of POOL_BYTES: masking a block's
 * address finds it. A pool is in one of three states:
 *   - used, with blocks in use and free ones: linked both ways into the list of its size class;
 *   - full, without a free block: in no list, and `free` is NULL;
 *   - empty, without a block in use: linked by `next` alone into its arena's free_pools.
 */
struct pool {
    size_t blocks_in_use;
    struct free_block *free; /* last freed first */
    struct pool *next;
    struct pool *previous;
    uint32_t arena_index;  /* in the vector; an index, since the vector moves when it grows */
    uint32_t size_class;   /* kept while empty: the same class finds its free list still in place */
    uint32_t carve_offset; /* from the pool's start to the next block that was never handed out */
    uint32_t carve_offset_max; /* the last offset at which a block fits */
};
static_assert(sizeof(struct pool) == POOL_HEADER_BYTES, "the header has CPython's size");

/* The class of a pool that never had one. */
#define SIZE_CLASS_NONE UINT32_MAX

/* One arena, or one unused record of the vector (base 0). */
struct arena {
    uintptr_t base;       /* as mapped */
    uintptr_t carve_at;   /* the next pool that was never handed out; pool-aligned */
    uint32_t pools_free;  /* those in free_pools and those not yet carved */
    uint32_t pools_total; /* POOLS_PER_ARENA, or one fewer when base is not pool-aligned */
    struct pool *free_pools;
    struct arena *next;     /* in `usable`, or in `unused` */
    struct arena *previous; /* in `usable` only */
};
static_assert(sizeof(struct arena) == 48,
              "the vector's size, seen by the raw allocator, is CPython's");

/*
 * All arenas of a heap. Invariants:
 *   - `usable` holds exactly the arenas with a free pool, by ascending pools_free;
 *   - last_with[n] is the last arena of `usable` with n free pools, NULL when there is none.
 * The second, from 3.8 on, finds in constant time where an arena goes whose count has just grown.
 * The search of before is quadratic over the life of a program with many arenas. Both give the same
 * order.
 */
struct arenas {
    struct arena *vector; /* of vector_length records, from the raw realloc */
    size_t vector_length;
    struct arena *unused; /* records without an arena, linked by `next` */
    struct arena *usable;
#if PYMALLOC_KNOWS_LAST
    struct arena *last_with[POOLS_PER_ARENA + 1];
#endif

    const struct allocator_ops *raw;
    struct pymalloc_arena_source source;
    size_t allocated; /* ever */
    size_t current;
    size_t highwater;

#if PYMALLOC_HAS_ADDRESS_MAP
    struct address_map map;
#endif
};

#define arenas_open        PYMALLOC_NAME(arenas_open)
#define arenas_close       PYMALLOC_NAME(arenas_close)
#define arenas_take_pool   PYMALLOC_NAME(arenas_take_pool)
#define arenas_return_pool PYMALLOC_NAME(arenas_return_pool)
#define arenas_count       PYMALLOC_NAME(arenas_count)
#define arenas_census      PYMALLOC_NAME(arenas_census)

/*
 * Makes `arenas`, all zero or closed before, ready for use. `raw` must outlive it; `source` NULL
 * means mmap. Maps nothing yet.
 */
void arenas_open(struct arenas *arenas, const struct allocator_ops *raw,
                 const struct pymalloc_arena_source *source);

/* Unmaps every arena and frees the tables. */
void arenas_close(struct arenas *arenas);

/*
 * A pool from the fullest arena that has one; the pool's size_class tells whether it is new
 * (SIZE_CLASS_NONE) or was used before. NULL when no arena could be had. Constant time, but for a
 * new arena: one map, at times one realloc.
 */
struct pool *arenas_take_pool(struct arenas *arenas);

/*
 * Takes back a pool whose blocks are all free and that is in no list; may unmap its arena, the pool
 * with it. Constant time.
 */
void arenas_return_pool(struct arenas *arenas, struct pool *pool);

/* Adds what arenas and pools hold to `statistics`, which is zeroed. Visits every carved pool. */
void arenas_count(const struct arenas *arenas, struct pymalloc_statistics *statistics);

/* Tells `census` what arenas_count counts, and of every arena and pool. Visits every carved pool
 * twice. Allocates nothing. */
void arenas_census(const struct arenas *arenas, const struct allocator_census *census);

/* The pool in which this block lies, if it is a block of a pool. */
static inline struct pool *pool_of(const void *block)
{
    return (struct pool *)((uintptr_t)block & ~(uintptr_t)(POOL_BYTES - 1));
}

/*
 * Whether this block is of a pool of ours; any block of the raw allocator, and NULL, is not.
 * Constant time. In the header because `free` pays for it every time.
 */
#if PYMALLOC_HAS_ADDRESS_MAP

static inline bool arenas_hold(const struct arenas *arenas, const void *block)
{
    return address_map_contains(&arenas->map, (uintptr_t)block);
}

#else

/*
 * Reads where the head of the block's pool would be, in a page that may be anybody's: what stands
 * there is only believed when the arena that it names holds the block. The page is there, since the
 * block is in it (CPython's Py_ADDRESS_IN_RANGE, to 3.9); a sanitizer would call it an error.
 */
static_assert(POOL_BYTES <= 4096, "no larger than a page, so that the block's own page is read");
static inline __attribute__((no_sanitize("address", "thread"))) bool
arenas_hold(const struct arenas *arenas, const void *block)
{
    if (block == NULL)
        return false;
    uint32_t index = *(const volatile uint32_t *)&pool_of(block)->arena_index;
    if (index >= arenas->vector_length)
        return false;
    uintptr_t base = arenas->vector[index].base;
    return base != 0 && (uintptr_t)block - base < ARENA_BYTES;
}

#endif

#endif
