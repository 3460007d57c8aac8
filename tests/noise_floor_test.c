/* Ratios of a control to its reference on tiny inputs, against exact answers. Leaves out how the
 * two are found in a plan (summary_test.c) and the ranks of an interval (statistics_test.c). */
#include "harness/noise_floor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { MIB = 1 << 20, MOST = 16 };

/* One side: samples are added to it and freed with it. */
struct side {
    json_t *samples[MOST];
    size_t count;
};

static struct side control, reference;
static json_t *noise;

static void add(struct side *side, int round, int repeat, double wall_ns, double peak_mib,
                double retained_mib)
{
    side->samples[side->count++] =
        json_pack("{s:i, s:i, s:f, s:f, s:f}", "round", round, "repeat", repeat, "wall_ns", wall_ns,
                  "peak_bytes", peak_mib * MIB, "retained_bytes", retained_mib * MIB);
}

static void compare(void)
{
    static double room[MOST];
    const json_t *samples[2][MOST];

    for (size_t i = 0; i < MOST; i++) {
        samples[0][i] = control.samples[i];
        samples[1][i] = reference.samples[i];
    }
    const struct noise_floor_side sides[] = {{samples[0], control.count},
                                             {samples[1], reference.count}};
    noise = noise_floor_of(&sides[0], &sides[1], room);
}

static void empty(struct side *side)
{
    while (side->count > 0)
        json_decref(side->samples[--side->count]);
}

static int tear_down(void **state)
{
    (void)state;
    empty(&control);
    empty(&reference);
    json_decref(noise);
    noise = NULL;
    return 0;
}

static double part(const char *key, const char *of)
{
    const json_t *value = json_object_get(json_object_get(noise, key), of);

    if (!json_is_number(value))
        fail_msg("%s has no %s", key, of);
    return json_number_value(value);
}

static void assert_part(const char *key, const char *of, double expected)
{
    if (part(key, of) != expected)
        fail_msg("%s of %s is %.17g, not %.17g", of, key, part(key, of), expected);
}

static long long pairs(void)
{
    return json_integer_value(json_object_get(noise, "pairs"));
}

static void test_the_median_of_the_ratios_has_their_extremes_with_six(void **state)
{
    static const double walls[] = {100, 150, 50, 125, 75, 200};

    (void)state;
    for (int round = 0; round < 6; round++) {
        add(&control, round, 0, walls[round], 10, 4);
        add(&reference, round, 0, 100, 10, 2);
    }
    compare();
    assert_int_equal(pairs(), 6);
    assert_part("wall_ns", "median", 1.125);
    assert_part("wall_ns", "low", 0.5);
    assert_part("wall_ns", "high", 2);
    assert_part("peak_bytes", "median", 1);
    assert_part("retained_bytes", "median", 2);
}

static void test_five_pairs_have_no_interval(void **state)
{
    (void)state;
    for (int round = 0; round < 5; round++) {
        add(&control, round, 0, 3, 10, 2);
        add(&reference, round, 0, 2, 10, 2);
    }
    compare();
    assert_part("wall_ns", "median", 1.5);
    assert_true(json_is_null(json_object_get(json_object_get(noise, "wall_ns"), "low")));
}

static void test_a_ratio_is_within_its_round(void **state)
{
    (void)state;
    /* The second round is ten times slower for both, and comes first on one side. */
    add(&control, 0, 0, 10, 10, 2);
    add(&control, 1, 0, 100, 10, 2);
    add(&reference, 1, 0, 100, 10, 2);
    add(&reference, 0, 0, 10, 10, 2);
    compare();
    assert_part("wall_ns", "median", 1);
    assert_int_equal(pairs(), 2);
}

static void test_repeats_pair_among_themselves(void **state)
{
    (void)state;
    add(&control, 0, 0, 10, 10, 2);
    add(&control, 0, 1, 40, 10, 2);
    add(&reference, 0, 1, 20, 10, 2);
    add(&reference, 0, 0, 10, 10, 2);
    compare();
    assert_int_equal(pairs(), 2);
    assert_part("wall_ns", "median", 1.5); /* of 1 and 2 */
}

static void test_a_sample_without_its_other_half_is_left_out(void **state)
{
    (void)state;
    add(&control, 0, 0, 10, 10, 2);
    add(&control, 1, 0, 999, 10, 2);
    add(&reference, 0, 0, 5, 10, 2);
    add(&reference, 2, 0, 1, 10, 2);
    compare();
    assert_int_equal(pairs(), 1);
    assert_part("wall_ns", "median", 2);
}

static void test_less_than_a_mebibyte_has_no_ratio(void **state)
{
    (void)state;
    add(&control, 0, 0, 10, 10, 5);
    add(&control, 1, 0, 10, 10, 5);
    add(&reference, 0, 0, 10, 10, 5);
    add(&reference, 1, 0, 10, 10, 0.99); /* one is enough: the others alone would be a choice */
    compare();
    assert_true(json_is_null(json_object_get(noise, "retained_bytes")));
    assert_part("peak_bytes", "median", 1);
}

static void test_without_a_pair_every_figure_is_null(void **state)
{
    (void)state;
    add(&control, 0, 0, 10, 10, 5);
    compare();
    assert_int_equal(pairs(), 0);
    assert_true(json_is_null(json_object_get(noise, "wall_ns")));
    assert_true(json_is_null(json_object_get(noise, "peak_bytes")));
}

#define noise_test(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        noise_test(test_the_median_of_the_ratios_has_their_extremes_with_six),
        noise_test(test_five_pairs_have_no_interval),
        noise_test(test_a_ratio_is_within_its_round),
        noise_test(test_repeats_pair_among_themselves),
        noise_test(test_a_sample_without_its_other_half_is_left_out),
        noise_test(test_less_than_a_mebibyte_has_no_ratio),
        noise_test(test_without_a_pair_every_figure_is_null),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
