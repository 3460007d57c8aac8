/* What a dirty sample asks to be run once more, as it is measured and as it is read back. Leaves
 * out when a sample is dirty (dirty_test.c), samples that do not fit a plan (plan_read_test.c) and
 * a run that goes on (cli_test.py). */
#include "harness/tally.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two experiments, A on two rows and a real interpreter with a control, and B; a long one of a
 * single round; and a row that is ruled out. */
enum { A_PYMALLOC, A_GLIBC, A_BUMP, A_PYTHON, B_PYMALLOC, B_GLIBC, B_BUMP, LONG, CONTROL, CELLS };
enum { ROUNDS = 6 };

static struct plan plan;
static struct tally tally;

static void add(const char *workload, const char *host, unsigned rounds, uint64_t idle_ns,
                size_t row_count)
{
    static const char *const rows[] = {"pymalloc", "glibc", "bump"};
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = row_count,
                                   .host = host,
                                   .idle_ns = idle_ns,
                                   .rounds = rounds};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){.seed = 7, .repeat_dirty = 1};
    add("list_lifetime:n=20k", "objects", ROUNDS, 5, 3);
    add("list_lifetime:n=20k", "python3", ROUNDS, 5, 1);
    add("list_lifetime:n=30k", "objects", ROUNDS, 5, 3);
    add("list_lifetime:n=20k", "objects", 1, 1000000000, 1);
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan.cell_count, CELLS);
    assert_int_equal(tally_init(&tally, &plan), 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tally_free(&tally);
    plan_free(&plan);
    return 0;
}

static void take(size_t cell, unsigned round, unsigned repeat, int is_dirty)
{
    const struct tally_sample sample = {.cell = cell,
                                        .round = round,
                                        .repeat = repeat,
                                        .seconds = 1,
                                        .has_canary = 1,
                                        .canary = {2, 100, 1000},
                                        .is_dirty = is_dirty};

    assert_true(tally_is_left(&tally, cell, round, repeat));
    assert_int_equal(tally_add(&tally, &sample), 0);
    assert_false(tally_is_left(&tally, cell, round, repeat));
}

/* Every sample that is left, none of them dirty. */
static void take_the_rest(void)
{
    for (unsigned repeat = 0; repeat < PLAN_REPEATS; repeat++) {
        for (unsigned round = 0; round < ROUNDS; round++) {
            for (size_t cell = 0; cell < CELLS; cell++) {
                const struct cell *planned = &plan.cells[cell];
                if (!planned->not_available[0] && round < planned->rounds &&
                    tally_is_left(&tally, cell, round, repeat))
                    take(cell, round, repeat, 0);
            }
        }
    }
    assert_int_equal(tally_left(&tally), 0);
}

static void test_nothing_is_queued_without_a_dirty_sample(void **state)
{
    (void)state;
    take(A_GLIBC, 0, 0, 0);
    assert_false(tally_is_left(&tally, A_GLIBC, 0, 1));
    assert_int_equal(tally_repeats_left(&tally), 0);
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 1);
}

static void test_a_dirty_sample_queues_its_experiment_in_its_round(void **state)
{
    static const size_t queued[] = {A_PYMALLOC, A_GLIBC, A_PYTHON, CONTROL};

    (void)state;
    take(A_GLIBC, 2, 0, 1);
    for (size_t i = 0; i < sizeof queued / sizeof queued[0]; i++)
        assert_true(tally_is_left(&tally, queued[i], 2, 1));
    assert_int_equal(tally_repeats_left(&tally), 4); /* no other cell, and no other round */
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 1 + 4);
}

static void test_a_round_is_queued_once_however_many_of_its_samples_are_dirty(void **state)
{
    (void)state;
    take(A_GLIBC, 2, 0, 1);
    take(CONTROL, 2, 0, 1);
    take(A_PYTHON, 2, 0, 1);
    assert_int_equal(tally_repeats_left(&tally), 4);
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 3 + 4);
    take(A_GLIBC, 3, 0, 1);
    take(B_GLIBC, 2, 0, 1);
    assert_int_equal(tally_repeats_left(&tally), 4 + 4 + 2);
}

static void test_a_repeat_that_is_dirty_stays(void **state)
{
    (void)state;
    take(A_GLIBC, 2, 0, 1);
    take(A_PYMALLOC, 2, 1, 1);
    assert_int_equal(tally_repeats_left(&tally), 3);
}

static void test_a_long_idle_cell_is_repeated_alone(void **state)
{
    (void)state;
    take(LONG, 0, 0, 1);
    assert_int_equal(tally_repeats_left(&tally), 1);
    assert_true(tally_is_left(&tally, LONG, 0, 1));
}

static void test_time_left_counts_what_is_queued(void **state)
{
    (void)state;
    take(B_PYMALLOC, 0, 0, 0); /* a second each */
    take(B_GLIBC, 0, 0, 0);
    double before = tally_seconds_left(&tally);
    take(B_GLIBC, 1, 0, 1); /* one less, and one more of both rows */
    assert_float_equal(tally_seconds_left(&tally), before - 1 + 2, 1e-5);
}

static void test_a_plan_without_repeats_queues_none(void **state)
{
    (void)state;
    plan.repeat_dirty = 0;
    take(A_GLIBC, 2, 0, 1);
    assert_int_equal(tally_repeats_left(&tally), 0);
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 1);
}

static void test_a_cell_that_is_given_up_is_not_repeated(void **state)
{
    const struct tally_sample first = {.cell = A_GLIBC, .round = 0, .status = SAMPLE_TIMEOUT};
    const struct tally_sample second = {.cell = A_GLIBC, .round = 1, .status = SAMPLE_TIMEOUT};

    (void)state;
    take(A_PYMALLOC, 0, 0, 1);
    assert_int_equal(tally_repeats_left(&tally), 4);
    assert_int_equal(tally_add(&tally, &first), 0);
    assert_int_equal(tally_add(&tally, &second), 0);
    assert_false(tally_is_left(&tally, A_GLIBC, 0, 1));
    assert_int_equal(tally_repeats_left(&tally), 3);
    take_the_rest();
}

static void test_the_run_is_over_when_the_repeats_are_done(void **state)
{
    (void)state;
    take(A_GLIBC, 2, 0, 1);
    take(LONG, 0, 0, 1);
    take_the_rest();
    assert_int_equal(tally.stored, plan_samples(&plan) + 4 + 1);
    assert_int_equal(tally.canaries.count, tally.stored);
}

static void test_the_canary_is_judged_by_those_of_the_run(void **state)
{
    const struct canary_reading slow = {2.7, 100, 1000};

    (void)state;
    for (unsigned round = 0; round < 5; round++) {
        assert_false(tally_is_dirty(&tally, &slow));
        take(A_GLIBC, round, 0, 0);
    }
    assert_true(tally_is_dirty(&tally, &slow));
}

/* --- Read back. --------------------------------------------------------------------------------*/

static json_t *stored(int sample, int cell, int round, int repeat, int is_dirty)
{
    return json_pack("{s:i, s:i, s:i, s:i, s:s, s:b, s:{s:f, s:f, s:f}}", "sample", sample, "cell",
                     cell, "round", round, "repeat", repeat, "status", "ok", "dirty", is_dirty,
                     "canary", "loop_ns", 2.0, "latency_ns", 100.0, "fault_ns", 1000.0);
}

static int read_back(json_t *samples, char *error)
{
    tally_free(&tally);
    assert_int_equal(tally_init(&tally, &plan), 0);
    int failed = tally_add_stored(&tally, samples, error);
    json_decref(samples);
    return failed;
}

static void test_what_is_queued_is_read_back_from_the_samples(void **state)
{
    char error[TALLY_ERROR_BYTES];

    (void)state;
    assert_int_equal(
        read_back(json_pack("[o, o]", stored(0, A_GLIBC, 2, 0, 1), stored(1, B_GLIBC, 2, 0, 0)),
                  error),
        0);
    assert_int_equal(tally_repeats_left(&tally), 4);
    assert_true(tally_is_left(&tally, CONTROL, 2, 1));
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 2 + 4);
    assert_int_equal(tally.canaries.count, 2);
}

static void test_a_run_that_was_killed_amid_its_repeats_goes_on_there(void **state)
{
    char error[TALLY_ERROR_BYTES];

    (void)state;
    assert_int_equal(
        read_back(json_pack("[o, o, o]", stored(0, A_GLIBC, 2, 0, 1), stored(1, CONTROL, 2, 1, 0),
                            stored(2, A_PYMALLOC, 2, 1, 1)),
                  error),
        0);
    assert_false(tally_is_left(&tally, CONTROL, 2, 1));
    assert_false(tally_is_left(&tally, A_PYMALLOC, 2, 1));
    assert_true(tally_is_left(&tally, A_GLIBC, 2, 1));
    assert_true(tally_is_left(&tally, A_PYTHON, 2, 1));
    assert_true(tally_is_left(&tally, A_PYMALLOC, 2, 0)); /* the planned one is another sample */
    assert_int_equal(tally_repeats_left(&tally), 2);
}

static void test_samples_of_an_earlier_version_are_no_repeats_and_not_dirty(void **state)
{
    char error[TALLY_ERROR_BYTES];

    (void)state;
    assert_int_equal(read_back(json_pack("[{s:i, s:i, s:i, s:s}]", "sample", 0, "cell", A_GLIBC,
                                         "round", 0, "status", "ok"),
                               error),
                     0);
    assert_int_equal(tally_repeats_left(&tally), 0);
    assert_int_equal(tally.canaries.count, 0);
    assert_int_equal(tally.stored, 1);
}

static void test_a_build_without_a_canary_is_read_back(void **state)
{
    char error[TALLY_ERROR_BYTES];
    json_t *sample = stored(0, A_GLIBC, 0, 0, 0);

    (void)state;
    json_object_set_new(sample, "canary", json_null());
    assert_int_equal(read_back(json_pack("[o]", sample), error), 0);
    assert_int_equal(tally.canaries.count, 0);
}

static void assert_refused(json_t *samples, const char *says)
{
    char error[TALLY_ERROR_BYTES];

    assert_int_equal(read_back(samples, error), -EINVAL);
    if (!strstr(error, says))
        fail_msg("'%s' is not in: %s", says, error);
}

static void test_repeats_that_do_not_fit_are_refused_with_their_line(void **state)
{
    json_t *torn = stored(0, A_GLIBC, 2, 0, 0);

    (void)state;
    assert_refused(json_pack("[o]", stored(0, A_GLIBC, 2, 1, 0)),
                   "samples.jsonl:1: a repeat that no dirty sample");
    assert_refused(json_pack("[o, o]", stored(0, A_GLIBC, 2, 0, 1), stored(1, A_GLIBC, 3, 1, 0)),
                   "samples.jsonl:2: a repeat that no dirty sample");
    assert_refused(json_pack("[o, o, o]", stored(0, A_GLIBC, 2, 0, 1), stored(1, A_GLIBC, 2, 1, 0),
                             stored(2, A_GLIBC, 2, 1, 0)),
                   "samples.jsonl:3: its cell and round are there twice");
    assert_refused(json_pack("[o]", stored(0, A_GLIBC, 2, 2, 0)), "neither 0 nor 1");
    json_object_del(json_object_get(torn, "canary"), "latency_ns");
    assert_refused(json_pack("[o]", torn), "its canary lacks a piece");
}

#define tally_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        tally_test(test_nothing_is_queued_without_a_dirty_sample),
        tally_test(test_a_dirty_sample_queues_its_experiment_in_its_round),
        tally_test(test_a_round_is_queued_once_however_many_of_its_samples_are_dirty),
        tally_test(test_a_repeat_that_is_dirty_stays),
        tally_test(test_a_long_idle_cell_is_repeated_alone),
        tally_test(test_time_left_counts_what_is_queued),
        tally_test(test_a_plan_without_repeats_queues_none),
        tally_test(test_a_cell_that_is_given_up_is_not_repeated),
        tally_test(test_the_run_is_over_when_the_repeats_are_done),
        tally_test(test_the_canary_is_judged_by_those_of_the_run),
        tally_test(test_what_is_queued_is_read_back_from_the_samples),
        tally_test(test_a_run_that_was_killed_amid_its_repeats_goes_on_there),
        tally_test(test_samples_of_an_earlier_version_are_no_repeats_and_not_dirty),
        tally_test(test_a_build_without_a_canary_is_read_back),
        tally_test(test_repeats_that_do_not_fit_are_refused_with_their_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
