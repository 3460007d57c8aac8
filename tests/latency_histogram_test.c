/*
 * The histogram of latencies against the values themselves: bounds of buckets, quantiles within
 * 1/64 of the exact ones, sums and extremes exact, merging in any order. Leaves out the clock.
 */
#include "harness/latency_histogram.h"

#include "workloads/random.h"

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

enum { VALUES = 100000 };

static struct latency_histogram histogram, other;
static uint64_t values[VALUES];

static void add_all(struct latency_histogram *to, const uint64_t *from, size_t count)
{
    memset(to, 0, sizeof *to);
    for (size_t i = 0; i < count; i++)
        latency_histogram_add(to, from[i]);
}

static int compare(const void *a, const void *b)
{
    const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* Durations over some nine orders of magnitude: most are small, as in life. */
static void draw_values(uint64_t seed)
{
    for (size_t i = 0; i < VALUES; i++)
        values[i] = random_next(&seed) >> (30 + random_next(&seed) % 34);
}

static void buckets_follow_each_other_without_a_gap(void **state)
{
    (void)state;
    assert_int_equal(latency_bucket_least(0), 0);
    for (size_t i = 0; i + 1 < LATENCY_BUCKETS; i++) {
        const uint64_t least = latency_bucket_least(i), most = latency_bucket_most(i);
        assert_int_equal(latency_bucket_of(least), i);
        assert_int_equal(latency_bucket_of(most), i);
        assert_int_equal(latency_bucket_least(i + 1), most + 1);
        assert_true((most - least + 1) * 32 <= least || least == most);
    }
    assert_int_equal(latency_bucket_least(LATENCY_BUCKETS - 1), UINT64_C(1) << 36);
    assert_int_equal(latency_bucket_of(UINT64_MAX), LATENCY_BUCKETS - 1);
    assert_true(latency_bucket_most(LATENCY_BUCKETS - 1) == UINT64_MAX);
}

static void small_values_are_exact(void **state)
{
    (void)state;
    for (size_t i = 0; i < 63; i++)
        values[i] = 62 - i;
    add_all(&histogram, values, 63);
    assert_int_equal(latency_histogram_quantile(&histogram, 500000), 31);
    assert_int_equal(latency_histogram_quantile(&histogram, 1), 0);
    assert_int_equal(latency_histogram_quantile(&histogram, 1000000), 62);
    assert_int_equal(histogram.sum, 62 * 63 / 2);
}

static void quantiles_are_within_a_64th_of_the_exact_ones(void **state)
{
    static const uint64_t parts[] = {1,      1000,   250000, 500000, 900000,
                                     990000, 999000, 999900, 999999};

    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        draw_values(seed);
        add_all(&histogram, values, VALUES);
        qsort(values, VALUES, sizeof values[0], compare);
        for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
            const uint64_t rank = (VALUES * parts[i] + 999999) / 1000000;
            const uint64_t exact = values[rank > 0 ? rank - 1 : 0];
            const uint64_t found = latency_histogram_quantile(&histogram, parts[i]);
            const uint64_t off = found > exact ? found - exact : exact - found;
            assert_true(off * 64 <= exact);
        }
        assert_true(histogram.least == values[0] && histogram.most == values[VALUES - 1]);
        assert_int_equal(histogram.count, VALUES);
    }
}

/* One in a thousand is slow: p99.9 is the last of the fast ones, anything beyond it is slow. */
static void a_rank_is_neither_one_too_low_nor_too_high(void **state)
{
    (void)state;
    for (size_t i = 0; i < VALUES; i++)
        values[i] = i % 1000 == 0 ? 40 : 20;
    add_all(&histogram, values, VALUES);
    assert_int_equal(latency_histogram_quantile(&histogram, 999000), 20);
    assert_int_equal(latency_histogram_quantile(&histogram, 999001), 40);
}

static void what_is_too_large_is_counted_and_its_most_is_kept(void **state)
{
    const uint64_t too_large = UINT64_C(1) << 40;

    (void)state;
    memset(&histogram, 0, sizeof histogram);
    for (size_t i = 0; i < 10; i++)
        latency_histogram_add(&histogram, too_large + i);
    latency_histogram_add(&histogram, 5);
    assert_int_equal(histogram.buckets[LATENCY_BUCKETS - 1], 10);
    assert_true(latency_histogram_quantile(&histogram, 500000) == too_large + 9);
    assert_int_equal(latency_histogram_quantile(&histogram, 1), 5);
}

static void an_empty_one_says_zero_and_changes_nothing(void **state)
{
    (void)state;
    memset(&other, 0, sizeof other);
    assert_int_equal(latency_histogram_quantile(&other, 999000), 0);
    add_all(&histogram, (const uint64_t[]){7, 9}, 2);
    latency_histogram_merge(&histogram, &other);
    assert_int_equal(histogram.least, 7);
    latency_histogram_merge(&other, &histogram);
    assert_memory_equal(&other, &histogram, sizeof other);
}

/* Any split into parts, merged in any order, is the whole. */
static void merging_is_adding(void **state)
{
    static struct latency_histogram parts[3], left, right, whole;

    (void)state;
    draw_values(99);
    add_all(&whole, values, VALUES);
    add_all(&parts[0], values, 10);
    add_all(&parts[1], values + 10, VALUES / 2);
    add_all(&parts[2], values + 10 + VALUES / 2, VALUES - VALUES / 2 - 10);
    left = parts[0];
    latency_histogram_merge(&left, &parts[1]);
    latency_histogram_merge(&left, &parts[2]);
    right = parts[2];
    latency_histogram_merge(&right, &parts[1]);
    latency_histogram_merge(&right, &parts[0]);
    assert_memory_equal(&left, &whole, sizeof whole);
    assert_memory_equal(&right, &whole, sizeof whole);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(buckets_follow_each_other_without_a_gap),
        cmocka_unit_test(small_values_are_exact),
        cmocka_unit_test(quantiles_are_within_a_64th_of_the_exact_ones),
        cmocka_unit_test(a_rank_is_neither_one_too_low_nor_too_high),
        cmocka_unit_test(what_is_too_large_is_counted_and_its_most_is_kept),
        cmocka_unit_test(an_empty_one_says_zero_and_changes_nothing),
        cmocka_unit_test(merging_is_adding),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
