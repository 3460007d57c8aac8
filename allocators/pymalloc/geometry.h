/*
 * The sizes that make CPython's small-object allocator what it is: block, pool, arena, and the
 * counts that follow from them. Leaves out every rule; a rule that needs a number takes it from
 * here, so that a profile of another version is a recompile. From CPython 3.11, Objects/obmalloc.c.
 * Versions 2.7 to 3.9 have 4 KiB pools in 256 KiB arenas: build all of pymalloc/ with
 * -DPYMALLOC_POOL_BITS=12 -DPYMALLOC_ARENA_BITS=18.
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_GEOMETRY_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_GEOMETRY_H

#include <assert.h>

/* Macros, for once, because a compiler's command line has to reach them. */
#ifndef PYMALLOC_POOL_BITS
#define PYMALLOC_POOL_BITS 14
#endif
#ifndef PYMALLOC_ARENA_BITS
#define PYMALLOC_ARENA_BITS 20
#endif

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
