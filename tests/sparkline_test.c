/* Curves in a line of text, against known answers. Leaves out the terminal (live_view_test.py). */
#include "harness/sparkline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_COLUMNS = 200 };

static char text[SPARKLINE_CELL_BYTES * MOST_COLUMNS + 1];

static void assert_drawn(const uint64_t *values, size_t count, size_t columns, int is_utf8,
                         const char *expected)
{
    memset(text, 'x', sizeof text);
    const size_t drawn = sparkline_draw(text, values, count, columns, is_utf8);
    assert_string_equal(text, expected);
    assert_int_equal(drawn, count < columns ? count : columns);
}

static void test_each_step_has_its_block(void **state)
{
    const uint64_t values[] = {0, 1, 2, 3, 4, 5, 6, 7};

    (void)state;
    assert_drawn(values, 8, 8, 1, "▁▂▃▄▅▆▇█");
    assert_drawn(values, 8, 8, 0, ".:-=+*#@");
}

static void test_a_value_goes_to_the_nearest_step(void **state)
{
    /* 7 steps of 100: 49 is nearer to the bottom, 51 to the next one. */
    const uint64_t values[] = {49, 51, 349, 351, 651, 700};

    (void)state;
    assert_drawn(values, 6, 80, 0, ".:=+@@");
}

static void test_the_largest_of_a_column_is_drawn(void **state)
{
    const uint64_t values[] = {0, 7, 0, 0, 3, 0};

    (void)state;
    assert_drawn(values, 6, 3, 0, "@.=");
    assert_drawn(values, 6, 1, 0, "@");
    /* Six into four: columns of one, two, one and two values. */
    assert_drawn(values, 6, 4, 0, ".@.=");
}

static void test_nothing_and_nothing_but_zero_are_drawn(void **state)
{
    const uint64_t zeros[] = {0, 0, 0};

    (void)state;
    assert_drawn(zeros, 3, 10, 1, "▁▁▁");
    assert_drawn(zeros, 0, 10, 1, "");
    assert_drawn(zeros, 3, 0, 1, "");
}

static void test_values_as_large_as_there_are_stay_in_their_steps(void **state)
{
    const uint64_t values[] = {UINT64_MAX, UINT64_MAX / 2, 0};

    (void)state;
    assert_drawn(values, 3, 10, 0, "@+.");
}

static void test_a_curve_keeps_the_largest_of_each_stretch(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 10};

    (void)state;
    sparkline_add(&curve, 0, 4);
    sparkline_add(&curve, 9, 2);
    sparkline_add(&curve, 10, 1);
    assert_int_equal(curve.used, 2);
    assert_int_equal(curve.most[0], 4);
    assert_int_equal(curve.most[1], 1); /* not the 4 of before */
}

static void test_a_stretch_without_a_value_has_that_of_the_one_before(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 10};

    (void)state;
    sparkline_add(&curve, 5, 3);
    sparkline_add(&curve, 35, 8);
    const uint64_t expected[] = {3, 3, 3, 8};
    assert_int_equal(curve.used, 4);
    assert_memory_equal(curve.most, expected, sizeof expected);
}

static void test_a_curve_without_room_becomes_coarser(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 1};

    (void)state;
    for (uint64_t t = 0; t < SPARKLINE_BUCKETS; t++)
        sparkline_add(&curve, t, t);
    assert_int_equal(curve.used, SPARKLINE_BUCKETS);
    sparkline_add(&curve, SPARKLINE_BUCKETS, 1);
    assert_int_equal(curve.bucket_ns, 2);
    assert_int_equal(curve.used, SPARKLINE_BUCKETS / 2 + 1);
    for (size_t i = 0; i < SPARKLINE_BUCKETS / 2; i++)
        assert_int_equal(curve.most[i], 2 * i + 1);
    assert_int_equal(curve.most[SPARKLINE_BUCKETS / 2], 1);
}

static void test_a_stretch_that_is_joined_keeps_its_value_when_another_comes(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 1};

    (void)state;
    sparkline_add(&curve, 0, 9);
    sparkline_add(&curve, 2 * SPARKLINE_BUCKETS - 1, 1); /* joined to stretches of two */
    assert_int_equal(curve.bucket_ns, 2);
    assert_int_equal(curve.most[0], 9);

    struct sparkline_curve early = {.bucket_ns = 1};
    for (uint64_t t = 0; t <= 126; t++)
        sparkline_add(&early, t, 5);
    early.most[126] = 7;
    sparkline_add(&early, 128, 2); /* 126 is the first half of its new stretch */
    assert_int_equal(early.most[63], 7);
    assert_int_equal(early.most[64], 2);
}

static void test_what_was_carried_over_gives_way_after_a_join_too(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 1};

    (void)state;
    for (uint64_t t = 0; t < 100; t++)
        sparkline_add(&curve, t, 5);
    sparkline_add(&curve, 198, 2); /* stretch 99 of two, where 99 of one was the last before */
    assert_int_equal(curve.bucket_ns, 2);
    assert_int_equal(curve.most[98], 5);
    assert_int_equal(curve.most[99], 2);
}

static void test_a_late_first_value_is_no_endless_curve(void **state)
{
    struct sparkline_curve curve = {.bucket_ns = 1};

    (void)state;
    sparkline_add(&curve, UINT64_MAX, 5);
    assert_true(curve.used <= SPARKLINE_BUCKETS);
    assert_int_equal(curve.most[curve.used - 1], 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_step_has_its_block),
        cmocka_unit_test(test_a_value_goes_to_the_nearest_step),
        cmocka_unit_test(test_the_largest_of_a_column_is_drawn),
        cmocka_unit_test(test_nothing_and_nothing_but_zero_are_drawn),
        cmocka_unit_test(test_values_as_large_as_there_are_stay_in_their_steps),
        cmocka_unit_test(test_a_curve_keeps_the_largest_of_each_stretch),
        cmocka_unit_test(test_a_stretch_without_a_value_has_that_of_the_one_before),
        cmocka_unit_test(test_a_curve_without_room_becomes_coarser),
        cmocka_unit_test(test_a_stretch_that_is_joined_keeps_its_value_when_another_comes),
        cmocka_unit_test(test_what_was_carried_over_gives_way_after_a_join_too),
        cmocka_unit_test(test_a_late_first_value_is_no_endless_curve),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
