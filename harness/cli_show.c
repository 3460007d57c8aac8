/* tidemark show: a run's table, computed afresh from its samples. Leaves out pictures (tidemark
 * plot). */
#include "harness/cli.h"
#include "harness/micro_results.h"
#include "harness/micro_table.h"
#include "harness/return_table.h"
#include "harness/run_folder.h"
#include "harness/table.h"

#include <stdio.h>

struct show_options {
    const char *run;
    int json;
    int phases;
    int returns;
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct show_options *options = state->input;

    if (key == ARGP_KEY_INIT) {
        state->child_inputs[0] = &options->run;
        return 0;
    }
    (void)argument;
    switch (key) {
    case 'j':
        options->json = 1;
        return 0;
    case 'p':
        options->phases = 1;
        return 0;
    case 'r':
        options->returns = 1;
        return 0;
    case ARGP_KEY_END:
        if (options->returns && options->phases)
            argp_error(state, "one table at a time: --return or --phases");
        if (options->json && options->phases)
            argp_error(state, "--json has the phases: leave --phases out");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"json", 'j', NULL, 0, "Print the summary as JSON, one object per cell (results/FORMAT.md)", 0},
    {"phases", 'p', NULL, 0,
     "Print what is resident at the end of each phase, and how long the phase took", 0},
    {"return", 'r', NULL, 0,
     "Print how memory went back after the last free, each row in each way (tidemark run "
     "--return): what stayed at 0, 0.1, 1, 10 and 30 s, how long half of it and nine tenths took, "
     "and what taking it again costs; with --json these figures",
     0},
    {0},
};

static const struct argp run_argument = {.parser = cli_parse_run};
static const struct argp_child children[] = {{&run_argument, 0, NULL, 0}, {0}};

const struct argp cli_show_parser = {
    .children = children,
    .options = option_table,
    .parser = parse,
    .args_doc = "RUN",
    .doc = "Print the table of a run folder, computed from its stored samples alone, and what "
           "tidemark micro measured into it. An interrupted run shows what was measured."
           "\vExample:\n"
           "  tidemark show results/2026-01-31T120000Z-quick\n"
           "  tidemark show results/2026-01-31T120000Z-quick --phases\n"
           "  tidemark show results/2026-01-31T120000Z-return --return\n"
           "  tidemark show results/2026-01-31T120000Z-quick --json",
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

    if (json_array_size(summary) > 0 || json_object_size(micro) == 0)
        table_print(stdout, summary);
    if (json_object_size(micro) > 0) {
        putchar('\n');
        micro_table_print(stdout, micro);
    }
    json_decref(micro);
    return micro ? CLI_OK : CLI_FAILED;
}

int cli_show(int argc, char **argv)
{
    struct show_options options = {0};
    int status = CLI_OK;

    argp_parse(&cli_show_parser, argc, argv, 0, NULL, &options);
    json_t *summary = cli_read_summary("show", options.run);
    if (!summary)
        return CLI_FAILED;
    if (options.returns) {
        json_t *table = return_table(summary);
        json_decref(summary);
        summary = table;
    }
    if (options.json) {
        json_dumpf(summary, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else if (options.returns) {
        return_table_print(stdout, summary);
    } else if (options.phases) {
        table_print_phases(stdout, summary);
    } else {
        status = print_tables(options.run, summary);
    }
    json_decref(summary);
    return cli_finish("show", status);
}
