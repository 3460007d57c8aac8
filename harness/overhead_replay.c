/*
 * Two samples as those of any run, without a run: see overhead_replay.h. Leaves out other rows.
 */
#define _GNU_SOURCE
#include "harness/overhead_replay.h"

#include "harness/clock.h"
#include "harness/interrupts.h"
#include "harness/machine.h"
#include "harness/plan.h"
#include "harness/sample.h"
#include "harness/trace_files.h"
#include "workloads/flat_example.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    WORD_BYTES = 128,
    WANTED_OPERATIONS = 10000000, /* 0.1 s of them at the speed that is aimed at */
    MOST_REPEATS = 1000000,
    LEAST_BYTES = 1 << 20, /* below, the pages of a process differ by as much from run to run */
};

struct replaying {
    struct plan plan; /* cell 0: the trace, cell 1: the example */
    struct sampler sampler;
    struct sample sample;
    char *error;
};

static int refuse(const struct replaying *replaying, int failed, const char *what)
{
    snprintf(replaying->error, OVERHEAD_ERROR_BYTES, "the replay on null: %.450s", what);
    return failed;
}

static int add_cell(struct replaying *replaying, const char *workload)
{
    static const char *const rows[] = {"null"};
    char error[PLAN_ERROR_BYTES];
    const struct plan_request request = {
        .workload = workload, .rows = rows, .row_count = 1, .host = "objects", .rounds = 1};
    const int failed = plan_add(&replaying->plan, &request, error);

    return failed ? refuse(replaying, failed, error) : 0;
}

static int make_plan(struct replaying *replaying, int trace_fd, double events)
{
    char word[WORD_BYTES], error[TRACE_FILES_ERROR_BYTES];
    const double repeats = events > 0 ? WANTED_OPERATIONS / events + 1 : 1;

    replaying->plan.tick_ns = CLOCK_SECOND_NS;
    replaying->plan.timeout_ns = 600ull * CLOCK_SECOND_NS;
    replaying->plan.memory_limit_bytes = machine_available_bytes() / 5 * 4;
    /* A name in which nothing has to be escaped. */
    snprintf(word, sizeof word, "trace:file=/proc/%d/fd/%d,repeat=%u", (int)getpid(), trace_fd,
             repeats < MOST_REPEATS ? (unsigned)repeats : MOST_REPEATS);
    int failed = add_cell(replaying, word);
    if (!failed)
        failed = add_cell(replaying, "trace:file=" FLAT_EXAMPLE);
    if (failed)
        return failed;
    failed = trace_files_prepare(&replaying->plan, error);
    return failed ? refuse(replaying, failed, error) : 0;
}

static int run_cell(struct replaying *replaying, const struct sample_settings *settings,
                    size_t cell)
{
    struct sample *sample = &replaying->sample;
    const int failed = sample_run(settings, &replaying->plan.cells[cell], 0, sample);

    if (failed)
        return refuse(replaying, failed, strerror(-failed));
    if (sample->status == SAMPLE_INTERRUPTED)
        return refuse(replaying, -EINTR, "interrupted");
    return sample->status == SAMPLE_OK ? 0 : refuse(replaying, -EIO, sample->reason);
}

static int run(struct replaying *replaying, const struct program_paths *paths,
               struct overhead_replay *found)
{
    struct sample_settings settings = {.plan = &replaying->plan,
                                       .sampler = &replaying->sampler,
                                       .paths = paths,
                                       .interrupted = interrupts_noted()};
    const struct sample *sample = &replaying->sample;

    machine_choose_cpus(&settings.child_cpu, &settings.sampler_cpu);
    int failed = run_cell(replaying, &settings, 0);
    if (failed)
        return failed;
    const struct page_phase *stamps = &sample->phases[0].stamps;
    const double operations = (double)stamps->operations;
    const uint64_t held_bytes = sample->baseline.rss_bytes;
    found->million_per_second = operations * 1e3 / (double)(stamps->end_ns - stamps->begin_ns);
    failed = run_cell(replaying, &settings, 1);
    if (failed)
        return failed;
    const uint64_t own_bytes = sample->baseline.rss_bytes;
    const double once = (double)trace_files_operations(replaying->plan.traces);
    found->operation_bytes =
        held_bytes >= own_bytes + LEAST_BYTES ? (double)(held_bytes - own_bytes) / once : 0;
    return 0;
}

int overhead_replay_measure(const char *trace, double events, const struct program_paths *paths,
                            struct overhead_replay *found, char *error)
{
    static struct replaying replaying; /* too large for a stack */

    memset(&replaying, 0, sizeof replaying);
    replaying.error = error;
    if (sampler_init(&replaying.sampler) != 0)
        return refuse(&replaying, -ENOMEM, "not enough memory for the sampler's ring");
    const int trace_fd = open(trace, O_RDONLY | O_CLOEXEC);
    int failed = trace_fd < 0 ? refuse(&replaying, -errno, strerror(errno))
                              : make_plan(&replaying, trace_fd, events);
    if (!failed)
        failed = run(&replaying, paths, found);
    if (trace_fd >= 0)
        close(trace_fd);
    plan_free(&replaying.plan);
    sampler_destroy(&replaying.sampler);
    return failed;
}
