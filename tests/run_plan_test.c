/*
 * Which cells a run has: of suites, of what they take in, and in which ways. Leaves out the command
 * line (tests/cli_test.py) and swept values (tests/plan_test.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "harness/run_plan.h"

#include <stdio.h>
#include <string.h>

static void plan_of(struct plan *plan, const struct run_choice *choice)
{
    char error[PLAN_ERROR_BYTES] = "";

    memset(plan, 0, sizeof *plan);
    if (run_plan_cells(plan, choice, error) != 0)
        fail_msg("%s: %s", choice->suite, error);
}

/* It asks for the version of each interpreter: once is enough. */
static struct plan full;

static struct run_choice suite_choice(const char *name)
{
    return (struct run_choice){.suite = name, .idle_ns = UINT64_MAX};
}

/* How many cells there are of the workload, row, host and way of `like`. */
static size_t count_like(const struct plan *plan, const struct cell *like)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        count += cell->workload == like->workload && strcmp(cell->row.text, like->row.text) == 0 &&
                 strcmp(cell->host.text, like->host.text) == 0 &&
                 return_way_is_same(&cell->way, &like->way);
    }
    return count;
}

static void every_suite_can_be_planned(void **state)
{
    (void)state;
    for (size_t i = 0; i < suite_registry_count; i++) {
        if (suite_registry[i] == &suite_full)
            continue; /* open_full has */
        const struct run_choice choice = suite_choice(suite_registry[i]->name);
        struct plan plan;

        plan_of(&plan, &choice);
        assert_true(plan.cell_count > 0);
        assert_string_equal(plan.suite, suite_registry[i]->name);
        plan_free(&plan);
    }
}

static void full_has_each_row_of_each_part_in_each_way(void **state)
{
    (void)state;
    for (const struct suite *const *part = suite_full.parts; *part; part++) {
        const struct run_choice choice = suite_choice((*part)->name);
        struct plan plan;

        plan_of(&plan, &choice);
        for (size_t i = 0; i < plan.cell_count; i++)
            assert_true(count_like(&full, &plan.cells[i]) >= 1);
        plan_free(&plan);
    }
}

/* classic and threads both have larson on one thread and on two. */
static void what_is_in_two_parts_is_taken_once(void **state)
{
    size_t count = 0;

    (void)state;
    for (size_t i = 0; i < full.cell_count; i++)
        count += strcmp(full.cells[i].workload->name, "larson") == 0 &&
                 strcmp(full.cells[i].row.text, "jemalloc") == 0;
    assert_int_equal(count, 3); /* 1, 2 and 4 threads */
}

static void a_request_alone_has_no_cell_twice(void **state)
{
    const struct plan_request request = {.workload = "bulk:n=1k",
                                         .rows = (const char *const[]){"glibc", "glibc"},
                                         .row_count = 2,
                                         .host = "objects",
                                         .rounds = 1};
    char error[PLAN_ERROR_BYTES] = "";
    struct plan plan = {0};

    (void)state;
    assert_true(plan_add(&plan, &request, error) != 0);
    assert_non_null(strstr(error, "given twice"));
    plan_free(&plan);
}

static void sizes_rounds_and_idle_times_of_what_full_takes_in(void **state)
{
    (void)state;
    for (size_t i = 0; i < full.cell_count; i++) {
        const struct cell *cell = &full.cells[i];
        if (strcmp(cell->workload->name, "documents") == 0 &&
            strcmp(cell->row.text, "talloc") == 0) {
            assert_int_equal(cell->rounds, suite_full.rounds);
            assert_int_equal(cell->idle_ns, suite_regions.idle_ns);
            assert_int_equal(cell->values[0], 20000000); /* of documents, at full size */
        }
    }
}

static size_t count_modes(const struct plan *plan, enum return_mode mode)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        count += plan->cells[i].way.mode == mode;
    return count;
}

static void ways_that_are_asked_for_replace_those_of_the_suite(void **state)
{
    struct run_choice choice = suite_choice("return");
    struct plan plan;

    (void)state;
    plan_of(&plan, &choice);
    for (int mode = RETURN_STOCK; mode < RETURN_MODES; mode++)
        assert_true(count_modes(&plan, (enum return_mode)mode) > 0);
    plan_free(&plan);

    choice.ways.modes[0] = RETURN_PURGE;
    choice.ways.mode_count = 1;
    char error[PLAN_ERROR_BYTES] = "";
    memset(&plan, 0, sizeof plan);
    assert_int_equal(run_plan_cells(&plan, &choice, error), 0);
    assert_int_equal(count_modes(&plan, RETURN_PURGE), plan.cell_count);
    plan_free(&plan);
}

/* Lines of quick differ in their rows alone. */
static void lines_may_meet_in_rows_that_are_asked_for(void **state)
{
    struct run_choice choice = suite_choice("quick");
    char error[ROW_ERROR_BYTES];
    struct plan plan;

    (void)state;
    assert_int_equal(row_list_add(&choice.rows, "glibc", error), 0);
    plan_of(&plan, &choice);
    for (size_t i = 0; i < plan.cell_count; i++)
        assert_string_equal(plan.cells[i].row.text, "glibc");
    plan_free(&plan);
    row_list_free(&choice.rows);
}

static void the_long_rest_outlasts_its_last_moment(void **state)
{
    const struct run_choice choice = suite_choice("return");
    struct plan plan;

    (void)state;
    plan_of(&plan, &choice);
    for (size_t i = 0; i < plan.cell_count; i++) {
        if (plan.cells[i].way.mode == RETURN_IDLE)
            assert_true(plan.cells[i].idle_ns >= 30000000000);
    }
    plan_free(&plan);
}

static int open_full(void **state)
{
    const struct run_choice choice = suite_choice("full");

    (void)state;
    plan_of(&full, &choice);
    return 0;
}

static int close_full(void **state)
{
    (void)state;
    plan_free(&full);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_suite_can_be_planned),
        cmocka_unit_test(full_has_each_row_of_each_part_in_each_way),
        cmocka_unit_test(what_is_in_two_parts_is_taken_once),
        cmocka_unit_test(a_request_alone_has_no_cell_twice),
        cmocka_unit_test(sizes_rounds_and_idle_times_of_what_full_takes_in),
        cmocka_unit_test(ways_that_are_asked_for_replace_those_of_the_suite),
        cmocka_unit_test(lines_may_meet_in_rows_that_are_asked_for),
        cmocka_unit_test(the_long_rest_outlasts_its_last_moment),
    };

    return cmocka_run_group_tests(tests, open_full, close_full);
}
