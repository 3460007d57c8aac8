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
#include "harness/run_read.h"
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

struct run {
    const struct plan *plan;
    struct run_start *start;
    struct sample_settings settings;
    struct sampler sampler;
    struct progress progress;
    struct sample sample;
    char *error;
};

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
    char message[768];

    if (machine_add_version(run->start->machine, cell, run->sample.version)) {
        snprintf(message, sizeof message,
                 "row %s now loads %s, another version than before in this run: its samples are "
                 "not of one allocator; machine.json names both",
                 cell->row.text, run->sample.version);
        progress_note(&run->progress, message);
    }
    json_object_set_new(run->start->machine, "sampler",
                        json_string(run->sampler.is_fifo ? "fifo" : "other"));
}

static int store(struct run *run, size_t index, unsigned round, const char *started)
{
    struct run_folder *folder = &run->start->folder;
    size_t number = run->start->tally.stored;
    json_t *record = record_sample(&run->sample, number, index, round, started);
    int failed =
        run_folder_append(folder, record, number, run->sample.ticks, run->sample.tick_count);

    json_decref(record);
    if (failed)
        snprintf(run->error, RUNNER_ERROR_BYTES,
                 "cannot store sample %zu in %.1000s: %s; the samples before it are intact", number,
                 folder->path, strerror(-failed));
    return failed;
}

static void report(struct run *run, const char *name)
{
    char message[1536];

    snprintf(message, sizeof message, "%s: %s: %s", sample_status_name(run->sample.status), name,
             run->sample.reason);
    progress_note(&run->progress, message);
}

/* Counts the sample, and says so when its cell is given up with rounds left. */
static void count(struct run *run, size_t index, unsigned round, double seconds)
{
    const struct tally_cell *cell = &run->start->tally.cells[index];

    tally_add(&run->start->tally, index, round, run->sample.status, seconds);
    run->progress.done++;
    run->progress.total = run->progress.done + tally_left(&run->start->tally);
    if (cell->given_up && cell->runs_left > 0 && run->sample.status != SAMPLE_NOT_AVAILABLE)
        progress_note(&run->progress,
                      "its other rounds are left out: it has run into a limit twice");
}

static int run_cell(struct run *run, size_t index, unsigned round)
{
    const struct cell *cell = &run->plan->cells[index];
    char name[512], started[32];
    /* A pad that differs by sample and is the same in a repeated run. */
    uint64_t seed = (run->plan->seed + 1) * 2654435761u + run->start->tally.stored * 40503u;

    name_sample(cell, round, name, sizeof name);
    run->progress.left_seconds = tally_seconds_left(&run->start->tally);
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
    double seconds = clock_seconds_since(began_ns);
    learn_from(run, cell);
    if (run->sample.status != SAMPLE_OK)
        report(run, name);
    failed = store(run, index, round, started);
    if (!failed)
        count(run, index, round, seconds);
    return failed;
}

static int run_rounds(struct run *run)
{
    size_t *order = calloc(run->plan->cell_count + 1, sizeof *order);
    int failed = order ? 0 : -ENOMEM;

    for (unsigned round = 0; !failed && !interrupted && round < plan_rounds(run->plan); round++) {
        size_t cells = plan_round(run->plan, round, order);
        for (size_t i = 0; i < cells && !failed && !interrupted; i++) {
            if (tally_is_left(&run->start->tally, order[i], round))
                failed = run_cell(run, order[i], round);
        }
    }
    free(order);
    return failed;
}

/* From what is stored, as any later reader has it. Returns 0, or a negative errno with `why` set.
 */
static int write_summary(const struct run_folder *folder, char *why)
{
    struct run_content content;

    if (run_content_read(&content, folder, why) != 0)
        return -EINVAL;
    json_t *summary = summary_of_run(content.plan, content.samples, why);
    run_content_free(&content);
    if (!summary)
        return -EINVAL;
    int failed = json_file_write(folder->fd, "summary.json", summary);
    json_decref(summary);
    if (failed)
        snprintf(why, RUN_FOLDER_ERROR_BYTES, "%s", strerror(-failed));
    return failed;
}

/* Writes what is known at the end, also after an interruption. */
static int conclude(struct run *run, char *why)
{
    struct run_folder *folder = &run->start->folder;
    char utc[32];

    json_object_set_new(run->start->machine, "finished", json_string(machine_utc_now(utc)));
    json_object_set_new(run->start->machine, "interrupted", json_boolean(interrupted));
    int failed = json_file_write(folder->fd, "machine.json", run->start->machine);
    if (!failed)
        return write_summary(folder, why);
    snprintf(why, RUN_FOLDER_ERROR_BYTES, "machine.json: %s", strerror(-failed));
    return failed;
}

/* Progress counts what is left; what an earlier run stored is told once. */
static void begin_progress(struct run *run)
{
    const struct tally *tally = &run->start->tally;
    char message[128];

    progress_init(&run->progress, tally_left(tally));
    if (tally->stored == 0)
        return;
    snprintf(message, sizeof message, "resumed: %zu samples are here, %zu are left", tally->stored,
             tally_left(tally));
    progress_note(&run->progress, message);
}

static int measure(struct run *run)
{
    char why[RUN_FOLDER_ERROR_BYTES];

    begin_progress(run);
    int failed = run_rounds(run);
    progress_end(&run->progress);
    int concluded = conclude(run, why);

    if (!failed && concluded) {
        failed = concluded;
        snprintf(run->error, RUNNER_ERROR_BYTES, "cannot write the summary to %.700s: %.700s",
                 run->start->folder.path, why);
    }
    return failed;
}

int runner_run(struct run_start *start, const struct program_paths *paths, char *error)
{
    struct run run = {.plan = start->tally.plan, .start = start, .error = error};
    struct sigaction old[INTERRUPTS];
    int failed = sampler_init(&run.sampler);

    if (failed) {
        snprintf(error, RUNNER_ERROR_BYTES, "not enough memory for the sampler's ring");
        return failed;
    }
    run.settings = (struct sample_settings){
        .plan = run.plan, .sampler = &run.sampler, .paths = paths, .interrupted = &interrupted};
    machine_choose_cpus(&run.settings.child_cpu, &run.settings.sampler_cpu);
    catch_interrupts(old);
    failed = measure(&run);
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaction(interrupts[i], &old[i], NULL);
    sampler_destroy(&run.sampler);
    if (failed)
        return failed;
    return interrupted             ? RUNNER_INTERRUPTED
           : start->tally.failures ? RUNNER_WITH_FAILURES
                                   : RUNNER_COMPLETE;
}
