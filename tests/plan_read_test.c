/* plan.json is read back as the plan that wrote it, or refused by the name of what does not fit; a
 * tally counts each stored sample once. Leaves out the folder (run_folder_test.c) and a run that
 * goes on (resume_test.py). */
#include "harness/pass.h"
#include "harness/plan_read.h"
#include "harness/tally.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char *const rows[] = {"pymalloc", "lean=glibc+tcache_count:0", "bump"};
static char error[PLAN_ERROR_BYTES];
static struct plan plan, again;
static json_t *json;

static void add(const char *workload, const char *host, unsigned rounds)
{
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = sizeof rows / sizeof rows[0],
                                   .host = host,
                                   .host_may_be_missing = 1,
                                   .idle_ns = 500000000,
                                   .rounds = rounds};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){.suite = "quick",
                         .seed = 7,
                         .tick_ns = 1000000,
                         .timeout_ns = 120000000000,
                         .memory_limit_bytes = 1u << 30};
    again = (struct plan){0};
    error[0] = '\0';
    add("list_lifetime:n=20k|1M,how=cycle", "objects", 3);
    add("del_collect", "objects", 2);
    json = plan_to_json(&plan);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    json_decref(json);
    plan_free(&plan);
    plan_free(&again);
    return 0;
}

static void assert_same_plan(void)
{
    json_t *copy = plan_to_json(&again);

    assert_true(json_equal(json, copy));
    json_decref(copy);
}

static void test_a_plan_is_read_back_as_it_was_written(void **state)
{
    (void)state;
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_same_plan();
    assert_int_equal(again.cell_count, plan.cell_count);
    for (size_t i = 0; i < plan.cell_count; i++) {
        assert_memory_equal(again.cells[i].values, plan.cells[i].values,
                            sizeof plan.cells[i].values);
        assert_ptr_equal(again.cells[i].row.object.allocator, plan.cells[i].row.object.allocator);
        assert_string_equal(again.cells[i].not_available, plan.cells[i].not_available);
    }
    assert_string_equal(again.cells[1].row.object.tunables[0].value, "0");
}

static void test_further_rounds_that_were_asked_for_are_read_back(void **state)
{
    (void)state;
    plan.until = (struct until){0.003, 1u << UNTIL_PEAK, 61, 1800000000000};
    json_decref(json);
    json = plan_to_json(&plan);
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_same_plan();
    assert_true(again.until.share == 0.003 && again.until.metrics == 1u << UNTIL_PEAK);
    assert_int_equal(plan_most_rounds(&again), 61);
    assert_int_equal(plan_rounds(&again), 3);
    assert_true(cell_may_go_on(&again, &again.cells[0]));
    assert_false(
        cell_may_go_on(&again, &again.cells[again.cell_count - 1])); /* it has two rounds */
}

static void test_a_plan_without_a_suite_is_read_back(void **state)
{
    (void)state;
    json_object_set_new(json, "suite", json_null());
    assert_int_equal(plan_from_json(&again, json, error), 0);
    assert_string_equal(again.suite, "");
}

static void test_an_interpreter_that_is_missing_is_fine_where_its_cells_are_not_run(void **state)
{
    (void)state;
    add("list_lifetime", "/no/such/python3", 1);
    json_decref(json);
    json = plan_to_json(&plan);
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_same_plan();
}

static json_t *cell(size_t index)
{
    return json_array_get(json_object_get(json, "cells"), index);
}

/* Refused with every one of the words, and `again` untouched. */
static void assert_refused(const char *names, const char *says)
{
    assert_int_equal(plan_from_json(&again, json, error), -EINVAL);
    if (!strstr(error, names) || !strstr(error, says))
        fail_msg("'%s' and '%s' are not in: %s", names, says, error);
    assert_null(again.cells);
}

static void test_an_unknown_workload_is_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(2), "workload", json_string("del_colect"));
    assert_refused("cells[2].workload", "del_colect");
}

static void test_an_unknown_parameter_is_refused(void **state)
{
    (void)state;
    json_object_set_new(json_object_get(cell(1), "params"), "size", json_string("1"));
    assert_refused("cells[1].params.size", "no such parameter");
}

static void test_a_missing_parameter_is_refused(void **state)
{
    (void)state;
    json_object_del(json_object_get(cell(1), "params"), "how");
    assert_refused("cells[1].params.how", "missing");
}

static void test_a_value_that_a_parameter_does_not_take_is_refused(void **state)
{
    (void)state;
    json_object_set_new(json_object_get(cell(0), "params"), "how", json_string("sideways"));
    assert_refused("cells[0].params.how", "'sideways'");
}

static void test_an_unknown_row_is_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(0), "allocator", json_string("jemaloc"));
    assert_refused("cells[0].allocator", "jemaloc");
}

static void test_a_host_that_is_missing_is_refused_where_its_cell_runs(void **state)
{
    (void)state;
    json_object_set_new(cell(0), "host", json_string("/no/such/python3"));
    assert_refused("cells[0].host", "/no/such/python3");
}

static void test_each_missing_field_is_named(void **state)
{
    static const char *const fields[] = {"suite", "seed",  "tick_ns",           "timeout_ns",
                                         "cells", "order", "memory_limit_bytes"};
    static const char *const of_cell[] = {"workload", "params", "allocator",    "host",
                                          "idle_ns",  "rounds", "not_available"};

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        json_t *taken = json_incref(json_object_get(json, fields[i]));
        json_object_del(json, fields[i]);
        assert_refused(fields[i], "missing");
        json_object_set_new(json, fields[i], taken);
    }
    for (size_t i = 0; i < sizeof of_cell / sizeof of_cell[0]; i++) {
        json_t *taken = json_incref(json_object_get(cell(0), of_cell[i]));
        json_object_del(cell(0), of_cell[i]);
        assert_refused(of_cell[i], "missing");
        json_object_set_new(cell(0), of_cell[i], taken);
    }
    assert_int_equal(plan_from_json(&again, json, error), 0);
}

static void test_each_wrong_type_is_named(void **state)
{
    static const char *const fields[] = {"suite", "seed",  "tick_ns",           "timeout_ns",
                                         "cells", "order", "memory_limit_bytes"};
    static const char *const of_cell[] = {"workload", "params", "allocator",    "host",
                                          "idle_ns",  "rounds", "not_available"};

    (void)state;
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        json_t *taken = json_incref(json_object_get(json, fields[i]));
        json_object_set_new(json, fields[i], json_true());
        assert_refused(fields[i], " is n");
        json_object_set_new(json, fields[i], taken);
    }
    for (size_t i = 0; i < sizeof of_cell / sizeof of_cell[0]; i++) {
        json_t *taken = json_incref(json_object_get(cell(0), of_cell[i]));
        json_object_set_new(cell(0), of_cell[i], json_true());
        assert_refused(of_cell[i], " is n");
        json_object_set_new(cell(0), of_cell[i], taken);
    }
}

static void test_numbers_out_of_bounds_are_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(0), "rounds", json_integer(1001));
    assert_refused("cells[0].rounds", "between 1 and 1000");
    json_object_set_new(cell(0), "rounds", json_integer(3));
    json_object_set_new(json, "seed", json_integer(-1));
    assert_refused("seed", "-1");
}

static void test_a_plan_without_cells_is_refused(void **state)
{
    (void)state;
    json_array_clear(json_object_get(json, "cells"));
    assert_refused("cells", "nothing to run");
}

static void test_an_order_of_another_seed_is_refused(void **state)
{
    (void)state;
    json_object_set_new(json, "seed", json_integer(8));
    assert_refused("order", "seed");
}

static void test_further_rounds_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    json_object_set_new(json, "until",
                        json_pack("{s:f, s:[s], s:i, s:I}", "share", 0.02, "metrics", "wall_ns",
                                  "most_rounds", 2000, "most_ns", (json_int_t)1));
    assert_refused("until.most_rounds", "does not fit");
}

static void test_an_order_of_other_rounds_is_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(0), "rounds", json_integer(4));
    assert_refused("order", "changed since");
}

/* --- The tally. --------------------------------------------------------------------------------*/

static json_t *stored(int sample, int cell_index, int round, const char *status)
{
    return json_pack("{s:i, s:i, s:i, s:s, s:[{s:i}]}", "sample", sample, "cell", cell_index,
                     "round", round, "status", status, "phases", "end_ns", 2000000000);
}

static int count(struct tally *tally, json_t *samples)
{
    char what[TALLY_ERROR_BYTES];

    assert_int_equal(tally_init(tally, &plan), 0);
    int failed = tally_add_stored(tally, samples, what);
    if (failed)
        snprintf(error, sizeof error, "%s", what);
    json_decref(samples);
    return failed;
}

static void test_what_is_stored_is_not_left(void **state)
{
    struct tally tally;

    (void)state;
    assert_int_equal(
        count(&tally, json_pack("[o, o]", stored(0, 1, 0, "ok"), stored(1, 0, 2, "exit"))), 0);
    assert_int_equal(tally.stored, 2);
    assert_true(tally.failures);
    assert_false(tally_is_left(&tally, 1, 0, 0));
    assert_false(tally_is_left(&tally, 0, 2, 0));
    assert_true(tally_is_left(&tally, 0, 0, 0));
    assert_true(tally_is_left(&tally, 1, 2, 0));
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 2);
    assert_true(tally.cells[1].seconds == 2.0);
    tally_free(&tally);
}

static void test_a_cell_that_was_given_up_stays_so(void **state)
{
    struct tally tally;

    (void)state;
    assert_int_equal(count(&tally, json_pack("[o, o, o]", stored(0, 0, 0, "oom"),
                                             stored(1, 1, 0, "n/a"), stored(2, 0, 1, "timeout"))),
                     0);
    assert_false(tally_is_left(&tally, 0, 2, 0));
    assert_false(tally_is_left(&tally, 1, 1, 0));
    assert_int_equal(tally_left(&tally), plan_samples(&plan) - 6);
    tally_free(&tally);
}

static void assert_line_refused(json_t *samples, const char *says)
{
    struct tally tally;

    assert_int_equal(count(&tally, samples), -EINVAL);
    if (!strstr(error, says))
        fail_msg("'%s' is not in: %s", says, error);
    tally_free(&tally);
}

static void test_samples_that_do_not_fit_the_plan_are_refused_with_their_line(void **state)
{
    (void)state;
    assert_line_refused(json_pack("[o, o]", stored(0, 0, 0, "ok"), stored(1, 0, 0, "ok")),
                        "samples.jsonl:2: its cell and round are there twice");
    assert_line_refused(json_pack("[o]", stored(1, 0, 0, "ok")), "samples.jsonl:1: its number");
    assert_line_refused(json_pack("[o]", stored(0, 99, 0, "ok")), "no cell");
    assert_line_refused(json_pack("[o]", stored(0, 0, 3, "ok")), "no round");
    assert_line_refused(json_pack("[o]", stored(0, 2, 0, "ok")), "rules out");
    assert_line_refused(json_pack("[o]", stored(0, 0, 0, "fine")), "no status");
}

/* --- Controls, repeats and warm-up in a plan. --------------------------------------------------*/

static void test_controls_repeats_and_warm_up_are_read_back(void **state)
{
    (void)state;
    plan.repeat_dirty = 1;
    plan.passes = pass_bit(&census_pass);
    plan.warm_up_bytes = 12345678;
    plan.scale = 0.25;
    add("list_lifetime:n=3M", "objects", 6);
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 1);
    json_decref(json);
    json = plan_to_json(&plan);
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_same_plan();
    assert_true(again.cells[again.cell_count - 1].is_control);
    assert_false(again.cells[0].is_control);
    assert_true(again.repeat_dirty);
    assert_int_equal(again.passes, pass_bit(&census_pass));
    assert_int_equal(again.warm_up_bytes, 12345678);
    assert_true(again.scale == 0.25);
}

static void test_a_plan_of_an_earlier_version_has_none_of_them(void **state)
{
    (void)state;
    plan.repeat_dirty = 1;
    plan.passes = pass_bit(&census_pass);
    json_object_del(json, "repeat_dirty");
    json_object_del(json, "passes");
    json_object_del(json, "warm_up_bytes");
    json_object_del(json, "scale");
    for (size_t i = 0; i < plan.cell_count; i++)
        json_object_del(cell(i), "control");
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_false(again.repeat_dirty);
    assert_int_equal(again.passes, 0);
    assert_int_equal(again.warm_up_bytes, 0);
    assert_true(again.scale == 1);
    assert_int_equal(plan_controls(&again), 0);
}

/* Before there were others, a plan said of the census alone whether it was asked for. */
static void test_a_plan_that_asked_for_a_census_has_that_pass(void **state)
{
    (void)state;
    json_object_del(json, "passes");
    json_object_set_new(json, "census", json_true());
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_int_equal(again.passes, pass_bit(&census_pass));
    plan_free(&again);
    memset(&again, 0, sizeof again);
    json_object_set_new(json, "census", json_false());
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_int_equal(again.passes, 0);
}

static void test_flags_of_the_wrong_type_are_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(1), "control", json_integer(1));
    assert_refused("cells[1].control", "neither true nor false");
    json_object_set_new(cell(1), "control", json_false());
    json_object_set_new(json, "scale", json_string("1"));
    assert_refused("scale", "no number above 0");
    json_object_set_new(json, "scale", json_integer(0));
    assert_refused("scale", "no number above 0");
    json_object_set_new(json, "scale", json_integer(1));
    json_object_set_new(json, "repeat_dirty", json_null());
    assert_refused("repeat_dirty", "neither true nor false");
    json_object_set_new(json, "repeat_dirty", json_false());
    json_object_set_new(json, "census", json_integer(1));
    assert_refused("census", "neither true nor false");
    json_object_set_new(json, "census", json_false());
    json_object_set_new(json, "passes", json_true());
    assert_refused("passes", "no array");
    json_object_set_new(json, "passes", json_pack("[s]", "xray"));
    assert_refused("passes[0]", "no pass");
    json_object_del(json, "passes");
    json_object_set_new(json, "warm_up_bytes", json_integer(-1));
    assert_refused("warm_up_bytes", "-1");
}

static void test_a_plan_has_no_more_cells_than_a_reader_takes(void **state)
{
    struct plan_request request = {.workload = "list_lifetime:n=1..64",
                                   .rows = rows,
                                   .row_count = sizeof rows / sizeof rows[0],
                                   .host = "objects",
                                   .rounds = 1};
    size_t before;
    int failed;

    (void)state;
    do {
        before = plan.cell_count;
        request.idle_ns++;
        failed = plan_add(&plan, &request, error);
    } while (!failed && plan.cell_count <= PLAN_MOST_CELLS);
    assert_int_equal(failed, -E2BIG);
    assert_int_equal(plan.cell_count, before);
    assert_non_null(strstr(error, "a plan has at most 4096 cells"));
}

static void add_eager(void)
{
    static const char *const eager_rows[] = {"jemalloc", "tbb"};
    const struct plan_request request = {
        .workload = "bulk:n=20k",
        .rows = eager_rows,
        .row_count = 2,
        .host = "objects",
        .way = {.mode = RETURN_EAGER, .thp = RETURN_THP_OFF, .activity_ns = 5000000, .rebuilds = 1},
        .rounds = 1};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
    json_decref(json);
    json = plan_to_json(&plan);
}

static void test_ways_to_give_back_are_read_back_with_their_tunables(void **state)
{
    (void)state;
    add_eager();
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_same_plan();
    const struct cell *read = &again.cells[again.cell_count - 2];
    assert_true(return_way_is_same(&read->way, &plan.cells[plan.cell_count - 2].way));
    assert_int_equal(read->row.object.tunable_count, 2);
    assert_string_equal(read->row.object.tunables[0].tunable->name, "dirty_decay_ms");
    assert_non_null(strstr(again.cells[again.cell_count - 1].not_available, "no tunables"));
}

static void test_a_plan_before_the_ways_is_stock(void **state)
{
    static const char *const keys[] = {"return", "activity_ns", "rebuild", "thp"};
    const struct return_way stock = {0};

    (void)state;
    for (size_t i = 0; i < json_array_size(json_object_get(json, "cells")); i++) {
        for (size_t key = 0; key < sizeof keys / sizeof keys[0]; key++)
            json_object_del(cell(i), keys[key]);
    }
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    for (size_t i = 0; i < again.cell_count; i++)
        assert_true(return_way_is_same(&again.cells[i].way, &stock));
}

static void test_ways_that_there_are_not_are_refused(void **state)
{
    (void)state;
    json_object_set_new(cell(1), "return", json_string("idel"));
    assert_refused("cells[1].return", "idel");
    json_object_set_new(cell(1), "return", json_integer(3));
    assert_refused("cells[1].return", "no string");
    json_object_set_new(cell(1), "return", json_string("purge"));
    json_object_set_new(cell(1), "thp", json_string("always"));
    assert_refused("cells[1].thp", "always");
    json_object_set_new(cell(1), "thp", json_string("off"));
    json_object_set_new(cell(1), "activity_ns", json_integer(-1));
    assert_refused("cells[1].activity_ns", "-1");
    json_object_set_new(cell(1), "activity_ns", json_integer(0));
    json_object_set_new(cell(1), "rebuild", json_integer(1));
    assert_refused("cells[1].rebuild", "neither true nor false");
}

#define PLAN_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PLAN_TEST(test_a_plan_is_read_back_as_it_was_written),
        PLAN_TEST(test_a_plan_has_no_more_cells_than_a_reader_takes),
        PLAN_TEST(test_a_plan_without_a_suite_is_read_back),
        PLAN_TEST(test_further_rounds_that_were_asked_for_are_read_back),
        PLAN_TEST(test_further_rounds_that_do_not_fit_are_refused),
        PLAN_TEST(test_an_interpreter_that_is_missing_is_fine_where_its_cells_are_not_run),
        PLAN_TEST(test_an_unknown_workload_is_refused),
        PLAN_TEST(test_an_unknown_parameter_is_refused),
        PLAN_TEST(test_a_missing_parameter_is_refused),
        PLAN_TEST(test_a_value_that_a_parameter_does_not_take_is_refused),
        PLAN_TEST(test_an_unknown_row_is_refused),
        PLAN_TEST(test_a_host_that_is_missing_is_refused_where_its_cell_runs),
        PLAN_TEST(test_each_missing_field_is_named),
        PLAN_TEST(test_each_wrong_type_is_named),
        PLAN_TEST(test_numbers_out_of_bounds_are_refused),
        PLAN_TEST(test_a_plan_without_cells_is_refused),
        PLAN_TEST(test_an_order_of_another_seed_is_refused),
        PLAN_TEST(test_an_order_of_other_rounds_is_refused),
        PLAN_TEST(test_what_is_stored_is_not_left),
        PLAN_TEST(test_a_cell_that_was_given_up_stays_so),
        PLAN_TEST(test_samples_that_do_not_fit_the_plan_are_refused_with_their_line),
        PLAN_TEST(test_controls_repeats_and_warm_up_are_read_back),
        PLAN_TEST(test_a_plan_of_an_earlier_version_has_none_of_them),
        PLAN_TEST(test_ways_to_give_back_are_read_back_with_their_tunables),
        PLAN_TEST(test_a_plan_before_the_ways_is_stock),
        PLAN_TEST(test_ways_that_there_are_not_are_refused),
        PLAN_TEST(test_a_plan_that_asked_for_a_census_has_that_pass),
        PLAN_TEST(test_flags_of_the_wrong_type_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
