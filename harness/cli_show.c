/* tidemark show: a run's table, computed afresh from its samples. Leaves out pictures (tidemark
 * plot). */
#include "harness/cli.h"
#include "harness/latency_text.h"
#include "harness/ledger_text.h"
#include "harness/micro_results.h"
#include "harness/micro_table.h"
#include "harness/pages_text.h"
#include "harness/return_table.h"
#include "harness/run_folder.h"
#include "harness/shard_text.h"
#include "harness/show_pass.h"
#include "harness/table.h"

#include <stdio.h>

enum { OPTION_PAGES = 256 };

/* The option of each table of its own. */
static const struct view_option {
    int key;
    const char *name;
    struct pass_view view; /* of no pass: how memory went back, of the samples themselves */
} view_options[] = {
    {'l', "--latency", {&latency_pass, "latencies", 1, latency_text_print}},
    {'s', "--syscalls", {&ledger_pass, "system calls", 0, ledger_text_print}},
    {OPTION_PAGES, "--pages", {&pages_pass, "pages", 0, pages_text_print}},
    {'r', "--return", {NULL, NULL, 0, NULL}},
};

struct show_options {
    const char *run;
    int json;
    int phases;
    const struct view_option *view; /* NULL: the run's own table */
};

static const struct view_option *find_view(int key)
{
    for (size_t i = 0; i < sizeof view_options / sizeof view_options[0]; i++) {
        if (view_options[i].key == key)
            return &view_options[i];
    }
    return NULL;
}

static void check_combination(const struct show_options *options, struct argp_state *state)
{
    const struct view_option *view = options->view;

    if (view && options->phases && !view->view.pass)
        argp_error(state, "%s or --phases: they are two tables", view->name);
    if (view && options->phases && !view->view.is_of_phases)
        argp_error(state, "%s is by phase: leave --phases out", view->name);
    if (!view && options->json && options->phases)
        argp_error(state, "--json has the phases: leave --phases out");
}

static error_t choose_view(struct show_options *options, int key, struct argp_state *state)
{
    const struct view_option *view = find_view(key);

    if (!view)
        return ARGP_ERR_UNKNOWN;
    if (options->view && options->view != view)
        argp_error(state, "%s and %s are two tables: one at a time", options->view->name,
                   view->name);
    options->view = view;
    return 0;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct show_options *options = state->input;

    (void)argument;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->run;
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    case 'p':
        options->phases = 1;
        return 0;
    case ARGP_KEY_END:
        check_combination(options, state);
        return 0;
    default:
        return choose_view(options, key, state);
    }
}

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0,
     "Print as JSON, one object per cell, what the table is made of (results/FORMAT.md)", 0},
    {"phases", 'p', NULL, 0,
     "Print what is resident at the end of each phase, and how long the phase took", 0},
    {"return", 'r', NULL, 0,
     "Print how memory went back after the last free, each row in each way (tidemark run "
     "--return): what stayed at 0, 0.1, 1, 10 and 30 s, how long half of it and nine tenths took, "
     "and what taking it again costs",
     0},
    {"latency", 'l', NULL, 0,
     "Print how long each call took, p50 to the slowest (a run with --passes latency); with "
     "--phases by phase",
     0},
    {"syscalls", 's', NULL, 0,
     "Print the system calls of each phase that map, give back or advise on memory, by kind (a run "
     "with --passes ledger)",
     0},
    {"pages", OPTION_PAGES, NULL, 0,
     "Print what the program holds at the end of each phase, the pages that this takes, and what "
     "is held back besides (a run with --passes pages)",
     0},
    {0},
};

const struct argp cli_show_parser = {
    .children = cli_run_argument,
    .options = option_table,
    .parser = parse,
    .args_doc = "RUN",
    .doc = "Print the table of a run folder, computed from its stored samples alone, and what "
           "tidemark micro measured into it. An interrupted run shows what was measured."
           "\vExample:\n"
           "  tidemark show results/2026-01-31T120000Z-quick\n"
           "  tidemark show results/2026-01-31T120000Z-quick --phases\n"
           "  tidemark show results/2026-01-31T120000Z-quick --json\n"
           "  tidemark show results/2026-01-31T120000Z-return --return\n"
           "  tidemark show results/2026-01-31T120000Z-quick --syscalls\n"
           "  tidemark show results/2026-01-31T120000Z-quick --latency --phases",
};

/* The results of tidemark micro in the folder; NULL when they cannot be read, which it says. */
static json_t *read_micro(const char *run)
{
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES];

    if (run_folder_open(&folder, run, error) != 0) {
        fprintf(stderr, "tidemark show: %s\n", error);
        return NULL;
    }
    json_t *results = micro_results_read(folder.fd, error);
    if (!results)
        fprintf(stderr, "tidemark show: %s/%s\n", run, error);
    run_folder_close(&folder);
    return results;
}

static int print_tables(const char *run, const json_t *summary)
{
    json_t *micro = read_micro(run);

    if (json_array_size(summary) > 0 || json_object_size(micro) == 0) {
        table_print(stdout, summary);
        cli_print_plan(run);
        shard_print_folder(stdout, run);
    }
    if (json_object_size(micro) > 0) {
        putchar('\n');
        micro_table_print(stdout, micro);
    }
    json_decref(micro);
    return micro ? CLI_OK : CLI_FAILED;
}

static void print_json(const json_t *json)
{
    json_dumpf(json, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
    putchar('\n');
}

static int show_return(const struct show_options *options)
{
    json_t *summary = cli_read_summary("show", options->run);

    if (!summary)
        return CLI_FAILED;
    json_t *table = return_table(summary);
    if (options->json)
        print_json(table);
    else
        return_table_print(stdout, table);
    json_decref(table);
    json_decref(summary);
    return CLI_OK;
}

static int show_run(const struct show_options *options)
{
    json_t *summary = cli_read_summary("show", options->run);
    int status = CLI_OK;

    if (!summary)
        return CLI_FAILED;
    if (options->json) {
        print_json(summary);
    } else if (options->phases) {
        table_print_phases(stdout, summary);
    } else {
        status = print_tables(options->run, summary);
    }
    json_decref(summary);
    return status;
}

static int show(const struct show_options *options)
{
    if (!options->view)
        return show_run(options);
    if (!options->view->view.pass)
        return show_return(options);
    return show_pass(&options->view->view, options->run, options->json, options->phases);
}

int cli_show(int argc, char **argv)
{
    struct show_options options = {0};

    argp_parse(&cli_show_parser, argc, argv, 0, NULL, &options);
    return cli_finish("show", show(&options));
}
