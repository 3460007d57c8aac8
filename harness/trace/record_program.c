/*
 * A program (harness/program.h) and a collector beside it, which takes what it wrote each
 * millisecond: see record_program.h. Leaves out programs that outlive the command: what they write
 * after its end is not in the trace.
 */
#define _GNU_SOURCE
#include "harness/trace/record_program.h"

#include "harness/clock.h"
#include "harness/describe_command.h"
#include "harness/program.h"
#include "harness/trace/record_shared.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { TICK_NS = 1000000 };

struct recording {
    const struct record_program *request;
    struct trace_writer *writer;
    struct record_collector *collector;
    struct environment added;
    char partial[PATH_MAX];
    int error; /* of the collector */
};

static int refuse(char *error, int status, const char *what)
{
    snprintf(error, PROGRAM_ERROR_BYTES, "%.500s", what);
    return status;
}

static int write_about(const struct recording *recording)
{
    const struct record_program *request = recording->request;
    char text[DESCRIBE_COMMAND_BYTES];
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    json_t *command = json_string(describe_command(request->argv, text));
    json_t *about =
        json_pack("{ss so ss sI sb sb}", "tidemark", TIDEMARK_VERSION, "command",
                  command ? command : json_string("a command that is not UTF-8"), "malloc",
                  request->row ? request->row : "its own", "started_s", (json_int_t)now.tv_sec,
                  "times", (request->with & RECORD_WITH_TIMES) != 0, "stacks",
                  (request->with & RECORD_WITH_STACKS) != 0);
    char *json = about ? json_dumps(about, JSON_COMPACT) : NULL;
    const int error =
        json ? trace_writer_add(recording->writer, TRACE_BLOCK_ABOUT, json, strlen(json)) : -ENOMEM;

    free(json);
    json_decref(about);
    return error;
}

static int write_end(struct trace_writer *writer, const struct record_counts *counts)
{
    json_t *end =
        json_pack("{sI sI sI sI sI sI sI sI sI sI}", "events", (json_int_t)counts->events, "makes",
                  (json_int_t)counts->makes, "ends", (json_int_t)counts->ends, "threads",
                  (json_int_t)counts->threads, "processes", (json_int_t)counts->processes, "images",
                  (json_int_t)counts->images, "unknown", (json_int_t)counts->unknown, "unseen",
                  (json_int_t)counts->unseen, "lost", (json_int_t)counts->lost, "missed",
                  (json_int_t)counts->missed);
    char *json = end ? json_dumps(end, JSON_COMPACT) : NULL;
    const int error =
        json ? trace_writer_add(writer, TRACE_BLOCK_END, json, strlen(json)) : -ENOMEM;

    free(json);
    json_decref(end);
    return error;
}

static int collect(void *context)
{
    struct recording *recording = context;
    const int64_t taken = recording->error ? 0 : record_collector_step(recording->collector);

    if (taken < 0)
        recording->error = (int)taken;
    return taken > 0;
}

static int prepare(struct recording *recording, const struct program_paths *paths, char *error)
{
    const struct record_program *request = recording->request;
    char what[TRACE_ERROR_BYTES];
    int status =
        program_preload(&recording->added, paths, paths->record_library, request->row, error);

    if (status)
        return status;
    if (snprintf(recording->partial, sizeof recording->partial, "%s.partial", request->file) >=
        PATH_MAX)
        return refuse(error, PROGRAM_USAGE, "the name of the file is too long");
    unlink(recording->partial); /* of a recording that was killed */
    if (trace_writer_open(&recording->writer, recording->partial, request->level, what) != 0)
        return refuse(error, PROGRAM_USAGE, what);
    int failed = record_collector_make(&recording->collector, recording->writer, request->with);
    if (!failed)
        failed = environment_add(&recording->added, RECORD_VARIABLE,
                                 record_collector_path(recording->collector));
    if (!failed)
        failed = write_about(recording);
    return failed ? refuse(error, PROGRAM_FAILED, strerror(-failed)) : 0;
}

static void tell_why_nothing(struct record_result *result)
{
    snprintf(result->why, sizeof result->why, "%s",
             result->counts.processes == 0
                 ? "the program did not load libtidemark-record.so (it is linked statically, runs "
                   "with other rights or dropped its environment)"
                 : "the program asked for no memory");
}

/* The trace gets its name, or goes. */
static int keep(struct recording *recording, struct record_result *result, char *error)
{
    result->file_bytes = trace_writer_bytes(recording->writer);
    int failed = trace_writer_close(recording->writer);
    recording->writer = NULL;
    if (!failed && result->counts.events == 0) {
        tell_why_nothing(result);
        unlink(recording->partial);
        return 0;
    }
    if (!failed && rename(recording->partial, recording->request->file) != 0)
        failed = -errno;
    result->is_kept = !failed;
    if (!failed)
        return 0;
    snprintf(error, PROGRAM_ERROR_BYTES,
             "the trace could not be written: %s; %.300s is what there is", strerror(-failed),
             recording->partial);
    return PROGRAM_FAILED;
}

static int run(struct recording *recording, struct record_result *result, char *error)
{
    const struct program_run program = {.name = "record",
                                        .argv = recording->request->argv,
                                        .added = &recording->added,
                                        .tick_ns = TICK_NS,
                                        .on_tick = collect,
                                        .context = recording,
                                        .is_ours = recording->request->is_ours};
    const uint64_t began_ns = clock_monotonic_ns();
    int failed = program_run(&program, &result->exit_status);

    result->program_ns = clock_monotonic_ns() - began_ns;
    if (failed)
        return refuse(error, PROGRAM_FAILED, strerror(-failed));
    failed = record_collector_end(recording->collector, &result->counts);
    if (!failed)
        failed = write_end(recording->writer, &result->counts);
    if (failed) {
        snprintf(error, PROGRAM_ERROR_BYTES,
                 "the trace could not be written: %s; %.300s is what there is", strerror(-failed),
                 recording->partial);
        return PROGRAM_FAILED;
    }
    return keep(recording, result, error);
}

int record_program_run(const struct record_program *request, const struct program_paths *paths,
                       struct record_result *result, char *error)
{
    static struct recording recording; /* too large for a stack */

    memset(&recording, 0, sizeof recording);
    recording.request = request;
    memset(result, 0, sizeof *result);
    const int status_before = prepare(&recording, paths, error);
    const int status = status_before ? status_before : run(&recording, result, error);
    if (recording.collector)
        record_collector_free(recording.collector);
    if (recording.writer) {
        trace_writer_close(recording.writer);
        if (status_before)
            unlink(recording.partial);
    }
    return status;
}
