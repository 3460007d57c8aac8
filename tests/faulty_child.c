/*
 * A child that misbehaves as it is told: what tests/sample_test.c starts in place of
 * tidemark-child. The fault is the value of
 * `--set n=FAULT`, so that the harness's own command line carries it.
 */
#define _GNU_SOURCE
#include "tests/faulty_child.h"

#include "harness/cgroup.h"
#include "harness/page.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct page *page;

static void park(char reason)
{
    if (write(PARK_FD, &reason, 1) != 1 || read(GO_FD, &reason, 1) != 1)
        _exit(9);
}

static uint64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void one_phase(const char *name)
{
    struct page_phase *phase = &page->phases[page->phase_count];

    atomic_store(&page->gauge.phase, page->phase_count + 1);
    phase->begin_ns = now_ns();
    strncpy(phase->name, name, sizeof phase->name - 1);
    phase->end_ns = now_ns();
    page->phase_count++;
    park(PARK_PHASE);
}

static void hang(void)
{
    for (;;)
        pause();
}

static void eat_memory(void)
{
    enum { STEP_BYTES = 1 << 20, MOST_STEPS = 4096 };

    fprintf(stderr, "the line before it eats\n");
    for (int i = 0; i < MOST_STEPS; i++) {
        void *step =
            mmap(NULL, STEP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (step == MAP_FAILED)
            _exit(8);
        memset(step, 1, STEP_BYTES);
        usleep(1000);
    }
}

/* Without a sanitizer's shadow memory, which would count too. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void hold_memory(void)
{
    enum { SMALLEST_PAGE_BYTES = 4096 };
    char *held =
        mmap(NULL, FAULT_HELD_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (held == MAP_FAILED)
        _exit(8);
    for (size_t i = 0; i < FAULT_HELD_BYTES; i += SMALLEST_PAGE_BYTES)
        *(volatile char *)(held + i) = 1;
}

/* Pages of a file there stay after the process, and are charged to its group. */
static void leave_pages(void)
{
    static char block[1 << 20];
    char path[64];

    atomic_store(&page->gauge.checksum, (uint64_t)getpid());
    snprintf(path, sizeof path, FAULT_FILE, (int)getpid());
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    if (fd < 0)
        _exit(8);
    for (size_t i = 0; i < FAULT_HELD_BYTES; i += sizeof block) {
        if (write(fd, block, sizeof block) != (ssize_t)sizeof block)
            _exit(8);
    }
    close(fd);
}

/* Writes to a file of its own memory group, or of the one above: only where that is one of the
 * sample's, so that no fault of the harness lets it write to a group of others. */
static void tell_group(const char *file, const char *text)
{
    char folder[640], path[704], wanted[48];
    int fd = -1;

    snprintf(wanted, sizeof wanted, "/tidemark-%d-", (int)getppid());
    if (cgroup_memory_folder(folder, sizeof folder) != 0 && strstr(folder, wanted)) {
        snprintf(path, sizeof path, "%s/%s", folder, file);
        fd = open(path, O_WRONLY);
    }
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        _exit(6);
    close(fd);
}

static void grandchild_eats(void)
{
    pid_t pid = fork();

    if (pid == 0)
        eat_memory();
    waitpid(pid, NULL, 0);
}

static void flood_stderr(void)
{
    for (int i = 0; i < 200000; i++)
        fprintf(stderr, "line %d of a flood that no pipe holds\n", i);
}

/* A grandchild that would outlive this process; its pid goes to the page, where the test finds it.
 */
static void leave_an_orphan(void)
{
    pid_t pid = fork();

    if (pid == 0)
        hang();
    atomic_store(&page->gauge.checksum, (uint64_t)pid);
}

/* The same in a session of its own, which a signal to the child's process group does not reach. */
static void leave_a_daemon(void)
{
    pid_t pid = fork();

    if (pid == 0) {
        setsid();
        pid = fork();
        if (pid == 0)
            hang();
        atomic_store(&page->gauge.checksum, (uint64_t)pid);
        _exit(0);
    }
    waitpid(pid, NULL, 0);
}

/* Past any handler that a sanitizer has put there. */
static void die_of(int number)
{
    signal(number, SIG_DFL);
    raise(number);
}

static enum fault read_fault(int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "n=", 2) == 0)
            return (enum fault)strtol(argv[i] + 2, NULL, 10);
    }
    return FAULT_NONE;
}

int main(int argc, char **argv)
{
    enum fault fault = read_fault(argc, argv);

    if (fault == FAULT_CRASH_AT_ONCE)
        die_of(SIGABRT);
    page = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, PAGE_FD, 0);
    if (page == MAP_FAILED)
        return 7;
    if (fault == FAULT_HANG_BEFORE_BASELINE)
        hang();
    if (fault == FAULT_NEVER_PARKS) {
        page->status = PAGE_DONE;
        return 0;
    }
    park(PARK_BASELINE);
    one_phase("build");
    atomic_store(&page->gauge.phase, 2);
    strcpy(page->phases[1].name, "del");
    switch (fault) {
    case FAULT_CRASH_IN_PHASE:
        fprintf(stderr, "first line\nabout to fail\n");
        die_of(SIGSEGV);
        break;
    case FAULT_EXIT:
        fprintf(stderr, "I give up\n");
        exit(3);
    case FAULT_EXIT_ZERO_UNFINISHED:
        exit(0);
    case FAULT_HANG:
        hang();
        break;
    case FAULT_EAT_MEMORY:
        eat_memory();
        break;
    case FAULT_FLOOD:
        flood_stderr();
        fprintf(stderr, "the line before the end\n");
        die_of(SIGSEGV);
        break;
    case FAULT_BAD_PARK:
        park('?');
        break;
    case FAULT_PRESSURE:
        park(PARK_PRESSURE);
        break;
    case FAULT_CLOSE_DESCRIPTORS:
        close(PARK_FD);
        close(GO_FD);
        close(STDERR_FILENO);
        usleep(20000);
        exit(4);
    case FAULT_ORPHAN:
        leave_an_orphan();
        break;
    case FAULT_HOLD_MEMORY:
        hold_memory();
        break;
    case FAULT_LEAVE_PAGES:
        leave_pages();
        break;
    case FAULT_DAEMON:
        leave_a_daemon();
        break;
    case FAULT_GRANDCHILD_EATS:
        grandchild_eats();
        break;
    case FAULT_EAT_UNKILLED:
        tell_group("memory.oom_control", "1");
        eat_memory();
        break;
    case FAULT_EAT_OUTSIDE:
        tell_group("../cgroup.procs", "0");
        eat_memory();
        break;
    case FAULT_NOT_AVAILABLE:
        snprintf(page->reason, sizeof page->reason, "no such library (Debian package libnone)");
        page->status = PAGE_NOT_AVAILABLE;
        exit(0);
    default:
        break;
    }
    one_phase("del");
    if (fault == FAULT_CRASH_AT_THE_END)
        die_of(SIGBUS);
    page->status = PAGE_DONE;
    return 0;
}
