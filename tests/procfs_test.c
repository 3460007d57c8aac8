/* What the kernel says of a process against what this one did: bytes touched, shared, given back.
 * Leaves out what no test can bring about: swap, a kill for memory. */
#define _GNU_SOURCE
#include "harness/procfs.h"

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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    MIB = 1 << 20,
    MAP_BYTES = 8 * MIB,
    NO_PID = 0x7ffffff0, /* above the kernel's PID_MAX_LIMIT, 2^22 */
};

/* Above what statm and VmHWM may be off by: batches of 32 pages or more on each core that the
 * process has run on (lib/percpu_counter.c); smaps_rollup counts page by page. */
enum { BATCH_BYTES = MIB };

/* What smaps_rollup may be off by: nothing, but a sanitizer may touch pages of its own meanwhile.
 */
#ifdef TIDEMARK_SANITIZED
enum { OTHERS_BYTES = 64 << 10 };
#else
enum { OTHERS_BYTES = 0 };
#endif

/* No huge pages: only what is touched becomes resident. */
static unsigned char *map(int flags)
{
    unsigned char *at = mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    assert_true(at != MAP_FAILED);
    madvise(at, MAP_BYTES, MADV_NOHUGEPAGE);
    return at;
}

/* Without a sanitizer's shadow memory, which would become resident too. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void
touch(unsigned char *from, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += (size_t)sysconf(_SC_PAGESIZE))
        *(volatile unsigned char *)(from + i) = 1;
}

static struct memory_rollup rollup_of(pid_t pid)
{
    struct memory_rollup rollup = {0};

    assert_int_equal(procfs_read_rollup(pid, &rollup), 0);
    return rollup;
}

static uint64_t peak_of(pid_t pid)
{
    struct memory_status status = {0};

    assert_int_equal(procfs_read_status(pid, &status), 0);
    return status.peak_bytes;
}

static uint64_t statm_of(pid_t pid)
{
    uint64_t rss_bytes = 0;
    int fd = procfs_open_statm(pid);

    assert_true(fd >= 0);
    assert_int_equal(procfs_read_statm(fd, &rss_bytes), 0);
    close(fd);
    return rss_bytes;
}

static void assert_grown(uint64_t before, uint64_t after, int64_t by, int64_t within)
{
    int64_t grown = (int64_t)(after - before);

    if (llabs(grown - by) > within)
        fail_msg("grown by %lld bytes, not by %lld (within %lld)", (long long)grown, (long long)by,
                 (long long)within);
}

/* The code and the stack that the tests need become resident here, not between two looks. */
static int set_up(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    touch(at, MAP_BYTES);
    madvise(at, MAP_BYTES, MADV_FREE);
    rollup_of(getpid());
    peak_of(getpid());
    statm_of(getpid());
    return munmap(at, MAP_BYTES);
}

static void test_rollup_grows_by_exactly_what_is_touched(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    uint64_t before = rollup_of(getpid()).rss_bytes;
    touch(at, MAP_BYTES / 2);
    uint64_t half = rollup_of(getpid()).rss_bytes;
    touch(at, MAP_BYTES);
    uint64_t whole = rollup_of(getpid()).rss_bytes;
    munmap(at, MAP_BYTES);
    assert_grown(before, half, MAP_BYTES / 2, OTHERS_BYTES);
    assert_grown(before, whole, MAP_BYTES, OTHERS_BYTES);
}

static void test_statm_grows_by_what_is_touched_within_its_batch(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    uint64_t before = statm_of(getpid());
    touch(at, MAP_BYTES);
    uint64_t after = statm_of(getpid());
    munmap(at, MAP_BYTES);
    assert_grown(before, after, MAP_BYTES, BATCH_BYTES);
    assert_grown(before, statm_of(getpid()), 0, BATCH_BYTES);
}

static void test_statm_is_the_resident_size_of_rollup(void **state)
{
    (void)state;
    assert_grown(rollup_of(getpid()).rss_bytes, statm_of(getpid()), 0, BATCH_BYTES);
}

static void test_one_descriptor_of_statm_serves_every_look(void **state)
{
    uint64_t first = 0, second = 0;

    (void)state;
    int fd = procfs_open_statm(getpid());
    unsigned char *at = map(MAP_PRIVATE);
    assert_int_equal(procfs_read_statm(fd, &first), 0);
    touch(at, MAP_BYTES);
    assert_int_equal(procfs_read_statm(fd, &second), 0);
    munmap(at, MAP_BYTES);
    close(fd);
    assert_grown(first, second, MAP_BYTES, BATCH_BYTES);
}

static void test_a_descriptor_of_statm_is_not_inherited(void **state)
{
    (void)state;
    int fd = procfs_open_statm(getpid());
    assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    close(fd);
}

static void touch_and_unmap(size_t bytes)
{
    unsigned char *at = map(MAP_PRIVATE);

    touch(at, bytes);
    munmap(at, MAP_BYTES);
}

static void test_the_peak_stays_when_memory_goes_back(void **state)
{
    (void)state;
    assert_int_equal(procfs_reset_peak(getpid()), 0);
    uint64_t before = peak_of(getpid());
    touch_and_unmap(MAP_BYTES);
    assert_grown(before, peak_of(getpid()), MAP_BYTES, BATCH_BYTES);
}

static void test_a_reset_lowers_the_peak_to_what_is_resident(void **state)
{
    (void)state;
    touch_and_unmap(MAP_BYTES);
    assert_int_equal(procfs_reset_peak(getpid()), 0);
    assert_grown(rollup_of(getpid()).rss_bytes, peak_of(getpid()), 0, BATCH_BYTES);
}

static void test_after_a_reset_the_peak_follows_a_lower_one(void **state)
{
    (void)state;
    touch_and_unmap(MAP_BYTES);
    assert_int_equal(procfs_reset_peak(getpid()), 0);
    uint64_t before = peak_of(getpid());
    touch_and_unmap(MAP_BYTES / 2);
    assert_grown(before, peak_of(getpid()), MAP_BYTES / 2, BATCH_BYTES);
}

static void test_page_tables_grow_with_what_they_map(void **state)
{
    struct memory_status before, after;

    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    assert_int_equal(procfs_read_status(getpid(), &before), 0);
    touch(at, MAP_BYTES);
    assert_int_equal(procfs_read_status(getpid(), &after), 0);
    munmap(at, MAP_BYTES);
    /* 8 bytes a page. Neighbours may share the first table and the last, and new ones may need a
     * table of tables. */
    int64_t page_bytes = sysconf(_SC_PAGESIZE);
    int64_t tables = MAP_BYTES / page_bytes * 8 / page_bytes;
    assert_grown(before.page_table_bytes, after.page_table_bytes, tables * page_bytes,
                 3 * page_bytes);
}

static void test_uss_counts_a_private_dirty_mapping(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    uint64_t before = rollup_of(getpid()).uss_bytes;
    touch(at, MAP_BYTES);
    uint64_t after = rollup_of(getpid()).uss_bytes;
    munmap(at, MAP_BYTES);
    assert_grown(before, after, MAP_BYTES, OTHERS_BYTES);
}

/* A forked child that touches `at`, tells it through a pipe, and waits to be killed. */
static pid_t fork_and_touch(unsigned char *at)
{
    int done[2];
    char byte;

    assert_int_equal(pipe(done), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL); /* a failed assertion leaves no process behind */
        touch(at, MAP_BYTES);
        if (write(done[1], "x", 1) == 1)
            pause();
        _exit(1);
    }
    assert_int_equal(read(done[0], &byte, 1), 1);
    close(done[0]);
    close(done[1]);
    return pid;
}

static void kill_and_wait(pid_t pid)
{
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void test_uss_leaves_out_what_another_process_maps_too(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_SHARED);
    pid_t pid = fork_and_touch(at);
    struct memory_rollup alone = rollup_of(pid);
    touch(at, MAP_BYTES);
    struct memory_rollup shared = rollup_of(pid);
    kill_and_wait(pid);
    munmap(at, MAP_BYTES);
    /* This process may have written to pages that the fork made common, and the child may have been
     * on its way into pause() still. */
    assert_grown(alone.uss_bytes, shared.uss_bytes, -MAP_BYTES, BATCH_BYTES);
    assert_grown(alone.rss_bytes, shared.rss_bytes, 0, BATCH_BYTES);
}

static void test_every_figure_is_that_of_the_process_asked_for(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    uint64_t before = rollup_of(getpid()).rss_bytes;
    pid_t with = fork_and_touch(at);
    struct memory_rollup rollup = rollup_of(with);
    uint64_t statm = statm_of(with);
    uint64_t peak = peak_of(with);
    uint64_t after = rollup_of(getpid()).rss_bytes;
    kill_and_wait(with);
    munmap(at, MAP_BYTES);
    assert_true(rollup.uss_bytes >= MAP_BYTES);
    assert_grown(rollup.rss_bytes, statm, 0, BATCH_BYTES);
    assert_grown(rollup.rss_bytes, peak, 0, BATCH_BYTES);
    assert_grown(before, after, 0, BATCH_BYTES);
}

static void test_lazyfree_counts_what_was_given_back_lazily(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    touch(at, MAP_BYTES);
    struct memory_rollup before = rollup_of(getpid());
    assert_int_equal(madvise(at, MAP_BYTES, MADV_FREE), 0);
    struct memory_rollup after = rollup_of(getpid());
    munmap(at, MAP_BYTES);
    /* The kernel marks in batches, 31 pages a core (mm/swap.c). They stay resident meanwhile. */
    assert_grown(before.lazyfree_bytes, after.lazyfree_bytes, MAP_BYTES, BATCH_BYTES);
    assert_grown(before.rss_bytes, after.rss_bytes, 0, BATCH_BYTES);
}

static void test_what_is_used_again_is_no_lazyfree(void **state)
{
    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    uint64_t before = rollup_of(getpid()).lazyfree_bytes;
    touch(at, MAP_BYTES);
    assert_int_equal(madvise(at, MAP_BYTES, MADV_FREE), 0);
    touch(at, MAP_BYTES);
    uint64_t after = rollup_of(getpid()).lazyfree_bytes;
    munmap(at, MAP_BYTES);
    assert_grown(before, after, 0, OTHERS_BYTES);
}

static void test_the_file_of_a_mapped_library_is_found(void **state)
{
    char path[256] = "";

    (void)state;
    assert_int_equal(procfs_maps_file(getpid(), "libc.so.6", path, sizeof path), 1);
    assert_int_equal(path[0], '/');
    assert_string_equal(strrchr(path, '/'), "/libc.so.6");
    assert_int_equal(access(path, R_OK), 0);
}

/* libmimalloc.so.2 is mapped from libmimalloc.so.2.0. */
static void test_a_library_is_found_by_the_beginning_of_its_files_name(void **state)
{
    char folder[] = "/tmp/tidemark-maps-XXXXXX", file[64], path[256] = "";

    (void)state;
    assert_non_null(mkdtemp(folder));
    snprintf(file, sizeof file, "%s/libtidemark.so.2.0", folder);
    int fd = open(file, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    void *at = mmap(NULL, 1, PROT_READ, MAP_PRIVATE, fd, 0);
    int found = procfs_maps_file(getpid(), "libtidemark.so.2", path, sizeof path);
    munmap(at, 1);
    close(fd);
    unlink(file);
    rmdir(folder);
    assert_int_equal(found, 1);
    assert_string_equal(path, file);
}

static void test_what_is_not_mapped_is_not_found(void **state)
{
    /* Nothing of the name, the end of one, and a folder on the way to libraries. */
    static const char *const names[] = {"libnonsense.so.6", "c.so.6", "usr"};
    char path[256] = "as it was";

    (void)state;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_int_equal(procfs_maps_file(getpid(), names[i], path, sizeof path), 0);
    assert_int_equal(procfs_maps_file(NO_PID, "libc.so.6", path, sizeof path), 0);
    assert_string_equal(path, "as it was");
}

static void test_no_such_process_is_an_error_that_touches_nothing(void **state)
{
    struct memory_rollup rollup = {1, 2, 3, 4, 5, 6, 7}, rollup_before = rollup;
    struct memory_status status = {6, 7}, status_before = status;

    (void)state;
    assert_int_equal(procfs_read_rollup(NO_PID, &rollup), -ENOENT);
    assert_memory_equal(&rollup, &rollup_before, sizeof rollup);
    assert_int_equal(procfs_read_status(NO_PID, &status), -ENOENT);
    assert_memory_equal(&status, &status_before, sizeof status);
    assert_int_equal(procfs_open_statm(NO_PID), -ENOENT);
    assert_int_equal(procfs_reset_peak(NO_PID), -ENOENT);
}

static void test_a_process_that_ends_under_an_open_statm_is_an_error(void **state)
{
    uint64_t rss_bytes = 42;

    (void)state;
    unsigned char *at = map(MAP_PRIVATE);
    pid_t pid = fork_and_touch(at);
    int fd = procfs_open_statm(pid);
    kill_and_wait(pid);
    assert_int_equal(procfs_read_statm(fd, &rss_bytes), -ESRCH);
    assert_int_equal(rss_bytes, 42);
    close(fd);
    munmap(at, MAP_BYTES);
}

static void test_a_process_that_ended_has_no_rollup(void **state)
{
    struct memory_rollup rollup = {1, 2, 3, 4, 5, 6, 7}, before = rollup;
    siginfo_t ended;

    (void)state;
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    /* Not waited for: the process is still there, its memory is not. */
    assert_int_equal(waitid(P_PID, (id_t)pid, &ended, WEXITED | WNOWAIT), 0);
    assert_int_equal(procfs_read_rollup(pid, &rollup), -ESRCH);
    assert_memory_equal(&rollup, &before, sizeof rollup);
    kill_and_wait(pid);
}

static void test_a_line_is_read_without_its_newline(void **state)
{
    char line[64] = "";

    (void)state;
    assert_int_equal(procfs_read_line("/proc/sys/kernel/ostype", line, sizeof line), 0);
    assert_string_equal(line, "Linux");
}

static void test_a_line_that_is_not_there_is_an_error_that_touches_nothing(void **state)
{
    char line[64] = "as it was";

    (void)state;
    assert_int_equal(procfs_read_line("/proc/nonsense", line, sizeof line), -ENOENT);
    assert_string_equal(line, "as it was");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rollup_grows_by_exactly_what_is_touched),
        cmocka_unit_test(test_statm_grows_by_what_is_touched_within_its_batch),
        cmocka_unit_test(test_statm_is_the_resident_size_of_rollup),
        cmocka_unit_test(test_one_descriptor_of_statm_serves_every_look),
        cmocka_unit_test(test_a_descriptor_of_statm_is_not_inherited),
        cmocka_unit_test(test_the_peak_stays_when_memory_goes_back),
        cmocka_unit_test(test_a_reset_lowers_the_peak_to_what_is_resident),
        cmocka_unit_test(test_after_a_reset_the_peak_follows_a_lower_one),
        cmocka_unit_test(test_page_tables_grow_with_what_they_map),
        cmocka_unit_test(test_uss_counts_a_private_dirty_mapping),
        cmocka_unit_test(test_uss_leaves_out_what_another_process_maps_too),
        cmocka_unit_test(test_every_figure_is_that_of_the_process_asked_for),
        cmocka_unit_test(test_lazyfree_counts_what_was_given_back_lazily),
        cmocka_unit_test(test_what_is_used_again_is_no_lazyfree),
        cmocka_unit_test(test_the_file_of_a_mapped_library_is_found),
        cmocka_unit_test(test_a_library_is_found_by_the_beginning_of_its_files_name),
        cmocka_unit_test(test_what_is_not_mapped_is_not_found),
        cmocka_unit_test(test_no_such_process_is_an_error_that_touches_nothing),
        cmocka_unit_test(test_a_process_that_ends_under_an_open_statm_is_an_error),
        cmocka_unit_test(test_a_process_that_ended_has_no_rollup),
        cmocka_unit_test(test_a_line_is_read_without_its_newline),
        cmocka_unit_test(test_a_line_that_is_not_there_is_an_error_that_touches_nothing),
    };

    return cmocka_run_group_tests(tests, set_up, NULL);
}
