/*
 * The promises of harness/gbench_shim.h: what a C function registers, is given and reports is what
 * Google Benchmark runs and writes as JSON. All benchmarks run once, in the group's set-up; each
 * test reads one promise from what they left. Leaves out whether the times are right: that is
 * Google Benchmark's own promise.
 */
#define _GNU_SOURCE
#include "harness/gbench_shim.h"

#include <errno.h>
#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { THREADS = 3 };

/* What the functions saw, for the tests. Those with one thread only write plain fields. */
static struct seen {
    int calls;
    int wrong_arguments;
    int wrong_counts; /* loops whose body did not run iterations() times */
    int calls_after_error;
    atomic_int thread_calls[THREADS];
    atomic_int inside; /* threads between the start and the end of the loop */
    atomic_int most_inside;
} seen;

static json_t *report;
static int run_count;

/* The benchmarks. */

static void arguments(struct tidemark_gbench_state *state, void *data)
{
    struct seen *mine = data;

    mine->calls++;
    if (tidemark_gbench_argument(state, 1) != tidemark_gbench_argument(state, 0) * 1000000007)
        mine->wrong_arguments++;
    while (tidemark_gbench_keep_running(state))
        tidemark_gbench_do_not_optimize(mine);
}

static void range(struct tidemark_gbench_state *state, void *data)
{
    int64_t bodies = 0;

    (void)data;
    while (tidemark_gbench_keep_running(state))
        bodies++;
    if (bodies != tidemark_gbench_iterations(state))
        seen.wrong_counts++;
}

static void batch(struct tidemark_gbench_state *state, void *data)
{
    int64_t bodies = 0;

    (void)data;
    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            bodies++;
            tidemark_gbench_do_not_optimize(&bodies);
        }
    }
    if (bodies != tidemark_gbench_iterations(state))
        seen.wrong_counts++;
    tidemark_gbench_set_items_processed(state, bodies * 2);
    tidemark_gbench_set_bytes_processed(state, bodies * 24);
    tidemark_gbench_set_label(state, "two items of 12 bytes");
    tidemark_gbench_counter(state, "value", 42, TIDEMARK_GBENCH_VALUE);
    tidemark_gbench_counter(state, "rate", (double)bodies * 3, TIDEMARK_GBENCH_RATE);
    tidemark_gbench_counter(state, "each", (double)bodies * 5, TIDEMARK_GBENCH_ITERATION_AVERAGE);
}

static void pause_timing(struct tidemark_gbench_state *state, void *data)
{
    const struct timespec *nap = data;

    while (tidemark_gbench_keep_running(state)) {
        tidemark_gbench_pause_timing(state);
        nanosleep(nap, NULL);
        tidemark_gbench_resume_timing(state);
    }
}

static void skip_at_once(struct tidemark_gbench_state *state, void *data)
{
    (void)data;
    tidemark_gbench_skip_with_error(state, "no blocks today");
    while (tidemark_gbench_keep_running_batch(state) > 0)
        seen.calls_after_error++;
}

static void skip_in_loop(struct tidemark_gbench_state *state, void *data)
{
    (void)data;
    while (tidemark_gbench_keep_running_batch(state) > 0) {
        tidemark_gbench_skip_with_error(state, "gave NULL");
        return;
    }
    seen.calls_after_error++;
}

static void raise_to(atomic_int *most, int value)
{
    int old = atomic_load(most);

    while (old < value && !atomic_compare_exchange_weak(most, &old, value)) {
    }
}

/* The loop begins with a barrier, so that a thread waits within it for the others to have come. */
static void threads(struct tidemark_gbench_state *state, void *data)
{
    int index = tidemark_gbench_thread_index(state);
    int64_t left = tidemark_gbench_keep_running_batch(state);

    (void)data;
    if (index >= 0 && index < THREADS)
        atomic_fetch_add(&seen.thread_calls[index], 1);
    raise_to(&seen.most_inside, atomic_fetch_add(&seen.inside, 1) + 1);
    while (left-- > 0)
        tidemark_gbench_do_not_optimize(state);
    /* The end of the loop is a barrier too: nobody leaves before all have counted themselves. */
    tidemark_gbench_keep_running_batch(state);
    atomic_fetch_sub(&seen.inside, 1);
    tidemark_gbench_counter(state, "sum", 10, TIDEMARK_GBENCH_VALUE);
    tidemark_gbench_counter(state, "average", 10, TIDEMARK_GBENCH_THREAD_AVERAGE);
}

/* One thread naps, the others are done at once: the clock on the wall goes on. */
static void waiting(struct tidemark_gbench_state *state, void *data)
{
    while (tidemark_gbench_keep_running(state)) {
        if (tidemark_gbench_thread_index(state) == 0)
            nanosleep(data, NULL);
    }
    tidemark_gbench_set_items_processed(state, tidemark_gbench_iterations(state));
}

/* Set-up. */

static int register_all(void)
{
    static struct timespec nap = {.tv_nsec = 100000};
    static const int64_t first[] = {3, 3 * INT64_C(1000000007)};
    static const int64_t second[] = {-4, -4 * INT64_C(1000000007)};
    static const int64_t named[] = {64, 32};
    static const char *const names[] = {"size", "alignment"};
    struct tidemark_gbench_registration *registration;
    int error;

    registration = tidemark_gbench_register("arguments", arguments, &seen);
    error = tidemark_gbench_add_arguments(registration, first, 2);
    if (!error)
        error = tidemark_gbench_add_arguments(registration, second, 2);
    if (!error)
        error = tidemark_gbench_add_range(tidemark_gbench_register("range", range, NULL), 8, 40, 2);
    tidemark_gbench_register("batch", batch, NULL);
    tidemark_gbench_register("pause", pause_timing, &nap);
    tidemark_gbench_register("skip_at_once", skip_at_once, NULL);
    tidemark_gbench_register("skip_in_loop", skip_in_loop, NULL);
    if (!error)
        error =
            tidemark_gbench_threads(tidemark_gbench_register("threads", threads, NULL), THREADS);
    registration = tidemark_gbench_register("named", range, NULL);
    if (!error)
        error = tidemark_gbench_name_arguments(registration, names, 2);
    if (!error)
        error = tidemark_gbench_add_arguments(registration, named, 2);
    registration = tidemark_gbench_register("waiting", waiting, &nap);
    if (!error)
        error = tidemark_gbench_use_real_time(registration);
    if (!error)
        error = tidemark_gbench_threads(registration, 2);
    return error;
}

static int run_all(void **unused)
{
    static char out[] = "--benchmark_out=/tmp/tidemark-gbench-XXXXXX";
    static char program[] = "gbench_shim_test", quick[] = "--benchmark_min_time=0.001";
    static char *argv[] = {program, quick, out, NULL};
    char *path = strchr(out, '/');
    int file = mkstemp(path);

    (void)unused;
    if (file < 0 || tidemark_gbench_initialise(3, argv) != 0 || register_all() != 0)
        return -1;
    if (tidemark_gbench_add_context("tidemark_row", "a \"quoted\" row") != 0)
        return -1;
    run_count = tidemark_gbench_run();
    report = json_load_file(path, 0, NULL);
    unlink(path);
    close(file);
    return report ? 0 : -1;
}

static int forget_all(void **unused)
{
    (void)unused;
    json_decref(report);
    tidemark_gbench_shutdown();
    return 0;
}

static json_t *find_result(const char *name)
{
    json_t *results = json_object_get(report, "benchmarks");

    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *result = json_array_get(results, i);

        if (strcmp(json_string_value(json_object_get(result, "name")), name) == 0)
            return result;
    }
    return NULL;
}

static double number_of(json_t *result, const char *field)
{
    json_t *value = json_object_get(result, field);

    if (!json_is_number(value))
        fail_msg("no number \"%s\" in the result", field);
    return json_number_value(value);
}

/* Within the digits that Google Benchmark prints. */
static void assert_about(double got, double expected)
{
    if (got < expected * 0.9999 || got > expected * 1.0001)
        fail_msg("got %.9g, expected %.9g", got, expected);
}

/* The promises. */

static void a_function_gets_its_arguments_and_data(void **unused)
{
    (void)unused;
    assert_non_null(find_result("arguments/3/3000000021"));
    assert_non_null(find_result("arguments/-4/-4000000028"));
    assert_true(seen.calls >= 2);
    assert_int_equal(seen.wrong_arguments, 0);
}

static void arguments_are_named_in_their_order(void **unused)
{
    (void)unused;
    assert_non_null(find_result("named/size:64/alignment:32"));
}

static void rates_rest_on_real_time_where_that_is_asked_for(void **unused)
{
    json_t *result = find_result("waiting/real_time/threads:2");

    (void)unused;
    assert_non_null(result);
    /* Two items a nap of 100 µs and more, in the mean of the two threads' times: at most 40,000 a
     * second, while the CPU time of both, some 5 µs, would make them ten times as many. */
    assert_true(number_of(result, "items_per_second") < 60000);
}

static void a_range_has_its_ends_and_the_powers_between(void **unused)
{
    (void)unused;
    assert_non_null(find_result("range/8"));
    assert_non_null(find_result("range/16"));
    assert_non_null(find_result("range/32"));
    assert_non_null(find_result("range/40"));
    assert_null(find_result("range/64"));
    assert_null(find_result("range/4"));
}

static void a_range_without_end_is_refused(void **unused)
{
    struct tidemark_gbench_registration *registration =
        tidemark_gbench_register("refused", range, NULL);

    (void)unused;
    assert_int_equal(tidemark_gbench_add_range(registration, 8, 64, 1), -EINVAL);
    assert_int_equal(tidemark_gbench_add_range(registration, 64, 8, 2), -EINVAL);
    assert_int_equal(tidemark_gbench_add_range(registration, -1, 8, 2), -EINVAL);
    assert_int_equal(tidemark_gbench_threads(registration, 0), -EINVAL);
}

static void both_loops_run_the_body_once_per_iteration(void **unused)
{
    (void)unused;
    assert_int_equal(seen.wrong_counts, 0);
    assert_true(number_of(find_result("range/8"), "iterations") >= 1);
    assert_true(number_of(find_result("batch"), "iterations") >= 1);
}

static void items_and_bytes_are_per_second_of_cpu_time(void **unused)
{
    json_t *result = find_result("batch");
    double cpu_ns = number_of(result, "cpu_time");

    (void)unused;
    assert_string_equal(json_string_value(json_object_get(result, "time_unit")), "ns");
    assert_about(number_of(result, "items_per_second") * cpu_ns, 2e9);
    assert_about(number_of(result, "bytes_per_second") * cpu_ns, 24e9);
}

static void counters_reach_the_json_by_kind(void **unused)
{
    json_t *result = find_result("batch");

    (void)unused;
    assert_about(number_of(result, "value"), 42);
    assert_about(number_of(result, "each"), 5);
    assert_about(number_of(result, "rate") * number_of(result, "cpu_time"), 3e9);
}

static void a_label_reaches_the_json(void **unused)
{
    json_t *label = json_object_get(find_result("batch"), "label");

    (void)unused;
    assert_string_equal(json_string_value(label), "two items of 12 bytes");
}

static void paused_time_is_not_counted(void **unused)
{
    (void)unused;
    /* Naps of 100 µs; what is left is the pausing itself, about 1 µs. */
    assert_true(number_of(find_result("pause"), "real_time") < 50000);
}

static void a_skip_is_reported_with_its_reason(void **unused)
{
    json_t *at_once = find_result("skip_at_once");
    json_t *in_loop = find_result("skip_in_loop");

    (void)unused;
    assert_true(json_is_true(json_object_get(at_once, "error_occurred")));
    assert_string_equal(json_string_value(json_object_get(at_once, "error_message")),
                        "no blocks today");
    assert_true(json_is_true(json_object_get(in_loop, "error_occurred")));
    assert_string_equal(json_string_value(json_object_get(in_loop, "error_message")), "gave NULL");
    assert_int_equal(seen.calls_after_error, 0);
}

static void threads_call_the_function_together(void **unused)
{
    json_t *result = find_result("threads/threads:3");

    (void)unused;
    assert_non_null(result);
    assert_about(number_of(result, "threads"), THREADS);
    for (int i = 0; i < THREADS; i++) {
        assert_true(atomic_load(&seen.thread_calls[i]) >= 1);
        assert_int_equal(atomic_load(&seen.thread_calls[i]), atomic_load(&seen.thread_calls[0]));
    }
    assert_int_equal(atomic_load(&seen.most_inside), THREADS);
}

static void counters_of_threads_are_summed_or_averaged(void **unused)
{
    json_t *result = find_result("threads/threads:3");

    (void)unused;
    assert_about(number_of(result, "sum"), 10 * THREADS);
    assert_about(number_of(result, "average"), 10);
}

static void context_reaches_the_json(void **unused)
{
    json_t *context = json_object_get(report, "context");

    (void)unused;
    assert_string_equal(json_string_value(json_object_get(context, "tidemark_row")),
                        "a \"quoted\" row");
}

static void run_counts_every_benchmark(void **unused)
{
    (void)unused;
    assert_int_equal(run_count, 2 + 4 + 1 + 1 + 2 + 1 + 1 + 1);
    assert_int_equal(json_array_size(json_object_get(report, "benchmarks")), (size_t)run_count);
}

/* The library may keep what it is given, so every argument stays. */
static int initialise_with(const char *argument)
{
    static char program[] = "gbench_shim_test";
    static char kept[16][64];
    static size_t used;
    char *argv[] = {program, kept[used], NULL};

    assert_true(used < sizeof kept / sizeof kept[0]);
    snprintf(kept[used++], sizeof kept[0], "%s", argument);
    return tidemark_gbench_initialise(2, argv);
}

static void arguments_of_nobody_are_refused(void **unused)
{
    (void)unused;
    assert_int_equal(initialise_with("--benchmark_min_tim=0.001"), -EINVAL);
    assert_int_equal(initialise_with("file.json"), -EINVAL);
    assert_int_equal(initialise_with("--help"), -EINVAL);
    assert_int_equal(initialise_with("--benchmark_min_time=soon"), -EINVAL);
    assert_int_equal(initialise_with("--benchmark_min_time=0.001"), 0);
}

static void a_filter_by_name_is_known_as_one(void **unused)
{
    (void)unused;
    assert_false(tidemark_gbench_has_filter());
    assert_int_equal(initialise_with("--benchmark_filter=pair"), 0);
    assert_true(tidemark_gbench_has_filter());
    assert_int_equal(initialise_with("--benchmark_filter=all"), 0);
    assert_false(tidemark_gbench_has_filter());
}

/* Google Benchmark would exit with 0. Last: the wrong value stays until a good one replaces it. */
static void a_format_that_does_not_exist_is_refused(void **unused)
{
    (void)unused;
    assert_int_equal(initialise_with("--benchmark_format=xml"), -EINVAL);
    assert_int_equal(initialise_with("--benchmark_format=console"), 0);
}

/* Google Benchmark exits with 0 where it refuses a value: a test that ends so has not passed. */
static bool finished;

static void fail_unless_finished(void)
{
    if (!finished)
        _exit(1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_function_gets_its_arguments_and_data),
        cmocka_unit_test(arguments_are_named_in_their_order),
        cmocka_unit_test(rates_rest_on_real_time_where_that_is_asked_for),
        cmocka_unit_test(a_range_has_its_ends_and_the_powers_between),
        cmocka_unit_test(a_range_without_end_is_refused),
        cmocka_unit_test(both_loops_run_the_body_once_per_iteration),
        cmocka_unit_test(items_and_bytes_are_per_second_of_cpu_time),
        cmocka_unit_test(counters_reach_the_json_by_kind),
        cmocka_unit_test(a_label_reaches_the_json),
        cmocka_unit_test(paused_time_is_not_counted),
        cmocka_unit_test(a_skip_is_reported_with_its_reason),
        cmocka_unit_test(threads_call_the_function_together),
        cmocka_unit_test(counters_of_threads_are_summed_or_averaged),
        cmocka_unit_test(context_reaches_the_json),
        cmocka_unit_test(run_counts_every_benchmark),
        cmocka_unit_test(arguments_of_nobody_are_refused),
        cmocka_unit_test(a_filter_by_name_is_known_as_one),
        cmocka_unit_test(a_format_that_does_not_exist_is_refused),
    };

    if (atexit(fail_unless_finished) != 0)
        return 1;
    int failed = cmocka_run_group_tests_name("gbench_shim", tests, run_all, forget_all);
    finished = true;
    return failed;
}
