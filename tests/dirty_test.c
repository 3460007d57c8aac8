/* When a sample is dirty, on readings made up for it. Leaves out the canary's work (canary_test.c)
 * and what a dirty sample asks for (tally_test.c). */
#include "harness/dirty.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct canary_history history;

static int tear_down(void **state)
{
    (void)state;
    canary_history_free(&history);
    return 0;
}

static void add(double loop_ns, double latency_ns, double fault_ns)
{
    const struct canary_reading reading = {loop_ns, latency_ns, fault_ns};

    assert_int_equal(canary_history_add(&history, &reading), 0);
}

static int is_dirty(double loop_ns, double latency_ns, double fault_ns)
{
    const struct canary_reading reading = {loop_ns, latency_ns, fault_ns};

    return canary_history_is_dirty(&history, &reading);
}

static void test_nothing_is_dirty_before_five_earlier_readings(void **state)
{
    (void)state;
    for (int earlier = 0; earlier < 5; earlier++) {
        assert_false(is_dirty(1000, 100000, 1000000));
        add(2, 100, 1000);
    }
    assert_true(is_dirty(1000, 100, 1000));
}

static void test_each_piece_alone_makes_a_sample_dirty(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add(2, 100, 1000);
    assert_false(is_dirty(2, 100, 1000));
    assert_true(is_dirty(2.61, 100, 1000));
    assert_true(is_dirty(2, 130.1, 1000));
    assert_true(is_dirty(2, 100, 1500.1));
}

static void test_up_to_the_ratio_nothing_is_dirty(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add(2, 100, 1000);
    assert_false(is_dirty(2.59, 129.9, 1499.9));
}

static void test_a_piece_that_is_quick_is_not_dirty(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add(2, 100, 1000);
    assert_false(is_dirty(0.2, 10, 100));
}

static void test_the_ratio_is_to_the_median_of_the_earlier_ones(void **state)
{
    static const double loops[] = {50, 10, 40, 20, 30};

    (void)state;
    for (size_t i = 0; i < 5; i++)
        add(loops[i], 1, 1);
    assert_false(is_dirty(38.9, 1, 1)); /* median 30, mean 30 */
    assert_true(is_dirty(39.1, 1, 1));
    add(1000, 1, 1); /* median 35 */
    assert_false(is_dirty(45.4, 1, 1));
    assert_true(is_dirty(45.6, 1, 1));
}

static void test_asking_changes_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 5; i++)
        add(2, 100, 1000);
    for (int i = 0; i < 20; i++)
        assert_true(is_dirty(1000, 100, 1000));
    assert_int_equal(history.count, 5);
}

static void test_a_long_run_keeps_every_reading(void **state)
{
    (void)state;
    for (int i = 0; i < 1000; i++)
        add(i, 1, 1);
    assert_int_equal(history.count, 1000); /* median 499.5 */
    assert_false(is_dirty(1.3 * 499.4, 1, 1));
    assert_true(is_dirty(1.3 * 499.6, 1, 1));
}

#define dirty_test(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        dirty_test(test_nothing_is_dirty_before_five_earlier_readings),
        dirty_test(test_each_piece_alone_makes_a_sample_dirty),
        dirty_test(test_up_to_the_ratio_nothing_is_dirty),
        dirty_test(test_a_piece_that_is_quick_is_not_dirty),
        dirty_test(test_the_ratio_is_to_the_median_of_the_earlier_ones),
        dirty_test(test_asking_changes_nothing),
        dirty_test(test_a_long_run_keeps_every_reading),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
