/* JSON files that are whole or absent, also when the write of a new one fails. Leaves out a full
 * disk (run_folder_test.c) and lines (there too). */
#define _GNU_SOURCE
#include "harness/json_file.h"

#include <errno.h>
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

static void assert_refused(const char *says)
{
    assert_null(json_file_read(folder_fd, "a.json", error));
    if (strcmp(error, says) != 0)
        fail_msg("'%s' is not '%s'", error, says);
    assert_int_equal(unlinkat(folder_fd, "a.json", 0), 0);
}

/* Each of them would keep a reader for ever: the test then runs into its time limit. */
static void test_what_is_no_regular_file_is_refused_at_once(void **state)
{
    (void)state;
    assert_int_equal(mkfifoat(folder_fd, "a.json", 0666), 0);
    assert_refused("a.json: it is no regular file");
    assert_int_equal(symlinkat("/dev/zero", folder_fd, "a.json"), 0);
    assert_refused("a.json: it is no regular file");
    assert_int_equal(symlinkat(".", folder_fd, "a.json"), 0);
    assert_refused("a.json: it is no regular file");
    assert_int_equal(symlinkat("a.json", folder_fd, "a.json"), 0);
    assert_refused("a.json: Too many levels of symbolic links");
}

static void make_file(const char *text, off_t size)
{
    int fd = openat(folder_fd, "a.json", O_CREAT | O_WRONLY, 0666);

    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    if (size)
        assert_int_equal(ftruncate(fd, size), 0);
    close(fd);
}

static void test_a_file_of_a_terabyte_is_refused_unread(void **state)
{
    (void)state;
    make_file("", (off_t)1 << 40);
    assert_refused("a.json: it is larger than 32 MiB");
}

static void test_what_no_reader_would_take_is_not_written(void **state)
{
    char *text = malloc(JSON_FILE_MOST_BYTES + 1);

    (void)state;
    assert_non_null(text);
    memset(text, 'x', JSON_FILE_MOST_BYTES);
    text[JSON_FILE_MOST_BYTES] = '\0';
    json_t *value = json_pack("{s:s}", "long", text);
    assert_int_equal(json_file_write(folder_fd, "a.json", value), -EFBIG);
    json_decref(value);
    free(text);
    assert_int_equal(faccessat(folder_fd, "a.json", F_OK, 0), -1);
}

static void test_a_link_in_place_of_the_temporary_file_is_not_followed(void **state)
{
    json_t *value = json_pack("{s:i}", "value", 1);

    (void)state;
    make_file("keep", 0);
    assert_int_equal(symlinkat("a.json", folder_fd, ".b.json.new"), 0);
    assert_int_equal(json_file_write(folder_fd, "b.json", value), 0);
    json_decref(value);
    assert_refused("a.json:1: '[' or '{' expected near 'keep'"); /* as it was */
    assert_int_equal(unlinkat(folder_fd, "b.json", 0), 0);
}

/* `count` bytes of a line whose JSON is good, and its newline. */
static struct file_text line_of(size_t count)
{
    struct file_text text = {.bytes = malloc(count + 1), .length = count + 1};

    assert_non_null(text.bytes);
    memset(text.bytes, ' ', count);
    text.bytes[0] = '{';
    text.bytes[1] = '}';
    text.bytes[count] = '\n';
    return text;
}

static void test_a_line_of_a_mebibyte_is_the_longest(void **state)
{
    struct file_text good = line_of(1 << 20), bad = line_of((1 << 20) + 1);

    (void)state;
    json_t *lines = json_file_parse_lines("a.jsonl", &good, error);
    assert_int_equal(json_array_size(lines), 1);
    json_decref(lines);
    assert_null(json_file_parse_lines("a.jsonl", &bad, error));
    assert_string_equal(error, "a.jsonl:1: the line is longer than 1024 KiB");
    file_text_free(&good);
    file_text_free(&bad);
}

/* `count` lines of an empty object, or the same as a document. */
static struct file_text objects_of(size_t count, int is_document)
{
    struct file_text text = {.bytes = malloc(4 * count), .length = 3 * count};

    assert_non_null(text.bytes);
    for (size_t i = 0; i < count; i++)
        /* NOLINTNEXTLINE(bugprone-not-null-terminated-result): its length is kept apart */
        memcpy(text.bytes + 3 * i, is_document ? ",[]" : "{}\n", 3);
    if (is_document) {
        text.bytes[0] = '[';
        text.bytes[text.length++] = ']';
    }
    return text;
}

/* A megabyte of them would take half a gigabyte in memory. */
static void test_more_objects_than_a_run_has_are_refused_by_line(void **state)
{
    struct file_text lines = objects_of(JSON_FILE_MOST_LINES_OBJECTS + 1, 0);
    struct file_text document = objects_of(JSON_FILE_MOST_OBJECTS, 1);

    (void)state;
    assert_null(json_file_parse_lines("a.jsonl", &lines, error));
    assert_string_equal(error, "a.jsonl:2097153: more than 2097152 objects and arrays");
    assert_null(json_file_parse("a.json", &document, error));
    assert_string_equal(error, "a.json:1: more than 262144 objects and arrays");
    document.bytes[1] = document.bytes[2] = ' ';
    document.bytes[3] = ' ';
    json_t *value = json_file_parse("a.json", &document, error);
    assert_int_equal(json_array_size(value), JSON_FILE_MOST_OBJECTS - 1);
    json_decref(value);
    file_text_free(&lines);
    file_text_free(&document);
}

static void test_bytes_that_are_no_utf_8_are_named_with_their_line(void **state)
{
    char bytes[] = "{}\n{\"a\":\"\xff\"}\n";
    struct file_text text = {.bytes = bytes, .length = sizeof bytes - 1};

    (void)state;
    assert_null(json_file_parse_lines("a.jsonl", &text, error));
    assert_non_null(strstr(error, "a.jsonl:2: unable to decode byte 0xff"));
}

#define json_file_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        json_file_test(test_a_json_file_is_replaced_as_a_whole),
        json_file_test(test_a_failed_write_leaves_the_old_json_file_and_nothing_beside_it),
        json_file_test(test_a_value_that_is_no_document_leaves_the_old_json_file),
        json_file_test(test_a_json_file_that_is_missing_or_broken_is_named),
        json_file_test(test_what_is_no_regular_file_is_refused_at_once),
        json_file_test(test_a_file_of_a_terabyte_is_refused_unread),
        json_file_test(test_what_no_reader_would_take_is_not_written),
        json_file_test(test_a_link_in_place_of_the_temporary_file_is_not_followed),
        json_file_test(test_a_line_of_a_mebibyte_is_the_longest),
        json_file_test(test_more_objects_than_a_run_has_are_refused_by_line),
        json_file_test(test_bytes_that_are_no_utf_8_are_named_with_their_line),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
