/*
 * tidemark exec: a program of somebody's under each row: a run of the workload `program`
 * (workloads/program.c). Leaves out all that a run does (cli_run.c); adds what the outputs of its
 * rows say of each other, where that was asked for.
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/describe_command.h"
#include "harness/json_file.h"
#include "workloads/workload.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    OPTION_REPEAT = 256,
    OPTION_TICK,
    OPTION_OUTPUT,
    OPTION_TIMEOUT,
    OPTION_WARM_UP,
    OPTION_REPORT,
    WORD_BYTES = 2 * WORKLOAD_TEXT_BYTES + 64,
    OUTPUT_BYTES = 32, /* of it */
    MOST_ARGUMENTS = 64,
};

struct exec_options {
    char **command;
    char *passed[MOST_ARGUMENTS]; /* to `tidemark run` */
    int count, compares_output, has_row;
};

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0, "Rows, separated by commas; may be repeated (needed)", 1},
    {"repeat", OPTION_REPEAT, "N", 0, "Times under each row, 1 to 1000 (default 1)", 2},
    {"tick", OPTION_TICK, "TIME", 0, "Sampling interval, 100us to 1s (default 1ms)", 2},
    {"timeout", OPTION_TIMEOUT, "TIME", 0, "Limit of one time, 1s to 60min (default 2min)", 2},
    {"warm-up", OPTION_WARM_UP, "SIZE", 0,
     "Work of the processors before the first sample, as in tidemark run (default 1GiB)", 2},
    {"compare-output", OPTION_OUTPUT, NULL, 0,
     "Compare what the program writes to its stdout, by checksum, too", 2},
    {"output", 'o', "FOLDER", 0, "The run folder, new or empty (default results/TIME-exec)", 3},
    {"report", OPTION_REPORT, NULL, 0, "Draw the report", 3},
    {0},
};

static void pass(struct argp_state *state, struct exec_options *options, const char *flag,
                 char *value)
{
    union {
        const char *given;
        char *taken; /* main()'s argv is of char * for the sake of old code */
    } word = {.given = flag};

    if (options->count + 2 >= MOST_ARGUMENTS)
        argp_error(state, "too many options");
    options->passed[options->count++] = word.taken;
    if (value)
        options->passed[options->count++] = value;
}

static void take_command(struct argp_state *state, struct exec_options *options)
{
    if (!state->quoted || state->next <= state->quoted)
        argp_error(state, "'%s'? The command stands behind --", state->argv[state->next - 1]);
    options->command = &state->argv[state->next - 1];
    state->next = state->argc;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct exec_options *options = state->input;

    switch (key) {
    case 'a':
        options->has_row = 1;
        pass(state, options, "-a", argument);
        return 0;
    case OPTION_REPEAT:
        pass(state, options, "--rounds", argument);
        return 0;
    case OPTION_TICK:
        pass(state, options, "--tick", argument);
        return 0;
    case OPTION_TIMEOUT:
        pass(state, options, "--timeout", argument);
        return 0;
    case OPTION_WARM_UP:
        pass(state, options, "--warm-up", argument);
        return 0;
    case OPTION_OUTPUT:
        options->compares_output = 1;
        return 0;
    case OPTION_REPORT:
        pass(state, options, "--report", NULL);
        return 0;
    case 'o':
        pass(state, options, "-o", argument);
        return 0;
    case ARGP_KEY_ARG:
        take_command(state, options);
        return 0;
    case ARGP_KEY_END:
        if (!options->command)
            argp_error(state, "what? A command, behind --");
        if (!options->has_row)
            argp_error(state, "on what? Rows: -a glibc,jemalloc,...");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_exec_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "-- COMMAND...",
    .doc =
        "Run a program, as it is, under each row, whose malloc is preloaded, and record time, peak "
        "and the curve of its memory: of all processes that it starts, together. One that ends "
        "with another exit status than on the first row is an error, not a figure; with "
        "--compare-output one that writes something else is told of."
        "\vResident memory is each process's own, and once the most that any of them shares; "
        "pages that forks share count once. A row whose malloc the program never loaded, "
        "since it is linked statically, runs with other rights or drops its environment, is an "
        "error, not a figure. The program's stdin is empty. It has the environment of this "
        "command, "
        "but for what would change an allocator. A line with a name, written to the descriptor "
        "that "
        "TIDEMARK_PHASE_FD names, begins a phase.\n\n"
        "Example:\n"
        "  tidemark exec -a glibc,jemalloc,mimalloc --repeat 6 -- python3 script.py\n"
        "  tidemark exec -a glibc,glibc+arena_max:1 --compare-output -- xz -9 -k -c file\n\n"
        "Exit status: 0 every row ran to its end and did the same; 1 one did not; 2 usage; 130 "
        "interrupted.",
};

/* Returns 0, or -1 for a command that is too long. */
static int name_workload(const struct exec_options *options, char *word)
{
    char line[WORKLOAD_TEXT_BYTES];

    if (describe_command_exactly(options->command, line, sizeof line) != 0 ||
        cli_name_workload(word, WORD_BYTES - OUTPUT_BYTES, "program:command", line) != 0)
        return -1;
    snprintf(word + strlen(word), OUTPUT_BYTES, ",output=%s",
             options->compares_output ? "read" : "dropped");
    return 0;
}

/* --- What the rows say of each other. --- */

struct first_sample {
    char row[ROW_TEXT_BYTES];
    uint64_t checksum;
    int is_there;
};

static uint64_t checksum_of(const json_t *sample)
{
    return strtoull(json_text(sample, "checksum"), NULL, 16);
}

/* Returns 1 when it wrote something else than the first. Another exit status makes a sample none
 * that ran (harness/program_exits.h). */
static int differs(const struct first_sample *first, const char *row, uint64_t checksum)
{
    if (checksum != first->checksum)
        fprintf(stderr, "tidemark exec: on %s the program wrote something else than on %s\n", row,
                first->row);
    return checksum != first->checksum;
}

/* A sample that ran, of the row with this number. */
static int is_good(const json_t *sample, json_int_t cell)
{
    return strcmp(json_text(sample, "status"), "ok") == 0 &&
           json_integer_value(json_object_get(sample, "cell")) == cell;
}

/* The first row, in the order of the plan, that has a good sample is what all are held against. */
static struct first_sample find_first(const json_t *cells, const json_t *samples)
{
    struct first_sample first = {.is_there = 0};

    for (size_t cell = 0; cell < json_array_size(cells) && !first.is_there; cell++) {
        size_t i;
        const json_t *sample;
        json_array_foreach(samples, i, sample)
        {
            if (first.is_there || !is_good(sample, (json_int_t)cell))
                continue;
            first.is_there = 1;
            first.checksum = checksum_of(sample);
            snprintf(first.row, sizeof first.row, "%s",
                     json_text(json_array_get(cells, cell), "allocator"));
        }
    }
    return first;
}

static int compare_all(const json_t *cells, const json_t *samples)
{
    const struct first_sample first = find_first(cells, samples);
    int different = 0;
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        const size_t cell = (size_t)json_integer_value(json_object_get(sample, "cell"));
        if (is_good(sample, (json_int_t)cell))
            different |= differs(&first, json_text(json_array_get(cells, cell), "allocator"),
                                 checksum_of(sample));
    }
    return different;
}

/* What this command's own run has just written. Returns an exit status. */
static int compare_rows(const char *folder)
{
    struct cli_samples read;

    if (cli_samples_read(&read, "exec", folder) != 0)
        return CLI_FAILED;
    const int different = compare_all(read.cells, read.samples);
    cli_samples_free(&read);
    return different ? CLI_FAILED : CLI_OK;
}

static int too_long(void)
{
    char message[128];

    snprintf(message, sizeof message,
             "the command is too long (accepted: up to %d bytes, as a shell would write it)",
             WORKLOAD_TEXT_BYTES - 1);
    return cli_usage_error("exec", message);
}

int cli_exec(int argc, char **argv)
{
    static char run[] = "run", workload[] = "-w", word[WORD_BYTES], folder[CLI_FOLDER_BYTES];
    static char no_control[] = "--no-control", rounds[] = "--rounds", once[] = "1";
    struct exec_options options = {.passed = {run, workload, word, no_control, rounds, once},
                                   .count = 6};

    argp_parse(&cli_exec_parser, argc, argv, ARGP_IN_ORDER, NULL, &options);
    if (name_workload(&options, word) != 0)
        return too_long();
    const struct cli_words_run asked = {
        .count = options.count, .words = options.passed, .name = "exec"};
    const int status = cli_run_words(&asked, folder);
    if (status == CLI_USAGE || status == CLI_INTERRUPTED || !folder[0])
        return status;
    const int compared = compare_rows(folder);
    return status ? status : compared;
}
