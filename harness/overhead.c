/*
 * The harness measured with its own parts: the row `null` for a call, pairs of samples with and
 * without the sampler, parks for a phase boundary. Leaves out significance: the interval is that of
 * the rounds that were asked for.
 */
#define _GNU_SOURCE
#include "harness/overhead.h"

#include "harness/clock.h"
#include "harness/interrupts.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/overhead_figure.h"
#include "harness/overhead_ledger.h"
#include "harness/overhead_snapshot.h"
#include "harness/pass.h"
#include "harness/plan.h"
#include "harness/process.h"
#include "harness/procfs.h"
#include "harness/progress.h"
#include "harness/sample.h"
#include "harness/statistics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { BLOCK_BYTES = 1000, SMALL_BLOCKS = 1000, MOST_ROUNDS = 1000, DISPATCH_REPETITIONS = 9 };

static const uint64_t sampled_tick_ns = 1000000;
static const uint64_t unsampled_tick_ns = CLOCK_SECOND_NS; /* the rarest that there is */

/* What is collected, a value a round. */
enum figure {
    LOOP,
    DIRECT,
    THROUGH,
    DISPATCH,
    SLOWDOWN,
    PARENT_CPU,
    PARK_LARGE,
    PARK_SMALL,
    RECORDED_PAIR,
    PRELOADED_PAIR,
    RECORDED_OBJECTS,
    PRELOADED_OBJECTS,
    RECORDED_MALLOCS,
    PRELOADED_MALLOCS,
    PLAIN_CALL,
    WATCHED_CALL,
    TOLD_CALL,
    TIMED_CALL,
    TIMED_EMPTY,
    TIMED_CLOCK,
    FIGURES
};

static const struct overhead_figure figures[FIGURES] = {
    [LOOP] = {"loop",
              "the loop of pair/size:64 in `tidemark micro` by itself: count and write a word",
              "ns", 0, 0},
    [DIRECT] = {"pair_direct", "with a malloc and a free that do nothing (`null`), called by name",
                "ns", 0, 0},
    [THROUGH] = {"pair", "with the same two called through pointers: `tidemark micro -a null`",
                 "ns", 0, 0},
    [DISPATCH] = {"dispatch", "what the pointers add: pair less pair_direct, in one process", "ns",
                  2, 0},
    [SLOWDOWN] = {"sampling",
                  "time of a child sampled each millisecond over one sampled each second, less one",
                  "%", 1, 0},
    [PARENT_CPU] = {"parent_cpu", "the harness's processor time for a second of a sampled child",
                    "%", 0, 0},
    [PARK_LARGE] = {"phase_boundary", "wait at a phase's end at that size, cut from every time",
                    "us", 0, 0},
    [PARK_SMALL] = {"phase_boundary_small", "the same of a child of some megabytes", "us", 0, 0},
    [RECORDED_PAIR] = {"snapshot_pair", "a malloc and a free of `tidemark snapshot -w`", "ns", 0,
                       0},
    [PRELOADED_PAIR] = {"snapshot_pair_preload", "the same of `tidemark snapshot -- COMMAND`", "ns",
                        0, 0},
    [RECORDED_OBJECTS] = {"snapshot_objects",
                          "time of objects made, filled and dropped, recorded over not (waste)",
                          "x", 3, 0},
    [PRELOADED_OBJECTS] = {"snapshot_objects_preload", "the same, preloaded", "x", 3, 0},
    [RECORDED_MALLOCS] = {"snapshot_mallocs",
                          "of a program that is hardly more than malloc (list_lifetime)", "x", 0,
                          0},
    [PRELOADED_MALLOCS] = {"snapshot_mallocs_preload", "the same, preloaded", "x", 0, 0},
    [PLAIN_CALL] = {"syscall", "a system call that does nothing: madvise of no bytes", "ns", 0, 0},
    [WATCHED_CALL] = {"syscall_watched", "the same in a child of --passes ledger", "ns", 0, 0},
    [TOLD_CALL] = {"syscall_told", "what the ledger tells as its time", "ns", 0, 0},
    [TIMED_CALL] = {"latency_call",
                    "what timing adds to each malloc and free of a small child (--passes latency)",
                    "ns", 0, 0},
    [TIMED_EMPTY] = {"latency_empty", "the same of a malloc that does nothing, in a loop", "ns", 0,
                     0},
    [TIMED_CLOCK] = {"latency_clock", "of it within what is told as a call's time: the clock", "ns",
                     0, 0},
};

struct measurement {
    const struct overhead_options *options;
    const struct program_paths *paths;
    struct plan plan; /* cell 0: the large child, cell 1: the small one */
    struct sampler sampler;
    struct sample_settings settings;
    struct sample sample;
    struct progress progress;
    double values[FIGURES][MOST_ROUNDS];
    size_t counts[FIGURES];
    size_t done_counts[FIGURES]; /* of rounds that came to their end */
    unsigned rounds_done;
    char *error;
};

static void add(struct measurement *measurement, enum figure figure, double value)
{
    measurement->values[figure][measurement->counts[figure]++] = value;
}

/* Nanoseconds of `name`: the median of its repetitions in one process. Returns 0 or -EIO. */
static int median_ns(const json_t *result, const char *name, double *ns)
{
    double values[DISPATCH_REPETITIONS];
    size_t count = 0, i;
    const json_t *entry;

    json_array_foreach(json_object_get(result, "benchmarks"), i, entry)
    {
        double per_second = json_number_value(json_object_get(entry, "items_per_second"));
        if (strcmp(json_text(entry, "run_type"), "iteration") == 0 &&
            strcmp(json_text(entry, "run_name"), name) == 0 && per_second > 0 &&
            count < DISPATCH_REPETITIONS)
            values[count++] = 1e9 / per_second;
    }
    if (count < DISPATCH_REPETITIONS)
        return -EIO;
    *ns = statistics_median(values, count).median;
    return 0;
}

static int add_dispatch(struct measurement *measurement, const json_t *result)
{
    double loop_ns, direct_ns, through_ns;

    if (median_ns(result, "loop/size:64", &loop_ns) != 0 ||
        median_ns(result, "direct/size:64", &direct_ns) != 0 ||
        median_ns(result, "pair/size:64", &through_ns) != 0) {
        snprintf(measurement->error, OVERHEAD_ERROR_BYTES,
                 "tidemark-micro gave no figure for loop, direct or pair");
        return -EIO;
    }
    add(measurement, LOOP, loop_ns);
    add(measurement, DIRECT, direct_ns);
    add(measurement, THROUGH, through_ns);
    add(measurement, DISPATCH, through_ns - direct_ns);
    return 0;
}

/*
 * A pair on `null`, taken apart by Google Benchmark. The three are interleaved at random in one
 * process, so that drift falls on all alike; the difference is taken within it.
 */
static int measure_dispatch(struct measurement *measurement)
{
    static char output[65536], errors[4096], repetitions[64];
    const char *const argv[] = {measurement->paths->micro,
                                "--object",
                                "null",
                                "--dispatch",
                                "--benchmark_enable_random_interleaving=true",
                                repetitions,
                                "--benchmark_min_time=0.01",
                                "--benchmark_format=json",
                                NULL};
    struct process_request request = {.argv = argv,
                                      .output = output,
                                      .output_bytes = sizeof output,
                                      .errors = errors,
                                      .errors_bytes = sizeof errors};
    int status = 0;

    snprintf(repetitions, sizeof repetitions, "--benchmark_repetitions=%d", DISPATCH_REPETITIONS);
    int failed = process_run(&request, &status);
    if (failed || status != 0) {
        snprintf(measurement->error, OVERHEAD_ERROR_BYTES,
                 "tidemark-micro did not measure the row null");
        return failed ? failed : -EIO;
    }
    json_t *result = json_loads(output, 0, NULL);
    failed = add_dispatch(measurement, result);
    json_decref(result);
    return failed;
}

static int run_child(struct measurement *measurement, size_t cell, uint64_t tick_ns, uint64_t seed)
{
    struct sample *sample = &measurement->sample;

    measurement->plan.tick_ns = tick_ns;
    int failed = sample_run(&measurement->settings, &measurement->plan.cells[cell], seed, sample);
    if (failed)
        snprintf(measurement->error, OVERHEAD_ERROR_BYTES, "cannot start a child: %s",
                 strerror(-failed));
    else if (sample->status != SAMPLE_OK)
        snprintf(measurement->error, OVERHEAD_ERROR_BYTES, "a child ended with %s: %.400s",
                 sample_status_name(sample->status), sample->reason);
    return failed ? failed : sample->status == SAMPLE_OK ? 0 : -EIO;
}

/* The phase that is compared: the live set stands, and no page is touched for the first time. */
static const struct sample_phase *work_phase(const struct sample *sample)
{
    return &sample->phases[1];
}

static double work_ns(const struct sample *sample)
{
    const struct page_phase *stamps = &work_phase(sample)->stamps;

    return (double)(stamps->end_ns - stamps->begin_ns);
}

static double own_cpu_seconds(void)
{
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static int run_sampled(struct measurement *measurement, uint64_t seed, double *ns)
{
    double cpu = own_cpu_seconds();
    uint64_t began_ns = clock_monotonic_ns();
    int failed = run_child(measurement, 0, sampled_tick_ns, seed);

    if (failed)
        return failed;
    add(measurement, PARENT_CPU, 100 * (own_cpu_seconds() - cpu) / clock_seconds_since(began_ns));
    add(measurement, PARK_LARGE, (double)work_phase(&measurement->sample)->park_ns / 1e3);
    *ns = work_ns(&measurement->sample);
    return 0;
}

static int run_unsampled(struct measurement *measurement, uint64_t seed, double *ns)
{
    int failed = run_child(measurement, 0, unsampled_tick_ns, seed);

    if (!failed)
        *ns = work_ns(&measurement->sample);
    return failed;
}

static int run_snapshots(struct measurement *measurement)
{
    struct overhead_snapshot found;
    int failed = overhead_snapshot_measure(measurement->paths, &found, measurement->error);

    if (failed)
        return failed;
    add(measurement, RECORDED_PAIR, found.workload_pair_ns);
    add(measurement, PRELOADED_PAIR, found.program_pair_ns);
    add(measurement, RECORDED_OBJECTS, found.workload_ratio);
    add(measurement, PRELOADED_OBJECTS, found.program_ratio);
    add(measurement, RECORDED_MALLOCS, found.workload_malloc_ratio);
    add(measurement, PRELOADED_MALLOCS, found.program_malloc_ratio);
    return 0;
}

/* A machine where no process can be watched has no such figures. */
static void run_ledger(struct measurement *measurement)
{
    struct overhead_ledger found;
    char reason[LEDGER_REASON_BYTES];

    if (overhead_ledger_measure(&found, reason) != 0)
        return;
    add(measurement, PLAIN_CALL, found.plain_ns);
    add(measurement, WATCHED_CALL, (double)found.watched.trapped_call_ns);
    add(measurement, TOLD_CALL, (double)found.watched.empty_call_ns);
}

/* Of clock, of the latency pass. */
static double clock_ns_of(const json_t *latency, const char *part, const char *key)
{
    const json_t *clock = json_object_get(latency, "clock");

    return json_number_value(json_object_get(part ? json_object_get(clock, part) : clock, key));
}

/* The small child by itself, and again with each of its calls timed. */
static int run_small(struct measurement *measurement, uint64_t seed)
{
    struct sample *sample = &measurement->sample;
    char why[PASS_REASON_BYTES];
    json_t *latency = NULL;
    int failed = run_child(measurement, 1, sampled_tick_ns, seed);

    if (failed)
        return failed;
    const double plain_ns = work_ns(sample);
    add(measurement, PARK_SMALL, (double)work_phase(sample)->park_ns / 1e3);
    failed = pass_look(&latency_pass, &measurement->settings, 1, sample, &latency, why);
    if (failed) {
        snprintf(measurement->error, OVERHEAD_ERROR_BYTES, "a child whose calls are timed: %.400s",
                 failed == -EINTR ? "it was interrupted" : why);
        return failed;
    }
    add(measurement, TIMED_CALL,
        (work_ns(sample) - plain_ns) / (double)work_phase(sample)->stamps.operations);
    add(measurement, TIMED_EMPTY, clock_ns_of(latency, NULL, "call_cost_ns"));
    add(measurement, TIMED_CLOCK, clock_ns_of(latency, "own", "p50_ns"));
    json_decref(latency);
    return 0;
}

/* One pair, its two in turns first, so that drift falls on both alike. */
static int run_round(struct measurement *measurement, unsigned round)
{
    double sampled, unsampled;
    int failed = measure_dispatch(measurement);

    if (!failed && round % 2 == 0)
        failed = run_sampled(measurement, round, &sampled);
    if (!failed)
        failed = run_unsampled(measurement, round, &unsampled);
    if (!failed && round % 2 == 1)
        failed = run_sampled(measurement, round, &sampled);
    if (failed)
        return failed;
    add(measurement, SLOWDOWN, 100 * (sampled / unsampled - 1));
    failed = run_small(measurement, round);
    if (!failed)
        run_ledger(measurement);
    return failed ? failed : run_snapshots(measurement);
}

static int make_plan(struct measurement *measurement)
{
    static const char *const rows[] = {"glibc"};
    char workload[128], error[PLAN_ERROR_BYTES];
    struct plan_request request = {
        .workload = workload, .rows = rows, .row_count = 1, .host = "objects", .rounds = 1};
    const unsigned long long blocks[] = {measurement->options->resident_bytes / BLOCK_BYTES,
                                         SMALL_BLOCKS};

    measurement->plan.timeout_ns = 600ull * CLOCK_SECOND_NS;
    measurement->plan.memory_limit_bytes = machine_available_bytes() / 5 * 4;
    for (size_t i = 0; i < sizeof blocks / sizeof blocks[0]; i++) {
        snprintf(workload, sizeof workload, "steady:n=%llu,size=%d,replaced=5M", blocks[i],
                 BLOCK_BYTES);
        int failed = plan_add(&measurement->plan, &request, error);
        if (failed) {
            snprintf(measurement->error, OVERHEAD_ERROR_BYTES, "%.500s", error);
            return failed;
        }
    }
    return 0;
}

static json_t *own_memory(void)
{
    struct memory_status status;

    if (procfs_read_status(getpid(), &status) != 0)
        return json_null();
    return json_pack("{s:s, s:s, s:s, s:f, s:i, s:n, s:n, s:n, s:b}", "name", "parent_memory",
                     "summary", "the harness's own high-water mark, the sampler's ring included",
                     "unit", "MB", "median", (double)status.peak_bytes / 1e6, "n", 1, "low", "high",
                     "aim", "aim_is_least", 0);
}

static int measure_rounds(struct measurement *measurement)
{
    unsigned rounds = measurement->options->rounds;
    uint64_t began_ns = clock_monotonic_ns();
    int failed = 0;

    progress_init(&measurement->progress, rounds);
    for (unsigned round = 0; round < rounds && !failed; round++) {
        measurement->progress.left_seconds =
            round ? clock_seconds_since(began_ns) / round * (rounds - round) : 5.0 * rounds;
        progress_show(&measurement->progress, "a pair of children, with and without the sampler");
        failed = run_round(measurement, round);
        if (*interrupts_noted())
            break;
        memcpy(measurement->done_counts, measurement->counts, sizeof measurement->counts);
        measurement->rounds_done += !failed;
        measurement->progress.done++;
    }
    progress_end(&measurement->progress);
    return *interrupts_noted() ? 0 : failed;
}

static json_t *to_json(struct measurement *measurement)
{
    json_t *all = json_array();

    for (int figure = 0; figure < FIGURES; figure++) {
        if (measurement->done_counts[figure] > 0)
            json_array_append_new(all, overhead_figure_to_json(&figures[figure],
                                                               measurement->values[figure],
                                                               measurement->done_counts[figure]));
    }
    json_array_append_new(all, own_memory());
    return all;
}

json_t *overhead_measure(const struct overhead_options *options, const struct program_paths *paths,
                         unsigned *rounds_done, char *error)
{
    static struct measurement measurement; /* too large for a stack */
    json_t *all = NULL;

    memset(&measurement, 0, sizeof measurement);
    measurement.options = options;
    measurement.paths = paths;
    measurement.error = error;
    if (options->rounds > MOST_ROUNDS || sampler_init(&measurement.sampler) != 0) {
        snprintf(error, OVERHEAD_ERROR_BYTES, "not enough memory for the sampler's ring");
        return NULL;
    }
    measurement.settings = (struct sample_settings){.plan = &measurement.plan,
                                                    .sampler = &measurement.sampler,
                                                    .paths = paths,
                                                    .interrupted = interrupts_noted()};
    machine_choose_cpus(&measurement.settings.child_cpu, &measurement.settings.sampler_cpu);
    if (make_plan(&measurement) == 0 && measure_rounds(&measurement) == 0 &&
        measurement.rounds_done > 0)
        all = to_json(&measurement);
    *rounds_done = measurement.rounds_done;
    plan_free(&measurement.plan);
    sampler_destroy(&measurement.sampler);
    return all;
}
