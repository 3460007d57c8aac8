/*
 * Runs tidemark-check and reads its line. Leaves out trust: the process holds an allocator that may
 * do anything, so what it says counts only as far as its end bears it out.
 */
#define _GNU_SOURCE
#include "harness/check_process.h"

#include "harness/clock.h"
#include "harness/command.h"
#include "harness/process.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/* Of tidemark-check --help. */
enum { EXIT_NOT_AVAILABLE = 3 };

/* It ends itself after its time and says where it was; one that cannot is killed so much later. */
enum { GRACE_SECONDS = 2 };

/* Room for every line that a check may say. */
enum { CHECK_OUTPUT_BYTES = 16384 };

const char *check_status_name(enum check_status status)
{
    static const char *const names[] = {
        [CHECK_OK] = "ok",
        [CHECK_FAILED] = "FAIL",
        [CHECK_NOT_AVAILABLE] = "n/a",
        [CHECK_KNOWN] = "known",
    };

    return names[status];
}

static int build_command(struct command *command, const char *program, const struct check *check,
                         const struct row *row, const struct check_limits *limits)
{
    char seed[32], timeout[32];
    const char *const pairs[][2] = {
        {"--check", check->name},
        {"--object", row_component_name(&row->object)},
        {"--raw", row->raw.allocator ? row_component_name(&row->raw) : NULL},
        {"--seed", seed},
        {"--timeout", timeout},
    };
    int error = 0;

    snprintf(seed, sizeof seed, "%" PRIu64, limits->seed);
    snprintf(timeout, sizeof timeout, "%u", limits->timeout_seconds);
    command_init(command, program);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0] && !error; i++) {
        if (!pairs[i][1])
            continue;
        error = command_add(command, pairs[i][0]);
        if (!error)
            error = command_add(command, pairs[i][1]);
    }
    return error ? error : environment_add_row(&command->environment, row);
}

/* Control characters and what is no ASCII become '?', except the ends of lines. */
static void make_printable(char *text)
{
    for (char *at = text; *at; at++) {
        if (*at != '\n' && *at != '\t' && (*at < ' ' || *at > '~'))
            *at = '?';
    }
}

/* Reads "STATUS\tSENTENCE" up to the end of the line. Returns 0, or -EINVAL when it is none. */
static int read_line(const char *line, struct check_result *result)
{
    static const enum check_status told[] = {CHECK_OK, CHECK_FAILED, CHECK_NOT_AVAILABLE};

    for (size_t i = 0; i < sizeof told / sizeof told[0]; i++) {
        const char *name = check_status_name(told[i]);
        size_t length = strlen(name);
        if (strncmp(line, name, length) != 0 || line[length] != '\t')
            continue;
        const char *sentence = line + length + 1;
        result->status = told[i];
        snprintf(result->finding, sizeof result->finding, "%.*s", (int)strcspn(sentence, "\n"),
                 sentence);
        return 0;
    }
    return -EINVAL;
}

static const char amid[] = "amid\t"; /* of a broken promise after which the check went on */

/* The first line that begins so or, with `other`, the first that does not; NULL: there is none. */
static const char *find_line(const char *output, const char *beginning, int other)
{
    for (const char *line = output; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (*line && (strncmp(line, beginning, strlen(beginning)) != 0) == other)
            return line;
    }
    return NULL;
}

/* The first line of a failure, else the first: a process may fail after it has said ok, at its end.
 */
static const char *deciding_line(const char *output)
{
    const char *failure = find_line(output, "FAIL\t", 0);
    const char *line = failure ? failure : find_line(output, amid, 1);

    return line ? line : "";
}

static const char *last_line(const char *said)
{
    size_t end = strlen(said);

    while (end > 0 && said[end - 1] == '\n')
        end--;
    while (end > 0 && said[end - 1] != '\n')
        end--;
    return said + end;
}

/* A failure whose sentence is how the process ended. */
static void fail_by_end(struct check_result *result, int wait_status, const char *when)
{
    const char *line = last_line(result->said);
    int is_signal = WIFSIGNALED(wait_status);

    result->status = CHECK_FAILED;
    snprintf(result->finding, sizeof result->finding, "%sit ends with %s %d%s%.*s", when,
             is_signal ? "signal" : "status",
             is_signal ? WTERMSIG(wait_status) : WEXITSTATUS(wait_status), *line ? ": " : "",
             (int)strcspn(line, "\n"), line);
}

static void judge_end(struct check_result *result, const char *output, int wait_status)
{
    int is_not_opened = WIFEXITED(wait_status) && WEXITSTATUS(wait_status) == EXIT_NOT_AVAILABLE;
    const char *colon = strstr(last_line(result->said), ": ");

    if (read_line(deciding_line(output), result) == 0) {
        if (result->status == CHECK_OK && wait_status != 0)
            fail_by_end(result, wait_status, "the promise is kept, but at its end ");
    } else if (is_not_opened) {
        result->status = CHECK_FAILED;
        snprintf(result->finding, sizeof result->finding, "it cannot be opened: %.*s",
                 colon ? (int)strcspn(colon + 2, "\n") : 0, colon ? colon + 2 : "");
    } else {
        fail_by_end(result, wait_status, "");
    }
}

/*
 * What was broken amid a check that went on: a failure where the check passed otherwise; where all
 * that is known so far is a known deviation, one that is not known counts before it.
 */
static void judge_amid(struct check_result *result, const char *output, const char *check,
                       const struct row *row)
{
    char finding[CHECK_TEXT_BYTES];

    for (const char *line = find_line(output, amid, 0); line;
         line = find_line(strchr(line, '\n'), amid, 0)) {
        const char *sentence = line + strlen(amid);
        snprintf(finding, sizeof finding, "%.*s", (int)strcspn(sentence, "\n"), sentence);
        int is_known = check_deviation_find(check, row, finding) != NULL;
        if (result->status == CHECK_OK || (result->status == CHECK_KNOWN && !is_known)) {
            result->status = is_known ? CHECK_KNOWN : CHECK_FAILED;
            memcpy(result->finding, finding, sizeof finding);
        }
    }
}

int check_process_run(const struct check *check, const struct row *row,
                      const struct program_paths *paths, const struct check_limits *limits,
                      struct check_result *result)
{
    char output[CHECK_OUTPUT_BYTES] = "";
    struct command command;
    int wait_status = 0;
    const uint64_t began_ns = clock_monotonic_ns();
    int error = build_command(&command, paths->check, check, row, limits);
    struct process_request request = {
        .argv = (const char *const *)command.argv,
        .environment = (const char *const *)command.environment.variables,
        .output = output,
        .output_bytes = sizeof output,
        .errors = result->said,
        .errors_bytes = sizeof result->said,
        .timeout_ns = (limits->timeout_seconds + GRACE_SECONDS) * (uint64_t)CLOCK_SECOND_NS,
        .own_group = 1,
    };

    memset(result, 0, sizeof *result);
    if (!error)
        error = process_run(&request, &wait_status);
    result->seconds = clock_seconds_since(began_ns);
    if (error && error != -ETIMEDOUT)
        return error;
    make_printable(result->said);
    make_printable(output);
    if (error) {
        result->status = CHECK_FAILED;
        snprintf(result->finding, sizeof result->finding,
                 "it was killed: it has not ended after %u s, nor when it was told to",
                 limits->timeout_seconds);
    } else {
        judge_end(result, output, wait_status);
    }
    if (result->status == CHECK_FAILED && check_deviation_find(check->name, row, result->finding))
        result->status = CHECK_KNOWN;
    judge_amid(result, output, check->name, row);
    return 0;
}
