/*
 * Pages by their number, hashed; in each page its blocks by their place in it: see block_table.h.
 * Both are open addressing with linear probing and backward shifts (Knuth, TAOCP 3, 6.4, algorithm
 * R). Leaves out giving memory back to the system: a program that had so many blocks may have them
 * again.
 */
#include "harness/sites/block_table.h"

#include "harness/sites/own_memory.h"

#include <errno.h>
#include <string.h>

enum {
    PAGE_SHIFT = 12,
    PAGE_MASK = (1 << PAGE_SHIFT) - 1,
    SLOT_USED = 1 << PAGE_SHIFT, /* in a place, so that 0 is an empty slot */
    DOMAIN_SHIFT = PAGE_SHIFT + 1,
    FIRST_PAGES = 64,
    FIRST_ROOM = 3, /* 8 slots; the largest, of a page with a block at each byte, is 13 */
    CHUNK_BYTES = 1 << 20,
    SHARD_SHIFT = 58,
};

_Static_assert(BLOCK_DOMAINS <= 1 << (16 - DOMAIN_SHIFT), "a domain fits above a place");

struct block_slot {
    uint64_t bytes;
    uint32_t stack;
    uint16_t label;
    uint16_t place; /* in the page, with SLOT_USED and the domain; 0: empty */
};

/* Blocks that begin in one page of addresses, whether the system's pages are of that size or not.
 */
struct block_page {
    uintptr_t number; /* address >> PAGE_SHIFT; 0: there is none here */
    struct block_slot *slots;
    uint16_t count;
    uint8_t room; /* 1 << room slots */
};

/* A room that waits: the next one of its size. */
struct block_room {
    struct block_room *next;
};

struct block_chunk {
    struct block_chunk *before;
};

/* --- Rooms for slots. --- */

static size_t room_bytes(unsigned room)
{
    return sizeof(struct block_slot) << room;
}

static int map_chunk(struct block_shard *shard)
{
    struct block_chunk *chunk = own_memory_map(CHUNK_BYTES);

    if (!chunk)
        return -ENOMEM;
    chunk->before = shard->chunks;
    shard->chunks = chunk;
    shard->carved = (char *)chunk + sizeof(struct block_slot);
    shard->carved_end = (char *)chunk + CHUNK_BYTES;
    return 0;
}

/* Empty slots, 1 << room of them; NULL without memory. What is left of a chunk is lost: one in some
 * hundred. */
static struct block_slot *take_room(struct block_shard *shard, unsigned room)
{
    void *taken = shard->free_rooms[room];

    if (taken) {
        shard->free_rooms[room] = shard->free_rooms[room]->next;
    } else {
        if ((size_t)(shard->carved_end - shard->carved) < room_bytes(room) && map_chunk(shard) != 0)
            return NULL;
        taken = shard->carved;
        shard->carved += room_bytes(room);
    }
    memset(taken, 0, room_bytes(room));
    return taken;
}

static void give_room(struct block_shard *shard, void *slots, unsigned room)
{
    struct block_room *free_room = slots;

    free_room->next = shard->free_rooms[room];
    shard->free_rooms[room] = free_room;
}

/* --- Slots of a page. --- */

/* In the order of addresses, so that neighbours are. */
static size_t slot_home(unsigned place, unsigned room)
{
    return (size_t)((place & PAGE_MASK) << room >> PAGE_SHIFT);
}

/* Where the block is, or where it would be put. */
static struct block_slot *find_slot(const struct block_page *page, uintptr_t address)
{
    const unsigned place = (unsigned)(address & PAGE_MASK);
    const size_t mask = ((size_t)1 << page->room) - 1;
    size_t at = slot_home(place, page->room);

    while (page->slots[at].place && (page->slots[at].place & PAGE_MASK) != place)
        at = (at + 1) & mask;
    return &page->slots[at];
}

/* Twice the room when three quarters are used. Returns 0 or -ENOMEM. */
static int make_slot_room(struct block_shard *shard, struct block_page *page)
{
    struct block_page grown = *page;

    if (page->slots && page->count + 1u <= (3u << page->room) / 4)
        return 0;
    grown.room = page->slots ? (uint8_t)(page->room + 1) : FIRST_ROOM;
    grown.slots = take_room(shard, grown.room);
    if (!grown.slots)
        return -ENOMEM;
    for (size_t i = 0; page->slots && i < (size_t)1 << page->room; i++) {
        if (page->slots[i].place)
            *find_slot(&grown, page->slots[i].place) = page->slots[i];
    }
    if (page->slots)
        give_room(shard, page->slots, page->room);
    *page = grown;
    return 0;
}

/* Moves back whatever would not be found any more with `hole` empty. */
static void empty_slot(struct block_page *page, struct block_slot *slot)
{
    const size_t mask = ((size_t)1 << page->room) - 1;
    size_t hole = (size_t)(slot - page->slots);

    for (size_t at = (hole + 1) & mask; page->slots[at].place; at = (at + 1) & mask) {
        const size_t home = slot_home(page->slots[at].place, page->room);
        /* It stays if its home lies cyclically in (hole, at]. */
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        page->slots[hole] = page->slots[at];
        hole = at;
    }
    page->slots[hole].place = 0;
    page->count--;
}

/* --- Pages. --- */

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4). */
static uint64_t hash(uintptr_t number)
{
    return (uint64_t)number * UINT64_C(0x9E3779B97F4A7C15);
}

static struct block_shard *shard_of(struct block_table *table, uintptr_t address)
{
    return &table->shards[hash(address >> PAGE_SHIFT) >> SHARD_SHIFT];
}

static struct block_page *find_page(struct block_page *pages, size_t mask, uintptr_t number)
{
    size_t at = (size_t)(hash(number) >> (SHARD_SHIFT / 2)) & mask;

    while (pages[at].number != 0 && pages[at].number != number)
        at = (at + 1) & mask;
    return &pages[at];
}

/* How many pages have a block. */
static size_t count_used(const struct block_shard *shard)
{
    size_t used = 0;

    for (size_t i = 0; shard->pages && i <= shard->mask; i++)
        used += shard->pages[i].count > 0;
    return used;
}

static void move_page(struct block_shard *shard, struct block_page *page, struct block_page *pages,
                      size_t mask, size_t *count)
{
    if (page->count > 0) {
        *find_page(pages, mask, page->number) = *page;
        ++*count;
    } else if (page->slots) {
        give_room(shard, page->slots, page->room);
    }
}

/*
 * Pages that became empty stay, as a program that gives back its last block of one soon asks for
 * another; they go when room is needed. Returns 0 or -ENOMEM.
 */
static int make_page_room(struct block_shard *shard)
{
    const size_t places = shard->pages ? shard->mask + 1 : 0;
    size_t wanted = FIRST_PAGES, count = 0;

    if (shard->count + 1 <= places / 2)
        return 0;
    while (wanted < 4 * count_used(shard))
        wanted *= 2;
    struct block_page *pages = own_memory_map(wanted * sizeof *pages);
    if (!pages)
        return -ENOMEM;
    for (size_t i = 0; i < places; i++) {
        if (shard->pages[i].number)
            move_page(shard, &shard->pages[i], pages, wanted - 1, &count);
    }
    own_memory_unmap(shard->pages, places * sizeof *shard->pages);
    shard->pages = pages;
    shard->mask = wanted - 1;
    shard->count = count;
    return 0;
}

/* The slot of a block that is there, and its page; NULL when it is not. */
static struct block_slot *look_up(const struct block_shard *shard, uintptr_t address,
                                  struct block_page **page)
{
    if (!shard->pages || address == 0)
        return NULL;
    *page = find_page(shard->pages, shard->mask, address >> PAGE_SHIFT);
    if ((*page)->number == 0)
        return NULL;
    struct block_slot *slot = find_slot(*page, address);
    return slot->place ? slot : NULL;
}

/* --- Blocks. --- */

static int put(struct block_shard *shard, const struct block_entry *entry)
{
    if (!shard->pages || shard->count + 1 > (shard->mask + 1) / 2) {
        int error = make_page_room(shard);
        if (error)
            return error;
    }
    struct block_page *page = find_page(shard->pages, shard->mask, entry->address >> PAGE_SHIFT);
    struct block_page wanted = *page;
    if (make_slot_room(shard, &wanted) != 0)
        return -ENOMEM;
    shard->count += wanted.number == 0;
    wanted.number = entry->address >> PAGE_SHIFT;
    *page = wanted;
    struct block_slot *slot = find_slot(page, entry->address);
    page->count = (uint16_t)(page->count + (slot->place == 0));
    *slot = (struct block_slot){.bytes = entry->bytes,
                                .stack = entry->stack,
                                .label = entry->label,
                                .place = (uint16_t)(SLOT_USED | (entry->address & PAGE_MASK) |
                                                    (unsigned)entry->domain << DOMAIN_SHIFT)};
    return 0;
}

static struct block_entry entry_of(const struct block_page *page, const struct block_slot *slot)
{
    return (struct block_entry){.address = page->number << PAGE_SHIFT | (slot->place & PAGE_MASK),
                                .bytes = slot->bytes,
                                .stack = slot->stack,
                                .label = slot->label,
                                .domain = (uint16_t)(slot->place >> DOMAIN_SHIFT)};
}

int block_table_put(struct block_table *table, const struct block_entry *entry)
{
    struct block_shard *shard = shard_of(table, entry->address);

    spin_lock_take(&shard->lock);
    int error = put(shard, entry);
    spin_lock_release(&shard->lock);
    return error;
}

int block_table_take(struct block_table *table, uintptr_t address, struct block_entry *entry)
{
    struct block_shard *shard = shard_of(table, address);
    struct block_page *page;

    spin_lock_take(&shard->lock);
    struct block_slot *slot = look_up(shard, address, &page);
    if (slot) {
        *entry = entry_of(page, slot);
        empty_slot(page, slot);
    }
    spin_lock_release(&shard->lock);
    return slot ? 0 : -ENOENT;
}

int block_table_relabel(struct block_table *table, uintptr_t address, block_label_change *change,
                        const void *argument)
{
    struct block_shard *shard = shard_of(table, address);
    struct block_page *page;

    spin_lock_take(&shard->lock);
    struct block_slot *slot = look_up(shard, address, &page);
    if (slot)
        slot->label = change(slot->label, argument);
    spin_lock_release(&shard->lock);
    return slot ? 0 : -ENOENT;
}

void block_table_lock_all(struct block_table *table)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++)
        spin_lock_take(&table->shards[i].lock);
}

void block_table_unlock_all(struct block_table *table)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++)
        spin_lock_release(&table->shards[i].lock);
}

static int each_of_page(const struct block_page *page, block_visitor *visit, void *argument)
{
    const size_t slots = page->count > 0 ? (size_t)1 << page->room : 0;

    for (size_t i = 0; i < slots; i++) {
        const struct block_entry entry = entry_of(page, &page->slots[i]);
        int stop = page->slots[i].place ? visit(&entry, argument) : 0;
        if (stop)
            return stop;
    }
    return 0;
}

int block_table_each(const struct block_table *table, block_visitor *visit, void *argument)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++) {
        const struct block_shard *shard = &table->shards[i];
        for (size_t at = 0; shard->pages && at <= shard->mask; at++) {
            int stop = each_of_page(&shard->pages[at], visit, argument);
            if (stop)
                return stop;
        }
    }
    return 0;
}

static void free_shard(struct block_shard *shard)
{
    while (shard->chunks) {
        struct block_chunk *before = shard->chunks->before;
        own_memory_unmap(shard->chunks, CHUNK_BYTES);
        shard->chunks = before;
    }
    own_memory_unmap(shard->pages, (shard->mask + 1) * sizeof *shard->pages);
    shard->pages = NULL;
    shard->mask = 0;
    shard->count = 0;
    shard->carved = NULL;
    shard->carved_end = NULL;
    memset(shard->free_rooms, 0, sizeof shard->free_rooms);
}

void block_table_free(struct block_table *table)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++)
        free_shard(&table->shards[i]);
}
