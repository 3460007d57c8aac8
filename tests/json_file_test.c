/* JSON files that are whole or absent, also when the write of a new one fails. Leaves out a full
 * disk (run_folder_test.c) and lines (there too). */
#define _GNU_SOURCE
#include "harness/json_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/tidemark-json-XXXXXX", error[JSON_FILE_ERROR_BYTES];
static int folder_fd;

static int set_up(void **state)
{
    (void)state;
    memcpy(strrchr(folder, '-'), "-XXXXXX", sizeof "-XXXXXX");
    folder_fd = mkdtemp(folder) ? open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    return folder_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlinkat(folder_fd, "a.json", 0);
    unlinkat(folder_fd, ".a.json.new", 0);
    close(folder_fd);
    return rmdir(folder);
}

/* json_file_write with no room for a file above `bytes`; runs as any user. */
static int write_with_limit(const json_t *value, rlim_t bytes)
{
    struct rlimit old, limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = bytes, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    int failed = json_file_write(folder_fd, "a.json", value);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    return failed;
}

static void assert_value_is(int expected)
{
    json_t *value = json_file_read(folder_fd, "a.json", error);

    assert_int_equal(json_integer_value(json_object_get(value, "value")), expected);
    json_decref(value);
}

static void test_a_json_file_is_replaced_as_a_whole(void **state)
{
    json_t *first = json_pack("{s:i, s:s}", "value", 1, "long", "longer than the second");
    json_t *second = json_pack("{s:i}", "value", 2);

    (void)state;
    assert_int_equal(json_file_write(folder_fd, "a.json", first), 0);
    assert_value_is(1);
    assert_int_equal(json_file_write(folder_fd, "a.json", second), 0);
    assert_value_is(2);
    json_decref(first);
    json_decref(second);
}

static void test_a_failed_write_leaves_the_old_json_file_and_nothing_beside_it(void **state)
{
    json_t *first = json_pack("{s:i}", "value", 1);
    json_t *second = json_pack("{s:i, s:s}", "value", 2, "long", "more than eight bytes");

    (void)state;
    assert_int_equal(json_file_write(folder_fd, "a.json", first), 0);
    assert_true(write_with_limit(second, 8) < 0);
    assert_value_is(1);
    json_decref(first);
    json_decref(second);
    assert_int_equal(unlinkat(folder_fd, "a.json", 0), 0);
    assert_int_equal(rmdir(folder), 0); /* empty: no temporary file was left */
    assert_int_equal(mkdir(folder, 0700), 0);
}

static void test_a_value_that_is_no_document_leaves_the_old_json_file(void **state)
{
    json_t *first = json_pack("{s:i}", "value", 1);
    json_t *number = json_integer(2); /* jansson writes objects and arrays */

    (void)state;
    assert_int_equal(json_file_write(folder_fd, "a.json", first), 0);
    assert_true(json_file_write(folder_fd, "a.json", number) < 0);
    assert_value_is(1);
    json_decref(first);
    json_decref(number);
}

static void test_a_json_file_that_is_missing_or_broken_is_named(void **state)
{
    (void)state;
    assert_null(json_file_read(folder_fd, "a.json", error));
    assert_non_null(strstr(error, "a.json"));
    int fd = openat(folder_fd, "a.json", O_CREAT | O_WRONLY, 0666);
    assert_int_equal(write(fd, "{\n 1}\n", 6), 6);
    close(fd);
    assert_null(json_file_read(folder_fd, "a.json", error));
    assert_non_null(strstr(error, "a.json:2"));
}

#define json_file_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        json_file_test(test_a_json_file_is_replaced_as_a_whole),
        json_file_test(test_a_failed_write_leaves_the_old_json_file_and_nothing_beside_it),
        json_file_test(test_a_value_that_is_no_document_leaves_the_old_json_file),
        json_file_test(test_a_json_file_that_is_missing_or_broken_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
