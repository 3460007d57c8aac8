/*
 * Arenas: mapping them, carving pools from them, keeping them sorted from full to empty, giving
 * them back. Leaves out everything about blocks. Nothing here is on a fast path: it runs once per
 * pool, not once per block. From CPython, Objects/obmalloc.c (new_arena,
 * allocate_from_new_pool, insert_to_freepool).
 */
#define _GNU_SOURCE
#include "allocators/pymalloc/arena.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

/* --- The operating system, behind one seam. --- */

static void *map_pages(void *context, size_t bytes)
{
    (void)context;
    void *base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return base == MAP_FAILED ? NULL : base;
}

/*
 * Fails when the range is part of a larger mapping, and the process has as many mappings as it may:
 * the pages then stay, and free, which may not touch errno (POSIX.1-2024), has still freed the
 * block.
 */
static void unmap_pages(void *context, void *base, size_t bytes)
{
    int error = errno;

    (void)context;
    munmap(base, bytes);
    errno = error;
}

static const struct pymalloc_arena_source page_source = {.map = map_pages, .unmap = unmap_pages};

/* --- Records and mappings. --- */

/*
 * Doubles the vector when no record is unused; returns one that is, or NULL without memory.
 * Pointers to arenas do not survive that, and none is held: it happens only when every record has
 * an arena and every arena is full, so that `usable` and last_with are empty.
 */
static struct arena *grow_vector(struct arenas *arenas)
{
    assert(arenas->usable == NULL && arenas->unused == NULL);
    size_t old_length = arenas->vector_length;
    size_t length = old_length == 0 ? ARENA_VECTOR_START : 2 * old_length;

    if (length > UINT32_MAX) /* pool.arena_index could not name the last: 4 PiB of small blocks */
        return NULL;
    struct arena *vector = arenas->raw->realloc(arenas->vector, length * sizeof(*vector));
    if (vector == NULL)
        return NULL;
    for (size_t i = length; i-- > old_length;) {
        vector[i].base = 0;
        vector[i].next = arenas->unused;
        arenas->unused = &vector[i];
    }
    arenas->vector = vector;
    arenas->vector_length = length;
    return arenas->unused;
}

/*
 * A base that is not pool-aligned costs a pool: part of it is lost in front of the first, the rest
 * behind the last.
 */
static void lay_out(struct arena *arena, uintptr_t base)
{
    uintptr_t past_boundary = base & (POOL_BYTES - 1);

    *arena = (struct arena){.base = base, .carve_at = base, .pools_total = POOLS_PER_ARENA};
    if (past_boundary != 0) {
        arena->carve_at += POOL_BYTES - past_boundary;
        arena->pools_total--;
    }
    arena->pools_free = arena->pools_total;
}

/* The addresses of an arena are ours from now on, or no longer. The index of the vector, to 3.9,
 * needs no table. */
#if PYMALLOC_HAS_ADDRESS_MAP

static int own_addresses(struct arenas *arenas, uintptr_t base)
{
    return address_map_add(&arenas->map, base);
}

static void disown_addresses(struct arenas *arenas, uintptr_t base)
{
    address_map_remove(&arenas->map, base);
}

#else

static int own_addresses(struct arenas *arenas, uintptr_t base)
{
    (void)arenas;
    (void)base;
    return 0;
}

static void disown_addresses(struct arenas *arenas, uintptr_t base)
{
    (void)arenas;
    (void)base;
}

#endif

/* A fresh arena in no list, or NULL. */
static struct arena *map_arena(struct arenas *arenas)
{
    const struct pymalloc_arena_source *source = &arenas->source;

    struct arena *arena = arenas->unused != NULL ? arenas->unused : grow_vector(arenas);
    if (arena == NULL)
        return NULL;
    void *base = source->map(source->context, ARENA_BYTES);
    if (base == NULL)
        return NULL;
    if (own_addresses(arenas, (uintptr_t)base) != 0)
        goto unmap;

    arenas->unused = arena->next;
    lay_out(arena, (uintptr_t)base);
    arenas->allocated++;
    arenas->current++;
    if (arenas->current > arenas->highwater)
        arenas->highwater = arenas->current;
    return arena;

unmap:
    source->unmap(source->context, base, ARENA_BYTES);
    return NULL;
}

/* Gives back an arena that is in no list. */
static void unmap_arena(struct arenas *arenas, struct arena *arena)
{
    const struct pymalloc_arena_source *source = &arenas->source;
    void *base = (void *)arena->base;

    disown_addresses(arenas, arena->base);
    source->unmap(source->context, base, ARENA_BYTES);
    arena->base = 0;
    arena->next = arenas->unused;
    arenas->unused = arena;
    arenas->current--;
}

/* --- The list of usable arenas. --- */

static void insert_first(struct arenas *arenas, struct arena *arena)
{
    arena->previous = NULL;
    arena->next = arenas->usable;
    if (arena->next != NULL)
        arena->next->previous = arena;
    arenas->usable = arena;
}

static void insert_after(struct arena *arena, struct arena *previous)
{
    arena->previous = previous;
    arena->next = previous->next;
    if (arena->next != NULL)
        arena->next->previous = arena;
    previous->next = arena;
}

static void unlink_arena(struct arenas *arenas, struct arena *arena)
{
    if (arena->previous != NULL)
        arena->previous->next = arena->next;
    else
        arenas->usable = arena->next;
    if (arena->next != NULL)
        arena->next->previous = arena->previous;
}

/*
 * Where an arena goes whose number of free pools has grown: behind those with fewer, before those
 * with as many. note_count and forget_count keep last_with true; `place` is what has to be known
 * from before the count grew.
 */
#if PYMALLOC_KNOWS_LAST

/* `arena` stands in the list where its count belongs, as the last with that count or before it. */
static void note_count(struct arenas *arenas, struct arena *arena)
{
    if (arenas->last_with[arena->pools_free] == NULL)
        arenas->last_with[arena->pools_free] = arena;
}

/*
 * Takes `arena` out of last_with before its count changes. Its neighbour in front, if that has as
 * many, is the last of them now; nothing changes when `arena` was not the last.
 */
static void forget_count(struct arenas *arenas, const struct arena *arena)
{
    uint32_t count = arena->pools_free;
    struct arena *previous = arena->previous;

    if (arenas->last_with[count] != arena)
        return;
    arenas->last_with[count] = previous != NULL && previous->pools_free == count ? previous : NULL;
}

/* The last of those that have as many as `arena` now; NULL for a full one, which is in no list. */
static struct arena *place_of(const struct arenas *arenas, const struct arena *arena)
{
    return arenas->last_with[arena->pools_free];
}

static void restore_order(struct arenas *arenas, struct arena *arena, struct arena *place)
{
    note_count(arenas, arena);
    /* It was the last of those with the old count: whoever follows has as many as it, or more. */
    if (arena == place)
        return;
    unlink_arena(arenas, arena);
    insert_after(arena, place);
}

static void forget_counts(struct arenas *arenas)
{
    memset(arenas->last_with, 0, sizeof(arenas->last_with));
}

#else

static void note_count(struct arenas *arenas, struct arena *arena)
{
    (void)arenas;
    (void)arena;
}

static void forget_count(struct arenas *arenas, const struct arena *arena)
{
    (void)arenas;
    (void)arena;
}

static struct arena *place_of(const struct arenas *arenas, const struct arena *arena)
{
    (void)arenas;
    (void)arena;
    return NULL;
}

/* Walks past all that have fewer: as many steps as there are such arenas. */
static void restore_order(struct arenas *arenas, struct arena *arena, struct arena *place)
{
    (void)place;
    struct arena *behind = arena;
    while (behind->next != NULL && behind->next->pools_free < arena->pools_free)
        behind = behind->next;
    if (behind == arena)
        return;
    unlink_arena(arenas, arena);
    insert_after(arena, behind);
}

static void forget_counts(struct arenas *arenas)
{
    (void)arenas;
}

#endif

/* --- Pools. --- */

static struct pool *carve_pool(const struct arenas *arenas, struct arena *arena)
{
    struct pool *pool = (struct pool *)arena->carve_at;

    arena->carve_at += POOL_BYTES;
    pool->arena_index = (uint32_t)(arena - arenas->vector);
    pool->size_class = SIZE_CLASS_NONE;
    return pool;
}

static struct pool *pop_free_pool(struct arena *arena)
{
    struct pool *pool = arena->free_pools;

    arena->free_pools = pool->next;
    return pool;
}

struct pool *arenas_take_pool(struct arenas *arenas)
{
    if (arenas->usable == NULL) {
        struct arena *fresh = map_arena(arenas);
        if (fresh == NULL)
            return NULL;
        insert_first(arenas, fresh);
        note_count(arenas, fresh);
    }

    /*
     * The head has the fewest free pools; with one fewer it is still the head, and alone with that
     * count.
     */
    struct arena *arena = arenas->usable;
    forget_count(arenas, arena);
    arena->pools_free--;
    if (arena->pools_free > 0)
        note_count(arenas, arena);
    else
        unlink_arena(arenas, arena);

    return arena->free_pools != NULL ? pop_free_pool(arena) : carve_pool(arenas, arena);
}

/* Whether an arena without a block in use stays: the last of the list, from 3.9 on, so that a
 * program on the edge of an arena does not map and unmap one for ever. */
static bool is_kept(const struct arena *arena)
{
    return PYMALLOC_KEEPS_LAST_ARENA && arena->next == NULL;
}

void arenas_return_pool(struct arenas *arenas, struct pool *pool)
{
    struct arena *arena = &arenas->vector[pool->arena_index];
    struct arena *place = place_of(arenas, arena);

    pool->next = arena->free_pools;
    arena->free_pools = pool;
    forget_count(arenas, arena);
    arena->pools_free++;

    bool empty = arena->pools_free == arena->pools_total;
    if (arena->pools_free == 1) {
        insert_first(arenas, arena);
        note_count(arenas, arena);
    } else if (empty && !is_kept(arena)) {
        unlink_arena(arenas, arena);
        unmap_arena(arenas, arena);
    } else {
        restore_order(arenas, arena, place);
    }
}

/* --- The heap as a whole. --- */

void arenas_open(struct arenas *arenas, const struct allocator_ops *raw,
                 const struct pymalloc_arena_source *source)
{
    arenas->raw = raw;
#if PYMALLOC_HAS_ADDRESS_MAP
    arenas->map.raw = raw;
#endif
    arenas->source = source != NULL ? *source : page_source;
}

void arenas_close(struct arenas *arenas)
{
    for (size_t i = 0; i < arenas->vector_length; i++)
        if (arenas->vector[i].base != 0)
            unmap_arena(arenas, &arenas->vector[i]);
    if (arenas->vector != NULL)
        arenas->raw->free(arenas->vector);
    arenas->vector = NULL;
    arenas->vector_length = 0;
    arenas->unused = NULL;
    arenas->usable = NULL;
    forget_counts(arenas);
    arenas->allocated = 0;
    arenas->current = 0;
    arenas->highwater = 0;
#if PYMALLOC_HAS_ADDRESS_MAP
    address_map_clear(&arenas->map);
#endif
}

/* --- Statistics. --- */

static void count_pool(const struct pool *pool, struct pymalloc_statistics *statistics)
{
    if (pool->blocks_in_use == 0) /* in free_pools, counted by its arena */
        return;
    struct pymalloc_class_statistics *own = &statistics->classes[pool->size_class];
    unsigned block_bytes = size_class_block_bytes(pool->size_class);
    size_t available = size_class_blocks_per_pool(pool->size_class) - pool->blocks_in_use;

    own->pools++;
    own->blocks_in_use += pool->blocks_in_use;
    own->blocks_available += available;
    statistics->allocated_bytes += pool->blocks_in_use * block_bytes;
    statistics->available_bytes += available * block_bytes;
    statistics->header_bytes += POOL_HEADER_BYTES;
    statistics->quantization_bytes += (POOL_BYTES - POOL_HEADER_BYTES) % block_bytes;
}

static void count_arena(const struct arena *arena, struct pymalloc_statistics *statistics)
{
    uintptr_t past_boundary = arena->base & (POOL_BYTES - 1);
    uintptr_t at = arena->base;

    if (past_boundary != 0) {
        at += POOL_BYTES - past_boundary;
        statistics->alignment_bytes += POOL_BYTES;
    }
    for (; at < arena->carve_at; at += POOL_BYTES)
        count_pool((const struct pool *)at, statistics);
    statistics->pools_unused += arena->pools_free;
}

void arenas_count(const struct arenas *arenas, struct pymalloc_statistics *statistics)
{
    statistics->arenas_allocated = arenas->allocated;
    statistics->arenas_reclaimed = arenas->allocated - arenas->current;
    statistics->arenas_highwater = arenas->highwater;
    statistics->arenas_current = arenas->current;
#if PYMALLOC_HAS_ADDRESS_MAP
    statistics->map_mid_nodes = arenas->map.mid_nodes;
    statistics->map_bottom_nodes = arenas->map.bottom_nodes;
#endif
    for (size_t i = 0; i < arenas->vector_length; i++)
        if (arenas->vector[i].base != 0)
            count_arena(&arenas->vector[i], statistics);
}
