/*
 * Which block begins at an address: of a process that is recorded, with the number that its block
 * has in the trace. Leaves out sizes, and addresses inside of a block. A flat table over the
 * addresses in use, so that a look-up is one load where the program's own was one.
 */
#ifndef TIDEMARK_HARNESS_TRACE_BLOCK_MAP_H
#define TIDEMARK_HARNESS_TRACE_BLOCK_MAP_H

#include <stddef.h>
#include <stdint.h>

struct block_map;

/* NULL when there is no memory. */
struct block_map *block_map_make(void);

enum {
    BLOCK_MAP_REGION_BITS = 21,
    BLOCK_MAP_ENTRY_BITS = BLOCK_MAP_REGION_BITS - 3, /* blocks begin at multiples of 8 */
    BLOCK_MAP_ENTRIES = 1 << BLOCK_MAP_ENTRY_BITS,
};

/* Multiples of 16 stand in the lower half of a region, so that those of allocators which have no
 * others lie close together. Thread-safe. */
static inline size_t block_map_index(uintptr_t address)
{
    const uintptr_t eighths = address >> 3;

    return (size_t)((eighths >> 1 & (BLOCK_MAP_ENTRIES / 2 - 1)) |
                    (eighths & 1) << (BLOCK_MAP_ENTRY_BITS - 1));
}

/*
 * The entries of the region that `address` lies in, each 0 or what was stored there; valid until
 * the map is copied. NULL when there is no memory, or for an address where no block can be. Not
 * thread-safe, as all here.
 */
uint64_t *block_map_region(struct block_map *map, uintptr_t address);

/* The place of `address`; NULL as block_map_region. */
static inline uint64_t *block_map_at(struct block_map *map, uintptr_t address)
{
    uint64_t *region = block_map_region(map, address);

    return region ? &region[block_map_index(address)] : NULL;
}

/* 1 for an address where a block can be. Thread-safe. */
static inline int block_map_can_hold(uintptr_t address)
{
    return address >> BLOCK_MAP_REGION_BITS != 0;
}

/* A map that holds the same, as a fork does: pages of either are copied when they are asked for. */
struct block_map *block_map_copy(struct block_map *map);

void block_map_free(struct block_map *map);

#endif
