/* The command line's grammar: rows, workloads, sweeps, and what their errors say. */
#define _GNU_SOURCE
#include "harness/environment.h"
#include "harness/grammar.h"
#include "harness/plan.h"
#include "harness/row.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct row row;
static struct workload_words words;
static char error[PLAN_ERROR_BYTES];

static void assert_row_refused(const char *text, const char *because)
{
    assert_int_equal(row_parse(&row, text, error), -EINVAL);
    if (!strstr(error, because))
        fail_msg("'%s' should say '%s', but says: %s", text, because, error);
}

static void assert_workload_refused(const char *text, const char *because)
{
    assert_int_equal(grammar_parse_workload(&words, text, SIZE_QUICK, error), -EINVAL);
    if (!strstr(error, because))
        fail_msg("'%s' should say '%s', but says: %s", text, because, error);
}

static void test_a_general_row_serves_both_sides(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "jemalloc", error), 0);
    assert_string_equal(row.object.allocator->name, "jemalloc");
    assert_null(row.raw.allocator);
}

static void test_pymalloc_stands_on_glibc_unless_told(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "pymalloc", error), 0);
    assert_string_equal(row.raw.allocator->name, "glibc");
    assert_int_equal(row_parse(&row, "pymalloc@mimalloc", error), 0);
    assert_string_equal(row.raw.allocator->name, "mimalloc");
}

static void test_regions_that_take_their_memory_beneath_stand_on_glibc_unless_told(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "frees", error), 0);
    assert_string_equal(row.raw.allocator->name, "glibc");
    assert_int_equal(row_parse(&row, "frees@jemalloc+narenas:2", error), 0);
    assert_string_equal(row.raw.allocator->name, "jemalloc");
    assert_int_equal(row_parse(&row, "bump", error), 0);
    assert_null(row.raw.allocator);
}

static void test_a_tunable_binds_to_the_component_on_its_left(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "pymalloc@glibc+tcache_count:0+arena_max:1", error), 0);
    assert_int_equal(row.object.tunable_count, 0);
    assert_int_equal(row.raw.tunable_count, 2);
    assert_string_equal(row.raw.tunables[0].tunable->name, "tcache_count");
    assert_string_equal(row.raw.tunables[1].value, "1");
}

static void test_the_row_as_written_is_its_identity(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "lean=jemalloc+dirty_decay_ms:0", error), 0);
    assert_string_equal(row.text, "lean=jemalloc+dirty_decay_ms:0");
    assert_string_equal(row.object.allocator->name, "jemalloc");
}

static void test_a_backslash_makes_a_value_literal(void **state)
{
    (void)state;
    char word[32];

    assert_string_equal(grammar_word("a\\+b\\@c+d", "+@", word, sizeof word), "+d");
    assert_string_equal(word, "a+b@c");
    assert_int_equal(row_parse(&row, "jemalloc+thp:al\\ways", error), 0);
    assert_string_equal(row.object.tunables[0].value, "always");
}

static void test_unknown_names_say_what_is_near_and_accepted(void **state)
{
    (void)state;
    assert_row_refused("jemaloc", "did you mean jemalloc?");
    assert_row_refused("nothing", "accepted: glibc, jemalloc, mimalloc, tcmalloc, tbb, boehm, ");
    assert_row_refused("glibc+tcache:0", "accepted: tcache_count");
    assert_row_refused("null+a:1", "null has no tunables");
}

/* What a collector can trace; `pymalloc` keeps blocks where it does not look. */
static void test_regions_stand_on_a_collector(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "frees@boehm-collected", error), 0);
    assert_string_equal(row.raw.allocator->name, "boehm-collected");
    assert_int_equal(row_parse(&row, "pmr-pool@boehm-collected", error), 0);
    assert_row_refused("glib-slice@boehm-collected", "one that does not collect");
}

static void test_malformed_rows_are_refused(void **state)
{
    (void)state;
    assert_row_refused("jemalloc@glibc", "serves every size itself");
    assert_row_refused("pymalloc@bump", "one general allocator");
    assert_row_refused("pymalloc@glibc@glibc", "one general allocator");
    assert_row_refused("pymalloc@boehm-collected", "one that does not collect");
    assert_row_refused("bump@glibc", "serves every size itself");
    assert_row_refused("frees@null", "one whose blocks are distinct");
    assert_row_refused("frees@bump", "one general allocator");
    assert_row_refused("glibc+tcache_count", "no tunable:value");
    assert_row_refused("caf\xe9=glibc", "printable ASCII; byte 4");
    assert_row_refused("jemalloc,glibc", "left over");
    assert_row_refused("", "no allocator is called");
}

static void test_a_value_that_the_allocator_would_misread_is_refused(void **state)
{
    (void)state;
    assert_row_refused("glibc+tcache_count:", "'' is no whole number between 0 and 65535");
    assert_row_refused("glibc+tcache_count:O", "'O' is no whole number");
    assert_row_refused("glibc+tcache_count:-1", "between 0 and 65535");
    assert_row_refused("glibc+tcache_count:0:glibc.rtld.nns=1", "no whole number");
    assert_row_refused("jemalloc+background_thread:yes", "'yes' is not true|false");
    assert_row_refused("jemalloc+thp:al", "is not default|always|never");
    assert_row_refused("tcmalloc+release_rate:99999", "between 0 and 10");
    assert_row_refused("glibc+tcache_count:0+tcache_count:1", "given twice");
    assert_int_equal(row_parse(&row, "jemalloc+dirty_decay_ms:-1", error), 0);
}

static void test_a_failed_parse_leaves_the_row_alone(void **state)
{
    (void)state;
    assert_int_equal(row_parse(&row, "mimalloc", error), 0);
    assert_int_equal(row_parse(&row, "jemalloc+nope:1", error), -EINVAL);
    assert_string_equal(row.text, "mimalloc");
}

static const char *variable(const struct environment *environment, const char *name)
{
    size_t length = strlen(name);

    for (size_t i = 0; i < environment->count; i++) {
        if (!strncmp(environment->variables[i], name, length) &&
            environment->variables[i][length] == '=')
            return environment->variables[i] + length + 1;
    }
    return NULL;
}

static void test_tunables_become_environment(void **state)
{
    struct environment environment;

    (void)state;
    environment_init(&environment);
    assert_int_equal(row_parse(&row, "pymalloc@glibc+tcache_count:0+mxfast:0", error), 0);
    assert_int_equal(environment_add_row(&environment, &row), 0);
    assert_string_equal(variable(&environment, "GLIBC_TUNABLES"),
                        "glibc.rtld.optional_static_tls=4096:glibc.malloc.tcache_count=0:"
                        "glibc.malloc.mxfast=0");

    environment_init(&environment);
    assert_int_equal(row_parse(&row, "jemalloc+dirty_decay_ms:0+background_thread:true", error), 0);
    assert_int_equal(environment_add_row(&environment, &row), 0);
    assert_string_equal(variable(&environment, "MALLOC_CONF"),
                        "dirty_decay_ms:0,background_thread:true");

    environment_init(&environment);
    assert_int_equal(row_parse(&row, "mimalloc+decommit_delay:0", error), 0);
    assert_int_equal(environment_add_row(&environment, &row), 0);
    assert_string_equal(variable(&environment, "MIMALLOC_DECOMMIT_DELAY"), "0");
}

static void test_the_callers_allocator_variables_are_not_inherited(void **state)
{
    struct environment environment;

    (void)state;
    setenv("MALLOC_CONF", "dirty_decay_ms:0", 1);
    environment_init(&environment);
    assert_int_equal(row_parse(&row, "jemalloc", error), 0);
    assert_int_equal(environment_add_row(&environment, &row), 0);
    assert_null(variable(&environment, "MALLOC_CONF"));
    json_t *dropped = environment_dropped();
    assert_true(json_array_size(dropped) >= 1);
    json_decref(dropped);
    unsetenv("MALLOC_CONF");
}

static size_t parameter_index(const char *name)
{
    size_t i = 0;

    while (strcmp(words.workload->parameters[i].name, name) != 0)
        i++;
    return i;
}

static void test_defaults_follow_the_suite(void **state)
{
    (void)state;
    assert_int_equal(grammar_parse_workload(&words, "del_collect", SIZE_QUICK, error), 0);
    assert_int_equal(words.values[parameter_index("n")][0], 5000000);
    assert_int_equal(grammar_parse_workload(&words, "del_collect", SIZE_FULL, error), 0);
    assert_int_equal(words.values[parameter_index("n")][0], 10000000);
}

static void test_sweeps_list_step_and_multiply(void **state)
{
    size_t n;

    (void)state;
    assert_int_equal(grammar_parse_workload(&words, "del_collect:n=1k|5|1M", SIZE_QUICK, error), 0);
    n = parameter_index("n");
    assert_int_equal(words.value_counts[n], 3);
    assert_int_equal(words.values[n][2], 1000000);
    assert_int_equal(grammar_parse_workload(&words, "del_collect:n=1..8", SIZE_QUICK, error), 0);
    assert_int_equal(words.value_counts[n], 8);
    assert_int_equal(grammar_parse_workload(&words, "del_collect:n=1M..16M*2", SIZE_QUICK, error),
                     0);
    assert_int_equal(words.value_counts[n], 5);
    assert_int_equal(words.values[n][4], 16000000);
}

static void test_bad_workloads_say_what_is_accepted(void **state)
{
    (void)state;
    assert_workload_refused("del_colect", "did you mean del_collect?");
    assert_workload_refused("del_collect:m=1", "accepted: n, way, source, profile");
    assert_workload_refused("del_collect:way=dell", "accepted: pass, del, del_collect");
    assert_workload_refused("del_collect:n=0", "no count between");
    assert_workload_refused("del_collect:n=10MB", "'10MB' is no count");
    assert_workload_refused("del_collect:n=9..1", "a range is");
    assert_workload_refused("del_collect:n=1..2*1", "a range is");
    assert_workload_refused("del_collect:n=1..100", "at most 64 values");
    assert_workload_refused("del_collect:n=1,n=2", "twice");
    assert_workload_refused("del_collect:n", "no parameter=value");
    assert_workload_refused("del_collect:", "no parameter=value");
    assert_workload_refused("", "no workload is called");
}

static void add(struct plan *plan, const char *workload, const char *const *rows, size_t count)
{
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = count,
                                   .host = "objects",
                                   .size = SIZE_QUICK,
                                   .rounds = 6};

    assert_int_equal(plan_add(plan, &request, error), 0);
}

static void test_a_plan_multiplies_values_and_rows(void **state)
{
    static const char *const rows[] = {"glibc", "null"};
    struct plan plan = {.seed = 7};

    (void)state;
    add(&plan, "del_collect:way=pass|del", rows, 2);
    assert_int_equal(plan.cell_count, 4);
    assert_string_equal(plan.cells[0].row.text, "glibc");
    assert_string_equal(plan.cells[1].row.text, "null");
    assert_int_equal(plan_samples(&plan), 12);
    plan_free(&plan);
}

static void test_what_a_row_lacks_is_known_before_it_runs(void **state)
{
    static const char *const rows[] = {"null", "bump", "pymalloc@null"};
    struct plan plan = {.seed = 7};

    (void)state;
    add(&plan, "del_collect", rows, 3);
    assert_non_null(strstr(plan.cells[0].not_available, "distinct blocks"));
    assert_non_null(strstr(plan.cells[1].not_available, "free"));
    assert_non_null(strstr(plan.cells[2].not_available, "null has no"));
    assert_int_equal(plan_samples(&plan), 0);
    plan_free(&plan);
}

static void test_each_round_runs_every_cell_once_in_its_own_order(void **state)
{
    static const char *const rows[] = {"glibc", "jemalloc", "mimalloc", "tcmalloc", "pymalloc"};
    struct plan plan = {.seed = 7};
    size_t first[20], again[20], second[20], seen[20] = {0};

    (void)state;
    add(&plan, "del_collect:n=1..4", rows, 5);
    assert_int_equal(plan_round(&plan, 0, 0, first), 20);
    assert_int_equal(plan_round(&plan, 0, 0, again), 20);
    assert_int_equal(plan_round(&plan, 1, 0, second), 20);
    assert_memory_equal(first, again, sizeof first);
    assert_memory_not_equal(first, second, sizeof first);
    for (size_t i = 0; i < 20; i++)
        seen[second[i]]++;
    for (size_t i = 0; i < 20; i++)
        assert_int_equal(seen[i], 1);
    plan_free(&plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_general_row_serves_both_sides),
        cmocka_unit_test(test_pymalloc_stands_on_glibc_unless_told),
        cmocka_unit_test(test_regions_that_take_their_memory_beneath_stand_on_glibc_unless_told),
        cmocka_unit_test(test_a_tunable_binds_to_the_component_on_its_left),
        cmocka_unit_test(test_the_row_as_written_is_its_identity),
        cmocka_unit_test(test_a_backslash_makes_a_value_literal),
        cmocka_unit_test(test_unknown_names_say_what_is_near_and_accepted),
        cmocka_unit_test(test_regions_stand_on_a_collector),
        cmocka_unit_test(test_malformed_rows_are_refused),
        cmocka_unit_test(test_a_value_that_the_allocator_would_misread_is_refused),
        cmocka_unit_test(test_a_failed_parse_leaves_the_row_alone),
        cmocka_unit_test(test_tunables_become_environment),
        cmocka_unit_test(test_the_callers_allocator_variables_are_not_inherited),
        cmocka_unit_test(test_defaults_follow_the_suite),
        cmocka_unit_test(test_sweeps_list_step_and_multiply),
        cmocka_unit_test(test_bad_workloads_say_what_is_accepted),
        cmocka_unit_test(test_a_plan_multiplies_values_and_rows),
        cmocka_unit_test(test_what_a_row_lacks_is_known_before_it_runs),
        cmocka_unit_test(test_each_round_runs_every_cell_once_in_its_own_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
