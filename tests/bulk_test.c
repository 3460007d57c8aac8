/*
 * bulk: which blocks are freed, in which order, and which survive by chance. Leaves out what every
 * workload promises (workloads_test.c). The prediction is that of independent draws: of a stretch
 * of b blocks none is kept with the chance (1 - 1/k)^b.
 */
#include "workloads/workload.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { BLOCKS = 100000, BLOCK_BYTES = 16, STRETCH = 100, STRETCHES = BLOCKS / STRETCH };

/* --- An allocator that gives the next slot, and notes what is freed. --- */

static char slots[BLOCKS][BLOCK_BYTES];
static size_t made, freed;
static uint32_t order_of_frees[BLOCKS];

static void *slot_malloc(size_t size)
{
    assert_int_equal(size, BLOCK_BYTES);
    assert_true(made < BLOCKS);
    return slots[made++];
}

static void slot_free(void *block)
{
    assert_true(freed < BLOCKS);
    order_of_frees[freed++] = (uint32_t)(((char *)block - &slots[0][0]) / BLOCK_BYTES);
}

static const struct allocator_ops slot_ops = {.malloc = slot_malloc, .free = slot_free};

/* --- A run, and what there is of it at the end of the phase `free`. --- */

static struct {
    size_t freed;
    uint64_t live_bytes;
} at_end;

static struct workload_gauge gauge;

static void begin_phase(struct workload_context *context, const char *name)
{
    (void)context;
    assert_int_equal(made, strcmp(name, "build") == 0 ? 0 : BLOCKS);
}

static void end_phase(struct workload_context *context)
{
    at_end.freed = freed;
    at_end.live_bytes = context->gauge->live_bytes;
}

static void run(const char *order, const char *keep, uint64_t seed)
{
    const struct workload *bulk = workload_find("bulk");
    struct workload_context context = {.object = &slot_ops,
                                       .raw = &slot_ops,
                                       .gauge = &gauge,
                                       .workload = bulk,
                                       .seed = seed,
                                       .begin_phase = begin_phase,
                                       .end_phase = end_phase};
    const struct {
        const char *name, *value;
    } values[] = {{"n", "100k"}, {"size", "16"}, {"order", order}, {"keep", keep}};

    for (size_t i = 0; bulk->parameters[i].name; i++) {
        assert_string_equal(bulk->parameters[i].name, values[i].name);
        assert_int_equal(parameter_parse(&bulk->parameters[i], values[i].value, &context.values[i]),
                         0);
    }
    made = freed = 0;
    memset(&gauge, 0, sizeof gauge);
    assert_int_equal(bulk->run(&context), 0);
    /* What was kept is tidied up: each block is freed once. */
    assert_int_equal(freed, BLOCKS);
    assert_int_equal(gauge.live_bytes, 0);
    assert_int_equal(at_end.live_bytes, (BLOCKS - at_end.freed) * BLOCK_BYTES);
}

/* 1 for each block that survived the phase; the caller frees it. */
static char *survivors(void)
{
    char *kept = malloc(BLOCKS);

    assert_non_null(kept);
    memset(kept, 1, BLOCKS);
    for (size_t i = 0; i < at_end.freed; i++) {
        assert_true(kept[order_of_frees[i]]);
        kept[order_of_frees[i]] = 0;
    }
    return kept;
}

/* Five standard deviations of a count of `trials` with the chance `p`: one run in a million. */
static void assert_likely(size_t count, size_t trials, double p)
{
    double mean = (double)trials * p, deviation = sqrt(mean * (1 - p));

    if (fabs((double)count - mean) > 5 * deviation)
        fail_msg("%zu of %zu, expected %.1f +- %.1f", count, trials, mean, deviation);
}

static void each_block_survives_with_a_chance_of_one_in_k(void **state)
{
    static const struct {
        const char *text;
        double k;
    } keeps[] = {{"2", 2}, {"5", 5}, {"10", 10}, {"100", 100}, {"1000", 1000}};

    (void)state;
    for (size_t i = 0; i < sizeof keeps / sizeof keeps[0]; i++) {
        for (uint64_t seed = 1; seed <= 3; seed++) {
            run("random", keeps[i].text, seed);
            assert_likely(BLOCKS - at_end.freed, BLOCKS, 1 / keeps[i].k);
        }
    }
}

/* Each k-th would be in every stretch of k. */
static void survivors_are_independent_of_each_other(void **state)
{
    size_t empty = 0, pairs = 0;

    (void)state;
    run("random", "100", 1);
    char *kept = survivors();
    for (size_t i = 0; i < STRETCHES; i++)
        empty += memchr(kept + i * STRETCH, 1, STRETCH) == NULL;
    assert_likely(empty, STRETCHES, pow(1 - 0.01, STRETCH));
    free(kept);
    run("random", "5", 1);
    kept = survivors();
    for (size_t i = 0; i + 1 < BLOCKS; i += 2)
        pairs += kept[i] && kept[i + 1];
    assert_likely(pairs, BLOCKS / 2, 1.0 / 25);
    free(kept);
}

static void survivors_follow_from_the_seed_alone(void **state)
{
    static const char *const orders[] = {"lifo", "fifo", "random"};

    (void)state;
    run("random", "10", 1);
    char *first = survivors();
    for (size_t i = 0; i < sizeof orders / sizeof orders[0]; i++) {
        run(orders[i], "10", 1);
        char *again = survivors();
        assert_memory_equal(again, first, BLOCKS);
        free(again);
    }
    run("random", "10", 2);
    char *other = survivors();
    assert_memory_not_equal(other, first, BLOCKS);
    free(other);
    free(first);
}

static void keep_0_keeps_none_and_1_all(void **state)
{
    (void)state;
    run("random", "0", 1);
    assert_int_equal(at_end.freed, BLOCKS);
    run("lifo", "1", 1);
    assert_int_equal(at_end.freed, 0);
}

/* How often a block is freed whose place is above, or below, that of the one before. */
static size_t count_ups(void)
{
    size_t ups = 0;

    for (size_t i = 1; i < at_end.freed; i++)
        ups += order_of_frees[i] > order_of_frees[i - 1];
    return ups;
}

static void frees_come_in_the_order_asked_for(void **state)
{
    static const char *const keeps[] = {"0", "3"};

    (void)state;
    for (size_t i = 0; i < sizeof keeps / sizeof keeps[0]; i++) {
        run("fifo", keeps[i], 1);
        assert_int_equal(count_ups(), at_end.freed - 1);
        run("lifo", keeps[i], 1);
        assert_int_equal(count_ups(), 0);
        run("random", keeps[i], 1);
        /* The variance of ascents is a third of that of as many coins. */
        assert_likely(count_ups(), at_end.freed - 1, 0.5);
    }
}

/* --- Large blocks, of libc's: zeroed, so that what the workload writes shows. --- */

enum { LARGE_BLOCKS = 3, GAUGE_LAG_BYTES = 1 << 20 };

static struct {
    size_t size, made;
    uint64_t lag_bytes; /* by how much the gauge was behind at worst */
    char *blocks[LARGE_BLOCKS];
} large;

static void *large_malloc(size_t size)
{
    const uint64_t lag_bytes = large.made * large.size - gauge.live_bytes;

    assert_int_equal(size, large.size);
    assert_true(large.made < LARGE_BLOCKS);
    if (lag_bytes > large.lag_bytes)
        large.lag_bytes = lag_bytes;
    large.blocks[large.made] = calloc(1, size);
    assert_non_null(large.blocks[large.made]);
    return large.blocks[large.made++];
}

static const struct allocator_ops large_ops = {.malloc = large_malloc, .free = free};

/* Each page but the first, whose word is the block's number, and the last byte. */
static void assert_touched(const char *block)
{
    enum { PAGE_BYTES = 4096 };

    for (size_t offset = PAGE_BYTES; offset < large.size; offset += PAGE_BYTES)
        assert_int_not_equal(block[offset], 0);
    assert_int_not_equal(block[large.size - 1], 0);
}

static void begin_large_phase(struct workload_context *context, const char *name)
{
    (void)context;
    for (size_t i = 0; strcmp(name, "free") == 0 && i < LARGE_BLOCKS; i++) {
        assert_int_equal(*(uint64_t *)large.blocks[i], i);
        assert_touched(large.blocks[i]);
    }
}

static void end_nothing(struct workload_context *context)
{
    (void)context;
}

static void run_large(const char *size)
{
    const struct workload *bulk = workload_find("bulk");
    struct workload_context context = {.object = &large_ops,
                                       .raw = &large_ops,
                                       .gauge = &gauge,
                                       .workload = bulk,
                                       .values = {LARGE_BLOCKS},
                                       .begin_phase = begin_large_phase,
                                       .end_phase = end_nothing};

    memset(&gauge, 0, sizeof gauge);
    memset(&large, 0, sizeof large);
    assert_int_equal(parameter_parse(&bulk->parameters[1], size, &context.values[1]), 0);
    large.size = context.values[1];
    assert_int_equal(bulk->run(&context), 0);
    assert_int_equal(large.made, LARGE_BLOCKS);
    assert_int_equal(gauge.live_bytes, 0);
}

static void large_blocks_are_touched_and_told_of_one_by_one(void **state)
{
    static const char *const sizes[] = {"4097", "300k", "33554431"};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        run_large(sizes[i]);
        assert_true(large.lag_bytes <= GAUGE_LAG_BYTES);
    }
}

static void the_bytes_of_all_blocks_fit_a_number(void **state)
{
    const struct parameter *parameters = workload_find("bulk")->parameters;
    uint64_t value, bytes;

    (void)state;
    assert_int_equal(parameter_parse(&parameters[1], "33554432", &value), -ERANGE);
    assert_false(__builtin_mul_overflow(parameters[0].maximum, parameters[1].maximum, &bytes));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_block_survives_with_a_chance_of_one_in_k),
        cmocka_unit_test(survivors_are_independent_of_each_other),
        cmocka_unit_test(survivors_follow_from_the_seed_alone),
        cmocka_unit_test(keep_0_keeps_none_and_1_all),
        cmocka_unit_test(frees_come_in_the_order_asked_for),
        cmocka_unit_test(large_blocks_are_touched_and_told_of_one_by_one),
        cmocka_unit_test(the_bytes_of_all_blocks_fit_a_number),
    };
    return cmocka_run_group_tests_name("bulk", tests, NULL, NULL);
}
