/*
 * Which subcommand, and what they share. Leaves out options, which are each subcommand's own.
 */
#include "harness/cli.h"

#include "harness/grammar.h"
#include "harness/run_folder.h"
#include "harness/summary.h"

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

int cli_main(int argc, char **argv)
{
    argp_err_exit_status = CLI_USAGE;
    if (argc < 2) {
        print_help(stderr);
        return CLI_USAGE;
    }
    if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
        print_help(stdout);
        return CLI_OK;
    }
    if (!strcmp(argv[1], "--version")) {
        puts("tidemark " TIDEMARK_VERSION);
        return CLI_OK;
    }
    for (size_t i = 0; i < SUBCOMMANDS; i++) {
        if (strcmp(argv[1], subcommands[i].name) != 0)
            continue;
        /* argp prints argv[0] in its messages: let them say which subcommand it was. */
        char name[64];
        snprintf(name, sizeof name, "tidemark %s", subcommands[i].name);
        argv[1] = name;
        return subcommands[i].main(argc - 1, argv + 1);
    }
    return unknown_subcommand(argv[1]);
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

json_t *cli_read_summary(const char *command, const char *path)
{
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES], what[SUMMARY_ERROR_BYTES];
    json_t *plan, *machine, *samples, *summary = NULL;

    if (run_folder_open(&folder, path, error) != 0) {
        fprintf(stderr, "tidemark %s: %s\n", command, error);
        return NULL;
    }
    if (run_folder_read(&folder, &plan, &machine, &samples, error) != 0) {
        fprintf(stderr, "tidemark %s: %s\n", command, error);
    } else {
        summary = summary_of_run(plan, samples, what);
        if (!summary)
            fprintf(stderr, "tidemark %s: %s/%s\n", command, path, what);
        json_decref(plan);
        json_decref(machine);
        json_decref(samples);
    }
    run_folder_close(&folder);
    return summary;
}
