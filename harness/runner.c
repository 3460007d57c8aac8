/*
 * The loop over rounds, and over those that a dirty sample asks for once more. Leaves out any
 * choice of samples: each one that was taken is kept.
 */
#define _GNU_SOURCE
#include "harness/runner.h"

#include "harness/canary.h"
#include "harness/clock.h"
#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/pass.h"
#include "harness/program_exits.h"
#include "harness/record.h"
#include "harness/run_read.h"
#include "harness/run_view.h"
#include "harness/seat.h"
#include "harness/summary.h"
#include "harness/text.h"
#include "harness/warm_up.h"

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
    struct seat *seats; /* of the samples that are taken at once; of one alone the first */
    size_t seat_count;
    struct memory_parent memory_parent;
    struct canary canary;
    int has_canary; /* 0 in a build with a sanitizer */
    struct run_view view;
    char *error;
};

static void name_sample(const struct cell *cell, const struct tally_sample *place, char *text,
                        size_t text_bytes)
{
    char parameters[128];

    snprintf(text, text_bytes, "%sround %u, %s:%s on %.100s%s%.100s%s",
             place->repeat ? "once more " : "", place->round + 1, cell->workload->name,
             cell_format_parameters(cell, parameters, sizeof parameters), cell->row.text,
             host_is_objects(&cell->host) ? "" : ", ",
             host_is_objects(&cell->host) ? "" : cell->host.text,
             cell->is_control ? ", control" : "");
}

/* What only a sample can tell goes to machine.json: versions loaded, how the sampler was scheduled.
 */
static void learn_from(struct run *run, const struct seat *seat)
{
    char message[768];

    if (machine_add_version(run->start->machine, seat->cell, seat->sample.version)) {
        snprintf(message, sizeof message,
                 "row %s now loads %s, another version than before in this run: its samples are "
                 "not of one allocator; machine.json names both",
                 seat->cell->row.text, seat->sample.version);
        run_view_note(&run->view, message);
    }
    json_object_set_new(run->start->machine, "sampler",
                        json_string(seat->sampler.is_fifo ? "fifo" : "other"));
}

static int store(struct run *run, struct seat *seat)
{
    struct run_folder *folder = &run->start->folder;
    struct tally_sample *taken = &seat->taken;
    size_t number = run->start->tally.stored;
    const struct record_place place = {.number = number,
                                       .cell = taken->cell,
                                       .round = taken->round,
                                       .repeat = taken->repeat,
                                       .started = seat->started,
                                       .took_ns = taken->took_ns,
                                       .canary = taken->has_canary ? &taken->canary : NULL,
                                       .is_dirty = taken->is_dirty};
    json_t *record = record_sample(&seat->sample, &place);
    tally_read_figures(taken, record); /* as whoever reads the run back has them */
    int failed =
        run_folder_append(folder, record, number, seat->sample.ticks, seat->sample.tick_count);

    json_decref(record);
    if (failed)
        snprintf(run->error, RUNNER_ERROR_BYTES,
                 "cannot store sample %zu in %.1000s: %s; the samples before it are intact", number,
                 folder->path, strerror(-failed));
    return failed;
}

static void report(struct run *run, const struct seat *seat)
{
    char message[1536];

    snprintf(message, sizeof message, "%s: %s: %s", sample_status_name(seat->sample.status),
             seat->name, seat->sample.reason);
    run_view_note(&run->view, message);
}

static void report_left_behind(struct run *run, const char *name)
{
    char message[1024];

    snprintf(message, sizeof message,
             "%.320s: a process that it started could not be killed; its group stays in %.512s",
             name, run->memory_parent.folder);
    run_view_note(&run->view, message);
}

/* Counts the sample, and says so when its cell is given up with rounds left. */
static int count(struct run *run, const struct seat *seat)
{
    const struct tally_sample *taken = &seat->taken;
    const struct tally_cell *cell = &run->start->tally.cells[taken->cell];

    if (tally_add(&run->start->tally, taken) != 0) {
        snprintf(run->error, RUNNER_ERROR_BYTES, "not enough memory to count another sample");
        return -ENOMEM;
    }
    run->view.progress.done++;
    run->view.progress.total = run->view.progress.done + tally_left(&run->start->tally);
    if (cell->given_up && cell->runs_left > 0 && seat->sample.status != SAMPLE_NOT_AVAILABLE)
        run_view_note(&run->view, "its other rounds are left out: it has run into a limit twice");
    return 0;
}

/* On the core where the child will run. Without memory for it the sample has none. */
static void take_canary(struct run *run, struct tally_sample *taken)
{
    taken->has_canary =
        run->has_canary && canary_sing(&run->canary, run->settings.child_cpu, &taken->canary) == 0;
    taken->is_dirty = taken->has_canary && tally_is_dirty(&run->start->tally, &taken->canary);
}

/* Everything that a sample needs before it can be taken. */
static void take_seat(struct run *run, struct seat *seat, size_t index, unsigned round,
                      unsigned repeat)
{
    const size_t place = (size_t)(seat - run->seats);

    seat->cell = &run->plan->cells[index];
    seat->taken = (struct tally_sample){.cell = index, .round = round, .repeat = repeat};
    /* A pad that differs by sample and is the same in a repeated run. */
    seat->seed = (run->plan->seed + 1) * 2654435761u + (run->start->tally.stored + place) * 40503u;
    seat->settings = run->settings;
    if (place > 0)
        seat->settings.watcher = NULL;
    name_sample(seat->cell, &seat->taken, seat->name, sizeof seat->name);
}

/* After its sample has ended. Returns 0 or a negative errno. */
static int leave_seat(struct run *run, struct seat *seat, uint64_t took_ns)
{
    if (seat->failed) {
        snprintf(run->error, RUNNER_ERROR_BYTES, "cannot start a child: %s",
                 strerror(-seat->failed));
        return seat->failed;
    }
    if (seat->sample.left_behind)
        report_left_behind(run, seat->name);
    if (seat->sample.status == SAMPLE_INTERRUPTED)
        return 0;
    seat->taken.status = seat->sample.status;
    seat->taken.took_ns = took_ns;
    seat->taken.seconds = (double)took_ns / CLOCK_SECOND_NS;
    learn_from(run, seat);
    if (seat->sample.status != SAMPLE_OK)
        report(run, seat);
    const int failed = store(run, seat);
    return failed ? failed : count(run, seat);
}

/* Then none of them counts: the others of its round would be measured by themselves. */
static int were_interrupted(const struct seat *seats, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!seats[i].failed && seats[i].sample.status == SAMPLE_INTERRUPTED)
            return 1;
    }
    return 0;
}

/* Of all that sit, at once. What they took together is shared among them. */
static int run_seats(struct run *run, size_t count)
{
    struct seat *seats = run->seats;
    int failed = 0;

    if (count == 0)
        return 0;

    char what[SEAT_NAME_BYTES + 64];

    snprintf(what, sizeof what, "%s", seats[0].name);
    if (count > 1)
        snprintf(what, sizeof what, "%s, and %zu beside it", seats[0].name, count - 1);
    run->view.progress.left_seconds = tally_seconds_left(&run->start->tally);
    run_view_show(&run->view, seats[0].taken.cell, what);
    uint64_t began_ns = clock_monotonic_ns();
    take_canary(run, &seats[0].taken);
    machine_utc_now(seats[0].started);
    for (size_t i = 1; i < count; i++) {
        seats[i].taken.has_canary = seats[0].taken.has_canary;
        seats[i].taken.canary = seats[0].taken.canary;
        seats[i].taken.is_dirty = seats[0].taken.is_dirty;
        memcpy(seats[i].started, seats[0].started, sizeof seats[i].started);
    }
    seats_run(seats, count);
    if (count > 1 && were_interrupted(seats, count))
        return 0;
    const uint64_t took_ns = (clock_monotonic_ns() - began_ns) / count;
    for (size_t i = 0; i < count && !failed; i++)
        failed = leave_seat(run, &seats[i], took_ns);
    return failed;
}

/* Of the cells from order[at] on that are left, those that are taken together with the first. */
static size_t take_seats(struct run *run, const size_t *order, size_t at, size_t cells,
                         unsigned round, unsigned repeat)
{
    const struct cell *first = &run->plan->cells[order[at]];
    size_t taken = 0;

    for (size_t i = at; i < cells && taken < run->seat_count; i++) {
        const struct cell *cell = &run->plan->cells[order[i]];
        if ((i == at || (plan_same_experiment(first, cell) && plan_same_host(first, cell))) &&
            tally_is_left(&run->start->tally, order[i], round, repeat))
            take_seat(run, &run->seats[taken++], order[i], round, repeat);
    }
    return taken;
}

static int run_order(struct run *run, const size_t *order, size_t cells, unsigned round,
                     unsigned repeat)
{
    int failed = 0;

    for (size_t i = 0; i < cells && !failed && !interrupted; i++) {
        if (tally_is_left(&run->start->tally, order[i], round, repeat))
            failed = run_seats(run, take_seats(run, order, i, cells, round, repeat));
    }
    return failed;
}

/* A round is planned or further, never both for one cell. */
static int run_round(struct run *run, unsigned round, unsigned repeat, size_t *order)
{
    size_t cells = plan_round(run->plan, round, repeat, order);
    int failed = run_order(run, order, cells, round, repeat);

    cells = plan_further_round(run->plan, round, repeat, order);
    return failed ? failed : run_order(run, order, cells, round, repeat);
}

static void announce_repeats(struct run *run)
{
    size_t queued = tally_repeats_left(&run->start->tally);
    char message[160];

    if (queued == 0)
        return;
    snprintf(message, sizeof message,
             "something else used the machine: %zu samples are taken once more, beside the first",
             queued);
    run_view_tell(&run->view, message);
}

/* All rounds that are left, then what is queued of each of them. */
static int run_left(struct run *run, size_t *order)
{
    const unsigned rounds = tally_rounds(&run->start->tally);
    int failed = 0;

    for (unsigned repeat = 0; repeat < PLAN_REPEATS && !failed && !interrupted; repeat++) {
        if (repeat > 0)
            announce_repeats(run);
        for (unsigned round = 0; round < rounds && !failed && !interrupted; round++)
            failed = run_round(run, round, repeat, order);
    }
    return failed;
}

/* Rounds that the widths of the intervals ask for. Returns how many samples they have. */
static size_t add_rounds(struct run *run)
{
    struct tally *tally = &run->start->tally;
    char message[512];
    size_t cell = 0;
    const size_t added = tally_add_rounds(tally);

    if (added == 0)
        return 0;
    const double widest = tally_widest(tally, &cell);
    char width[64] = "has no interval yet";
    if (widest <= 1)
        snprintf(width, sizeof width, "has half an interval of %.2g %%", 100 * widest);
    snprintf(message, sizeof message, "until %g %%: round %u, %zu samples more; %.100s in %s %s",
             100 * run->plan->until.share, tally_rounds(tally), added,
             run->plan->cells[cell].row.text, run->plan->cells[cell].workload->name, width);
    run_view_tell(&run->view, message);
    run->view.progress.total = run->view.progress.done + tally_left(tally);
    return added;
}

/* What is left of the plan, and after that round by round what is added to it. */
static int run_rounds(struct run *run)
{
    size_t *order = calloc(run->plan->cell_count + 1, sizeof *order);
    int failed = order ? 0 : -ENOMEM;

    do {
        failed = failed ? failed : run_left(run, order);
    } while (!failed && !interrupted && add_rounds(run) > 0);
    free(order);
    return failed;
}

static void take_pass(struct run *run, const struct pass *pass, size_t index)
{
    char name[512], parameters[128], why[PASS_REASON_BYTES], message[1536];
    const struct cell *cell = &run->plan->cells[index];

    snprintf(name, sizeof name, "%s of %s:%s on %.100s", pass->name, cell->workload->name,
             cell_format_parameters(cell, parameters, sizeof parameters), cell->row.text);
    run_view_show(&run->view, index, name);
    struct sample *sample = &run->seats[0].sample;
    sample->left_behind = 0;
    int failed = pass_take(pass, &run->settings, index, run->start->folder.fd, sample, why);
    if (sample->left_behind)
        report_left_behind(run, name);
    if (failed && failed != -EINTR) {
        snprintf(message, sizeof message, "no %s: %s", name, why);
        run_view_note(&run->view, message);
    }
    run->view.progress.done++;
    run->view.progress.left_seconds -= run->start->tally.cells[index].seconds;
}

static void begin_pass_progress(struct run *run)
{
    const struct tally *tally = &run->start->tally;
    size_t total = 0;
    double seconds = 0;

    for (size_t p = 0; p < pass_registry_count; p++) {
        for (size_t i = 0; i < run->plan->cell_count; i++) {
            if (!pass_is_left(pass_registry[p], tally, i, run->start->folder.fd))
                continue;
            total++;
            seconds += tally->cells[i].seconds;
        }
    }
    run_view_count(&run->view, total);
    run->view.progress.left_seconds = seconds;
}

/* One further child of each cell for each pass that it can have, after all that is timed. What
 * fails is told, and the run is none the worse for it. */
static void take_passes(struct run *run)
{
    begin_pass_progress(run);
    for (size_t p = 0; p < pass_registry_count; p++) {
        for (size_t i = 0; i < run->plan->cell_count && !interrupted; i++) {
            if (pass_is_left(pass_registry[p], &run->start->tally, i, run->start->folder.fd))
                take_pass(run, pass_registry[p], i);
        }
    }
}

static void prepare_canary(struct run *run)
{
    int failed = canary_init(&run->canary);

    run->has_canary = failed == 0;
    if (failed == -ENOMEM)
        run_view_note(&run->view, "there is no memory for the canary: no sample will be dirty");
}

/* Before the first sample, also of a run that goes on. Without the memory for it the run goes on
 * as well, and machine.json stays as it is. */
static void warm_up(struct run *run)
{
    struct warm_up warm;
    char size[TEXT_NUMBER_BYTES], message[128];
    uint64_t bytes = warm_up_bytes(run->plan->warm_up_bytes, machine_available_bytes(),
                                   run->plan->memory_limit_bytes);

    if (bytes == 0 || tally_left(&run->start->tally) == 0)
        return;
    snprintf(message, sizeof message, "warming %s of memory",
             text_format_bytes(size, (double)bytes));
    run_view_note(&run->view, message);
    if (warm_up_memory(bytes, &interrupted, &warm) != 0)
        return;
    json_object_set_new(run->start->machine, "warm_up",
                        json_pack("{s:I, s:f, s:f}", "bytes", (json_int_t)warm.bytes,
                                  "first_ns_per_page", warm.first_ns_per_page, "again_ns_per_page",
                                  warm.again_ns_per_page));
    /* Now, so that a run that is killed has it; what cannot be written now fails at the sample. */
    json_file_write(run->start->folder.fd, "machine.json", run->start->machine);
}

/* Samples of programs that ended otherwise than on the first row: told, and stored as what they
 * are. */
static int mark_exits(struct run *run, json_t *samples, char *why)
{
    json_t *reasons = json_array();
    const json_t *reason;
    size_t i;
    int failed = 0;

    if (program_exits_mark(run->plan, samples, !interrupted, reasons) > 0) {
        run->start->tally.failures = 1;
        failed = run_folder_rewrite(&run->start->folder, samples);
    }
    json_array_foreach(reasons, i, reason)
    {
        run_view_note(&run->view, json_string_value(reason));
    }
    json_decref(reasons);
    if (failed)
        snprintf(why, RUN_FOLDER_ERROR_BYTES, "samples.jsonl: %s", strerror(-failed));
    return failed;
}

/* From what is stored, as any later reader has it. Returns 0, or a negative errno with `why` set.
 */
static int write_summary(struct run *run, char *why)
{
    const struct run_folder *folder = &run->start->folder;
    struct run_content content;

    if (run_content_read(&content, folder, why) != 0)
        return -EINVAL;
    if (mark_exits(run, content.samples, why) != 0) {
        run_content_free(&content);
        return -EIO;
    }
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
        return write_summary(run, why);
    snprintf(why, RUN_FOLDER_ERROR_BYTES, "machine.json: %s", strerror(-failed));
    return failed;
}

/* Progress counts what is left; what an earlier run stored is told once. */
static void begin_progress(struct run *run)
{
    const struct tally *tally = &run->start->tally;
    char message[128];

    run_view_count(&run->view, tally_left(tally));
    if (tally->stored == 0)
        return;
    snprintf(message, sizeof message, "resumed: %zu samples are here, %zu are left", tally->stored,
             tally_left(tally));
    run_view_note(&run->view, message);
}

/* Where groups for the samples can be made, which machine.json says. */
static void open_memory_parent(struct run *run)
{
    struct memory_parent *parent = &run->memory_parent;

    memory_parent_open(parent);
    run->settings.memory_parent = parent;
    json_object_set_new(run->start->machine, "memory_limit",
                        json_pack("{s:s, s:s?}", "by",
                                  sample_limiter_name(parent->version ? SAMPLE_LIMITED_BY_CGROUP
                                                                      : SAMPLE_LIMITED_BY_SAMPLER),
                                  "reason", parent->version ? NULL : parent->reason));
}

static int measure(struct run *run)
{
    char why[RUN_FOLDER_ERROR_BYTES];

    open_memory_parent(run);
    tally_add_rounds(&run->start->tally); /* of a run that was stopped between two rounds */
    begin_progress(run);
    prepare_canary(run);
    warm_up(run);
    int failed = run_rounds(run);
    if (!failed && !interrupted)
        take_passes(run);
    memory_parent_close(&run->memory_parent);
    run_view_end(&run->view, interrupted);
    int concluded = conclude(run, why);

    if (!failed && concluded) {
        failed = concluded;
        snprintf(run->error, RUNNER_ERROR_BYTES, "cannot write the summary to %.700s: %.700s",
                 run->start->folder.path, why);
    }
    return failed;
}

int runner_run(struct run_start *start, const struct program_paths *paths, enum run_view_mode mode,
               char *error)
{
    static struct run run; /* too large for a stack */
    struct sigaction old[INTERRUPTS];

    memset(&run, 0, sizeof run);
    run.plan = start->tally.plan;
    run.start = start;
    run.error = error;
    run.seat_count = plan_most_together(run.plan);
    run.seats = seats_make(run.seat_count);
    if (!run.seats) {
        snprintf(error, RUNNER_ERROR_BYTES, "not enough memory for the sampler's ring");
        return -ENOMEM;
    }
    run.settings = (struct sample_settings){.plan = run.plan,
                                            .sampler = &run.seats[0].sampler,
                                            .paths = paths,
                                            .interrupted = &interrupted};
    machine_choose_cpus(&run.settings.child_cpu, &run.settings.sampler_cpu);
    run_view_init(&run.view, mode, &start->tally, run.settings.sampler_cpu);
    run.settings.watcher = run_view_watcher(&run.view);
    catch_interrupts(old);
    int failed = measure(&run);
    canary_destroy(&run.canary);
    for (size_t i = 0; i < INTERRUPTS; i++)
        sigaction(interrupts[i], &old[i], NULL);
    seats_free(run.seats, run.seat_count);
    if (failed)
        return failed;
    return interrupted             ? RUNNER_INTERRUPTED
           : start->tally.failures ? RUNNER_WITH_FAILURES
                                   : RUNNER_COMPLETE;
}
