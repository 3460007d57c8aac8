/*
 * One fork, one exec, two pipes and a wait. Leaves out popen and system: they would put a shell in
 * between.
 */
#define _GNU_SOURCE
#include "harness/process.h"

#include "harness/clock.h"
#include "harness/interrupts.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t running_pid; /* as kill takes it: negative for a group */
static volatile sig_atomic_t interrupted;

static void pass_on(int number)
{
    interrupted = 1;
    interrupts_note();
    if (running_pid)
        kill((pid_t)running_pid, number);
    if (running_pid < 0)
        alarm(INTERRUPT_PATIENCE_SECONDS);
}

/* A group that did not end in time. */
static void on_alarm(int number)
{
    (void)number;
    if (running_pid < 0)
        kill((pid_t)running_pid, SIGKILL);
}

/* A pipe whose read end is kept, filling `text` with the end of what comes. */
struct capture {
    int read_fd, write_fd;
    char *text;
    size_t room, used;
    void (*on_read)(void *context, const char *bytes, size_t count);
    void *context;
};

static int capture_open(struct capture *capture, char *text, size_t text_bytes)
{
    int fds[2];

    *capture = (struct capture){.read_fd = -1, .write_fd = -1, .text = text};
    if (!text)
        return 0;
    text[0] = '\0';
    capture->room = text_bytes - 1;
    if (pipe2(fds, O_CLOEXEC) != 0)
        return -errno;
    capture->read_fd = fds[0];
    capture->write_fd = fds[1];
    return 0;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* Reads once; closes its end at end of file. When the room is full the oldest half makes place. */
static void capture_read(struct capture *capture)
{
    if (capture->used == capture->room) {
        size_t kept = capture->room / 2;
        memmove(capture->text, capture->text + capture->used - kept, kept);
        capture->used = kept;
    }
    ssize_t got =
        read(capture->read_fd, capture->text + capture->used, capture->room - capture->used);
    if (got < 0 && errno == EINTR)
        return;
    if (got <= 0) {
        close_fd(&capture->read_fd);
        return;
    }
    if (capture->on_read)
        capture->on_read(capture->context, capture->text + capture->used, (size_t)got);
    capture->used += (size_t)got;
    capture->text[capture->used] = '\0';
}

/* Until both ends are closed. Returns 0, or -ETIMEDOUT at the deadline (0: there is none). */
static int capture_all(struct capture *output, struct capture *errors, uint64_t deadline_ns)
{
    while (output->read_fd >= 0 || errors->read_fd >= 0) {
        struct pollfd watched[] = {{.fd = output->read_fd, .events = POLLIN},
                                   {.fd = errors->read_fd, .events = POLLIN}};
        uint64_t now_ns = clock_monotonic_ns();
        if (deadline_ns && now_ns >= deadline_ns)
            return -ETIMEDOUT;
        uint64_t left_ms = deadline_ns ? (deadline_ns - now_ns) / 1000000u + 1 : 0;
        if (poll(watched, 2, !deadline_ns ? -1 : left_ms > INT_MAX ? INT_MAX : (int)left_ms) < 0)
            continue;
        if (watched[0].revents)
            capture_read(output);
        if (watched[1].revents)
            capture_read(errors);
    }
    return 0;
}

_Noreturn static void become(const struct process_request *request, const struct capture *output,
                             const struct capture *errors, pid_t parent)
{
    /* exec takes char *const for the sake of old code and changes nothing (POSIX, exec, RATIONALE).
     */
    union {
        const char *const *given;
        char *const *taken;
    } argv = {.given = request->argv}, environment = {.given = request->environment};

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(127);
    if (request->own_group)
        setpgid(0, 0);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGHUP, SIG_DFL);
    signal(SIGPIPE, SIG_DFL);
    int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null_fd, STDIN_FILENO);
    if (output->write_fd >= 0)
        dup2(output->write_fd, STDOUT_FILENO);
    if (errors->write_fd >= 0)
        dup2(errors->write_fd, STDERR_FILENO);
    if (request->environment)
        execvpe(argv.taken[0], argv.taken, environment.taken);
    else
        execvp(argv.taken[0], argv.taken);
    dprintf(STDERR_FILENO, "cannot execute %s: %s\n", argv.taken[0], strerror(errno));
    _exit(127);
}

/* Waits for the leader and kills what it left behind; its number is the group's until it is reaped.
 */
static void end_group(pid_t leader)
{
    siginfo_t info;

    while (waitid(P_PID, (id_t)leader, &info, WEXITED | WNOWAIT) < 0 && errno == EINTR)
        continue;
    kill(-leader, SIGKILL);
}

int process_run(const struct process_request *request, int *wait_status)
{
    struct sigaction action = {.sa_handler = pass_on}, expire = {.sa_handler = on_alarm}, old_int,
                     old_term, old_hup, old_alarm;
    struct capture output, errors = {.read_fd = -1, .write_fd = -1};
    pid_t parent = getpid();
    int error = capture_open(&output, request->output, request->output_bytes);

    if (!error)
        error = capture_open(&errors, request->errors, request->errors_bytes);
    output.on_read = request->on_output;
    output.context = request->context;
    const uint64_t deadline_ns =
        request->timeout_ns ? clock_monotonic_ns() + request->timeout_ns : 0;
    interrupted = 0;
    sigaction(SIGINT, &action, &old_int);
    sigaction(SIGTERM, &action, &old_term);
    sigaction(SIGHUP, &action, &old_hup);
    sigaction(SIGALRM, &expire, &old_alarm);
    pid_t pid = error ? -1 : fork();
    if (pid == 0)
        become(request, &output, &errors, parent);
    if (pid < 0 && !error)
        error = -errno;
    if (pid > 0 && request->own_group)
        setpgid(pid, pid); /* in both, so that neither waits for the other */
    running_pid = pid < 0 ? 0 : request->own_group ? -pid : pid;
    if (interrupted && running_pid < 0)
        pass_on(SIGTERM); /* it came before there was one to pass it to */
    close_fd(&output.write_fd);
    close_fd(&errors.write_fd);
    if (pid > 0) {
        error = capture_all(&output, &errors, deadline_ns);
        if (error)
            kill((pid_t)running_pid, SIGKILL);
        if (request->own_group)
            end_group(pid);
        while (waitpid(pid, wait_status, 0) < 0 && errno == EINTR)
            continue;
    }
    running_pid = 0;
    close_fd(&output.read_fd);
    close_fd(&errors.read_fd);
    sigaction(SIGINT, &old_int, NULL);
    sigaction(SIGTERM, &old_term, NULL);
    sigaction(SIGHUP, &old_hup, NULL);
    alarm(0);
    sigaction(SIGALRM, &old_alarm, NULL);
    return error ? error : interrupted ? -EINTR : 0;
}

int process_ask(const char *const argv[], char *line, size_t line_bytes)
{
    char output[512], errors[64];
    struct process_request request = {.argv = argv,
                                      .output = output,
                                      .output_bytes = sizeof output,
                                      .errors = errors,
                                      .errors_bytes = sizeof errors};
    int status = 0;
    int error = process_run(&request, &status);

    if (error)
        return error;
    output[strcspn(output, "\n")] = '\0';
    if (status != 0 || output[0] == '\0' || strlen(output) >= line_bytes)
        return -EINVAL;
    snprintf(line, line_bytes, "%s", output);
    return 0;
}
