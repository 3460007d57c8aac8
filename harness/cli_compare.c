/*
 * tidemark compare: is one run, or one allocator, better or worse than another? Leaves out reading
 * and statistics, which are Python's with SciPy (plot/compare.py).
 */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/script_words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What a failure is here, where 1 is a verdict. */
enum { COMPARE_WORSE = 1, COMPARE_UNTOLD = 3, COMPARE_FAILED = 4 };

/* The script's own statuses are higher by so much: Python ends with 1 by itself where it fails. */
enum { SCRIPT_STATUS = 10 };

enum { OPTION_METRIC = 256, OPTION_THRESHOLD };

/* As plot/measured.py has them. */
#define METRICS                                                                                    \
    "time|cpu|peak|retained|given-back|of-freed|give-back-50|give-back-90|rebuild|faults|micro"

struct compare_options {
    struct script_words words;
    size_t runs, rows;
};

static void add(struct argp_state *state, const char *word)
{
    struct compare_options *options = state->input;

    script_words_add(&options->words, word);
}

/* OPTION=VALUE, of `length` bytes of text. */
static void add_value(struct argp_state *state, const char *option, const char *value,
                      size_t length)
{
    struct compare_options *options = state->input;
    char *copy = strndup(value, length);

    if (!copy)
        argp_failure(state, COMPARE_FAILED, ENOMEM, "%s", option);
    script_words_add_value(&options->words, option, copy);
    free(copy);
}

static int is_metric(const char *name, size_t length)
{
    for (const char *at = METRICS; *at;) {
        const size_t here = strcspn(at, "|");
        if (here == length && strncmp(at, name, length) == 0)
            return 1;
        at += here + (at[here] == '|');
    }
    return 0;
}

static void add_metrics(struct argp_state *state, const char *list)
{
    for (;;) {
        const size_t length = strcspn(list, ",");
        if (!is_metric(list, length))
            argp_error(state, "--metric: '%.*s' is none of " METRICS, (int)length, list);
        add_value(state, "--metric", list, length);
        if (!list[length])
            return;
        list += length + 1;
    }
}

/* Rows are separated by commas; one that a backslash stands before belongs to the row. */
static void add_rows(struct argp_state *state, const char *list)
{
    struct compare_options *options = state->input;

    for (;;) {
        size_t length = 0;
        while (list[length] && list[length] != ',')
            length += list[length] == '\\' && list[length + 1] ? 2 : 1;
        if (length == 0)
            argp_error(state, "-a: a row is missing in '%s'", list);
        add_value(state, "--row", list, length);
        options->rows++;
        if (!list[length])
            return;
        list += length + 1;
    }
}

static void add_threshold(struct argp_state *state, const char *argument)
{
    char *end, number[64];
    double percent = strtod(argument, &end);

    if (end == argument || strcmp(end, "%") != 0 || !(percent >= 0 && percent <= 100))
        argp_error(state, "--threshold: '%s' is no share from 0%% to 100%% (written 2%% or 0.5%%)",
                   argument);
    snprintf(number, sizeof number, "%.17g", percent / 100);
    add_value(state, "--threshold", number, strlen(number));
}

static void check(struct argp_state *state)
{
    const struct compare_options *options = state->input;
    char error[GRAMMAR_ERROR_BYTES];

    if (options->runs == 0)
        argp_error(state, "which runs? The baseline first");
    if (options->runs == 1 && options->rows == 1)
        argp_error(state, "-a with one run takes two rows or more, the baseline first");
    if (script_words_check(&options->words, error) != 0)
        argp_error(state, "%s", error);
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct compare_options *options = state->input;

    switch (key) {
    case 'a':
        add_rows(state, argument);
        return 0;
    case 'w':
        add_value(state, "--workload", argument, strlen(argument));
        return 0;
    case OPTION_METRIC:
        add_metrics(state, argument);
        return 0;
    case OPTION_THRESHOLD:
        add_threshold(state, argument);
        return 0;
    case 'j':
        add(state, "--json");
        return 0;
    case ARGP_KEY_ARG:
        if (options->runs == 2)
            argp_error(state, "two runs at a time, not '%s' too", argument);
        if (argument[0] == '-')
            argp_error(state, "a run called '%s'? Write ./%s", argument, argument);
        add(state, argument);
        options->runs++;
        return 0;
    case ARGP_KEY_END:
        check(state);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"allocator", 'a', "ROW", 0,
     "Rows of one run, separated by commas: each of the others is compared with the first "
     "(default: "
     "with the first row of each experiment). Of two runs: these rows alone, each with itself",
     1},
    {"workload", 'w', "WORKLOAD", 0,
     "Of this workload alone: its name, or name:param=value,...; may be repeated", 1},
    {"metric", OPTION_METRIC, "METRIC,...", 0,
     "What is compared, see below; may be repeated (default time; micro where there is nothing "
     "else)",
     1},
    {"threshold", OPTION_THRESHOLD, "SHARE", 0,
     "The largest difference that is none, 0% to 100% (default 1%)", 1},
    {"json", 'j', NULL, 0, "Print JSON (results/FORMAT.md, compare)", 2},
    {0},
};

const struct argp cli_compare_parser = {
    .options = option_table,
    .parser = parse,
    .args_doc = "RUN [RUN]",
    .doc =
        "Say of two runs, or of the allocators of one, which is better, worse, the same within the "
        "threshold, or that nothing can be told, with the figures and what it would take. The "
        "baseline comes first."
        "\vFrom the stored samples alone, a value per process. Each line has the medians, their "
        "ratio with its 95 % interval (bootstrap, BCa; within one run over its rounds), p by "
        "Mann-Whitney's U (of rows that ran at once, Wilcoxon's signed ranks) after Holm's "
        "correction for all lines of its metric, and the chance that "
        "a changed value is the larger one. `same`: the interval lies within the threshold. "
        "`better` and `worse`: p is below 0.05, the interval leaves 1 out, and the ratio is beyond "
        "the threshold and beyond what an A/A control of the run shows of identical cells. All "
        "else is `cannot tell`. Outliers count. docs/method.md has the reasons.\n\n"
        "Two runs have to be of the same plan, but for limits and the number of rounds: else what "
        "differs is listed, and nothing compared. Different machines are told. A RUN may be a file "
        "of Google Benchmark's JSON with repetitions, as tidemark micro writes them into micro/; "
        "the other is then such a file too, or a run that has one of the same row.\n\n"
        "Metrics: time, cpu (of the processor), peak, retained, given-back (share of the peak), "
        "of-freed (share of what the allocator could give back), give-back-50 and give-back-90 "
        "(until so much had gone), rebuild (the time to take memory again), faults, micro (of "
        "micro/).\n\n"
        "Example:\n"
        "  tidemark compare results/before results/after --metric time,peak\n"
        "  tidemark compare results/quick -a glibc,jemalloc,mimalloc -w list_lifetime\n"
        "  tidemark compare old/micro/glibc.json new/micro/glibc.json --threshold 3%\n\n"
        "Exit status: 0 nothing is worse, and all was told; 1 something is worse; 2 usage, or "
        "nothing in the run is as asked for; 3 nothing is worse that could be told, but something "
        "could not; 4 it failed: a run cannot be read, or two are of different plans.",
};

static int status_of(int script)
{
    switch (script - SCRIPT_STATUS) {
    case CLI_OK:
        return CLI_OK;
    case COMPARE_WORSE:
        return COMPARE_WORSE;
    case CLI_USAGE:
        return CLI_USAGE;
    case COMPARE_UNTOLD:
        return COMPARE_UNTOLD;
    default:
        return COMPARE_FAILED;
    }
}

int cli_compare(int argc, char **argv)
{
    struct compare_options options = {.runs = 0};
    struct program_paths paths;
    int status = COMPARE_FAILED;

    argp_parse(&cli_compare_parser, argc, argv, 0, NULL, &options);
    if (cli_find_programs("compare", &paths) == CLI_OK) {
        const char *const *words = (const char *const *)options.words.words;
        const int script = cli_run_script("compare", paths.compare_script, words);
        status = script == CLI_INTERRUPTED ? CLI_INTERRUPTED : status_of(script);
    }
    script_words_free(&options.words);
    return status;
}
