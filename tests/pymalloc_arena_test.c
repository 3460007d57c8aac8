/*
 * The rules of pymalloc's arenas: which one serves, which one goes back, and what happens when
 * there is none to be had. Leaves out what happens within an arena (pymalloc_test.c). The order of
 * arenas is that of Objects/obmalloc.c of CPython 2.7 to 3.11. Compiled once per profile.
 */
#define _GNU_SOURCE /* mincore */
#include "tests/pymalloc_fixture.h"

#include <inttypes.h>
#include <sys/mman.h>
#include <time.h>

enum { PAGE_BYTES = 4096 };

/* --- Arenas. --- */

/*
 * What tells the profiles apart, spelled out: the other tests take these from geometry.h, and would
 * believe a wrong version there.
 */
static void the_rules_are_those_of_this_version(void **state)
{
    (void)state;
    static const struct {
        int version, pool_bytes, arena_bytes, knows_last, keeps_last_arena, has_address_map;
    } rules[] = {
        {207, 4096, 262144, 0, 0, 0},
        {308, 4096, 262144, 1, 0, 0},
        {309, 4096, 262144, 1, 1, 0},
        {311, 16384, 1048576, 1, 1, 1},
    };
    size_t i = 0;
    while (i < sizeof(rules) / sizeof(*rules) && rules[i].version != PYMALLOC_VERSION)
        i++;
    assert_true(i < sizeof(rules) / sizeof(*rules));
    assert_int_equal(POOL_BYTES, rules[i].pool_bytes);
    assert_int_equal(ARENA_BYTES, rules[i].arena_bytes);
    assert_int_equal(PYMALLOC_KNOWS_LAST, rules[i].knows_last);
    assert_int_equal(PYMALLOC_KEEPS_LAST_ARENA, rules[i].keeps_last_arena);
    assert_int_equal(PYMALLOC_HAS_ADDRESS_MAP, rules[i].has_address_map);
}

static void the_last_empty_arena_is_kept_from_3_9_on(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        void *block = heap.malloc(64);
        heap.free(block);
    }
    assert_int_equal(source_log.mapped, KEPT_ARENAS ? 1 : 3);
    assert_int_equal(source_log.unmapped, KEPT_ARENAS ? 0 : 3);
    assert_int_equal(statistics().arenas_current, KEPT_ARENAS);
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
    assert_int_equal(source_log.unmapped, 2 - KEPT_ARENAS);
    free(first);
}

/* The second has two pools in use, so the first passes it on the way and is the last when empty. */
static void an_empty_arena_behind_a_fuller_one_is_kept_from_3_9_on(void **state)
{
    (void)state;
    struct full_arena *first = take_arena();
    void *large = heap.malloc(LARGEST);
    void *small = heap.malloc(16);

    give_pools(first, 0, POOLS_PER_ARENA);
    assert_int_equal(source_log.unmapped, 1 - KEPT_ARENAS);
    assert_int_equal(statistics().arenas_current, 1 + KEPT_ARENAS);
    heap.free(large);
    heap.free(small); /* now the second is empty, with the first behind it if that was kept */
    assert_int_equal(source_log.unmapped, 2 - KEPT_ARENAS);
    if (KEPT_ARENAS == 1) {
        void *block = heap.malloc(LARGEST);
        assert_ptr_equal(arena_at(block), arena_at(first->blocks[0][0]));
        heap.free(block);
    }
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
    give(&blocks[0][0], (size_t)6 * LARGEST_PER_POOL);
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
    assert_ptr_equal(arena_at(blocks[(size_t)2 * LARGEST_PER_POOL]),
                     arena_at(arenas[2]->blocks[0][0]));

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
    assert_int_equal(statistics().arenas_current, KEPT_ARENAS);
}

/* The map's first arena takes a node of each level; an index needs nothing but the vector. */
static void only_the_address_map_asks_for_tables(void **state)
{
    (void)state;
    void *block = heap.malloc(64);
    assert_int_equal(raw_log.reallocs, 1);
    assert_int_equal(raw_log.callocs, PYMALLOC_HAS_ADDRESS_MAP ? 2 : 0);
    assert_int_equal(raw_log.mallocs, 0);
#if PYMALLOC_HAS_ADDRESS_MAP
    assert_int_equal(raw_log.last_bytes, sizeof(struct address_map_bottom));
#endif
    heap.free(block);
}

/* --- Places. --- */

static void an_unaligned_base_loses_one_pool(void **state)
{
    (void)state;
    void *block = heap.malloc(LARGEST);
    struct pymalloc_statistics now = statistics();

    assert_int_equal(now.pools_unused, POOLS_PER_ARENA - 2);
    assert_int_equal(now.alignment_bytes, POOL_BYTES);
    assert_ptr_equal(pool_at(block), arena_at(block) + ARENA_BYTES / 2 + POOL_BYTES);

    enum { REST = (POOLS_PER_ARENA - 1) * LARGEST_PER_POOL - 1 };
    void **blocks = malloc(REST * sizeof(*blocks));
    assert_non_null(blocks);
    take(blocks, REST, LARGEST);
    assert_int_equal(source_log.mapped, 1);
    void *in_next = heap.malloc(LARGEST);
    assert_int_equal(source_log.mapped, 2);
    heap.free(in_next);
    give(blocks, REST);
    heap.free(block);
    free(blocks);
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
    assert_true(still_mapped <= KEPT_ARENAS); /* the last is kept; it may be the fourth */
    assert_int_equal(statistics().arenas_current, KEPT_ARENAS);
    assert_int_equal(source_log.mapped, 0);
    for (size_t i = 0; i < 3; i++)
        free(arenas[i]);
}

/* --- When there is none to be had. --- */

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

#if PYMALLOC_HAS_ADDRESS_MAP
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
#endif

/* --- What it costs to keep the order. --- */

#ifndef TIDEMARK_SANITIZED

enum { MANY = POOL_BYTES == 4096 ? 200 : 60 }; /* arenas, which the fixture writes all over */

/* Nanoseconds until each of MANY arenas with one free pool has two: each passes all that follow it
 * when the first of the list goes first, and none when the last does. */
static uint64_t time_of_second_pools(struct full_arena **arenas, bool first_first)
{
    for (size_t i = 0; i < MANY;
         i++) /* the last one to have a free pool is the first of the list */
        give_pools(arenas[first_first ? MANY - 1 - i : i], 0, 1);

    struct timespec start, end;
    for (size_t i = 0; i < MANY; i++)
        give(arenas[i]->blocks[1], LARGEST_PER_POOL - 1);
    clock_gettime(CLOCK_MONOTONIC, &start);
    for (size_t i = 0; i < MANY; i++)
        heap.free(arenas[i]->blocks[1][LARGEST_PER_POOL - 1]);
    clock_gettime(CLOCK_MONOTONIC, &end);

    for (size_t i = 0; i < MANY; i++)
        take(&arenas[i]->blocks[0][0], (size_t)2 * LARGEST_PER_POOL, LARGEST);
    return (uint64_t)(end.tv_sec - start.tv_sec) * 1000000000u + (uint64_t)end.tv_nsec -
           (uint64_t)start.tv_nsec;
}

/*
 * 2.7 searches the place of an arena, one step for each that has fewer free pools; 3.8 knows it.
 * Nothing but the time shows that. The best of several rounds on each side, and much less than the
 * difference (some 10 times) asked for, since other processes run beside this one.
 */
static void only_before_3_8_does_the_way_past_others_cost(void **state)
{
    (void)state;
    struct full_arena *arenas[MANY];
    uint64_t past_all = UINT64_MAX, past_none = UINT64_MAX;

    for (size_t i = 0; i < MANY; i++)
        arenas[i] = take_arena();
    for (int round = 0; round < 20; round++) {
        uint64_t now = time_of_second_pools(arenas, true);
        past_all = now < past_all ? now : past_all;
        now = time_of_second_pools(arenas, false);
        past_none = now < past_none ? now : past_none;
    }
    print_message("past all others %" PRIu64 " ns, past none %" PRIu64 " ns\n", past_all / MANY,
                  past_none / MANY);
    assert_int_equal(past_all > 3 * past_none, !PYMALLOC_KNOWS_LAST);
    for (size_t i = 0; i < MANY; i++) {
        give_pools(arenas[i], 0, POOLS_PER_ARENA);
        free(arenas[i]);
    }
}

#endif

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(the_rules_are_those_of_this_version),
        HEAP_TEST(the_last_empty_arena_is_kept_from_3_9_on),
        HEAP_TEST(an_empty_arena_is_unmapped_when_another_follows),
        HEAP_TEST(an_empty_arena_behind_a_fuller_one_is_kept_from_3_9_on),
        HEAP_TEST(pools_come_from_the_fullest_arena),
        HEAP_TEST(an_arena_goes_before_those_with_as_many_free_pools),
        HEAP_TEST(an_arena_that_was_full_goes_to_the_head),
        HEAP_TEST(the_arena_vector_starts_at_16_and_doubles),
        HEAP_TEST(only_the_address_map_asks_for_tables),
        SKEWED_TEST(an_unaligned_base_loses_one_pool),
        HEAP_TEST(pages_from_mmap_serve_and_go_back),
        HEAP_TEST(without_an_arena_small_requests_are_raw),
        HEAP_TEST(without_raw_memory_malloc_gives_null_and_no_arena_is_lost),
#if PYMALLOC_HAS_ADDRESS_MAP
        HEAP_TEST(an_arena_that_the_map_cannot_hold_is_given_back),
#endif
#ifndef TIDEMARK_SANITIZED
        HEAP_TEST(only_before_3_8_does_the_way_past_others_cost),
#endif
    };
    return cmocka_run_group_tests_name("pymalloc_arena", tests, NULL, NULL);
}
