/*
 * The address map: does this address lie in one of our arenas? `free` asks it of every block,
 * pooled or raw. A radix tree over the 64 bits of an address, three loads deep; leaves out which
 * arena it is, the pool header says that. From CPython 3.10 (bpo-37448), where it took the place of
 * a look into memory that might belong to somebody else.
 *
 *      63           49 48           34 33           20 19                0
 *     +---------------+---------------+---------------+-------------------+
 *     |    top: 15    |    mid: 15    |  bottom: 14   | within a slot: 20 |
 *     +---------------+---------------+---------------+-------------------+
 *
 * A slot is one arena-sized, arena-aligned stretch of address space. An arena is only page-aligned,
 * so it covers the end of the slot it starts in and, unless it fills that, the start of the next
 * one:
 *
 *     | slot i                        | slot i+1                      |
 *     |           [======== arena ========]                           |
 *                  <- tail_bytes(i) -> <-> head_bytes(i+1)
 *
 * Two numbers per slot are enough, because two arenas cannot both reach the end of a slot, nor both
 * its start.
 *
 * Changes need the heap's lock; the lookup does not (lock.h), if its address is that of a block
 * that the caller holds:
 *   - a pooled block's arena was marked before the block was handed out, and stays marked until it
 *     is given back. Of the two numbers of its slot, one is its arena's and does not change; the
 *     other one may, and is only read when the first says no: it says yes.
 *   - a raw block lies outside every arena that exists while it does, so that whichever number of
 *     such an arena is read says no. Numbers of an arena that lay there earlier are gone: they were
 *     cleared before munmap, and it was after munmap that the kernel, whose lock orders the two,
 *     gave the addresses to the raw allocator.
 *   - a node is zeroed before it is linked (release and acquire), and stays.
 * Each number is written whole, in one store.
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_ADDRESS_MAP_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_ADDRESS_MAP_H

#include "allocators/allocator.h"
#include "allocators/pymalloc/geometry.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ADDRESS_BITS = 64,
    /* Top and mid level: a third each, rounded up. */
    ADDRESS_MAP_INNER_BITS = (ADDRESS_BITS - PYMALLOC_ARENA_BITS + 2) / 3,
    ADDRESS_MAP_BOTTOM_BITS = ADDRESS_BITS - PYMALLOC_ARENA_BITS - 2 * ADDRESS_MAP_INNER_BITS,
    ADDRESS_MAP_INNER_LENGTH = 1 << ADDRESS_MAP_INNER_BITS,
    ADDRESS_MAP_BOTTOM_LENGTH = 1 << ADDRESS_MAP_BOTTOM_BITS,
};

/* How many bytes of one slot belong to arenas. All zero, as the raw calloc leaves it: none. */
struct address_map_slot {
    uint32_t tail_bytes; /* at its end, of an arena that starts in it; ARENA_BYTES if aligned */
    uint32_t head_bytes; /* at its start, of an arena that started in the slot before */
};

struct address_map_bottom {
    struct address_map_slot slots[ADDRESS_MAP_BOTTOM_LENGTH]; /* 128 KiB, which cover 16 GiB */
};

struct address_map_mid {
    struct address_map_bottom *bottoms[ADDRESS_MAP_INNER_LENGTH]; /* 256 KiB, which cover 512 TiB */
};

/* The root. Static storage, all zero, is an empty map, but for `raw`. */
struct address_map {
    struct address_map_mid *mids[ADDRESS_MAP_INNER_LENGTH];
    const struct allocator_ops *raw; /* nodes come from its calloc, and stay */
    size_t mid_nodes;
    size_t bottom_nodes;
};

#define address_map_add    PYMALLOC_NAME(address_map_add)
#define address_map_remove PYMALLOC_NAME(address_map_remove)
#define address_map_clear  PYMALLOC_NAME(address_map_clear)

/*
 * Marks the ARENA_BYTES at `base` as ours. Returns 0, or -ENOMEM when the raw allocator had no room
 * for a node; the addresses are then not marked. Not thread-safe. At most four callocs, each once
 * per 16 GiB or 512 TiB of address space.
 */
int address_map_add(struct address_map *map, uintptr_t base);

/* Undoes address_map_add of the same `base`. Nodes stay for the next arena. Not thread-safe. */
void address_map_remove(struct address_map *map, uintptr_t base);

/* Frees every node. Visits every mid node, and of an empty map nothing. Only tests need it. */
void address_map_clear(struct address_map *map);

#if PYMALLOC_LOCKED
#define ADDRESS_MAP_NODE(pointer)           __atomic_load_n(pointer, __ATOMIC_ACQUIRE)
#define ADDRESS_MAP_LINK(pointer, node)     __atomic_store_n(pointer, node, __ATOMIC_RELEASE)
#define ADDRESS_MAP_BYTES(number)           __atomic_load_n(number, __ATOMIC_RELAXED)
#define ADDRESS_MAP_MARK(number, new_bytes) __atomic_store_n(number, new_bytes, __ATOMIC_RELAXED)
#else
#define ADDRESS_MAP_NODE(pointer)           (*(pointer))
#define ADDRESS_MAP_LINK(pointer, node)     (*(pointer) = (node))
#define ADDRESS_MAP_BYTES(number)           (*(number))
#define ADDRESS_MAP_MARK(number, new_bytes) (*(number) = (new_bytes))
#endif

static inline size_t address_map_top_index(uintptr_t address)
{
    return address >> (PYMALLOC_ARENA_BITS + ADDRESS_MAP_BOTTOM_BITS + ADDRESS_MAP_INNER_BITS);
}

static inline size_t address_map_mid_index(uintptr_t address)
{
    return (address >> (PYMALLOC_ARENA_BITS + ADDRESS_MAP_BOTTOM_BITS)) &
           (ADDRESS_MAP_INNER_LENGTH - 1);
}

static inline size_t address_map_bottom_index(uintptr_t address)
{
    return (address >> PYMALLOC_ARENA_BITS) & (ADDRESS_MAP_BOTTOM_LENGTH - 1);
}

/*
 * Whether `address`, any address at all, lies in an arena of ours. Reads only the map, never the
 * address. In the header because `free` pays for it every time; the first compare settles an
 * aligned arena.
 */
static inline bool address_map_contains(const struct address_map *map, uintptr_t address)
{
    const struct address_map_mid *mid =
        ADDRESS_MAP_NODE(&map->mids[address_map_top_index(address)]);
    if (__builtin_expect(mid == NULL, 0))
        return false;
    const struct address_map_bottom *bottom =
        ADDRESS_MAP_NODE(&mid->bottoms[address_map_mid_index(address)]);
    if (__builtin_expect(bottom == NULL, 0))
        return false;
    const struct address_map_slot *slot = &bottom->slots[address_map_bottom_index(address)];
    uint32_t offset = (uint32_t)address & (ARENA_BYTES - 1);

    return offset + ADDRESS_MAP_BYTES(&slot->tail_bytes) >= ARENA_BYTES ||
           offset < ADDRESS_MAP_BYTES(&slot->head_bytes);
}

#endif
