/*
 * Which CPython runs which object profile on which row, and what is said of one that does not.
 * Leaves out how an interpreter is found and asked for its version: cli_test.py drives that. The
 * versions stand for those that real interpreters tell.
 */
#include "harness/host.h"

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

static char reason[HOST_ERROR_BYTES];

/* Whether CPython major.minor runs a workload of `profile` on the row. */
static int runs(int major, int minor, int free_threaded, const char *profile, const char *text)
{
    struct host host = {.text = "python", .major = major, .minor = minor};
    char error[ROW_ERROR_BYTES];
    struct row row;

    host.free_threaded = free_threaded;
    snprintf(host.version, sizeof host.version, "CPython %d.%d.1", major, minor);
    assert_int_equal(row_parse(&row, text, error), 0);
    host_python_conflict(&host, &row, profile, reason);
    return reason[0] == '\0';
}

static void test_a_profile_runs_on_the_cpython_that_it_stands_for(void **state)
{
    static const struct {
        int major, minor;
        const char *profiles; /* those that it runs */
    } pythons[] = {{2, 7, "2.7"},        {3, 6, ""},           {3, 7, ""},
                   {3, 8, "3.8"},        {3, 9, ""},           {3, 10, "3.11 3.13"},
                   {3, 11, "3.11 3.13"}, {3, 12, "3.11 3.13"}, {3, 13, "3.11 3.13"}};
    static const char *const profiles[] = {"2.7", "3.8", "3.11", "3.13"};

    (void)state;
    for (size_t i = 0; i < sizeof pythons / sizeof pythons[0]; i++)
        for (size_t p = 0; p < sizeof profiles / sizeof profiles[0]; p++)
            assert_int_equal(runs(pythons[i].major, pythons[i].minor, 0, profiles[p], "pymalloc"),
                             strstr(pythons[i].profiles, profiles[p]) != NULL);
}

static void test_a_workload_without_a_profile_runs_on_any(void **state)
{
    (void)state;
    assert_true(runs(2, 7, 0, NULL, "pymalloc"));
    assert_true(runs(3, 9, 0, NULL, "pymalloc"));
}

static void test_one_without_the_lock_runs_none(void **state)
{
    (void)state;
    assert_false(runs(3, 13, 1, "3.13", "pymalloc"));
    assert_non_null(strstr(reason, "with the lock"));
}

static void test_the_message_names_both_and_what_would_do(void **state)
{
    (void)state;
    assert_false(runs(3, 11, 0, "3.8", "pymalloc"));
    assert_non_null(strstr(reason, "CPython 3.11.1"));
    assert_non_null(strstr(reason, "profile=3.8, which is a CPython 3.8"));
    assert_false(runs(3, 8, 0, "3.11", "pymalloc"));
    assert_non_null(strstr(reason, "profile=3.11, which is a CPython from 3.10 on"));
    assert_false(runs(3, 8, 0, "2.7", "pymalloc"));
    assert_non_null(strstr(reason, "profile=2.7, which is a CPython 2.7"));
}

/* PYTHONMALLOC=malloc came with 3.6. */
static void test_a_3_8_runs_on_mallocs_and_a_2_7_on_pymalloc_alone(void **state)
{
    (void)state;
    assert_true(runs(3, 8, 0, "3.8", "glibc"));
    assert_true(runs(3, 8, 0, "3.8", "jemalloc"));
    assert_false(runs(2, 7, 0, "2.7", "glibc"));
    assert_true(runs(2, 7, 0, "2.7", "pymalloc@jemalloc"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_profile_runs_on_the_cpython_that_it_stands_for),
        cmocka_unit_test(test_a_workload_without_a_profile_runs_on_any),
        cmocka_unit_test(test_one_without_the_lock_runs_none),
        cmocka_unit_test(test_the_message_names_both_and_what_would_do),
        cmocka_unit_test(test_a_3_8_runs_on_mallocs_and_a_2_7_on_pymalloc_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
