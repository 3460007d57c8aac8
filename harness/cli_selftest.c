/*
 * tidemark selftest: do the verdicts of `tidemark compare` hold on this machine? Leaves out the
 * trial itself (plot/selftest.py) and the allocators with planted faults (allocators/planted/).
 */
#define _GNU_SOURCE
#include "harness/cli.h"

#include <stdio.h>
#include <unistd.h>

enum { OPTION_QUICK = 256, MOST_WORDS = 8 };

struct selftest_options {
    const char *output; /* NULL: nothing is kept */
    int quick, json;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct selftest_options *options = state->input;

    switch (key) {
    case OPTION_QUICK:
        options->quick = 1;
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case 'o':
        if (argument[0] == '-')
            argp_error(state, "a folder called '%s'? Write ./%s", argument, argument);
        options->output = argument;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "it takes no argument, not '%s'", argument);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"quick", OPTION_QUICK, NULL, 0,
     "A minute: few real repetitions, and of time only what is far above any noise", 0},
    {"output", 'o', "FOLDER", 0,
     "Keep the runs, and selftest.json with every value and verdict (new or empty; default: none "
     "is kept)",
     0},
    {"json", 'j', NULL, 0, "Print JSON (results/FORMAT.md, selftest)", 0},
    {0},
};

const struct argp cli_selftest_parser = {
    .options = option_table,
    .parser = parse,
    .doc =
        "Let `tidemark compare` judge allocators whose faults are known: glibc's malloc that is "
        "some percent slower, holds some percent more, never gives memory back or gives it back "
        "at once, leaks, each beside its clean twin, and twins beside each other."
        "\vReal repetitions are measured on this machine by tidemark run, each a comparison of "
        "its own; simulated ones are drawn from the values that were measured, with the "
        "machine's drift, for 5 to 40 rounds. Told are how often a difference was found where "
        "there is none, how often it was found where one is planted, and the smallest that is "
        "found in nine of ten. Each is one declared comparison.\n\n"
        "It fails where twins are called different in more than 5 % of the comparisons, where 5 "
        "% more time is found in fewer than 90 % of those of 20 rounds, or a fault in memory is "
        "not found. Of few repetitions a share is itself uncertain: its interval is told, and it "
        "fails only where that shows it. It takes some 20 minutes.\n\n"
        "Example:\n"
        "  tidemark selftest\n"
        "  tidemark selftest --quick --json\n"
        "  tidemark selftest -o results/selftest\n\n"
        "Exit status: 0 the verdicts hold; 1 they do not, or it could not be tried; 2 usage.",
};

int cli_selftest(int argc, char **argv)
{
    struct selftest_options options = {0};
    struct program_paths paths;
    char self[PROGRAM_PATH_BYTES];

    argp_parse(&cli_selftest_parser, argc, argv, 0, NULL, &options);
    if (cli_refuse_sanitized("selftest"))
        return CLI_FAILED;
    if (cli_find_programs("selftest", &paths) != CLI_OK)
        return CLI_FAILED;
    ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
    if (length < 0) {
        fprintf(stderr, "tidemark selftest: cannot tell where this program lies\n");
        return CLI_FAILED;
    }
    self[length] = '\0';
    const char *words[MOST_WORDS + 1] = {self, paths.planted_library};
    size_t count = 2;
    if (options.quick)
        words[count++] = "--quick";
    if (options.json)
        words[count++] = "--json";
    if (options.output) {
        words[count++] = "--output";
        words[count++] = options.output;
    }
    return cli_run_script("selftest", paths.selftest_script, words);
}
