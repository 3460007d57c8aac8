/*
 * Which geometry of pymalloc a cell has: that of its profile, never another one under the same
 * name. Leaves out the geometries themselves. Which version has which:
 * allocators/pymalloc/geometry.h.
 */
#include "harness/geometry.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

static char reason[ROW_REASON_BYTES];

/* The name of what serves objects of `profile` under the row `text`; NULL when they conflict. */
static const char *chosen(const char *text, const char *profile)
{
    static struct row row;
    char error[ROW_ERROR_BYTES];

    assert_int_equal(row_parse(&row, text, error), 0);
    int failed = geometry_choose(&row, profile, reason);
    assert_true(failed == 0 || failed == -EINVAL);
    return failed ? NULL : row.object.allocator->name;
}

static void test_plain_pymalloc_takes_the_geometry_of_the_profile(void **state)
{
    (void)state;
    assert_string_equal(chosen("pymalloc", "2.7"), "pymalloc-2.7");
    assert_string_equal(chosen("pymalloc@jemalloc", "2.7"), "pymalloc-2.7");
    assert_string_equal(chosen("mine=pymalloc", "3.11"), "pymalloc-3.11");
}

static void test_a_version_without_a_geometry_of_its_own_has_the_one_before(void **state)
{
    (void)state;
    assert_string_equal(chosen("pymalloc", "3.7"), "pymalloc-2.7");
    assert_string_equal(chosen("pymalloc", "3.8"), "pymalloc-3.8");
    assert_string_equal(chosen("pymalloc", "3.9"), "pymalloc-3.9");
    assert_string_equal(chosen("pymalloc", "3.13"), "pymalloc-3.11");
}

static void test_without_a_profile_a_row_is_what_it_says(void **state)
{
    (void)state;
    assert_string_equal(chosen("pymalloc", NULL), "pymalloc");
    assert_string_equal(chosen("pymalloc-3.8", NULL), "pymalloc-3.8");
}

static void test_a_geometry_that_is_named_has_to_be_that_of_the_profile(void **state)
{
    (void)state;
    assert_string_equal(chosen("pymalloc-2.7", "2.7"), "pymalloc-2.7");
    assert_null(chosen("pymalloc-3.8", "2.7"));
    assert_non_null(strstr(reason, "pymalloc-2.7"));
    assert_non_null(strstr(reason, "pymalloc-3.8"));
}

static void test_other_allocators_have_no_geometry(void **state)
{
    (void)state;
    assert_string_equal(chosen("jemalloc", "2.7"), "jemalloc");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain_pymalloc_takes_the_geometry_of_the_profile),
        cmocka_unit_test(test_a_version_without_a_geometry_of_its_own_has_the_one_before),
        cmocka_unit_test(test_without_a_profile_a_row_is_what_it_says),
        cmocka_unit_test(test_a_geometry_that_is_named_has_to_be_that_of_the_profile),
        cmocka_unit_test(test_other_allocators_have_no_geometry),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
