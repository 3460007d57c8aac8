/*
 * A hash table of what is alive: see birth_table.h. Leaves out bounds of names: those of a trace
 * were held against its index (trace_index.h). Open addressing, at most half full; what is taken
 * out leaves no mark (Knuth, vol. 3, 6.4, algorithm R).
 */
#include "harness/trace/birth_table.h"

#include <stdlib.h>
#include <unistd.h>

enum { FIRST_ROOM = 1 << 10, ORDINAL_BITS = 40 };

struct entry {
    uint64_t key; /* 0: none */
    struct birth birth;
};

struct birth_table {
    struct entry *entries;
    size_t room, count, most; /* entries there may be: half of the machine's memory */
};

/* Never 0. */
static uint64_t key_of(const struct trace_block_name *name)
{
    return (uint64_t)(name->thread + 1) << ORDINAL_BITS |
           (name->ordinal & ((UINT64_C(1) << ORDINAL_BITS) - 1));
}

static size_t home_of(const struct birth_table *table, uint64_t key)
{
    return (size_t)((key * UINT64_C(0x9E3779B97F4A7C15)) >> 16) & (table->room - 1);
}

static struct entry *find(const struct birth_table *table, uint64_t key)
{
    size_t at = home_of(table, key);

    while (table->entries[at].key && table->entries[at].key != key)
        at = (at + 1) & (table->room - 1);
    return &table->entries[at];
}

struct birth_table *birth_table_make(void)
{
    struct birth_table *table = malloc(sizeof *table);
    const uint64_t memory_bytes =
        (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

    if (!table)
        return NULL;
    *table = (struct birth_table){.entries = calloc(FIRST_ROOM, sizeof(struct entry)),
                                  .room = FIRST_ROOM,
                                  .most = memory_bytes / 4 / sizeof(struct entry)};
    if (table->entries)
        return table;
    free(table);
    return NULL;
}

static int grow(struct birth_table *table)
{
    struct entry *before = table->entries;
    const size_t room = table->room;
    struct entry *larger = room < table->most ? calloc(2 * room, sizeof *larger) : NULL;

    if (!larger)
        return -1;
    table->entries = larger;
    table->room = 2 * room;
    for (size_t i = 0; i < room; i++)
        if (before[i].key)
            *find(table, before[i].key) = before[i];
    free(before);
    return 0;
}

struct birth *birth_table_at(struct birth_table *table, const struct trace_block_name *name)
{
    const uint64_t key = key_of(name);
    struct entry *entry = find(table, key);

    if (entry->key)
        return &entry->birth;
    if (2 * (table->count + 1) > table->room) {
        if (grow(table) != 0)
            return NULL;
        entry = find(table, key);
    }
    *entry = (struct entry){.key = key};
    table->count++;
    return &entry->birth;
}

struct birth *birth_table_find(struct birth_table *table, const struct trace_block_name *name)
{
    struct entry *entry = find(table, key_of(name));

    return entry->key ? &entry->birth : NULL;
}

void birth_table_done(struct birth_table *table, const struct trace_block_name *name)
{
    const size_t mask = table->room - 1;
    size_t hole = (size_t)(find(table, key_of(name)) - table->entries);

    if (!table->entries[hole].key)
        return;
    for (size_t at = (hole + 1) & mask; table->entries[at].key; at = (at + 1) & mask) {
        const size_t home = home_of(table, table->entries[at].key);
        if (((at - home) & mask) >= ((at - hole) & mask)) {
            table->entries[hole] = table->entries[at];
            hole = at;
        }
    }
    table->entries[hole].key = 0;
    table->count--;
}

void birth_table_each(const struct birth_table *table, birth_visit *visit, void *context)
{
    for (size_t i = 0; i < table->room; i++) {
        const struct entry *entry = &table->entries[i];
        const struct trace_block_name name = {(uint32_t)(entry->key >> ORDINAL_BITS) - 1,
                                              entry->key & ((UINT64_C(1) << ORDINAL_BITS) - 1)};
        if (entry->key)
            visit(context, &name, &entry->birth);
    }
}

void birth_table_free(struct birth_table *table)
{
    if (table)
        free(table->entries);
    free(table);
}
