/*
 * A hash table of page numbers: see page_map.h. Leaves out removal of one page, which nobody needs.
 */
#include "harness/page_map.h"

#include "harness/sites/own_memory.h"

#include <errno.h>
#include <string.h>

enum { FIRST_SLOTS = 1 << 12, USABLE_MASK = INT32_MAX /* 31 bits; no page has as many bytes */ };

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4); the middle bits, as the mask takes low ones. */
static size_t home_of(uintptr_t number, size_t mask)
{
    return (size_t)((uint64_t)number * UINT64_C(0x9E3779B97F4A7C15) >> 24) & mask;
}

/* Where the page is, or where it would be put. */
static struct page_use *slot_of(struct page_use *slots, size_t mask, uintptr_t number)
{
    size_t at = home_of(number, mask);

    while (slots[at].number != 0 && slots[at].number != number)
        at = (at + 1) & mask;
    return &slots[at];
}

static int grow(struct page_map *map)
{
    const size_t places = map->slots ? map->mask + 1 : 0;
    const size_t wanted = places ? 2 * places : FIRST_SLOTS;
    struct page_use *slots = own_memory_map(wanted * sizeof *slots);

    if (!slots)
        return -ENOMEM;
    for (size_t i = 0; i < places; i++) {
        if (map->slots[i].number)
            *slot_of(slots, wanted - 1, map->slots[i].number) = map->slots[i];
    }
    own_memory_unmap(map->slots, places * sizeof *map->slots);
    map->slots = slots;
    map->mask = wanted - 1;
    return 0;
}

/* The page with that number, entered where it is not there; NULL without memory. */
static struct page_use *enter(struct page_map *map, uintptr_t number)
{
    if ((!map->slots || map->count >= (map->mask + 1) / 2) && grow(map) != 0)
        return NULL;
    struct page_use *page = slot_of(map->slots, map->mask, number);
    map->count += page->number == 0;
    page->number = number;
    return page;
}

/* How many of `bytes` from `address` on lie in its page. */
static uint32_t bytes_in_page(const struct page_map *map, uintptr_t address, uint64_t bytes)
{
    const uint64_t room = map->page_bytes - (address & (map->page_bytes - 1));

    return (uint32_t)(bytes < room ? bytes : room);
}

int page_map_add_live(struct page_map *map, uintptr_t address, uint64_t bytes)
{
    while (bytes > 0) {
        const uint32_t here = bytes_in_page(map, address, bytes);
        struct page_use *page = enter(map, address / map->page_bytes + 1);
        if (!page)
            return -ENOMEM;
        page->live_bytes += here;
        address += here;
        bytes -= here;
    }
    return 0;
}

void page_map_add_usable(struct page_map *map, uintptr_t address, uint64_t bytes)
{
    while (bytes > 0) {
        const uint32_t here = bytes_in_page(map, address, bytes);
        struct page_use *page = page_map_find(map, address);
        if (page)
            page->usable_bytes = (page->usable_bytes + here) & USABLE_MASK;
        address += here;
        bytes -= here;
    }
}

struct page_use *page_map_find(const struct page_map *map, uintptr_t address)
{
    if (!map->slots)
        return NULL;
    struct page_use *page = slot_of(map->slots, map->mask, address / map->page_bytes + 1);
    return page->number ? page : NULL;
}

void page_map_clear(struct page_map *map)
{
    if (map->slots)
        memset(map->slots, 0, (map->mask + 1) * sizeof *map->slots);
    map->count = 0;
}

void page_map_free(struct page_map *map)
{
    own_memory_unmap(map->slots, map->slots ? (map->mask + 1) * sizeof *map->slots : 0);
    map->slots = NULL;
    map->mask = 0;
    map->count = 0;
}
