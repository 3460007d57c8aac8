/*
 * What /proc tells of a child: whether statm is exact while memory grows in known steps, whether
 * smaps_rollup and clear_refs may be used. Leaves out exec: a forked process that touches pages is
 * enough. Each sample has a smaller test of its own (child.c).
 */
#define _GNU_SOURCE
#include "harness/clock.h"
#include "harness/doctor.h"
#include "harness/procfs.h"
#include "harness/text.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEPS = 16, STEP_BYTES = 64 << 10, MAP_BYTES = (STEPS + 1) * STEP_BYTES };

/* A process that touches one step each time it is asked. */
struct toucher {
    pid_t pid;
    int socket_fd; /* a byte asks, a byte answers */
    char *map;     /* the same addresses in both */
};

/* Without a sanitizer's shadow memory, which would become resident too. */
__attribute__((no_sanitize("address"), no_sanitize("thread"))) static void
touch(char *from, size_t bytes, size_t page_bytes)
{
    for (size_t i = 0; i < bytes; i += page_bytes)
        *(volatile char *)(from + i) = 1;
}

_Noreturn static void touch_when_asked(char *map, int socket_fd, pid_t parent)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    char word;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    for (size_t at = 0; at < MAP_BYTES && read(socket_fd, &word, 1) == 1; at += STEP_BYTES) {
        touch(map + at, STEP_BYTES, page_bytes);
        if (send(socket_fd, &word, 1, MSG_NOSIGNAL) != 1)
            _exit(1);
    }
    _exit(read(socket_fd, &word, 1) == 0 ? 0 : 1); /* stays, to be looked at, until it is let go */
}

static int start_toucher(struct toucher *toucher)
{
    enum { OURS, ITS, ENDS };
    int ends[ENDS], error;
    pid_t parent = getpid();

    toucher->map =
        mmap(NULL, MAP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (toucher->map == MAP_FAILED)
        return -ENOMEM;
    /* A huge page would make one fault of many steps. */
    madvise(toucher->map, MAP_BYTES, MADV_NOHUGEPAGE);
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        error = -errno;
        goto unmap;
    }
    toucher->socket_fd = ends[OURS];
    toucher->pid = fork();
    if (toucher->pid == 0) {
        close(ends[OURS]);
        touch_when_asked(toucher->map, ends[ITS], parent);
    }
    error = toucher->pid < 0 ? -errno : 0;
    close(ends[ITS]);
    if (!error)
        return 0;
    close(ends[OURS]);

unmap:
    munmap(toucher->map, MAP_BYTES);
    return error;
}

static void end_toucher(struct toucher *toucher)
{
    close(toucher->socket_fd);
    while (waitpid(toucher->pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    munmap(toucher->map, MAP_BYTES);
}

/* Returns 0 when the step has been touched; -EIO when the child has ended. */
static int ask_step(const struct toucher *toucher)
{
    char word = 1;
    int answered = send(toucher->socket_fd, &word, 1, MSG_NOSIGNAL) == 1 &&
                   read(toucher->socket_fd, &word, 1) == 1;

    return answered ? 0 : -EIO;
}

/*
 * The largest difference over all steps between what was touched and what statm says, in pages. The
 * first step is the start: it brings in what the child itself needs to touch and to answer.
 */
static int measure_statm(const struct toucher *toucher, uint64_t *worst_pages)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
    uint64_t start_bytes = 0, worst_bytes = 0;
    int statm_fd = procfs_open_statm(toucher->pid);
    int error = statm_fd < 0 ? statm_fd : 0;

    for (uint64_t step = 0; step <= STEPS && !error; step++) {
        uint64_t rss_bytes = 0;
        error = ask_step(toucher);
        if (!error)
            error = procfs_read_statm(statm_fd, &rss_bytes);
        if (step == 0)
            start_bytes = rss_bytes;
        int64_t off = (int64_t)(rss_bytes - start_bytes) - (int64_t)(step * STEP_BYTES);
        uint64_t off_bytes = (uint64_t)(off < 0 ? -off : off);
        worst_bytes = off_bytes > worst_bytes ? off_bytes : worst_bytes;
    }
    if (statm_fd >= 0)
        close(statm_fd);
    if (!error)
        *worst_pages = worst_bytes / page_bytes;
    return error;
}

unsigned doctor_statm_bound_pages(unsigned major, unsigned minor, unsigned cpus)
{
    enum { THREAD_BATCH = 65, LEAST_BATCH = 32 };
    unsigned batch = 2 * cpus > LEAST_BATCH ? 2 * cpus : LEAST_BATCH;

    if (major < 6 || (major == 6 && minor < 2))
        return THREAD_BATCH;
    return batch * cpus;
}

static unsigned bound_here(void)
{
    struct utsname kernel;
    char *end;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    uname(&kernel);
    unsigned long major = strtoul(kernel.release, &end, 10);
    unsigned long minor = *end == '.' ? strtoul(end + 1, NULL, 10) : 0;
    if (major == 0)
        major = 7; /* a name without a number: the larger bound */
    return doctor_statm_bound_pages((unsigned)major, (unsigned)minor,
                                    cpus > 0 ? (unsigned)cpus : 1);
}

static void check_statm(struct doctor *doctor, const struct toucher *toucher)
{
    uint64_t worst_pages;
    char advice[DOCTOR_TEXT_BYTES];
    int error = measure_statm(toucher, &worst_pages);

    if (error) {
        doctor_add(doctor, DOCTOR_FAIL, "statm",
                   "No curve can be drawn without it: mount /proc so that a process sees its own "
                   "children.",
                   "/proc/PID/statm of a child cannot be read: %s", strerror(-error));
        return;
    }
    snprintf(advice, sizeof advice,
             "Read curves as exact to %llu pages; what stands at the ends of phases comes from "
             "smaps_rollup, which counts page by page.",
             (unsigned long long)worst_pages);
    doctor_add(doctor, worst_pages ? DOCTOR_WARN : DOCTOR_OK, "statm", advice,
               "largest error %llu pages over %d steps of %d KiB (bound: %u pages for one thread)",
               (unsigned long long)worst_pages, STEPS, STEP_BYTES / 1024, bound_here());
}

static void check_rollup(struct doctor *doctor, pid_t pid)
{
    struct memory_rollup rollup;
    char cost[TEXT_NUMBER_BYTES], bytes[TEXT_NUMBER_BYTES];
    uint64_t began_ns = clock_monotonic_ns();
    int rollup_error = procfs_read_rollup(pid, &rollup);
    uint64_t ended_ns = clock_monotonic_ns();
    int reset_error = procfs_reset_peak(pid);

    if (rollup_error || reset_error) {
        doctor_add(doctor, DOCTOR_FAIL, "rollup",
                   "Nothing can be measured without them: they need Linux 4.14 with "
                   "CONFIG_PROC_PAGE_MONITOR, and a /proc on which a process may write to the "
                   "files of its own children.",
                   "/proc/PID/%s of a child cannot be %s: %s",
                   rollup_error ? "smaps_rollup" : "clear_refs", rollup_error ? "read" : "written",
                   strerror(rollup_error ? -rollup_error : -reset_error));
        return;
    }
    doctor_add(doctor, DOCTOR_OK, "rollup", "",
               "smaps_rollup of a child with %s resident read in %s, clear_refs written",
               text_format_bytes(bytes, (double)rollup.rss_bytes),
               text_format_duration(cost, (double)(ended_ns - began_ns)));
}

int doctor_check_proc(struct doctor *doctor)
{
    struct toucher toucher = {.pid = -1, .socket_fd = -1};
    int error = start_toucher(&toucher);

    if (error) {
        doctor_add(doctor, DOCTOR_FAIL, "statm", "Raise the limits on processes and memory.",
                   "no child could be started to look at: %s", strerror(-error));
        doctor_add(doctor, DOCTOR_FAIL, "rollup", "Raise the limits on processes and memory.",
                   "no child could be started to look at: %s", strerror(-error));
        return 0;
    }
    check_statm(doctor, &toucher);
    check_rollup(doctor, toucher.pid);
    end_toucher(&toucher);
    return 0;
}
