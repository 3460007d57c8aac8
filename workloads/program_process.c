/*
 * A program beneath this process: see program_process.h. Leaves out which one, and measuring it.
 */
#define _GNU_SOURCE
#include "workloads/program_process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

enum {
    MOST_VARIABLES = 4096,
    ENVIRONMENT_BYTES = 1 << 20,
    LINE_BYTES = 128,
    NAME_BYTES = 24, /* of a phase */
    MOST_PHASES = 12,
    PRELOAD_BYTES = 4096,
    STATUS_BITS = 16, /* of the checksum, in which the status stands below that of the output */
    EXIT_SIGNAL = 128,
};

#define HAS_RUN (UINT64_C(1) << 63) /* in the checksum: it is never 0 */

/* Static: what a program needs before its first phase. */
static char environment[ENVIRONMENT_BYTES];
static char *variables[MOST_VARIABLES + 1];
static char phase_names[MOST_PHASES][NAME_BYTES];

struct program {
    struct workload_context *context;
    pid_t pid;
    int pid_fd, phase_fd, output_fd; /* read ends; -1: closed */
    char line[LINE_BYTES];
    size_t line_used, phases;
    uLong output; /* CRC-32 */
};

/* --- Its environment. --- */

static int has_name(const char *variable, const char *const *prefixes)
{
    for (; *prefixes; prefixes++)
        if (strncmp(variable, *prefixes, strlen(*prefixes)) == 0)
            return 1;
    return 0;
}

static size_t add_variable(size_t count, char *variable)
{
    if (count < MOST_VARIABLES)
        variables[count++] = variable;
    return count;
}

/* What tidemark was started with, of this process's parent: without what its children never get. */
static size_t add_callers(size_t count)
{
    static const char *const dropped[] = {"GLIBC_TUNABLES=",
                                          "MALLOC_",
                                          "MIMALLOC_",
                                          "TCMALLOC_",
                                          "TBB_MALLOC_",
                                          "GC_",
                                          "G_SLICE=",
                                          "_RJEM_",
                                          "LD_PRELOAD=",
                                          "HEAPPROFILE=",
                                          "HEAPCHECK=",
                                          "TIDEMARK_",
                                          NULL};
    char path[64];

    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t used = 0;
    ssize_t got;
    while (fd >= 0 && used < sizeof environment - 1 &&
           (got = read(fd, environment + used, sizeof environment - 1 - used)) > 0)
        used += (size_t)got;
    if (fd >= 0)
        close(fd);
    for (size_t at = 0; at < used; at += strlen(environment + at) + 1)
        if (!has_name(environment + at, dropped))
            count = add_variable(count, environment + at);
    return count;
}

/* The row's own, which this process was started with. */
static size_t add_rows(size_t count)
{
    static const char *const own[] = {"PATH=", "HOME=", "LANG=", "TIDEMARK_", NULL};

    for (char **variable = environ; *variable; variable++)
        if (!has_name(*variable, own))
            count = add_variable(count, *variable);
    return count;
}

/* NAME=VALUE into `room`; not where there is no value. */
static size_t add_pair(size_t count, char *room, size_t bytes, const char *name, const char *value)
{
    if (!value || !value[0])
        return count;
    snprintf(room, bytes, "%s=%s", name, value);
    return add_variable(count, room);
}

static void make_environment(int phase_fd, enum program_part part)
{
    static char phases[48], witness[256], preload[PRELOAD_BYTES], number[16];
    static char aside[] = PROGRAM_ASIDE;
    size_t count = add_rows(add_callers(0));

    snprintf(number, sizeof number, "%d", phase_fd);
    count = add_pair(count, phases, sizeof phases, "TIDEMARK_PHASE_FD", number);
    count =
        add_pair(count, witness, sizeof witness, "TIDEMARK_WITNESS", getenv("TIDEMARK_WITNESS"));
    count =
        add_pair(count, preload, sizeof preload,
                 part == PROGRAM_DRIVES ? PROGRAM_PRELOAD : "LD_PRELOAD", getenv(PROGRAM_PRELOAD));
    if (part == PROGRAM_DRIVES)
        count = add_variable(count, aside);
    variables[count] = NULL;
}

/* --- Its process. --- */

_Noreturn static void become(char *const *words, int output_fd, int error_fd)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    dup2(nothing, STDIN_FILENO);
    dup2(output_fd >= 0 ? output_fd : nothing, STDOUT_FILENO);
    signal(SIGPIPE, SIG_DFL);
    execvpe(words[0], words, variables);
    const int error = errno;
    if (write(error_fd, &error, sizeof error) < 0)
        _exit(126);
    _exit(127);
}

/* Returns 0, or the negative errno of an exec that failed. */
static int exec_error(int error_fd)
{
    int error = 0;

    return read(error_fd, &error, sizeof error) == (ssize_t)sizeof error ? -error : 0;
}

static int start(struct program *program, const struct program_command *command)
{
    int phases[2], output[2] = {-1, -1}, errors[2];

    if (pipe(phases) != 0 || pipe2(errors, O_CLOEXEC) != 0 ||
        (command->reads_output && pipe2(output, O_CLOEXEC) != 0))
        return -errno;
    fcntl(phases[0], F_SETFD, FD_CLOEXEC);
    make_environment(phases[1], command->part);
    program->pid = fork();
    if (program->pid == 0)
        become(command->words, output[1], errors[1]);
    const int forked = program->pid < 0 ? -errno : 0;
    close(phases[1]);
    close(errors[1]);
    if (output[1] >= 0)
        close(output[1]);
    program->phase_fd = phases[0];
    program->output_fd = output[0];
    const int error = forked ? forked : exec_error(errors[0]);
    close(errors[0]);
    program->pid_fd = error ? -1 : pidfd_open(program->pid, 0);
    return error ? error : program->pid_fd < 0 ? -errno : 0;
}

/* --- Its phases and its output. --- */

static int is_name(const char *name)
{
    static const char *const taken[] = {"idle", "purge", "pressure", "rebuild", NULL};

    if (!name[0] || strlen(name) >= NAME_BYTES)
        return 0;
    for (size_t i = 0; taken[i]; i++)
        if (strcmp(name, taken[i]) == 0)
            return 0;
    for (; *name; name++)
        if (!isalnum((unsigned char)*name) && !strchr("_-.", *name))
            return 0;
    return 1;
}

static void begin_named(struct program *program)
{
    program->line[program->line_used] = '\0';
    program->line_used = 0;
    if (program->phases == MOST_PHASES || !is_name(program->line))
        return;
    char *name = phase_names[program->phases++];
    memcpy(name, program->line, strlen(program->line) + 1);
    workload_phase(program->context, name);
}

static void read_phases(struct program *program)
{
    char bytes[LINE_BYTES];
    const ssize_t got = read(program->phase_fd, bytes, sizeof bytes);

    if (got <= 0) {
        close(program->phase_fd);
        program->phase_fd = -1;
        return;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            begin_named(program);
        else if (program->line_used < sizeof program->line - 1)
            program->line[program->line_used++] = bytes[i];
    }
}

static void read_output(struct program *program)
{
    static Bytef bytes[1 << 16];
    const ssize_t got = read(program->output_fd, bytes, sizeof bytes);

    if (got > 0) {
        program->output = crc32(program->output, bytes, (uInt)got);
        return;
    }
    close(program->output_fd);
    program->output_fd = -1;
}

/* Until it has ended and all that it wrote is read; what others still hold open is not waited for.
 */
static void serve(struct program *program)
{
    enum { END, PHASES, OUTPUT, WATCHED };
    int has_ended = 0;

    for (;;) {
        struct pollfd watched[WATCHED] = {
            {.fd = has_ended ? -1 : program->pid_fd, .events = POLLIN},
            {.fd = program->phase_fd, .events = POLLIN},
            {.fd = program->output_fd, .events = POLLIN}};
        const int ready = poll(watched, WATCHED, has_ended ? 0 : -1);
        if (ready < 0 && errno == EINTR)
            continue;
        if (has_ended && ready <= 0)
            return;
        if (watched[PHASES].revents)
            read_phases(program);
        if (watched[OUTPUT].revents)
            read_output(program);
        has_ended |= watched[END].revents != 0;
    }
}

static unsigned wait_status(pid_t pid)
{
    int status = 0;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFSIGNALED(status) ? EXIT_SIGNAL + (unsigned)WTERMSIG(status)
                               : (unsigned)WEXITSTATUS(status);
}

static void close_all(const struct program *program)
{
    if (program->phase_fd >= 0)
        close(program->phase_fd);
    if (program->output_fd >= 0)
        close(program->output_fd);
    if (program->pid_fd >= 0)
        close(program->pid_fd);
}

int program_process_run(struct workload_context *context, const struct program_command *command)
{
    struct program program = {.context = context,
                              .pid_fd = -1,
                              .phase_fd = -1,
                              .output_fd = -1,
                              .output = crc32(0, NULL, 0)};

    /* Orphans stay in the tree. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    const int error = start(&program, command);
    if (!error) {
        serve(&program);
        gauge_add(&context->gauge->operations, 1);
        gauge_add(&context->gauge->frees, 1);
        gauge_add(&context->gauge->checksum,
                  HAS_RUN | (uint64_t)program.output << STATUS_BITS | wait_status(program.pid));
    }
    close_all(&program);
    return error;
}

unsigned program_process_status(const struct workload_context *context)
{
    return (unsigned)(atomic_load(&context->gauge->checksum) & ((1u << STATUS_BITS) - 1));
}
