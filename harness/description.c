/*
 * One question to tidemark-describe. Leaves out keeping answers. What is asked may be any library:
 * it may print, crash or hang, and only what it does to its own process is seen here.
 */
#define _GNU_SOURCE
#include "harness/description.h"

#include "harness/clock.h"
#include "harness/command.h"
#include "harness/process.h"
#include "harness/program_paths.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Of tidemark-describe --help. */
enum { DESCRIBE_NOT_AVAILABLE = 3 };

enum { LONGEST_SECONDS = 10, ANSWER_BYTES = 1 << 16, SAID_BYTES = 1024 };

/* The last line of `text`, which is cut to end there; what is not printable ASCII becomes '?'. */
static const char *last_line(char *text)
{
    size_t used = strlen(text);

    while (used > 0 && text[used - 1] == '\n')
        text[--used] = '\0';
    for (char *at = text; *at; at++) {
        if (*at != '\n' && (*at < ' ' || *at > '~'))
            *at = '?';
    }
    const char *newline = strrchr(text, '\n');
    return newline ? newline + 1 : text;
}

static int say_death(int wait_status, char *said, char *reason)
{
    const char *line = last_line(said);
    const char *colon = strstr(line, ": ");
    int is_signal = WIFSIGNALED(wait_status);

    if (WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == DESCRIBE_NOT_AVAILABLE) {
        snprintf(reason, DESCRIPTION_REASON_BYTES, "%.300s", colon ? colon + 2 : line);
        return -ENOENT;
    }
    snprintf(reason, DESCRIPTION_REASON_BYTES, "a process that opens it ends with %s %d%s%.200s",
             is_signal ? "signal" : "status",
             is_signal ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status), line[0] ? ": " : "",
             line);
    return -ENOEXEC;
}

static int say_unasked(int error, char *reason)
{
    if (error == -ETIMEDOUT)
        snprintf(reason, DESCRIPTION_REASON_BYTES,
                 "a process that opens it has not ended after %d s", LONGEST_SECONDS);
    else
        snprintf(reason, DESCRIPTION_REASON_BYTES, "tidemark-describe cannot be started: %s",
                 strerror(-error));
    return error == -ETIMEDOUT ? -ENOEXEC : error;
}

static int build_command(struct command *command, const char *program,
                         const struct description_request *request)
{
    const char *const pairs[][2] = {
        {"--object", request->object},
        {"--raw", request->raw},
        {request->prove, request->assignment},
    };
    int error = 0;

    command_init(command, program);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && !error; i++) {
        if (!pairs[i][0] || !pairs[i][1])
            continue;
        error = command_add(command, pairs[i][0]);
        if (!error)
            error = command_add(command, pairs[i][1]);
    }
    return error;
}

int description_ask(const struct description_request *request, json_t **answer, char *reason)
{
    static char output[ANSWER_BYTES];
    char said[SAID_BYTES];
    char missing[PROGRAM_PATHS_ERROR_BYTES];
    struct program_paths paths;
    struct command command;
    int wait_status = 0;

    if (program_paths_find(&paths, missing) != 0) {
        snprintf(reason, DESCRIPTION_REASON_BYTES, "%.300s", missing);
        return -EIO;
    }
    int error = build_command(&command, paths.describe, request);
    struct process_request process = {
        .argv = (const char *const *)command.argv,
        .environment = (const char *const *)request->environment->variables,
        .output = output,
        .output_bytes = sizeof output,
        .errors = said,
        .errors_bytes = sizeof said,
        .timeout_ns = LONGEST_SECONDS * (uint64_t)CLOCK_SECOND_NS,
        .own_group = 1,
    };

    if (!error)
        error = process_run(&process, &wait_status);
    if (error)
        return say_unasked(error, reason);
    if (wait_status != 0)
        return say_death(wait_status, said, reason);
    json_t *read = json_loads(last_line(output), 0, NULL);
    if (!read) {
        snprintf(reason, DESCRIPTION_REASON_BYTES,
                 "a process that opens it does not answer, or too much");
        return -ENOEXEC;
    }
    *answer = read;
    return 0;
}
