/* Rounds that are added to the planned ones until intervals are narrow: which cells get them, which
 * bounds end them, and that a run which was stopped anywhere comes to the same samples. Leaves out
 * the widths themselves (until_test.c). */
#include "harness/tally.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two experiments of two rows that can run and one that is ruled out, the first with a control; and
 * a long one of a single round. */
enum { A_BUMP, A_PYMALLOC, A_GLIBC, B_BUMP, B_PYMALLOC, B_GLIBC, LONG, CONTROL, CELLS };
enum { ROUNDS = 6, MOST_ROUNDS = 9, MOST_SAMPLES = 400 };

static struct plan plan;
static struct tally tally;

/* What the test says of a sample. */
static double spread_of[CELLS]; /* of the time, as a share of it */
static enum sample_status status_of[CELLS];
static unsigned ok_rounds;   /* before that status */
static unsigned dirty_round; /* of A_GLIBC; ROUNDS * 100: none */

static void add(const char *workload, unsigned rounds, uint64_t idle_ns, size_t row_count)
{
    static const char *const rows[] = {"bump", "pymalloc", "glibc"};
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = workload,
                                   .rows = rows + (3 - row_count),
                                   .row_count = row_count,
                                   .host = "objects",
                                   .idle_ns = idle_ns,
                                   .rounds = rounds};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){.seed = 7,
                         .repeat_dirty = 1,
                         .until = {.share = 0.02,
                                   .metrics = 1u << UNTIL_TIME,
                                   .most_rounds = MOST_ROUNDS,
                                   .most_ns = UINT64_C(1000000000000)}};
    add("list_lifetime:n=20k", ROUNDS, 5, 3);
    add("list_lifetime:n=30k", ROUNDS, 5, 3);
    add("list_lifetime:n=20k", 1, 1000000000, 1);
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan.cell_count, CELLS);
    assert_true(plan.cells[A_BUMP].not_available[0]);
    assert_int_equal(tally_init(&tally, &plan), 0);
    memset(spread_of, 0, sizeof spread_of);
    memset(status_of, 0, sizeof status_of);
    dirty_round = ROUNDS * 100;
    ok_rounds = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tally_free(&tally);
    plan_free(&plan);
    return 0;
}

/* Times around a second, the same for the same sample; one second of the run each. */
static json_t *record_of(size_t number, size_t cell, unsigned round, unsigned repeat)
{
    const double side = (double)(int)((round * 2 + repeat) % 5) - 2;
    const json_int_t wall_ns = (json_int_t)(1e9 * (1 + spread_of[cell] * side / 2));

    return json_pack("{s:i, s:i, s:i, s:i, s:s, s:b, s:I, s:I, s:I, s:I}", "sample", (int)number,
                     "cell", (int)cell, "round", (int)round, "repeat", (int)repeat, "status",
                     sample_status_name(round < ok_rounds ? SAMPLE_OK : status_of[cell]), "dirty",
                     cell == A_GLIBC && round == dirty_round && repeat == 0, "wall_ns", wall_ns,
                     "peak_bytes", (json_int_t)1000, "retained_bytes", (json_int_t)10, "took_ns",
                     (json_int_t)1000000000);
}

static void take_stored(json_t *record)
{
    char error[TALLY_ERROR_BYTES];
    json_t *samples = json_pack("[O]", record);

    if (tally_add_stored(&tally, samples, error) != 0)
        fail_msg("%s", error);
    json_decref(samples);
}

static void take_order(json_t *all, const size_t *order, size_t cells, unsigned round,
                       unsigned repeat, size_t most)
{
    for (size_t i = 0; i < cells && json_array_size(all) < most; i++) {
        if (!tally_is_left(&tally, order[i], round, repeat))
            continue;
        json_array_append_new(all, record_of(tally.stored, order[i], round, repeat));
        take_stored(json_array_get(all, json_array_size(all) - 1));
    }
}

/* As harness/runner.c goes over a plan, up to `most` samples in all. */
static void go_on(json_t *all, size_t most)
{
    size_t order[CELLS];

    do {
        for (unsigned repeat = 0; repeat < PLAN_REPEATS; repeat++) {
            const unsigned rounds = tally_rounds(&tally);
            for (unsigned round = 0; round < rounds; round++) {
                take_order(all, order, plan_round(&plan, round, repeat, order), round, repeat,
                           most);
                take_order(all, order, plan_further_round(&plan, round, repeat, order), round,
                           repeat, most);
            }
        }
    } while (json_array_size(all) < most && tally_add_rounds(&tally) > 0);
}

static json_t *run_all(void)
{
    json_t *all = json_array();

    go_on(all, MOST_SAMPLES);
    assert_true(json_array_size(all) < MOST_SAMPLES);
    assert_int_equal(tally_left(&tally), 0);
    return all;
}

static size_t count_of(const json_t *samples, size_t cell)
{
    size_t count = 0, i;
    const json_t *sample;

    json_array_foreach(samples, i, sample) count +=
        (size_t)json_integer_value(json_object_get(sample, "cell")) == cell;
    return count;
}

static void assert_counts(const unsigned *expected)
{
    json_t *all = run_all();

    for (size_t cell = 0; cell < CELLS; cell++) {
        if (count_of(all, cell) != expected[cell])
            fail_msg("cell %zu has %zu samples, not %u", cell, count_of(all, cell), expected[cell]);
    }
    json_decref(all);
}

static void test_narrow_rows_get_no_further_round(void **state)
{
    static const unsigned expected[CELLS] = {0, 6, 6, 0, 6, 6, 1, 6};

    (void)state;
    assert_counts(expected);
}

static void test_one_wide_row_takes_its_experiment_with_it_up_to_the_cap(void **state)
{
    static const unsigned expected[CELLS] = {0, 9, 9, 0, 6, 6, 1, 9};

    (void)state;
    spread_of[A_GLIBC] = 0.5;
    assert_counts(expected);
}

static void test_a_row_that_becomes_narrow_ends_it_before_the_cap(void **state)
{
    size_t cell = CELLS;

    (void)state;
    /* From nine on the extremes are left out: 1, 0.99 and 1.01 remain of a spread of 2 %. */
    spread_of[B_GLIBC] = 0.03;
    plan.until.most_rounds = 60;
    tally_free(&tally);
    assert_int_equal(tally_init(&tally, &plan), 0);
    json_t *all = run_all();
    assert_int_equal(count_of(all, A_GLIBC), 6);
    assert_true(count_of(all, B_GLIBC) > 6 && count_of(all, B_GLIBC) < 60);
    assert_int_equal(count_of(all, B_PYMALLOC), count_of(all, B_GLIBC));
    assert_true(tally_widest(&tally, &cell) == 0);
    assert_int_equal(cell, CELLS);
    json_decref(all);
}

static void test_a_control_and_a_long_rest_ask_for_nothing(void **state)
{
    static const unsigned expected[CELLS] = {0, 6, 6, 0, 6, 6, 1, 6};

    (void)state;
    spread_of[CONTROL] = spread_of[LONG] = 0.9;
    assert_counts(expected);
}

static void test_only_the_named_figures_count(void **state)
{
    static const unsigned expected[CELLS] = {0, 6, 6, 0, 6, 6, 1, 6};

    (void)state;
    spread_of[A_GLIBC] = 0.9;
    plan.until.metrics = 1u << UNTIL_PEAK | 1u << UNTIL_RETAINED;
    assert_counts(expected);
}

static void test_a_row_that_never_comes_to_its_end_is_left_out(void **state)
{
    static const unsigned expected[CELLS] = {0, 9, 6, 0, 6, 6, 1, 9};

    (void)state;
    spread_of[A_PYMALLOC] = 0.5;
    status_of[A_GLIBC] = SAMPLE_SIGNAL;
    assert_counts(expected);
}

static void test_a_row_that_was_given_up_asks_for_nothing(void **state)
{
    static const unsigned expected[CELLS] = {0, 6, 4, 0, 6, 6, 1, 6};

    (void)state;
    ok_rounds = 2; /* two samples have no interval, and there will be no more */
    status_of[A_GLIBC] = SAMPLE_OOM;
    assert_counts(expected);
}

static void test_the_bound_on_time_ends_it(void **state)
{
    /* 31 samples of a second each as planned, and one round of the three. */
    static const unsigned expected[CELLS] = {0, 7, 7, 0, 6, 6, 1, 7};

    (void)state;
    spread_of[A_GLIBC] = 0.5;
    plan.until.most_ns = UINT64_C(33000000000);
    assert_counts(expected);
}

static void test_without_being_asked_nothing_is_added(void **state)
{
    static const unsigned expected[CELLS] = {0, 6, 6, 0, 6, 6, 1, 6};

    (void)state;
    spread_of[A_GLIBC] = 0.5;
    plan.until.share = 0;
    assert_counts(expected);
}

static void test_a_further_round_that_is_dirty_is_run_once_more(void **state)
{
    static const unsigned expected[CELLS] = {0, 10, 10, 0, 6, 6, 1, 10};

    (void)state;
    spread_of[A_GLIBC] = 0.5;
    dirty_round = ROUNDS + 1;
    assert_counts(expected);
}

static void test_a_round_is_added_when_nothing_else_is_left(void **state)
{
    json_t *all = json_array();

    (void)state;
    spread_of[A_GLIBC] = 0.5;
    go_on(all, 30); /* one of the planned ones is missing */
    assert_int_equal(tally_left(&tally), 1);
    assert_int_equal(tally_add_rounds(&tally), 0);
    json_decref(all);
}

/* The promise to a run that was interrupted, after each of its samples. */
static void test_a_run_that_was_stopped_anywhere_comes_to_the_same_samples(void **state)
{
    (void)state;
    spread_of[A_GLIBC] = 0.5;
    spread_of[B_PYMALLOC] = 0.045;
    dirty_round = ROUNDS + 1;
    json_t *all = run_all();

    assert_true(json_array_size(all) > plan_samples(&plan));
    for (size_t stopped = 0; stopped <= json_array_size(all); stopped++) {
        json_t *again = json_array();
        tally_free(&tally);
        assert_int_equal(tally_init(&tally, &plan), 0);
        for (size_t i = 0; i < stopped; i++) {
            json_array_append(again, json_array_get(all, i));
            take_stored(json_array_get(all, i));
        }
        go_on(again, MOST_SAMPLES);
        if (!json_equal(again, all))
            fail_msg("stopped after %zu samples it came to others", stopped);
        json_decref(again);
    }
    json_decref(all);
}

static void test_stored_rounds_that_nothing_asks_for_are_refused(void **state)
{
    char error[TALLY_ERROR_BYTES];
    static const struct {
        size_t cell;
        unsigned round;
    } wrong[] = {{A_GLIBC, ROUNDS + 1}, {LONG, 1}, {A_GLIBC, MOST_ROUNDS}};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        json_t *samples = json_pack("[o]", record_of(0, wrong[i].cell, wrong[i].round, 0));
        assert_int_equal(tally_add_stored(&tally, samples, error), -EINVAL);
        assert_non_null(strstr(error, "no round of its cell"));
        json_decref(samples);
    }
    plan.until.share = 0;
    tally_free(&tally);
    assert_int_equal(tally_init(&tally, &plan), 0);
    json_t *samples = json_pack("[o]", record_of(0, A_GLIBC, ROUNDS, 0));
    assert_int_equal(tally_add_stored(&tally, samples, error), -EINVAL);
    json_decref(samples);
}

static void test_fewer_rounds_than_a_control_needs_have_one_all_the_same(void **state)
{
    (void)state;
    plan_free(&plan);
    plan.cells = NULL;
    plan.cell_count = 0;
    add("list_lifetime:n=20k", 2, 5, 3);
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_narrow_rows_get_no_further_round, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_one_wide_row_takes_its_experiment_with_it_up_to_the_cap, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_becomes_narrow_ends_it_before_the_cap,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_control_and_a_long_rest_ask_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_named_figures_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_never_comes_to_its_end_is_left_out, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_row_that_was_given_up_asks_for_nothing, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_bound_on_time_ends_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_being_asked_nothing_is_added, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_further_round_that_is_dirty_is_run_once_more, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_round_is_added_when_nothing_else_is_left, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_a_run_that_was_stopped_anywhere_comes_to_the_same_samples, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stored_rounds_that_nothing_asks_for_are_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            test_fewer_rounds_than_a_control_needs_have_one_all_the_same, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
