/* Curves whose area and times are known by hand; when moments are due. Leaves out reading them
 * (return_test.py). */
#define _GNU_SOURCE
#include "harness/moments.h"
#include "harness/returned.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define MB     INT64_C(1000000)
#define SECOND UINT64_C(1000000000)

enum { BASELINE_MB = 5, MOST_TICKS = 64 };

static struct tick ticks[MOST_TICKS];
static struct returned_curve curve;

/* At `t_ns`, so much above the baseline, of which `live_mb` is in use. */
static void add_tick(uint64_t t_ns, int64_t resident_mb, int64_t live_mb)
{
    ticks[curve.count++] = (struct tick){.t_ns = t_ns,
                                         .rss_bytes = (uint64_t)((BASELINE_MB + resident_mb) * MB),
                                         .live_bytes = (uint64_t)(live_mb * MB)};
}

/* Of 100 MB 10 stay in use; the last free is at 1 s, when all is still resident, and it is watched
 * until 11 s. */
static int set_up(void **state)
{
    (void)state;
    curve = (struct returned_curve){.ticks = ticks,
                                    .from_ns = SECOND,
                                    .until_ns = 11 * SECOND,
                                    .first_bytes = 100 * MB,
                                    .first_live_bytes = 10 * MB,
                                    .baseline_bytes = BASELINE_MB * MB,
                                    .peak_bytes = 100 * MB,
                                    .floor_bytes = 10 * MB};
    return 0;
}

static void assert_after(double share, uint64_t expected_ns)
{
    uint64_t after_ns = 77;

    assert_int_equal(returned_time(&curve, share, &after_ns), 0);
    assert_int_equal(after_ns, expected_ns);
}

static void assert_never(double share, int error)
{
    uint64_t after_ns = 77;

    assert_int_equal(returned_time(&curve, share, &after_ns), error);
    assert_int_equal(after_ns, 77);
}

static void assert_excess(uint64_t duration_ns, double expected_mb_s)
{
    double byte_seconds = -1;

    assert_int_equal(returned_excess(&curve, duration_ns, &byte_seconds), 0);
    assert_true(byte_seconds > expected_mb_s * 1e6 - 1 && byte_seconds < expected_mb_s * 1e6 + 1);
}

static void what_never_goes_back_has_no_time_and_all_of_the_area(void **state)
{
    (void)state;
    add_tick(0, 100, 100);
    add_tick(SECOND, 100, 10);
    add_tick(11 * SECOND, 100, 10);
    assert_never(0.5, -ETIME);
    assert_never(0.9, -ETIME);
    assert_excess(0, 0);
    assert_excess(SECOND, 90);
    assert_excess(10 * SECOND, 900);
}

static void what_goes_back_at_once_took_no_time(void **state)
{
    (void)state;
    add_tick(0, 100, 100);
    add_tick(SECOND - 1, 10, 10);
    add_tick(11 * SECOND, 10, 10);
    curve.first_bytes = 10 * MB;
    assert_after(0.5, 0);
    assert_after(0.9, 0);
    assert_excess(10 * SECOND, 0);
}

static void what_had_gone_at_the_last_free_took_no_time_however_late_the_next_tick(void **state)
{
    (void)state;
    add_tick(0, 100, 100);
    add_tick(3 * SECOND, 10, 10);
    add_tick(11 * SECOND, 10, 10);
    curve.first_bytes = 10 * MB;
    assert_after(0.9, 0);
    assert_excess(10 * SECOND, 0);
}

static void a_step_has_the_time_and_the_area_of_its_ticks(void **state)
{
    (void)state;
    add_tick(SECOND, 100, 10);
    add_tick(SECOND + 200000000, 100, 10);
    add_tick(SECOND + 201000000, 10, 10);
    add_tick(11 * SECOND, 10, 10);
    assert_after(0.5, 201000000);
    assert_after(0.9, 201000000);
    assert_excess(SECOND, 90 * 0.2 + 90 * 0.001 / 2);
}

static void a_slope_reaches_half_before_nine_tenths(void **state)
{
    (void)state;
    /* Down by 10 MB a second to what is in use. */
    for (int64_t second = 0; second <= 9; second++)
        add_tick(SECOND * (uint64_t)(second + 1), 100 - 10 * second, 10);
    add_tick(11 * SECOND, 10, 10);
    assert_after(0.5, 5 * SECOND); /* 100 - 45 is passed between 4 and 5 s, and seen at 5 */
    assert_after(0.9, 9 * SECOND);
    assert_after(1.0, 9 * SECOND);
    assert_excess(9 * SECOND, 90 * 9 / 2.0);
    assert_excess(SECOND / 2, (90 + 85) / 2.0 / 2); /* between two ticks */
}

static void half_may_go_and_nine_tenths_never(void **state)
{
    (void)state;
    add_tick(SECOND, 100, 10);
    add_tick(3 * SECOND, 40, 10);
    add_tick(11 * SECOND, 40, 10);
    assert_after(0.5, 2 * SECOND);
    assert_never(0.9, -ETIME);
}

static void what_was_low_before_the_last_free_had_not_gone_back(void **state)
{
    (void)state;
    add_tick(0, 0, 0); /* before it was taken at all */
    add_tick(200000000, 100, 100);
    add_tick(500000000, 5, 5); /* a dip: taken again before the last free */
    add_tick(900000000, 100, 100);
    add_tick(3 * SECOND, 100, 10);
    add_tick(4 * SECOND, 40, 10);
    add_tick(11 * SECOND, 40, 10);
    assert_after(0.5, 3 * SECOND);
    assert_never(0.9, -ETIME);
}

static void what_comes_after_the_rest_does_not_count(void **state)
{
    (void)state;
    add_tick(SECOND, 100, 10);
    add_tick(11 * SECOND, 100, 10);
    add_tick(12 * SECOND, 0, 0);
    assert_never(0.5, -ETIME);
}

static void an_area_needs_the_rest_to_last(void **state)
{
    double byte_seconds = -1;

    (void)state;
    add_tick(SECOND, 100, 10);
    add_tick(11 * SECOND, 100, 10);
    assert_int_equal(returned_excess(&curve, 10 * SECOND + 1, &byte_seconds), -ENODATA);
    assert_true(byte_seconds == -1);
}

static void resident_below_what_is_live_is_no_negative_area(void **state)
{
    (void)state;
    add_tick(SECOND, 5, 10);
    add_tick(3 * SECOND, 5, 10);
    add_tick(11 * SECOND, 5, 10);
    curve.first_bytes = 5 * MB;
    assert_excess(10 * SECOND, 0);
}

static void the_area_begins_between_two_ticks_where_the_free_was(void **state)
{
    (void)state;
    add_tick(SECOND - 500000000, 100, 10);
    add_tick(SECOND + 500000000, 100, 10);
    add_tick(11 * SECOND, 100, 10);
    assert_excess(SECOND, 90);
}

static void a_last_tick_before_the_moment_is_taken_to_last(void **state)
{
    (void)state;
    add_tick(SECOND, 100, 10);
    add_tick(SECOND + 500000000, 100, 10);
    assert_excess(SECOND, 90);
}

static void less_than_a_mebibyte_has_no_share(void **state)
{
    (void)state;
    add_tick(SECOND, 100, 10);
    curve.floor_bytes = curve.peak_bytes - RETURNED_LEAST_BYTES + 1;
    assert_never(0.5, -ENODATA);
    curve.floor_bytes--;
    assert_never(0.5, -ETIME);
}

static void without_a_tick_there_is_nothing(void **state)
{
    double byte_seconds = -1;

    (void)state;
    assert_never(0.5, -ENODATA);
    assert_int_equal(returned_excess(&curve, 0, &byte_seconds), -ENODATA);
}

/* Moments. */

static void moments_are_counted_from_the_last_phase_that_freed(void **state)
{
    struct moments moments = {0};
    const struct moment first = {.at_ns = 5, .page_table_bytes = 1};
    const struct moment freed = {.at_ns = 9, .page_table_bytes = 2};
    const struct moment later = {.at_ns = 20, .page_table_bytes = 3};

    (void)state;
    assert_true(moments_due_ns(&moments) == UINT64_MAX);
    moments_phase_ended(&moments, 5, 0, &first);
    assert_int_equal(moments.last_free_ns, 5); /* until something is freed */
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_phase_ended(&moments, 20, 0, &later);
    assert_int_equal(moments.last_free_ns, 9);
    assert_int_equal(moments.taken[0].page_table_bytes, 2);
    assert_int_equal(moments_due_ns(&moments), 9 + 100000000);
}

static void a_moment_without_rest_is_passed_over(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9};
    const struct memory_group none = MEMORY_GROUP_NONE;

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_take(&moments, getpid(), 0, &none);
    assert_int_equal(moments.taken[1].at_ns, 0);
    assert_int_equal(moments_due_ns(&moments), 9 + SECOND);
    moments_take(&moments, getpid(), 1, &none);
    assert_true(moments.taken[2].at_ns > 9);
    assert_true(moments.taken[2].rollup.rss_bytes > 0);
    assert_true(moments.taken[2].page_table_bytes > 0);
    assert_true(moments.taken[2].charge_bytes == MOMENT_NO_CHARGE);
}

static void what_nobody_read_of_a_rest_is_what_its_end_has(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9}, rested = {.at_ns = 9 + SECOND};

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_rest_ended(&moments, 9 + SECOND, &rested);
    assert_int_equal(moments.taken[1].at_ns, 9 + SECOND);
    assert_int_equal(moments.taken[2].at_ns, 9 + SECOND);
    assert_int_equal(moments.taken[3].at_ns, 0);
    assert_int_equal(moments_due_ns(&moments), 9 + 10 * SECOND);
}

static void what_was_due_while_it_did_something_else_is_passed_over(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9}, rested = {.at_ns = 9 + SECOND};

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_pass(&moments, 10 + SECOND / 10);
    moments_rest_ended(&moments, 9 + SECOND, &rested);
    assert_int_equal(moments.taken[1].at_ns, 0);
    assert_int_equal(moments.taken[2].at_ns, 9 + SECOND);
}

static void what_was_due_in_a_phase_that_frees_nothing_is_passed_over(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9}, later = {.at_ns = 9 + SECOND};

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_phase_ended(&moments, 9 + SECOND, 0, &later);
    assert_int_equal(moments.taken[1].at_ns, 0);
    assert_int_equal(moments.taken[2].at_ns, 0);
    assert_int_equal(moments_due_ns(&moments), 9 + 10 * SECOND);
}

static void a_moment_that_was_read_stays_when_the_rest_ends(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9}, rested = {.at_ns = 9 + SECOND};
    const struct memory_group none = MEMORY_GROUP_NONE;

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    moments_take(&moments, getpid(), 1, &none);
    moments_rest_ended(&moments, 9 + SECOND, &rested);
    assert_true(moments.taken[1].rollup.rss_bytes > 0);
    assert_int_equal(moments.taken[2].at_ns, 9 + SECOND);
}

static void after_the_last_moment_none_is_due(void **state)
{
    struct moments moments = {0};
    const struct moment freed = {.at_ns = 9};
    const struct memory_group none = MEMORY_GROUP_NONE;

    (void)state;
    moments_phase_ended(&moments, 9, 1, &freed);
    for (int i = 1; i < MOMENTS; i++)
        moments_take(&moments, getpid(), 0, &none);
    assert_true(moments_due_ns(&moments) == UINT64_MAX);
    moments_phase_ended(&moments, 50, 1, &freed); /* it starts anew */
    assert_int_equal(moments_due_ns(&moments), 50 + 100000000);
}

#define CURVE_TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CURVE_TEST(what_never_goes_back_has_no_time_and_all_of_the_area),
        CURVE_TEST(what_goes_back_at_once_took_no_time),
        CURVE_TEST(what_had_gone_at_the_last_free_took_no_time_however_late_the_next_tick),
        CURVE_TEST(a_step_has_the_time_and_the_area_of_its_ticks),
        CURVE_TEST(a_slope_reaches_half_before_nine_tenths),
        CURVE_TEST(half_may_go_and_nine_tenths_never),
        CURVE_TEST(what_was_low_before_the_last_free_had_not_gone_back),
        CURVE_TEST(what_comes_after_the_rest_does_not_count),
        CURVE_TEST(an_area_needs_the_rest_to_last),
        CURVE_TEST(resident_below_what_is_live_is_no_negative_area),
        CURVE_TEST(the_area_begins_between_two_ticks_where_the_free_was),
        CURVE_TEST(a_last_tick_before_the_moment_is_taken_to_last),
        CURVE_TEST(less_than_a_mebibyte_has_no_share),
        CURVE_TEST(without_a_tick_there_is_nothing),
        CURVE_TEST(moments_are_counted_from_the_last_phase_that_freed),
        CURVE_TEST(a_moment_without_rest_is_passed_over),
        CURVE_TEST(what_nobody_read_of_a_rest_is_what_its_end_has),
        CURVE_TEST(what_was_due_while_it_did_something_else_is_passed_over),
        CURVE_TEST(what_was_due_in_a_phase_that_frees_nothing_is_passed_over),
        CURVE_TEST(a_moment_that_was_read_stays_when_the_rest_ends),
        CURVE_TEST(after_the_last_moment_none_is_due),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
