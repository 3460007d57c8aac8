/*
 * A hash table of regions of 2 MiB, each with an entry for every 8 bytes in pages that the kernel
 * supplies as they are written: see block_map.h. Leaves out giving regions back before the end of
 * the process: address space that was used once is used again.
 */
#define _GNU_SOURCE
#include "harness/trace/block_map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    PAGE_ENTRIES = 4096 / sizeof(uint64_t),
    ENTRY_BYTES = BLOCK_MAP_ENTRIES * sizeof(uint64_t),
    CACHED = 256,
    FIRST_SLOTS = 64,
};

/* Shared by the maps of forks until one of them wants it. */
struct region {
    uint64_t *entries;
    size_t users;
};

struct slot {
    uintptr_t number; /* address >> BLOCK_MAP_REGION_BITS; 0: none, where no block can be */
    struct region *region;
};

struct block_map {
    struct slot *slots; /* open addressing, at most half full */
    size_t mask, count;
    struct {
        uintptr_t number;
        uint64_t *entries; /* of a region that is this map's alone */
    } cached[CACHED];
};

static struct slot *find_slot(struct slot *slots, size_t mask, uintptr_t number)
{
    size_t at = (size_t)(number * UINT64_C(0x9E3779B97F4A7C15) >> 20) & mask;

    while (slots[at].number && slots[at].number != number)
        at = (at + 1) & mask;
    return &slots[at];
}

struct block_map *block_map_make(void)
{
    struct block_map *map = calloc(1, sizeof *map);

    if (!map)
        return NULL;
    map->slots = calloc(FIRST_SLOTS, sizeof *map->slots);
    map->mask = FIRST_SLOTS - 1;
    if (map->slots)
        return map;
    free(map);
    return NULL;
}

static int grow(struct block_map *map)
{
    const size_t size = 2 * (map->mask + 1);
    struct slot *larger = calloc(size, sizeof *larger);

    if (!larger)
        return -1;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->slots[i].number)
            *find_slot(larger, size - 1, map->slots[i].number) = map->slots[i];
    free(map->slots);
    map->slots = larger;
    map->mask = size - 1;
    return 0;
}

static struct region *make_region(void)
{
    struct region *region = malloc(sizeof *region);
    void *pages = mmap(NULL, ENTRY_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (!region || pages == MAP_FAILED) {
        free(region);
        if (pages != MAP_FAILED)
            munmap(pages, ENTRY_BYTES);
        return NULL;
    }
    madvise(pages, ENTRY_BYTES, MADV_NOHUGEPAGE); /* most of it is not used */
    *region = (struct region){.entries = pages, .users = 1};
    return region;
}

static void leave_region(struct region *region)
{
    if (--region->users > 0)
        return;
    munmap(region->entries, ENTRY_BYTES);
    free(region);
}

/* A region of its own for who shares one. Pages without an entry stay unused. */
static struct region *make_own(struct region *shared)
{
    static const uint64_t nothing[PAGE_ENTRIES];
    struct region *own = shared->users > 1 ? make_region() : shared;

    if (!own || own == shared)
        return own;
    for (size_t i = 0; i < BLOCK_MAP_ENTRIES; i += PAGE_ENTRIES)
        if (memcmp(shared->entries + i, nothing, sizeof nothing) != 0)
            memcpy(own->entries + i, shared->entries + i, sizeof nothing);
    leave_region(shared);
    return own;
}

static uint64_t *find_entries(struct block_map *map, uintptr_t number)
{
    struct slot *slot = find_slot(map->slots, map->mask, number);

    if (!slot->number && 2 * (map->count + 1) > map->mask) {
        if (grow(map) != 0)
            return NULL;
        slot = find_slot(map->slots, map->mask, number);
    }
    struct region *region = slot->number ? make_own(slot->region) : make_region();
    if (!region)
        return NULL;
    map->count += slot->number == 0;
    *slot = (struct slot){number, region};
    return region->entries;
}

uint64_t *block_map_region(struct block_map *map, uintptr_t address)
{
    const uintptr_t number = address >> BLOCK_MAP_REGION_BITS;

    if (number == 0)
        return NULL; /* no block lies there */
    if (map->cached[number % CACHED].number != number) {
        uint64_t *entries = find_entries(map, number);
        if (!entries)
            return NULL;
        map->cached[number % CACHED].number = number;
        map->cached[number % CACHED].entries = entries;
    }
    return map->cached[number % CACHED].entries;
}

struct block_map *block_map_copy(struct block_map *map)
{
    struct block_map *copy = calloc(1, sizeof *copy);

    if (!copy)
        return NULL;
    copy->slots = malloc((map->mask + 1) * sizeof *copy->slots);
    if (!copy->slots) {
        free(copy);
        return NULL;
    }
    memcpy(copy->slots, map->slots, (map->mask + 1) * sizeof *copy->slots);
    copy->mask = map->mask;
    copy->count = map->count;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->slots[i].number)
            map->slots[i].region->users++;
    memset(map->cached, 0, sizeof map->cached);
    return copy;
}

void block_map_free(struct block_map *map)
{
    if (!map)
        return;
    for (size_t i = 0; i <= map->mask; i++)
        if (map->slots[i].number)
            leave_region(map->slots[i].region);
    free(map->slots);
    free(map);
}
