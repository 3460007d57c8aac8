/*
 * The census of pymalloc: every arena by address, every pool, and figures that are theirs. Leaves
 * out what the figures are held to (pymalloc_oracle_test.c). Compiled once per profile.
 */
#define _GNU_SOURCE /* clock_gettime */
#include "tests/pymalloc_fixture.h"

#include <time.h>

/* --- A census as it came. --- */

enum { MOST_ARENAS = 64, MOST_FIGURES = 32 };

static struct {
    struct {
        const char *name;
        uint64_t value;
    } figures[MOST_FIGURES];
    size_t figure_count;
    struct pymalloc_class_statistics classes[SIZE_CLASSES];
    size_t class_count;
    uintptr_t bases[MOST_ARENAS];
    struct {
        size_t block_bytes, blocks_in_use;
    } pools[MOST_ARENAS][POOLS_PER_ARENA];
    size_t pool_counts[MOST_ARENAS];
    size_t arena_count;
} seen;

static void see_figure(void *context, const char *name, uint64_t value)
{
    assert_ptr_equal(context, &seen);
    assert_int_equal(seen.class_count + seen.arena_count, 0);
    assert_true(seen.figure_count < MOST_FIGURES);
    seen.figures[seen.figure_count].name = name;
    seen.figures[seen.figure_count++].value = value;
}

static void see_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                      size_t blocks_available)
{
    assert_ptr_equal(context, &seen);
    assert_int_equal(seen.arena_count, 0);
    assert_int_equal(block_bytes % BLOCK_ALIGNMENT, 0);
    seen.classes[block_bytes / BLOCK_ALIGNMENT - 1] =
        (struct pymalloc_class_statistics){pools, blocks_in_use, blocks_available};
    seen.class_count++;
}

static void see_arena(void *context, uintptr_t base)
{
    assert_ptr_equal(context, &seen);
    assert_true(seen.arena_count < MOST_ARENAS);
    seen.bases[seen.arena_count++] = base;
}

static void see_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    assert_ptr_equal(context, &seen);
    size_t arena = seen.arena_count - 1;
    size_t pool = seen.pool_counts[arena]++;
    assert_true(pool < POOLS_PER_ARENA);
    seen.pools[arena][pool].block_bytes = block_bytes;
    seen.pools[arena][pool].blocks_in_use = blocks_in_use;
}

static const struct allocator_census sink = {&seen, see_figure, see_class, see_arena, see_pool};

static uint64_t figure(const char *name)
{
    for (size_t i = 0; i < seen.figure_count; i++)
        if (strcmp(seen.figures[i].name, name) == 0)
            return seen.figures[i].value;
    fail_msg("there is no figure %s", name);
    return 0;
}

/* What the pools of the census add up to is what pymalloc_count says. */
static void assert_adds_up(void)
{
    struct pymalloc_statistics counted = statistics(), sums = {0};

    for (size_t a = 0; a < seen.arena_count; a++) {
        bool is_aligned = seen.bases[a] % POOL_BYTES == 0;
        assert_int_equal(seen.pool_counts[a], POOLS_PER_ARENA - !is_aligned);
        assert_true(a == 0 || seen.bases[a] >= seen.bases[a - 1] + ARENA_BYTES);
        for (size_t p = 0; p < seen.pool_counts[a]; p++) {
            size_t block_bytes = seen.pools[a][p].block_bytes;
            assert_int_equal(block_bytes == 0, seen.pools[a][p].blocks_in_use == 0);
            if (block_bytes == 0) {
                sums.pools_unused++;
                continue;
            }
            sums.classes[block_bytes / BLOCK_ALIGNMENT - 1].pools++;
            sums.classes[block_bytes / BLOCK_ALIGNMENT - 1].blocks_in_use +=
                seen.pools[a][p].blocks_in_use;
        }
    }
    for (size_t i = 0; i < SIZE_CLASSES; i++) {
        assert_int_equal(sums.classes[i].pools, counted.classes[i].pools);
        assert_int_equal(sums.classes[i].blocks_in_use, counted.classes[i].blocks_in_use);
        assert_memory_equal(&seen.classes[i], &counted.classes[i], sizeof(counted.classes[i]));
    }
    assert_int_equal(seen.arena_count, counted.arenas_current);
    assert_int_equal(sums.pools_unused, counted.pools_unused);
    assert_int_equal(figure("arenas_allocated"), counted.arenas_allocated);
    assert_int_equal(figure("arenas_reclaimed"), counted.arenas_reclaimed);
    assert_int_equal(figure("arenas_highwater"), counted.arenas_highwater);
    assert_int_equal(figure("arenas_current"), counted.arenas_current);
    assert_int_equal(figure("pools_unused"), counted.pools_unused);
    assert_int_equal(figure("allocated_bytes"), counted.allocated_bytes);
    assert_int_equal(figure("available_bytes"), counted.available_bytes);
    assert_int_equal(figure("header_bytes"), counted.header_bytes);
    assert_int_equal(figure("quantization_bytes"), counted.quantization_bytes);
    assert_int_equal(figure("alignment_bytes"), counted.alignment_bytes);
    assert_int_equal(figure("arena_bytes"), ARENA_BYTES);
    assert_int_equal(figure("pool_bytes"), POOL_BYTES);
    assert_int_equal(figure("pool_header_bytes"), POOL_HEADER_BYTES);
#if PYMALLOC_HAS_ADDRESS_MAP
    assert_int_equal(figure("map_mid_nodes"), counted.map_mid_nodes);
    assert_int_equal(figure("map_bottom_nodes"), counted.map_bottom_nodes);
#endif
}

/* Nothing is asked of the raw allocator meanwhile, and no arena comes or goes. */
static void take_census(void)
{
    size_t calls = raw_log.mallocs + raw_log.callocs + raw_log.reallocs + raw_log.frees;
    size_t maps = source_log.mapped + source_log.unmapped;

    memset(&seen, 0, sizeof(seen));
    heap.census(&sink);
    assert_int_equal(raw_log.mallocs + raw_log.callocs + raw_log.reallocs + raw_log.frees, calls);
    assert_int_equal(source_log.mapped + source_log.unmapped, maps);
    assert_adds_up();
}

/* --- Heaps. --- */

static void an_empty_heap_has_figures_and_no_arena(void **state)
{
    (void)state;
    take_census();
    assert_int_equal(seen.arena_count, 0);
    assert_int_equal(seen.class_count, 0);
}

static void blocks_of_every_class_are_seen(void **state)
{
    enum { BLOCKS = 20000 };
    static void *blocks[BLOCKS];

    (void)state;
    for (size_t i = 0; i < BLOCKS; i++)
        take(&blocks[i], 1, 1 + i % LARGEST);
    take_census();
    assert_int_equal(seen.class_count, SIZE_CLASSES);
    for (size_t i = 0; i < BLOCKS; i++)
        if (i % 7 != 0)
            heap.free(blocks[i]);
    take_census();
    for (size_t i = 0; i < BLOCKS; i += 7)
        heap.free(blocks[i]);
    take_census();
    assert_int_equal(seen.class_count, 0);
}

/* What keeps memory from going back: one block, in one pool, in its arena. */
static void one_block_pins_its_arena(void **state)
{
    (void)state;
    struct full_arena *first = take_arena(), *second = take_arena();
    enum { KEPT = POOLS_PER_ARENA / 3 };

    char *kept = first->blocks[KEPT][1];
    uintptr_t kept_arena = (uintptr_t)arena_at(kept) + source_log.skew;
    for (size_t p = 0; p < POOLS_PER_ARENA; p++)
        for (size_t b = 0; b < LARGEST_PER_POOL; b++)
            if (first->blocks[p][b] != kept)
                heap.free(first->blocks[p][b]);
    give_pools(second, 0, POOLS_PER_ARENA);
    take_census();
    size_t pools = 0;
    for (size_t a = 0; a < seen.arena_count; a++)
        for (size_t p = 0; p < seen.pool_counts[a]; p++) {
            if (seen.pools[a][p].blocks_in_use == 0)
                continue;
            pools++;
            assert_int_equal(seen.bases[a], kept_arena);
            assert_int_equal(seen.pools[a][p].block_bytes, LARGEST);
            assert_int_equal(seen.pools[a][p].blocks_in_use, 1);
            uintptr_t first_pool = (seen.bases[a] + POOL_BYTES - 1) / POOL_BYTES * POOL_BYTES;
            assert_int_equal(first_pool + p * POOL_BYTES, (uintptr_t)pool_at(kept));
        }
    assert_int_equal(pools, 1);
    heap.free(kept);
    free(first);
    free(second);
}

/* --- Order, of more arenas than there is memory for: none of their pools was carved. --- */

enum { FABRICATED = 10000, MORE_THAN_A_BATCH = 1300 };

static struct {
    uintptr_t last;
    size_t arenas, pools;
} order;

static void ignore_figure(void *context, const char *name, uint64_t value)
{
    (void)context;
    (void)name;
    (void)value;
}

static void expect_no_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                            size_t blocks_available)
{
    (void)context;
    fail_msg("a class of %zu with %zu, %zu and %zu", block_bytes, pools, blocks_in_use,
             blocks_available);
}

static void expect_above_last(void *context, uintptr_t base)
{
    (void)context;
    assert_true(base > order.last);
    assert_int_equal(order.pools, order.arenas * POOLS_PER_ARENA);
    order.last = base;
    order.arenas++;
}

static void expect_free_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    (void)context;
    assert_int_equal(block_bytes + blocks_in_use, 0);
    order.pools++;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Every third record of the vector is unused; the others have the arenas `step` places apart, in
 * the order of the records or in one that goes round and round. */
static void expect_order_of(size_t count, size_t step)
{
    static const struct allocator_census by_address = {NULL, ignore_figure, expect_no_class,
                                                       expect_above_last, expect_free_pool};
    static struct arenas arenas;
    size_t length = count * 3 / 2 + 1;

    arenas.vector = calloc(length, sizeof(*arenas.vector));
    assert_non_null(arenas.vector);
    arenas.vector_length = length;
    for (size_t i = 0, place = 0; i < count; i++, place = (place + step) % count) {
        uintptr_t base = (place + 1) * ARENA_BYTES;
        arenas.vector[i + i / 2] = (struct arena){.base = base,
                                                  .carve_at = base,
                                                  .pools_free = POOLS_PER_ARENA,
                                                  .pools_total = POOLS_PER_ARENA};
    }
    memset(&order, 0, sizeof(order));
    double begin = seconds_now();
    arenas_census(&arenas, &by_address);
    double seconds = seconds_now() - begin;
    assert_int_equal(order.arenas, count);
    assert_int_equal(order.last, count * ARENA_BYTES);
    assert_int_equal(order.pools, count * POOLS_PER_ARENA);
    if (count == FABRICATED)
        print_message("%zu arenas, %zu apart: %.1f ms\n", count, step, seconds * 1e3);
#ifndef TIDEMARK_SANITIZED
    assert_true(seconds < 1);
#endif
    free(arenas.vector);
}

static void arenas_come_by_address(void **state)
{
    (void)state;
    static const size_t counts[] = {1, 2, 511, 512, 513, 1024, MORE_THAN_A_BATCH, FABRICATED};

    for (size_t i = 0; i < sizeof(counts) / sizeof(*counts); i++) {
        expect_order_of(counts[i], 1);
        expect_order_of(counts[i], counts[i] - 1); /* downwards, but for the first */
        expect_order_of(counts[i], 7919);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        HEAP_TEST(an_empty_heap_has_figures_and_no_arena),
        HEAP_TEST(blocks_of_every_class_are_seen),
        SKEWED_TEST(blocks_of_every_class_are_seen),
        HEAP_TEST(one_block_pins_its_arena),
        cmocka_unit_test(arenas_come_by_address),
    };
    return cmocka_run_group_tests_name("pymalloc_census", tests, NULL, NULL);
}
