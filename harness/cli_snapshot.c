/*
 * tidemark snapshot: which lines hold memory. Leaves out recording (harness/sites/) and comparing
 * (harness/snapshot_compare.h). Its words are those of CPython's tracemalloc.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/snapshot_compare.h"
#include "harness/snapshot_file.h"
#include "harness/snapshot_program.h"
#include "harness/snapshot_text.h"
#include "harness/snapshot_workload.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { USUAL_TOP = 10, MOST_TOP = 100000, MOST_FILES = 2, USUAL_SEED = 1 };

enum option_key {
    OPTION_FROM = 256,
    OPTION_TO,
    OPTION_BY,
    OPTION_TOP,
    OPTION_JSON,
    OPTION_EVERY,
    OPTION_PROGRAM,
    OPTION_SEED
};

struct snapshot_options {
    const char *workload, *row, *from, *to, *output, *program;
    const char *files[MOST_FILES];
    size_t file_count;
    char **command; /* NULL: none was given */
    enum snapshot_by by;
    uint64_t top, every_ns, seed;
    int json;
};

static const struct argp_option option_table[] = {
    {"workload", 'w', "WORKLOAD", 0, "Record this workload: name:param=value,...", 1},
    {"allocator", 'a', "ROW", 0,
     "Run it on this row (default: pymalloc for a workload, its own malloc for a program)", 1},
    {"seed", OPTION_SEED, "N", 0, "Of the workload's random numbers (default 1)", 1},
    {"every", OPTION_EVERY, "TIME", 0,
     "Of a program also a snapshot each TIME, 10ms to 1h: at its next malloc", 2},
    {"program", OPTION_PROGRAM, "NAME", 0,
     "Record the first program of this name that COMMAND starts, not COMMAND itself", 2},
    {"from", OPTION_FROM, "SNAPSHOT", 0,
     "Compare with this snapshot, by its name or number; none: with nothing (default: the first, "
     "where there are more than one)",
     3},
    {"to", OPTION_TO, "SNAPSHOT", 0, "Compare this snapshot (default: the last)", 3},
    {"by", OPTION_BY, "line|stack|type|domain", 0,
     "Group by source line, whole call stack, type of object, or domain of the runtime (default "
     "line)",
     3},
    {"top", OPTION_TOP, "N", 0, "Print the N rows that changed most, 1 to 100000 (default 10)", 3},
    {"output", 'o', "FILE", 0, "Keep all snapshots in FILE (results/FORMAT.md, snapshot)", 4},
    {"json", OPTION_JSON, NULL, 0, "Print JSON", 4},
    {0},
};

static void read_number(struct argp_state *state, const char *flag, const char *text,
                        uint64_t minimum, uint64_t maximum, uint64_t *number)
{
    if (text_parse_number(text, minimum, maximum, number) != 0)
        argp_error(state, "%s: '%s' is no number between %llu and %llu", flag, text,
                   (unsigned long long)minimum, (unsigned long long)maximum);
}

static void read_every(struct argp_state *state, const char *text, uint64_t *every_ns)
{
    const uint64_t shortest_ns = UINT64_C(10000000), longest_ns = UINT64_C(3600000000000);

    if (text_parse_duration(text, every_ns) != 0 || *every_ns < shortest_ns ||
        *every_ns > longest_ns)
        argp_error(state, "--every: '%s' is no time between 10ms and 60min", text);
}

static void take_argument(struct argp_state *state, struct snapshot_options *options,
                          const char *argument)
{
    /* All behind `--` is a command, with its own options. */
    if (state->quoted && state->next > state->quoted) {
        options->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return;
    }
    if (options->file_count == MOST_FILES)
        argp_error(state, "one file, or two to compare, not '%s' too (a command stands behind --)",
                   argument);
    options->files[options->file_count++] = argument;
}

static void check_options(struct argp_state *state, const struct snapshot_options *options)
{
    const int sources =
        (options->workload != NULL) + (options->command != NULL) + (options->file_count > 0);

    if (sources != 1)
        argp_error(state, sources ? "one of them: a workload (-w), a command (behind --) or files"
                                  : "what of? A workload (-w), a command (behind --) or files");
    if (options->file_count > 0 && (options->row || options->output))
        argp_error(state, "a file is shown as it is: without -a and -o");
    if (!options->command && (options->every_ns || options->program))
        argp_error(state, "--every and --program are for a command (behind --)");
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct snapshot_options *options = state->input;

    switch (key) {
    case 'w':
        options->workload = argument;
        return 0;
    case 'a':
        options->row = argument;
        return 0;
    case 'o':
        options->output = argument;
        return 0;
    case OPTION_SEED:
        read_number(state, "--seed", argument, 0, INT64_MAX, &options->seed);
        return 0;
    case OPTION_EVERY:
        read_every(state, argument, &options->every_ns);
        return 0;
    case OPTION_PROGRAM:
        options->program = argument;
        return 0;
    case OPTION_FROM:
        options->from = argument;
        return 0;
    case OPTION_TO:
        options->to = argument;
        return 0;
    case OPTION_BY:
        if (snapshot_by_parse(argument, &options->by) != 0)
            argp_error(state, "--by: '%s' is none of line, stack, type and domain", argument);
        return 0;
    case OPTION_TOP:
        read_number(state, "--top", argument, 1, MOST_TOP, &options->top);
        return 0;
    case OPTION_JSON:
        options->json = 1;
        return 0;
    case ARGP_KEY_ARG:
        take_argument(state, options, argument);
        return 0;
    case ARGP_KEY_END:
        check_options(state, options);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_snapshot_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[FILE...] [-- COMMAND...]",
    .doc =
        "Record every block that a workload or any program asks for, with its call stack, and "
        "print where those that are alive came from: snapshots compared, in the lines of CPython's "
        "tracemalloc, the most grown first, and the stack of the biggest. A workload is recorded "
        "in a process of its own, at its baseline and at the end of each phase; a program by a "
        "library that is preloaded, at its end and with --every also while it runs. Of two files "
        "the last snapshots are compared."
        "\vLines need debug information (-g); without it a site is a function or an offset. Times "
        "of what is recorded are not its own: docs/snapshot.md says what recording costs, "
        "`tidemark overhead` measures it.\n\n"
        "Example:\n"
        "  tidemark snapshot -w waste:n=10k,values=retained\n"
        "  tidemark snapshot -w user_batches:n=200k --to build --by type\n"
        "  tidemark snapshot -o before.json.gz --every 1s -- python3 server.py\n"
        "  tidemark snapshot -a jemalloc --by stack --top 3 -- ./program --its-option\n"
        "  tidemark snapshot before.json.gz after.json.gz\n\n"
        "Exit status: 0 printed; 1 it could not be recorded or read; 2 usage, or nothing is called "
        "as asked for; 127 the command cannot be executed; 128 and more, a signal ended the "
        "command, whose own status it is otherwise.",
};

static int fail(int status, const char *message)
{
    fprintf(stderr, "tidemark snapshot: %s\n", message);
    return status;
}

/* --- Which snapshots. --- */

/* By its name, or its number from 1. NULL when there is none. */
static const json_t *find_snapshot(const json_t *document, const char *name)
{
    const json_t *snapshots = json_object_get(document, "snapshots"), *snapshot;
    uint64_t number;
    size_t i;

    json_array_foreach(snapshots, i, snapshot)
    {
        if (strcmp(json_text(snapshot, "name"), name) == 0)
            return snapshot;
    }
    if (text_parse_number(name, 1, json_array_size(snapshots), &number) == 0)
        return json_array_get(snapshots, number - 1);
    return NULL;
}

static int refuse_name(const json_t *document, const char *name)
{
    const json_t *snapshots = json_object_get(document, "snapshots"), *snapshot;
    char text[64];
    size_t i;

    fprintf(stderr, "tidemark snapshot: no snapshot is called '%s'; there are:", name);
    json_array_foreach(snapshots, i, snapshot)
    {
        snprintf(text, sizeof text, "%s", json_text(snapshot, "name"));
        text_make_printable(text);
        fprintf(stderr, " %s", text);
    }
    putc('\n', stderr);
    return CLI_USAGE;
}

static const json_t *last_snapshot(const json_t *document)
{
    const json_t *snapshots = json_object_get(document, "snapshots");
    const size_t count = json_array_size(snapshots);

    return count ? json_array_get(snapshots, count - 1) : NULL;
}

/* `first` is the earlier document, or the same. */
static int choose(const struct snapshot_options *options, const json_t *first, const json_t *second,
                  struct snapshot_question *question)
{
    const json_t *snapshots = json_object_get(first, "snapshots");

    *question = (struct snapshot_question){
        .from = {first, NULL}, .to = {second, last_snapshot(second)}, .by = options->by};
    if (!question->to.snapshot)
        return fail(CLI_FAILED, "there is no snapshot in it");
    if (first != second)
        question->from.snapshot = last_snapshot(first);
    else if (json_array_size(snapshots) > 1)
        question->from.snapshot = json_array_get(snapshots, 0);
    if (options->to) {
        question->to.snapshot = find_snapshot(second, options->to);
        if (!question->to.snapshot)
            return refuse_name(second, options->to);
    }
    if (!options->from)
        return CLI_OK;
    question->from.snapshot = find_snapshot(first, options->from);
    if (!question->from.snapshot && strcmp(options->from, "none") != 0)
        return refuse_name(first, options->from);
    return CLI_OK;
}

static int print(const struct snapshot_options *options, const struct snapshot_question *question)
{
    int error = 0;

    if (options->json) {
        json_t *answer = snapshot_to_json(question, options->top);
        error = answer ? json_dumpf(answer, stdout, JSON_INDENT(2)) : -ENOMEM;
        json_decref(answer);
        putchar('\n');
    } else {
        if (question->from.document != question->to.document)
            snapshot_print_head(stdout, question->from.document);
        snapshot_print_head(stdout, question->to.document);
        error = snapshot_print(stdout, question, options->top);
    }
    return error ? fail(CLI_FAILED, "not enough memory to compare") : CLI_OK;
}

static int show(const struct snapshot_options *options, const json_t *first, const json_t *second)
{
    struct snapshot_question question;
    int status = choose(options, first, second, &question);

    return status == CLI_OK ? print(options, &question) : status;
}

/* --- Where they are from. --- */

static int show_files(const struct snapshot_options *options)
{
    char error[SNAPSHOT_ERROR_BYTES];
    json_t *documents[MOST_FILES] = {NULL};
    int status = CLI_OK;

    for (size_t i = 0; i < options->file_count && status == CLI_OK; i++) {
        documents[i] = snapshot_file_read(options->files[i], error);
        if (!documents[i])
            status = fail(CLI_FAILED, error);
    }
    if (status == CLI_OK)
        status = show(options, documents[0], documents[options->file_count - 1]);
    for (size_t i = 0; i < options->file_count; i++)
        json_decref(documents[i]);
    return status;
}

/* Keeps and shows what was recorded. */
static int finish(const struct snapshot_options *options, const json_t *document)
{
    char error[SNAPSHOT_ERROR_BYTES];

    if (options->output && snapshot_file_write(options->output, document, error) != 0)
        return fail(CLI_FAILED, error);
    return show(options, document, document);
}

static int record_workload(const struct snapshot_options *options,
                           const struct program_paths *paths)
{
    const struct snapshot_workload request = {.workload = options->workload,
                                              .row = options->row ? options->row : "pymalloc",
                                              .seed = options->seed};
    char error[SNAPSHOT_ERROR_BYTES];
    json_t *document = NULL;
    int status = snapshot_workload_run(&request, paths, &document, error);

    if (status != SNAPSHOT_DONE)
        return fail(status, error);
    status = finish(options, document);
    json_decref(document);
    return status;
}

static int record_program(const struct snapshot_options *options, const struct program_paths *paths)
{
    const struct snapshot_program request = {.argv = options->command,
                                             .row = options->row,
                                             .program = options->program,
                                             .every_ns = options->every_ns};
    char error[SNAPSHOT_ERROR_BYTES];
    json_t *document = NULL;
    int exit_status = 0;

#ifdef TIDEMARK_SANITIZED
    return fail(CLI_FAILED, "a build with a sanitizer has no library to preload");
#endif
    int status = snapshot_program_run(&request, paths, &exit_status, &document, error);
    if (status != SNAPSHOT_DONE)
        return fail(status, error);
    if (error[0])
        fail(CLI_FAILED, error);
    status = document ? finish(options, document) : CLI_FAILED;
    json_decref(document);
    return exit_status ? exit_status : status;
}

int cli_snapshot(int argc, char **argv)
{
    struct snapshot_options options = {.top = USUAL_TOP, .seed = USUAL_SEED};
    struct program_paths paths;
    char error[SNAPSHOT_ERROR_BYTES];

    argp_parse(&cli_snapshot_parser, argc, argv, ARGP_IN_ORDER, NULL, &options);
    if (options.file_count > 0)
        return cli_finish("snapshot", show_files(&options));
    if (options.output && snapshot_file_try(options.output, error) != 0)
        return fail(CLI_USAGE, error);
    if (cli_find_programs("snapshot", &paths) != CLI_OK)
        return CLI_FAILED;
    return cli_finish("snapshot", options.workload ? record_workload(&options, &paths)
                                                   : record_program(&options, &paths));
}
