/*
 * pymalloc against the real one on shapes made to hurt: every size up and down, holes in pools and
 * in arenas, arenas that change places with every pool that they get back, realloc across every
 * boundary. Leaves out chance (pymalloc_oracle_test.c) and how the two are kept in step
 * (pymalloc_oracle.h). Not run without libpython3.11.so.1.0; with CI set, that is a failure.
 */
#include "tests/pymalloc_oracle.h"

#include "allocators/pymalloc/geometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

#ifdef TIDEMARK_SANITIZED
enum { ROUNDS = 2, ARENAS = 5, POOLS = 20, BLOCKS_OF_OTHERS = 4000, REALLOC_STEP = 29 };
#else
enum { ROUNDS = 40, ARENAS = 40, POOLS = 150, BLOCKS_OF_OTHERS = 20000, REALLOC_STEP = 1 };
#endif

enum { LARGEST = SMALL_REQUEST_MAX, SWEEP_MAX = 600, TWINS_MAX = 1 << 18 };
/* Of the class of 512 bytes; as every class, it fills a new pool before it takes the next. */
enum { PER_POOL = (POOL_BYTES - POOL_HEADER_BYTES) / LARGEST };

/* --- The blocks that are held, in the order in which they were taken. --- */

static struct twin held[TWINS_MAX];
static size_t held_count;

static void take(size_t count, size_t size)
{
    assert_true(held_count + count <= TWINS_MAX);
    for (size_t i = 0; i < count; i++)
        twin_malloc(&held[held_count++], size);
}

/* Frees all but every `stride`-th of those from index `first` on, which close up. */
static void keep_one_in(size_t stride, size_t first)
{
    size_t kept = first;

    for (size_t i = first; i < held_count; i++) {
        if ((i - first) % stride == 0)
            held[kept++] = held[i];
        else
            twin_free(&held[i]);
    }
    held_count = kept;
}

static void give_all(void)
{
    for (size_t i = 0; i < held_count; i++)
        twin_free(&held[i]);
    held_count = 0;
}

static void give_all_forwards(void)
{
    give_all();
    oracle_assert_same_statistics();
}

static void give_all_backwards(void)
{
    while (held_count > 0)
        twin_free(&held[--held_count]);
    oracle_assert_same_statistics();
}

/* --- Sizes. --- */

/* One at a time: each takes the pool that the one before gave back, of its own class or not. */
static void each_size_alone_matches(void **state)
{
    (void)state;
    oracle_need();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t size = 0; size <= SWEEP_MAX; size++) {
            take(1, size);
            give_all();
        }
        oracle_assert_same_statistics();
        for (size_t size = SWEEP_MAX + 1; size-- > 0;) {
            take(1, size);
            take(1, SWEEP_MAX - size);
            give_all();
        }
        oracle_assert_same_statistics();
    }
}

/* All classes grow at once, so that their pools lie side by side, and shrink at once. */
static void all_sizes_at_once_match(void **state)
{
    (void)state;
    oracle_need();
    for (size_t round = 0; round < ROUNDS; round++) {
        for (size_t repeat = 0; repeat < 8; repeat++) {
            for (size_t size = 0; size <= SWEEP_MAX; size++)
                take(1, size);
            for (size_t size = SWEEP_MAX + 1; size-- > 0;)
                take(1, size);
        }
        oracle_assert_same_statistics();
        keep_one_in(2 + round % 5, 0);
        oracle_assert_same_statistics();
        if (round % 2 == 0)
            give_all_forwards();
        else
            give_all_backwards();
    }
}

/* --- Holes. --- */

/* Every pool keeps one block in `stride`; its own class refills the holes, another cannot. */
static void dig_and_refill(size_t size, size_t stride)
{
    size_t per_pool = size_class_blocks_per_pool((unsigned)(size - 1) / BLOCK_ALIGNMENT);
    size_t count = POOLS * per_pool;

    take(count, size);
    oracle_assert_same_statistics();
    keep_one_in(stride, 0);
    oracle_assert_same_statistics();
    take(count / 4, size % LARGEST + BLOCK_ALIGNMENT);
    oracle_assert_same_statistics();
    take(count / 2, size);
    oracle_assert_same_statistics();
    keep_one_in(stride, held_count / 3);
    oracle_assert_same_statistics();
    give_all_forwards();
}

static void holes_in_pools_match(void **state)
{
    (void)state;
    static const size_t sizes[] = {16, 48, 64, 208, 256, 496, 512};
    static const size_t strides[] = {2, 3, 7, 31};

    oracle_need();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
        for (size_t j = 0; j < sizeof(strides) / sizeof(*strides); j++)
            dig_and_refill(sizes[i], strides[j]);
}

/* Keeps one block of each `pools` pools, then lets other classes fill what was emptied. */
static void keep_one_block_of(size_t pools, const size_t *others, size_t others_count)
{
    take((size_t)ARENAS * POOLS_PER_ARENA * PER_POOL, LARGEST);
    oracle_assert_same_statistics();
    keep_one_in(pools * PER_POOL, 0);
    oracle_assert_same_statistics();
    for (size_t i = 0; i < others_count; i++) {
        size_t first = held_count;
        take(BLOCKS_OF_OTHERS, others[i]);
        oracle_assert_same_statistics();
        keep_one_in(997, first);
        oracle_assert_same_statistics();
    }
    give_all_backwards();
}

static void one_block_kept_per_pool_matches(void **state)
{
    (void)state;
    static const size_t others[] = {500, 32, 240};
    oracle_need();
    keep_one_block_of(1, others, 3);
}

/* Almost the same number of pools as an arena has, so that what is kept moves through it. */
static void one_block_kept_per_arena_matches(void **state)
{
    (void)state;
    static const size_t others[] = {16, 512, 336, 100};
    oracle_need();
    keep_one_block_of(POOLS_PER_ARENA, others, 4);
    keep_one_block_of(POOLS_PER_ARENA - 1, others, 4);
    keep_one_block_of(POOLS_PER_ARENA / 2 + 1, others, 4);
}

/* Wholly used pools of one class, each second given back, filled by the next class, and so on. */
static void refills_by_other_classes_match(void **state)
{
    (void)state;
    static const size_t sizes[] = {512, 48, 336, 16, 272, 128, 400, 80};
    oracle_need();
    for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        size_t first = held_count;
        unsigned size_class = (unsigned)(sizes[i] - 1) / BLOCK_ALIGNMENT;
        size_t per_pool = size_class_blocks_per_pool(size_class);

        take((size_t)4 * POOLS_PER_ARENA * per_pool / (1 + i / 2), sizes[i]);
        oracle_assert_same_statistics();
        size_t kept = first;
        for (size_t j = first; j < held_count; j++) {
            if ((j - first) / per_pool % 2 == 0)
                twin_free(&held[j]);
            else
                held[kept++] = held[j];
        }
        held_count = kept;
        oracle_assert_same_statistics();
    }
    give_all_forwards();
}

/* --- Arenas that change places. --- */

/* What was taken by fill_arenas, by arena: the first block of each of its pools. */
struct arena_pools {
    size_t count;
    size_t first_block[POOLS_PER_ARENA];
};
static struct arena_pools *arenas; /* oracle_arenas_max() of them */
static size_t order[ARENAS + 2];   /* the arenas in use, as they came */
static size_t arena_count;

static void fill_arenas(void)
{
    arenas = calloc(oracle_arenas_max(), sizeof(*arenas));
    assert_non_null(arenas);
    arena_count = 0;
    take((size_t)ARENAS * POOLS_PER_ARENA * PER_POOL, LARGEST);
    for (size_t i = 0; i < held_count; i += PER_POOL) {
        size_t arena = oracle_arena_of(&held[i]);
        struct arena_pools *pools = &arenas[arena];

        if (pools->count == 0) {
            assert_true(arena_count < sizeof(order) / sizeof(*order));
            order[arena_count++] = arena;
        }
        pools->first_block[pools->count++] = i;
    }
}

static void give_pool_of(size_t arena)
{
    struct arena_pools *pools = &arenas[arena];
    if (pools->count == 0)
        return;
    size_t first = pools->first_block[--pools->count];
    for (size_t i = 0; i < PER_POOL; i++)
        twin_free(&held[first + i]);
}

/* In each round every arena gets one pool back, in the order chosen; `taken_back` pools are then
 * used again, for a while, by another class. */
static void give_in_rounds(size_t (*choose)(size_t round, size_t step), size_t taken_back)
{
    oracle_need();
    fill_arenas();
    size_t filled = held_count;
    for (size_t round = 0; round < POOLS_PER_ARENA; round++) {
        for (size_t step = 0; step < arena_count; step++)
            give_pool_of(order[choose(round, step)]);
        oracle_assert_same_statistics();
        take(taken_back * PER_POOL, LARGEST - BLOCK_ALIGNMENT);
        while (round % 3 == 2 && held_count > filled)
            twin_free(&held[--held_count]);
    }
    for (size_t i = filled; i < held_count; i++)
        twin_free(&held[i]);
    for (size_t i = 0; i < arena_count; i++)
        while (arenas[order[i]].count > 0)
            give_pool_of(order[i]);
    held_count = 0;
    oracle_assert_same_statistics();
    free(arenas);
}

static size_t in_turn(size_t round, size_t step)
{
    (void)round;
    return step;
}

/* Always the arena that is first in the list: it passes all the others. */
static size_t back_and_forth(size_t round, size_t step)
{
    return round % 2 == 0 ? step : arena_count - 1 - step;
}

/* Steps through them all by 7 or 11, whichever is prime to their number, from another each time. */
static size_t scattered(size_t round, size_t step)
{
    size_t stride = arena_count % 7 != 0 ? 7 : 11;
    return (step * stride + round * 5) % arena_count;
}

static void arenas_that_get_pools_in_turn_match(void **state)
{
    (void)state;
    give_in_rounds(in_turn, 0);
    give_in_rounds(in_turn, 9);
}

static void arenas_that_pass_all_others_match(void **state)
{
    (void)state;
    give_in_rounds(back_and_forth, 0);
    give_in_rounds(back_and_forth, 9);
}

static void arenas_in_scattered_order_match(void **state)
{
    (void)state;
    give_in_rounds(scattered, 0);
    give_in_rounds(scattered, 9);
}

/* --- realloc. --- */

/* From around every class's size to every size: where it stays, moves, becomes raw, or was raw. */
static void reallocs_across_every_boundary_match(void **state)
{
    (void)state;
    oracle_need();
    for (size_t bound = 0; bound <= LARGEST + BLOCK_ALIGNMENT; bound += BLOCK_ALIGNMENT)
        for (size_t have = bound == 0 ? 0 : bound - 1; have <= bound + 1; have++) {
            for (size_t size = 0; size <= SWEEP_MAX; size += REALLOC_STEP) {
                take(1, have);
                twin_realloc(&held[held_count - 1], size);
                if (held_count == 50)
                    keep_one_in(11, 0);
            }
            oracle_assert_same_statistics();
        }
    give_all_forwards();
}

/* Blocks that grow a byte at a time and shrink again, several at once and out of step. */
static void blocks_that_grow_and_shrink_match(void **state)
{
    (void)state;
    enum { AT_ONCE = 64 };
    oracle_need();
    take(AT_ONCE, 1);
    for (size_t round = 0; round < 2; round++) {
        for (size_t size = 1; size <= SWEEP_MAX; size++)
            for (size_t i = 0; i < AT_ONCE; i++)
                twin_realloc(&held[i], (size + i) % SWEEP_MAX);
        oracle_assert_same_statistics();
        for (size_t size = SWEEP_MAX; size > 0; size--)
            for (size_t i = AT_ONCE; i-- > 0;)
                twin_realloc(&held[i], (size + 7 * i) % SWEEP_MAX);
        oracle_assert_same_statistics();
    }
    give_all_backwards();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_EVERY_SKEW(each_size_alone_matches),
        ON_EVERY_SKEW(all_sizes_at_once_match),
        ON_EVERY_SKEW(holes_in_pools_match),
        ON_EVERY_SKEW(one_block_kept_per_pool_matches),
        ON_EVERY_SKEW(one_block_kept_per_arena_matches),
        ON_EVERY_SKEW(refills_by_other_classes_match),
        ON_EVERY_SKEW(arenas_that_get_pools_in_turn_match),
        ON_EVERY_SKEW(arenas_that_pass_all_others_match),
        ON_EVERY_SKEW(arenas_in_scattered_order_match),
        ON_EVERY_SKEW(reallocs_across_every_boundary_match),
        ON_EVERY_SKEW(blocks_that_grow_and_shrink_match),
    };
    return cmocka_run_group_tests_name("pymalloc_shapes", tests, oracle_open, oracle_close);
}
