/*
 * Which subcommand, and what they share. Leaves out options, which are each subcommand's own.
 */
#include "harness/cli.h"

#include "harness/grammar.h"
#include "harness/run_read.h"
#include "harness/summary.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *summary;
    int (*main)(int argc, char **argv);
} subcommands[] = {
    {"list", "the allocators, workloads and suites of this build", cli_list},
    {"run", "measure: a suite, or workloads on rows, into a new run folder", cli_run},
    {"show", "the table of a run, or its summary as JSON", cli_show},
    {"plot", "the figures and the report of a run", cli_plot},
    {"micro", "malloc and free by size on each row, by Google Benchmark", cli_micro},
    {"overhead", "what the harness itself adds, measured", cli_overhead},
    {"doctor", "what of the method holds on this machine, and what to do", cli_doctor},
};

enum { SUBCOMMANDS = sizeof subcommands / sizeof subcommands[0] };

static void print_help(FILE *out)
{
    fputs("Usage: tidemark COMMAND [ARGUMENT...]\n"
          "What does an allocator cost in time, how high does memory rise, and how much of it,\n"
          "how soon, goes back to the operating system?\n\n",
          out);
    for (size_t i = 0; i < SUBCOMMANDS; i++)
        fprintf(out, "  %-8s %s\n", subcommands[i].name, subcommands[i].summary);
    fputs("\n`tidemark COMMAND --help` explains each. `tidemark --version` prints the version.\n\n"
          "Example:\n"
          "  tidemark run quick\n"
          "  tidemark run -w list_lifetime:n=10M,how=local|cycle_collect -a pymalloc -a "
          "pymalloc@jemalloc\n"
          "  tidemark show results/2026-01-31T120000Z-quick\n",
          out);
}

static int unknown_subcommand(const char *name)
{
    const char *names[SUBCOMMANDS];
    char message[GRAMMAR_ERROR_BYTES];

    for (size_t i = 0; i < SUBCOMMANDS; i++)
        names[i] = subcommands[i].name;
    snprintf(message, sizeof message, "no command is called '%.64s'", name);
    grammar_suggest(message, sizeof message, name, names, SUBCOMMANDS);
    fprintf(stderr, "tidemark: %s\n", message);
    return CLI_USAGE;
}

/* argv[0] is the subcommand's name. */
static int run_subcommand(int argc, char **argv)
{
    char name[64];

    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(argv[0], subcommands[i].name) != 0)
            continue;
        /* argp prints argv[0] in its messages: let them say which subcommand it was. */
        snprintf(name, sizeof name, "tidemark %s", subcommands[i].name);
        argv[0] = name;
        return subcommands[i].main(argc, argv);
    }
    return unknown_subcommand(argv[0]);
}

static int help_on(char *name)
{
    char flag[] = "--help";
    char *argv[] = {name, flag, NULL};

    return run_subcommand(2, argv);
}

int cli_main(int argc, char **argv)
{
    argp_err_exit_status = CLI_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    int is_help = !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help");
    if (is_help && argc == 2) {
        print_help(stdout);
        return cli_finish("help", CLI_OK);
    }
    if (!strcmp(argv[1], "--version")) {
        puts("tidemark " TIDEMARK_VERSION);
        return cli_finish("version", CLI_OK);
    }
    return is_help ? help_on(argv[2]) : run_subcommand(argc - 1, argv + 1);
}

int cli_finish(const char *command, int status)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return status;
    fprintf(stderr, "tidemark %s: cannot write to stdout: %s\n", command, strerror(errno));
    return status == CLI_OK ? CLI_FAILED : status;
}

error_t cli_parse_run(int key, char *argument, struct argp_state *state)
{
    const char **run = state->input;

    switch (key) {
    case ARGP_KEY_ARG:
        if (*run)
            argp_error(state, "one run at a time, not '%s' too", argument);
        *run = argument;
        return 0;
    case ARGP_KEY_END:
        if (!*run)
            argp_error(state, "which run folder?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cli_usage_error(const char *command, const char *message)
{
    fprintf(stderr, "tidemark %s: %s\nTry 'tidemark %s --help'.\n", command, message, command);
    return CLI_USAGE;
}

int cli_refuse_sanitized(const char *command)
{
#ifdef TIDEMARK_SANITIZED
    fprintf(stderr,
            "tidemark %s: this build has -fsanitize=%s in it, whose times are not the allocators'; "
            "measure with the release preset\n",
            command, TIDEMARK_SANITIZED);
    return 1;
#else
    (void)command;
    return 0;
#endif
}

/* What is there of what was planned, when that is not all. */
static void tell_unfinished(const char *command, const char *path,
                            const struct run_content *content)
{
    char quoted[TEXT_QUOTED_BYTES(RUN_FOLDER_PATH_BYTES)];
    size_t planned = 0, i;
    const json_t *round;

    if (json_is_string(json_object_get(content->machine, "finished")) &&
        !json_is_true(json_object_get(content->machine, "interrupted")))
        return;
    json_array_foreach(json_object_get(content->plan, "order"), i, round) planned +=
        json_array_size(round);
    fprintf(stderr,
            "tidemark %s: this run did not finish: %zu of %zu samples are here; finish it with: "
            "tidemark run --resume %s\n",
            command, json_array_size(content->samples), planned, text_quote(path, quoted));
}

json_t *cli_read_summary(const char *command, const char *path)
{
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES], what[SUMMARY_ERROR_BYTES];
    struct run_content content;
    json_t *summary = NULL;

    if (run_folder_open(&folder, path, error) != 0) {
        fprintf(stderr, "tidemark %s: %s\n", command, error);
        return NULL;
    }
    if (run_content_read(&content, &folder, error) != 0) {
        fprintf(stderr, "tidemark %s: %s\n", command, error);
    } else {
        /* `run` says so itself, after its table. */
        if (strcmp(command, "run") != 0)
            tell_unfinished(command, path, &content);
        summary = summary_of_run(content.plan, content.samples, what);
        if (!summary)
            fprintf(stderr, "tidemark %s: %s/%s\n", command, path, what);
        run_content_free(&content);
    }
    run_folder_close(&folder);
    return summary;
}
