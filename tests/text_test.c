/* Numbers with units: what is read, what is refused, what is printed. */
#include "harness/text.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_durations_are_read_with_their_unit(void **state)
{
    uint64_t ns;

    (void)state;
    assert_int_equal(text_parse_duration("250us", &ns), 0);
    assert_int_equal(ns, 250000);
    assert_int_equal(text_parse_duration("0.5s", &ns), 0);
    assert_int_equal(ns, 500000000);
    assert_int_equal(text_parse_duration("2min", &ns), 0);
    assert_int_equal(ns, 120000000000);
}

static void test_a_duration_without_unit_is_refused(void **state)
{
    static const char *const bad[] = {"5",   "",     "s",   "-1s",  "1h",
                                      "1 s", "0x1s", "nan", "infs", "1ss"};
    uint64_t ns = 42;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(text_parse_duration(bad[i], &ns), -EINVAL);
    assert_int_equal(ns, 42);
}

static void test_a_duration_that_does_not_fit_is_out_of_range(void **state)
{
    uint64_t ns = 42;

    (void)state;
    assert_int_equal(text_parse_duration("99999999999999min", &ns), -ERANGE);
    assert_int_equal(ns, 42);
}

static void test_bytes_are_read_in_powers_of_1024(void **state)
{
    uint64_t bytes;

    (void)state;
    assert_int_equal(text_parse_bytes("64KiB", &bytes), 0);
    assert_int_equal(bytes, 65536);
    assert_int_equal(text_parse_bytes("4GiB", &bytes), 0);
    assert_int_equal(bytes, 4294967296);
    assert_int_equal(text_parse_bytes("4096", &bytes), 0);
    assert_int_equal(bytes, 4096);
    assert_int_equal(text_parse_bytes("4GB", &bytes), -EINVAL);
}

static void test_numbers_keep_their_bounds(void **state)
{
    uint64_t number = 42;

    (void)state;
    assert_int_equal(text_parse_number("10", 1, 10, &number), 0);
    assert_int_equal(number, 10);
    assert_int_equal(text_parse_number("11", 1, 10, &number), -ERANGE);
    assert_int_equal(text_parse_number("0", 1, 10, &number), -ERANGE);
    assert_int_equal(text_parse_number("1x", 1, 10, &number), -EINVAL);
    assert_int_equal(text_parse_number("-1", 0, 10, &number), -EINVAL);
    assert_int_equal(text_parse_number("99999999999999999999", 0, UINT64_MAX, &number), -ERANGE);
}

static void test_three_digits_are_printed(void **state)
{
    char text[TEXT_NUMBER_BYTES];

    (void)state;
    assert_string_equal(text_format_duration(text, 0), "0 s");
    assert_string_equal(text_format_duration(text, 1234), "1.23 us");
    assert_string_equal(text_format_duration(text, 12345678), "12.3 ms");
    assert_string_equal(text_format_duration(text, 999700000), "1.00 s");
    assert_string_equal(text_format_bytes(text, 245901000), "245.9 MB");
    assert_string_equal(text_format_left(text, 102.2), "1 min 42 s");
    assert_string_equal(text_format_left(text, 3700), "1 h 1 min");
}

static void test_a_word_is_quoted_where_a_shell_would_split_it(void **state)
{
    char quoted[TEXT_QUOTED_BYTES(16)];

    (void)state;
    assert_string_equal(text_quote("results/a-b.c_1", quoted), "results/a-b.c_1");
    assert_string_equal(text_quote("my run", quoted), "'my run'");
    assert_string_equal(text_quote("", quoted), "''");
    assert_string_equal(text_quote("~", quoted), "'~'");
    assert_string_equal(text_quote("it's", quoted), "'it'\\''s'");
    assert_string_equal(text_quote("a\nb$(c)", quoted), "'a\nb$(c)'");
}

static void test_the_longest_quoted_word_fits(void **state)
{
    char quoted[TEXT_QUOTED_BYTES(3)];

    (void)state;
    assert_string_equal(text_quote("'''", quoted), "''\\'''\\'''\\'''");
    assert_int_equal(strlen(quoted), sizeof quoted - 1);
}

static void test_what_steers_a_terminal_is_replaced(void **state)
{
    char text[] = "a\x1b[2J\nb\x7f \xc2\x9b"
                  "c \xc3\xa4 \xc2\xa0 \xc2";

    (void)state;
    text_make_printable(text);
    assert_string_equal(text, "a?[2J?b? ??c \xc3\xa4 \xc2\xa0 \xc2");
}

static void test_distance_counts_edits(void **state)
{
    (void)state;
    assert_int_equal(text_distance("jemalloc", "jemalloc"), 0);
    assert_int_equal(text_distance("jemaloc", "jemalloc"), 1);
    assert_int_equal(text_distance("kitten", "sitting"), 3);
    assert_int_equal(text_distance("", "abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durations_are_read_with_their_unit),
        cmocka_unit_test(test_a_duration_without_unit_is_refused),
        cmocka_unit_test(test_a_duration_that_does_not_fit_is_out_of_range),
        cmocka_unit_test(test_bytes_are_read_in_powers_of_1024),
        cmocka_unit_test(test_numbers_keep_their_bounds),
        cmocka_unit_test(test_three_digits_are_printed),
        cmocka_unit_test(test_a_word_is_quoted_where_a_shell_would_split_it),
        cmocka_unit_test(test_the_longest_quoted_word_fits),
        cmocka_unit_test(test_what_steers_a_terminal_is_replaced),
        cmocka_unit_test(test_distance_counts_edits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
