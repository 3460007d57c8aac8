/*
 * A program beneath this process: see program_process.h. Leaves out which one, and measuring it.
 */
#define _GNU_SOURCE
#include "workloads/program_process.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
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
    EXIT_SIGNAL = 128,
    PHASE_FD = 9, /* the program's own: a shell takes one digit behind >& */
};

/* Static: what a program needs before its first phase. */
static char environment[ENVIRONMENT_BYTES];
static char *variables[MOST_VARIABLES + 1];
static size_t variable_count;
static int variables_are_full; /* 1: there were more */
static char phase_names[MOST_PHASES][NAME_BYTES];

struct program {
    struct workload_context *context;
    pid_t pid;
    int pid_fd, phase_fd, output_fd; /* read ends; -1: closed */
    int children_fd;                 /* SIGCHLD, also of orphans that have come to this process */
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

static void add_variable(char *variable)
{
    if (variable_count < MOST_VARIABLES)
        variables[variable_count++] = variable;
    else
        variables_are_full = 1;
}

/* The environment that tidemark, this process's parent, was started with. Returns its bytes, or a
 * negative errno. */
static ssize_t read_callers(void)
{
    char path[64];
    size_t used = 0;
    ssize_t got = 0;

    snprintf(path, sizeof path, "/proc/%d/environ", (int)getppid());
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    while (fd >= 0 && used < sizeof environment - 1 &&
           (got = read(fd, environment + used, sizeof environment - 1 - used)) > 0)
        used += (size_t)got;
    const int error = fd < 0 || got < 0 ? -errno : used == sizeof environment - 1 ? -E2BIG : 0;
    if (fd >= 0)
        close(fd);
    if (error)
        dprintf(STDERR_FILENO, "cannot read the environment of tidemark, %s\n", path);
    return error ? error : (ssize_t)used;
}

/* What tidemark was started with, without what its children never get. Returns 0 or a negative
 * errno. */
static int add_callers(void)
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
    const ssize_t used = read_callers();

    for (ssize_t at = 0; at < used; at += (ssize_t)strlen(environment + at) + 1)
        if (!has_name(environment + at, dropped))
            add_variable(environment + at);
    return used < 0 ? (int)used : 0;
}

/* The row's own, which this process was started with. */
static void add_rows(void)
{
    static const char *const own[] = {"PATH=", "HOME=", "LANG=", "TIDEMARK_", NULL};

    for (char **variable = environ; *variable; variable++)
        if (!has_name(*variable, own))
            add_variable(*variable);
}

/* As this process has it, value and all. */
static void add_own(const char *prefix)
{
    const char *const prefixes[] = {prefix, NULL};

    for (char **variable = environ; *variable; variable++)
        if (has_name(*variable, prefixes))
            add_variable(*variable);
}

/* NAME=VALUE into `room`; not where there is no value. */
static void add_pair(char *room, size_t bytes, const char *name, const char *value)
{
    if (!value || !value[0])
        return;
    if ((size_t)snprintf(room, bytes, "%s=%s", name, value) >= bytes)
        variables_are_full = 1;
    add_variable(room);
}

/* All that a driver gets of what is not ours: the same everywhere, but for where programs are. */
static int add_drivers(void)
{
    static char fixed[][32] = {"LANG=C.UTF-8", "LC_ALL=C.UTF-8", "TZ=UTC", "PYTHONHASHSEED=0",
                               "PERL_HASH_SEED=0"};
    static char home[PRELOAD_BYTES], temporary[PRELOAD_BYTES];
    const char *scratch = getenv(PROGRAM_SCRATCH);

    if (!scratch)
        return -ENOENT;
    add_own("PATH=");
    add_own(PROGRAM_SCRATCH "=");
    add_pair(home, sizeof home, "HOME", scratch);
    add_pair(temporary, sizeof temporary, "TMPDIR", scratch);
    for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
        add_variable(fixed[i]);
    return 0;
}

/* What tells the program where to say that a phase begins: the descriptor, and the pipe that this
 * must be, since a number in the environment may outlive what it names. */
static void add_phases(int phase_fd)
{
    static char descriptor[48], inode[48];
    char number[24];
    struct stat info;

    snprintf(number, sizeof number, "%d", PHASE_FD);
    add_pair(descriptor, sizeof descriptor, "TIDEMARK_PHASE_FD", number);
    if (fstat(phase_fd, &info) != 0)
        return;
    snprintf(number, sizeof number, "%" PRIuMAX, (uintmax_t)info.st_ino);
    add_pair(inode, sizeof inode, "TIDEMARK_PHASE_INODE", number);
}

/* Ours first: the caller's may be more than fit, and who stands aside is known by the first 64 KiB
 * (harness/process_tree.h). Returns 0, or a negative errno with no environment made. */
static int make_environment(int phase_fd, enum program_part part)
{
    static char preload[PRELOAD_BYTES], aside[] = PROGRAM_ASIDE;

    variable_count = 0;
    variables_are_full = 0;
    if (part == PROGRAM_DRIVES)
        add_variable(aside);
    add_pair(preload, sizeof preload, part == PROGRAM_DRIVES ? PROGRAM_PRELOAD : "LD_PRELOAD",
             getenv(PROGRAM_PRELOAD));
    add_phases(phase_fd);
    add_own("TIDEMARK_WITNESS=");
    add_own("TIDEMARK_PAD=");
    add_rows();
    const int error = part == PROGRAM_DRIVES ? add_drivers() : add_callers();
    variables[variable_count] = NULL;
    if (!error && variables_are_full)
        dprintf(STDERR_FILENO, "its environment has more than %d variables, or one too long\n",
                MOST_VARIABLES);
    return error ? error : variables_are_full ? -E2BIG : 0;
}

/* --- Its process. --- */

/* What the program shall not have: descriptors of this process, among them those that it talks to
 * its parent by. */
static void keep_descriptors(void)
{
    enum { FIRST = 3, MOST = 256 };

    if (close_range(FIRST, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    for (int fd = FIRST; fd < MOST; fd++) /* a kernel before 5.11 */
        fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The child's ends; -1: there is none. All are closed by exec. */
struct ends {
    int phase_fd, output_fd, error_fd;
};

/* Returns 0, or -1 with errno set. */
static int place_descriptors(struct ends *ends)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(ends->output_fd >= 0 ? ends->output_fd : nothing, STDOUT_FILENO) < 0)
        return -1;
    if (ends->error_fd == PHASE_FD) {
        const int moved = fcntl(ends->error_fd, F_DUPFD_CLOEXEC, PHASE_FD + 1);
        if (moved < 0)
            return -1;
        ends->error_fd = moved;
    }
    return ends->phase_fd == PHASE_FD ? fcntl(PHASE_FD, F_SETFD, 0)
                                      : -(dup2(ends->phase_fd, PHASE_FD) < 0);
}

_Noreturn static void become(char *const *words, struct ends ends)
{
    sigset_t none;

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (place_descriptors(&ends) == 0)
        execvpe(words[0], words, variables);
    const int error = errno;
    if (write(ends.error_fd, &error, sizeof error) < 0)
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

    keep_descriptors();
    if (pipe2(phases, O_CLOEXEC) != 0 || pipe2(errors, O_CLOEXEC) != 0 ||
        (command->reads_output && pipe2(output, O_CLOEXEC) != 0))
        return -errno;
    const int made = make_environment(phases[1], command->part);
    if (made)
        return made;
    program->pid = fork();
    if (program->pid == 0)
        become(command->words, (struct ends){phases[1], output[1], errors[1]});
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

/* A name that is told again while its phase goes on begins none. */
static int goes_on(const struct program *program)
{
    return program->phases > 0 && strcmp(phase_names[program->phases - 1], program->line) == 0;
}

static void begin_named(struct program *program)
{
    program->line[program->line_used] = '\0';
    program->line_used = 0;
    if (program->phases == MOST_PHASES || !is_name(program->line) || goes_on(program))
        return;
    char *name = phase_names[program->phases++];
    memcpy(name, program->line, strlen(program->line) + 1);
    workload_phase(program->context, name);
}

/* At most `most` bytes. Returns how many. */
static size_t read_phases(struct program *program, size_t most)
{
    char bytes[LINE_BYTES];
    const ssize_t got = read(program->phase_fd, bytes, most < sizeof bytes ? most : sizeof bytes);

    if (got <= 0) {
        close(program->phase_fd);
        program->phase_fd = -1;
        return 0;
    }
    for (ssize_t i = 0; i < got; i++) {
        if (bytes[i] == '\n')
            begin_named(program);
        else if (program->line_used < sizeof program->line - 1)
            program->line[program->line_used++] = bytes[i];
    }
    return (size_t)got;
}

static size_t read_output(struct program *program, size_t most)
{
    static Bytef bytes[1 << 16];
    const ssize_t got = read(program->output_fd, bytes, most < sizeof bytes ? most : sizeof bytes);

    if (got > 0) {
        program->output = crc32(program->output, bytes, (uInt)got);
        return (size_t)got;
    }
    close(program->output_fd);
    program->output_fd = -1;
    return 0;
}

/* What is in the pipe by now: all that one who has ended has written there. Others may still write,
 * without an end. */
static void read_rest(struct program *program, int fd,
                      size_t (*take)(struct program *program, size_t most))
{
    int there = 0;

    if (fd < 0 || ioctl(fd, FIONREAD, &there) != 0)
        return;
    for (size_t left = (size_t)there, got; left > 0; left -= got) {
        got = take(program, left);
        if (got == 0)
            return;
    }
}

/* This process is the parent of those whose own has ended: they would stay as zombies. */
static void reap_orphans(const struct program *program)
{
    struct signalfd_siginfo told;
    siginfo_t ended = {.si_pid = 0};

    if (read(program->children_fd, &told, sizeof told) < 0)
        return;
    while (waitid(P_ALL, 0, &ended, WEXITED | WNOHANG | WNOWAIT) == 0 && ended.si_pid != 0 &&
           ended.si_pid != program->pid) {
        waitpid(ended.si_pid, NULL, WNOHANG);
        ended.si_pid = 0;
    }
}

/* Until it has ended and all that it wrote is read; what others still hold open is not waited for.
 */
static void serve(struct program *program)
{
    enum { END, PHASES, OUTPUT, CHILDREN, WATCHED };
    int has_ended = 0;

    while (!has_ended) {
        struct pollfd watched[WATCHED] = {{.fd = program->pid_fd, .events = POLLIN},
                                          {.fd = program->phase_fd, .events = POLLIN},
                                          {.fd = program->output_fd, .events = POLLIN},
                                          {.fd = program->children_fd, .events = POLLIN}};
        if (poll(watched, WATCHED, -1) < 0)
            continue;
        if (watched[PHASES].revents)
            read_phases(program, SIZE_MAX);
        if (watched[OUTPUT].revents)
            read_output(program, SIZE_MAX);
        if (watched[CHILDREN].revents)
            reap_orphans(program);
        has_ended = watched[END].revents != 0;
    }
    read_rest(program, program->phase_fd, read_phases);
    read_rest(program, program->output_fd, read_output);
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
    if (program->children_fd >= 0)
        close(program->children_fd);
}

/* Orphans stay in the tree. Returns a descriptor that says when a child has ended, or a negative
 * errno; the program itself gets no signal blocked. */
static int adopt_orphans(void)
{
    sigset_t ended;

    prctl(PR_SET_CHILD_SUBREAPER, 1);
    signal(SIGCHLD, SIG_DFL); /* ignored, children would leave no status */
    sigemptyset(&ended);
    sigaddset(&ended, SIGCHLD);
    sigprocmask(SIG_BLOCK, &ended, NULL);
    const int fd = signalfd(-1, &ended, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

int program_process_run(struct workload_context *context, const struct program_command *command)
{
    struct program program = {.context = context,
                              .pid_fd = -1,
                              .phase_fd = -1,
                              .output_fd = -1,
                              .children_fd = adopt_orphans(),
                              .output = crc32(0, NULL, 0)};

    const int error = program.children_fd < 0 ? program.children_fd : start(&program, command);
    if (!error) {
        serve(&program);
        gauge_add(&context->gauge->operations, 1);
        gauge_add(&context->gauge->frees, 1);
        gauge_add(&context->gauge->checksum, PROGRAM_HAS_RUN |
                                                 (uint64_t)program.output << PROGRAM_STATUS_BITS |
                                                 wait_status(program.pid));
    }
    close_all(&program);
    return error;
}

unsigned program_process_status(const struct workload_context *context)
{
    return program_status_of(atomic_load(&context->gauge->checksum));
}
