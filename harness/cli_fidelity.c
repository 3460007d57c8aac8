/*
 * tidemark fidelity: does the replay do what real CPythons did? Runs the suite, or takes a run, and
 * prints both sides. Leaves out measuring, which is run's, and the verdicts (harness/fidelity.h).
 */
#include "harness/cli.h"

#include "harness/fidelity.h"
#include "harness/fidelity_table.h"
#include "harness/plan.h"
#include "harness/recorded.h"
#include "harness/run_read.h"
#include "harness/summary.h"
#include "harness/text.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct fidelity_options {
    const char *run; /* an existing one; NULL: a new one */
    const char *folder;
    const char *recorded; /* NULL: that of this installation */
    const char *size;     /* "full" or "quick", as asked for */
    uint64_t rounds;
    const char *of_new_runs; /* an option given that only a new run takes */
    int json;
};

enum option_key { OPTION_ROUNDS = 256, OPTION_FULL, OPTION_QUICK, OPTION_RECORDED };

/* Coarser than for a figure: what is compared is the kernel's mark and the phases' ends. */
enum { TICK_NS = 10000000 };

static const struct argp_option option_table[] = {
    {"quick", OPTION_QUICK, NULL, 0,
     "The suite fidelity (default): the loop, the list, the batches and the survivors on CPython "
     "2.7, 3.8, 3.11 and 3.13",
     0},
    {"full", OPTION_FULL, NULL, 0,
     "The suite fidelity_full: other mallocs, sweeps of n and the other articles too", 0},
    {"rounds", OPTION_ROUNDS, "N", 0,
     "Samples of each cell, 1 to 1000 (default 1: memory does not vary with load); medians are "
     "compared",
     0},
    {"output", 'o', "FOLDER", 0, "The new run's folder (default results/TIME-SUITE)", 0},
    {"json", 'j', NULL, 0, "Print JSON (results/FORMAT.md, fidelity)", 0},
    {"recorded", OPTION_RECORDED, "FILE", 0,
     "Other recorded figures than those of this installation (results/FORMAT.md, recorded.json)",
     0},
    {0},
};

static void set_size(struct argp_state *state, struct fidelity_options *options, const char *size)
{
    if (options->size && strcmp(options->size, size) != 0)
        argp_error(state, "--full or --quick, not both");
    options->size = size;
    options->of_new_runs = size;
}

static void check_conflicts(const struct fidelity_options *options, struct argp_state *state)
{
    if (options->run && options->of_new_runs)
        argp_error(state, "--%s is of a new run: not with the run '%s'", options->of_new_runs,
                   options->run);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct fidelity_options *options = state->input;

    switch (key) {
    case OPTION_FULL:
        set_size(state, options, "full");
        return 0;
    case OPTION_QUICK:
        set_size(state, options, "quick");
        return 0;
    case OPTION_ROUNDS:
        if (text_parse_number(argument, 1, PLAN_MOST_ROUNDS, &options->rounds) != 0)
            argp_error(state, "--rounds: '%s' is no number between 1 and %d", argument,
                       PLAN_MOST_ROUNDS);
        options->of_new_runs = "rounds";
        return 0;
    case 'o':
        options->folder = argument;
        options->of_new_runs = "output";
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case OPTION_RECORDED:
        options->recorded = argument;
        return 0;
    case ARGP_KEY_ARG:
        if (options->run)
            argp_error(state, "one run at a time, not '%s' too", argument);
        options->run = argument;
        return 0;
    case ARGP_KEY_END:
        check_conflicts(options, state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_fidelity_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "[RUN]",
    .doc =
        "Does the replay do what real CPythons did? Each experiment of the articles, phase by "
        "phase: what a real CPython grew by above its start, what its replay grew by, the "
        "difference, the bound that it has to keep, and the share that was given back. The real "
        "one is measured here where this machine's CPython is 3.10 to 3.12, else recorded: of "
        "2.7.18, 3.8.18, 3.11.2 and 3.13.18 on x86-64 Linux with glibc 2.36. What the articles "
        "published stands beneath, with what was a property of their Python and platform. Without "
        "a run it measures one first, as tidemark run does: Ctrl-C keeps what was measured, and "
        "tidemark run --resume goes on; with one, as of tidemark run fidelity, it prints what of "
        "the experiments is in it."
        "\vExample:\n"
        "  tidemark fidelity -o results/fidelity\n"
        "  tidemark fidelity results/fidelity --json\n\n"
        "Exit status: 0 all that was compared is within its bound, or a reason is given why not; 1 "
        "something is outside without a reason, a sample failed, the run is not finished, nothing "
        "could be compared or the figures cannot be read; 2 usage; 130 interrupted.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark fidelity: %s\n", message);
    return CLI_FAILED;
}

/* The figures that real CPythons left; NULL with a message on stderr. */
static json_t *read_recorded(const struct fidelity_options *options)
{
    struct program_paths paths;
    char error[RECORDED_ERROR_BYTES];

    if (!options->recorded && cli_find_programs("fidelity", &paths) != CLI_OK)
        return NULL;
    json_t *recorded = recorded_read(options->recorded ? options->recorded : paths.recorded, error);
    if (!recorded)
        fail(error);
    return recorded;
}

/* Prints the report. Returns the exit status. */
static int print_report(const struct fidelity_options *options, const json_t *recorded,
                        const json_t *summary)
{
    json_t *report = fidelity_compare(recorded, summary);

    if (!report)
        return fail("not enough memory for the comparison");
    if (options->json) {
        json_dumpf(report, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else {
        fidelity_table_print(stdout, report);
    }
    int status = fidelity_holds(report) ? CLI_OK : CLI_FAILED;
    json_decref(report);
    return status;
}

/* Compares the run at `path`, finished or not. Returns the exit status. */
static int compare_run(const struct fidelity_options *options, const json_t *recorded,
                       const char *path)
{
    int is_finished;
    json_t *summary = cli_read_summary_of("fidelity", path, &is_finished);

    if (!summary)
        return CLI_FAILED;
    int status = print_report(options, recorded, summary);
    json_decref(summary);
    return cli_finish("fidelity", is_finished ? status : CLI_FAILED);
}

/* Measures a new run and compares it, unless it was interrupted. Returns the exit status. */
static int measure_and_compare(const struct fidelity_options *options, const json_t *recorded)
{
    const int is_full = options->size && strcmp(options->size, "full") == 0;
    const struct cli_suite_run asked = {
        .suite = is_full ? "fidelity_full" : "fidelity",
        .folder = options->folder,
        .rounds = options->rounds,
        .tick_ns = TICK_NS,
    };
    char folder[CLI_FOLDER_BYTES];

    int measured = cli_run_suite(&asked, folder);
    if (measured == CLI_USAGE || measured == CLI_INTERRUPTED || !folder[0])
        return measured;
    int status = compare_run(options, recorded, folder);
    if (!options->json)
        printf("run folder: %s\n", folder);
    return cli_finish("fidelity", measured != CLI_OK ? measured : status);
}

int cli_fidelity(int argc, char **argv)
{
    struct fidelity_options options = {0};

    argp_parse(&cli_fidelity_parser, argc, argv, 0, NULL, &options);
    json_t *recorded = read_recorded(&options);
    if (!recorded)
        return CLI_FAILED;
    int status = options.run ? compare_run(&options, recorded, options.run)
                             : measure_and_compare(&options, recorded);
    json_decref(recorded);
    return status;
}
