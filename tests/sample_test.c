/* A sample of a child that misbehaves is a row with its reason; the harness goes on and leaves
 * nothing behind. The memory limit is tested as this machine keeps it, by a group or the sampler,
 * and once more by the sampler. */
#define _GNU_SOURCE
#include "harness/cgroup.h"
#include "harness/sample.h"
#include "tests/faulty_child.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { LIMIT_BYTES = 64 << 20 };

static struct sampler sampler;
static struct plan plan;
static struct program_paths paths;
static struct sample sample;
static struct memory_parent memory_parent;
static struct memory_parent *limiter = &memory_parent; /* NULL: the sampler */
static volatile sig_atomic_t interrupted;
static struct return_way way;

static void run_fault(enum fault fault)
{
    char workload[64], error[PLAN_ERROR_BYTES];
    static const char *const rows[] = {"glibc"};
    struct sample_settings settings = {.plan = &plan,
                                       .sampler = &sampler,
                                       .paths = &paths,
                                       .memory_parent = limiter,
                                       .child_cpu = -1,
                                       .sampler_cpu = -1,
                                       .interrupted = &interrupted};
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = 1,
                                   .host = "objects",
                                   .way = way,
                                   .size = SIZE_QUICK,
                                   .rounds = 1};

    snprintf(workload, sizeof workload, "del_collect:n=%d", (int)fault);
    /* Some machines are slow to touch memory; only those that hang need the limit. */
    plan.timeout_ns =
        fault == FAULT_HANG || fault == FAULT_HANG_BEFORE_BASELINE || fault == FAULT_EAT_UNKILLED
            ? 400000000
            : 20000000000;
    plan.tick_ns = 1000000;
    plan.memory_limit_bytes = LIMIT_BYTES;
    assert_int_equal(plan_add(&plan, &request, error), 0);
    assert_int_equal(sample_run(&settings, &plan.cells[0], 1, &sample), 0);
    plan_free(&plan);
}

static void assert_ended(enum sample_status status, const char *because)
{
    if (sample.status != status || !strstr(sample.reason, because) || sample.left_behind)
        fail_msg("expected %s: %s, got %s: %s", sample_status_name(status), because,
                 sample_status_name(sample.status), sample.reason);
    /* Every child has been waited for. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
}

/* 1 unless the process is gone or a zombie. */
static int is_running(pid_t pid)
{
    char path[64], line[512];

    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    if (procfs_read_line(path, line, sizeof line) != 0)
        return 0;
    const char *state = strrchr(line, ')');
    return state && state[2] != 'Z';
}

static void test_a_child_that_behaves_is_ok(void **state)
{
    (void)state;
    run_fault(FAULT_NONE);
    assert_ended(SAMPLE_OK, "");
    assert_int_equal(sample.phase_count, 2);
    assert_string_equal(sample.phases[1].stamps.name, "del");
    assert_true(sample.baseline.rss_bytes > 0);
}

static int has_groups(void)
{
    return limiter && limiter->version != 0;
}

static void assert_dies(uint64_t pid)
{
    assert_true(pid > 1);
    /* Whoever adopted it may need a moment to wait for it; a zombie is dead as well. */
    for (int tries = 0; tries < 200 && is_running((pid_t)pid); tries++)
        usleep(10000);
    int lives = is_running((pid_t)pid);
    if (lives)
        kill((pid_t)pid, SIGKILL);
    assert_false(lives);
}

static void test_a_crash_at_once_is_a_signal(void **state)
{
    (void)state;
    run_fault(FAULT_CRASH_AT_ONCE);
    assert_ended(SAMPLE_SIGNAL, "signal 6 (Aborted) before its first phase");
}

static void test_a_crash_in_a_phase_names_it_and_keeps_the_last_line(void **state)
{
    (void)state;
    run_fault(FAULT_CRASH_IN_PHASE);
    assert_ended(SAMPLE_SIGNAL, "signal 11 (Segmentation fault) in phase del: about to fail");
    assert_int_equal(sample.phase_count, 1);
}

static void test_a_crash_after_the_last_phase_is_no_success(void **state)
{
    (void)state;
    run_fault(FAULT_CRASH_AT_THE_END);
    assert_ended(SAMPLE_SIGNAL, "after phase del");
}

static void test_an_exit_status_is_kept(void **state)
{
    (void)state;
    run_fault(FAULT_EXIT);
    assert_ended(SAMPLE_EXIT, "exit status 3 in phase del: I give up");
}

static void test_status_zero_without_finishing_is_no_success(void **state)
{
    (void)state;
    run_fault(FAULT_EXIT_ZERO_UNFINISHED);
    assert_ended(SAMPLE_EXIT, "exit status 0");
}

static void test_a_hang_ends_at_the_time_limit(void **state)
{
    (void)state;
    run_fault(FAULT_HANG);
    assert_ended(SAMPLE_TIMEOUT, "time limit of 0.4 s");
    run_fault(FAULT_HANG_BEFORE_BASELINE);
    assert_ended(SAMPLE_TIMEOUT, "before its first phase");
}

static void test_memory_above_the_limit_is_oom(void **state)
{
    (void)state;
    run_fault(FAULT_EAT_MEMORY);
    assert_ended(SAMPLE_OOM, has_groups() ? "killed by the kernel in its memory group above the "
                                            "limit of 64 MiB in phase del: the line before"
                                          : "killed by the sampler above the memory limit of 64 "
                                            "MiB in phase del: the line before");
    assert_int_equal(sample.limited_by,
                     has_groups() ? SAMPLE_LIMITED_BY_CGROUP : SAMPLE_LIMITED_BY_SAMPLER);
}

static void test_memory_below_the_limit_is_ok(void **state)
{
    (void)state;
    run_fault(FAULT_HOLD_MEMORY);
    assert_ended(SAMPLE_OK, "");
    assert_true(sample.phases[1].rollup.rss_bytes >= FAULT_HELD_BYTES);
    assert_true(sample.tick_count > 0); /* it touches pages for some ticks */
    uint64_t charge_bytes = sample.phases[1].charge_bytes;
    if (has_groups())
        assert_in_range(charge_bytes, FAULT_HELD_BYTES, LIMIT_BYTES);
    else
        assert_true(charge_bytes == SAMPLE_NO_CHARGE);
}

static void test_a_sample_after_one_above_the_limit_is_ok(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        run_fault(FAULT_EAT_MEMORY);
        assert_int_equal(sample.status, SAMPLE_OOM);
        run_fault(FAULT_HOLD_MEMORY);
        assert_ended(SAMPLE_OK, "");
    }
}

/* The limit has room for such pages once, and not twice. */
static void test_pages_that_a_sample_leaves_do_not_count_for_the_next(void **state)
{
    char left[2][64] = {"", ""};

    (void)state;
    if (access("/dev/shm", W_OK) != 0)
        skip();
    for (int i = 0; i < 2; i++) {
        run_fault(FAULT_LEAVE_PAGES);
        snprintf(left[i], sizeof left[i], FAULT_FILE, (int)sample.checksum);
        if (sample.status != SAMPLE_OK)
            break;
    }
    int left_both = unlink(left[0]) == 0 && unlink(left[1]) == 0;
    assert_ended(SAMPLE_OK, "");
    assert_true(left_both);
}

static void test_the_sampler_keeps_the_limit_where_no_group_is_asked_for(void **state)
{
    (void)state;
    limiter = NULL;
    test_memory_above_the_limit_is_oom(state);
    test_memory_below_the_limit_is_ok(state);
}

static void test_the_sampler_keeps_the_limit_where_no_group_can_be_had(void **state)
{
    static struct memory_parent none;

    (void)state;
    memory_parent_open_at(&none, 2, "/nonexistent");
    assert_int_equal(none.version, 0);
    limiter = &none;
    test_memory_above_the_limit_is_oom(state);
}

static int limit_as_usual(void **state)
{
    (void)state;
    limiter = &memory_parent;
    way = (struct return_way){0};
    return 0;
}

static void test_pressure_without_a_group_is_not_available_and_starts_no_child(void **state)
{
    static struct memory_parent none;

    (void)state;
    memory_parent_open_at(&none, 2, "/nonexistent");
    limiter = &none;
    way.mode = RETURN_PRESSURE;
    run_fault(FAULT_CRASH_AT_ONCE);
    assert_ended(SAMPLE_NOT_AVAILABLE, "pressure needs a memory group of the sample's own: the "
                                       "folder of this process's group cannot be opened");
    assert_int_equal(sample.phase_count, 0);
}

static void test_a_child_that_asks_for_pressure_unasked_breaks_the_protocol(void **state)
{
    (void)state;
    run_fault(FAULT_PRESSURE);
    assert_ended(SAMPLE_EXIT, "stopped by the harness");
}

static void test_what_a_child_has_started_counts_for_the_limit_of_its_group(void **state)
{
    (void)state;
    if (!has_groups())
        skip(); /* the sampler sees the child alone: docs/method.md */
    run_fault(FAULT_GRANDCHILD_EATS);
    assert_ended(SAMPLE_OOM,
                 memory_parent.version == 1
                     ? "a process that it had started was killed by the kernel in its memory group"
                     : "killed by the kernel in its memory group");
}

/* Eats in a group beneath one that the test makes, having written to a file of it. */
static void eat_beneath(const char *file, const char *text)
{
    static struct memory_parent above;
    char folder[MEMORY_PARENT_FOLDER_BYTES + 64];

    snprintf(folder, sizeof folder, "%s/test-%d", memory_parent.folder, (int)getpid());
    assert_int_equal(mkdir(folder, 0755), 0);
    memory_parent_open_at(&above, 1, folder);
    int error = cgroup_write(above.folder_fd, file, text);
    limiter = &above;
    run_fault(FAULT_EAT_MEMORY);
    memory_parent_close(&above);
    assert_int_equal(rmdir(folder), 0);
    assert_int_equal(error, 0);
}

static void test_a_kill_for_want_of_memory_elsewhere_says_so(void **state)
{
    (void)state;
    if (memory_parent.version != 1)
        skip(); /* in v2 nothing but the leaf of the test itself may be beneath its group */
    eat_beneath("memory.limit_in_bytes", "50331648");
    assert_ended(SAMPLE_OOM, "killed by the kernel, as the machine or a memory group around it had "
                             "no memory left, in phase del: the line before");
}

static void test_the_kernel_kills_where_it_is_told_not_to_in_the_group_above(void **state)
{
    (void)state;
    if (memory_parent.version != 1)
        skip(); /* only v1 has such a switch */
    eat_beneath("memory.oom_control", "1");
    assert_ended(SAMPLE_OOM, "killed by the kernel in its memory group above the limit");
}

static void test_a_group_that_does_not_kill_ends_at_the_time_limit(void **state)
{
    (void)state;
    if (memory_parent.version != 1)
        skip(); /* only v1 has such a switch */
    run_fault(FAULT_EAT_UNKILLED);
    assert_ended(SAMPLE_TIMEOUT, "in phase del");
}

static void test_the_sampler_kills_what_has_left_its_group(void **state)
{
    (void)state;
    if (memory_parent.version != 1)
        skip(); /* v2 lets no process into a group that hands controllers down */
    run_fault(FAULT_EAT_OUTSIDE);
    assert_ended(SAMPLE_OOM, "killed by the sampler above the memory limit of 64 MiB in phase del");
    assert_int_equal(sample.limited_by, SAMPLE_LIMITED_BY_CGROUP);
}

static void test_a_flood_of_stderr_costs_nothing_but_its_end_is_kept(void **state)
{
    (void)state;
    run_fault(FAULT_FLOOD);
    assert_ended(SAMPLE_SIGNAL, "in phase del: the line before the end");
}

static void test_a_broken_protocol_is_an_exit_with_its_reason(void **state)
{
    (void)state;
    run_fault(FAULT_BAD_PARK);
    assert_ended(SAMPLE_EXIT, "stopped by the harness");
}

static void test_closed_descriptors_do_not_hang_the_harness(void **state)
{
    (void)state;
    run_fault(FAULT_CLOSE_DESCRIPTORS);
    assert_ended(SAMPLE_EXIT, "exit status 4");
}

static void test_an_orphan_does_not_outlive_the_sample(void **state)
{
    (void)state;
    run_fault(FAULT_ORPHAN);
    assert_ended(SAMPLE_OK, "");
    assert_dies(sample.checksum);
}

static void test_a_daemon_does_not_outlive_the_sample_where_it_has_a_group(void **state)
{
    (void)state;
    run_fault(FAULT_DAEMON);
    assert_ended(SAMPLE_OK, "");
    if (!has_groups()) {
        kill((pid_t)sample.checksum, SIGKILL);
        print_message("no group: a daemon is found by nobody, and was ended by the test\n");
    }
    assert_dies(sample.checksum);
}

static void test_a_child_that_never_parks_has_measured_nothing(void **state)
{
    (void)state;
    run_fault(FAULT_NEVER_PARKS);
    assert_ended(SAMPLE_EXIT, "finished without parking");
}

static void test_many_open_descriptors_do_not_reach_the_child(void **state)
{
    enum { MANY = 80 };
    int opened[MANY];

    (void)state;
    /* Whatever numbers the harness's own pipes get, the child finds its three at 3, 4 and 5. */
    for (int i = 0; i < MANY; i++)
        opened[i] = dup(STDERR_FILENO);
    for (int i = 50; i < MANY; i++) {
        close(opened[i]);
        run_fault(FAULT_NONE);
        assert_ended(SAMPLE_OK, "");
        opened[i] = dup(STDERR_FILENO);
    }
    for (int i = 0; i < MANY; i++)
        close(opened[i]);
}

static void test_what_is_missing_is_not_available(void **state)
{
    (void)state;
    run_fault(FAULT_NOT_AVAILABLE);
    assert_ended(SAMPLE_NOT_AVAILABLE, "Debian package libnone");
}

static void test_an_interrupted_sample_is_no_result(void **state)
{
    (void)state;
    interrupted = 1;
    run_fault(FAULT_HANG);
    interrupted = 0;
    assert_int_equal(sample.status, SAMPLE_INTERRUPTED);
}

static int set_up(void **state)
{
    ssize_t length = readlink("/proc/self/exe", paths.child, sizeof paths.child - 32);

    (void)state;
    if (length < 0)
        return -1;
    paths.child[length] = '\0';
    memcpy(strrchr(paths.child, '/'), "/faulty_child", sizeof "/faulty_child");
    signal(SIGPIPE, SIG_IGN);
    memory_parent_open(&memory_parent);
    if (memory_parent.version != 0)
        print_message("the memory limit is kept by groups of cgroup v%d\n", memory_parent.version);
    else
        print_message("the memory limit is kept by the sampler: %s\n", memory_parent.reason);
    return sampler_init(&sampler);
}

static int tear_down(void **state)
{
    (void)state;
    sampler_destroy(&sampler);
    memory_parent_close(&memory_parent);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_child_that_behaves_is_ok),
        cmocka_unit_test(test_a_crash_at_once_is_a_signal),
        cmocka_unit_test(test_a_crash_in_a_phase_names_it_and_keeps_the_last_line),
        cmocka_unit_test(test_a_crash_after_the_last_phase_is_no_success),
        cmocka_unit_test(test_an_exit_status_is_kept),
        cmocka_unit_test(test_status_zero_without_finishing_is_no_success),
        cmocka_unit_test(test_a_hang_ends_at_the_time_limit),
        cmocka_unit_test(test_memory_above_the_limit_is_oom),
        cmocka_unit_test(test_memory_below_the_limit_is_ok),
        cmocka_unit_test(test_a_sample_after_one_above_the_limit_is_ok),
        cmocka_unit_test(test_pages_that_a_sample_leaves_do_not_count_for_the_next),
        cmocka_unit_test_teardown(test_the_sampler_keeps_the_limit_where_no_group_is_asked_for,
                                  limit_as_usual),
        cmocka_unit_test_teardown(test_the_sampler_keeps_the_limit_where_no_group_can_be_had,
                                  limit_as_usual),
        cmocka_unit_test_teardown(
            test_pressure_without_a_group_is_not_available_and_starts_no_child, limit_as_usual),
        cmocka_unit_test(test_a_child_that_asks_for_pressure_unasked_breaks_the_protocol),
        cmocka_unit_test_teardown(test_a_kill_for_want_of_memory_elsewhere_says_so, limit_as_usual),
        cmocka_unit_test_teardown(test_the_kernel_kills_where_it_is_told_not_to_in_the_group_above,
                                  limit_as_usual),
        cmocka_unit_test(test_what_a_child_has_started_counts_for_the_limit_of_its_group),
        cmocka_unit_test(test_a_group_that_does_not_kill_ends_at_the_time_limit),
        cmocka_unit_test(test_the_sampler_kills_what_has_left_its_group),
        cmocka_unit_test(test_a_flood_of_stderr_costs_nothing_but_its_end_is_kept),
        cmocka_unit_test(test_a_broken_protocol_is_an_exit_with_its_reason),
        cmocka_unit_test(test_closed_descriptors_do_not_hang_the_harness),
        cmocka_unit_test(test_an_orphan_does_not_outlive_the_sample),
        cmocka_unit_test(test_a_daemon_does_not_outlive_the_sample_where_it_has_a_group),
        cmocka_unit_test(test_a_child_that_never_parks_has_measured_nothing),
        cmocka_unit_test(test_many_open_descriptors_do_not_reach_the_child),
        cmocka_unit_test(test_what_is_missing_is_not_available),
        cmocka_unit_test(test_an_interrupted_sample_is_no_result),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
