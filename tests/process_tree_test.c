/*
 * Processes beneath one: which there are, and what they hold together, against children that hold
 * known amounts. Leaves out the kernel's own arithmetic (procfs_test.c).
 */
#define _GNU_SOURCE
#include "harness/process_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MB = 1 << 20, HELD = 20 * MB };

#define ASIDE "TREE_TEST_ASIDE=1"

static struct process_tree tree;
static int ready[2], go[2];

static int refuses_kcmp;

/* kcmp(2) alone goes this way. The names are those that the linker's --wrap gives.
 * NOLINTBEGIN(bugprone-reserved-identifier) */
long __real_syscall(long number, long first, long second, long third, long fourth, long fifth);
long __wrap_syscall(long number, long first, long second, long third, long fourth, long fifth);
/* NOLINTEND(bugprone-reserved-identifier) */

long __wrap_syscall(long number, long first, long second, long third, long fourth, long fifth)
{
    if (number == SYS_kcmp && refuses_kcmp) {
        errno = EPERM;
        return -1;
    }
    return __real_syscall(number, first, second, third, fourth, fifth);
}

static char *hold_as(size_t bytes, int flags)
{
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags | MAP_ANONYMOUS, -1, 0);

    memset(pages, 1, bytes);
    return pages;
}

static void hold(size_t bytes)
{
    hold_as(bytes, MAP_PRIVATE);
}

_Noreturn static void say_ready_and_wait(void)
{
    char byte = 1;

    if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) < 0)
        _exit(1);
    _exit(0);
}

static void await_ready(unsigned processes)
{
    char byte;

    for (unsigned i = 0; i < processes; i++)
        assert_int_equal(read(ready[0], &byte, 1), 1);
}

static int begin(void **state)
{
    (void)state;
    process_tree_init(&tree, getpid(), ASIDE);
    refuses_kcmp = 0;
    return pipe(ready) != 0 || pipe(go) != 0 ? -1 : 0;
}

/* All of them read the end of the pipe. */
static int end(void **state)
{
    (void)state;
    close(go[1]);
    while (wait(NULL) > 0)
        continue;
    close(go[0]);
    close(ready[0]);
    close(ready[1]);
    process_tree_free(&tree);
    return 0;
}

static pid_t start(size_t bytes)
{
    const pid_t pid = fork();

    if (pid == 0) {
        close(go[1]);
        hold(bytes);
        say_ready_and_wait();
    }
    return pid;
}

static uint64_t read_unchecked(size_t processes)
{
    struct tree_memory memory;

    process_tree_read(&tree, &memory);
    assert_int_equal(memory.processes, processes);
    return memory.resident_bytes;
}

/* What a fork shares, as these are, is known by a rollup. */
static uint64_t read_tree(size_t processes)
{
    struct memory_rollup rollup;

    process_tree_rollup(&tree, &rollup);
    const uint64_t bytes = read_unchecked(processes);
    assert_int_equal(rollup.rss_bytes, bytes);
    return bytes;
}

static int is_in_doubt(void)
{
    struct tree_memory memory;

    process_tree_read(&tree, &memory);
    return process_tree_is_in_doubt(&memory);
}

static void test_none_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(read_tree(0), 0);
}

static void test_what_all_hold_is_added_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(start(HELD) > 0);
    await_ready(3);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.met, 3);
    /* A little more: stacks, and what the C library has; files count once. */
    assert_in_range(read_tree(3), 3 * HELD, 3 * HELD + 24 * MB);
}

static void test_grandchildren_are_in_it(void **state)
{
    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        const pid_t grandchild = fork();
        hold(HELD);
        if (grandchild == 0)
            hold(HELD);
        say_ready_and_wait();
    }
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_in_range(read_tree(2), 3 * HELD, 3 * HELD + 24 * MB);
}

static void test_an_orphan_stays_below_a_subreaper(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        if (fork() == 0) {
            hold(HELD);
            say_ready_and_wait();
        }
        _exit(0);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_in_range(read_tree(1), HELD, HELD + 12 * MB);
}

static void test_one_that_ended_is_forgotten(void **state)
{
    (void)state;
    const pid_t first = start(HELD);
    assert_true(start(HELD) > 0);
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    assert_in_range(read_tree(1), HELD, HELD + 12 * MB);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 1);
    assert_int_equal(tree.met, 2);
}

static void test_pages_of_a_fork_are_counted_once(void **state)
{
    (void)state;
    if (fork() == 0) {
        close(go[1]);
        hold(HELD);
        for (int i = 0; i < 3; i++)
            if (fork() == 0)
                break; /* all hold the same pages */
        say_ready_and_wait();
    }
    await_ready(4);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_true(is_in_doubt());
    assert_in_range(read_unchecked(4), HELD, HELD + 12 * MB);
    assert_in_range(read_tree(4), HELD, HELD + 12 * MB);
}

/* The fork is known before it writes, and its figures of statm stay the same. */
static void test_what_a_fork_has_written_to_is_counted_after_a_rollup(void **state)
{
    char byte = 1;
    int then[2];

    (void)state;
    assert_int_equal(pipe(then), 0);
    if (fork() == 0) {
        close(go[1]);
        char *pages = hold_as(HELD, MAP_PRIVATE);
        if (fork() == 0) {
            if (write(ready[1], &byte, 1) != 1 || read(then[0], &byte, 1) != 1)
                _exit(1);
            memset(pages, 2, HELD);
        }
        say_ready_and_wait();
    }
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_in_range(read_unchecked(2), HELD, HELD + 12 * MB);
    assert_int_equal(write(then[1], &byte, 1), 1);
    await_ready(1);
    assert_in_range(read_tree(2), 2 * HELD, 2 * HELD + 12 * MB);
    close(then[0]);
    close(then[1]);
}

static void test_a_program_is_known_to_share_nothing(void **state)
{
    (void)state;
    if (fork() == 0) {
        dup2(ready[1], STDOUT_FILENO);
        dup2(go[0], STDIN_FILENO);
        close(go[1]);
        execl("/bin/sh", "sh", "-c", "echo; read line", NULL);
        _exit(1);
    }
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_false(tree.processes[0].is_copy);
    assert_false(is_in_doubt());
    assert_true(tree.has_program);
}

_Noreturn static int wait_in_its_memory(void *nothing)
{
    (void)nothing;
    say_ready_and_wait();
}

/* A child that has its parent's memory, which waits meanwhile: as before posix_spawn's exec. */
static void start_vfork(void)
{
    static _Alignas(16) char stack[64 << 10];

    if (fork() == 0) {
        close(go[1]);
        hold(HELD);
        clone(wait_in_its_memory, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, NULL);
        _exit(0);
    }
    await_ready(1);
}

static void test_one_in_its_parents_memory_is_counted_once(void **state)
{
    (void)state;
    start_vfork();
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 2);
    assert_in_range(read_tree(1), HELD, HELD + 12 * MB);
}

static void test_one_in_its_parents_memory_is_known_without_kcmp(void **state)
{
    (void)state;
    refuses_kcmp = 1;
    start_vfork();
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 2);
    assert_in_range(read_tree(1), HELD, HELD + 12 * MB);
}

/* Heaps on shared memory, each of its own process. */
static void test_shared_mappings_that_differ_are_added_up_after_a_rollup(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        if (fork() == 0) {
            close(go[1]);
            hold_as((size_t)2 * HELD, MAP_SHARED);
            say_ready_and_wait();
        }
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_true(is_in_doubt());
    assert_in_range(read_tree(2), 4 * HELD, 4 * HELD + 24 * MB);
}

static void test_a_number_that_is_anothers_by_now_is_met_anew(void **state)
{
    (void)state;
    const pid_t first = start(HELD);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    kill(first, SIGKILL);
    waitpid(first, NULL, 0);
    tree.processes[0].pid = start((size_t)2 * HELD);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 1);
    assert_int_equal(tree.met, 2);
    assert_in_range(read_tree(1), 2 * HELD, 2 * HELD + 12 * MB);
}

static void test_want_of_descriptors_is_an_error_and_loses_nobody(void **state)
{
    struct rlimit before, few;

    (void)state;
    assert_true(start(HELD) > 0);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_true(start(HELD) > 0);
    await_ready(1);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const int next = dup(STDERR_FILENO);
    close(next);
    few = (struct rlimit){.rlim_cur = (rlim_t)next, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const int none = process_tree_scan(&tree);
    few.rlim_cur++; /* for the folder, and not for a file in it besides */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
    const int some = process_tree_scan(&tree);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(none, -EMFILE);
    assert_int_equal(some, -EMFILE);
    assert_int_equal(tree.count, 1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 2);
}

static void test_all_of_it_is_killed_wherever_it_has_gone(void **state)
{
    (void)state;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    assert_true(start(HELD) > 0);
    if (fork() == 0) {
        setsid();
        if (fork() > 0)
            _exit(0); /* a daemon */
        close(go[1]);
        say_ready_and_wait();
    }
    await_ready(2);
    assert_int_equal(process_tree_kill(&tree), 0);
    int status, killed = 0;
    while (wait(&status) > 0)
        killed += WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    assert_int_equal(killed, 2);
}

static void test_who_has_not_mapped_a_library_is_a_stranger(void **state)
{
    struct tree_stranger stranger = {.pid = 0};

    (void)state;
    const pid_t pid = start(HELD);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    process_tree_look(&tree, "libc.so.6", &stranger);
    assert_int_equal(stranger.pid, 0);
    process_tree_look(&tree, "libnobody.so.1", &stranger);
    assert_int_equal(stranger.pid, pid);
    assert_in_range(stranger.resident_bytes, HELD, HELD + 12 * MB);
    assert_string_equal(stranger.name, "process_tree_te");
}

/* What a process was started with is known of one that has become a program. */
static void start_shell(const char *variable, const char *script)
{
    char shell[] = "sh", option[] = "-c";
    char *words[] = {shell, option, strdup(script), NULL};
    char *variables[] = {strdup(variable), NULL};
    const pid_t pid = fork();

    if (pid == 0) {
        dup2(ready[1], STDOUT_FILENO);
        dup2(go[0], STDIN_FILENO);
        close(go[1]);
        execve("/bin/sh", words, variables);
        _exit(1);
    }
    free(words[2]);
    free(variables[0]);
    assert_true(pid > 0);
}

#define WAIT "echo; read line"

/* A shell: a fork of this test holds more than nothing under a sanitizer. */
static void test_who_holds_next_to_nothing_is_no_stranger(void **state)
{
    struct tree_stranger stranger = {.pid = 0};

    (void)state;
    start_shell(ASIDE "0", WAIT);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    process_tree_look(&tree, "libnobody.so.1", &stranger);
    assert_int_equal(stranger.pid, 0);
}

static void test_who_stands_aside_is_not_added_up(void **state)
{
    (void)state;
    start_shell(ASIDE, WAIT);
    start_shell(ASIDE "0", WAIT);
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 2);
    assert_true(read_tree(1) > 0);
}

static void test_what_one_aside_starts_is_added_up(void **state)
{
    (void)state;
    start_shell(ASIDE, "/usr/bin/env -u TREE_TEST_ASIDE /bin/sh -c '" WAIT "'; exit 0");
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_int_equal(tree.count, 2);
    assert_true(read_tree(1) > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_none_is_nothing),
        TEST(test_what_all_hold_is_added_up),
        TEST(test_grandchildren_are_in_it),
        TEST(test_an_orphan_stays_below_a_subreaper),
        TEST(test_one_that_ended_is_forgotten),
        TEST(test_pages_of_a_fork_are_counted_once),
        TEST(test_what_a_fork_has_written_to_is_counted_after_a_rollup),
        TEST(test_a_program_is_known_to_share_nothing),
        TEST(test_one_in_its_parents_memory_is_counted_once),
        TEST(test_one_in_its_parents_memory_is_known_without_kcmp),
        TEST(test_shared_mappings_that_differ_are_added_up_after_a_rollup),
        TEST(test_a_number_that_is_anothers_by_now_is_met_anew),
        TEST(test_want_of_descriptors_is_an_error_and_loses_nobody),
        TEST(test_all_of_it_is_killed_wherever_it_has_gone),
        TEST(test_who_stands_aside_is_not_added_up),
        TEST(test_what_one_aside_starts_is_added_up),
        TEST(test_who_has_not_mapped_a_library_is_a_stranger),
        TEST(test_who_holds_next_to_nothing_is_no_stranger),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
