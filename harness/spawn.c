/*
 * fork, exec, and what both sides need between them. Leaves out posix_spawn, which cannot set the
 * parent-death signal.
 */
#define _GNU_SOURCE
#include "harness/spawn.h"

#include "harness/clock.h"
#include "harness/memory_group.h"
#include "harness/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* The child's ends; each is -1 when closed. */
struct child_ends {
    int page_fd, park_fd, go_fd, stderr_fd;
    int pass_fd; /* the caller's, or -1: there is none */
};

static void close_end(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void close_ends(struct child_ends *ends)
{
    close_end(&ends->page_fd);
    close_end(&ends->park_fd);
    close_end(&ends->go_fd);
    close_end(&ends->stderr_fd);
}

/* Moves the descriptors to their places; first all above them, so that none overwrites another. */
static int place_descriptors(const struct child_ends *ends)
{
    enum { ENDS = 5 };
    const int wanted[ENDS] = {STDERR_FILENO, PAGE_FD, PARK_FD, GO_FD, PASS_FD};
    const int given[ENDS] = {ends->stderr_fd, ends->page_fd, ends->park_fd, ends->go_fd,
                             ends->pass_fd};
    const int count = ends->pass_fd < 0 ? ENDS - 1 : ENDS;
    int moved[ENDS];

    for (int i = 0; i < count; i++) {
        moved[i] = fcntl(given[i], F_DUPFD, PASS_FD + 1);
        if (moved[i] < 0)
            return -errno;
    }
    for (int i = 0; i < count; i++) {
        if (dup2(moved[i], wanted[i]) < 0)
            return -errno;
    }
    int null_fd = open("/dev/null", O_RDWR);
    if (null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
        return -errno;
    return close_range((unsigned)wanted[count - 1] + 1, ~0u, 0) == 0 ? 0 : -errno;
}

/* Where memory runs out the kernel shall choose the child, not the harness that holds the results
 * (proc(5)). */
static void prefer_to_be_killed(void)
{
    int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    if (write(fd, "1000", 4) != 4) {
        /* A system that does not permit it keeps its own choice. */
    }
    close(fd);
}

/* What exec keeps (prctl(2), PR_SET_THP_DISABLE). On takes back what this process may have
 * inherited; the rest is the system's setting. Returns 0 or a negative errno. */
static int switch_huge_pages(enum return_thp thp)
{
    const unsigned long disable = thp == RETURN_THP_OFF;

    if (thp == RETURN_THP_SYSTEM)
        return 0;
    return prctl(PR_SET_THP_DISABLE, disable, 0, 0, 0) == 0 ? 0 : -errno;
}

/* After fork, in the child: nothing here allocates. */
_Noreturn static void become(char *const argv[], const struct environment *environment,
                             const struct child_ends *ends, pid_t parent,
                             const struct spawn_extras *extras)
{
    sigset_t none;
    int entered, switched;

    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127); /* the parent ended before the signal was asked for */
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    prefer_to_be_killed();
    entered = memory_group_enter(extras->group_procs_fd);
    if (entered != 0) {
        dprintf(ends->stderr_fd, "cannot enter its memory group: %s\n", strerror(-entered));
        _exit(127);
    }
    switched = switch_huge_pages(extras->thp);
    if (switched != 0) {
        dprintf(ends->stderr_fd, "cannot switch huge pages: %s\n", strerror(-switched));
        _exit(127);
    }
    if (place_descriptors(ends) == 0)
        execve(argv[0], argv, environment->variables);
    dprintf(STDERR_FILENO, "cannot execute %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

static int make_ends(struct spawned *child, struct child_ends *ends)
{
    int park[2], go[2], errors[2];

    ends->page_fd = memfd_create("tidemark-page", MFD_CLOEXEC);
    if (ends->page_fd < 0 || ftruncate(ends->page_fd, PAGE_BYTES) != 0)
        return -errno;
    if (pipe2(park, O_CLOEXEC) != 0)
        return -errno;
    child->park_fd = park[0];
    ends->park_fd = park[1];
    if (pipe2(go, O_CLOEXEC) != 0)
        return -errno;
    ends->go_fd = go[0];
    child->go_fd = go[1];
    if (pipe2(errors, O_CLOEXEC) != 0)
        return -errno;
    child->stderr_fd = errors[0];
    ends->stderr_fd = errors[1];
    fcntl(child->stderr_fd, F_SETFL, O_NONBLOCK);
    void *page =
        mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, ends->page_fd, 0);
    if (page == MAP_FAILED)
        return -errno;
    child->page = page;
    child->page->layout = PAGE_LAYOUT;
    return 0;
}

int spawn_child(struct spawned *child, char *const argv[], const struct environment *environment,
                const struct spawn_extras *extras)
{
    struct child_ends ends = {-1, -1, -1, -1, extras->pass_fd};
    struct spawned started = {
        .pid = -1, .pid_fd = -1, .park_fd = -1, .go_fd = -1, .stderr_fd = -1, .statm_fd = -1};
    int error = make_ends(&started, &ends);

    if (error)
        goto undo;
    pid_t parent = getpid();
    started.started_ns = clock_monotonic_ns();
    started.pid = fork();
    if (started.pid < 0) {
        error = -errno;
        goto undo;
    }
    if (started.pid == 0)
        become(argv, environment, &ends, parent, extras);
    setpgid(started.pid, started.pid); /* in both, so that neither waits for the other */
    close_ends(&ends);
    started.pid_fd = pidfd_open(started.pid, 0);
    started.statm_fd = started.pid_fd < 0 ? -errno : procfs_open_statm(started.pid);
    if (started.statm_fd < 0) {
        error = started.statm_fd;
        spawn_kill(&started);
        spawn_reap(&started);
        goto undo;
    }
    *child = started;
    return 0;

undo:
    close_ends(&ends);
    spawn_release(&started);
    return error;
}

void spawn_kill(const struct spawned *child)
{
    kill(-child->pid, SIGKILL);
    kill(child->pid, SIGKILL);
}

int spawn_reap(struct spawned *child)
{
    int status = 0;

    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return status;
}

void spawn_release(struct spawned *child)
{
    close_end(&child->pid_fd);
    close_end(&child->park_fd);
    close_end(&child->go_fd);
    close_end(&child->stderr_fd);
    close_end(&child->statm_fd);
    if (child->page)
        munmap(child->page, PAGE_BYTES);
    child->page = NULL;
}
