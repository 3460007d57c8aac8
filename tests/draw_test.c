/*
 * The distributions of workloads/draw.h: their bounds, both reached, and one figure of each shape
 * that its definition gives; and tables. Leaves out the generator (its seeds are any). The
 * predictions are integrals of the densities; a draw of a million is off by 0.5 % at most, five
 * standard deviations of a share of a half being 0.25 %.
 */
#include "workloads/draw.h"
#include "workloads/table.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { DRAWS = 1000000, TOLERANCE = DRAWS / 200 };

struct seen {
    size_t least, most, below; /* below: how many lay under `split` */
};

static void see(struct seen *seen, size_t value, size_t split)
{
    if (value < seen->least)
        seen->least = value;
    if (value > seen->most)
        seen->most = value;
    seen->below += value < split;
}

static void assert_near(size_t count, double share)
{
    double expected = share * DRAWS, off = (double)count - expected;

    assert_true(off < TOLERANCE && off > -TOLERANCE);
}

static void uniform_draws_reach_both_ends(void **state)
{
    struct seen seen = {.least = SIZE_MAX};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        see(&seen, draw_between(&random, 8, 999), 504);
    assert_int_equal(seen.least, 8);
    assert_int_equal(seen.most, 999);
    assert_near(seen.below, 0.5);
    assert_int_equal(draw_below(&random, 1), 0);
    assert_int_equal(draw_between(&random, 7, 7), 7);
}

static void units_stay_below_one(void **state)
{
    uint64_t random = 1;
    size_t low = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        double unit = draw_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        low += unit < 0.25;
    }
    assert_near(low, 0.25);
}

static void a_chance_is_a_share_of_a_hundred(void **state)
{
    uint64_t random = 1;
    size_t yes = 0;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        yes += (size_t)draw_chance(&random, 66);
    assert_near(yes, 0.66);
    for (int i = 0; i < 1000; i++) {
        assert_true(draw_chance(&random, 100));
        assert_false(draw_chance(&random, 0));
    }
}

/* P(size < s) = (1/4 - 1/s) / (1/4 - 1/32768). */
static void inverse_squares_fall_with_the_square(void **state)
{
    struct seen seen = {.least = SIZE_MAX};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        see(&seen, draw_inverse_square(&random, 4, 32768), 8);
    assert_int_equal(seen.least, 4);
    assert_true(seen.most > 30000 && seen.most <= 32768);
    assert_near(seen.below, (1.0 / 4 - 1.0 / 8) / (1.0 / 4 - 1.0 / 32768));
}

/* Three in four lie in the lower half of a triangle. */
static void a_falloff_is_a_triangle(void **state)
{
    struct seen seen = {.least = SIZE_MAX};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        see(&seen, draw_falloff(&random, 8, 16007), 8008);
    assert_int_equal(seen.least, 8);
    assert_true(seen.most > 15900 && seen.most <= 16007);
    assert_near(seen.below, 0.75);
}

static void a_fifth_of_the_slots_gets_four_in_five(void **state)
{
    struct seen fifth = {.least = SIZE_MAX}, second = {.least = SIZE_MAX};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++) {
        size_t slot = draw_pareto(&random, 100000);
        see(&fifth, slot, 20000);
        see(&second, slot, 4000);
    }
    assert_near(fifth.below, 0.8);
    assert_near(second.below, 0.64);
    assert_int_equal(fifth.least, 0);
    assert_true(fifth.most > 99900 && fifth.most < 100000);
    assert_int_equal(draw_pareto(&random, 1), 0);
    for (int i = 0; i < 1000; i++)
        assert_true(draw_pareto(&random, 7) < 7);
}

/* Half of the numbers are odd: k is 2, and the size from 5 to 8. */
static void doubled_sizes_are_half_as_frequent(void **state)
{
    struct seen seen = {.least = SIZE_MAX};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        see(&seen, draw_doubling(&random, 7), 9);
    assert_int_equal(seen.least, 5);
    assert_int_equal(seen.most, 1024);
    assert_near(seen.below, 0.5);
}

static void weights_decide_the_index(void **state)
{
    static const double cumulative[] = {10, 10, 60, 80};
    size_t counts[4] = {0};
    uint64_t random = 1;

    (void)state;
    for (int i = 0; i < DRAWS; i++)
        counts[draw_weighted(&random, cumulative, 4)]++;
    assert_near(counts[0], 0.125);
    assert_int_equal(counts[1], 0);
    assert_near(counts[2], 0.625);
    assert_near(counts[3], 0.25);
}

static void a_table_is_zeroed_and_too_large_a_one_is_refused(void **state)
{
    uint64_t *table = table_map(1000, sizeof *table);

    (void)state;
    assert_non_null(table);
    for (size_t i = 0; i < 1000; i++)
        assert_int_equal(table[i], 0);
    table_unmap(table, 1000, sizeof *table);
    assert_null(table_map(SIZE_MAX / 8, 16));
    table_unmap(NULL, 1000, 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uniform_draws_reach_both_ends),
        cmocka_unit_test(units_stay_below_one),
        cmocka_unit_test(a_chance_is_a_share_of_a_hundred),
        cmocka_unit_test(inverse_squares_fall_with_the_square),
        cmocka_unit_test(a_falloff_is_a_triangle),
        cmocka_unit_test(a_fifth_of_the_slots_gets_four_in_five),
        cmocka_unit_test(doubled_sizes_are_half_as_frequent),
        cmocka_unit_test(weights_decide_the_index),
        cmocka_unit_test(a_table_is_zeroed_and_too_large_a_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
