/*
 * The rules of pymalloc, one promise per test, on arenas whose addresses the test chooses and over
 * a raw allocator that counts. Leaves out the comparison with the real one, address for address
 * (pymalloc_oracle_test.c). Expected numbers are CPython's own: sys._debugmallocstats() of 3.9
 * and 3.11, collected in the ground truth.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"
#include "allocators/pymalloc/address_map.h"
#include "allocators/pymalloc/arena.h"
#include "allocators/pymalloc/geometry.h"
#include "allocators/pymalloc/pymalloc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

extern const struct allocator allocator_pymalloc;

static struct allocator_ops heap;

enum { PAGE_BYTES = 4096, LARGEST = SMALL_REQUEST_MAX };

/* --- A raw allocator that counts, and fails on demand. --- */

static struct {
    size_t mallocs, callocs, reallocs, frees;
    size_t last_bytes;    /* of the last malloc, calloc or realloc */
    size_t realloc_bytes; /* of the last realloc */
    long live;
    bool fail;
    bool fail_calloc; /* this one alone */
} raw_log;

static void *raw_malloc(size_t size)
{
    raw_log.mallocs++;
    raw_log.last_bytes = size;
    void *block = raw_log.fail ? NULL : malloc(size);
    raw_log.live += block != NULL;
    return block;
}

static void *raw_calloc(size_t count, size_t size)
{
    raw_log.callocs++;
    raw_log.last_bytes = count * size;
    void *block = raw_log.fail || raw_log.fail_calloc ? NULL : calloc(count, size);
    raw_log.live += block != NULL;
    return block;
}

static void *raw_realloc(void *old, size_t size)
{
    raw_log.reallocs++;
    raw_log.last_bytes = size;
    raw_log.realloc_bytes = size;
    void *block = raw_log.fail ? NULL : realloc(old, size);
    raw_log.live += old == NULL && block != NULL;
    return block;
}

static void raw_free(void *block)
{
    raw_log.frees++;
    raw_log.live -= block != NULL;
    free(block);
}

static const struct allocator_ops raw = {
    .malloc = raw_malloc, .calloc = raw_calloc, .realloc = raw_realloc, .free = raw_free};

/* --- Arenas that are aligned, or off by `skew` bytes. --- */

static struct {
    size_t skew;
    size_t mapped, unmapped;
    bool fail;
} source_log;

static void *map_arena(void *context, size_t bytes)
{
    (void)context;
    assert_int_equal(bytes, ARENA_BYTES);
    if (source_log.fail)
        return NULL;
    char *base = aligned_alloc(ARENA_BYTES, 2 * ARENA_BYTES);
    assert_non_null(base);
    memset(base, 0xa5, 2 * ARENA_BYTES); /* nothing may rely on zeroed arenas */
    source_log.mapped++;
    return base + source_log.skew;
}

static void unmap_arena(void *context, void *base, size_t bytes)
{
    (void)context;
    assert_int_equal(bytes, ARENA_BYTES);
    source_log.unmapped++;
    free((void *)((uintptr_t)base & ~(uintptr_t)(ARENA_BYTES - 1)));
}

static const struct pymalloc_arena_source source = {.map = map_arena, .unmap = unmap_arena};

static int open_heap_skewed_by(size_t skew)
{
    char reason[ALLOCATOR_TEXT_BYTES];

    memset(&raw_log, 0, sizeof(raw_log));
    memset(&source_log, 0, sizeof(source_log));
    source_log.skew = skew;
    if (allocator_pymalloc.open(&heap, &raw, reason) != 0)
        return -1;
    pymalloc_set_arena_source(&source);
    return 0;
}

static int open_heap(void **state)
{
    (void)state;
    return open_heap_skewed_by(0);
}

/* Not on a pool's boundary, and with pools on both sides of a slot's boundary in the address map.
 */
static int open_skewed_heap(void **state)
{
    (void)state;
    return open_heap_skewed_by(ARENA_BYTES / 2 + POOL_BYTES / 4);
}

/* Nothing may be left: no arena, and no table in the raw allocator. Raw blocks the tests free
 * themselves. */
static int close_heap(void **state)
{
    (void)state;
    raw_log.fail = false;
    pymalloc_set_arena_source(NULL);
    return source_log.mapped == source_log.unmapped && raw_log.live == 0 ? 0 : -1;
}

/* --- Helpers. --- */

static char *pool_at(const void *block)
{
    return (char *)((uintptr_t)block & ~(uintptr_t)(POOL_BYTES - 1));
}

static char *arena_at(const void *block)
{
    return (char *)((uintptr_t)block & ~(uintptr_t)(ARENA_BYTES - 1));
}

static struct pymalloc_statistics statistics(void)
{
    struct pymalloc_statistics now;
    pymalloc_statistics(&now);
    return now;
}

static void take(void **blocks, size_t count, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = heap.malloc(size);
        assert_non_null(blocks[i]);
    }
}

static void give(void **blocks, size_t count)
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

static struct full_arena *take_arena(void)
{
    struct full_arena *arena = malloc(sizeof(*arena));
    assert_non_null(arena);
    take(&arena->blocks[0][0], (size_t)POOLS_PER_ARENA * LARGEST_PER_POOL, LARGEST);
    return arena;
}

static void give_pools(struct full_arena *arena, size_t first, size_t count)
{
    give(&arena->blocks[first][0], count * LARGEST_PER_POOL);
}

/* --- Geometry. --- */

static void each_class_has_as_many_blocks_per_pool_as_cpython(void **state)
{
    (void)state;
    static const unsigned of_4_kib[SIZE_CLASSES] = {253, 126, 84, 63, 50, 42, 36, 31, 28, 25, 23,
                                                    21,  19,  18, 16, 15, 14, 14, 13, 12, 12, 11,
                                                    11,  10,  10, 9,  9,  9,  8,  8,  8,  7};
    static const unsigned of_16_kib[SIZE_CLASSES] = {
        1021, 510, 340, 255, 204, 170, 145, 127, 113, 102, 92, 85, 78, 72, 68, 63,
        60,   56,  53,  51,  48,  46,  44,  42,  40,  39,  37, 36, 35, 34, 32, 31};
    const unsigned *expected = POOL_BYTES == 4096 ? of_4_kib : of_16_kib;

    for (unsigned c = 0; c < SIZE_CLASSES; c++) {
        void *blocks[1024] = {NULL};
        take(blocks, expected[c] + 1, (c + 1) * 16);
        for (unsigned i = 1; i < expected[c]; i++)
            assert_ptr_equal(pool_at(blocks[i]), pool_at(blocks[0]));
        assert_ptr_not_equal(pool_at(blocks[expected[c]]), pool_at(blocks[0]));
        give(blocks, expected[c] + 1);
    }
}

static void every_size_up_to_512_gets_the_next_multiple_of_16(void **state)
{
    (void)state;
    for (size_t size = 1; size <= LARGEST; size++) {
        void *block = heap.malloc(size);
        size_t class_index = (size - 1) / 16;
        assert_int_equal(statistics().classes[class_index].blocks_in_use, 1);
        assert_int_equal((uintptr_t)block % 16, 0);
        heap.free(block);
    }
}

/* 100,001 live blocks of 64 bytes: the fixture that every version of CPython was asked for its
 * statistics of. */
static void the_closed_fixture_has_cpythons_statistics(void **state)
{
    (void)state;
    enum { COUNT = 100001 };
    bool old = POOL_BYTES == 4096;
    void **blocks = malloc(COUNT * sizeof(*blocks));
    assert_non_null(blocks);
    take(blocks, COUNT, 64);

    struct pymalloc_statistics now = statistics();
    assert_int_equal(now.arenas_allocated, old ? 25 : 7);
    assert_int_equal(now.arenas_current, old ? 25 : 7);
    assert_int_equal(now.arenas_highwater, old ? 25 : 7);
    assert_int_equal(now.arenas_reclaimed, 0);
    assert_int_equal(now.allocated_bytes, 6400064);
    assert_int_equal(now.available_bytes, old ? 2752 : 13696);
    assert_int_equal(now.pools_unused, old ? 12 : 55);
    assert_int_equal(now.header_bytes, old ? 76224 : 18864);
    assert_int_equal(now.quantization_bytes, old ? 25408 : 6288);
    assert_int_equal(now.alignment_bytes, 0);
    assert_int_equal(now.classes[3].blocks_in_use, COUNT);
    assert_int_equal(now.classes[3].pools, old ? 1588 : 393);

    give(blocks, COUNT);
    free(blocks);
    now = statistics();
    assert_int_equal(now.allocated_bytes, 0);
    assert_int_equal(now.arenas_current, 1);
    assert_int_equal(now.arenas_reclaimed, old ? 24 : 6);
    assert_int_equal(now.pools_unused, POOLS_PER_ARENA);
}

static void an_unaligned_base_loses_one_pool(void **state)
{
    (void)state;
    void *block = heap.malloc(LARGEST);
    struct pymalloc_statistics now = statistics();

    assert_int_equal(now.pools_unused, POOLS_PER_ARENA - 2);
    assert_int_equal(now.alignment_bytes, POOL_BYTES);
    assert_ptr_equal(pool_at(block), arena_at(block) + ARENA_BYTES / 2 + POOL_BYTES);
    heap.free(block);

    enum { ALL = (POOLS_PER_ARENA - 1) * LARGEST_PER_POOL };
    void **blocks = malloc(ALL * sizeof(*blocks));
    assert_non_null(blocks);
    take(blocks, ALL, LARGEST);
    assert_int_equal(source_log.mapped, 1);
    block = heap.malloc(LARGEST);
    assert_int_equal(source_log.mapped, 2);
    heap.free(block);
    give(blocks, ALL);
    free(blocks);
}

/* --- Pools. --- */

static void a_new_pool_hands_out_its_blocks_in_order(void **state)
{
    (void)state;
    void *blocks[LARGEST_PER_POOL];
    take(blocks, LARGEST_PER_POOL, LARGEST);
    for (size_t i = 0; i < LARGEST_PER_POOL; i++)
        assert_ptr_equal(blocks[i], pool_at(blocks[0]) + POOL_HEADER_BYTES + i * LARGEST);
    give(blocks, LARGEST_PER_POOL);
}

static void the_last_freed_block_is_the_next_handed_out(void **state)
{
    (void)state;
    void *blocks[5];
    take(blocks, 5, 48);
    heap.free(blocks[1]);
    heap.free(blocks[3]);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[3]);
    assert_ptr_equal(heap.malloc(48), blocks[1]);
    give(blocks, 5);
}

/* Block 1 was linked when the pool began; after it come the carved ones, one at a time, only once
 * the free list is empty. */
static void freed_blocks_come_before_uncarved_ones(void **state)
{
    (void)state;
    void *blocks[4];
    take(blocks, 2, 48);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(48), blocks[0]);
    take(&blocks[2], 2, 48);
    assert_ptr_equal(blocks[2], (char *)blocks[1] + 48);
    assert_ptr_equal(blocks[3], (char *)blocks[2] + 48);
    give(blocks, 4);
}

static void a_full_pool_that_gets_a_block_back_serves_next(void **state)
{
    (void)state;
    void *blocks[3 * LARGEST_PER_POOL - 1];
    take(blocks, 3 * LARGEST_PER_POOL - 1, LARGEST);
    /* Pools 0 and 1 are full, 2 has one block left. */
    heap.free(blocks[LARGEST_PER_POOL]);
    heap.free(blocks[0]);
    assert_ptr_equal(heap.malloc(LARGEST), blocks[0]);
    assert_ptr_equal(heap.malloc(LARGEST), blocks[LARGEST_PER_POOL]);
    void *last = heap.malloc(LARGEST);
    assert_ptr_equal(pool_at(last), pool_at(blocks[2 * LARGEST_PER_POOL]));
    heap.free(last);
    give(blocks, 3 * LARGEST_PER_POOL - 1);
}

static void an_empty_pool_serves_any_class_the_last_emptied_first(void **state)
{
    (void)state;
    void *small = heap.malloc(16);
    void *middle = heap.malloc(128);
    void *large = heap.malloc(256);
    heap.free(small);
    heap.free(large);
    void *first = heap.malloc(512);
    void *second = heap.malloc(480);
    assert_ptr_equal(first, large);
    assert_ptr_equal(second, small);
    assert_ptr_equal(second, pool_at(small) + POOL_HEADER_BYTES);
    heap.free(middle);
    heap.free(first);
    heap.free(second);
}

static void a_pool_reused_by_its_class_keeps_its_free_list(void **state)
{
    (void)state;
    void *blocks[4];
    take(blocks, 4, 160);
    heap.free(blocks[0]);
    heap.free(blocks[2]);
    heap.free(blocks[1]);
    heap.free(blocks[3]); /* the pool is empty now */
    assert_ptr_equal(heap.malloc(160), blocks[3]);
    assert_ptr_equal(heap.malloc(160), blocks[1]);
    assert_ptr_equal(heap.malloc(160), blocks[2]);
    assert_ptr_equal(heap.malloc(160), blocks[0]);
    give(blocks, 4);
}

static void a_pool_reused_by_another_class_starts_anew(void **state)
{
    (void)state;
    void *blocks[3];
    take(blocks, 3, 160);
    give(blocks, 3);
    void *other[3];
    take(other, 3, 320);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(other[i], pool_at(blocks[0]) + POOL_HEADER_BYTES + i * 320);
    give(other, 3);
}

/* --- Arenas. --- */

static void the_last_empty_arena_is_kept(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *block = heap.malloc(64);
        heap.free(block);
    }
    assert_int_equal(source_log.mapped, 1);
    assert_int_equal(source_log.unmapped, 0);
    assert_int_equal(statistics().arenas_current, 1);
}

/* The second has one pool in use, so the first, before it in the list, is emptier only at last. */
static void an_empty_arena_is_unmapped_when_another_follows(void **state)
{
    (void)state;
    struct full_arena *first = take_arena();
    void *in_second = heap.malloc(LARGEST);
    assert_int_equal(source_log.mapped, 2);

    give_pools(first, 0, POOLS_PER_ARENA - 1);
    assert_int_equal(source_log.unmapped, 0);
    give_pools(first, POOLS_PER_ARENA - 1, 1);
    assert_int_equal(source_log.unmapped, 1);
    assert_int_equal(statistics().arenas_reclaimed, 1);
    assert_int_equal(statistics().arenas_current, 1);
    heap.free(in_second);
    assert_int_equal(source_log.unmapped, 1);
    free(first);
}

/* The second has two pools in use, so the first passes it on the way and is the last when empty. */
static void an_empty_arena_behind_a_fuller_one_is_kept(void **state)
{
    (void)state;
    struct full_arena *first = take_arena();
    void *large = heap.malloc(LARGEST);
    void *small = heap.malloc(16);

    give_pools(first, 0, POOLS_PER_ARENA);
    assert_int_equal(source_log.unmapped, 0);
    assert_int_equal(statistics().arenas_current, 2);
    heap.free(large);
    heap.free(small); /* now the second is empty, with the first behind it */
    assert_int_equal(source_log.unmapped, 1);
    void *block = heap.malloc(LARGEST);
    assert_ptr_equal(arena_at(block), arena_at(first->blocks[0][0]));
    heap.free(block);
    free(first);
}

/* Counts of free pools 3, 1 and 2 become the order 1, 2, 3. */
static void pools_come_from_the_fullest_arena(void **state)
{
    (void)state;
    struct full_arena *arenas[3] = {take_arena(), take_arena(), take_arena()};
    void *in_fourth = heap.malloc(LARGEST);
    static const size_t free_pools[3] = {3, 1, 2};
    static const int expected[] = {1, 2, 2, 0, 0, 0};

    for (size_t i = 0; i < 3; i++)
        give_pools(arenas[i], 0, free_pools[i]);
    void *blocks[6][LARGEST_PER_POOL];
    void *rest[LARGEST_PER_POOL - 1];
    take(rest, LARGEST_PER_POOL - 1, LARGEST); /* fills the pool of in_fourth */
    for (size_t i = 0; i < 6; i++) {
        take(blocks[i], LARGEST_PER_POOL, LARGEST);
        assert_ptr_equal(arena_at(blocks[i][0]), arena_at(arenas[expected[i]]->blocks[5][0]));
    }
    void *next = heap.malloc(LARGEST);
    assert_ptr_equal(arena_at(next), arena_at(in_fourth));

    heap.free(next);
    heap.free(in_fourth);
    give(rest, LARGEST_PER_POOL - 1);
    for (size_t i = 0; i < 3; i++)
        give_pools(arenas[i], free_pools[i], POOLS_PER_ARENA - free_pools[i]);
    give(&blocks[0][0], 6 * LARGEST_PER_POOL);
    for (size_t i = 0; i < 3; i++)
        free(arenas[i]);
}

/* Among arenas with as many free pools, the one that got there last comes first. */
static void an_arena_goes_before_those_with_as_many_free_pools(void **state)
{
    (void)state;
    struct full_arena *arenas[3] = {take_arena(), take_arena(), take_arena()};
    static const int given[] = {0, 0, 1, 2, 2, 1};
    size_t pools_given[3] = {0};

    for (size_t i = 0; i < 6; i++) {
        give_pools(arenas[given[i]], pools_given[given[i]]++, 1);
        /* 0: 0 has 1 | 1: 0 has 2 | 2: 1 | 3: 2 before 1, both 1 | 4: 2 moves behind 1, before 0 |
         * 5: 1 stays before 2. */
    }
    void *block = heap.malloc(LARGEST);
    assert_ptr_equal(arena_at(block), arena_at(arenas[1]->blocks[0][0]));
    heap.free(block); /* 1 has two again and stays the first */
    void *blocks[2 * LARGEST_PER_POOL + 1];
    take(blocks, 2 * LARGEST_PER_POOL + 1, LARGEST);
    assert_ptr_equal(arena_at(blocks[2 * LARGEST_PER_POOL]), arena_at(arenas[2]->blocks[0][0]));

    give(blocks, 2 * LARGEST_PER_POOL + 1);
    for (size_t i = 0; i < 3; i++) {
        give_pools(arenas[i], 2, POOLS_PER_ARENA - 2);
        free(arenas[i]);
    }
}

static void an_arena_that_was_full_goes_to_the_head(void **state)
{
    (void)state;
    struct full_arena *arenas[2] = {take_arena(), take_arena()};

    give_pools(arenas[0], 0, 1);
    give_pools(arenas[1], 0, 1);
    void *block = heap.malloc(LARGEST);
    assert_ptr_equal(arena_at(block), arena_at(arenas[1]->blocks[0][0]));
    heap.free(block);
    for (size_t i = 0; i < 2; i++) {
        give_pools(arenas[i], 1, POOLS_PER_ARENA - 1);
        free(arenas[i]);
    }
}

static void the_arena_vector_starts_at_16_and_doubles(void **state)
{
    (void)state;
    struct full_arena *arenas[17];
    for (size_t i = 0; i < 16; i++)
        arenas[i] = take_arena();
    assert_int_equal(raw_log.reallocs, 1);
    assert_int_equal(raw_log.realloc_bytes, 16 * 48);
    arenas[16] = take_arena();
    assert_int_equal(raw_log.reallocs, 2);
    assert_int_equal(raw_log.realloc_bytes, 32 * 48);
    for (size_t i = 0; i < 17; i++) {
        give_pools(arenas[i], 0, POOLS_PER_ARENA);
        free(arenas[i]);
    }
    assert_int_equal(statistics().arenas_current, 1);
}

/* --- realloc, calloc. --- */

static void realloc_stays_when_more_than_three_quarters_are_used(void **state)
{
    (void)state;
    for (size_t have = 16; have <= LARGEST; have += 16)
        for (size_t size = 1; size <= LARGEST; size++) {
            void *block = heap.malloc(have);
            void *moved = heap.realloc(block, size);
            bool stays = size <= have && 4 * size > 3 * have;
            assert_int_equal(moved == block, stays);
            heap.free(moved);
        }
}

static void realloc_keeps_the_bytes(void **state)
{
    (void)state;
    static const size_t sizes[] = {100, 300, 2000, 400, 7, 512, 513, 1};
    size_t have = 64;
    unsigned char *block = heap.malloc(have);
    memset(block, 0x5a, have);

    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        block = heap.realloc(block, sizes[i]);
        for (size_t at = 0; at < have && at < sizes[i]; at++)
            assert_int_equal(block[at], 0x5a);
        have = sizes[i];
        memset(block, 0x5a, have);
    }
    heap.free(block);
}

static void realloc_of_null_is_malloc(void **state)
{
    (void)state;
    void *block = heap.realloc(NULL, 40);
    assert_int_equal(statistics().classes[2].blocks_in_use, 1);
    heap.free(block);
}

static void realloc_to_0_leaves_a_block_that_free_accepts(void **state)
{
    (void)state;
    void *pooled = heap.realloc(heap.malloc(64), 0);
    void *large = heap.realloc(heap.malloc(1000), 0);
    assert_non_null(pooled);
    assert_non_null(large);
    assert_int_equal(statistics().allocated_bytes, 0);
    heap.free(pooled);
    heap.free(large);
}

static void calloc_clears_a_block_that_was_used(void **state)
{
    (void)state;
    unsigned char *block = heap.malloc(512);
    memset(block, 0xff, 512);
    heap.free(block);
    unsigned char *again = heap.calloc(64, 8);
    assert_ptr_equal(again, block);
    for (size_t i = 0; i < 512; i++)
        assert_int_equal(again[i], 0);
    heap.free(again);
}

static void sizes_that_overflow_give_null(void **state)
{
    (void)state;
    void *block = heap.malloc(64);
    size_t absurd = (size_t)PTRDIFF_MAX + 1;
    size_t callocs_before = raw_log.callocs; /* of the address map */
    assert_null(heap.malloc(absurd));
    assert_null(heap.malloc(SIZE_MAX));
    assert_null(heap.realloc(block, absurd));
    assert_null(heap.calloc(absurd, 1));
    assert_null(heap.calloc(SIZE_MAX / 2 + 2, 2)); /* the product wraps to 2 */
    assert_null(heap.calloc(2, SIZE_MAX / 2 + 2));
    assert_int_equal(raw_log.mallocs, 0);
    assert_int_equal(raw_log.callocs, callocs_before);
    heap.free(block);
}

/* --- What goes to the raw allocator. --- */

static void size_0_and_above_512_go_to_the_raw_allocator(void **state)
{
    (void)state;
    void *blocks[4] = {heap.malloc(0), heap.malloc(513), heap.calloc(0, 8), heap.calloc(3, 200)};
    for (size_t i = 0; i < 4; i++)
        assert_non_null(blocks[i]);
    assert_int_equal(raw_log.mallocs, 2);
    assert_int_equal(raw_log.callocs, 2);
    assert_int_equal(raw_log.last_bytes, 600);
    assert_int_equal(source_log.mapped, 0);
    give(blocks, 4);
    assert_int_equal(raw_log.frees, 4);
}

static void a_raw_block_stays_raw_when_it_shrinks(void **state)
{
    (void)state;
    void *block = heap.realloc(heap.malloc(1000), 16);
    assert_int_equal(raw_log.reallocs, 1);
    assert_int_equal(raw_log.last_bytes, 16);
    assert_int_equal(source_log.mapped, 0);
    heap.free(block);
    assert_int_equal(raw_log.frees, 1);
}

static void a_pooled_block_that_outgrows_512_becomes_raw(void **state)
{
    (void)state;
    void *block = heap.realloc(heap.malloc(512), 513);
    assert_int_equal(raw_log.mallocs, 1);
    assert_int_equal(raw_log.last_bytes, 513);
    assert_int_equal(statistics().allocated_bytes, 0);
    heap.free(block);
    assert_int_equal(raw_log.frees, 1);
}

static void free_of_null_does_nothing(void **state)
{
    (void)state;
    heap.free(NULL);
    heap.free(heap.malloc(16)); /* and with an arena mapped */
    heap.free(NULL);
    assert_int_equal(statistics().arenas_current, 1);
}

static void without_an_arena_small_requests_are_raw(void **state)
{
    (void)state;
    source_log.fail = true;
    void *block = heap.malloc(64);
    unsigned char *cleared = heap.calloc(8, 8);
    assert_non_null(block);
    assert_int_equal(raw_log.mallocs, 1);
    assert_int_equal(raw_log.callocs, 1);
    assert_int_equal(cleared[63], 0);
    source_log.fail = false;
    heap.free(block);
    heap.free(cleared);
    assert_int_equal(raw_log.frees, 2);

    /* The records of arenas that were not had are not used up: there is still the first vector. */
    source_log.fail = true;
    for (size_t i = 0; i < 20; i++)
        heap.free(heap.malloc(64));
    assert_int_equal(raw_log.reallocs, 1);
    source_log.fail = false;

    block = heap.malloc(64); /* and pooled again as soon as there is one */
    assert_int_equal(statistics().allocated_bytes, 64);
    heap.free(block);
}

static void without_raw_memory_malloc_gives_null_and_no_arena_is_lost(void **state)
{
    (void)state;
    raw_log.fail = true;
    assert_null(heap.malloc(64)); /* no vector */
    assert_null(heap.malloc(1000));
    assert_int_equal(source_log.mapped, 0);

    raw_log.fail = false;
    struct full_arena *arenas[16];
    for (size_t i = 0; i < 16; i++)
        arenas[i] = take_arena();
    raw_log.fail = true;
    assert_null(heap.malloc(64)); /* no larger vector; the old one stands */
    assert_int_equal(statistics().arenas_current, 16);
    for (size_t i = 0; i < 16; i++) {
        give_pools(arenas[i], 0, POOLS_PER_ARENA);
        free(arenas[i]);
    }
}

static void an_arena_that_the_map_cannot_hold_is_given_back(void **state)
{
    (void)state;
    raw_log.fail_calloc = true;
    void *block = heap.malloc(64);
    assert_int_equal(raw_log.mallocs, 1);
    assert_int_equal(source_log.mapped, 1);
    assert_int_equal(source_log.unmapped, 1);
    assert_int_equal(statistics().arenas_allocated, 0);
    raw_log.fail_calloc = false;
    heap.free(block);
    assert_int_equal(raw_log.frees, 1);
}

/* The failed realloc of the contract: the old block is untouched. */
static void a_failed_realloc_leaves_the_block(void **state)
{
    (void)state;
    unsigned char *block = heap.malloc(64);
    memset(block, 0x33, 64);
    raw_log.fail = true;
    assert_null(heap.realloc(block, 4000));
    raw_log.fail = false;
    for (size_t i = 0; i < 64; i++)
        assert_int_equal(block[i], 0x33);
    heap.free(block);
}

static void open_without_a_raw_allocator_says_what_is_missing(void **state)
{
    (void)state;
    struct allocator_ops ops = {0};
    char reason[ALLOCATOR_TEXT_BYTES] = "";
    assert_true(allocator_pymalloc.open(&ops, NULL, reason) < 0);
    assert_non_null(strstr(reason, "beneath"));
    assert_null(ops.malloc);
}

/* --- The address map, on addresses that nothing is mapped at. --- */

static struct address_map map;

static int open_map(void **state)
{
    (void)state;
    memset(&raw_log, 0, sizeof(raw_log));
    map = (struct address_map){.raw = &raw};
    return 0;
}

static int close_map(void **state)
{
    (void)state;
    raw_log.fail = false;
    address_map_clear(&map);
    return raw_log.live == 0 ? 0 : -1;
}

static void assert_covers_exactly(uintptr_t base)
{
    assert_false(address_map_contains(&map, base - 1));
    assert_true(address_map_contains(&map, base));
    assert_true(address_map_contains(&map, base + ARENA_BYTES / 2));
    assert_true(address_map_contains(&map, base + ARENA_BYTES - 1));
    assert_false(address_map_contains(&map, base + ARENA_BYTES));
}

static const uintptr_t slot_bytes = ARENA_BYTES;
static const uintptr_t bottom_bytes = (uintptr_t)ARENA_BYTES << ADDRESS_MAP_BOTTOM_BITS;
static const uintptr_t mid_bytes = (uintptr_t)ARENA_BYTES
                                   << (ADDRESS_MAP_BOTTOM_BITS + ADDRESS_MAP_INNER_BITS);

static void the_map_covers_an_arena_to_the_byte(void **state)
{
    (void)state;
    const uintptr_t bases[] = {
        5 * slot_bytes,                         /* aligned */
        5 * slot_bytes + PAGE_BYTES,            /* across two slots */
        6 * slot_bytes - PAGE_BYTES,            /* almost all in the second */
        bottom_bytes - slot_bytes,              /* the last slot of a node */
        bottom_bytes - PAGE_BYTES,              /* across two bottom nodes */
        mid_bytes - PAGE_BYTES,                 /* across two mid nodes */
        (uintptr_t)0x7fff00000000 + PAGE_BYTES, /* where Linux maps */
        UINTPTR_MAX - 3 * slot_bytes + 1,       /* near the upper end */
    };

    for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++) {
        assert_int_equal(address_map_add(&map, bases[i]), 0);
        assert_covers_exactly(bases[i]);
        address_map_remove(&map, bases[i]);
        assert_false(address_map_contains(&map, bases[i]));
        assert_false(address_map_contains(&map, bases[i] + ARENA_BYTES - 1));
    }
}

static void neighbours_in_one_slot_do_not_touch_each_other(void **state)
{
    (void)state;
    uintptr_t low = 9 * slot_bytes + PAGE_BYTES;
    uintptr_t high =
        low + ARENA_BYTES + PAGE_BYTES; /* a gap of one page between them, in one slot */
    assert_int_equal(address_map_add(&map, low), 0);
    assert_int_equal(address_map_add(&map, high), 0);
    assert_covers_exactly(low);
    assert_covers_exactly(high);
    address_map_remove(&map, low);
    assert_false(address_map_contains(&map, high - 2 * PAGE_BYTES));
    assert_covers_exactly(high);
    assert_int_equal(address_map_add(&map, low), 0);
    address_map_remove(&map, high);
    assert_covers_exactly(low);
}

static void an_empty_map_contains_nothing(void **state)
{
    (void)state;
    assert_false(address_map_contains(&map, 0));
    assert_false(address_map_contains(&map, UINTPTR_MAX));
    assert_false(address_map_contains(&map, (uintptr_t)&map));
}

static void the_map_takes_nodes_only_where_an_arena_reaches(void **state)
{
    (void)state;
    assert_int_equal(address_map_add(&map, bottom_bytes - slot_bytes), 0);
    assert_int_equal(map.mid_nodes, 1);
    assert_int_equal(map.bottom_nodes, 1);
    assert_int_equal(address_map_add(&map, 2 * bottom_bytes - PAGE_BYTES), 0);
    assert_int_equal(map.bottom_nodes, 3);
    assert_int_equal(address_map_add(&map, mid_bytes - PAGE_BYTES), 0);
    assert_int_equal(map.mid_nodes, 2);
    assert_int_equal(map.bottom_nodes, 5);
}

static void an_arena_that_finds_no_node_is_not_marked(void **state)
{
    (void)state;
    uintptr_t across = bottom_bytes - PAGE_BYTES;
    raw_log.fail = true;
    assert_true(address_map_add(&map, across) < 0);
    assert_false(address_map_contains(&map, across));

    raw_log.fail = false; /* the first half of the way exists, the second does not */
    assert_int_equal(address_map_add(&map, across - slot_bytes), 0);
    raw_log.fail = true;
    assert_true(address_map_add(&map, across) < 0);
    assert_false(address_map_contains(&map, across));
    assert_false(address_map_contains(&map, across + PAGE_BYTES));
}

/* --- All together. --- */

/* xorshift64 (Marsaglia 2003): any fixed sequence will do. */
static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

struct shadow {
    unsigned char *block;
    size_t size;
    unsigned char fill;
};

static void assert_filled(const struct shadow *shadow, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (shadow->block[i] != shadow->fill)
            fail_msg("byte %zu of a block of %zu is %#x, not %#x", i, shadow->size,
                     shadow->block[i], shadow->fill);
}

static void refill(struct shadow *shadow, uint64_t random)
{
    shadow->fill = (unsigned char)random;
    memset(shadow->block, shadow->fill, shadow->size);
}

/* Every block is filled to its end and checked before it changes: two that overlap cannot both keep
 * their bytes. */
static void a_random_sequence_agrees_with_a_shadow(void **state)
{
    (void)state;
    enum { BLOCKS = 8192, STEPS = 400000 };
    struct shadow *shadows = calloc(BLOCKS, sizeof(*shadows));
    assert_non_null(shadows);
    uint64_t random = 0x9e3779b97f4a7c15u;

    for (size_t step = 0; step < STEPS; step++) {
        struct shadow *shadow = &shadows[next_random(&random) % BLOCKS];
        size_t size = next_random(&random) % (step % 16 == 0 ? 3000 : 540);
        if (shadow->block == NULL) {
            *shadow = (struct shadow){.block = heap.malloc(size), .size = size};
        } else if (step % 3 == 0) {
            assert_filled(shadow, shadow->size);
            shadow->block = heap.realloc(shadow->block, size);
            assert_filled(shadow, size < shadow->size ? size : shadow->size);
            shadow->size = size;
        } else {
            assert_filled(shadow, shadow->size);
            heap.free(shadow->block);
            shadow->block = NULL;
            continue;
        }
        refill(shadow, random);
    }
    for (size_t i = 0; i < BLOCKS; i++)
        heap.free(shadows[i].block);
    free(shadows);
    assert_int_equal(statistics().allocated_bytes, 0);
    assert_int_equal(statistics().arenas_current, 1);
}

static bool is_mapped(const void *block)
{
    unsigned char resident;
    void *page = (void *)((uintptr_t)block & ~(uintptr_t)(PAGE_BYTES - 1));
    return mincore(page, 1, &resident) == 0;
}

static void pages_from_mmap_serve_and_go_back(void **state)
{
    (void)state;
    pymalloc_set_arena_source(NULL);
    struct full_arena *arenas[3] = {take_arena(), take_arena(), take_arena()};
    assert_true(statistics().arenas_current >= 3); /* 4 when bases are not pool-aligned */
    for (size_t i = 0; i < 3; i++) {
        memset(arenas[i]->blocks[POOLS_PER_ARENA - 1][LARGEST_PER_POOL - 1], 1, LARGEST);
        give_pools(arenas[i], 0, POOLS_PER_ARENA);
    }
    int still_mapped = 0;
    for (size_t i = 0; i < 3; i++)
        still_mapped += is_mapped(arenas[i]->blocks[0][0]);
    assert_true(still_mapped <= 1); /* the last is kept; it may be the fourth */
    assert_int_equal(statistics().arenas_current, 1);
    assert_int_equal(source_log.mapped, 0);
    for (size_t i = 0; i < 3; i++)
        free(arenas[i]);
}

#define HEAP_TEST(test)   cmocka_unit_test_setup_teardown(test, open_heap, close_heap)
#define SKEWED_TEST(test) cmocka_unit_test_setup_teardown(test, open_skewed_heap, close_heap)
#define MAP_TEST(test)    cmocka_unit_test_setup_teardown(test, open_map, close_map)

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(each_class_has_as_many_blocks_per_pool_as_cpython),
        HEAP_TEST(every_size_up_to_512_gets_the_next_multiple_of_16),
        HEAP_TEST(the_closed_fixture_has_cpythons_statistics),
        SKEWED_TEST(an_unaligned_base_loses_one_pool),
        HEAP_TEST(a_new_pool_hands_out_its_blocks_in_order),
        HEAP_TEST(the_last_freed_block_is_the_next_handed_out),
        HEAP_TEST(freed_blocks_come_before_uncarved_ones),
        HEAP_TEST(a_full_pool_that_gets_a_block_back_serves_next),
        HEAP_TEST(an_empty_pool_serves_any_class_the_last_emptied_first),
        HEAP_TEST(a_pool_reused_by_its_class_keeps_its_free_list),
        HEAP_TEST(a_pool_reused_by_another_class_starts_anew),
        HEAP_TEST(the_last_empty_arena_is_kept),
        HEAP_TEST(an_empty_arena_is_unmapped_when_another_follows),
        HEAP_TEST(an_empty_arena_behind_a_fuller_one_is_kept),
        HEAP_TEST(pools_come_from_the_fullest_arena),
        HEAP_TEST(an_arena_goes_before_those_with_as_many_free_pools),
        HEAP_TEST(an_arena_that_was_full_goes_to_the_head),
        HEAP_TEST(the_arena_vector_starts_at_16_and_doubles),
        HEAP_TEST(realloc_stays_when_more_than_three_quarters_are_used),
        HEAP_TEST(realloc_keeps_the_bytes),
        HEAP_TEST(realloc_of_null_is_malloc),
        HEAP_TEST(realloc_to_0_leaves_a_block_that_free_accepts),
        HEAP_TEST(calloc_clears_a_block_that_was_used),
        HEAP_TEST(sizes_that_overflow_give_null),
        HEAP_TEST(size_0_and_above_512_go_to_the_raw_allocator),
        HEAP_TEST(a_raw_block_stays_raw_when_it_shrinks),
        HEAP_TEST(a_pooled_block_that_outgrows_512_becomes_raw),
        HEAP_TEST(free_of_null_does_nothing),
        HEAP_TEST(without_an_arena_small_requests_are_raw),
        HEAP_TEST(without_raw_memory_malloc_gives_null_and_no_arena_is_lost),
        HEAP_TEST(an_arena_that_the_map_cannot_hold_is_given_back),
        HEAP_TEST(a_failed_realloc_leaves_the_block),
        HEAP_TEST(open_without_a_raw_allocator_says_what_is_missing),
        MAP_TEST(the_map_covers_an_arena_to_the_byte),
        MAP_TEST(neighbours_in_one_slot_do_not_touch_each_other),
        MAP_TEST(an_empty_map_contains_nothing),
        MAP_TEST(the_map_takes_nodes_only_where_an_arena_reaches),
        MAP_TEST(an_arena_that_finds_no_node_is_not_marked),
        HEAP_TEST(a_random_sequence_agrees_with_a_shadow),
        SKEWED_TEST(a_random_sequence_agrees_with_a_shadow),
        HEAP_TEST(pages_from_mmap_serve_and_go_back),
    };
    return cmocka_run_group_tests_name("pymalloc", tests, NULL, NULL);
}
