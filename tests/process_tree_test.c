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
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MB = 1 << 20, HELD = 20 * MB };

#define ASIDE "TREE_TEST_ASIDE=1"

static struct process_tree tree;
static int ready[2], go[2];

static void hold(size_t bytes)
{
    char *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    memset(pages, 1, bytes);
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

static uint64_t read_tree(size_t processes)
{
    struct tree_memory memory;

    process_tree_read(&tree, &memory);
    assert_int_equal(memory.processes, processes);
    return memory.resident_bytes;
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

static void test_pages_of_a_fork_are_counted_once_by_the_rollup(void **state)
{
    struct memory_rollup rollup;

    (void)state;
    const pid_t pid = fork();
    if (pid == 0) {
        close(go[1]);
        hold(HELD);
        (void)fork(); /* both hold the same pages */
        say_ready_and_wait();
    }
    await_ready(2);
    assert_int_equal(process_tree_scan(&tree), 0);
    assert_in_range(read_tree(2), 2 * HELD, 2 * HELD + 24 * MB);
    process_tree_rollup(&tree, &rollup);
    assert_in_range(rollup.rss_bytes, HELD, HELD + 12 * MB);
}

static void test_who_has_not_mapped_a_library_is_a_stranger_at_the_second_look(void **state)
{
    struct tree_stranger stranger = {.pid = 0};

    (void)state;
    const pid_t pid = start(HELD);
    await_ready(1);
    assert_int_equal(process_tree_scan(&tree), 0);
    process_tree_look(&tree, "libc.so.6", &stranger);
    process_tree_look(&tree, "libc.so.6", &stranger);
    assert_int_equal(stranger.pid, 0);
    process_tree_look(&tree, "libnobody.so.1", &stranger);
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
        TEST(test_pages_of_a_fork_are_counted_once_by_the_rollup),
        TEST(test_who_stands_aside_is_not_added_up),
        TEST(test_what_one_aside_starts_is_added_up),
        TEST(test_who_has_not_mapped_a_library_is_a_stranger_at_the_second_look),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
