/* A run's folder keeps what was appended, whatever happens to the next sample. Leaves out the
 * meaning of what is in it (record_test.c, summary_test.c), a single file (json_file_test.c) and a
 * loss of power. */
#define _GNU_SOURCE
#include "harness/run_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmocka.h>

enum {
    MANY_TICKS = 20000
}; /* their curve is larger than the disk of 64 KiB below, compressed too */

static char root[256], run_path[300], error[RUN_FOLDER_ERROR_BYTES];
static struct run_folder run;
static int is_mounted;
static struct tick many_ticks[MANY_TICKS];

static int set_up(void **state)
{
    const char *temporary = getenv("TMPDIR");

    (void)state;
    snprintf(root, sizeof root, "%.200s/tidemark-run-XXXXXX", temporary ? temporary : "/tmp");
    if (!mkdtemp(root))
        return -1;
    snprintf(run_path, sizeof run_path, "%s/run", root);
    run = (struct run_folder){.fd = -1, .samples_fd = -1};
    return 0;
}

static int remove_one(const char *path, const struct stat *info, int kind, struct FTW *where)
{
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    run_folder_close(&run);
    if (is_mounted)
        umount2(root, MNT_DETACH);
    is_mounted = 0;
    return nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static json_t *sample_of(int number)
{
    return json_pack("{s:i, s:s, s:f, s:I, s:n}", "sample", number, "reason", "a \"quoted\" line\n",
                     "return_ratio", 0.9375, "peak_bytes", (json_int_t)1 << 52, "cpu");
}

static void create_run(void)
{
    json_t *plan = json_pack("{s:i, s:[]}", "format", RUN_FOLDER_FORMAT, "cells");
    json_t *machine = json_pack("{s:s}", "kernel", "6.1");

    if (run_folder_create(&run, run_path, plan, machine, error) != 0)
        fail_msg("%s", error);
    json_decref(plan);
    json_decref(machine);
}

static int append(int number, const struct tick *ticks, size_t tick_count)
{
    json_t *sample = sample_of(number);
    int failed = run_folder_append(&run, sample, (size_t)number, ticks, tick_count);

    json_decref(sample);
    return failed;
}

static size_t size_of(const char *name)
{
    struct stat info;

    return fstatat(run.fd, name, &info, 0) == 0 ? (size_t)info.st_size : 0;
}

static int read_run(const struct run_folder *folder, json_t **plan, json_t **machine,
                    json_t **samples)
{
    struct run_texts texts;
    int failed = run_texts_read(&texts, folder, error);

    if (!failed)
        failed = run_texts_parse(&texts, plan, machine, samples, error);
    run_texts_free(&texts);
    return failed;
}

/* Reads the run as a stranger would, and compares its samples with the first `count`. */
static void assert_run_holds(int count)
{
    json_t *plan, *machine, *samples;
    struct run_folder reader;

    assert_int_equal(run_folder_open(&reader, run_path, error), 0);
    if (read_run(&reader, &plan, &machine, &samples) != 0)
        fail_msg("%s", error);
    assert_int_equal(json_array_size(samples), count);
    for (int i = 0; i < count; i++) {
        json_t *expected = sample_of(i);
        assert_true(json_equal(json_array_get(samples, (size_t)i), expected));
        json_decref(expected);
    }
    json_decref(plan);
    json_decref(machine);
    json_decref(samples);
    run_folder_close(&reader);
}

static void test_a_new_run_is_created_with_the_folders_above_it(void **state)
{
    (void)state;
    snprintf(run_path, sizeof run_path, "%s/results/today/run", root);
    create_run();
    assert_run_holds(0);
    assert_true(size_of("curves") > 0);
}

static void test_an_empty_folder_may_become_a_run(void **state)
{
    (void)state;
    assert_int_equal(mkdir(run_path, 0777), 0);
    create_run();
    assert_run_holds(0);
}

static void test_a_folder_that_is_not_empty_is_refused_and_left_alone(void **state)
{
    char path[400];
    json_t *plan = json_object();

    (void)state;
    assert_int_equal(mkdir(run_path, 0777), 0);
    snprintf(path, sizeof path, "%s/.hidden", run_path);
    close(open(path, O_CREAT | O_WRONLY, 0666));
    assert_int_equal(run_folder_create(&run, run_path, plan, plan, error), -EEXIST);
    assert_non_null(strstr(error, run_path));
    json_decref(plan);
    snprintf(path, sizeof path, "%s/plan.json", run_path);
    assert_int_equal(access(path, F_OK), -1);
}

static void test_a_run_is_never_created_over_another(void **state)
{
    json_t *plan = json_object();

    (void)state;
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    struct run_folder second;
    assert_int_equal(run_folder_create(&second, run_path, plan, plan, error), -EEXIST);
    json_decref(plan);
    assert_run_holds(1);
}

static void test_a_folder_without_a_plan_is_no_run(void **state)
{
    (void)state;
    assert_int_equal(run_folder_open(&run, root, error), -EINVAL);
    assert_non_null(strstr(error, "plan.json"));
    assert_int_equal(run_folder_open(&run, run_path, error), -ENOENT);
    assert_non_null(strstr(error, run_path));
}

static void test_a_run_of_another_format_is_refused(void **state)
{
    json_t *plan = json_pack("{s:i}", "format", RUN_FOLDER_FORMAT + 1), *none = NULL;

    (void)state;
    assert_int_equal(run_folder_create(&run, run_path, plan, plan, error), 0);
    json_decref(plan);
    assert_int_equal(read_run(&run, &none, &none, &none), -EINVAL);
    assert_null(none);
    assert_non_null(strstr(error, "format"));
}

static void test_plan_and_machine_are_read_as_they_were_written(void **state)
{
    json_t *plan, *machine, *samples;

    (void)state;
    create_run();
    assert_int_equal(read_run(&run, &plan, &machine, &samples), 0);
    assert_int_equal(json_integer_value(json_object_get(plan, "format")), RUN_FOLDER_FORMAT);
    assert_string_equal(json_string_value(json_object_get(machine, "kernel")), "6.1");
    json_decref(plan);
    json_decref(machine);
    json_decref(samples);
}

static void test_what_is_appended_is_read_again(void **state)
{
    (void)state;
    create_run();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(append(i, NULL, 0), 0);
        assert_run_holds(i + 1); /* each at once, not at the end */
    }
}

static void test_lines_that_are_written_anew_replace_those_before(void **state)
{
    struct run_folder other;

    (void)state;
    create_run();
    assert_int_equal(append(2, NULL, 0), 0);
    assert_int_equal(append(1, NULL, 0), 0);
    json_t *samples = json_pack("[o, o]", sample_of(0), sample_of(1));
    assert_int_equal(run_folder_rewrite(&run, samples), 0);
    json_decref(samples);
    assert_run_holds(2);
    assert_int_equal(run_folder_reopen(&other, run_path, error), -EBUSY);
    assert_int_equal(append(2, NULL, 0), 0);
    assert_run_holds(3);
}

static void test_a_half_written_last_line_is_left_out(void **state)
{
    /* The second is whole JSON, but no newline says so. */
    static const char *const halves[] = {"{\"sample\":1,\"st", "{\"sample\":1}"};

    (void)state;
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    off_t length = (off_t)size_of("samples.jsonl");
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ftruncate(run.samples_fd, length), 0);
        assert_true(write(run.samples_fd, halves[i], strlen(halves[i])) > 0);
        assert_run_holds(1);
    }
}

static void assert_line_is_refused(const char *line)
{
    json_t *plan = NULL, *machine = NULL, *samples = NULL;

    assert_int_equal(write(run.samples_fd, line, strlen(line)), strlen(line));
    assert_int_equal(read_run(&run, &plan, &machine, &samples), -EINVAL);
    assert_non_null(strstr(error, "samples.jsonl:2"));
    assert_true(!plan && !machine && !samples);
}

static void test_a_bad_line_is_an_error_with_its_number(void **state)
{
    (void)state;
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    assert_line_is_refused("{\"sample\":1,,}\n");
}

static void test_a_line_that_is_no_object_is_an_error_with_its_number(void **state)
{
    (void)state;
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    assert_line_is_refused("[1, 2]\n");
}

/* The curve of sample `number`, unpacked. */
static void read_curve(int number, char *text, size_t text_bytes)
{
    char path[400];

    snprintf(path, sizeof path, "%s/curves/%06d.csv.gz", run_path, number);
    gzFile file = gzopen(path, "rb");
    assert_non_null(file);
    int got = gzread(file, text, (unsigned)text_bytes - 1);
    assert_true(got >= 0);
    text[got] = '\0';
    assert_true(gzeof(file));
    assert_false(gzdirect(file)); /* it was compressed */
    gzclose(file);
}

static void test_a_curve_is_read_back_through_zlib(void **state)
{
    static const struct tick ticks[] = {
        {.t_ns = 1, .rss_bytes = 2, .object_bytes = 3, .live_bytes = 4, .phase = 5, .parked = 1},
        {.t_ns = UINT64_MAX,
         .rss_bytes = UINT64_MAX - 1,
         .object_bytes = UINT64_MAX - 2,
         .live_bytes = UINT64_MAX - 3,
         .phase = UINT32_MAX}};
    char text[512];

    (void)state;
    create_run();
    assert_int_equal(append(17, ticks, 2), 0);
    read_curve(17, text, sizeof text);
    assert_string_equal(text, "t_ns,rss_bytes,object_bytes,live_bytes,phase,parked\n"
                              "1,2,3,4,5,1\n"
                              "18446744073709551615,18446744073709551614,18446744073709551613,"
                              "18446744073709551612,4294967295,0\n");
}

static void test_a_curve_without_ticks_is_its_header(void **state)
{
    char text[512];

    (void)state;
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    read_curve(0, text, sizeof text);
    assert_string_equal(text, "t_ns,rss_bytes,object_bytes,live_bytes,phase,parked\n");
}

static void test_a_long_curve_keeps_every_tick(void **state)
{
    static char text[MANY_TICKS * 100];
    size_t lines = 0;

    (void)state;
    create_run();
    assert_int_equal(append(0, many_ticks, MANY_TICKS), 0);
    read_curve(0, text, sizeof text);
    for (const char *at = text; (at = strchr(at, '\n')); at++)
        lines++;
    assert_int_equal(lines, 1 + MANY_TICKS);
}

/* A disk of 64 KiB in place of the folder, in a mount namespace of this process alone. */
static void mount_a_tiny_disk(void)
{
    /* In a chroot "/" is no mount point, and EINVAL: the mount may then be seen outside until the
     * test's end takes it away. */
    if (unshare(CLONE_NEWNS) == 0 &&
        (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 || errno == EINVAL))
        is_mounted = mount("none", root, "tmpfs", 0, "size=64k") == 0;
    if (is_mounted)
        return;
    if (getenv("CI"))
        fail_msg("CI has to run this test, and cannot mount a tmpfs: %s", strerror(errno));
    print_message("not run: it needs root, to mount a tmpfs (%s)\n", strerror(errno));
    skip();
}

/* A run with one sample on the tiny disk. */
static void create_run_on_a_tiny_disk(void)
{
    mount_a_tiny_disk();
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
}

/* Leaves no room for another page. */
static void fill_the_disk(void)
{
    static const char page[4096];
    int fd = openat(run.fd, "filler", O_CREAT | O_WRONLY, 0666);

    while (write(fd, page, sizeof page) > 0)
        continue;
    assert_int_equal(errno, ENOSPC);
    close(fd);
}

/* Sample 1 left nothing: no line, no byte of a line, no curve. */
static void assert_nothing_of_the_second_sample(size_t samples_bytes)
{
    assert_run_holds(1);
    assert_int_equal(size_of("samples.jsonl"), samples_bytes);
    assert_int_equal(faccessat(run.fd, "curves/000000.csv.gz", R_OK, 0), 0);
    assert_int_equal(faccessat(run.fd, "curves/000001.csv.gz", F_OK, 0), -1);
}

static void test_a_curve_that_does_not_fit_leaves_nothing(void **state)
{
    (void)state;
    create_run_on_a_tiny_disk();
    size_t before = size_of("samples.jsonl");
    assert_true(append(1, many_ticks, MANY_TICKS) < 0);
    assert_nothing_of_the_second_sample(before);
}

static void test_a_curve_that_fails_at_its_very_end_leaves_nothing(void **state)
{
    (void)state;
    create_run_on_a_tiny_disk();
    size_t before = size_of("samples.jsonl");
    fill_the_disk();
    assert_true(append(1, many_ticks, 10) < 0); /* zlib writes so little when it closes */
    assert_nothing_of_the_second_sample(before);
}

static int append_a_line_that_does_not_fit(void)
{
    char *text = calloc(1, 100001);

    assert_non_null(text);
    memset(text, 'x', 100000);
    json_t *sample = json_pack("{s:s}", "reason", text);
    int failed = run_folder_append(&run, sample, 1, many_ticks, 10);
    json_decref(sample);
    free(text);
    return failed;
}

static void test_a_line_that_does_not_fit_leaves_no_byte_of_it(void **state)
{
    (void)state;
    create_run_on_a_tiny_disk();
    size_t before = size_of("samples.jsonl");
    assert_int_equal(append_a_line_that_does_not_fit(), -ENOSPC);
    assert_int_equal(size_of("samples.jsonl"), before);
    assert_run_holds(1);
}

static void test_a_line_that_does_not_fit_leaves_no_curve(void **state)
{
    (void)state;
    create_run_on_a_tiny_disk();
    size_t before = size_of("samples.jsonl");
    assert_int_equal(append_a_line_that_does_not_fit(), -ENOSPC);
    assert_nothing_of_the_second_sample(before);
}

static void test_a_line_that_no_reader_would_take_is_not_stored(void **state)
{
    char *text = calloc(1, (1 << 20) + 1);

    (void)state;
    assert_non_null(text);
    create_run();
    assert_int_equal(append(0, NULL, 0), 0);
    memset(text, 'x', 1 << 20);
    json_t *sample = json_pack("{s:s}", "reason", text);
    size_t before = size_of("samples.jsonl");
    assert_int_equal(run_folder_append(&run, sample, 1, NULL, 0), -EFBIG);
    json_decref(sample);
    free(text);
    assert_nothing_of_the_second_sample(before);
}

static void test_after_a_failed_sample_the_next_one_that_fits_is_kept(void **state)
{
    (void)state;
    create_run_on_a_tiny_disk();
    assert_true(append(1, many_ticks, MANY_TICKS) < 0);
    assert_int_equal(append_a_line_that_does_not_fit(), -ENOSPC);
    assert_int_equal(append(1, NULL, 0), 0);
    assert_run_holds(2);
}

static void test_a_disk_without_room_for_a_plan_is_an_error_of_creation(void **state)
{
    json_t *plan = json_object();

    (void)state;
    mount_a_tiny_disk();
    run.fd = open(root, O_RDONLY | O_DIRECTORY);
    fill_the_disk();
    run_folder_close(&run);
    assert_int_equal(run_folder_create(&run, run_path, plan, plan, error), -ENOSPC);
    assert_non_null(strstr(error, run_path));
    json_decref(plan);
}

static void test_a_creation_that_failed_can_be_tried_again_in_the_same_place(void **state)
{
    char *text = calloc(1, 100001);

    (void)state;
    assert_non_null(text);
    mount_a_tiny_disk();
    memset(text, 'x', 100000);
    json_t *plan = json_object(), *machine = json_pack("{s:s}", "cpu", text);
    free(text);
    assert_int_equal(run_folder_create(&run, run_path, plan, machine, error), -ENOSPC);
    json_decref(plan);
    json_decref(machine);
    create_run();
    assert_run_holds(0);
}

/* Ticks whose digits do not compress well (Knuth's MMIX generator). */
static int make_ticks(void **state)
{
    uint64_t random = 1;

    (void)state;
    for (size_t i = 0; i < MANY_TICKS; i++) {
        uint64_t *const fields[] = {&many_ticks[i].t_ns, &many_ticks[i].rss_bytes,
                                    &many_ticks[i].object_bytes, &many_ticks[i].live_bytes};
        for (size_t j = 0; j < sizeof fields / sizeof fields[0]; j++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            *fields[j] = random;
        }
    }
    return 0;
}

#define folder_test(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        folder_test(test_a_new_run_is_created_with_the_folders_above_it),
        folder_test(test_an_empty_folder_may_become_a_run),
        folder_test(test_a_folder_that_is_not_empty_is_refused_and_left_alone),
        folder_test(test_a_run_is_never_created_over_another),
        folder_test(test_a_folder_without_a_plan_is_no_run),
        folder_test(test_a_run_of_another_format_is_refused),
        folder_test(test_plan_and_machine_are_read_as_they_were_written),
        folder_test(test_what_is_appended_is_read_again),
        folder_test(test_lines_that_are_written_anew_replace_those_before),
        folder_test(test_a_half_written_last_line_is_left_out),
        folder_test(test_a_bad_line_is_an_error_with_its_number),
        folder_test(test_a_line_that_is_no_object_is_an_error_with_its_number),
        folder_test(test_a_curve_is_read_back_through_zlib),
        folder_test(test_a_curve_without_ticks_is_its_header),
        folder_test(test_a_long_curve_keeps_every_tick),
        folder_test(test_a_curve_that_does_not_fit_leaves_nothing),
        folder_test(test_a_curve_that_fails_at_its_very_end_leaves_nothing),
        folder_test(test_a_line_that_does_not_fit_leaves_no_byte_of_it),
        folder_test(test_a_line_that_does_not_fit_leaves_no_curve),
        folder_test(test_a_line_that_no_reader_would_take_is_not_stored),
        folder_test(test_after_a_failed_sample_the_next_one_that_fits_is_kept),
        folder_test(test_a_disk_without_room_for_a_plan_is_an_error_of_creation),
        folder_test(test_a_creation_that_failed_can_be_tried_again_in_the_same_place),
    };

    return cmocka_run_group_tests(tests, make_ticks, NULL);
}
