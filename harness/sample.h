/*
 * One sample: one run of one cell in one fresh process, from spawn to the figures of its end.
 * Leaves out files (harness/run_folder.h) and repetition (harness/runner.h).
 */
#ifndef TIDEMARK_HARNESS_SAMPLE_H
#define TIDEMARK_HARNESS_SAMPLE_H

#include "harness/command.h"
#include "harness/memory_parent.h"
#include "harness/moments.h"
#include "harness/page.h"
#include "harness/plan.h"
#include "harness/procfs.h"
#include "harness/sampler.h"

#include <signal.h>

struct attendance; /* harness/meeting.h */
struct pass;       /* harness/pass.h */

enum sample_status {
    SAMPLE_OK,
    SAMPLE_NOT_AVAILABLE, /* something is missing on this machine */
    SAMPLE_EXIT,          /* ended by itself, without finishing */
    SAMPLE_SIGNAL,
    SAMPLE_TIMEOUT,
    SAMPLE_OOM,         /* above the memory limit, or killed by the kernel for memory */
    SAMPLE_INTERRUPTED, /* the run was stopped: not a result, never stored */
};

/* Who keeps the memory limit, and so what it limits (docs/method.md). */
enum sample_limiter {
    SAMPLE_LIMITED_BY_SAMPLER, /* the child's resident memory */
    SAMPLE_LIMITED_BY_CGROUP,  /* all that the kernel charges to a group of its own */
};

/* Whose processor time, faults and switches are known. */
enum sample_usage {
    SAMPLE_USAGE_OF_PHASES,
    SAMPLE_USAGE_OF_ALL,  /* of a program: when it has ended, and of all its processes together */
    SAMPLE_USAGE_OF_NONE, /* of a program with a driver, which cannot be told apart */
};

enum { SAMPLE_REASON_BYTES = 768, SAMPLE_STDERR_BYTES = 4096 };

/* A phase: what the child stamped, and what the parent read while it was parked. */
struct sample_phase {
    struct page_phase stamps;
    struct memory_rollup rollup;
    struct memory_status status;
    uint64_t charge_bytes; /* to the sample's memory group; SAMPLE_NO_CHARGE where it has none */
    uint64_t park_ns;
};

#define SAMPLE_NO_CHARGE UINT64_MAX

struct sample {
    enum sample_status status;
    char reason[SAMPLE_REASON_BYTES]; /* empty when ok */
    enum sample_limiter limited_by;
    int left_behind; /* 1: it has a process that could not be killed in five seconds */
    char version[ALLOCATOR_TEXT_BYTES];
    char object_provider[ALLOCATOR_TEXT_BYTES];
    char raw_provider[ALLOCATOR_TEXT_BYTES];
    unsigned pad_bytes;
    int cpu;                   /* -1: not pinned */
    int64_t statm_error_bytes; /* INT64_MIN: not measured */
    uint64_t baseline_ns;      /* CLOCK_MONOTONIC where the curve begins; 0: it was never reached */
    struct memory_rollup baseline;
    enum sample_usage usage;
    uint64_t peak_floor_bytes; /* of a program: what one process of it has had; 0: not known */
    size_t phase_count;
    struct sample_phase phases[PAGE_PHASES];
    struct moments moments;
    int counts_operations; /* 0 for a real CPython, which counts none */
    uint64_t operations, checksum;
    int has_exit_status; /* 1: a program has run to its end */
    unsigned exit_status;
    const struct tick *ticks; /* the sampler's, until its next start */
    size_t tick_count, late_ticks;
    uint64_t tick_ns; /* as used: the asked one, or a multiple after thinning */
};

/*
 * Somebody who looks at a sample while it runs. `look` is called by the thread that serves the
 * child, between two of its waits, some `every_ns` after it was last; `sampler` is NULL before the
 * baseline. What it does delays a park that the child comes to meanwhile.
 */
struct sample_watcher {
    void (*look)(struct sample_watcher *watcher, const struct sampler *sampler);
    uint64_t every_ns;
};

/* What stays the same from sample to sample. */
struct sample_settings {
    const struct plan *plan;
    struct sampler *sampler;
    const struct program_paths *paths;
    struct memory_parent *memory_parent; /* NULL, or one that can make no group: the sampler keeps
                                            the memory limit */
    int child_cpu, sampler_cpu;          /* -1: not pinned */
    const volatile sig_atomic_t *interrupted;
    const struct pass *pass;        /* NULL, or what the child, of the objects host, is for */
    int pass_fd;                    /* the child of a pass writes there */
    struct sample_watcher *watcher; /* NULL: nobody looks */
    unsigned sharers; /* samples on the child's processor at once; the time limit is theirs */
    struct attendance *attendance; /* of their meeting, at the baseline; NULL: there is one alone */
};

/*
 * Runs the cell once and fills `sample`. The time limit is the plan's for each that shares the
 * processor, with the cell's idle time on top. A child that fails is a status with a reason, not an
 * error; returns a negative errno only when no child could be started at all. `seed` chooses the
 * padding. Takes as long as the child, at most that limit.
 */
int sample_run(const struct sample_settings *settings, const struct cell *cell, uint64_t seed,
               struct sample *sample);

/* 1 for a phase of the workload's own; 0 for `idle`, `purge`, `pressure` and `rebuild`, which the
 * harness adds. Thread-safe. */
int sample_is_own_phase(const struct sample_phase *phase);

/* 1 for the phase that runs the workload once more: no figure of the first time looks at it or past
 * it. Thread-safe. */
int sample_is_rebuild(const struct sample_phase *phase);

/* "ok", "n/a", "exit", "signal", "timeout", "oom" or "interrupted". Thread-safe. */
const char *sample_status_name(enum sample_status status);

/* "sampler" or "cgroup". Thread-safe. */
const char *sample_limiter_name(enum sample_limiter limiter);

#endif
