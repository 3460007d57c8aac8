/*
 * What a plan makes of a workload that has threads. No workload of the registry has, so this test
 * brings a registry of its own, which the linker takes in place of the generated one. Leaves out
 * running it.
 */
#include "harness/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static int run_nothing(struct workload_context *context)
{
    (void)context;
    return 0;
}

static const struct parameter no_parameters[] = {{.name = NULL}};

/* It asks nothing of the raw allocator itself. */
static const struct workload with_threads = {
    .name = "with_threads",
    .summary = "for this test",
    .source = "none",
    .parameters = no_parameters,
    .object_needs = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_THREADS,
    .python_script = 1,
    .run = run_nothing,
};

const struct workload *const workload_registry[] = {&with_threads};
const size_t workload_registry_count = 1;

enum { REASON_BYTES = sizeof((struct cell *)NULL)->not_available };

/* Why this row is not available on the object runtime; "" when it is. */
static const char *reason_of(const char *row, char *reason)
{
    struct plan_request request = {.workload = "with_threads",
                                   .rows = &row,
                                   .row_count = 1,
                                   .host = "objects",
                                   .size = SIZE_QUICK,
                                   .rounds = 1};
    struct plan plan = {.seed = 7};
    char error[PLAN_ERROR_BYTES];

    assert_int_equal(plan_add(&plan, &request, error), 0);
    assert_int_equal(plan.cell_count, 1);
    snprintf(reason, REASON_BYTES, "%s", plan.cells[0].not_available);
    plan_free(&plan);
    return reason;
}

static void test_pymalloc_without_a_lock_is_not_run_with_threads(void **state)
{
    static const char *const rows[] = {"pymalloc", "pymalloc@jemalloc", "pymalloc-3.11"};
    char reason[REASON_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_non_null(strstr(reason_of(rows[i], reason), "has no threads, which with_threads"));
}

static void test_with_a_lock_it_is(void **state)
{
    static const char *const rows[] = {"pymalloc-locked", "pymalloc-locked@jemalloc", "glibc"};
    char reason[REASON_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        assert_string_equal(reason_of(rows[i], reason), "");
}

/* The lock is around its pools: large blocks are taken beneath it by all threads at once. */
static void test_a_lock_does_not_cover_what_is_beneath(void **state)
{
    char reason[REASON_BYTES];

    (void)state;
    assert_string_equal(reason_of("pymalloc-locked@" KINGSLEY, reason),
                        "kingsley has no threads, which with_threads needs");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pymalloc_without_a_lock_is_not_run_with_threads),
        cmocka_unit_test(test_with_a_lock_it_is),
        cmocka_unit_test(test_a_lock_does_not_cover_what_is_beneath),
    };

    return cmocka_run_group_tests_name("plan_threads", tests, NULL, NULL);
}
