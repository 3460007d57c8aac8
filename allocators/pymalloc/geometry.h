/*
 * What differs between the CPythons whose small-object allocator this is: the sizes of pool and
 * arena, and which of the rules a version has. Leaves out the rules themselves; whatever needs a
 * number or a choice takes it from here. All of pymalloc/ is compiled once per profile
 * (tidemark_pymalloc in CMakeLists.txt), so nothing here costs anything at run time. From
 * Objects/obmalloc.c of CPython 2.7.18, 3.8, 3.9 and 3.11:
 *
 *     profile   pool      arena      order of arenas     own addresses    last empty arena
 *     2.7       4 KiB     256 KiB    linear search       arena index      unmapped
 *     3.8       4 KiB     256 KiB    by count, O(1)      arena index      unmapped
 *     3.9       4 KiB     256 KiB    by count, O(1)      arena index      kept
 *     3.11      16 KiB    1 MiB      by count, O(1)      radix tree       kept
 *
 * 3.6 and 3.7 are as 2.7, 3.10 and 3.12 to 3.14 as 3.11, but that 3.10 has smaller nodes in its
 * tree (10, 10 and 8 bits of 48, not 15, 15 and 14 of 64).
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_GEOMETRY_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_GEOMETRY_H

#include <assert.h>

/* Macros, for once, because a compiler's command line has to reach them. */
#ifndef PYMALLOC_MAJOR
#define PYMALLOC_MAJOR 3
#define PYMALLOC_MINOR 11
#endif
#define PYMALLOC_VERSION (PYMALLOC_MAJOR * 100 + PYMALLOC_MINOR)

/* 3.10, bpo-37448 and bpo-43593: larger pools and arenas, and a radix tree in place of the index.
 */
#define PYMALLOC_HAS_ADDRESS_MAP (PYMALLOC_VERSION >= 310)
#define PYMALLOC_POOL_BITS       (PYMALLOC_HAS_ADDRESS_MAP ? 14 : 12)
#define PYMALLOC_ARENA_BITS      (PYMALLOC_HAS_ADDRESS_MAP ? 20 : 18)
/* 3.8, bpo-37029: the last arena of each count is known (nfp2lasta). */
#define PYMALLOC_KNOWS_LAST (PYMALLOC_VERSION >= 308)
/* 3.9, bpo-37257: an empty arena that is the last in the list stays. */
#define PYMALLOC_KEEPS_LAST_ARENA (PYMALLOC_VERSION >= 309)

/* Whether any thread may call (lock.h). Not CPython's: it has its global lock. */
#ifndef PYMALLOC_LOCKED
#define PYMALLOC_LOCKED 0
#endif

/* Names with external linkage are those of their profile, arenas_open_3_11 or arenas_open_locked:
 * all profiles live in one program. */
#define PYMALLOC_PASTE(name, major, minor)  name##_##major##_##minor
#define PYMALLOC_EXPAND(name, major, minor) PYMALLOC_PASTE(name, major, minor)
#if PYMALLOC_LOCKED
#define PYMALLOC_NAME(name) name##_locked
#else
#define PYMALLOC_NAME(name) PYMALLOC_EXPAND(name, PYMALLOC_MAJOR, PYMALLOC_MINOR)
#endif

#define PYMALLOC_STRING_OF(text) #text
#define PYMALLOC_STRING(text)    PYMALLOC_STRING_OF(text)
/* "3.11" */
#define PYMALLOC_PROFILE PYMALLOC_STRING(PYMALLOC_MAJOR) "." PYMALLOC_STRING(PYMALLOC_MINOR)

enum {
    BLOCK_ALIGNMENT = 16,
    SMALL_REQUEST_MAX = 512, /* bytes; a larger request goes to the raw allocator */
    SIZE_CLASSES = SMALL_REQUEST_MAX / BLOCK_ALIGNMENT,

    POOL_BYTES = 1 << PYMALLOC_POOL_BITS,
    POOL_HEADER_BYTES = 48,

    ARENA_BYTES = 1 << PYMALLOC_ARENA_BITS,
    POOLS_PER_ARENA =
        ARENA_BYTES / POOL_BYTES, /* one fewer when the base is not aligned to a pool */

    ARENA_VECTOR_START = 16, /* arena records at first; the vector doubles from there */
};

static_assert(POOL_HEADER_BYTES % BLOCK_ALIGNMENT == 0, "block 0 is aligned like the others");
static_assert(POOL_HEADER_BYTES + 2 * SMALL_REQUEST_MAX <= POOL_BYTES,
              "a new pool sets up two blocks at once, so every class needs two");

/* Class c serves requests of 16c+1 to 16c+16 bytes with blocks of 16c+16. */
static inline unsigned size_class_block_bytes(unsigned size_class)
{
    return (size_class + 1) * BLOCK_ALIGNMENT;
}

/* Blocks that one pool of the class holds; what is left behind them is the quantization loss. */
static inline unsigned size_class_blocks_per_pool(unsigned size_class)
{
    return (POOL_BYTES - POOL_HEADER_BYTES) / size_class_block_bytes(size_class);
}

#endif
