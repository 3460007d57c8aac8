/*
 * A cell planned as `tidemark run` plans it, and tidemark-sites in place of tidemark-child. Leaves
 * out real CPythons, whose own tracemalloc does the same.
 */
#define _GNU_SOURCE
#include "harness/snapshot_workload.h"

#include "harness/command.h"
#include "harness/plan.h"
#include "harness/process.h"
#include "harness/snapshot_folder.h"
#include "harness/snapshot_symbols.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

enum { CHILD_STDERR_BYTES = 2048 };

static int refuse(char *error, int status, const char *what)
{
    snprintf(error, SNAPSHOT_ERROR_BYTES, "%.400s", what);
    return status;
}

/* The one cell of the request, into `plan`. */
static int plan_cell(const struct snapshot_workload *request, struct plan *plan, char *error)
{
    const char *const rows[] = {request->row};
    const struct plan_request wanted = {.workload = request->workload,
                                        .rows = rows,
                                        .row_count = 1,
                                        .host = "objects",
                                        .size = SIZE_QUICK,
                                        .rounds = 1};
    char what[PLAN_ERROR_BYTES];

    if (plan_add(plan, &wanted, what) != 0)
        return refuse(error, SNAPSHOT_USAGE, what);
    if (plan->cell_count != 1)
        return refuse(error, SNAPSHOT_USAGE, "one workload at a time: a sweep is several");
    if (plan->cells[0].workload->is_program)
        return refuse(error, SNAPSHOT_USAGE,
                      "that workload runs a program, whose blocks are its own: record them as in "
                      "'tidemark snapshot -- COMMAND'");
    if (plan->cells[0].not_available[0]) {
        snprintf(error, SNAPSHOT_ERROR_BYTES, "%.100s is not available here: %.300s",
                 plan->cells[0].row.text, plan->cells[0].not_available);
        return SNAPSHOT_FAILED;
    }
    return SNAPSHOT_DONE;
}

/* "tidemark-sites --stream FILE" and what tidemark-child would be given. */
static int make_command(struct command *command, const struct program_paths *paths,
                        const struct cell *cell, uint64_t seed,
                        const struct snapshot_folder *folder, const char **argv)
{
    struct program_paths sites = *paths;

    memcpy(sites.child, paths->sites, sizeof sites.child);
    int failed = command_for_cell(command, &sites, cell, seed, 0);
    argv[0] = command->argv[0];
    argv[1] = "--stream";
    argv[2] = folder->stream;
    for (size_t i = 1; i <= command->count; i++)
        argv[i + 2] = command->argv[i];
    return failed;
}

static int tell_end(int status, char *said, char *error)
{
    if (WIFSIGNALED(status))
        snprintf(error, SNAPSHOT_ERROR_BYTES, "the recorded process was ended by signal %d (%s)",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
    else
        snprintf(error, SNAPSHOT_ERROR_BYTES, "the recorded process failed: %.400s", said);
    error[strcspn(error, "\n")] = '\0';
    return SNAPSHOT_FAILED;
}

static int run_cell(const struct snapshot_workload *request, const struct program_paths *paths,
                    const struct cell *cell, const struct snapshot_folder *folder, char *error)
{
    static struct command command;
    static char said[CHILD_STDERR_BYTES];
    const char *argv[COMMAND_ARGUMENTS + 3];
    int status = 0;
    int failed = make_command(&command, paths, cell, request->seed, folder, argv);
    const struct process_request process = {.argv = argv,
                                            .environment =
                                                (const char *const *)command.environment.variables,
                                            .errors = said,
                                            .errors_bytes = sizeof said};

    said[0] = '\0';
    if (!failed)
        failed = process_run(&process, &status);
    if (failed == -EINTR)
        return refuse(error, SNAPSHOT_INTERRUPTED, "interrupted");
    if (failed)
        return refuse(error, SNAPSHOT_FAILED, strerror(-failed));
    return status == 0 ? SNAPSHOT_DONE : tell_end(status, said, error);
}

static int read_stream(const struct cell *cell, const struct snapshot_folder *folder,
                       json_t **document, char *error)
{
    json_t *domains = json_pack("[s, s]", "object", "raw");
    char parameters[256];

    json_t *read = snapshot_stream_read(folder->stream, domains, error);
    json_decref(domains);
    if (!read)
        return SNAPSHOT_FAILED;
    cell_format_parameters(cell, parameters, sizeof parameters);
    json_object_set_new(
        read, "recorded",
        json_sprintf("%s:%s, on %s", cell->workload->name, parameters, cell->row.text));
    snapshot_symbols_add(read, NULL);
    *document = read;
    return SNAPSHOT_DONE;
}

int snapshot_workload_run(const struct snapshot_workload *request,
                          const struct program_paths *paths, json_t **document, char *error)
{
    static struct plan plan; /* zeros; this is called once */
    struct snapshot_folder folder;
    int status = plan_cell(request, &plan, error);

    if (status == SNAPSHOT_DONE) {
        int failed = snapshot_folder_make(&folder);
        if (failed)
            status = refuse(error, SNAPSHOT_FAILED, strerror(-failed));
        else
            status = run_cell(request, paths, &plan.cells[0], &folder, error);
        if (status == SNAPSHOT_DONE)
            status = read_stream(&plan.cells[0], &folder, document, error);
        if (!failed)
            snapshot_folder_remove(&folder);
    }
    plan_free(&plan);
    return status;
}
