/*
 * What of the method holds on this machine, as a list of checks, each with what to do when it does
 * not. Leaves out printing (harness/cli_doctor.c) and repair: a check leaves the machine as
 * it was. The judgements that need no machine are exported, so that tests hold them to exact
 * answers.
 */
#ifndef TIDEMARK_HARNESS_DOCTOR_H
#define TIDEMARK_HARNESS_DOCTOR_H

#include <stddef.h>

enum doctor_status {
    DOCTOR_OK,
    DOCTOR_WARN,          /* figures can be had; they are less exact, or fewer */
    DOCTOR_FAIL,          /* figures cannot be had */
    DOCTOR_NOT_AVAILABLE, /* the machine has no such thing, and most rows do without it */
};

enum { DOCTOR_NAME_BYTES = 40, DOCTOR_TEXT_BYTES = 512, DOCTOR_CHECKS = 64 };

struct doctor_check {
    char name[DOCTOR_NAME_BYTES];
    enum doctor_status status;
    char finding[DOCTOR_TEXT_BYTES]; /* a sentence with the figure */
    char advice[DOCTOR_TEXT_BYTES];  /* empty exactly when ok */
};

struct doctor {
    struct doctor_check checks[DOCTOR_CHECKS];
    size_t count;
};

/*
 * Fills `doctor` with every check, in the order in which they are read. Takes about two seconds:
 * 1.5 s of canary, short processes that open the libraries, interpreters that import matplotlib.
 * Returns 0, or -EINTR when a signal came meanwhile. One at a time.
 */
int doctor_run(struct doctor *doctor);

/*
 * Adds one check, whose finding is `format` with what follows. `advice` is kept unless the status
 * is DOCTOR_OK. Longer text is cut. More than DOCTOR_CHECKS checks, or no advice where one is due,
 * is a bug.
 */
__attribute__((format(printf, 5, 6))) void doctor_add(struct doctor *doctor,
                                                      enum doctor_status status, const char *name,
                                                      const char *advice, const char *format, ...);

/* "ok", "warn", "fail" or "n/a". Thread-safe. */
const char *doctor_status_name(enum doctor_status status);

/* How many checks have that status. */
size_t doctor_count(const struct doctor *doctor, enum doctor_status status);

/* Groups of checks, each in its own file; every one adds its checks and returns 0 or -EINTR. */
int doctor_check_proc(struct doctor *doctor);     /* doctor_proc.c: statm, smaps_rollup */
int doctor_check_programs(struct doctor *doctor); /* doctor_programs.c: libraries, interpreters */
int doctor_check_canary(struct doctor *doctor);   /* doctor_canary.c: steadiness */

/* DOCTOR_WARN for a source that costs a system call, or for a read above 100 ns. Thread-safe. */
enum doctor_status doctor_judge_clock(const char *source, double read_ns);

/*
 * How many pages /proc/PID/statm of a process with one thread may lag by on this release of Linux:
 * before 6.2 a thread's batch of 65 faults (TASK_RSS_EVENTS_THRESH, mm/memory.c), since then less
 * than max(32, 2 * cpus) for each CPU that it ran on (lib/percpu_counter.c). Later kernels sum what
 * the CPUs hold, and are exact: hence a bound, beside which the error is measured. Thread-safe.
 */
unsigned doctor_statm_bound_pages(unsigned major, unsigned minor, unsigned cpus);

struct doctor_spread {
    double median, largest_ratio; /* largest / median */
};

/* Sorts `values`, which are above 0; `count` is at least 1. */
struct doctor_spread doctor_spread(double *values, size_t count);

#endif
