/*
 * How many bytes of each page of addresses are in use, for the pages of which any are. Leaves out
 * whose bytes they are (harness/live_blocks.h) and whether the page is resident, which a caller
 * marks (harness/resident_pages.h). Open addressing with linear probing, in memory of its own.
 */
#ifndef TIDEMARK_HARNESS_PAGE_MAP_H
#define TIDEMARK_HARNESS_PAGE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct page_use {
    uintptr_t number;    /* address / page size, plus 1; 0: an empty slot */
    uint32_t live_bytes; /* above 0; above the page's size where blocks overlap */
    uint32_t usable_bytes : 31;
    uint32_t is_resident : 1;
};

_Static_assert(sizeof(struct page_use) == 16, "there may be a million of them");

/* All zeros but `page_bytes`, a power of two, is an empty map. */
struct page_map {
    size_t page_bytes;
    struct page_use *slots; /* mask + 1, or NULL */
    size_t mask;
    size_t count;
};

/*
 * Adds the bytes of a block to `live_bytes` of each page that it lies in, entering those that are
 * not there. Returns 0, or -ENOMEM: some pages may have theirs already. Costs a look-up for each
 * page.
 */
int page_map_add_live(struct page_map *map, uintptr_t address, uint64_t bytes);

/* Adds to `usable_bytes` of those pages that are there, and enters none. */
void page_map_add_usable(struct page_map *map, uintptr_t address, uint64_t bytes);

/* The page of an address, or NULL. It stays in its place until another one is entered. */
struct page_use *page_map_find(const struct page_map *map, uintptr_t address);

/* Empties the map and keeps its memory. */
void page_map_clear(struct page_map *map);

/* Gives its memory back; the map is empty then. */
void page_map_free(struct page_map *map);

#endif
