/*
 * pymalloc, the fast paths: malloc, calloc, realloc and free of CPython's small-object
 * allocator, and its row. Leaves out where pools come from (arena.c); everything else about blocks
 * is here. Start with pymalloc.h. From CPython, Objects/obmalloc.c; the code is ours, the
 * rules and the numbers are theirs.
 */
#include "allocators/pymalloc/pymalloc.h"

#include "allocators/allocator.h"
#include "allocators/pymalloc/address_map.h"
#include "allocators/pymalloc/arena.h"
#include "allocators/pymalloc/lock.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LIKELY(condition)   __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
/* Keeps a rare case from costing the common one its registers. */
#define OUT_OF_LINE __attribute__((noinline, cold))

/*
 * The heap; there is one per process. used[c] is the ring of the used pools of class c, closed by
 * an anchor that is itself a pool without a block: so an empty ring and an empty free list are one
 * and the same test.
 */
static struct pool used[SIZE_CLASSES];
static struct arenas arenas;
static struct allocator_ops raw;

/* --- The ring of a size class. --- */

static void link_first(struct pool *pool)
{
    struct pool *anchor = &used[pool->size_class];
    struct pool *first = anchor->next;

    pool->previous = anchor;
    pool->next = first;
    first->previous = pool;
    anchor->next = pool;
}

static void unlink_pool(struct pool *pool)
{
    pool->next->previous = pool->previous;
    pool->previous->next = pool->next;
}

/* --- Taking a block. --- */

static struct free_block *block_at(struct pool *pool, unsigned offset)
{
    return (struct free_block *)((char *)pool + offset);
}

/*
 * `block` was the last of the free list: carves the next one, or takes the pool, now full, out of
 * its ring. One block at a time, so that memory is first touched when it is first needed. Returns
 * `block`, to be a tail call.
 */
static __attribute__((noinline, returns_nonnull)) void *carve_or_unlink(struct pool *pool,
                                                                        struct free_block *block)
{
    unsigned offset = pool->carve_offset;

    if (UNLIKELY(offset > pool->carve_offset_max)) {
        unlink_pool(pool);
        return block;
    }
    pool->carve_offset = offset + size_class_block_bytes(pool->size_class);
    pool->free = block_at(pool, offset);
    pool->free->next = NULL;
    return block;
}

/* Makes a pool ready for `size_class` with block 1 as its free list; block 0 is returned. */
static void *start_pool(struct pool *pool, unsigned size_class)
{
    unsigned block_bytes = size_class_block_bytes(size_class);

    pool->size_class = size_class;
    pool->carve_offset = POOL_HEADER_BYTES + 2 * block_bytes;
    pool->carve_offset_max = POOL_BYTES - block_bytes;
    pool->free = block_at(pool, POOL_HEADER_BYTES + block_bytes);
    pool->free->next = NULL;
    return block_at(pool, POOL_HEADER_BYTES);
}

/*
 * A pool that had this class before goes on with the free list that it was left with, in the order
 * of its frees.
 */
static void *resume_pool(struct pool *pool)
{
    struct free_block *block = pool->free;

    pool->free = block->next; /* not NULL: blocks 0 and 1 at least are in the list */
    return block;
}

static OUT_OF_LINE void *take_from_new_pool(unsigned size_class)
{
    struct pool *pool = arenas_take_pool(&arenas);
    if (pool == NULL)
        return NULL;
    void *block = pool->size_class == size_class ? resume_pool(pool) : start_pool(pool, size_class);
    pool->blocks_in_use = 1;
    link_first(pool);
    return block;
}

static inline void *take_from_pool(size_t size)
{
    unsigned size_class = (unsigned)(size - 1) / BLOCK_ALIGNMENT;
    struct pool *pool = used[size_class].next;
    struct free_block *block = pool->free;

    if (UNLIKELY(block == NULL))
        return take_from_new_pool(size_class);
    pool->blocks_in_use++;
    pool->free = block->next;
    if (UNLIKELY(pool->free == NULL))
        return carve_or_unlink(pool, block);
    return block;
}

/* A block for a request of 1 to SMALL_REQUEST_MAX bytes; NULL when no arena could be had. */
static inline void *take_block(size_t size)
{
    bool is_locked = heap_lock();
    void *block = take_from_pool(size);

    heap_unlock(is_locked);
    return block;
}

static inline bool is_small(size_t size)
{
    return size - 1 < SMALL_REQUEST_MAX; /* 0 wraps: it is not small either */
}

/*
 * Too large for a C object (and for its differences of pointers): refused here, as by CPython,
 * whatever lies beneath.
 */
static inline bool is_absurd(size_t size)
{
    return size > PTRDIFF_MAX;
}

/*
 * CPython asks its raw allocator for one byte where it means none, since malloc(0) and realloc(p,
 * 0) may answer NULL.
 */
static inline size_t at_least_one(size_t size)
{
    return size == 0 ? 1 : size;
}

static __attribute__((noinline)) void *raw_malloc(size_t size)
{
    return is_absurd(size) ? NULL : raw.malloc(at_least_one(size));
}

static inline void *pymalloc_malloc(size_t size)
{
    if (UNLIKELY(!is_small(size)))
        return raw_malloc(size);
    void *block = take_block(size);
    /* Without a new arena a small request is not lost, but served like a large one. */
    return LIKELY(block != NULL) ? block : raw_malloc(size);
}

/* --- Giving a block back. --- */

static bool is_pooled(const void *block)
{
    return arenas_hold(&arenas, block);
}

static OUT_OF_LINE void return_pool(struct pool *pool)
{
    unlink_pool(pool);
    arenas_return_pool(&arenas, pool);
}

static inline void give_to_pool(struct free_block *block)
{
    struct pool *pool = pool_of(block);
    struct free_block *next = pool->free;

    block->next = next;
    pool->free = block;
    pool->blocks_in_use--;
    if (UNLIKELY(next == NULL)) /* it was full; with two blocks or more it cannot be empty now */
        link_first(pool);
    else if (UNLIKELY(pool->blocks_in_use == 0))
        return_pool(pool);
}

static void pymalloc_free(void *pointer)
{
    if (UNLIKELY(!is_pooled(pointer))) { /* NULL as well */
        raw.free(pointer);
        return;
    }
    bool is_locked = heap_lock();
    give_to_pool(pointer);
    heap_unlock(is_locked);
}

/* --- What is made of those two. --- */

static void *pymalloc_calloc(size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count, size, &bytes) || is_absurd(bytes))
        return NULL;
    void *block = is_small(bytes) ? take_block(bytes) : NULL;
    if (block != NULL)
        return memset(block, 0, bytes);
    return bytes == 0 ? raw.calloc(1, 1) : raw.calloc(count, size);
}

static size_t pooled_bytes(const void *block)
{
    return size_class_block_bytes(pool_of(block)->size_class);
}

size_t pymalloc_block_bytes(const void *block)
{
    return is_pooled(block) ? pooled_bytes(block) : 0;
}

/*
 * A pooled block stays where it is while the new size fills more than three quarters of it; below
 * that a copy frees memory, above its size a copy is needed. A raw block stays raw, however small
 * it becomes: its true size is not known, so there is no telling how much to copy.
 */
static void *pymalloc_realloc(void *block, size_t size)
{
    if (UNLIKELY(is_absurd(size)))
        return NULL;
    if (block == NULL)
        return pymalloc_malloc(size);
    if (!is_pooled(block))
        return raw.realloc(block, at_least_one(size));

    size_t old_bytes = pooled_bytes(block);
    if (size <= old_bytes && 4 * size > 3 * old_bytes)
        return block;
    void *copy = pymalloc_malloc(size);
    if (copy == NULL)
        return NULL;
    memcpy(copy, block, size < old_bytes ? size : old_bytes);
    pymalloc_free(block);
    return copy;
}

/* --- The heap as a whole. --- */

#if PYMALLOC_LOCKED

static const struct allocator_ops *const tables = &heap_tables;

#else

/* As CPython's are: what its tables do to the raw heap is part of what is measured. */
static const struct allocator_ops *const tables = &raw;

static int heap_lock_open(void)
{
    return 0;
}

#endif

static void close_rings(void)
{
    for (size_t i = 0; i < SIZE_CLASSES; i++)
        used[i] = (struct pool){.next = &used[i], .previous = &used[i]};
}

void pymalloc_set_arena_source(const struct pymalloc_arena_source *source)
{
    arenas_close(&arenas);
    arenas_open(&arenas, tables, source);
    close_rings();
}

void pymalloc_count(struct pymalloc_statistics *statistics)
{
    *statistics = (struct pymalloc_statistics){0};
    arenas_count(&arenas, statistics);
}

static void pymalloc_census(const struct allocator_census *census)
{
    bool is_locked = heap_lock();

    arenas_census(&arenas, census);
    heap_unlock(is_locked);
}

static int pymalloc_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *beneath, char *reason)
{
    (void)self;
    if (beneath == NULL || beneath->malloc == NULL || beneath->calloc == NULL ||
        beneath->realloc == NULL || beneath->free == NULL) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 "pymalloc needs a general allocator beneath it, with malloc, calloc, realloc and "
                 "free, as in pymalloc@glibc");
        return -ENOSYS;
    }
    if (heap_lock_open() != 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "no memory to keep its lock whole across fork");
        return -ENOMEM;
    }
    /*
     * The first time there is nothing to close, and nothing is touched; a test may open again, over
     * another allocator.
     */
    arenas_close(&arenas);
    raw = *beneath;
    arenas_open(&arenas, tables, NULL);
    close_rings();
    *ops = (struct allocator_ops){
        .malloc = pymalloc_malloc,
        .calloc = pymalloc_calloc,
        .realloc = pymalloc_realloc,
        .free = pymalloc_free,
        .census = pymalloc_census,
    };
    return 0;
}

static void pymalloc_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, PYMALLOC_PROFILE " geometry");
}

#if PYMALLOC_HAS_ADDRESS_MAP
#define PYMALLOC_SIZES "16 KiB pools in 1 MiB arenas"
#else
#define PYMALLOC_SIZES "4 KiB pools in 256 KiB arenas"
#endif

#if PYMALLOC_LOCKED
#define PYMALLOC_CAPABILITIES (ALLOCATOR_THREADS | ALLOCATOR_DISTINCT)
#else
#define PYMALLOC_CAPABILITIES ALLOCATOR_DISTINCT
#endif

#define PYMALLOC_ALLOCATOR(row_name, row_summary)                                                  \
    {                                                                                              \
        .name = (row_name), .summary = (row_summary),                                              \
        .source = "CPython " PYMALLOC_PROFILE ", Objects/obmalloc.c", .family = ALLOCATOR_POOL,    \
        .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE | \
                        ALLOCATOR_CENSUS | PYMALLOC_CAPABILITIES,                                  \
        .open = pymalloc_open, .version = pymalloc_version,                                        \
    }

extern const struct allocator PYMALLOC_NAME(allocator_pymalloc);
#if PYMALLOC_LOCKED
const struct allocator PYMALLOC_NAME(allocator_pymalloc) = PYMALLOC_ALLOCATOR(
    "pymalloc-locked",
    "pymalloc-" PYMALLOC_PROFILE " for threads: one lock around its pools, as the interpreter's");
#else
const struct allocator PYMALLOC_NAME(allocator_pymalloc) =
    PYMALLOC_ALLOCATOR("pymalloc-" PYMALLOC_PROFILE,
                       "CPython " PYMALLOC_PROFILE "'s small objects: blocks in " PYMALLOC_SIZES);
#endif

#if PYMALLOC_VERSION == 311 && !PYMALLOC_LOCKED
/* Without a profile it has that of the workload (harness/plan.c), and this one where there is none.
 */
extern const struct allocator allocator_pymalloc;
const struct allocator allocator_pymalloc = PYMALLOC_ALLOCATOR(
    "pymalloc", "CPython's small objects, in the geometry of the workload's profile");
#endif
