/*
 * pymalloc: CPython's allocator for small objects, written anew from its rules; the rows
 * `pymalloc-2.7` to `pymalloc-3.11` of the tables, one for each profile of geometry.h, and
 * `pymalloc`, which is that of the workload's profile. Here: what others may use beyond the
 * contract, its statistics and a hook for tests. Leaves out threads (CPython relies on its global
 * lock; `pymalloc-locked` has one of its own, lock.h), purge and usable_size (CPython has neither).
 * From Vladimir Marangozov's design of 2000 as it stands in CPython 3.11, Objects/obmalloc.c.
 *
 * The design, from the outside in:
 *
 *     arena   1 MiB from mmap       all that ever goes back to the operating system, and only whole
 *     pool    16 KiB of an arena    of one size class while a block is in use, free for any after
 *     block   16, 32 ... 512 bytes  a free one links the next free one of its pool
 *
 * Whatever is larger than 512 bytes, or of size 0, goes to the general allocator beneath (`raw`),
 * and so do the allocator's own tables. Three lists carry the whole policy:
 *
 *   1. Each size class has a list of its pools that are partly used. malloc takes from the first;
 *      a pool that runs full leaves the list, a full pool that gets a block back goes to the front.
 *   2. Each arena has a list of its pools that are wholly free, last freed first.
 *   3. All arenas with a free pool are sorted, the fullest first; new pools come from the first.
 *      The emptiest thus get the time to become empty; then they are unmapped, but for the last
 *      of the list, so that a program on the edge of an arena does not map and unmap forever.
 *
 * Where to read: geometry.h has the numbers, pymalloc.c rule 1, arena.c rules 2 and 3, lock.h
 * threads, address_map.h how free tells its own blocks from raw ones.
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_PYMALLOC_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_PYMALLOC_H

#include "allocators/pymalloc/geometry.h"

#include <stddef.h>

/* The pools in use of one size class, by number of blocks or pools. */
struct pymalloc_class_statistics {
    size_t pools;            /* with at least one block in use */
    size_t blocks_in_use;    /* in those pools */
    size_t blocks_available; /* in those pools */
};

/* What sys._debugmallocstats() of CPython 3.11 prints, counted the same way. */
struct pymalloc_statistics {
    size_t arenas_allocated; /* ever mapped */
    size_t arenas_reclaimed; /* of those, unmapped again */
    size_t arenas_highwater; /* most at one time */
    size_t arenas_current;   /* allocated - reclaimed */
    size_t pools_unused;     /* wholly free, those not yet carved included */
    size_t
        allocated_bytes; /* blocks in use, by the size of their class, not by what was asked for */
    size_t available_bytes;    /* free blocks of pools in use */
    size_t header_bytes;       /* of pools in use */
    size_t quantization_bytes; /* behind the last block of pools in use */
    size_t alignment_bytes;    /* one pool per arena whose base is not pool-aligned */
    size_t map_mid_nodes;      /* of the address map, from the raw allocator */
    size_t map_bottom_nodes;
    struct pymalloc_class_statistics classes[SIZE_CLASSES];
};

#define pymalloc_block_bytes      PYMALLOC_NAME(pymalloc_block_bytes)
#define pymalloc_count            PYMALLOC_NAME(pymalloc_count)
#define pymalloc_set_arena_source PYMALLOC_NAME(pymalloc_set_arena_source)

/*
 * Fills `statistics` for the heap as it stands. Never fails. Not thread-safe. Reads the header of
 * every pool ever carved in a current arena, so it costs one cache miss per pool: for the end of a
 * phase, not for a loop.
 */
void pymalloc_count(struct pymalloc_statistics *statistics);

/*
 * The bytes that may be used at `block`, if it is one of a pool; 0 if it is the raw allocator's,
 * and for NULL. As thread-safe as the row.
 */
size_t pymalloc_block_bytes(const void *block);

/* Where arenas come from. Both functions get `context` and `bytes`, which is always ARENA_BYTES. */
struct pymalloc_arena_source {
    /* `bytes` of memory to read and write, aligned to 16 or more; NULL when there is none. */
    void *(*map)(void *context, size_t bytes);
    /* Takes back what `map` gave. */
    void (*unmap)(void *context, void *base, size_t bytes);
    void *context;
};

/*
 * For tests: ends the heap (every arena is unmapped and every table freed, so blocks still held are
 * gone; raw blocks are not) and starts an empty one whose arenas come from `source`, NULL for mmap.
 * Call it after open. The source is copied. The counters of pymalloc_count start again from 0.
 * Not thread-safe.
 */
void pymalloc_set_arena_source(const struct pymalloc_arena_source *source);

#endif
