/*
 * New and resumed runs. Leaves out a run on two builds or two machines: figures in one table are
 * comparable, so what differs is a reason to refuse.
 */
#define _GNU_SOURCE
#include "harness/run_start.h"

#include "harness/json_file.h"
#include "harness/machine.h"
#include "harness/plan_read.h"
#include "harness/run_read.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
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
    start->machine = machine_describe(plan, paths->child, machine_utc_now(started));
    json_t *json = plan_to_json(plan);
    int failed = run_folder_create(&start->folder, path, json, start->machine, error);
    json_decref(json);
    return failed;
}

/* A growing list of reasons, one a line. */
struct reasons {
    char *text;
    size_t used, count;
};

__attribute__((format(printf, 2, 3))) static void add_reason(struct reasons *reasons,
                                                             const char *format, ...)
{
    size_t room = RUN_START_ERROR_BYTES - reasons->used;
    char line[512];
    va_list words;

    va_start(words, format);
    vsnprintf(line, sizeof line, format, words);
    va_end(words);
    int wrote = snprintf(reasons->text + reasons->used, room, "\n  %s", line);
    reasons->used += (size_t)wrote < room ? (size_t)wrote : room - 1;
    reasons->count++;
}

/* A fact as a reader would say it; the caller frees it. */
static char *fact_text(const json_t *fact)
{
    return fact ? json_dumps(fact, JSON_ENCODE_ANY) : strdup("not recorded");
}

static void compare(struct reasons *reasons, const char *what, const json_t *then,
                    const json_t *now)
{
    if (then && now && json_equal(then, now))
        return;
    char *was = fact_text(then), *is = fact_text(now);
    add_reason(reasons, "%.64s was %.128s, and is %.128s now", what, was ? was : "?",
               is ? is : "?");
    free(was);
    free(is);
}

static void compare_programs(struct reasons *reasons, const json_t *then, const json_t *now)
{
    const json_t *was = json_object_get(then, "binary"), *is = json_object_get(now, "binary");

    if (json_is_string(was) && json_equal(was, is))
        return;
    add_reason(reasons,
               "the programs have changed since: the CRC-32 of tidemark-child was %s, and is %s "
               "now; a run is of one build",
               json_is_string(was) ? json_string_value(was) : "not recorded",
               json_is_string(is) ? json_string_value(is) : "not known");
}

static const json_t *python_version(const json_t *machine, const char *host)
{
    return json_object_get(json_object_get(json_object_get(machine, "python"), host), "version");
}

/* Each interpreter that a cell runs on, once. */
static void compare_pythons(struct reasons *reasons, const struct plan *plan, const json_t *then,
                            const json_t *now)
{
    const char *last = "";

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (host_is_objects(&cell->host) || cell->not_available[0] ||
            strcmp(cell->host.text, last) == 0)
            continue;
        last = cell->host.text;
        compare(reasons, last, python_version(then, last), python_version(now, last));
    }
}

/* Refuses when this build or machine is not that of the run, with all that differs. */
static int check_machine(const struct plan *plan, const struct program_paths *paths,
                         const json_t *then, const char *path, char *error)
{
    static const char *const facts[] = {"kernel", "cpu", "cores"};
    char utc[32];
    json_t *now = machine_describe(plan, paths->child, machine_utc_now(utc));
    struct reasons reasons = {.text = error};

    reasons.used = (size_t)snprintf(error, RUN_START_ERROR_BYTES,
                                    "%.900s cannot be resumed here; nothing was written:", path);
    compare_programs(&reasons, then, now);
    for (size_t i = 0; i < sizeof facts / sizeof facts[0]; i++)
        compare(&reasons, facts[i], json_object_get(then, facts[i]),
                json_object_get(now, facts[i]));
    compare_pythons(&reasons, plan, then, now);
    json_decref(now);
    return reasons.count ? -EINVAL : 0;
}

/* 1 when nothing is left and its end was written too, so that there is nothing to do. */
static int has_ended(const struct run_start *start)
{
    return tally_left(&start->tally) == 0 &&
           json_is_string(json_object_get(start->machine, "finished")) &&
           !json_is_true(json_object_get(start->machine, "interrupted"));
}

static int read_run(struct run_start *start, struct plan *plan, json_t **samples, char *error)
{
    char what[RUN_FOLDER_ERROR_BYTES];
    struct run_content content;

    if (run_content_read(&content, &start->folder, what) != 0) {
        snprintf(error, RUN_START_ERROR_BYTES, "%s", what);
        return -EINVAL;
    }
    int failed = plan_from_json(plan, content.plan, what);
    start->machine = json_incref(content.machine);
    *samples = json_incref(content.samples);
    run_content_free(&content);
    if (!failed)
        failed = tally_init(&start->tally, plan);
    if (failed == -ENOMEM)
        snprintf(what, sizeof what, "not enough memory for the plan");
    if (!failed)
        failed = tally_add_stored(&start->tally, *samples, what);
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

int run_start_resumed(struct run_start *start, struct plan *plan, const struct program_paths *paths,
                      const char *path, char *error)
{
    json_t *samples = NULL;

    *start = (struct run_start){.folder = {.fd = -1, .samples_fd = -1}};
    if (run_folder_reopen(&start->folder, path, error) != 0)
        return -EINVAL;
    int failed = read_run(start, plan, &samples, error);
    if (!failed)
        start->is_complete = has_ended(start);
    if (!failed && !start->is_complete)
        failed = check_machine(plan, paths, start->machine, path, error);
    if (!failed && !start->is_complete) {
        learn_from_samples(start, samples);
        failed = reopen(start, error);
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
