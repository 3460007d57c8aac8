/* Which cells of a plan get an A/A control, in which order rounds are repeated, and one factor for
 * all sizes. Leaves out how
 * cells come to be (grammar_test.c) and how a plan is read back (plan_read_test.c). */
#include "harness/plan.h"
#include "harness/scale.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct plan plan;

static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){.seed = 7};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_free(&plan);
    return 0;
}

static void add(const char *workload, const char *host, unsigned rounds, uint64_t idle_ns,
                const char *first_row, const char *second_row)
{
    const char *const rows[] = {first_row, second_row};
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = second_row ? 2 : 1,
                                   .host = host,
                                   .host_may_be_missing = 1,
                                   .idle_ns = idle_ns,
                                   .rounds = rounds};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

/* The only control; a plan has others or none is a failure. */
static const struct cell *the_control(void)
{
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 1);
    return &plan.cells[plan.cell_count - 1];
}

static void assert_no_control(void)
{
    size_t cells = plan.cell_count;

    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 0);
    assert_int_equal(plan.cell_count, cells);
}

static void test_a_control_is_the_first_row_again(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "glibc", "pymalloc");
    const struct cell *control = the_control();
    assert_int_equal(plan.cell_count, 3);
    assert_true(control->is_control);
    assert_string_equal(control->row.text, "glibc");
    assert_true(plan_same_experiment(control, &plan.cells[0]));
    assert_int_equal(control->rounds, 6);
    assert_int_equal(plan_samples(&plan), 18);
}

static void test_a_row_that_cannot_run_is_no_reference(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "bump", "glibc");
    add("list_lifetime:n=20k", "objects", 6, 5, "pymalloc", NULL);
    assert_string_equal(the_control()->row.text, "glibc");
}

static void test_what_a_collector_cannot_see_is_not_available_on_it(void **state)
{
    (void)state;
    add("steady", "objects", 6, 5, "boehm-collected", "boehm");
    add("list_lifetime:n=20k", "objects", 6, 5, "boehm-collected", NULL);
    assert_non_null(strstr(plan.cells[0].not_available, "where no collector looks"));
    assert_string_equal(plan.cells[1].not_available, "");
    assert_string_equal(plan.cells[2].not_available, "");
}

/* Ways to give back. */

static void add_way(const char *row, const char *host, struct return_way way)
{
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = "bulk:n=20k",
                                   .rows = &row,
                                   .row_count = 1,
                                   .host = host,
                                   .host_may_be_missing = 1,
                                   .way = way,
                                   .rounds = 6};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

static const struct cell *last_cell(void)
{
    return &plan.cells[plan.cell_count - 1];
}

static void assert_not_available(const char *because)
{
    if (!strstr(last_cell()->not_available, because))
        fail_msg("'%s' is not in '%s'", because, last_cell()->not_available);
}

static void test_an_eager_row_has_the_tunables_of_its_allocators_and_keeps_its_name(void **state)
{
    const struct return_way eager = {.mode = RETURN_EAGER};

    (void)state;
    add_way("pymalloc@jemalloc+dirty_decay_ms:77", "objects", eager);
    const struct row *row = &last_cell()->row;
    assert_string_equal(last_cell()->not_available, "");
    assert_string_equal(row->text, "pymalloc@jemalloc+dirty_decay_ms:77");
    assert_int_equal(row->object.tunable_count, 0);
    assert_int_equal(row->raw.tunable_count, 2);
    assert_string_equal(row->raw.tunables[0].value, "77"); /* the row's own stays */
    assert_string_equal(row->raw.tunables[1].tunable->name, "muzzy_decay_ms");
    assert_string_equal(row->raw.tunables[1].value, "0");
}

static void test_what_every_allocator_calls_eager_are_its_own_tunables(void **state)
{
    char error[ROW_ERROR_BYTES];

    (void)state;
    for (size_t i = 0; i < allocator_registry_count; i++) {
        const struct allocator *allocator = allocator_registry[i];
        struct row row;
        assert_int_equal(row_parse(&row, allocator->name, error), 0);
        int made = row_make_eager(&row, error);
        if (made == -EINVAL)
            fail_msg("%s: %s", allocator->name, error);
        assert_true(!allocator->eager || (made == 0 && row.object.tunable_count > 0));
    }
}

static void test_a_row_without_the_means_is_not_available_with_the_reason(void **state)
{
    const struct return_way eager = {.mode = RETURN_EAGER}, purge = {.mode = RETURN_PURGE};
    const struct return_way pressure = {.mode = RETURN_PRESSURE};
    const struct return_way active = {.mode = RETURN_IDLE, .activity_ns = 1000000};

    (void)state;
    add_way("tbb", "objects", eager);
    assert_not_available("no tunables that make it give back sooner");
    add_way("cpython", "objects", purge);
    assert_not_available("has no purge");
    add_way("pymalloc@tbb", "objects", purge); /* what is beneath has one */
    assert_string_equal(last_cell()->not_available, "");
    add_way("bump", "objects", active);
    assert_not_available("no single block");
    add_way("glibc", "python3", purge);
    assert_true(last_cell()->not_available[0]);
    add_way("glibc", "python3", pressure);
    assert_true(last_cell()->not_available[0]);
}

static void test_without_groups_pressure_alone_is_ruled_out(void **state)
{
    const struct return_way pressure = {.mode = RETURN_PRESSURE}, purge = {.mode = RETURN_PURGE};

    (void)state;
    add_way("glibc", "objects", purge);
    assert_false(plan_needs_pressure(&plan));
    add_way("glibc", "objects", pressure);
    assert_true(plan_needs_pressure(&plan));
    plan_rule_out_pressure(&plan, "a reason");
    assert_false(plan_needs_pressure(&plan));
    assert_not_available("needs a memory group of the sample's own: a reason");
    assert_string_equal(plan.cells[0].not_available, "");
}

static void test_ways_are_experiments_of_their_own_and_a_real_cpython_never_rebuilds(void **state)
{
    const struct return_way stock = {.mode = RETURN_STOCK};
    const struct return_way idle = {.mode = RETURN_IDLE, .rebuilds = 1};

    (void)state;
    add_way("glibc", "objects", stock);
    add_way("glibc", "objects", idle);
    assert_false(plan_same_experiment(&plan.cells[0], &plan.cells[1]));
    assert_true(last_cell()->way.rebuilds);
    add_way("glibc", "python3", idle);
    assert_false(last_cell()->way.rebuilds);
}

static void test_huge_pages_for_all_need_the_system_to_say_always(void **state)
{
    char reason[RETURN_REASON_BYTES] = "";

    (void)state;
    assert_true(return_thp_is_available(RETURN_THP_ON, "[always] madvise never", reason));
    assert_false(return_thp_is_available(RETURN_THP_ON, "always [madvise] never", reason));
    assert_non_null(strstr(reason, "always [madvise] never"));
    assert_true(return_thp_is_available(RETURN_THP_OFF, "always [madvise] never", reason));
    assert_false(return_thp_is_available(RETURN_THP_OFF, "", reason));
    assert_true(return_thp_is_available(RETURN_THP_SYSTEM, "", reason));
}

static void test_a_way_is_told_in_words(void **state)
{
    char text[RETURN_WAY_TEXT_BYTES];
    const struct return_way way = {
        .mode = RETURN_IDLE, .activity_ns = 100000000, .thp = RETURN_THP_OFF};

    (void)state;
    assert_string_equal(return_way_text(&way, text), "idle, active each 100 ms, THP off");
}

/* By the choice: `compiler_phases` keeps blocks in a mapped table, and regions on the stack. */
static void test_regions_that_a_collector_sees_are_available_on_it(void **state)
{
    (void)state;
    add("compiler_phases:how=blocks|region", "objects", 6, 5, "boehm-collected",
        "frees@boehm-collected");
    add("request_server:how=region", "objects", 6, 5, "frees@boehm-collected", NULL);
    assert_int_equal(plan.cell_count, 5);
    assert_non_null(strstr(plan.cells[0].not_available, "where no collector looks"));
    assert_string_equal(plan.cells[3].not_available, "");
    assert_non_null(strstr(plan.cells[4].not_available, "where no collector looks"));
}

static void test_fewer_than_six_rounds_have_none(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 5, 5, "glibc", "pymalloc");
    assert_no_control();
}

static void test_a_single_row_that_can_run_has_none(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "glibc", "bump");
    add("list_lifetime:n=20k", "objects", 6, 6, "glibc", NULL); /* another experiment */
    assert_no_control();
}

static void test_there_is_one_for_each_workload_on_the_experiment_that_comes_first(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 1, 12, "glibc", "pymalloc"); /* too few rounds */
    add("list_lifetime:n=30k|40k", "objects", 6, 5, "glibc", "pymalloc");
    add("del_collect:n=20k", "objects", 6, 5, "jemalloc", "glibc");
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 2);
    const struct cell *controls = &plan.cells[plan.cell_count - 2];
    assert_true(plan_same_experiment(&controls[0], &plan.cells[2]));
    assert_string_equal(controls[1].workload->name, "del_collect");
    assert_string_equal(controls[1].row.text, "jemalloc");
}

static void test_each_host_has_its_own(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "pymalloc", "glibc");
    add("list_lifetime:n=20k", "python3", 6, 5, "pymalloc", "jemalloc");
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_int_equal(plan_controls(&plan), 2);
    assert_string_equal(plan.cells[4].host.text, "objects");
    assert_string_equal(plan.cells[5].host.text, "python3");
}

static void test_rows_on_two_hosts_are_not_two_rows_on_one(void **state)
{
    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "pymalloc", NULL);
    add("list_lifetime:n=20k", "python3", 6, 5, "pymalloc", NULL);
    assert_no_control();
}

static void test_a_cell_given_twice_is_still_refused(void **state)
{
    static const char *const rows[] = {"glibc"};
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = "list_lifetime:n=20k",
                                   .rows = rows,
                                   .row_count = 1,
                                   .host = "objects",
                                   .idle_ns = 5,
                                   .rounds = 6};

    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "glibc", "pymalloc");
    the_control();
    assert_true(plan_add(&plan, &request, error) != 0);
    assert_non_null(strstr(error, "given twice"));
}

static void test_a_control_takes_part_in_each_round(void **state)
{
    size_t order[3], seen = 0;

    (void)state;
    add("list_lifetime:n=20k", "objects", 6, 5, "glibc", "pymalloc");
    the_control();
    for (unsigned round = 0; round < 6; round++) {
        assert_int_equal(plan_round(&plan, round, 0, order), 3);
        for (size_t i = 0; i < 3; i++)
            seen += order[i] == 2;
    }
    assert_int_equal(seen, 6);
}

static void test_a_repeat_has_an_order_of_its_own_that_stays(void **state)
{
    size_t planned[20], repeated[20], again[20], next[20];

    (void)state;
    add("list_lifetime:n=1..10", "objects", 6, 5, "glibc", "pymalloc");
    assert_int_equal(plan_round(&plan, 3, 0, planned), 20);
    assert_int_equal(plan_round(&plan, 3, 1, repeated), 20);
    assert_int_equal(plan_round(&plan, 3, 1, again), 20);
    assert_int_equal(plan_round(&plan, 4, 1, next), 20);
    assert_memory_equal(repeated, again, sizeof again);
    assert_memory_not_equal(repeated, planned, sizeof planned);
    assert_memory_not_equal(repeated, next, sizeof next);
}

/* --- One factor for all sizes. --- */

static void test_what_there_is_to_do_scales_and_a_block_does_not(void **state)
{
    (void)state;
    plan.scale = 0.25;
    add("steady:n=1000,size=48", "objects", 1, 5, "glibc", NULL);
    assert_int_equal(plan.cells[0].values[0], 250);
    assert_int_equal(plan.cells[0].values[1], 48);
    assert_int_equal(plan.cells[0].values[2], 250000); /* the usual 1M */
    assert_int_equal(json_array_size(plan.scale_notes), 0);
}

static void test_a_swept_value_scales_and_those_that_meet_are_one(void **state)
{
    (void)state;
    plan.scale = 0.01;
    add("cfrac:n=20|60|800,digits=8|9", "objects", 1, 5, "glibc", NULL);
    assert_int_equal(plan.cell_count, 4);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(plan.cells[i].values[0], i % 2 == 0 ? 1 : 8);
    assert_int_equal(plan.cells[0].values[1], 8);
    assert_int_equal(plan.cells[2].values[1], 9);
}

static void test_a_bound_that_is_in_the_way_is_told_once(void **state)
{
    (void)state;
    plan.scale = 0.01;
    add("cfrac:n=2|3", "objects", 1, 5, "glibc", NULL);
    add("cfrac:n=2,digits=9", "objects", 1, 5, "glibc", NULL);
    assert_int_equal(plan.cell_count, 2);
    assert_int_equal(json_array_size(plan.scale_notes), 1);
    assert_string_equal(json_string_value(json_array_get(plan.scale_notes, 0)),
                        "cfrac: n is 1, the least that it takes");
    plan.scale = 1000;
    add("cfrac:n=2000", "objects", 1, 5, "glibc", NULL);
    assert_int_equal(plan.cells[2].values[0], 1000000);
    assert_string_equal(json_string_value(json_array_get(plan.scale_notes, 1)),
                        "cfrac: n is 1000000, the most that it takes");
}

static void test_a_factor_is_a_plain_number_within_its_bounds(void **state)
{
    static const char *const bad[] = {"",    "-1",  "+1",  " 1",    "1 ", "1e3", "0x10",
                                      "inf", "nan", "1,5", "1.2.3", "2x", "."};
    double factor = 7;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(scale_parse(bad[i], &factor), -EINVAL);
    assert_int_equal(scale_parse("0", &factor), -ERANGE);
    assert_int_equal(scale_parse("0.0009", &factor), -ERANGE);
    assert_int_equal(scale_parse("1000.1", &factor), -ERANGE);
    assert_true(factor == 7);
    assert_int_equal(scale_parse("0.25", &factor), 0);
    assert_true(factor == 0.25);
    assert_int_equal(scale_parse("1000", &factor), 0);
    assert_true(factor == 1000);
}

#define plan_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        plan_test(test_what_there_is_to_do_scales_and_a_block_does_not),
        plan_test(test_a_swept_value_scales_and_those_that_meet_are_one),
        plan_test(test_a_bound_that_is_in_the_way_is_told_once),
        plan_test(test_a_factor_is_a_plain_number_within_its_bounds),
        plan_test(test_an_eager_row_has_the_tunables_of_its_allocators_and_keeps_its_name),
        plan_test(test_what_every_allocator_calls_eager_are_its_own_tunables),
        plan_test(test_a_row_without_the_means_is_not_available_with_the_reason),
        plan_test(test_without_groups_pressure_alone_is_ruled_out),
        plan_test(test_ways_are_experiments_of_their_own_and_a_real_cpython_never_rebuilds),
        plan_test(test_huge_pages_for_all_need_the_system_to_say_always),
        plan_test(test_a_way_is_told_in_words),
        plan_test(test_a_control_is_the_first_row_again),
        plan_test(test_a_row_that_cannot_run_is_no_reference),
        plan_test(test_what_a_collector_cannot_see_is_not_available_on_it),
        plan_test(test_regions_that_a_collector_sees_are_available_on_it),
        plan_test(test_fewer_than_six_rounds_have_none),
        plan_test(test_a_single_row_that_can_run_has_none),
        plan_test(test_there_is_one_for_each_workload_on_the_experiment_that_comes_first),
        plan_test(test_each_host_has_its_own),
        plan_test(test_rows_on_two_hosts_are_not_two_rows_on_one),
        plan_test(test_a_cell_given_twice_is_still_refused),
        plan_test(test_a_control_takes_part_in_each_round),
        plan_test(test_a_repeat_has_an_order_of_its_own_that_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
