/* Medians and their intervals on tiny inputs, against exact answers (binomial tables; Conover 3.2).
 */
#include "harness/statistics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_one_value_is_its_own_median(void **state)
{
    double values[] = {42};

    (void)state;
    struct median_interval result = statistics_median(values, 1);
    assert_true(result.median == 42);
    assert_false(result.has_interval);
}

static void test_an_even_count_takes_the_mean_of_the_middle_two(void **state)
{
    double values[] = {9, 1, 4, 2};

    (void)state;
    assert_true(statistics_median(values, 4).median == 3);
}

static void test_five_samples_have_no_interval(void **state)
{
    double values[] = {1, 2, 3, 4, 5};

    (void)state;
    /* The extremes of five hold the median with 1 - 2/32 = 93.75 %. */
    assert_false(statistics_median(values, 5).has_interval);
}

static void test_six_samples_have_their_extremes(void **state)
{
    double values[] = {6, 5, 4, 3, 2, 1};

    (void)state;
    struct median_interval result = statistics_median(values, 6);
    assert_true(result.has_interval);
    assert_true(result.median == 3.5);
    assert_true(result.low == 1);
    assert_true(result.high == 6);
}

static void test_ranks_are_those_of_the_table(void **state)
{
    /* n, samples left out at each end: the usual table of sign-test intervals at 95 %. */
    static const struct {
        size_t count;
        long rank;
    } table[] = {{1, -1}, {5, -1}, {6, 0},  {8, 0},  {9, 1},   {11, 1},  {12, 2},
                 {15, 3}, {20, 5}, {25, 7}, {30, 9}, {50, 17}, {100, 39}};

    (void)state;
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        assert_int_equal(statistics_interval_rank(table[i].count), table[i].rank);
}

static void test_many_samples_do_not_overflow(void **state)
{
    (void)state;
    long rank = statistics_interval_rank(5000);
    assert_in_range(rank, 2420, 2440); /* 2500 - 1.96 * sqrt(5000) / 2 = 2430.7 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_value_is_its_own_median),
        cmocka_unit_test(test_an_even_count_takes_the_mean_of_the_middle_two),
        cmocka_unit_test(test_five_samples_have_no_interval),
        cmocka_unit_test(test_six_samples_have_their_extremes),
        cmocka_unit_test(test_ranks_are_those_of_the_table),
        cmocka_unit_test(test_many_samples_do_not_overflow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
