/*
 * A pymalloc for tests, over a raw allocator that counts and on arenas whose place the test
 * chooses. Leaves out any expectation; closing checks that nothing is left. Brings cmocka with it.
 * Each test program that includes this has one heap of its own.
 */
#ifndef TIDEMARK_TESTS_PYMALLOC_FIXTURE_H
#define TIDEMARK_TESTS_PYMALLOC_FIXTURE_H

#include "allocators/allocator.h"
#include "allocators/pymalloc/arena.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"
#include "tests/counting_allocator.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

extern const struct allocator PYMALLOC_NAME(allocator_pymalloc);
#define allocator_pymalloc PYMALLOC_NAME(allocator_pymalloc)

static struct allocator_ops heap;

enum {
    LARGEST = SMALL_REQUEST_MAX,
    KEPT_ARENAS = PYMALLOC_KEEPS_LAST_ARENA, /* once every block is free */
};

/* --- Arenas that are aligned, or off by `skew` bytes. --- */

static struct {
    size_t skew;
    size_t mapped, unmapped;
    bool fail;
} source_log;

static inline void *map_arena(void *context, size_t bytes)
{
    (void)context;
    assert_int_equal(bytes, ARENA_BYTES);
    if (source_log.fail)
        return NULL;
    char *base = aligned_alloc(ARENA_BYTES, (size_t)2 * ARENA_BYTES);
    assert_non_null(base);
    memset(base, 0xa5, (size_t)2 * ARENA_BYTES); /* nothing may rely on zeroed arenas */
    source_log.mapped++;
    return base + source_log.skew;
}

static inline void unmap_arena(void *context, void *base, size_t bytes)
{
    (void)context;
    assert_int_equal(bytes, ARENA_BYTES);
    source_log.unmapped++;
    free((void *)((uintptr_t)base & ~(uintptr_t)(ARENA_BYTES - 1)));
}

static const struct pymalloc_arena_source source = {.map = map_arena, .unmap = unmap_arena};

static inline int open_heap_skewed_by(size_t skew)
{
    char reason[ALLOCATOR_TEXT_BYTES];

    memset(&raw_log, 0, sizeof(raw_log));
    memset(&source_log, 0, sizeof(source_log));
    source_log.skew = skew;
    if (allocator_pymalloc.open(&allocator_pymalloc, &heap, &raw, reason) != 0)
        return -1;
    pymalloc_set_arena_source(&source);
    return 0;
}

static inline int open_heap(void **state)
{
    (void)state;
    return open_heap_skewed_by(0);
}

/* Not on a pool's boundary, and with pools on both sides of a slot's boundary in the address map.
 */
static inline int open_skewed_heap(void **state)
{
    (void)state;
    return open_heap_skewed_by(ARENA_BYTES / 2 + POOL_BYTES / 4);
}

/* Nothing may be left: no arena, and no table in the raw allocator. Raw blocks the tests free
 * themselves. */
static inline int close_heap(void **state)
{
    (void)state;
    raw_log.fail = false;
    pymalloc_set_arena_source(NULL);
    return source_log.mapped == source_log.unmapped && raw_log.live == 0 ? 0 : -1;
}

/* --- Helpers. --- */

static inline char *pool_at(const void *block)
{
    return (char *)((uintptr_t)block & ~(uintptr_t)(POOL_BYTES - 1));
}

static inline char *arena_at(const void *block)
{
    return (char *)((uintptr_t)block & ~(uintptr_t)(ARENA_BYTES - 1));
}

static inline struct pymalloc_statistics statistics(void)
{
    struct pymalloc_statistics now;
    pymalloc_count(&now);
    return now;
}

static inline void take(void **blocks, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap.malloc(size);
        assert_non_null(blocks[i]);
    }
}

static inline void give(void **blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        heap.free(blocks[i]);
}

/* An arena of full pools, in the order they were handed out; arena_give_pools frees whole pools of
 * it. */
enum { LARGEST_PER_POOL = (POOL_BYTES - POOL_HEADER_BYTES) / LARGEST };
struct full_arena {
    void *blocks[POOLS_PER_ARENA][LARGEST_PER_POOL];
};

static inline struct full_arena *take_arena(void)
{
    struct full_arena *arena = malloc(sizeof(*arena));
    assert_non_null(arena);
    take(&arena->blocks[0][0], (size_t)POOLS_PER_ARENA * LARGEST_PER_POOL, LARGEST);
    return arena;
}

static inline void give_pools(struct full_arena *arena, size_t first, size_t count)
{
    give(&arena->blocks[first][0], count * LARGEST_PER_POOL);
}

#define HEAP_TEST(test)   cmocka_unit_test_setup_teardown(test, open_heap, close_heap)
#define SKEWED_TEST(test) cmocka_unit_test_setup_teardown(test, open_skewed_heap, close_heap)

#endif
