/*
 * fork, exec and a wait with a tick: see program.h. Leaves out a group of its own for the program:
 * it is in the foreground, as it would be without us.
 */
#define _GNU_SOURCE
#include "harness/program.h"

#include "harness/interrupts.h"

#include "harness/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRELOAD_BYTES = 3 * PATH_MAX, EXIT_NOT_EXECUTED = 127, EXIT_SIGNAL = 128 };
enum { SIGNALS = 4 };

static const int signals[SIGNALS] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP};

static volatile sig_atomic_t passed_to;

static void pass_on(int number)
{
    if (passed_to)
        kill((pid_t)passed_to, number);
}

/* Of a program that is ours to end; if it does not within a while, SIGALRM kills it. */
static void pass_to_group(int number)
{
    interrupts_note();
    pass_on(number);
    alarm(INTERRUPT_PATIENCE_SECONDS);
}

static void kill_group(int number)
{
    (void)number;
    pass_on(SIGKILL);
}

/* --- What is preloaded. --- */

int program_find_malloc(const struct program_paths *paths, const struct row *row, char *file,
                        char *error)
{
    const struct allocator *allocator = row->object.allocator;
    const char *slash = strrchr(paths->snapshot_library, '/');

    file[0] = '\0';
    if (row->not_available[0]) {
        snprintf(error, PROGRAM_ERROR_BYTES, "%.100s is not available here: %.300s", row->text,
                 row->not_available);
        return PROGRAM_FAILED;
    }
    if (strcmp(allocator->name, "glibc") == 0)
        return 0;
    if (strcmp(allocator->name, "pymalloc-locked") == 0 &&
        strcmp(row->raw.allocator->name, "glibc") == 0) {
        snprintf(file, PATH_MAX, "%.*s/libtidemark-pymalloc.so",
                 (int)(slash - paths->snapshot_library), paths->snapshot_library);
        return 0;
    }
    /* Its malloc is in a library beside that of the row, and of the same package. */
    if (strcmp(allocator->name, "tbb") == 0) {
        snprintf(file, PATH_MAX, "libtbbmalloc_proxy.so.2");
        return 0;
    }
    if (!(allocator->capabilities & ALLOCATOR_PRELOAD)) {
        snprintf(
            error, PROGRAM_ERROR_BYTES,
            "a program cannot run on %.100s: no library holds its malloc (accepted: glibc, "
            "jemalloc, mimalloc, tcmalloc, tbb, pymalloc-locked, the path of a malloc library)",
            row->text);
        return PROGRAM_USAGE;
    }
    snprintf(file, PATH_MAX, "%s", row->object.path[0] ? row->object.path : allocator->soname);
    return 0;
}

/* Adds `file` to the colon-joined list. Returns 0 or -E2BIG. */
static int join(char *list, const char *file)
{
    const size_t used = strlen(list);
    const int wrote =
        snprintf(list + used, PRELOAD_BYTES - used, "%s%s", used && file[0] ? ":" : "", file);

    return used + (size_t)wrote < PRELOAD_BYTES ? 0 : -E2BIG;
}

int program_preload(struct environment *added, const struct program_paths *paths,
                    const char *library, const char *text, char *error)
{
    const char *own = getenv("LD_PRELOAD");
    char file[PATH_MAX] = "", list[PRELOAD_BYTES] = "", what[ROW_ERROR_BYTES];
    struct row row;

    if (text) {
        if (row_parse(&row, text, what) != 0) {
            snprintf(error, PROGRAM_ERROR_BYTES, "%.480s", what);
            return PROGRAM_USAGE;
        }
        const int status = program_find_malloc(paths, &row, file, error);
        if (status)
            return status;
        if (environment_add_row(added, &row) != 0) {
            snprintf(error, PROGRAM_ERROR_BYTES, "too many tunables");
            return PROGRAM_FAILED;
        }
    }
    /* Ours first in the line, so that the allocator's malloc is the next one. */
    if (join(list, library) != 0 || join(list, file) != 0 || join(list, own ? own : "") != 0 ||
        (list[0] && environment_add(added, "LD_PRELOAD", list) != 0)) {
        snprintf(error, PROGRAM_ERROR_BYTES, "LD_PRELOAD would be too long");
        return PROGRAM_FAILED;
    }
    return 0;
}

/* --- The program. --- */

_Noreturn static void become(const struct program_run *run, const struct sigaction *before,
                             const struct sigaction *before_alarm)
{
    sigaction(SIGALRM, before_alarm, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    if (run->is_ours)
        setpgid(0, 0);
    for (size_t i = 0; i < run->added->count; i++)
        putenv(run->added->variables[i]);
    execvp(run->argv[0], run->argv);
    fprintf(stderr, "tidemark %s: cannot execute %s: %s\n", run->name, run->argv[0],
            strerror(errno));
    _exit(EXIT_NOT_EXECUTED);
}

/* Until it is reaped its number is that of its group. */
static void end_group(pid_t leader)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
    kill(-leader, SIGKILL);
}

static int wait_for(const struct program_run *run, pid_t pid)
{
    const int pid_fd = pidfd_open(pid, 0);
    const struct timespec tick = {.tv_sec = (time_t)(run->tick_ns / 1000000000),
                                  .tv_nsec = (long)(run->tick_ns % 1000000000)};
    const struct timespec at_once = {0};
    struct pollfd watched = {.fd = pid_fd, .events = POLLIN};
    int status = 0, again = 0;

    while (pid_fd >= 0 && run->tick_ns > 0) {
        const int ready = ppoll(&watched, 1, again ? &at_once : &tick, NULL);
        if (ready > 0)
            break;
        if (ready == 0)
            again = run->on_tick(run->context);
    }
    if (run->is_ours)
        end_group(pid);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (pid_fd >= 0)
        close(pid_fd);
    return WIFSIGNALED(status) ? EXIT_SIGNAL + WTERMSIG(status) : WEXITSTATUS(status);
}

int program_run(const struct program_run *run, int *exit_status)
{
    const struct sigaction ignore = {.sa_handler = SIG_IGN},
                           pass = {.sa_handler = run->is_ours ? pass_to_group : pass_on},
                           expire = {.sa_handler = kill_group};
    struct sigaction before[SIGNALS], before_alarm;

    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], i < 2 && !run->is_ours ? &ignore : &pass, &before[i]);
    sigaction(SIGALRM, &expire, &before_alarm);
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0)
        become(run, before, &before_alarm);
    const int error = pid < 0 ? -errno : 0;
    if (!error && run->is_ours)
        setpgid(pid, pid); /* in both, so that neither waits for the other */
    passed_to = error ? 0 : run->is_ours ? -pid : pid;
    if (!error && run->is_ours && *interrupts_noted())
        pass_to_group(SIGTERM); /* it came before there was one to pass it to */
    if (!error)
        *exit_status = wait_for(run, pid);
    passed_to = 0;
    alarm(0);
    sigaction(SIGALRM, &before_alarm, NULL);
    for (size_t i = 0; i < SIGNALS; i++)
        sigaction(signals[i], &before[i], NULL);
    return error;
}
