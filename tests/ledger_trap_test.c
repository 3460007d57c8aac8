/*
 * The trap of system calls, each test in a process of its own, since it is never taken off. Leaves
 * out real allocators, which ledger_test.py runs under strace beside it. A forked child tells what
 * went wrong by its exit status: the line of the check.
 */
#define _GNU_SOURCE
#include "harness/ledger_trap.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum {
    BLOCK = 1 << 20,
    LARGE = 64 * BLOCK,
    THREADS = 4,
    ROUNDS = 200,
    STACK_BYTES = 64 << 10,
    MANY_KINDS = 2 * LEDGER_KINDS
};

static struct ledger_line before[LEDGER_LINES], after[LEDGER_LINES];

/* Ends the child with the line where it went wrong; a status has 8 bits, so it is printed too. */
static void give_up(int line)
{
    char text[64];
    const int length = snprintf(text, sizeof text, "ledger_trap_test.c:%d: not so\n", line);

    if (write(STDERR_FILENO, text, (size_t)length) < 0)
        _exit(2);
    _exit(1);
}

#define CHECK(claim) ((claim) ? (void)0 : give_up(__LINE__))

/* Runs `body` in a watched child; it has to end by itself, with 0. */
static void run_watched(void (*body)(void))
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0) {
        char reason[LEDGER_REASON_BYTES];
        CHECK(ledger_trap_install(reason) == 0);
        ledger_trap_read(before);
        body();
        _exit(0);
    }
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What was counted of a kind since `before`. */
static struct ledger_totals counted(enum ledger_call call, const char *kind)
{
    struct ledger_totals found = {0};
    char name[LEDGER_KIND_BYTES];

    ledger_trap_read(after);
    for (size_t i = 0; i < LEDGER_LINES; i++) {
        const struct ledger_totals *new = &after[i].totals, *old = &before[i].totals;
        if (new->count == old->count || after[i].call != call ||
            strcmp(ledger_kind_name(call, after[i].kind, name), kind) != 0)
            continue;
        found.count += new->count - old->count;
        found.failed += new->failed - old->failed;
        found.bytes += new->bytes - old->bytes;
        found.old_bytes += new->old_bytes - old->old_bytes;
        found.net_bytes += new->net_bytes - old->net_bytes;
        found.time_ns += new->time_ns - old->time_ns;
        found.longest_ns = new->longest_ns;
    }
    return found;
}

static void *map(size_t bytes)
{
    return mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void body_of_calls(void)
{
    char *block = map(BLOCK);

    CHECK(block != MAP_FAILED);
    memset(block, 1, BLOCK);
    CHECK(madvise(block, BLOCK / 2, MADV_DONTNEED) == 0);
    CHECK(block[0] == 0 && block[BLOCK - 1] == 1); /* the kernel did it */
    CHECK(mprotect(block, BLOCK / 4, PROT_READ) == 0);
    CHECK(munmap(block, BLOCK / 2) == 0);
    char *moved = mremap(block + BLOCK / 2, BLOCK / 2, BLOCK / 4, 0);
    CHECK(moved == block + BLOCK / 2 && moved[0] == 1);
    char *top = sbrk(0);
    CHECK(sbrk(BLOCK) == top && sbrk(0) == top + BLOCK);
    top[BLOCK - 1] = 1;
    CHECK(sbrk(-BLOCK) == top + BLOCK);

    CHECK(counted(LEDGER_MMAP, "rw").count == 1);
    CHECK(counted(LEDGER_MMAP, "rw").bytes == BLOCK);
    CHECK(counted(LEDGER_MADVISE, "MADV_DONTNEED").bytes == BLOCK / 2);
    CHECK(counted(LEDGER_MPROTECT, "r").bytes == BLOCK / 4);
    CHECK(counted(LEDGER_MUNMAP, "").net_bytes == (uint64_t) - (BLOCK / 2));
    CHECK(counted(LEDGER_MREMAP, "shrink").old_bytes == BLOCK / 2);
    CHECK(counted(LEDGER_BRK, "grow").net_bytes == BLOCK);
    CHECK(counted(LEDGER_BRK, "shrink").bytes == BLOCK);
    CHECK(ledger_trap_thread()->all == 7);
    CHECK(ledger_trap_thread()->by_call[LEDGER_BRK] == 2 &&
          ledger_trap_thread()->by_call[LEDGER_MREMAP] == 1);
}

static void test_every_call_does_its_work_and_is_counted(void **state)
{
    (void)state;
    run_watched(body_of_calls);
}

static void body_of_errors(void)
{
    errno = 0;
    CHECK(munmap((void *)1, BLOCK) == -1 && errno == EINVAL);
    CHECK(counted(LEDGER_MUNMAP, "").failed == 1);
    CHECK(counted(LEDGER_MUNMAP, "").bytes == 0);
    errno = ENOTTY; /* a call that works leaves it alone */
    CHECK(map(BLOCK) != MAP_FAILED && errno == ENOTTY);
    CHECK(syscall(SYS_brk, 1) != 1); /* the kernel's way to refuse */
    CHECK(counted(LEDGER_BRK, "shrink").failed == 1);
}

static void test_a_refused_call_tells_its_errno(void **state)
{
    (void)state;
    run_watched(body_of_errors);
}

static void body_of_time(void)
{
    char *block = map(LARGE);

    CHECK(block != MAP_FAILED);
    memset(block, 1, LARGE);
    CHECK(munmap(block, LARGE) == 0);
    CHECK(madvise(NULL, 0, MADV_NORMAL) == 0);
    const struct ledger_totals large = counted(LEDGER_MUNMAP, "");
    CHECK(large.time_ns == large.longest_ns); /* one call */
    CHECK(large.time_ns > 10 * counted(LEDGER_MADVISE, "MADV_NORMAL").time_ns);
    CHECK(counted(LEDGER_MUNMAP, "").longest_ns == 0); /* since the reading before */
}

static void test_the_time_of_a_call_is_its_own(void **state)
{
    (void)state;
    run_watched(body_of_time);
}

/* --- Threads and signals. --- */

static void *work(void *unused)
{
    sigset_t all;

    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, NULL) == 0);
    for (int i = 0; i < ROUNDS; i++) {
        void *block = map(BLOCK);
        CHECK(block != MAP_FAILED && munmap(block, BLOCK) == 0);
    }
    CHECK(ledger_trap_thread()->all == 2 * ROUNDS); /* of this thread alone */
    return unused;
}

static void body_of_threads(void)
{
    pthread_t threads[THREADS];
    pthread_attr_t small;
    sigset_t all;

    /* They start with every signal blocked, on a small stack. */
    sigfillset(&all);
    CHECK(sigprocmask(SIG_BLOCK, &all, NULL) == 0);
    CHECK(pthread_attr_init(&small) == 0);
    CHECK(pthread_attr_setstacksize(&small, STACK_BYTES) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], &small, work, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_join(threads[i], NULL) == 0);
    CHECK(counted(LEDGER_MMAP, "rw").count == (uint64_t)THREADS * ROUNDS);
    CHECK(counted(LEDGER_MMAP, "rw").bytes == (uint64_t)THREADS * ROUNDS * BLOCK);
    CHECK(counted(LEDGER_MUNMAP, "").net_bytes == (uint64_t)-THREADS * ROUNDS * BLOCK);
}

static void test_threads_that_block_every_signal_are_counted(void **state)
{
    (void)state;
    run_watched(body_of_threads);
}

static void body_of_masks(void)
{
    sigset_t set, old, now;

    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGSYS);
    CHECK(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
    CHECK(sigprocmask(SIG_SETMASK, NULL, &now) == 0);
    CHECK(sigismember(&now, SIGUSR1) == 1 && sigismember(&now, SIGSYS) == 0);
    sigfillset(&set);
    CHECK(sigprocmask(SIG_SETMASK, &set, &old) == 0);
    CHECK(memcmp(&old, &now, 8) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    CHECK(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
    CHECK(sigismember(&now, SIGUSR2) == 0 && sigismember(&now, SIGTERM) == 1);
    CHECK(sigprocmask(SIG_SETMASK, &old, NULL) == 0);
    CHECK(sigprocmask(SIG_BLOCK, NULL, &now) == 0);
    CHECK(memcmp(&old, &now, 8) == 0);
    errno = 0;
    CHECK(sigprocmask(99, &set, NULL) == -1 && errno == EINVAL);
    CHECK(map(BLOCK) != MAP_FAILED);
}

static void test_masks_are_as_they_were_set_but_for_sigsys(void **state)
{
    (void)state;
    run_watched(body_of_masks);
}

static volatile sig_atomic_t handled;

static void map_in_handler(int signal)
{
    handled += signal == SIGUSR1 && map(BLOCK) != MAP_FAILED;
}

static void body_of_handlers(void)
{
    struct sigaction action = {.sa_handler = map_in_handler}, found;

    sigfillset(&action.sa_mask);
    CHECK(sigaction(SIGUSR1, &action, NULL) == 0);
    CHECK(sigaction(SIGUSR1, NULL, &found) == 0 && found.sa_handler == map_in_handler);
    CHECK(sigismember(&found.sa_mask, SIGTERM) == 1 && sigismember(&found.sa_mask, SIGSYS) == 0);
    CHECK(raise(SIGUSR1) == 0 && handled == 1);
    action.sa_handler = SIG_IGN;
    CHECK(sigaction(SIGSYS, &action, NULL) == 0); /* ours stays */
    CHECK(map(BLOCK) != MAP_FAILED);
    CHECK(counted(LEDGER_MMAP, "rw").count == 2);
}

static void test_handlers_may_call_and_ours_stays(void **state)
{
    (void)state;
    run_watched(body_of_handlers);
}

static void body_of_fork(void)
{
    int status = 0;
    const pid_t child = fork();

    if (child == 0)
        _exit(map(BLOCK) == MAP_FAILED);
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    CHECK(counted(LEDGER_MMAP, "rw").count == 0);
}

static void test_a_forked_child_lives_and_counts_for_itself(void **state)
{
    (void)state;
    run_watched(body_of_fork);
}

/* --- The table. --- */

static void body_of_kinds(void)
{
    uint64_t count = 0;

    for (int advice = 1000; advice < 1000 + MANY_KINDS; advice++)
        CHECK(madvise(NULL, 0, advice) == -1);
    ledger_trap_read(after);
    for (size_t i = 0; i < LEDGER_LINES; i++)
        count += after[i].call == LEDGER_MADVISE ? after[i].totals.count : 0;
    CHECK(count == MANY_KINDS);
    CHECK(counted(LEDGER_MADVISE, "advice_1000").failed == 1);
    CHECK(counted(LEDGER_MADVISE, "other").count >= LEDGER_KINDS);
    CHECK(map(BLOCK) != MAP_FAILED && ledger_trap_thread()->all == MANY_KINDS + 1);
}

static void test_kinds_beyond_the_table_are_counted_together(void **state)
{
    (void)state;
    run_watched(body_of_kinds);
}

static void body_of_cost(void)
{
    struct ledger_cost cost;

    CHECK(map(BLOCK) != MAP_FAILED);
    ledger_trap_measure(&cost);
    CHECK(cost.clock_ns <= cost.empty_call_ns && cost.empty_call_ns < cost.trapped_call_ns);
    CHECK(cost.trapped_call_ns > 100); /* two ways into the kernel and back */
    ledger_trap_read(after);
    for (size_t i = 0; i < LEDGER_LINES; i++)
        CHECK(after[i].totals.count == 0);
    CHECK(ledger_trap_thread()->all == 0);
}

static void test_the_cost_is_measured_and_not_counted(void **state)
{
    (void)state;
    run_watched(body_of_cost);
}

static void *wait_for_ever(void *unused)
{
    pause();
    return unused;
}

static void test_a_process_with_threads_is_refused(void **state)
{
    int status = 0;
    const pid_t child = fork();

    (void)state;
    if (child == 0) {
        char reason[LEDGER_REASON_BYTES];
        pthread_t thread;
        CHECK(pthread_create(&thread, NULL, wait_for_ever, NULL) == 0);
        CHECK(ledger_trap_install(reason) == -EBUSY);
        CHECK(strstr(reason, "2 threads") != NULL);
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_call_does_its_work_and_is_counted),
        cmocka_unit_test(test_a_refused_call_tells_its_errno),
        cmocka_unit_test(test_the_time_of_a_call_is_its_own),
        cmocka_unit_test(test_threads_that_block_every_signal_are_counted),
        cmocka_unit_test(test_masks_are_as_they_were_set_but_for_sigsys),
        cmocka_unit_test(test_handlers_may_call_and_ours_stays),
        cmocka_unit_test(test_a_forked_child_lives_and_counts_for_itself),
        cmocka_unit_test(test_kinds_beyond_the_table_are_counted_together),
        cmocka_unit_test(test_the_cost_is_measured_and_not_counted),
        cmocka_unit_test(test_a_process_with_threads_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
