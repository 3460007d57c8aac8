/*
 * Promises of harness/pass.h and harness/pass_writer.h: sets of passes by name, the text that a
 * child writes, and which passes both sides know. Whole passes are stats_test.py's.
 */
#define _GNU_SOURCE
#include "harness/child_pass.h"
#include "harness/pass.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

static char error[PASS_ERROR_BYTES];

static void test_each_pass_has_a_childs_side(void **state)
{
    (void)state;
    for (size_t i = 0; i < pass_registry_count; i++) {
        const struct child_pass *child = child_pass_find(pass_registry[i]->name);
        assert_non_null(child);
        assert_string_equal(child->name, pass_registry[i]->name);
        assert_non_null(child->phase_ended);
    }
    assert_null(child_pass_find("xray"));
}

static void test_sets_are_read_by_name(void **state)
{
    unsigned set = 77;

    (void)state;
    assert_int_equal(pass_parse_set("none", &set, error), 0);
    assert_int_equal(set, 0);
    assert_int_equal(pass_parse_set("census", &set, error), 0);
    assert_int_equal(set, pass_bit(&census_pass));
    assert_int_equal(pass_parse_set("all", &set, error), 0);
    for (size_t i = 0; i < pass_registry_count; i++) {
        assert_true(set & pass_bit(pass_registry[i]));
        set &= ~pass_bit(pass_registry[i]);
    }
    assert_int_equal(set, 0);
    assert_int_equal(pass_parse_set("census,all,none", &set, error), 0);
    assert_true(set & pass_bit(&census_pass));
}

static void test_unknown_names_are_refused_with_the_accepted(void **state)
{
    unsigned set = 77;

    (void)state;
    assert_int_equal(pass_parse_set("census,censsus", &set, error), -EINVAL);
    assert_int_equal(set, 77);
    assert_non_null(strstr(error, "'censsus'"));
    assert_non_null(strstr(error, "did you mean census?"));
    assert_int_equal(pass_parse_set("", &set, error), -EINVAL);
}

static size_t read_back(int fd, char *text, size_t text_bytes)
{
    ssize_t got = pread(fd, text, text_bytes - 1, 0);

    assert_true(got >= 0);
    text[got] = '\0';
    return (size_t)got;
}

static void test_text_arrives_when_it_is_flushed(void **state)
{
    char text[128];
    int fd = memfd_create("pass_test", MFD_CLOEXEC);

    (void)state;
    pass_writer_begin(fd);
    pass_put_text("a ");
    pass_put_number(0);
    pass_put(' ');
    pass_put_number(UINT64_MAX);
    pass_put(' ');
    pass_put_hex(0xdeadbeef);
    assert_int_equal(read_back(fd, text, sizeof text), 0);
    pass_flush();
    read_back(fd, text, sizeof text);
    assert_string_equal(text, "a 0 18446744073709551615 deadbeef");
    close(fd);
}

static void test_what_is_beyond_the_bound_is_not_written(void **state)
{
    int fd = memfd_create("pass_test", MFD_CLOEXEC);

    (void)state;
    pass_writer_begin(fd);
    for (size_t i = 0; i < (size_t)PASS_MOST_BYTES + (size_t)2 * PASS_BUFFER_BYTES; i++)
        pass_put('x');
    pass_flush();
    assert_int_equal(lseek(fd, 0, SEEK_END), PASS_MOST_BYTES);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_pass_has_a_childs_side),
        cmocka_unit_test(test_sets_are_read_by_name),
        cmocka_unit_test(test_unknown_names_are_refused_with_the_accepted),
        cmocka_unit_test(test_text_arrives_when_it_is_flushed),
        cmocka_unit_test(test_what_is_beyond_the_bound_is_not_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
