/*
 * Which subcommand, and what they share. Leaves out options, which are each subcommand's own.
 */
#include "harness/cli.h"

#include "harness/grammar.h"
#include "harness/json_file.h"
#include "harness/run_read.h"
#include "harness/shard.h"
#include "harness/summary.h"
#include "harness/text.h"

#include "git_describe.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_command cli_commands[] = {
    {"list", "the allocators, workloads and suites of this build", cli_list, &cli_list_parser},
    {"run", "measure: a suite, or workloads on rows, into a new run folder", cli_run,
     &cli_run_parser},
    {"show", "the table of a run, or its summary as JSON", cli_show, &cli_show_parser},
    {"merge", "the shards of a run, measured on several machines, into one", cli_merge,
     &cli_merge_parser},
    {"stats", "what the allocators of a run held, as sys._debugmallocstats() prints it", cli_stats,
     &cli_stats_parser},
    {"compare", "better, worse, the same, or cannot tell: two runs, or the rows of one",
     cli_compare, &cli_compare_parser},
    {"fidelity", "each replay beside the real CPython, phase by phase, with its bound",
     cli_fidelity, &cli_fidelity_parser},
    {"plot", "the figures and the report of a run", cli_plot, &cli_plot_parser},
    {"advise", "which row to ship: who is dominated by whom, the front, a paragraph", cli_advise,
     &cli_advise_parser},
    {"history", "runs kept in a file; a figure over versions, with the points where it changed",
     cli_history, &cli_history_parser},
    {"micro", "what single calls cost on each row, by Google Benchmark", cli_micro,
     &cli_micro_parser},
    {"check", "the allocator contract, on any rows: does an allocator keep what it promises",
     cli_check, &cli_check_parser},
    {"snapshot", "which lines hold memory: blocks by call stack, compared", cli_snapshot,
     &cli_snapshot_parser},
    {"exec", "a program, as it is, under each allocator: all of its processes together", cli_exec,
     &cli_exec_parser},
    {"record", "every malloc and free of a program, in a file", cli_record, &cli_record_parser},
    {"trace", "what is in such a file: sizes, lifetimes, live bytes over time", cli_trace,
     &cli_trace_parser},
    {"replay", "such a file once more, on any allocator", cli_replay, &cli_replay_parser},
    {"import", "captures of mtrace, valgrind, heaptrack and others as such a file", cli_import,
     &cli_import_parser},
    {"fit", "the shape of such a file, to be published without it", cli_fit, &cli_fit_parser},
    {"graph", "the objects of a workload: who holds them, in which cycle, growth by type",
     cli_graph, &cli_graph_parser},
    {"overhead", "what the harness itself adds, measured", cli_overhead, &cli_overhead_parser},
    {"selftest", "whether the verdicts of compare hold here, on allocators with known faults",
     cli_selftest, &cli_selftest_parser},
    {"doctor", "what of the method holds on this machine, and what to do", cli_doctor,
     &cli_doctor_parser},
};

enum { COMMANDS = sizeof cli_commands / sizeof cli_commands[0] };

const size_t cli_command_count = COMMANDS;

static void print_help(FILE *out)
{
    fputs("Usage: tidemark COMMAND [ARGUMENT...]\n"
          "What does an allocator cost in time, how high does memory rise, and how much of it,\n"
          "how soon, goes back to the operating system?\n\n",
          out);
    for (size_t i = 0; i < COMMANDS; i++)
        fprintf(out, "  %-9s %s\n", cli_commands[i].name, cli_commands[i].summary);
    fputs("\n`tidemark COMMAND --help` explains each. `tidemark --version` prints the version.\n"
          "`tidemark --complete WORD...` prints what may stand in place of the last word.\n\n"
          "Example:\n"
          "  tidemark run quick\n"
          "  tidemark run -w 'list_lifetime:n=10M,how=local|cycle_collect' -a pymalloc \\\n"
          "      -a pymalloc@jemalloc\n"
          "  tidemark show results/2026-01-31T120000Z-quick\n",
          out);
}

static int unknown_subcommand(const char *name)
{
    const char *names[COMMANDS];
    char message[GRAMMAR_ERROR_BYTES];

    for (size_t i = 0; i < COMMANDS; i++)
        names[i] = cli_commands[i].name;
    snprintf(message, sizeof message, "no command is called '%.64s'", name);
    grammar_suggest(message, sizeof message, name, names, COMMANDS);
    fprintf(stderr, "tidemark: %s\n", message);
    return CLI_USAGE;
}

/* argv[0] is the subcommand's name. */
static int run_subcommand(int argc, char **argv)
{
    char name[64];

    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(argv[0], cli_commands[i].name) != 0)
            continue;
        /* argp prints argv[0] in its messages: let them say which subcommand it was. */
        snprintf(name, sizeof name, "tidemark %s", cli_commands[i].name);
        argv[0] = name;
        return cli_commands[i].main(argc, argv);
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
        puts(TIDEMARK_GIT[0] ? "tidemark " TIDEMARK_VERSION " (git " TIDEMARK_GIT ")"
                             : "tidemark " TIDEMARK_VERSION);
        return cli_finish("version", CLI_OK);
    }
    if (!strcmp(argv[1], "--complete")) {
        cli_complete(stdout, (const char *const *)argv + 2, (size_t)argc - 2);
        return cli_finish("--complete", CLI_OK);
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

static error_t parse_run(int key, char *argument, struct argp_state *state)
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

static const struct argp run_parser = {.parser = parse_run};
const struct argp_child cli_run_argument[] = {{&run_parser, 0, NULL, 0}, {0}};

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

int cli_find_programs(const char *command, struct program_paths *paths)
{
    char error[PROGRAM_PATHS_ERROR_BYTES];

    if (program_paths_find(paths, error) == 0)
        return CLI_OK;
    fprintf(stderr, "tidemark %s: %s\n", command, error);
    return CLI_FAILED;
}

/* What there is beside the rounds as planned. */
struct beside {
    size_t planned, repeats, further;
};

/* 1 when the sample is of a round that was added to those of its cell. */
static int is_further(const json_t *cells, const json_t *sample)
{
    const json_t *cell =
        json_array_get(cells, (size_t)json_integer_value(json_object_get(sample, "cell")));

    return json_integer_value(json_object_get(sample, "round")) >=
           json_integer_value(json_object_get(cell, "rounds"));
}

static struct beside count_beside(const struct run_content *content)
{
    const json_t *cells = json_object_get(content->plan, "cells"), *sample;
    struct beside count = {0};
    size_t i;

    json_array_foreach(content->samples, i, sample)
    {
        if (json_integer_value(json_object_get(sample, "repeat")) > 0)
            count.repeats++;
        else if (is_further(cells, sample))
            count.further++;
        else
            count.planned++;
    }
    return count;
}

static int is_finished(const struct run_content *content)
{
    return json_is_string(json_object_get(content->machine, "finished")) &&
           !json_is_true(json_object_get(content->machine, "interrupted"));
}

/* Of a round as planned, the cells that this run measures: others are another shard's. */
static size_t count_here(const json_t *plan, const json_t *round)
{
    const json_t *cells = json_object_get(plan, "cells"), *index;
    size_t here = 0, i;

    json_array_foreach(round, i, index)
    {
        const json_int_t cell = json_integer_value(index);
        here += cell < 0 || shard_is_here(plan, json_array_get(cells, (size_t)cell));
    }
    return here;
}

/* What is there of what was planned, when that is not all. */
static void tell_unfinished(const char *command, const char *path,
                            const struct run_content *content)
{
    char quoted[TEXT_QUOTED_BYTES(RUN_FOLDER_PATH_BYTES)];
    const struct beside here = count_beside(content);
    size_t planned = 0, i;
    const json_t *round;
    char repeats[64] = "", further[64] = "";

    if (is_finished(content))
        return;
    json_array_foreach(json_object_get(content->plan, "order"), i, round) planned +=
        count_here(content->plan, round);
    if (here.repeats > 0)
        snprintf(repeats, sizeof repeats, ", and %zu taken once more", here.repeats);
    if (here.further > 0)
        snprintf(further, sizeof further, ", and %zu of further rounds", here.further);
    if (json_object_get(json_object_get(content->plan, "shard"), "merged"))
        fprintf(stderr,
                "tidemark %s: this run was merged of a part of its shards, or of some that did not "
                "finish: %zu of the %zu samples of these shards are here%s%s\n",
                command, here.planned, planned, further, repeats);
    else
        fprintf(stderr,
                "tidemark %s: this run did not finish: %zu of %zu samples are here%s%s; finish it "
                "with: tidemark run --resume %s\n",
                command, here.planned, planned, further, repeats, text_quote(path, quoted));
}

json_t *cli_read_summary(const char *command, const char *path)
{
    int finished;

    return cli_read_summary_of(command, path, &finished);
}

json_t *cli_read_summary_of(const char *command, const char *path, int *finished)
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
        *finished = is_finished(&content);
        summary = summary_of_run(content.plan, content.samples, what);
        if (!summary)
            fprintf(stderr, "tidemark %s: %s/%s\n", command, path, what);
        run_content_free(&content);
    }
    run_folder_close(&folder);
    return summary;
}

void cli_print_plan(const char *folder)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder run;

    if (run_folder_open(&run, folder, error) != 0)
        return;
    json_t *plan = json_file_read(run.fd, "plan.json", error);
    if (json_is_true(json_object_get(plan, "together")))
        puts("rows of a round ran at once, on one processor: their times are of all together;\n"
             "tidemark compare --metric cpu tells them apart");
    json_decref(plan);
    run_folder_close(&run);
}
