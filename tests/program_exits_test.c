/* Which samples of a program are none, on plans and samples made by hand: the rules of
 * harness/program_exits.h. Leaves out programs (exec_test.py). */
#include "harness/program_exits.h"

#include "harness/json_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CELLS = 4 };

static const struct parameter parameters[] = {{0}};
static const struct workload program = {.name = "p", .parameters = parameters, .is_program = 1};
static struct cell cells[CELLS];
static struct plan plan;
static json_t *samples, *reasons;

/* Rows a, b and c of one experiment, and a of another one. */
static int begin(void **state)
{
    (void)state;
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < CELLS; i++) {
        cells[i].workload = &program;
        snprintf(cells[i].row.text, sizeof cells[i].row.text, "%c", 'a' + (int)(i % 3));
    }
    cells[3].idle_ns = 1;
    plan = (struct plan){.cells = cells, .cell_count = CELLS};
    samples = json_array();
    reasons = json_array();
    return 0;
}

static int end(void **state)
{
    (void)state;
    json_decref(samples);
    json_decref(reasons);
    return 0;
}

static void add(int cell, const char *status, int exit_status)
{
    json_array_append_new(samples,
                          json_pack("{s:i, s:s, s:n, s:i, s:i}", "cell", cell, "status", status,
                                    "reason", "exit_status", exit_status, "peak_bytes", 1000));
}

/* The statuses in a row, a letter each: o for ok, e for exit. */
static void expect(int is_complete, const char *wanted, size_t marked)
{
    char found[32] = "";

    assert_int_equal(program_exits_mark(&plan, samples, is_complete, reasons), marked);
    for (size_t i = 0; i < json_array_size(samples); i++)
        strncat(found, json_text(json_array_get(samples, i), "status"), 1);
    assert_string_equal(found, wanted);
}

static void test_the_same_exit_status_is_good_whatever_it_is(void **state)
{
    (void)state;
    add(0, "ok", 4);
    add(1, "ok", 4);
    expect(1, "oo", 0);
}

static void test_the_first_row_stands_although_another_ran_before_it(void **state)
{
    (void)state;
    add(2, "ok", 139);
    add(1, "ok", 0);
    add(0, "ok", 0);
    expect(1, "eoo", 1);
    assert_string_equal(json_string_value(json_array_get(reasons, 0)),
                        "on c the program ended with status 139, on a with 0");
    assert_string_equal(json_text(json_array_get(samples, 0), "reason"),
                        "on c the program ended with status 139, on a with 0");
    assert_true(json_is_null(json_object_get(json_array_get(samples, 0), "peak_bytes")));
    assert_true(json_is_integer(json_object_get(json_array_get(samples, 1), "peak_bytes")));
}

static void test_once_more_changes_nothing(void **state)
{
    (void)state;
    add(0, "ok", 0);
    add(0, "ok", 1);
    add(1, "ok", 1);
    expect(1, "oee", 2);
    expect(1, "oee", 0);
}

static void test_an_interrupted_run_waits_for_its_first_row(void **state)
{
    (void)state;
    add(1, "ok", 139);
    add(2, "ok", 0);
    expect(0, "oo", 0);
    add(0, "ok", 0);
    expect(0, "eoo", 1);
}

static void test_a_first_row_that_never_was_is_passed_over(void **state)
{
    (void)state;
    add(0, "timeout", 0);
    add(1, "ok", 0);
    add(2, "ok", 1);
    expect(1, "toe", 1);
}

static void test_a_first_row_that_cannot_run_is_not_waited_for(void **state)
{
    (void)state;
    strcpy(cells[0].not_available, "it has no library");
    add(1, "ok", 0);
    add(2, "ok", 1);
    expect(0, "oe", 1);
}

static void test_experiments_are_held_against_their_own(void **state)
{
    (void)state;
    add(0, "ok", 0);
    add(3, "ok", 1);
    expect(1, "oo", 0);
}

static void test_a_sample_of_an_older_version_is_left_alone(void **state)
{
    (void)state;
    add(0, "ok", 0);
    add(1, "ok", 1);
    json_object_del(json_array_get(samples, 1), "exit_status");
    expect(1, "oo", 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_the_same_exit_status_is_good_whatever_it_is),
        TEST(test_the_first_row_stands_although_another_ran_before_it),
        TEST(test_once_more_changes_nothing),
        TEST(test_an_interrupted_run_waits_for_its_first_row),
        TEST(test_a_first_row_that_never_was_is_passed_over),
        TEST(test_a_first_row_that_cannot_run_is_not_waited_for),
        TEST(test_experiments_are_held_against_their_own),
        TEST(test_a_sample_of_an_older_version_is_left_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
