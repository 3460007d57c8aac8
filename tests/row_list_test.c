/* Words of rows: where one is cut, and what is refused. */
#include "harness/row_list.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct row_list list;
static char error[ROW_ERROR_BYTES];

static int empty_list(void **state)
{
    (void)state;
    row_list_free(&list);
    return 0;
}

static void test_a_word_holds_rows_between_commas(void **state)
{
    (void)state;
    assert_int_equal(row_list_add(&list, "glibc,mine=pymalloc@jemalloc", error), 0);
    assert_int_equal(row_list_add(&list, "null", error), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.texts[0], "glibc");
    assert_string_equal(list.texts[1], "mine=pymalloc@jemalloc");
    assert_string_equal(list.texts[2], "null");
}

static void test_a_comma_behind_a_backslash_is_of_its_row(void **state)
{
    (void)state;
    assert_int_equal(row_list_add(&list, "/lib/a\\,b.so,/lib/c\\\\,null", error), 0);
    assert_int_equal(list.count, 3);
    assert_string_equal(list.texts[0], "/lib/a\\,b.so");
    assert_string_equal(list.texts[1], "/lib/c\\\\");
    assert_string_equal(list.texts[2], "null");
}

static void test_an_empty_row_is_refused_with_its_word(void **state)
{
    static const char *const words[] = {"", ",", "glibc,", ",glibc", "glibc,,null"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        assert_int_equal(row_list_add(&list, words[i], error), -EINVAL);
        assert_non_null(strstr(error, words[i]));
    }
}

static void test_a_row_too_many_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ROW_LIST_MOST; i++)
        assert_int_equal(row_list_add(&list, "null", error), 0);
    assert_int_equal(row_list_add(&list, "null", error), -E2BIG);
    assert_int_equal(list.count, ROW_LIST_MOST);
}

static void test_an_empty_list_is_every_allocator(void **state)
{
    static struct row rows[ROW_LIST_MOST];

    (void)state;
    assert_int_equal(row_list_parse(&list, rows, error), allocator_registry_count);
    assert_string_equal(rows[0].text, allocator_registry[0]->name);
}

static void test_rows_are_read_in_their_order_or_none_is(void **state)
{
    static struct row rows[ROW_LIST_MOST];

    (void)state;
    assert_int_equal(row_list_add(&list, "null,glibc", error), 0);
    assert_int_equal(row_list_parse(&list, rows, error), 2);
    assert_string_equal(rows[1].text, "glibc");
    assert_int_equal(row_list_add(&list, "nosuch", error), 0);
    assert_int_equal(row_list_parse(&list, rows, error), 0);
    assert_non_null(strstr(error, "nosuch"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_a_word_holds_rows_between_commas, empty_list),
        cmocka_unit_test_teardown(test_a_comma_behind_a_backslash_is_of_its_row, empty_list),
        cmocka_unit_test_teardown(test_an_empty_row_is_refused_with_its_word, empty_list),
        cmocka_unit_test_teardown(test_a_row_too_many_is_refused, empty_list),
        cmocka_unit_test_teardown(test_an_empty_list_is_every_allocator, empty_list),
        cmocka_unit_test_teardown(test_rows_are_read_in_their_order_or_none_is, empty_list),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
