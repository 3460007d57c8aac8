/*
 * tidemark record: every malloc and free of a program, in a file. Leaves out the recording itself
 * (harness/trace/) and what can be done with the file, which are `trace` and `replay`.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/program.h"
#include "harness/same_file.h"
#include "harness/text.h"
#include "harness/trace/record_program.h"
#include "harness/trace/record_shared.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { OPTION_STACKS = 256, OPTION_TIMES, OPTION_LEVEL, USUAL_LEVEL = 3, MOST_LEVEL = 19 };

struct record_options {
    struct record_program request;
    uint64_t level;
};

static const struct argp_option option_table[] = {
    {"output", 'o', "FILE", 0, "The trace (needed; replaced once the command has ended)", 1},
    {"allocator", 'a', "ROW", 0, "Run the command on this row (default: its own malloc)", 1},
    {"stacks", OPTION_STACKS, NULL, 0, "Record the call stack of each block too", 2},
    {"times", OPTION_TIMES, NULL, 0,
     "A time for each event, not one for each millisecond or so: some 8 ns an event", 2},
    {"level", OPTION_LEVEL, "N", 0, "Of the compression, 1 (fast) to 19 (small), default 3", 2},
    {0},
};

/* The program, a script, a file that it is given. A word without a slash is looked for in PATH if
 * it is the first one. */
static void check_words(struct argp_state *state, const struct record_options *options)
{
    char *const *argv = options->request.argv;

    for (size_t i = strchr(argv[0], '/') ? 0 : 1; argv[i]; i++)
        if (same_file_replaces(options->request.file, argv[i]))
            argp_error(state, "-o '%s' would replace '%s', which the command is given",
                       options->request.file, argv[i]);
}

static void check_options(struct argp_state *state, const struct record_options *options)
{
    if (!options->request.argv)
        argp_error(state, "what of? A command, behind --");
    if (!options->request.file)
        argp_error(state, "where to? -o FILE");
    if (options->request.argv && options->request.file)
        check_words(state, options);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct record_options *options = state->input;

    switch (key) {
    case 'o':
        options->request.file = argument;
        return 0;
    case 'a':
        options->request.row = argument;
        return 0;
    case OPTION_STACKS:
        options->request.with |= RECORD_WITH_STACKS;
        return 0;
    case OPTION_TIMES:
        options->request.with |= RECORD_WITH_TIMES;
        return 0;
    case OPTION_LEVEL:
        if (text_parse_number(argument, 1, MOST_LEVEL, &options->level) != 0)
            argp_error(state, "--level: '%s' is no number between 1 and %d", argument, MOST_LEVEL);
        return 0;
    case ARGP_KEY_ARG:
        if (!state->quoted || state->next <= state->quoted)
            argp_error(state, "'%s'? The command stands behind --", argument);
        options->request.argv = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_END:
        check_options(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_record_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "-- COMMAND...",
    .doc =
        "Record every call of malloc, calloc, realloc, free and their kin that a program makes, by "
        "which thread and in which order, into a file that `tidemark trace` shows and `tidemark "
        "replay` runs on any allocator. Programs that the command starts are recorded too, in the "
        "same file. A library is preloaded that stores a word or two for each call in memory that "
        "this process shares; names, compression and the file are this process's work, on another "
        "core where there is one."
        "\vA program that is killed is recorded up to then. A program that is linked statically, "
        "runs with other rights or drops its environment is not recorded, and that is said. Times "
        "of what is recorded are not its own: `tidemark overhead --record` measures by how much. "
        "results/FORMAT.md describes the file.\n\n"
        "Example:\n"
        "  tidemark record -o python.trace -- python3 -c 'print(sum(range(10**6)))'\n"
        "  tidemark record -o build.trace --stacks -- gcc -O2 -c file.c\n\n"
        "Exit status: 0 recorded; 1 nothing could be recorded; 2 usage; 127 the command cannot be "
        "executed; 128 and more, a signal ended the command, whose own status it is otherwise.",
};

static int fail(int status, const char *message)
{
    fprintf(stderr, "tidemark record: %s\n", message);
    return status;
}

static void warn(uint64_t count, const char *what)
{
    if (count > 0)
        fprintf(stderr, "tidemark record: %llu %s\n", (unsigned long long)count, what);
}

static void tell(const struct record_options *options, const struct record_result *result)
{
    const struct record_counts *counts = &result->counts;
    char size[TEXT_NUMBER_BYTES];

    fprintf(stderr,
            "tidemark record: %s: %llu events of %llu thread%s in %llu process%s, %s, %.2f bytes "
            "an event\n",
            options->request.file, (unsigned long long)counts->events,
            (unsigned long long)counts->threads, counts->threads == 1 ? "" : "s",
            (unsigned long long)counts->processes, counts->processes == 1 ? "" : "es",
            text_format_bytes(size, (double)result->file_bytes),
            (double)result->file_bytes / (double)counts->events);
    warn(counts->unseen, "blocks whose free was not seen: ended where their place was given again");
    warn(counts->lost, "programs could not be recorded (no memory, or a kernel before 4.14)");
    warn(counts->missed, "calls of signal handlers are not in it: too many at once");
    warn(counts->unnumbered, "processes are not in it: there are too many");
}

int cli_record(int argc, char **argv)
{
    struct record_options options = {.level = USUAL_LEVEL};
    struct record_result result;
    struct program_paths paths;
    char error[PROGRAM_ERROR_BYTES];

    argp_parse(&cli_record_parser, argc, argv, ARGP_IN_ORDER, NULL, &options);
#ifdef TIDEMARK_SANITIZED
    return fail(CLI_FAILED, "a build with a sanitizer has no library to preload");
#endif
    options.request.level = (int)options.level;
    if (cli_find_programs("record", &paths) != CLI_OK)
        return CLI_FAILED;
    const int status = record_program_run(&options.request, &paths, &result, error);
    if (status)
        return fail(status, error);
    if (result.is_kept)
        tell(&options, &result);
    else
        fprintf(stderr, "tidemark record: nothing was recorded: %s\n", result.why);
    return result.exit_status ? result.exit_status : result.is_kept ? CLI_OK : CLI_FAILED;
}
