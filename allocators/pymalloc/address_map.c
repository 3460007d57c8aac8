/*
 * The slow half of the address map: marking arenas, and growing the tree where they lie.
 * Leaves out the lookup, which is inline in address_map.h. Nodes are never given back while the
 * heap lives, as in CPython: a process touches one mid node and one or two bottom nodes. From
 * CPython 3.11, Objects/obmalloc.c.
 */
#include "allocators/pymalloc/address_map.h"

#include <errno.h>

static struct address_map_slot *find_slot(const struct address_map *map, uintptr_t address)
{
    struct address_map_mid *mid = map->mids[address_map_top_index(address)];
    if (mid == NULL)
        return NULL;
    struct address_map_bottom *bottom = mid->bottoms[address_map_mid_index(address)];
    if (bottom == NULL)
        return NULL;
    return &bottom->slots[address_map_bottom_index(address)];
}

/* The slot of `address`, with nodes added on the way down; NULL when there is no memory for one. */
static struct address_map_slot *reach_slot(struct address_map *map, uintptr_t address)
{
    struct address_map_mid **mid = &map->mids[address_map_top_index(address)];
    if (*mid == NULL) {
        struct address_map_mid *fresh = map->raw->calloc(1, sizeof(*fresh));
        if (fresh == NULL)
            return NULL;
        ADDRESS_MAP_LINK(mid, fresh);
        map->mid_nodes++;
    }
    struct address_map_bottom **bottom = &(*mid)->bottoms[address_map_mid_index(address)];
    if (*bottom == NULL) {
        struct address_map_bottom *fresh = map->raw->calloc(1, sizeof(*fresh));
        if (fresh == NULL)
            return NULL;
        ADDRESS_MAP_LINK(bottom, fresh);
        map->bottom_nodes++;
    }
    return &(*bottom)->slots[address_map_bottom_index(address)];
}

int address_map_add(struct address_map *map, uintptr_t base)
{
    uint32_t skew = (uint32_t)base & (ARENA_BYTES - 1);

    struct address_map_slot *first = reach_slot(map, base);
    if (first == NULL)
        return -ENOMEM;
    /* The next slot only if the arena reaches it: a node for nothing would show in the raw heap. */
    if (skew != 0) {
        struct address_map_slot *next = reach_slot(map, base + ARENA_BYTES);
        if (next == NULL)
            return -ENOMEM;
        ADDRESS_MAP_MARK(&next->head_bytes, skew);
    }
    ADDRESS_MAP_MARK(&first->tail_bytes, ARENA_BYTES - skew);
    return 0;
}

void address_map_remove(struct address_map *map, uintptr_t base)
{
    ADDRESS_MAP_MARK(&find_slot(map, base)->tail_bytes, 0);
    if ((base & (ARENA_BYTES - 1)) != 0)
        ADDRESS_MAP_MARK(&find_slot(map, base + ARENA_BYTES)->head_bytes, 0);
}

void address_map_clear(struct address_map *map)
{
    for (size_t top = 0; map->mid_nodes > 0; top++) {
        struct address_map_mid *mid = map->mids[top];
        if (mid == NULL)
            continue;
        for (size_t i = 0; i < ADDRESS_MAP_INNER_LENGTH; i++)
            if (mid->bottoms[i] != NULL)
                map->raw->free(mid->bottoms[i]);
        map->raw->free(mid);
        map->mids[top] = NULL;
        map->mid_nodes--;
    }
    map->bottom_nodes = 0;
}
