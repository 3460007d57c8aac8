/* Cells from small plans and samples, against exact answers. Leaves out the figures of one sample
 * (record_test.c) and the ranks of an interval (statistics_test.c). */
#include "harness/summary.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const char one_cell[] = "{'cells': [{'workload': 'w', 'allocator': 'a'}]}";
static const char two_cells[] = "{'cells': [{'allocator': 'a'}, {'allocator': 'b'}]}";

static json_t *summary;
static char error[SUMMARY_ERROR_BYTES];

/* JSON with ' in place of ", so that it can be read here. */
static json_t *parse(const char *text)
{
    char quoted[4096];
    json_error_t at;
    size_t length = strlen(text);

    assert_true(length < sizeof quoted);
    for (size_t i = 0; i <= length; i++)
        quoted[i] = (char)(text[i] == '\'' ? '"' : text[i]);
    json_t *value = json_loads(quoted, JSON_REJECT_DUPLICATES, &at);
    if (!value)
        fail_msg("%s in %s", at.text, text);
    return value;
}

static void summarise(const char *plan_text, const char *samples_text)
{
    json_t *plan = parse(plan_text);
    json_t *samples = parse(samples_text);

    error[0] = '\0';
    summary = summary_of_run(plan, samples, error);
    json_decref(plan);
    json_decref(samples);
}

/* Samples of cell 0, all ok, with `key` at each of the values in turn. */
static void summarise_values(const char *key, const char *const *values, size_t count)
{
    char text[2048] = "";

    for (size_t i = 0; i < count; i++) {
        size_t used = strlen(text);
        snprintf(text + used, sizeof text - used, "%s{'cell': 0, 'status': 'ok', '%s': %s}%s",
                 i ? ", " : "[", key, values[i], i + 1 == count ? "]" : "");
    }
    summarise(one_cell, text);
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(summary);
    summary = NULL;
    return 0;
}

static json_t *of_cell(size_t cell, const char *key)
{
    if (!summary)
        fail_msg("no summary: %s", error);
    json_t *value = json_object_get(json_array_get(summary, cell), key);
    if (!value)
        fail_msg("cell %zu has no %s", cell, key);
    return value;
}

static void assert_number(const json_t *value, double expected)
{
    assert_true(json_is_number(value));
    if (json_number_value(value) != expected)
        fail_msg("%.17g is not %.17g", json_number_value(value), expected);
}

static void assert_text(const json_t *value, const char *expected)
{
    assert_true(json_is_string(value));
    assert_string_equal(json_string_value(value), expected);
}

static void assert_median(size_t cell, const char *key, double expected)
{
    assert_number(json_object_get(of_cell(cell, key), "median"), expected);
}

static void test_five_samples_have_a_median_and_no_interval(void **state)
{
    static const char *const values[] = {"50", "10", "40", "20", "30"};

    (void)state;
    summarise_values("wall_ns", values, 5);
    assert_median(0, "wall_ns", 30);
    assert_true(json_is_null(json_object_get(of_cell(0, "wall_ns"), "low")));
    assert_true(json_is_null(json_object_get(of_cell(0, "wall_ns"), "high")));
    assert_number(of_cell(0, "samples"), 5);
}

static void test_six_samples_have_their_extremes(void **state)
{
    static const char *const values[] = {"50", "10", "40", "20", "60", "30"};

    (void)state;
    summarise_values("wall_ns", values, 6);
    assert_number(json_object_get(of_cell(0, "wall_ns"), "low"), 10);
    assert_number(json_object_get(of_cell(0, "wall_ns"), "high"), 60);
}

static void test_the_median_of_an_even_count_is_the_mean_of_the_middle_two(void **state)
{
    static const char *const values[] = {"1", "1000", "4", "7"};

    (void)state;
    summarise_values("retained_bytes", values, 4);
    assert_median(0, "retained_bytes", 5.5);
}

static void test_every_figure_of_the_format_is_summarised(void **state)
{
    static const char *const keys[] = {"wall_ns",
                                       "cpu_ns",
                                       "peak_bytes",
                                       "retained_bytes",
                                       "baseline_bytes",
                                       "live_peak_bytes",
                                       "return_ratio",
                                       "return_ratio_live",
                                       "since_last_free_ns",
                                       "minor_faults"};
    static const char *const values[] = {"-3.5"};

    (void)state;
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        summarise_values(keys[i], values, 1);
        assert_median(0, keys[i], -3.5);
        tear_down(NULL);
    }
}

static void test_a_figure_that_no_sample_has_is_null(void **state)
{
    static const char *const values[] = {"null", "null"};

    (void)state;
    summarise_values("return_ratio", values, 2);
    assert_true(json_is_null(of_cell(0, "return_ratio")));
    assert_true(json_is_null(of_cell(0, "wall_ns"))); /* not in the samples at all */
}

static void test_a_figure_that_some_samples_have_is_theirs(void **state)
{
    static const char *const values[] = {"null", "0.25", "null", "0.75"};

    (void)state;
    summarise_values("return_ratio", values, 4);
    assert_median(0, "return_ratio", 0.5);
    assert_number(of_cell(0, "samples"), 4);
}

static const char one_failed[] =
    "[{'sample': 0, 'cell': 0, 'status': 'signal', 'reason': 'killed', 'wall_ns': 9000,"
    "  'version': null, 'providers': null},"
    " {'sample': 1, 'cell': 0, 'status': 'ok', 'reason': null, 'wall_ns': 10, 'version': '5.3'},"
    " {'sample': 2, 'cell': 0, 'status': 'timeout', 'reason': 'slow', 'wall_ns': 8000},"
    " {'sample': 3, 'cell': 0, 'status': 'ok', 'reason': null, 'wall_ns': 20, 'version': '5.3'}]";

static void test_a_failed_sample_among_good_ones_marks_the_cell(void **state)
{
    (void)state;
    summarise(one_cell, one_failed);
    assert_text(of_cell(0, "status"), "signal"); /* the first one's */
    assert_text(of_cell(0, "reason"), "killed");
}

static void test_figures_are_those_of_the_good_samples_alone(void **state)
{
    (void)state;
    summarise(one_cell, one_failed);
    assert_median(0, "wall_ns", 15);
    assert_number(of_cell(0, "samples"), 2);
    assert_text(of_cell(0, "version"), "5.3");
}

static void test_curves_are_the_numbers_of_the_good_samples(void **state)
{
    (void)state;
    summarise(one_cell, one_failed);
    json_t *expected = parse("[1, 3]");
    assert_true(json_equal(of_cell(0, "curves"), expected));
    json_decref(expected);
}

static void test_a_cell_whose_samples_all_failed_has_no_figures(void **state)
{
    (void)state;
    summarise(one_cell, "[{'sample': 0, 'cell': 0, 'status': 'oom', 'reason': 'limit',"
                        "  'wall_ns': 5, 'phases': [{'name': 'build'}]}]");
    assert_text(of_cell(0, "status"), "oom");
    assert_number(of_cell(0, "samples"), 0);
    assert_true(json_is_null(of_cell(0, "wall_ns")));
    assert_int_equal(json_array_size(of_cell(0, "phases")), 0);
    assert_int_equal(json_array_size(of_cell(0, "curves")), 0);
}

static void test_a_good_cell_is_ok_without_a_reason(void **state)
{
    (void)state;
    summarise(one_cell, "[{'cell': 0, 'status': 'ok'}]");
    assert_text(of_cell(0, "status"), "ok");
    assert_true(json_is_null(of_cell(0, "reason")));
}

static void test_a_cell_that_the_plan_rules_out_is_not_available_with_its_reason(void **state)
{
    (void)state;
    summarise("{'cells': [{'not_available': 'bump cannot free'}]}", "[]");
    assert_text(of_cell(0, "status"), "n/a");
    assert_text(of_cell(0, "reason"), "bump cannot free");
    assert_number(of_cell(0, "samples"), 0);
    assert_true(json_is_null(of_cell(0, "peak_bytes")));
}

static void test_a_cell_that_an_interruption_left_out_says_not_measured(void **state)
{
    (void)state;
    summarise(two_cells, "[{'cell': 0, 'status': 'ok', 'wall_ns': 1}]");
    assert_text(of_cell(0, "status"), "ok");
    assert_text(of_cell(1, "status"), "n/a");
    assert_non_null(strstr(json_string_value(of_cell(1, "reason")), "not measured"));
    assert_true(json_is_null(of_cell(1, "wall_ns")));
}

static void test_a_sample_that_names_no_cell_is_an_error_with_its_line(void **state)
{
    static const char *const bad[] = {"{'cell': 2}",   "{'cell': -1}",   "{'cell': '0'}",
                                      "{'cell': 0.0}", "{'cell': null}", "{}"};
    char samples[256];

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        snprintf(samples, sizeof samples, "[{'cell': 0}, {'cell': 1}, %s]", bad[i]);
        summarise(two_cells, samples);
        assert_null(summary);
        assert_non_null(strstr(error, "samples.jsonl:3:"));
    }
}

static void test_a_plan_without_cells_is_an_error(void **state)
{
    (void)state;
    summarise("{'format': 1}", "[]");
    assert_null(summary);
    assert_non_null(strstr(error, "plan.json"));
}

static const char three_with_phases[] =
    "[{'cell': 0, 'status': 'ok', 'phases': ["
    "   {'name': 'build', 'wall_ns': 30, 'rss_bytes': 300, 'uss_bytes': 3, 'lazyfree_bytes': 0,"
    "    'object_bytes': 7, 'live_bytes': 8},"
    "   {'name': 'del', 'wall_ns': 1, 'rss_bytes': 50, 'lazyfree_bytes': 40}]},"
    " {'cell': 0, 'status': 'ok', 'phases': ["
    "   {'name': 'build', 'wall_ns': 10, 'rss_bytes': 100, 'uss_bytes': 1, 'lazyfree_bytes': 0,"
    "    'object_bytes': 7, 'live_bytes': 9},"
    "   {'name': 'del', 'wall_ns': 3, 'rss_bytes': 70, 'lazyfree_bytes': 60}]},"
    " {'cell': 0, 'status': 'ok', 'phases': ["
    "   {'name': 'build', 'wall_ns': 20, 'rss_bytes': 900, 'uss_bytes': 2, 'lazyfree_bytes': 0,"
    "    'object_bytes': 7, 'live_bytes': 8},"
    "   {'name': 'del', 'wall_ns': 2, 'rss_bytes': 60, 'lazyfree_bytes': 50}]}]";

static void test_a_phase_has_the_medians_of_its_samples(void **state)
{
    (void)state;
    summarise(one_cell, three_with_phases);
    json_t *expected = parse("{'name': 'build', 'wall_ns': 20.0, 'rss_bytes': 300.0,"
                             " 'uss_bytes': 2.0, 'lazyfree_bytes': 0.0, 'object_bytes': 7.0,"
                             " 'live_bytes': 8.0}");
    assert_true(json_equal(json_array_get(of_cell(0, "phases"), 0), expected));
    json_decref(expected);
}

static void test_phases_are_kept_apart_and_in_order(void **state)
{
    (void)state;
    summarise(one_cell, three_with_phases);
    assert_int_equal(json_array_size(of_cell(0, "phases")), 2);
    const json_t *second = json_array_get(of_cell(0, "phases"), 1);
    assert_text(json_object_get(second, "name"), "del");
    assert_number(json_object_get(second, "rss_bytes"), 60);
    assert_number(json_object_get(second, "lazyfree_bytes"), 50);
    assert_true(json_is_null(json_object_get(second, "live_bytes"))); /* in no sample */
}

static void test_statm_error_is_the_largest_either_way(void **state)
{
    static const char *const values[] = {"4096", "-12288", "null", "8192"};

    (void)state;
    summarise_values("statm_error_bytes", values, 4);
    assert_number(of_cell(0, "statm_error_bytes"), 12288);
}

static void test_a_statm_error_of_zero_is_not_null(void **state)
{
    static const char *const values[] = {"0", "0"};

    (void)state;
    summarise_values("statm_error_bytes", values, 2);
    assert_number(of_cell(0, "statm_error_bytes"), 0);
}

static void test_a_statm_error_that_was_not_measured_is_null(void **state)
{
    static const char *const values[] = {"null"};

    (void)state;
    summarise_values("statm_error_bytes", values, 1);
    assert_true(json_is_null(of_cell(0, "statm_error_bytes")));
}

static void test_the_least_number_is_a_large_error(void **state)
{
    static const char *const values[] = {"-9223372036854775808", "4096"};

    (void)state;
    summarise_values("statm_error_bytes", values, 2);
    assert_number(of_cell(0, "statm_error_bytes"), 9223372036854775807.0);
}

static void test_the_middle_of_the_largest_numbers_is_a_number(void **state)
{
    static const char *const values[] = {"1.5e308", "1.7e308"};

    (void)state;
    summarise_values("wall_ns", values, 2);
    assert_median(0, "wall_ns", 1.6e308);
}

static void test_samples_are_grouped_by_cell_in_their_order(void **state)
{
    (void)state;
    summarise(
        "{'cells': [{'allocator': 'a'}, {'allocator': 'b'}, {'allocator': 'c'}]}",
        "[{'cell': 2, 'status': 'ok', 'sample': 0}, {'cell': 0, 'status': 'ok', 'sample': 1},"
        " {'cell': 2, 'status': 'ok', 'sample': 2}, {'cell': 0, 'status': 'oom', 'sample': 3},"
        " {'cell': 0, 'status': 'exit', 'sample': 4}]");
    json_t *expected = parse("[0, 2]");
    assert_true(json_equal(of_cell(2, "curves"), expected));
    json_decref(expected);
    assert_number(of_cell(0, "samples"), 1);
    assert_text(of_cell(0, "status"), "oom");
    assert_number(of_cell(1, "samples"), 0);
}

static void test_cells_keep_the_order_of_the_plan(void **state)
{
    (void)state;
    summarise(two_cells, "[{'cell': 1, 'status': 'ok', 'wall_ns': 200},"
                         " {'cell': 0, 'status': 'ok', 'wall_ns': 100}]");
    assert_int_equal(json_array_size(summary), 2);
    assert_text(of_cell(0, "allocator"), "a");
    assert_median(0, "wall_ns", 100);
    assert_text(of_cell(1, "allocator"), "b");
    assert_median(1, "wall_ns", 200);
}

static void test_a_cell_is_named_as_the_plan_names_it(void **state)
{
    (void)state;
    summarise("{'cells': [{'workload': 'w', 'params': {'n': '5'}, 'allocator': 'a',"
              " 'host': 'python3', 'idle_ns': 7}]}",
              "[]");
    assert_text(of_cell(0, "workload"), "w");
    assert_text(json_object_get(of_cell(0, "params"), "n"), "5");
    assert_text(of_cell(0, "host"), "python3");
    assert_number(of_cell(0, "idle_ns"), 7);
}

/* --- Controls and dirty samples. ---------------------------------------------------------------*/

static const char with_control[] = "{'cells': [{'workload': 'w', 'params': {'n': '1'}, "
                                   "'allocator': 'a', 'host': 'h', 'idle_ns': 7},"
                                   "           {'workload': 'w', 'params': {'n': '2'}, "
                                   "'allocator': 'a', 'host': 'h', 'idle_ns': 7},"
                                   "           {'workload': 'w', 'params': {'n': '2'}, "
                                   "'allocator': 'a', 'host': 'h', 'idle_ns': 7,"
                                   "            'control': true}]}";

static void test_a_control_is_compared_with_the_cell_that_it_repeats(void **state)
{
    (void)state;
    summarise(with_control, "[{'cell': 0, 'status': 'ok', 'round': 0, 'wall_ns': 1000},"
                            " {'cell': 1, 'status': 'ok', 'round': 0, 'wall_ns': 20},"
                            " {'cell': 2, 'status': 'ok', 'round': 0, 'wall_ns': 25}]");
    assert_int_equal(json_array_size(summary), 3);
    assert_true(json_is_false(of_cell(1, "control")));
    assert_true(json_is_null(of_cell(1, "noise_floor")));
    assert_true(json_is_true(of_cell(2, "control")));
    assert_median(2, "wall_ns", 25); /* its own figures */
    const json_t *floor = of_cell(2, "noise_floor");
    assert_number(json_object_get(floor, "pairs"), 1);
    assert_number(json_object_get(json_object_get(floor, "wall_ns"), "median"), 1.25);
}

static void test_a_control_that_stands_first_is_not_compared_with_itself(void **state)
{
    (void)state;
    summarise("{'cells': [{'workload': 'w', 'params': {}, 'allocator': 'a', 'host': 'h',"
              "            'idle_ns': 7, 'control': true},"
              "           {'workload': 'w', 'params': {}, 'allocator': 'a', 'host': 'h',"
              "            'idle_ns': 7}]}",
              "[{'cell': 0, 'status': 'ok', 'round': 0, 'wall_ns': 30},"
              " {'cell': 1, 'status': 'ok', 'round': 0, 'wall_ns': 20}]");
    const json_t *floor = of_cell(0, "noise_floor");
    assert_number(json_object_get(json_object_get(floor, "wall_ns"), "median"), 1.5);
}

static void test_samples_of_a_control_are_not_those_of_its_reference(void **state)
{
    (void)state;
    summarise(with_control, "[{'cell': 2, 'status': 'ok', 'round': 0, 'wall_ns': 25},"
                            " {'cell': 1, 'status': 'exit', 'round': 0}]");
    assert_number(of_cell(1, "samples"), 0);
    assert_number(json_object_get(of_cell(2, "noise_floor"), "pairs"), 0);
}

static void test_dirty_samples_and_repeats_are_counted_and_kept(void **state)
{
    (void)state;
    summarise(two_cells,
              "[{'cell': 0, 'status': 'ok', 'dirty': true, 'repeat': 0, 'wall_ns': 10},"
              " {'cell': 0, 'status': 'exit', 'dirty': true, 'repeat': 0},"
              " {'cell': 1, 'status': 'ok', 'dirty': false, 'repeat': 0, 'wall_ns': 5},"
              " {'cell': 0, 'status': 'ok', 'dirty': false, 'repeat': 1, 'wall_ns': 30}]");
    assert_number(of_cell(0, "dirty"), 2);
    assert_number(of_cell(0, "repeats"), 1);
    assert_number(of_cell(0, "samples"), 2);
    assert_median(0, "wall_ns", 20); /* both count */
    assert_number(of_cell(1, "dirty"), 0);
    assert_number(of_cell(1, "repeats"), 0);
}

static void test_a_run_that_took_no_canary_does_not_say_that_none_was_dirty(void **state)
{
    (void)state;
    summarise(one_cell, "[{'cell': 0, 'status': 'ok', 'wall_ns': 10}]");
    assert_true(json_is_null(of_cell(0, "dirty")));
    assert_number(of_cell(0, "repeats"), 0);
    assert_true(json_is_false(of_cell(0, "control")));
}

/* Two rows in stock and purge, the first also idle; the plan knows how its cells give back. */
static const char ways[] =
    "{'cells': [{'workload': 'w', 'allocator': 'a', 'idle_ns': 1, 'return': 'stock'},"
    "           {'workload': 'w', 'allocator': 'b', 'idle_ns': 1, 'return': 'stock'},"
    "           {'workload': 'w', 'allocator': 'a', 'idle_ns': 1, 'return': 'purge'},"
    "           {'workload': 'w', 'allocator': 'a', 'idle_ns': 9, 'return': 'idle'},"
    "           {'workload': 'w', 'allocator': 'c', 'idle_ns': 1, 'return': 'purge'}]}";

static void test_another_way_is_compared_with_its_row_in_stock(void **state)
{
    (void)state;
    summarise(ways, "[{'cell': 0, 'status': 'ok', 'round': 0, 'wall_ns': 10},"
                    " {'cell': 0, 'status': 'ok', 'round': 1, 'wall_ns': 40},"
                    " {'cell': 1, 'status': 'ok', 'round': 0, 'wall_ns': 99},"
                    " {'cell': 2, 'status': 'ok', 'round': 0, 'wall_ns': 30},"
                    " {'cell': 2, 'status': 'ok', 'round': 1, 'wall_ns': 80},"
                    " {'cell': 3, 'status': 'ok', 'round': 1, 'wall_ns': 50}]");
    assert_true(json_is_null(of_cell(0, "beside_stock")));
    assert_number(json_object_get(of_cell(2, "beside_stock"), "pairs"), 2);
    assert_number(json_object_get(json_object_get(of_cell(2, "beside_stock"), "wall_ns"), "median"),
                  2.5);
    assert_number(json_object_get(json_object_get(of_cell(3, "beside_stock"), "wall_ns"), "median"),
                  1.25);
    assert_true(json_is_null(of_cell(4, "beside_stock"))); /* its row has no stock */
    assert_string_equal(json_string_value(of_cell(3, "return")), "idle");
}

static void test_a_sample_that_never_gave_back_is_longer_than_any_that_did(void **state)
{
    static const char often[] = "[{'cell': 0, 'status': 'ok', 'returnable_bytes': 5000000,"
                                "  'give_back_50_ns': 30, 'give_back_90_ns': null},"
                                " {'cell': 0, 'status': 'ok', 'returnable_bytes': 5000000,"
                                "  'give_back_50_ns': null, 'give_back_90_ns': null},"
                                " {'cell': 0, 'status': 'ok', 'returnable_bytes': 5000000,"
                                "  'give_back_50_ns': 10, 'give_back_90_ns': 90},"
                                " {'cell': 0, 'status': 'ok', 'returnable_bytes': 5,"
                                "  'give_back_50_ns': null, 'give_back_90_ns': null}]";

    (void)state;
    summarise(ways, often);
    const json_t *half = of_cell(0, "give_back_50_ns"), *most = of_cell(0, "give_back_90_ns");
    assert_number(json_object_get(half, "median"), 30);
    assert_number(json_object_get(half, "reached"), 2);
    assert_number(json_object_get(half, "of"), 3); /* one had too little to give */
    assert_true(json_is_null(json_object_get(most, "median")));
    assert_number(json_object_get(most, "reached"), 1);
    assert_true(json_is_null(of_cell(1, "give_back_50_ns")));
}

static void test_moments_are_above_the_baseline_of_their_samples(void **state)
{
    (void)state;
    summarise(ways, "[{'cell': 0, 'status': 'ok', 'baseline_bytes': 10, 'moments': ["
                    "   {'after_ns': 0, 'rss_bytes': 110, 'charge_bytes': null},"
                    "   {'after_ns': 1000000000, 'rss_bytes': 30, 'lazyfree_bytes': 4,"
                    "    'excess_byte_seconds': 1.5}]},"
                    " {'cell': 0, 'status': 'ok', 'baseline_bytes': 20, 'moments': ["
                    "   {'after_ns': 0, 'rss_bytes': 320, 'charge_bytes': 7}]}]");
    const json_t *moments = of_cell(0, "moments");
    assert_int_equal(json_array_size(moments), 2); /* 0.1 s was never read */
    const json_t *at_once = json_array_get(moments, 0), *later = json_array_get(moments, 1);
    assert_number(json_object_get(json_object_get(at_once, "retained_bytes"), "median"), 200);
    assert_number(json_object_get(json_object_get(at_once, "charge_bytes"), "median"), 7);
    assert_number(json_object_get(later, "after_ns"), 1000000000);
    assert_number(json_object_get(json_object_get(later, "retained_bytes"), "median"), 20);
    assert_number(json_object_get(json_object_get(later, "lazyfree_bytes"), "median"), 4);
    assert_true(json_is_null(json_object_get(later, "charge_bytes")));
}

static void test_a_run_of_an_earlier_version_says_nothing_of_ways(void **state)
{
    (void)state;
    summarise(one_cell, "[{'cell': 0, 'status': 'ok', 'wall_ns': 10}]");
    assert_null(json_object_get(json_array_get(summary, 0), "return"));
    assert_null(json_object_get(json_array_get(summary, 0), "moments"));
    assert_null(json_object_get(json_array_get(summary, 0), "beside_stock"));
}

#define summary_test(name) cmocka_unit_test_teardown(name, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        summary_test(test_five_samples_have_a_median_and_no_interval),
        summary_test(test_six_samples_have_their_extremes),
        summary_test(test_the_median_of_an_even_count_is_the_mean_of_the_middle_two),
        summary_test(test_every_figure_of_the_format_is_summarised),
        summary_test(test_a_figure_that_no_sample_has_is_null),
        summary_test(test_a_figure_that_some_samples_have_is_theirs),
        summary_test(test_a_failed_sample_among_good_ones_marks_the_cell),
        summary_test(test_figures_are_those_of_the_good_samples_alone),
        summary_test(test_curves_are_the_numbers_of_the_good_samples),
        summary_test(test_a_cell_whose_samples_all_failed_has_no_figures),
        summary_test(test_a_good_cell_is_ok_without_a_reason),
        summary_test(test_a_cell_that_the_plan_rules_out_is_not_available_with_its_reason),
        summary_test(test_a_cell_that_an_interruption_left_out_says_not_measured),
        summary_test(test_a_sample_that_names_no_cell_is_an_error_with_its_line),
        summary_test(test_a_plan_without_cells_is_an_error),
        summary_test(test_a_phase_has_the_medians_of_its_samples),
        summary_test(test_phases_are_kept_apart_and_in_order),
        summary_test(test_statm_error_is_the_largest_either_way),
        summary_test(test_a_statm_error_of_zero_is_not_null),
        summary_test(test_a_statm_error_that_was_not_measured_is_null),
        summary_test(test_the_least_number_is_a_large_error),
        summary_test(test_the_middle_of_the_largest_numbers_is_a_number),
        summary_test(test_samples_are_grouped_by_cell_in_their_order),
        summary_test(test_cells_keep_the_order_of_the_plan),
        summary_test(test_a_cell_is_named_as_the_plan_names_it),
        summary_test(test_a_control_is_compared_with_the_cell_that_it_repeats),
        summary_test(test_a_control_that_stands_first_is_not_compared_with_itself),
        summary_test(test_samples_of_a_control_are_not_those_of_its_reference),
        summary_test(test_another_way_is_compared_with_its_row_in_stock),
        summary_test(test_a_sample_that_never_gave_back_is_longer_than_any_that_did),
        summary_test(test_moments_are_above_the_baseline_of_their_samples),
        summary_test(test_a_run_of_an_earlier_version_says_nothing_of_ways),
        summary_test(test_dirty_samples_and_repeats_are_counted_and_kept),
        summary_test(test_a_run_that_took_no_canary_does_not_say_that_none_was_dirty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
