/*
 * Runs another program to its end: git, an interpreter, Google Benchmark. Leaves out samples, which
 * need a page and limits (harness/spawn.h). A program started here dies with this one
 * (PR_SET_PDEATHSIG) and with SIGINT, SIGTERM or SIGHUP to it.
 */
#ifndef TIDEMARK_HARNESS_PROCESS_H
#define TIDEMARK_HARNESS_PROCESS_H

#include <stddef.h>
#include <stdint.h>

struct process_request {
    const char *const *argv;        /* argv[0] is looked for in PATH */
    const char *const *environment; /* NULL: this process's own */
    char *output; /* the end of what it prints on stdout; NULL: stdout goes where this process's
                     goes */
    size_t output_bytes;
    char *errors; /* the same for stderr */
    size_t errors_bytes;
    uint64_t timeout_ns; /* it is killed after so long; 0: it may take as long as it likes */
    int own_group;       /* 1: a process group of its own, which is killed with it, and two seconds
                            after a signal that it was to end by */
    /* Called with each piece of stdout as it comes, where `output` is given; NULL: not. */
    void (*on_output)(void *context, const char *bytes, size_t count);
    void *context; /* of on_output */
};

/*
 * Runs it and waits. Returns 0 with the wait(2) status in `wait_status`, or a negative errno when
 * it could not be started. A SIGINT, SIGTERM or SIGHUP to this process meanwhile is passed on, and
 * noted (harness/interrupts.h), and
 * -EINTR returned once the program has ended. -ETIMEDOUT when it was killed after its time. One at
 * a time.
 */
int process_run(const struct process_request *request, int *wait_status);

/*
 * Asks for one line: runs argv, with stderr silenced, and keeps the first line that it prints,
 * without its newline. Returns 0; -EINVAL when it fails or prints nothing. `line` is untouched on
 * failure.
 */
int process_ask(const char *const argv[], char *line, size_t line_bytes);

#endif
