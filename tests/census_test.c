/*
 * A census from the allocator's calls to the file and back: what a child writes becomes the JSON of
 * results/FORMAT.md, and what does not add up is refused by its field. Leaves out the heap that is
 * told of: here it is made up.
 */
#define _GNU_SOURCE
#include "harness/census_check.h"
#include "harness/census_child.h"
#include "harness/json_file.h"
#include "harness/pass_file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

enum { CELL = 3 };

static char error[CENSUS_ERROR_BYTES];

/* --- Two arenas of four pools of 1024 bytes, with heads of 24; the second base is off by 512.
 * ---*/

static void tell(const struct allocator_census *to)
{
    to->figure(to->context, "arena_bytes", 4096);
    to->figure(to->context, "pool_bytes", 1024);
    to->figure(to->context, "pool_header_bytes", 24);
    to->figure(to->context, "arenas_allocated", 5);
    to->figure(to->context, "arenas_current", 2);
    to->figure(to->context, "pools_unused", 4);
    to->figure(to->context, "allocated_bytes", 1300);
    to->figure(to->context, "available_bytes", 1700);
    to->figure(to->context, "header_bytes", 72);
    to->figure(to->context, "quantization_bytes", 0);
    to->figure(to->context, "alignment_bytes", 1024);
    to->size_class(to->context, 100, 2, 11, 9);
    to->size_class(to->context, 200, 1, 1, 4);
    to->arena(to->context, 0x7f0000400000);
    to->pool(to->context, 100, 10);
    to->pool(to->context, 0, 0);
    to->pool(to->context, 200, 1);
    to->pool(to->context, 0, 0);
    to->arena(to->context, 0x7f0000500200);
    to->pool(to->context, 0, 0);
    to->pool(to->context, 100, 1);
    to->pool(to->context, 0, 0);
}

static const struct allocator_ops told = {.census = tell};

static const char expected[] =
    "{\"format\":1,\"cell\":3,\"version\":\"made up 1.0\",\"phases\":[{\"name\":\"build\","
    "\"object_bytes\":1200,\"live_bytes\":1300,\"figures\":{\"arena_bytes\":4096,"
    "\"pool_bytes\":1024,\"pool_header_bytes\":24,\"arenas_allocated\":5,\"arenas_current\":2,"
    "\"pools_unused\":4,\"allocated_bytes\":1300,\"available_bytes\":1700,\"header_bytes\":72,"
    "\"quantization_bytes\":0,\"alignment_bytes\":1024},\"classes\":[{\"block_bytes\":100,"
    "\"pools\":2,\"blocks_in_use\":11,\"blocks_available\":9},{\"block_bytes\":200,\"pools\":1,"
    "\"blocks_in_use\":1,\"blocks_available\":4}],\"arenas\":[{\"base\":\"0x7f0000400000\","
    "\"pools\":[100,10,0,0,200,1,0,0]},{\"base\":\"0x7f0000500200\",\"pools\":[0,0,100,1,0,0]}]}]}";

/* The lines of a census of `phases` phases, with a NUL behind them; the caller frees them. */
static char *write_lines(const struct allocator_ops *ops, size_t phases, size_t *length)
{
    const struct page_phase phase = {.name = "build", .object_bytes = 1200, .live_bytes = 1300};
    int fd = memfd_create("census_test", 0);
    struct stat info;

    assert_true(fd >= 0);
    census_child_begin(fd, "made up 1.0");
    for (size_t i = 0; i < phases; i++)
        census_child_phase(ops, &phase);
    assert_int_equal(fstat(fd, &info), 0);
    *length = (size_t)info.st_size;
    char *lines = calloc(1, *length + 1);
    assert_non_null(lines);
    assert_int_equal(pread(fd, lines, *length, 0), *length);
    close(fd);
    return lines;
}

static json_t *made(void)
{
    size_t length;
    char *lines = write_lines(&told, 1, &length);
    json_t *census = census_from_lines(lines, length, CELL, error);

    free(lines);
    assert_non_null(census);
    return census;
}

static void test_what_the_allocator_tells_is_the_json_of_the_format(void **state)
{
    (void)state;
    json_t *census = made(), *wanted = json_loads(expected, 0, NULL);

    assert_non_null(wanted);
    assert_int_equal(census_check(wanted, error), 0);
    assert_true(json_equal(census, wanted));
    json_decref(wanted);
    json_decref(census);
}

static void test_phases_come_in_their_order(void **state)
{
    size_t length;
    char *lines = write_lines(&told, 3, &length);

    (void)state;
    json_t *census = census_from_lines(lines, length, CELL, error);
    assert_non_null(census);
    assert_int_equal(json_array_size(json_object_get(census, "phases")), 3);
    assert_int_equal(census_check(census, error), 0);
    json_decref(census);
    free(lines);
}

static void assert_no_census(const char *lines, const char *because)
{
    json_t *census = census_from_lines(lines, strlen(lines), CELL, error);

    if (census || !strstr(error, because))
        fail_msg("%s: expected '%s', got '%s'", lines, because, census ? "a census" : error);
}

static void test_lines_that_are_none_are_refused_by_number(void **state)
{
    static const char *const bad[] = {
        "x 1\n",           "f arena_bytes 1\n", "e\n",        "p 1 1\n",
        "n build 1\n",     "n build 1 1",       "n  1 1\n",   "n build -1 1\n",
        "n build 1 0x1\n", "n build 1 1 1\n",   "v a\nv b\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_no_census(bad[i], i == 10 ? "line 2" : "line 1");
    assert_no_census("n build 1 1\nf a 1\nf a 2\ne\n", "line 3");
    assert_no_census("n build 1 1\nf a 9223372036854775808\ne\n", "line 2");
    assert_no_census("n build 1 1\nc 1 2 3\ne\n", "line 2");
    assert_no_census("n build 1 1\na zz\ne\n", "line 2");
    assert_no_census("n build 1 1\nn del 1 1\ne\n", "line 2");
    assert_no_census("v 1.0 \xc3\n", "line 1");
    assert_no_census("n b\xc3 1 1\ne\n", "line 1");
}

/* As a child leaves it that is killed in the middle. */
static void test_a_census_that_was_cut_is_none_wherever_it_was_cut(void **state)
{
    size_t length;
    char *lines = write_lines(&told, 1, &length);

    (void)state;
    for (size_t cut = strlen("v made up 1.0\n") + 1; cut < length; cut++) {
        char *part = strndup(lines, cut);
        assert_null(census_from_lines(part, cut, CELL, error));
        free(part);
    }
    free(lines);
}

/* More than the bound of all lines: the child stops, and its last phase is not whole. */
static void tell_too_much(const struct allocator_census *to)
{
    for (size_t i = 0; i < PASS_MOST_BYTES / 8; i++)
        to->pool(to->context, 1000, 1000);
}

static void test_a_child_stops_at_the_bound(void **state)
{
    static const struct allocator_ops endless = {.census = tell_too_much};
    size_t length;
    char *lines = write_lines(&endless, 2, &length);

    (void)state;
    assert_true(length <= PASS_MOST_BYTES);
    assert_true(length > PASS_MOST_BYTES - PASS_BUFFER_BYTES);
    assert_null(memmem(lines, length, "e\n", 2));
    free(lines);
}

/* --- What does not add up.
 * ----------------------------------------------------------------------*/

static json_t *phase_of(const json_t *census)
{
    return json_array_get(json_object_get(census, "phases"), 0);
}

static json_t *class_of(const json_t *census, size_t index)
{
    return json_array_get(json_object_get(phase_of(census), "classes"), index);
}

static json_t *arena_of(const json_t *census, size_t index)
{
    return json_array_get(json_object_get(phase_of(census), "arenas"), index);
}

/* Sets what `object` has under `key`, and expects a refusal that names it. */
static void assert_refused(json_t *census, json_t *object, const char *key, json_t *value,
                           const char *named)
{
    json_t *kept = json_incref(json_object_get(object, key));

    error[0] = '\0';
    if (value)
        json_object_set_new(object, key, value);
    else
        json_object_del(object, key);
    if (census_check(census, error) != -EINVAL || !strstr(error, named))
        fail_msg("%s: expected a refusal of '%s', got '%s'", key, named, error);
    json_object_set_new(object, key, kept);
    assert_int_equal(census_check(census, error), 0);
}

static void test_fields_of_another_kind_are_refused_by_name(void **state)
{
    (void)state;
    json_t *census = made(), *phase = phase_of(census);
    json_t *figures = json_object_get(phase, "figures");

    assert_refused(census, census, "format", json_integer(2), "format");
    assert_refused(census, census, "cell", json_integer(-1), "cell");
    assert_refused(census, census, "version", json_null(), "version");
    assert_refused(census, census, "version", json_string("a\033[2J"), "version");
    assert_refused(census, census, "phases", json_object(), "phases");
    assert_refused(census, census, "phases", json_array(), "phases");
    assert_refused(census, phase, "name", json_string("a name of 24 characters."), "name");
    assert_refused(census, phase, "name", NULL, "phases[0].name");
    assert_refused(census, phase, "live_bytes", json_real(1), "phases[0].live_bytes");
    assert_refused(census, phase, "figures", json_array(), "phases[0].figures");
    assert_refused(census, phase, "classes", json_null(), "phases[0].classes");
    assert_refused(census, phase, "arenas", json_null(), "phases[0].arenas");
    assert_refused(census, figures, "pool_bytes", NULL, "pool_bytes is missing");
    assert_refused(census, figures, "pool_bytes", json_integer(0), "figures.pool_bytes is 0");
    assert_refused(census, figures, "pool_header_bytes", json_integer(1024), "pool_header_bytes");
    assert_refused(census, figures, "arena_bytes", json_integer(INT64_MAX), "arena_bytes");
    assert_refused(census, figures, "arenas_allocated", json_integer(-1), "arenas_allocated");
    assert_refused(census, figures, "arenas_allocated", json_true(), "arenas_allocated");
    assert_refused(census, class_of(census, 0), "block_bytes", json_integer(0), "classes[0]");
    assert_refused(census, class_of(census, 0), "block_bytes", json_integer(1001), "classes[0]");
    assert_refused(census, class_of(census, 1), "block_bytes", json_integer(100), "classes[1]");
    assert_refused(census, class_of(census, 1), "pools", json_integer(0), "classes[1].pools");
    assert_refused(census, arena_of(census, 0), "pools", json_null(), "arenas[0].pools");
    json_decref(census);
}

static void test_bases_are_addresses_in_ascending_order(void **state)
{
    static const char *const bad[] = {"",
                                      "0x",
                                      "7f0000400000",
                                      "0xg",
                                      "0x 12",
                                      "-0x12",
                                      "0x7F0000400000",
                                      "0x10000000000000000",
                                      "0xffffffffffffffff",
                                      "0x7f0000500000"};

    (void)state;
    json_t *census = made();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(census, arena_of(census, i == 9 ? 0 : 1), "base", json_string(bad[i]),
                       "base");
    assert_refused(census, arena_of(census, 1), "base", json_string("0x7f0000400e00"), "base");
    assert_refused(census, arena_of(census, 1), "base", json_integer(4096), "base");
    /* Aligned, it would have a pool more. */
    assert_refused(census, arena_of(census, 1), "base", json_string("0x7f0000500000"), "pools");
    json_decref(census);
}

static json_t *pools(const char *text)
{
    return json_loads(text, 0, NULL);
}

static void test_pools_are_pairs_that_fit(void **state)
{
    static const char *const bad[] = {
        "[100,10,0,0,200,1,0]",       "[100,10,0,0,200,1]",         "[100,11,0,0,200,1,0,0]",
        "[100,10,0,0,201,1,0,0]",     "[100,10,0,1,200,1,0,0]",     "[100,10,100,0,200,1,0,0]",
        "[100,10,0,0,200,1,0,-1]",    "[100,10,0,0,200,1,-1,0]",    "[100,10,0,0,200,1,0,0.5]",
        "[100,10,0,0,200,1,0,\"0\"]", "[100,10,0,0,200,1,0,0,0,0]", "[]",
        "[100,10,0,0,200,1,0,[0]]",
    };

    (void)state;
    json_t *census = made();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_refused(census, arena_of(census, 0), "pools", pools(bad[i]), "arenas[0].pools");
    json_decref(census);
}

static void test_what_does_not_add_up_is_refused(void **state)
{
    static const char *const figures[] = {
        "arenas_current", "pools_unused",       "allocated_bytes", "available_bytes",
        "header_bytes",   "quantization_bytes", "alignment_bytes",
    };

    (void)state;
    json_t *census = made(), *own = json_object_get(phase_of(census), "figures");
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        json_int_t value = json_integer_value(json_object_get(own, figures[i]));
        assert_refused(census, own, figures[i], json_integer(value + 1), figures[i]);
        /* One that is not there is not missed. */
        json_object_del(own, figures[i]);
        assert_int_equal(census_check(census, error), 0);
        json_object_set_new(own, figures[i], json_integer(value));
    }
    assert_refused(census, class_of(census, 0), "pools", json_integer(3), "classes[0]");
    assert_refused(census, class_of(census, 0), "blocks_in_use", json_integer(10), "classes[0]");
    assert_refused(census, class_of(census, 1), "blocks_available", json_integer(5), "classes[1]");
    assert_refused(census, arena_of(census, 0), "pools", pools("[100,10,100,1,200,1,0,0]"),
                   "classes[0]");
    json_decref(census);
}

/* --- The file.
 * ----------------------------------------------------------------------------------*/

static char folder[] = "/tmp/census_test.XXXXXX";
static int run_fd;

static int open_run(void **state)
{
    (void)state;
    memcpy(strrchr(folder, '.'), ".XXXXXX", sizeof ".XXXXXX");
    if (!mkdtemp(folder))
        return -1;
    run_fd = open(folder, O_RDONLY | O_DIRECTORY);
    return run_fd < 0 ? -1 : 0;
}

static int close_run(void **state)
{
    char command[128];

    (void)state;
    close(run_fd);
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command); /* NOLINT(cert-env33-c): a path that this test made */
}

static void test_a_census_comes_back_as_it_was_written(void **state)
{
    (void)state;
    json_t *census = made(), *back = NULL;

    assert_int_equal(pass_file_read(run_fd, &census_pass, CELL, &back, error), -ENOENT);
    assert_false(pass_file_is_there(run_fd, &census_pass, CELL));
    assert_int_equal(pass_file_write(run_fd, &census_pass, census), 0);
    assert_true(pass_file_is_there(run_fd, &census_pass, CELL));
    assert_false(pass_file_is_there(run_fd, &census_pass, CELL + 1));
    assert_int_equal(pass_file_read(run_fd, &census_pass, CELL, &back, error), 0);
    assert_true(json_equal(back, census));
    json_decref(back);
    /* Nothing else is left in the folder. */
    assert_int_equal(faccessat(run_fd, "census/.000003.json.gz.new", F_OK, 0), -1);
    json_decref(census);
}

static void put_file(const void *bytes, size_t length)
{
    mkdirat(run_fd, "census", 0777);
    int fd = openat(run_fd, "census/000003.json.gz", O_WRONLY | O_CREAT | O_TRUNC, 0666);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static void assert_unreadable(const char *because)
{
    json_t *untouched = (json_t *)error;
    json_t *census = untouched;

    assert_true(pass_file_read(run_fd, &census_pass, CELL, &census, error) < 0);
    assert_ptr_equal(census, untouched);
    if (!strstr(error, because) || !strstr(error, "census/000003.json.gz"))
        fail_msg("expected '%s', got '%s'", because, error);
}

/* gzip of `text`, once more for each of `repeats`. */
static void put_packed(const char *text, size_t repeats)
{
    int fd = (mkdirat(run_fd, "census", 0777),
              openat(run_fd, "census/000003.json.gz", O_WRONLY | O_CREAT | O_TRUNC, 0666));
    gzFile file = gzdopen(fd, "wb9");

    assert_non_null(file);
    for (size_t i = 0; i < repeats; i++)
        assert_true(gzputs(file, text) > 0);
    assert_int_equal(gzclose(file), Z_OK);
}

static void test_a_file_that_is_none_is_refused_by_name(void **state)
{
    (void)state;
    put_file("no gzip", 7);
    assert_unreadable("it is damaged, or no gzip");
    put_file("", 0);
    assert_unreadable("it is damaged, or no gzip");
    put_packed("{\"format\":1", 1);
    assert_unreadable(".gz:1: ");
    put_packed("[", 1 << 20);
    assert_unreadable("more than 262144 objects and arrays");
    put_packed("0,0,0,0,0,0,0,0,", 1 << 22);
    assert_unreadable("unpacks to more than 32 MiB");
    put_packed("{\"format\":1,\"cell\":3}", 1);
    assert_unreadable("version");
    put_packed(expected, 1);
    json_t *census;
    assert_int_equal(pass_file_read(run_fd, &census_pass, CELL, &census, error), 0);
    json_decref(census);
    assert_int_equal(renameat(run_fd, "census/000003.json.gz", run_fd, "census/000004.json.gz"), 0);
    assert_int_equal(pass_file_read(run_fd, &census_pass, CELL + 1, &census, error), -EINVAL);
    assert_non_null(strstr(error, "another cell"));
}

static void test_a_file_that_is_cut_or_longer_is_damaged(void **state)
{
    char bytes[4096];
    json_t *census = made();

    (void)state;
    assert_int_equal(pass_file_write(run_fd, &census_pass, census), 0);
    json_decref(census);
    int fd = openat(run_fd, "census/000003.json.gz", O_RDONLY);
    ssize_t length = read(fd, bytes, sizeof bytes - 1);
    close(fd);
    assert_true(length > 20 && length < (ssize_t)sizeof bytes - 1);
    for (size_t cut = 0; cut < (size_t)length; cut++) {
        put_file(bytes, cut);
        assert_unreadable("it is damaged, or no gzip");
    }
    bytes[length] = 'x';
    put_file(bytes, (size_t)length + 1);
    assert_unreadable("it is damaged, or no gzip");
}

static void test_no_link_is_followed_out_of_the_run(void **state)
{
    char elsewhere[64];

    (void)state;
    snprintf(elsewhere, sizeof elsewhere, "%s/elsewhere", folder);
    assert_int_equal(mkdir(elsewhere, 0777), 0);
    assert_int_equal(symlinkat("elsewhere", run_fd, "census"), 0);
    json_t *census = made();
    assert_true(pass_file_write(run_fd, &census_pass, census) < 0);
    json_decref(census);
    assert_int_equal(rmdir(elsewhere), 0); /* still empty */
}

/* What would be refused is not written. */
static void test_what_no_reader_takes_is_not_written(void **state)
{
    (void)state;
    json_t *census = made(), *arenas = json_object_get(phase_of(census), "arenas");

    for (size_t i = 0; i < JSON_FILE_MOST_OBJECTS; i++)
        json_array_append_new(arenas, json_array());
    assert_int_equal(pass_file_write(run_fd, &census_pass, census), -EFBIG);
    json_array_clear(arenas);
    json_t *numbers = json_array();
    for (size_t i = 0; i < JSON_FILE_MOST_BYTES / 20; i++)
        json_array_append_new(numbers, json_integer(INT64_MAX));
    json_array_append_new(arenas, numbers);
    assert_int_equal(pass_file_write(run_fd, &census_pass, census), -EFBIG);
    assert_false(pass_file_is_there(run_fd, &census_pass, CELL));
    json_decref(census);
}

#define IN_A_RUN(test) cmocka_unit_test_setup_teardown(test, open_run, close_run)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_the_allocator_tells_is_the_json_of_the_format),
        cmocka_unit_test(test_phases_come_in_their_order),
        cmocka_unit_test(test_lines_that_are_none_are_refused_by_number),
        cmocka_unit_test(test_a_census_that_was_cut_is_none_wherever_it_was_cut),
        cmocka_unit_test(test_a_child_stops_at_the_bound),
        cmocka_unit_test(test_fields_of_another_kind_are_refused_by_name),
        cmocka_unit_test(test_bases_are_addresses_in_ascending_order),
        cmocka_unit_test(test_pools_are_pairs_that_fit),
        cmocka_unit_test(test_what_does_not_add_up_is_refused),
        IN_A_RUN(test_a_census_comes_back_as_it_was_written),
        IN_A_RUN(test_a_file_that_is_none_is_refused_by_name),
        IN_A_RUN(test_a_file_that_is_cut_or_longer_is_damaged),
        IN_A_RUN(test_no_link_is_followed_out_of_the_run),
        IN_A_RUN(test_what_no_reader_takes_is_not_written),
    };

    return cmocka_run_group_tests_name("census", tests, NULL, NULL);
}
