/* What --until takes, when an interval is narrow, and what stopping by the width does to the 95 %
 * (docs/method.md). Leaves out the rounds (tally_test.c) and a run (until_run_test.py). */
#include "harness/until.h"

#include "harness/statistics.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_a_share_is_written_in_percent(void **state)
{
    static const struct {
        const char *text;
        double share;
    } good[] = {{"2%", 0.02}, {"0.5%", 0.005}, {"0.01%", 0.0001}, {"50%", 0.5}, {"1.25%", 0.0125}};
    static const char *const bad[] = {"",    "2",    "%",    "2 %",  "-2%", "+2%",    "0%",
                                      "51%", "1e0%", "0x2%", "nan%", "2%%", "1.2.3%", "0.009%"};
    double share;

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(until_parse_share(good[i].text, &share), 0);
        assert_true(share == good[i].share);
    }
    share = 7;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        if (until_parse_share(bad[i], &share) != -EINVAL)
            fail_msg("'%s' was taken", bad[i]);
    }
    assert_true(share == 7);
}

static void test_figures_are_named_and_refused_by_name(void **state)
{
    char error[UNTIL_ERROR_BYTES], words[UNTIL_WORDS_BYTES];
    unsigned metrics = 0;

    (void)state;
    assert_int_equal(until_parse_metrics("peak,time", &metrics, error), 0);
    assert_int_equal(metrics, 1u << UNTIL_TIME | 1u << UNTIL_PEAK);
    assert_string_equal(until_words(metrics, words), "time and peak");
    assert_int_equal(until_parse_metrics("retained", &metrics, error), 0);
    assert_string_equal(until_words(metrics, words), "retained");
    assert_string_equal(until_words(7, words), "time, peak and retained");
    assert_int_equal(until_parse_metrics("time,rss", &metrics, error), -EINVAL);
    assert_string_equal(error, "'rss' is neither time nor peak nor retained");
    assert_int_equal(until_parse_metrics("time,", &metrics, error), -EINVAL);
    assert_int_equal(metrics, 1u << UNTIL_RETAINED);
}

static void test_a_width_is_half_the_interval_over_the_median(void **state)
{
    (void)state;
    assert_true(until_half_width(100, 96, 104) == 0.04);
    assert_true(until_half_width(-100, -104, -96) == 0.04);
    assert_true(until_half_width(0, 0, 0) == 0);
    assert_true(isinf(until_half_width(0, -1, 1)));
}

static void test_without_an_interval_nothing_is_narrow(void **state)
{
    double five[] = {100, 100, 100, 100, 100}, six[] = {104, 100, 98, 100, 96, 100};

    (void)state;
    assert_true(isinf(until_half_width_of(five, 0)));
    assert_true(isinf(until_half_width_of(five, 5)));
    assert_true(until_half_width_of(six, 6) == 0.04); /* the extremes */
}

static void assert_refused(const char *key, json_t *value)
{
    const struct until asked = {0.02, 1u << UNTIL_TIME, 60, 1000};
    struct until read = {.share = 7};
    char field[UNTIL_WORDS_BYTES];
    json_t *json = until_to_json(&asked);

    json_object_set_new(json, key, value);
    assert_int_equal(until_from_json(&read, json, field), -EINVAL);
    assert_string_equal(field, key);
    assert_true(read.share == 7);
    json_decref(json);
}

static void test_what_was_asked_is_read_back_to_the_last_bit(void **state)
{
    const struct until asked = {0.003, 1u << UNTIL_TIME | 1u << UNTIL_RETAINED, 61, 1800000000000};
    struct until read;
    char field[UNTIL_WORDS_BYTES];
    double share;

    (void)state;
    json_t *json = until_to_json(&asked);
    char *text = json_dumps(json, JSON_REAL_PRECISION(12));
    json_t *again = json_loads(text, 0, NULL);
    assert_int_equal(until_from_json(&read, again, field), 0);
    assert_int_equal(until_parse_share("0.3%", &share), 0);
    assert_true(read.share == asked.share && read.share == share);
    assert_int_equal(read.metrics, asked.metrics);
    assert_int_equal(read.most_rounds, 61);
    assert_true(read.most_ns == asked.most_ns);
    free(text);
    json_decref(json);
    json_decref(again);
}

static void test_what_does_not_fit_is_refused_by_field(void **state)
{
    (void)state;
    assert_refused("share", json_real(0));
    assert_refused("share", json_real(0.6));
    assert_refused("share", json_string("2%"));
    assert_refused("metrics", json_array());
    assert_refused("metrics", json_pack("[s]", "time"));
    assert_refused("metrics", json_pack("[i]", 1));
    assert_refused("most_rounds", json_integer(5));
    assert_refused("most_rounds", json_integer(1001));
    assert_refused("most_ns", json_integer(-1));
    assert_refused("most_ns", json_null());
}

/* --- Stopping by the width. ---------------------------------------------------------------------
 *
 * The same rule on values whose median is known, 1: from six on one more at a time, until the
 * interval is narrow or there are sixty. How often the last interval holds the median is what the
 * 95 % became. */

enum { RUNS = 4000, LEAST = 6, MOST = 60 };

static uint64_t random_state;

/* Above 0 and below 1: splitmix64 (Steele, Lea and Flood 2014). */
static double uniform(void)
{
    uint64_t z = random_state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    z ^= z >> 31;
    return ((double)(z >> 11) + 0.5) / 9007199254740992.0;
}

static double normal(void)
{
    return sqrt(-2 * log(uniform())) * cos(6.283185307179586 * uniform());
}

/* One tail alone, as a machine that is disturbed has it; its median is 0. */
static double skewed(void)
{
    return -log(uniform()) - log(2);
}

struct coverage {
    double all, of_reached, mean_count, capped;
};

static int run_once(double (*noise)(void), double spread, double share, size_t *count, int *capped)
{
    double values[MOST], sorted[MOST];
    struct median_interval interval;

    *capped = 0;
    for (*count = 0;;) {
        values[(*count)++] = 1 + spread * noise();
        if (*count < LEAST)
            continue;
        memcpy(sorted, values, *count * sizeof *values);
        interval = statistics_median(sorted, *count);
        if (until_half_width(interval.median, interval.low, interval.high) <= share)
            break;
        *capped = *count == MOST;
        if (*capped)
            break;
    }
    return interval.low <= 1 && 1 <= interval.high;
}

static struct coverage cover(double (*noise)(void), double share_of_spread)
{
    const double spread = 0.05;
    struct coverage found = {0};
    double reached = 0;

    random_state = 1;
    for (int run = 0; run < RUNS; run++) {
        size_t count;
        int capped;
        const int holds = run_once(noise, spread, share_of_spread * spread, &count, &capped);
        found.all += (double)holds / RUNS;
        found.of_reached += holds && !capped;
        reached += !capped;
        found.mean_count += (double)count / RUNS;
        found.capped += (double)capped / RUNS;
    }
    found.of_reached /= reached;
    return found;
}

static void test_stopping_by_the_width_costs_some_of_the_95_percent(void **state)
{
    static const double shares[] = {0.3, 0.5, 0.75, 1, 2};
    static const struct {
        const char *name;
        double (*noise)(void);
    } shapes[] = {{"normal", normal}, {"skewed", skewed}};

    (void)state;
    for (size_t shape = 0; shape < 2; shape++) {
        for (size_t i = 0; i < sizeof shares / sizeof shares[0]; i++) {
            const struct coverage found = cover(shapes[shape].noise, shares[i]);
            print_message("%s, share %.2f of the spread: %.3f hold the median, of those that "
                          "reached it %.3f; %.1f samples; %.3f at the cap\n",
                          shapes[shape].name, shares[i], found.all, found.of_reached,
                          found.mean_count, found.capped);
            /* Standard error of 4000 runs: 0.004. */
            assert_true(found.all > 0.905 && found.all < 0.98);
            if (found.capped < 0.1)
                assert_true(found.of_reached > 0.91);
        }
    }
}

static void test_where_half_the_rows_stop_at_the_cap_the_narrow_ones_were_lucky(void **state)
{
    (void)state;
    const struct coverage found = cover(normal, 0.3);
    assert_true(found.capped > 0.4 && found.capped < 0.7);
    assert_true(found.of_reached > 0.85 && found.of_reached < 0.91);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_share_is_written_in_percent),
        cmocka_unit_test(test_figures_are_named_and_refused_by_name),
        cmocka_unit_test(test_a_width_is_half_the_interval_over_the_median),
        cmocka_unit_test(test_without_an_interval_nothing_is_narrow),
        cmocka_unit_test(test_what_was_asked_is_read_back_to_the_last_bit),
        cmocka_unit_test(test_what_does_not_fit_is_refused_by_field),
        cmocka_unit_test(test_stopping_by_the_width_costs_some_of_the_95_percent),
        cmocka_unit_test(test_where_half_the_rows_stop_at_the_cap_the_narrow_ones_were_lucky),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
