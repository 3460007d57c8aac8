/*
 * fork, exec and a wait that now and then raises a counter in a shared page. Leaves out ptrace and
 * signals: a program under them is another one.
 */
#define _GNU_SOURCE
#include "harness/snapshot_program.h"

#include "harness/environment.h"
#include "harness/row.h"
#include "harness/sites/control.h"
#include "harness/snapshot_folder.h"
#include "harness/snapshot_symbols.h"
#include "harness/snapshot_workload.h"
#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRELOAD_BYTES = 3 * PATH_MAX, EXIT_NOT_EXECUTED = 127, EXIT_SIGNAL = 128 };

struct started {
    const struct snapshot_program *request;
    struct snapshot_folder folder;
    struct control *control;
    struct environment added; /* on top of the caller's own */
    pid_t pid;
};

static volatile sig_atomic_t passed_to;

static void pass_on(int number)
{
    if (passed_to)
        kill((pid_t)passed_to, number);
}

static int refuse(char *error, int status, const char *what)
{
    snprintf(error, SNAPSHOT_ERROR_BYTES, "%.480s", what);
    return status;
}

/* --- What is preloaded. --- */

/* The file that serves malloc on this row: empty for glibc, which needs none. Returns 0 or a status
 * with a message in `error`. */
static int find_allocator(const struct program_paths *paths, const struct row *row, char *file,
                          char *error)
{
    const struct allocator *allocator = row->object.allocator;
    const char *slash = strrchr(paths->snapshot_library, '/');

    file[0] = '\0';
    if (row->not_available[0]) {
        snprintf(error, SNAPSHOT_ERROR_BYTES, "%.100s is not available here: %.300s", row->text,
                 row->not_available);
        return SNAPSHOT_FAILED;
    }
    if (strcmp(allocator->name, "glibc") == 0)
        return 0;
    if (strcmp(allocator->name, "pymalloc-locked") == 0 &&
        strcmp(row->raw.allocator->name, "glibc") == 0) {
        snprintf(file, PATH_MAX, "%.*s/libtidemark-pymalloc.so",
                 (int)(slash - paths->snapshot_library), paths->snapshot_library);
        return 0;
    }
    if (!(allocator->capabilities & ALLOCATOR_PRELOAD)) {
        snprintf(error, SNAPSHOT_ERROR_BYTES,
                 "a program cannot run on %.100s: no library holds its malloc (accepted: glibc, "
                 "jemalloc, mimalloc, tcmalloc, pymalloc-locked, the path of a malloc library)",
                 row->text);
        return SNAPSHOT_USAGE;
    }
    snprintf(file, PATH_MAX, "%s", row->object.path[0] ? row->object.path : allocator->soname);
    return 0;
}

static int prepare(struct started *started, const struct program_paths *paths, char *error)
{
    const char *own = getenv("LD_PRELOAD");
    char file[PATH_MAX] = "", preload[PRELOAD_BYTES], what[ROW_ERROR_BYTES];
    struct row row;
    int status = 0;

    memset(&started->added, 0, sizeof started->added);
    if (started->request->row) {
        if (row_parse(&row, started->request->row, what) != 0)
            return refuse(error, SNAPSHOT_USAGE, what);
        status = find_allocator(paths, &row, file, error);
        if (!status && environment_add_row(&started->added, &row) != 0)
            status = refuse(error, SNAPSHOT_FAILED, "too many tunables");
    }
    /* First in the line, so that the allocator's malloc is the next one. */
    int wrote = snprintf(preload, sizeof preload, "%s%s%s%s%s", paths->snapshot_library,
                         file[0] ? ":" : "", file, own && own[0] ? ":" : "", own ? own : "");
    if (!status &&
        (wrote >= PRELOAD_BYTES || environment_add(&started->added, "LD_PRELOAD", preload) != 0 ||
         environment_add(&started->added, CONTROL_VARIABLE, started->folder.path) != 0))
        status = refuse(error, SNAPSHOT_FAILED, "LD_PRELOAD would be too long");
    return status;
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

_Noreturn static void become(const struct started *started, const struct sigaction *before)
{
    char *const *argv = started->request->argv;

    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGQUIT, &before[1], NULL);
    for (size_t i = 0; i < started->added.count; i++)
        putenv(started->added.variables[i]);
    execvp(argv[0], argv);
    fprintf(stderr, "tidemark snapshot: cannot execute %s: %s\n", argv[0], strerror(errno));
    _exit(EXIT_NOT_EXECUTED);
}

/* Until it has ended. A terminal sends Ctrl-C to the program as well, which decides what it means;
 * SIGTERM and SIGHUP come to this process alone. */
static int wait_for(const struct started *started)
{
    const uint64_t every_ms = started->request->every_ns / 1000000;
    int pid_fd = pidfd_open(started->pid, 0), status = 0;

    while (pid_fd >= 0 && every_ms > 0) {
        struct pollfd watched = {.fd = pid_fd, .events = POLLIN};
        int ready = poll(&watched, 1, every_ms > INT_MAX ? INT_MAX : (int)every_ms);
        if (ready > 0)
            break;
        if (ready == 0)
            atomic_fetch_add(&started->control->requests, 1);
    }
    while (waitpid(started->pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid_fd >= 0)
        close(pid_fd);
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

static int run(struct started *started, int *exit_status)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN}, pass = {.sa_handler = pass_on};
    struct sigaction before[4];

    sigaction(SIGINT, &ignore, &before[0]);
    sigaction(SIGQUIT, &ignore, &before[1]);
    fflush(NULL);
    started->pid = fork();
    if (started->pid == 0)
        become(started, before);
    int error = started->pid < 0 ? -errno : 0;
    passed_to = error ? 0 : started->pid;
    sigaction(SIGTERM, &pass, &before[2]);
    sigaction(SIGHUP, &pass, &before[3]);
    if (!error)
        *exit_status = wait_for(started);
    passed_to = 0;
    sigaction(SIGINT, &before[0], NULL);
    sigaction(SIGQUIT, &before[1], NULL);
    sigaction(SIGTERM, &before[2], NULL);
    sigaction(SIGHUP, &before[3], NULL);
    return error;
}

/* --- What was recorded. --- */

static json_t *describe(const struct snapshot_program *request)
{
    enum { WORD_BYTES = 80, TEXT_BYTES = 512 };
    char text[TEXT_BYTES] = "", quoted[TEXT_QUOTED_BYTES(WORD_BYTES)], word[WORD_BYTES];
    size_t used = 0;

    for (size_t i = 0; request->argv[i] && used < sizeof text - 1; i++) {
        snprintf(word, sizeof word, "%s", request->argv[i]);
        snprintf(text + used, sizeof text - used, "%s%s", i ? " " : "", text_quote(word, quoted));
        used = strlen(text);
    }
    text_make_printable(text);
    json_t *described =
        json_sprintf("%s, on %s", text, request->row ? request->row : "its own malloc");
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
