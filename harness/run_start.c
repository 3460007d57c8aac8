/*
 * New and resumed runs. Leaves out a run on two builds or two machines: figures in one table are
 * comparable, so what differs is a reason to refuse.
 */
#define _GNU_SOURCE
#include "harness/run_start.h"

#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/pass.h"
#include "harness/plan_read.h"
#include "harness/program_cells.h"
#include "harness/programs.h"
#include "harness/run_compare.h"
#include "harness/run_read.h"
#include "harness/text.h"
#include "harness/trace_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail(char *error, int number, const char *path, const char *what)
{
    snprintf(error, RUN_START_ERROR_BYTES, "%.900s: %.1000s", path, what);
    return number;
}

int run_start_new(struct run_start *start, const struct plan *plan,
                  const struct program_paths *paths, const char *path, char *error)
{
    char started[32];

    *start = (struct run_start){.folder = {.fd = -1, .samples_fd = -1}};
    if (tally_init(&start->tally, plan) != 0)
        return fail(error, -ENOMEM, path, "not enough memory for the plan's cells");
    start->machine = machine_describe(plan, paths, machine_utc_now(started));
    json_t *json = plan_to_json(plan);
    int failed = run_folder_create(&start->folder, path, json, start->machine, error);
    json_decref(json);
    return failed;
}

/* Refuses when this build or machine is not that of the run, with all that differs. */
static int check_machine(const struct plan *plan, const struct program_paths *paths, json_t *then,
                         const char *path, char *error)
{
    char utc[32];
    json_t *versions = programs_ask_versions(plan);

    if (!versions)
        return fail(error, -EINTR, path, "interrupted; nothing was written");
    json_t *now = machine_describe(plan, paths, machine_utc_now(utc));
    json_object_set_new(now, "libraries", versions);
    snprintf(error, RUN_START_ERROR_BYTES,
             "%.900s cannot be resumed here; nothing was written:", path);
    size_t differences = run_compare(plan, then, now, error, RUN_START_ERROR_BYTES);
    json_decref(now);
    return differences ? -EINVAL : 0;
}

static int has_every_pass(const struct run_start *start)
{
    for (size_t p = 0; p < pass_registry_count; p++) {
        for (size_t i = 0; i < start->tally.plan->cell_count; i++) {
            if (pass_is_left(pass_registry[p], &start->tally, i, start->folder.fd))
                return 0;
        }
    }
    return 1;
}

/* 1 when nothing is left and its end was written too, so that there is nothing to do. */
static int has_ended(const struct run_start *start)
{
    return has_every_pass(start) && tally_left(&start->tally) == 0 &&
           json_is_string(json_object_get(start->machine, "finished")) &&
           !json_is_true(json_object_get(start->machine, "interrupted"));
}

/* A plan that was edited by hand no longer says what the samples are. One whose checksum was never
 * written is told with what else is not known (check_machine). */
static int check_plan(const struct run_content *content, char *what)
{
    const char *recorded = json_string_value(json_object_get(content->machine, "plan"));

    if (!recorded || strcmp(recorded, content->plan_checksum) == 0)
        return 0;
    snprintf(what, RUN_FOLDER_ERROR_BYTES,
             "plan.json has changed since the run began: its CRC-32 is %s and was %.64s; "
             "nothing was written",
             content->plan_checksum, recorded);
    text_make_printable(what);
    return -EINVAL;
}

static int take_content(struct run_start *start, struct plan *plan,
                        const struct run_content *content, char *what)
{
    int failed = check_plan(content, what);

    if (!failed)
        failed = plan_from_json(plan, content->plan, what);
    if (!failed)
        failed = tally_init(&start->tally, plan);
    if (failed == -ENOMEM)
        snprintf(what, RUN_FOLDER_ERROR_BYTES, "not enough memory for the plan");
    if (!failed)
        failed = tally_add_stored(&start->tally, content->samples, what);
    return failed;
}

static int read_run(struct run_start *start, struct plan *plan, json_t **samples, char *error)
{
    char what[RUN_FOLDER_ERROR_BYTES];
    struct run_content content;

    if (run_content_read(&content, &start->folder, what) != 0) {
        snprintf(error, RUN_START_ERROR_BYTES, "%s", what);
        return -EINVAL;
    }
    int failed = take_content(start, plan, &content, what);
    start->machine = json_incref(content.machine);
    *samples = json_incref(content.samples);
    run_content_free(&content);
    return failed ? fail(error, failed, start->folder.path, what) : 0;
}

/* The versions that a run which was killed had no time to write. */
static void learn_from_samples(struct run_start *start, const json_t *samples)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        json_int_t cell = json_integer_value(json_object_get(sample, "cell"));
        machine_add_version(start->machine, &start->tally.plan->cells[cell],
                            json_text(sample, "version"));
    }
}

/* The first writes: everything has been checked by now. */
static int reopen(struct run_start *start, char *error)
{
    char utc[32];
    json_t *resumed = json_object_get(start->machine, "resumed");

    if (!json_is_array(resumed)) {
        resumed = json_array();
        json_object_set_new(start->machine, "resumed", resumed);
    }
    json_array_append_new(resumed, json_string(machine_utc_now(utc)));
    json_object_set_new(start->machine, "finished", json_null());
    json_object_set_new(start->machine, "interrupted", json_false());
    int failed = run_folder_drop_torn(&start->folder, start->tally.stored);
    if (!failed)
        failed = json_file_write(start->folder.fd, "machine.json", start->machine);
    return failed ? fail(error, failed, start->folder.path, strerror(-failed)) : 0;
}

/*
 * Opens the run for appending, or for reading alone where no more is permitted, which `error` then
 * says: a run that is complete needs no more.
 */
static int open_run(struct run_start *start, const char *path, int *is_writable, char *error)
{
    char unread[RUN_FOLDER_ERROR_BYTES];
    int failed = run_folder_reopen(&start->folder, path, error);

    *is_writable = !failed;
    if (failed == -EROFS || failed == -EACCES)
        failed = run_folder_open(&start->folder, path, unread);
    return failed;
}

/* What is left to do with a run that was read back. */
static int go_on(struct run_start *start, const struct plan *plan,
                 const struct program_paths *paths, const json_t *samples, char *error)
{
    learn_from_samples(start, samples);
    int failed = check_machine(plan, paths, start->machine, start->folder.path, error);
    return failed ? failed : reopen(start, error);
}

int run_start_resumed(struct run_start *start, struct plan *plan, const struct program_paths *paths,
                      const char *path, char *error)
{
    char why[RUN_START_ERROR_BYTES];
    json_t *samples = NULL;
    int is_writable;

    *start = (struct run_start){.folder = {.fd = -1, .samples_fd = -1}};
    if (open_run(start, path, &is_writable, error) != 0)
        return -EINVAL;
    int failed = read_run(start, plan, &samples, why);
    if (failed)
        snprintf(error, RUN_START_ERROR_BYTES, "%s", why);
    else if (has_ended(start))
        start->is_complete = 1;
    else if (!is_writable || trace_files_prepare(plan, error) != 0)
        failed = -EINVAL;
    else {
        program_cells_prepare(plan, paths);
        failed = go_on(start, plan, paths, samples, error);
    }
    json_decref(samples);
    return failed;
}

void run_start_close(struct run_start *start)
{
    run_folder_close(&start->folder);
    json_decref(start->machine);
    start->machine = NULL;
    tally_free(&start->tally);
}
