/*
 * The live blocks of a process by their address: where each was asked for, how large it is and what
 * it is called. Leaves out stacks themselves, which are a number here (stack_tree.h). Blocks of one
 * page of addresses lie together, as a program asks for and gives back neighbours one after the
 * other: a table hashed block by block took five times as long on lists of ints, in cache misses.
 */
#ifndef TIDEMARK_HARNESS_SITES_BLOCK_TABLE_H
#define TIDEMARK_HARNESS_SITES_BLOCK_TABLE_H

#include "harness/sites/spin_lock.h"

#include <stddef.h>
#include <stdint.h>

enum { BLOCK_SHARDS = 64, BLOCK_DOMAINS = 8, BLOCK_ROOMS = 14 };

struct block_entry {
    uintptr_t address; /* not 0 */
    uint64_t bytes;    /* as asked for */
    uint32_t stack;
    uint16_t label;
    uint16_t domain; /* below BLOCK_DOMAINS */
};

struct block_page;
struct block_room;
struct block_chunk;

struct block_shard {
    _Alignas(64) struct spin_lock lock;
    struct block_page *pages; /* room for mask + 1, or NULL */
    size_t mask;
    size_t count; /* of pages, the empty ones included */
    struct block_room
        *free_rooms[BLOCK_ROOMS]; /* rooms for slots, by the logarithm of their size */
    char *carved, *carved_end;    /* what new rooms are cut from */
    struct block_chunk *chunks;   /* all that was mapped for rooms */
};

/* All zeros is an empty table. */
struct block_table {
    struct block_shard shards[BLOCK_SHARDS];
};

/* Each of these is thread-safe and takes one shard's lock. */

/* Enters a block; one that is there at the same address is replaced. Returns 0, or -ENOMEM with the
 * table as it was. */
int block_table_put(struct block_table *table, const struct block_entry *entry);

/* Takes the block at `address` out, into `entry`. Returns 0, or -ENOENT with `entry` untouched. */
int block_table_take(struct block_table *table, uintptr_t address, struct block_entry *entry);

/* Gives the block at `address` the label `change(label, argument)`. Returns 0 or -ENOENT. */
typedef uint16_t block_label_change(uint16_t label, const void *argument);
int block_table_relabel(struct block_table *table, uintptr_t address, block_label_change *change,
                        const void *argument);

/* Stops all others, and lets them go on: the table is one state in between. */
void block_table_lock_all(struct block_table *table);
void block_table_unlock_all(struct block_table *table);

/* Calls `visit` for each block until it returns other than 0, and returns that. All are locked. */
typedef int block_visitor(const struct block_entry *entry, void *argument);
int block_table_each(const struct block_table *table, block_visitor *visit, void *argument);

/* Gives all memory back; the table is empty then. */
void block_table_free(struct block_table *table);

#endif
