/*
 * Open addressing in shards: see block_table.h. Leaves out shrinking: a program that had so many
 * blocks may have them again.
 */
#include "harness/sites/block_table.h"

#include "harness/sites/own_memory.h"

#include <errno.h>

enum { FIRST_PLACES = 1024, SHARD_SHIFT = 58, PLACE_SHIFT = 24 };

/* Fibonacci hashing (Knuth, TAOCP 3, 6.4); malloc aligns to 16. */
static uint64_t hash(uintptr_t address)
{
    return (uint64_t)(address >> 4) * UINT64_C(0x9E3779B97F4A7C15);
}

static struct block_shard *shard_of(struct block_table *table, uint64_t hashed)
{
    return &table->shards[hashed >> SHARD_SHIFT];
}

static size_t home_of(uintptr_t address, size_t mask)
{
    return (size_t)(hash(address) >> PLACE_SHIFT) & mask;
}

/* Where the block is, or where it would be put. Visits one and a half places as a rule. */
static size_t find_place(const struct block_shard *shard, uintptr_t address)
{
    size_t at = home_of(address, shard->mask);

    while (shard->places[at].address != 0 && shard->places[at].address != address)
        at = (at + 1) & shard->mask;
    return at;
}

/* Room for one more with at least three eighths of the places free. Returns 0 or -ENOMEM. */
static int make_room(struct block_shard *shard)
{
    const size_t places = shard->places ? shard->mask + 1 : 0;
    struct block_shard grown = {.mask = places ? 2 * places - 1 : FIRST_PLACES - 1};

    if (shard->count + 1 <= places / 8 * 5)
        return 0;
    grown.places = own_memory_map((grown.mask + 1) * sizeof *grown.places);
    if (!grown.places)
        return -ENOMEM;
    for (size_t i = 0; i < places; i++) {
        if (shard->places[i].address)
            grown.places[find_place(&grown, shard->places[i].address)] = shard->places[i];
    }
    own_memory_unmap(shard->places, places * sizeof *shard->places);
    shard->places = grown.places;
    shard->mask = grown.mask;
    return 0;
}

int block_table_put(struct block_table *table, const struct block_entry *entry)
{
    struct block_shard *shard = shard_of(table, hash(entry->address));

    spin_lock_take(&shard->lock);
    int error = make_room(shard);
    if (!error) {
        size_t at = find_place(shard, entry->address);
        shard->count += shard->places[at].address == 0;
        shard->places[at] = *entry;
    }
    spin_lock_release(&shard->lock);
    return error;
}

/* Moves back whatever would not be found any more with `hole` empty. */
static void close_hole(struct block_shard *shard, size_t hole)
{
    for (size_t at = (hole + 1) & shard->mask; shard->places[at].address;
         at = (at + 1) & shard->mask) {
        size_t home = home_of(shard->places[at].address, shard->mask);
        /* It stays if its home lies cyclically in (hole, at]. */
        if (((at - home) & shard->mask) < ((at - hole) & shard->mask))
            continue;
        shard->places[hole] = shard->places[at];
        hole = at;
    }
    shard->places[hole] = (struct block_entry){0};
}

int block_table_take(struct block_table *table, uintptr_t address, struct block_entry *entry)
{
    struct block_shard *shard = shard_of(table, hash(address));
    int error = -ENOENT;

    if (address == 0)
        return error;
    spin_lock_take(&shard->lock);
    if (shard->places) {
        size_t at = find_place(shard, address);
        if (shard->places[at].address) {
            *entry = shard->places[at];
            close_hole(shard, at);
            shard->count--;
            error = 0;
        }
    }
    spin_lock_release(&shard->lock);
    return error;
}

int block_table_relabel(struct block_table *table, uintptr_t address, block_label_change *change,
                        const void *argument)
{
    struct block_shard *shard = shard_of(table, hash(address));
    int error = -ENOENT;

    if (address == 0)
        return error;
    spin_lock_take(&shard->lock);
    if (shard->places) {
        struct block_entry *entry = &shard->places[find_place(shard, address)];
        if (entry->address) {
            entry->label = change(entry->label, argument);
            error = 0;
        }
    }
    spin_lock_release(&shard->lock);
    return error;
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

int block_table_each(const struct block_table *table, block_visitor *visit, void *argument)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++) {
        const struct block_shard *shard = &table->shards[i];
        for (size_t at = 0; shard->places && at <= shard->mask; at++) {
            int stop = shard->places[at].address ? visit(&shard->places[at], argument) : 0;
            if (stop)
                return stop;
        }
    }
    return 0;
}

void block_table_free(struct block_table *table)
{
    for (size_t i = 0; i < BLOCK_SHARDS; i++) {
        struct block_shard *shard = &table->shards[i];
        own_memory_unmap(shard->places, (shard->mask + 1) * sizeof *shard->places);
        shard->places = NULL;
        shard->mask = 0;
        shard->count = 0;
    }
}
