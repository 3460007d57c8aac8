/*
 * The loop over rounds. Leaves out retries: every sample that was taken is kept.
 */
#define _GNU_SOURCE
#include "harness/runner.h"

#include "harness/clock.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/progress.h"
#include "harness/record.h"
#include "harness/run_folder.h"
#include "harness/sample.h"
#include "harness/summary.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Ctrl-C, a polite kill, and the terminal that went away: what was measured is kept. */
static const int interrupts[] = {SIGINT, SIGTERM, SIGHUP};
enum { INTERRUPTS = sizeof interrupts / sizeof interrupts[0] };

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

/* No SA_RESTART: poll returns at once, and so does the run. */
static void catch_interrupts(struct sigaction old[])
{
    struct sigaction action = {.sa_handler = on_interrupt};

    interrupted = 0;
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaction(interrupts[i], &action, &old[i]);
    signal(SIGPIPE, SIG_IGN); /* a child that is gone shows as EPIPE */
}

struct cell_progress {
    double seconds; /* that its last sample took; 0: not yet run */
    unsigned runs_left;
    unsigned limits_hit; /* samples that ran into a limit */
    int given_up;        /* no further sample is taken */
};

struct run {
    const struct plan *plan;
    struct run_folder folder;
    struct sample_settings settings;
    struct sampler sampler;
    json_t *machine;
    struct progress progress;
    struct sample sample;
    struct cell_progress *cells; /* in the order of the plan's */
    size_t stored;
    int failures;
    char *error;
};

/* A cell that has not run yet is guessed at a second beyond its idle time. */
static double seconds_left(const struct run *run)
{
    double left = 0;

    for (size_t i = 0; i < run->plan->cell_count; i++) {
        const struct cell_progress *cell = &run->cells[i];
        double each =
            cell->seconds > 0 ? cell->seconds : 1 + (double)run->plan->cells[i].idle_ns / 1e9;
        left += cell->given_up ? 0 : each * cell->runs_left;
    }
    return left;
}

static void name_sample(const struct cell *cell, unsigned round, char *text, size_t text_bytes)
{
    char parameters[128];

    snprintf(text, text_bytes, "round %u, %s:%s on %.100s%s%.100s", round + 1, cell->workload->name,
             cell_format_parameters(cell, parameters, sizeof parameters), cell->row.text,
             host_is_objects(&cell->host) ? "" : ", ",
             host_is_objects(&cell->host) ? "" : cell->host.text);
}

/* What only a sample can tell goes to machine.json: versions loaded, how the sampler was scheduled.
 */
static void learn_from(struct run *run, const struct cell *cell)
{
    json_t *libraries = json_object_get(run->machine, "libraries");

    if (run->sample.version[0] && host_is_objects(&cell->host))
        json_object_set_new(libraries, cell->row.text, json_string(run->sample.version));
    json_object_set_new(run->machine, "sampler",
                        json_string(run->sampler.is_fifo ? "fifo" : "other"));
}

static int store(struct run *run, size_t index, unsigned round, const char *started)
{
    json_t *record = record_sample(&run->sample, run->stored, index, round, started);
    int failed = run_folder_append(&run->folder, record, run->stored, run->sample.ticks,
                                   run->sample.tick_count);

    json_decref(record);
    if (failed) {
        snprintf(run->error, RUNNER_ERROR_BYTES,
                 "cannot store sample %zu in %.1000s: %s; the samples before it are intact",
                 run->stored, run->folder.path, strerror(-failed));
        return failed;
    }
    run->stored++;
    return 0;
}

static void report(struct run *run, const char *name)
{
    char message[1536];

    snprintf(message, sizeof message, "%s: %s: %s", sample_status_name(run->sample.status), name,
             run->sample.reason);
    progress_note(&run->progress, message);
}

/*
 * What is missing stays missing, and a cell that has run into a limit twice would do so again: each
 * time costs the whole limit. The samples that were taken are kept.
 */
static void consider_giving_up(struct run *run, size_t index)
{
    enum { MOST_LIMITS_HIT = 2 };
    enum sample_status status = run->sample.status;
    struct cell_progress *cell = &run->cells[index];

    cell->limits_hit += status == SAMPLE_TIMEOUT || status == SAMPLE_OOM;
    if (status != SAMPLE_NOT_AVAILABLE && cell->limits_hit < MOST_LIMITS_HIT)
        return;
    cell->given_up = 1;
    run->progress.total -= cell->runs_left;
    if (status != SAMPLE_NOT_AVAILABLE && cell->runs_left > 0)
        progress_note(&run->progress,
                      "its other rounds are left out: it has run into a limit twice");
}

static int run_cell(struct run *run, size_t index, unsigned round)
{
    const struct cell *cell = &run->plan->cells[index];
    char name[512], started[32];
    /* A pad that differs by sample and is the same in a repeated run. */
    uint64_t seed = (run->plan->seed + 1) * 2654435761u + run->stored * 40503u;

    if (run->cells[index].given_up)
        return 0;
    name_sample(cell, round, name, sizeof name);
    run->progress.left_seconds = seconds_left(run);
    progress_show(&run->progress, name);
    machine_utc_now(started);
    uint64_t began_ns = clock_monotonic_ns();
    int failed = sample_run(&run->settings, cell, seed, &run->sample);
    if (failed) {
        snprintf(run->error, RUNNER_ERROR_BYTES, "cannot start a child: %s", strerror(-failed));
        return failed;
    }
    if (run->sample.status == SAMPLE_INTERRUPTED)
        return 0;
    run->cells[index].seconds = clock_seconds_since(began_ns);
    run->cells[index].runs_left--;
    run->progress.done++;
    learn_from(run, cell);
    if (run->sample.status != SAMPLE_OK)
        report(run, name);
    if (run->sample.status != SAMPLE_OK && run->sample.status != SAMPLE_NOT_AVAILABLE)
        run->failures = 1;
    consider_giving_up(run, index);
    return store(run, index, round, started);
}

static int run_rounds(struct run *run)
{
    size_t *order = calloc(run->plan->cell_count + 1, sizeof *order);
    int failed = order ? 0 : -ENOMEM;

    for (unsigned round = 0; !failed && !interrupted && round < plan_rounds(run->plan); round++) {
        size_t count = plan_round(run->plan, round, order);
        for (size_t i = 0; i < count && !failed && !interrupted; i++)
            failed = run_cell(run, order[i], round);
    }
    free(order);
    return failed;
}

/* Writes what is known at the end, also after an interruption. */
static int conclude(struct run *run)
{
    char utc[32], what[SUMMARY_ERROR_BYTES], unread[RUNNER_ERROR_BYTES];
    json_t *plan = NULL, *machine = NULL, *samples = NULL;

    json_object_set_new(run->machine, "finished", json_string(machine_utc_now(utc)));
    json_object_set_new(run->machine, "interrupted", json_boolean(interrupted));
    int failed = json_file_write(run->folder.fd, "machine.json", run->machine);
    if (!failed)
        failed = run_folder_read(&run->folder, &plan, &machine, &samples, unread);
    if (failed)
        return failed;
    json_t *summary = summary_of_run(plan, samples, what);
    failed = summary ? json_file_write(run->folder.fd, "summary.json", summary) : -EINVAL;
    json_decref(summary);
    json_decref(samples);
    json_decref(machine);
    json_decref(plan);
    return failed;
}

static int prepare(struct run *run, const struct program_paths *paths, const char *path)
{
    char started[32];
    json_t *plan = plan_to_json(run->plan);
    int failed = sampler_init(&run->sampler);

    if (failed) {
        snprintf(run->error, RUNNER_ERROR_BYTES, "not enough memory for the sampler's ring");
        json_decref(plan);
        return failed;
    }
    run->machine = machine_describe(run->plan, machine_utc_now(started));
    run->settings = (struct sample_settings){
        .plan = run->plan, .sampler = &run->sampler, .paths = paths, .interrupted = &interrupted};
    machine_choose_cpus(&run->settings.child_cpu, &run->settings.sampler_cpu);
    run->cells = calloc(run->plan->cell_count + 1, sizeof *run->cells);
    if (!run->cells) {
        snprintf(run->error, RUNNER_ERROR_BYTES, "not enough memory for %zu cells",
                 run->plan->cell_count);
        json_decref(plan);
        return -ENOMEM;
    }
    for (size_t i = 0; i < run->plan->cell_count; i++)
        run->cells[i].runs_left =
            run->plan->cells[i].not_available[0] ? 0 : run->plan->cells[i].rounds;
    progress_init(&run->progress, plan_samples(run->plan));
    failed = run_folder_create(&run->folder, path, plan, run->machine, run->error);
    json_decref(plan);
    return failed;
}

int runner_run(const struct plan *plan, const struct program_paths *paths, const char *path,
               char *error)
{
    struct run run = {.plan = plan, .error = error, .folder = {.fd = -1, .samples_fd = -1}};
    struct sigaction old[INTERRUPTS];
    int failed = prepare(&run, paths, path);

    if (!failed) {
        catch_interrupts(old);
        failed = run_rounds(&run);
        progress_end(&run.progress);
        int concluded = conclude(&run);
        if (!failed && concluded) {
            failed = concluded;
            snprintf(error, RUNNER_ERROR_BYTES, "cannot write the summary to %.1000s: %s", path,
                     strerror(-concluded));
        }
        for (size_t i = 0; i < INTERRUPTS; i++)
            sigaction(interrupts[i], &old[i], NULL);
    }
    run_folder_close(&run.folder);
    if (run.sampler.ticks)
        sampler_destroy(&run.sampler);
    json_decref(run.machine);
    free(run.cells);
    if (failed)
        return failed;
    return interrupted ? RUNNER_INTERRUPTED : run.failures ? RUNNER_WITH_FAILURES : RUNNER_COMPLETE;
}
