/*
 * A program (harness/program.h) that shares a page with this process, which now and then raises a
 * counter in it. Leaves out what a snapshot is (harness/sites/).
 */
#define _GNU_SOURCE
#include "harness/snapshot_program.h"

#include "harness/describe_command.h"
#include "harness/environment.h"
#include "harness/program.h"
#include "harness/sites/control.h"
#include "harness/snapshot_folder.h"
#include "harness/snapshot_symbols.h"
#include "harness/snapshot_workload.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct started {
    const struct snapshot_program *request;
    struct snapshot_folder folder;
    struct control *control;
    struct environment added; /* on top of the caller's own */
};

static int refuse(char *error, int status, const char *what)
{
    snprintf(error, SNAPSHOT_ERROR_BYTES, "%.480s", what);
    return status;
}

static int prepare(struct started *started, const struct program_paths *paths, char *error)
{
    char what[PROGRAM_ERROR_BYTES];
    const int status = program_preload(&started->added, paths, paths->snapshot_library,
                                       started->request->row, what);

    if (status)
        return refuse(error, status == PROGRAM_USAGE ? SNAPSHOT_USAGE : SNAPSHOT_FAILED, what);
    return environment_add(&started->added, CONTROL_VARIABLE, started->folder.path) == 0
               ? 0
               : refuse(error, SNAPSHOT_FAILED, "too many variables");
}

/* --- The page. --- */

static int make_control(struct started *started)
{
    int fd = open(started->folder.control, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    const char *program = started->request->program;

    if (fd < 0)
        return -errno;
    int error = ftruncate(fd, sizeof(struct control)) == 0 ? 0 : -errno;
    void *page =
        error ? MAP_FAILED
              : mmap(NULL, sizeof(struct control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (!error && page == MAP_FAILED)
        error = -errno;
    close(fd);
    if (error)
        return error;
    started->control = page;
    started->control->layout = CONTROL_LAYOUT;
    snprintf(started->control->program, sizeof started->control->program, "%s",
             program ? program : "");
    return 0;
}

/* --- The program. --- */

static int ask_for_snapshot(void *context)
{
    const struct started *started = context;

    atomic_fetch_add(&started->control->requests, 1);
    return 0;
}

static int run(struct started *started, int *exit_status)
{
    const struct program_run program = {.name = "snapshot",
                                        .argv = started->request->argv,
                                        .added = &started->added,
                                        .tick_ns = started->request->every_ns,
                                        .on_tick = ask_for_snapshot,
                                        .context = started,
                                        .is_ours = started->request->is_ours};

    return program_run(&program, exit_status);
}

/* --- What was recorded. --- */

static json_t *describe(const struct snapshot_program *request)
{
    char text[DESCRIBE_COMMAND_BYTES];
    json_t *described = json_sprintf("%s, on %s", describe_command(request->argv, text),
                                     request->row ? request->row : "its own malloc");
    return described ? described : json_string("a program");
}

/* Why there is nothing, or what is not in it. */
static void tell_rest(const struct started *started, const json_t *document, char *error)
{
    const struct control *control = started->control;
    const uint32_t others = atomic_load(&control->others), images = atomic_load(&control->images);
    const int failed = atomic_load(&control->error);

    error[0] = '\0';
    if (images == 0 && others == 0)
        refuse(error, 0,
               "nothing was recorded: the program did not load libtidemark-snapshot.so (it is "
               "linked statically, or runs with other rights)");
    else if (images == 0)
        snprintf(error, SNAPSHOT_ERROR_BYTES,
                 "nothing was recorded: none of the %u programs is called '%s'", others,
                 control->program);
    else if (failed)
        snprintf(error, SNAPSHOT_ERROR_BYTES, "a snapshot could not be taken: %s",
                 strerror(-failed));
    else if (json_array_size(json_object_get(document, "snapshots")) == 0)
        refuse(error, 0, "nothing was recorded: the program ended without a chance to write");
    else if (others > 0)
        snprintf(error, SNAPSHOT_ERROR_BYTES,
                 "%u more program%s started and %s not in it; --program NAME chooses one", others,
                 others == 1 ? " was" : "s were", others == 1 ? "is" : "are");
}

static int collect(const struct started *started, json_t **document, char *error)
{
    char folder[PATH_MAX];
    json_t *domains = json_pack("[s]", "malloc");
    json_t *read = snapshot_stream_read(started->folder.stream, domains, error);

    json_decref(domains);
    if (!read)
        return SNAPSHOT_FAILED;
    tell_rest(started, read, error);
    if (json_array_size(json_object_get(read, "snapshots")) == 0) {
        json_decref(read);
        *document = NULL;
        return SNAPSHOT_DONE;
    }
    json_object_set_new(read, "recorded", describe(started->request));
    snapshot_symbols_add(read, getcwd(folder, sizeof folder) ? folder : "");
    *document = read;
    return SNAPSHOT_DONE;
}

int snapshot_program_run(const struct snapshot_program *request, const struct program_paths *paths,
                         int *exit_status, json_t **document, char *error)
{
    static struct started started; /* too large for a stack */

    memset(&started, 0, sizeof started);
    started.request = request;
    int failed = snapshot_folder_make(&started.folder);
    if (failed)
        return refuse(error, SNAPSHOT_FAILED, strerror(-failed));
    int status = prepare(&started, paths, error);
    if (status == SNAPSHOT_DONE) {
        failed = make_control(&started);
        if (!failed)
            failed = run(&started, exit_status);
        status = failed ? refuse(error, SNAPSHOT_FAILED, strerror(-failed))
                        : collect(&started, document, error);
    }
    if (started.control)
        munmap(started.control, sizeof *started.control);
    snapshot_folder_remove(&started.folder);
    return status;
}
