/* tidemark advise: hands a run to plot/advise.py. Leaves out what is said: that is Python's. */
#include "harness/cli.h"
#include "harness/script_words.h"

#include <stdio.h>
#include <string.h>

enum { OPTION_JSON = 256, OPTION_WEIGHTS };

struct advise_options {
    const char *run;
    const char *workload, *weights; /* NULL: all; none */
    int json;
};

static const struct argp_option option_table[] = {
    {"json", OPTION_JSON, NULL, 0,
     "Print JSON: every pair of rows with its ratios, the fronts, the means, the paragraphs "
     "(results/FORMAT.md, advise)",
     0},
    {"weights", OPTION_WEIGHTS, "time=N,peak=N,retained=N", 0,
     "Put the rows of each front in an order, by the product of their figures to these powers; an "
     "axis that is not named has 0. It is your trade: without it there is no order",
     0},
    {"workload", 'w', "WORKLOAD", 0,
     "Of this workload alone: its name, or name:param=value,... as for tidemark run; parameters "
     "that are not named may have any value",
     0},
    {0},
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct advise_options *options = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->run;
        return 0;
    case OPTION_JSON:
        options->json = 1;
        return 0;
    case OPTION_WEIGHTS:
        options->weights = argument;
        return 0;
    case 'w':
        if (options->workload)
            argp_error(state, "one workload at a time, not '%s' too", argument);
        options->workload = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp cli_advise_parser = {
    .children = cli_run_argument,
    .options = option_table,
    .parser = parse,
    .args_doc = "RUN",
    .doc =
        "Say which row to ship: for each experiment and over them the time, the peak and the "
        "memory retained of each row, which rows no other dominates (the Pareto front), and how "
        "sure that is; then, in a paragraph, what to ship if time matters, if the peak does, if "
        "giving back does, by how much, and what to measure next. There is no score."
        "\vA row dominates another when it is worse on no axis and better on one at least. A "
        "difference below 1 % is none. Where an interval does not decide, it is `maybe`; from "
        "fewer than 6 rounds nothing is certain. The means over experiments are of rows that ran "
        "in all of them; who did not is named, with the reason. docs/advise.md has the rules.\n\n"
        "Example:\n"
        "  tidemark advise results/2026-01-31T120000Z-quick\n"
        "  tidemark advise results/2026-01-31T120000Z-quick -w larson\n"
        "  tidemark advise results/2026-01-31T120000Z-quick --weights time=1,peak=1\n\n"
        "Exit status: 0 printed; 1 the run cannot be read; 2 usage, or nothing in the run is as "
        "asked for; 130 interrupted.",
};

/* The run comes behind "--": a folder may begin with a dash. */
static int fill(struct script_words *words, const struct advise_options *options, char *error)
{
    if (options->json)
        script_words_add(words, "--json");
    if (options->weights)
        script_words_add_value(words, "--weights", options->weights);
    if (options->workload && script_words_add_workload(words, options->workload, error) != 0)
        return -1;
    script_words_add(words, "--");
    script_words_add(words, options->run);
    return script_words_check(words, error);
}

int cli_advise(int argc, char **argv)
{
    struct advise_options options = {0};
    struct script_words words = {.count = 0};
    struct program_paths paths;
    char error[GRAMMAR_ERROR_BYTES];
    int status;

    argp_parse(&cli_advise_parser, argc, argv, 0, NULL, &options);
    if (fill(&words, &options, error) != 0)
        status = cli_usage_error("advise", error);
    else if (cli_find_programs("advise", &paths) != CLI_OK)
        status = CLI_FAILED;
    else
        status = cli_run_script("advise", paths.advise_script, (const char *const *)words.words);
    script_words_free(&words);
    return status;
}
