/*
 * program: somebody's program, as it is, on the malloc of the row: its library is preloaded. What
 * is measured is all processes beneath this one (harness/process_tree.h). Deviations: its stdin is
 * empty, and its stdout is read for a checksum or thrown away (workloads/program_process.h).
 * Source: the program.
 */
#include "workloads/program_process.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_WORDS = WORKLOAD_TEXT_BYTES / 2 }; /* of one byte, and the one behind it */

enum { OUTPUT_DROPPED, OUTPUT_READ };

/* Static: what a program needs before its first phase. */
static char text[WORKLOAD_TEXT_BYTES];
static char *words[MOST_WORDS + 1];

/* "%0A" is a newline: what is no printable ASCII (harness/describe_command.h). Returns how many
 * bytes were read. */
static size_t take_byte(const char *at, char *byte)
{
    *byte = *at;
    if (*at != '%' || !isxdigit((unsigned char)at[1]) || !isxdigit((unsigned char)at[2]))
        return 1;
    const char code[] = {at[1], at[2], '\0'};
    *byte = (char)strtoul(code, NULL, 16);
    return 3;
}

/* One word of a line as a POSIX shell has it, with quotes and backslashes and nothing else. Returns
 * what is behind it; the word is unquoted in place. */
static char *take_word(char *at, char **word)
{
    char *to = at;
    int is_quoted = 0;

    *word = at;
    while (*at && (is_quoted || *at != ' ')) {
        if (*at == '\'') {
            is_quoted = !is_quoted;
            at++;
            continue;
        }
        if (*at == '\\' && !is_quoted && at[1])
            at++;
        at += take_byte(at, to++);
    }
    if (*at)
        at++;
    *to = '\0';
    return at;
}

static int split_command(const char *command)
{
    size_t count = 0;
    char *at = text;

    snprintf(text, sizeof text, "%s", command);
    while (*at && count < MOST_WORDS) {
        while (*at == ' ')
            at++;
        if (*at)
            at = take_word(at, &words[count++]);
    }
    words[count] = NULL;
    return count > 0 && !*at ? 0 : -EINVAL;
}

static int run(struct workload_context *context)
{
    const struct program_command command = {
        .words = words, .reads_output = workload_value(context, "output") == OUTPUT_READ};
    int error = split_command(workload_text(context, "command"));

    if (error)
        return error;
    workload_phase(context, "run");
    error = program_process_run(context, &command);
    workload_idle(context);
    return error;
}

static const char *const outputs[] = {"dropped", "read", NULL};

static const struct parameter parameters[] = {
    {.name = "command",
     .summary = "words as a shell has them",
     .kind = PARAMETER_TEXT,
     .quick = "true",
     .full = "true"},
    {.name = "output",
     .summary = "of the command: dropped, or read for the checksum",
     .kind = PARAMETER_CHOICE,
     .choices = outputs,
     .quick = "dropped",
     .full = "dropped"},
    {0},
};

const struct workload workload_program = {
    .name = "program",
    .summary = "a program, as it is, with the row's malloc preloaded",
    .source = "the program",
    .parameters = parameters,
    .is_program = 1,
    .run = run,
};
