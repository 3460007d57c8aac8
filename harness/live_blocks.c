/*
 * The table of blocks of tidemark snapshot (harness/sites/block_table.h), and for each region a
 * list of its own, since its blocks end together. Leaves out labels and stacks. A block is removed
 * before the real free, so that the thread that is given its place next finds it empty.
 */
#include "harness/live_blocks.h"

#include "harness/sites/block_table.h"
#include "harness/sites/own_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum { OBJECT = LIVE_OBJECT, RAW = LIVE_RAW, DOMAINS };

enum {
    SHEET_BYTES = 1024,
    CHUNK_BYTES = 1 << 20,
    SHEET_BLOCKS = (SHEET_BYTES - 2 * sizeof(void *)) / 16,
};

struct region_block {
    uintptr_t address;
    uint64_t bytes;
};

/* Blocks of one region, the latest sheet first. */
struct sheet {
    struct sheet *next;
    size_t count;
    struct region_block blocks[SHEET_BLOCKS];
};

_Static_assert(sizeof(struct sheet) <= SHEET_BYTES, "a sheet fits");

/* What the program takes for a region. It lies in the place of a sheet too. */
struct live_region {
    void *real;
    struct sheet *sheets;
    struct live_region *previous, *next;
};

static struct block_table blocks;
static struct allocator_ops real[DOMAINS], around[DOMAINS];
static _Atomic uint64_t lost;

static struct {
    struct spin_lock lock;
    struct sheet *free;
    char *carved, *carved_end;
    struct live_region *all;
} regions;

/* --- Blocks. --- */

static void enter(const void *block, size_t bytes, int domain)
{
    const struct block_entry entry = {
        .address = (uintptr_t)block, .bytes = bytes, .domain = (uint16_t)domain};

    if (block && block_table_put(&blocks, &entry) != 0)
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
}

/* The block as it was; address 0 when it was not there, as NULL is not. */
static struct block_entry leave(const void *block)
{
    struct block_entry entry = {.address = 0};

    (void)block_table_take(&blocks, (uintptr_t)block, &entry);
    return entry;
}

/* The functions of each kind for each of the two domains. */
#define AROUND(NAME, DOMAIN)                                                                       \
    static void *NAME##_malloc(size_t bytes)                                                       \
    {                                                                                              \
        void *block = real[DOMAIN].malloc(bytes);                                                  \
        enter(block, bytes, DOMAIN);                                                               \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_calloc(size_t count, size_t bytes)                                         \
    {                                                                                              \
        void *block = real[DOMAIN].calloc(count, bytes);                                           \
        enter(block, count *bytes, DOMAIN);                                                        \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_aligned_alloc(size_t alignment, size_t bytes)                              \
    {                                                                                              \
        void *block = real[DOMAIN].aligned_alloc(alignment, bytes);                                \
        enter(block, bytes, DOMAIN);                                                               \
        return block;                                                                              \
    }                                                                                              \
    static void *NAME##_realloc(void *block, size_t bytes)                                         \
    {                                                                                              \
        const struct block_entry before = leave(block);                                            \
        void *moved = real[DOMAIN].realloc(block, bytes);                                          \
        enter(moved, bytes, DOMAIN);                                                               \
        /* NULL keeps the old block, but for size 0, which may free it (C17 7.22.3.5). */          \
        if (!moved && bytes > 0 && before.address)                                                 \
            enter(block, before.bytes, DOMAIN);                                                    \
        return moved;                                                                              \
    }                                                                                              \
    static void NAME##_free(void *block)                                                           \
    {                                                                                              \
        (void)leave(block);                                                                        \
        real[DOMAIN].free(block);                                                                  \
    }

AROUND(object, OBJECT)
AROUND(raw, RAW)

/* --- Regions. --- */

/* Room for a sheet; NULL without memory. The lock is held. */
static void *take_room(void)
{
    struct sheet *room = regions.free;

    if (room) {
        regions.free = room->next;
        return room;
    }
    if (regions.carved == regions.carved_end) {
        char *chunk = own_memory_map(CHUNK_BYTES);
        if (!chunk)
            return NULL;
        regions.carved = chunk;
        regions.carved_end = chunk + CHUNK_BYTES;
    }
    regions.carved += SHEET_BYTES;
    return regions.carved - SHEET_BYTES;
}

static void give_room(void *room)
{
    struct sheet *sheet = room;

    sheet->next = regions.free;
    regions.free = sheet;
}

static struct live_region *link_region(void *real_region)
{
    spin_lock_take(&regions.lock);
    struct live_region *region = take_room();
    if (region) {
        *region = (struct live_region){.real = real_region, .next = regions.all};
        if (regions.all)
            regions.all->previous = region;
        regions.all = region;
    }
    spin_lock_release(&regions.lock);
    return region;
}

static void *region_create(void)
{
    void *real_region = real[OBJECT].region_create();
    struct live_region *region = real_region ? link_region(real_region) : NULL;

    if (real_region && !region)
        real[OBJECT].region_destroy(real_region);
    return region;
}

/* The latest sheet of the region, with room for a block; NULL without memory. */
static struct sheet *open_sheet(struct live_region *region)
{
    struct sheet *sheet = region->sheets;

    if (sheet && sheet->count < SHEET_BLOCKS)
        return sheet;
    spin_lock_take(&regions.lock);
    sheet = take_room();
    spin_lock_release(&regions.lock);
    if (!sheet)
        return NULL;
    sheet->next = region->sheets;
    sheet->count = 0;
    region->sheets = sheet;
    return sheet;
}

static void *region_alloc(void *handle, size_t bytes, size_t alignment)
{
    struct live_region *region = handle;
    void *block = real[OBJECT].region_alloc(region->real, bytes, alignment);
    struct sheet *sheet = block ? open_sheet(region) : NULL;

    if (sheet)
        sheet->blocks[sheet->count++] =
            (struct region_block){.address = (uintptr_t)block, .bytes = bytes};
    else if (block)
        atomic_fetch_add_explicit(&lost, 1, memory_order_relaxed);
    return block;
}

static void end_blocks(struct live_region *region)
{
    spin_lock_take(&regions.lock);
    while (region->sheets) {
        struct sheet *next = region->sheets->next;
        give_room(region->sheets);
        region->sheets = next;
    }
    spin_lock_release(&regions.lock);
}

static void region_reset(void *handle)
{
    struct live_region *region = handle;

    end_blocks(region);
    real[OBJECT].region_reset(region->real);
}

static void region_destroy(void *handle)
{
    struct live_region *region = handle;
    void *real_region = region->real;

    end_blocks(region);
    spin_lock_take(&regions.lock);
    if (region->previous)
        region->previous->next = region->next;
    else
        regions.all = region->next;
    if (region->next)
        region->next->previous = region->previous;
    give_room(region);
    spin_lock_release(&regions.lock);
    real[OBJECT].region_destroy(real_region);
}

/* --- All of them. --- */

/* A function that the allocator has not stays absent. */
static const struct allocator_ops *stand_around(const struct allocator_ops *ops, int domain)
{
    struct allocator_ops *into = &around[domain];
    const int is_raw = domain == RAW;

    real[domain] = *ops;
    *into = *ops;
    into->malloc = !ops->malloc ? NULL : is_raw ? raw_malloc : object_malloc;
    into->calloc = !ops->calloc ? NULL : is_raw ? raw_calloc : object_calloc;
    into->realloc = !ops->realloc ? NULL : is_raw ? raw_realloc : object_realloc;
    into->aligned_alloc = !ops->aligned_alloc ? NULL
                          : is_raw            ? raw_aligned_alloc
                                              : object_aligned_alloc;
    into->free = !ops->free ? NULL : is_raw ? raw_free : object_free;
    /* Of one allocator that serves both, either way leads to the same regions. */
    if (ops->region_create && ops->region_create == real[OBJECT].region_create) {
        into->region_create = region_create;
        into->region_alloc = region_alloc;
        into->region_reset = region_reset;
        into->region_destroy = region_destroy;
    }
    return into;
}

void live_blocks_begin(const struct allocator_ops **object, const struct allocator_ops **raw)
{
    *object = stand_around(*object, OBJECT);
    *raw = stand_around(*raw, RAW);
}

struct visit {
    live_block_visitor *visit;
    void *argument;
};

static int visit_entry(const struct block_entry *entry, void *argument)
{
    const struct visit *visit = argument;
    const struct live_block block = {.address = entry->address,
                                     .bytes = entry->bytes,
                                     .source = (enum live_block_source)entry->domain};

    return visit->visit(&block, visit->argument);
}

static int visit_sheet(const struct sheet *sheet, const struct visit *visit)
{
    int stop = 0;

    for (size_t i = 0; i < sheet->count && !stop; i++) {
        const struct live_block block = {.address = sheet->blocks[i].address,
                                         .bytes = sheet->blocks[i].bytes,
                                         .source = LIVE_REGION};
        stop = visit->visit(&block, visit->argument);
    }
    return stop;
}

int live_blocks_each(live_block_visitor *visit, void *argument)
{
    struct visit each = {.visit = visit, .argument = argument};

    block_table_lock_all(&blocks);
    int stop = block_table_each(&blocks, visit_entry, &each);
    block_table_unlock_all(&blocks);
    for (const struct live_region *region = regions.all; region && !stop; region = region->next) {
        for (const struct sheet *sheet = region->sheets; sheet && !stop; sheet = sheet->next)
            stop = visit_sheet(sheet, &each);
    }
    return stop;
}

uint64_t live_blocks_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}

size_t live_blocks_usable_bytes(const struct live_block *block)
{
    /* The allocator's own pointer, which it gave as one. */
    return real[block->source].usable_size((void *)block->address);
}

int live_blocks_has_usable(enum live_block_source source)
{
    return source != LIVE_REGION && real[source].usable_size != NULL;
}
