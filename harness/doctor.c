/*
 * The list of checks and those that read a setting or a clock. Leaves out what needs a process of
 * its own (doctor_proc.c, doctor_programs.c) and the canary (doctor_canary.c).
 */
#define _GNU_SOURCE
#include "harness/doctor.h"

#include "harness/cgroup.h"
#include "harness/clock.h"
#include "harness/machine.h"
#include "harness/memory_parent.h"
#include "harness/procfs.h"
#include "harness/statistics.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void doctor_add(struct doctor *doctor, enum doctor_status status, const char *name,
                const char *advice, const char *format, ...)
{
    va_list values;

    if (doctor->count == DOCTOR_CHECKS || (status != DOCTOR_OK && !advice[0]))
        abort(); /* doctor.h: a bug */
    struct doctor_check *check = &doctor->checks[doctor->count++];
    *check = (struct doctor_check){.status = status};
    snprintf(check->name, sizeof check->name, "%s", name);
    va_start(values, format);
    vsnprintf(check->finding, sizeof check->finding, format, values);
    va_end(values);
    if (status != DOCTOR_OK)
        snprintf(check->advice, sizeof check->advice, "%s", advice);
}

const char *doctor_status_name(enum doctor_status status)
{
    static const char *const names[] = {"ok", "warn", "fail", "n/a"};

    return names[status];
}

size_t doctor_count(const struct doctor *doctor, enum doctor_status status)
{
    size_t count = 0;

    for (size_t i = 0; i < doctor->count; i++)
        count += doctor->checks[i].status == status;
    return count;
}

enum doctor_status doctor_judge_clock(const char *source, double read_ns)
{
    /* Those that the vdso reads without a system call. */
    static const char *const fast[] = {"tsc", "kvm-clock", "arch_sys_counter"};
    const double slow_read_ns = 100;

    if (read_ns > slow_read_ns)
        return DOCTOR_WARN;
    for (size_t i = 0; i < sizeof fast / sizeof fast[0]; i++) {
        if (strcmp(source, fast[i]) == 0)
            return DOCTOR_OK;
    }
    return DOCTOR_WARN;
}

struct doctor_spread doctor_spread(double *values, size_t count)
{
    struct median_interval middle = statistics_median(values, count);

    return (struct doctor_spread){.median = middle.median,
                                  .largest_ratio = values[count - 1] / middle.median};
}

/* The median over some batches: one of them may be interrupted. */
static double clock_read_ns(void)
{
    enum { BATCHES = 21, READS = 1000 };
    double cost_ns[BATCHES];

    for (size_t i = 0; i < BATCHES; i++) {
        uint64_t began_ns = clock_monotonic_ns();
        for (int j = 1; j < READS; j++)
            clock_monotonic_ns();
        cost_ns[i] = (double)(clock_monotonic_ns() - began_ns) / READS;
    }
    return statistics_median(cost_ns, BATCHES).median;
}

static void check_clock(struct doctor *doctor)
{
    char source[64] = "of unknown source";
    double read_ns = clock_read_ns();

    procfs_read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", source,
                     sizeof source);
    doctor_add(doctor, doctor_judge_clock(source, read_ns), "clock",
               "Each read disturbs what it times: choose tsc, kvm-clock or arch_sys_counter in "
               "/sys/devices/system/clocksource/clocksource0/current_clocksource where "
               "available_clocksource beside it has one, and compare long phases only.",
               "clocksource %s, %.0f ns for one read of CLOCK_MONOTONIC", source, read_ns);
}

static void *do_nothing(void *argument)
{
    return argument;
}

/* Asks as the sampler does (sampler.c): permission shows when the thread is created. */
static int try_fifo(void)
{
    struct sched_param priority = {.sched_priority = 1};
    pthread_attr_t attributes;
    pthread_t thread;

    pthread_attr_init(&attributes);
    pthread_attr_setinheritsched(&attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(&attributes, SCHED_FIFO);
    pthread_attr_setschedparam(&attributes, &priority);
    int error = pthread_create(&thread, &attributes, do_nothing, NULL);
    pthread_attr_destroy(&attributes);
    if (!error)
        pthread_join(thread, NULL);
    return -error;
}

static void check_priority(struct doctor *doctor)
{
    int error = try_fifo();

    doctor_add(doctor, error ? DOCTOR_WARN : DOCTOR_OK, "real-time priority",
               "Run as root or raise RLIMIT_RTPRIO to 1 (`rtprio` in /etc/security/limits.conf): "
               "without it some ticks come late. Their real times are stored either way.",
               "the sampler's thread %s SCHED_FIFO priority 1%s%s",
               error ? "is refused" : "is granted", error ? ": " : "",
               error ? strerror(-error) : "");
}

static void check_cores(struct doctor *doctor)
{
    cpu_set_t allowed;

    CPU_ZERO(&allowed);
    sched_getaffinity(0, sizeof allowed, &allowed);
    int usable = CPU_COUNT(&allowed);
    doctor_add(doctor, usable > 1 ? DOCTOR_OK : DOCTOR_WARN, "cores",
               "Give this process a second core (taskset, the container's cpuset): with one the "
               "sampler takes its time from the child, and nothing is pinned.",
               "%d of %ld online may be used", usable, sysconf(_SC_NPROCESSORS_ONLN));
}

static void check_huge_pages(struct doctor *doctor)
{
    const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
    char line[128], word[128];

    if (procfs_read_line(path, line, sizeof line) != 0) {
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "transparent huge pages",
                   "Nothing to do: every page is a small one.", "this kernel has none");
        return;
    }
    text_in_brackets(line, word, sizeof word);
    doctor_add(doctor, strcmp(word, "always") == 0 ? DOCTOR_WARN : DOCTOR_OK,
               "transparent huge pages",
               "One touched byte can make 2 MiB resident, and a freed piece of a huge page stays: "
               "write `madvise` to /sys/kernel/mm/transparent_hugepage/enabled, or compare only "
               "with runs under the same setting.",
               "set to %s", word);
}

static void check_overcommit(struct doctor *doctor)
{
    static const char *const meanings[] = {"0, by a heuristic", "1, always granted",
                                           "2, strictly counted"};
    char line[32];

    if (procfs_read_line("/proc/sys/vm/overcommit_memory", line, sizeof line) != 0 ||
        line[0] < '0' || line[0] > '2') {
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "overcommit",
                   "Mount /proc: the kernel's setting cannot be read.",
                   "vm.overcommit_memory is not known");
        return;
    }
    doctor_add(doctor, line[0] == '2' ? DOCTOR_WARN : DOCTOR_OK, "overcommit",
               "Allocators that reserve address space may be refused it: `sysctl "
               "vm.overcommit_memory=0`.",
               "vm.overcommit_memory is %s", meanings[line[0] - '0']);
}

static void check_cgroup(struct doctor *doctor)
{
    char bytes[TEXT_NUMBER_BYTES];
    uint64_t limit_bytes;
    int version = cgroup_memory_limit(&limit_bytes);

    if (version == 0)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "cgroup",
                   "Nothing to do: such a group is needed for the check below alone.",
                   "this process is in no group that counts memory");
    else if (limit_bytes == CGROUP_NO_LIMIT)
        doctor_add(doctor, DOCTOR_OK, "cgroup", "",
                   "version %d, no memory limit on this process's group", version);
    else
        doctor_add(doctor, DOCTOR_OK, "cgroup", "",
                   "version %d, memory limit %s on this process's group", version,
                   text_format_bytes(bytes, (double)limit_bytes));
}

/* Makes a group as a run does, puts a process into it and removes it. */
static void check_memory_limit(struct doctor *doctor)
{
    struct memory_parent parent;

    memory_parent_open(&parent);
    if (parent.version != 0)
        doctor_add(doctor, DOCTOR_OK, "memory limit", "",
                   "kept by the kernel: each sample gets a memory group in %.300s", parent.folder);
    else
        doctor_add(doctor, DOCTOR_WARN, "memory limit",
                   "Nothing to do where what is resident at a tick is limit enough. For the kernel "
                   "to keep it: with cgroup version 1 run as root; with version 2 start tidemark "
                   "alone in a group of its own, `systemd-run --user --scope -p Delegate=yes "
                   "build/tidemark run`; in a container let /sys/fs/cgroup be writable.",
                   "kept by the sampler: %s", parent.reason);
    memory_parent_close(&parent);
}

static void check_memory(struct doctor *doctor)
{
    /* More than thrice the largest peak of the quick suite in results/reference. */
    const uint64_t enough_bytes = UINT64_C(1) << 30;
    char bytes[TEXT_NUMBER_BYTES];
    uint64_t available = machine_available_bytes();

    doctor_add(doctor, available < enough_bytes ? DOCTOR_WARN : DOCTOR_OK, "memory",
               "End other programs or raise the container's limit, or measure with a smaller n: a "
               "child that does not fit is stopped.",
               "%s available", text_format_bytes(bytes, (double)available));
}

static void check_page_reporting(struct doctor *doctor)
{
    char line[32];
    int error = procfs_read_line("/sys/module/page_reporting/parameters/page_reporting_order", line,
                                 sizeof line);
    /* -1 until a device that reports has been found (mm/page_reporting.c). */
    unsigned long order = error ? 0 : strtoul(line, NULL, 10);

    if (error || order >= INT32_MAX)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "page reporting",
                   "Nothing to do: free pages are not given to a host.",
                   "this kernel reports no free pages");
    else
        doctor_add(doctor, DOCTOR_WARN, "page reporting",
                   "This guest may hand free memory to its host, and the first touch of a page "
                   "then costs more: keep working sets at or below 256 MB, and compare times "
                   "within one run.",
                   "free blocks of 2^%lu pages may be reported to the host", order);
}

int doctor_run(struct doctor *doctor)
{
    doctor->count = 0;
    check_clock(doctor);
    int error = doctor_check_proc(doctor);
    if (error)
        return error;
    check_priority(doctor);
    check_cores(doctor);
    check_huge_pages(doctor);
    check_overcommit(doctor);
    check_cgroup(doctor);
    check_memory_limit(doctor);
    check_memory(doctor);
    check_page_reporting(doctor);
    error = doctor_check_programs(doctor);
    return error ? error : doctor_check_canary(doctor);
}
