/* tidemark show: a run's table, computed afresh from its samples. Leaves out pictures (tidemark
 * plot). */
#include "harness/cli.h"
#include "harness/micro_results.h"
#include "harness/micro_table.h"
#include "harness/pages_table.h"
#include "harness/run_read.h"
#include "harness/table.h"

#include <stdio.h>

struct show_options {
    const char *run;
    int json;
    int phases;
    int pages;
};

enum { OPTION_PAGES = 256 };

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
    case OPTION_PAGES:
        options->pages = 1;
        return 0;
    case ARGP_KEY_END:
        if (options->phases && options->pages)
            argp_error(state, "--phases and --pages are two tables: one at a time");
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
    {"pages", OPTION_PAGES, NULL, 0,
     "Print what the program holds at the end of each phase, the pages that this takes, and what "
     "is held back besides, of a run with --passes pages; with --json as JSON (results/FORMAT.md)",
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
           "  tidemark show results/2026-01-31T120000Z-quick --pages\n"
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

static int fail(const char *message)
{
    fprintf(stderr, "tidemark show: %s\n", message);
    return CLI_FAILED;
}

/* `summary` is that of the run in the folder. A run without any such file says why, cell by cell.
 */
static int print_pages(const struct show_options *options, json_t *summary,
                       const struct run_folder *folder)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_content run;

    if (run_content_read(&run, folder, error) != 0)
        return fail(error);
    const int count = pages_table_read(summary, folder, &run, error);
    run_content_free(&run);
    if (count < 0)
        return fail(error);
    if (options->json)
        pages_table_print_json(stdout, summary);
    else
        pages_table_print(stdout, summary);
    return count > 0 ? CLI_OK : CLI_FAILED;
}

static int show_pages(const struct show_options *options, json_t *summary)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder folder;

    if (run_folder_open(&folder, options->run, error) != 0)
        return fail(error);
    const int status = print_pages(options, summary, &folder);
    run_folder_close(&folder);
    return status;
}

int cli_show(int argc, char **argv)
{
    struct show_options options = {0};
    int status = CLI_OK;

    argp_parse(&cli_show_parser, argc, argv, 0, NULL, &options);
    json_t *summary = cli_read_summary("show", options.run);
    if (!summary)
        return CLI_FAILED;
    if (options.pages) {
        status = show_pages(&options, summary);
    } else if (options.json) {
        json_dumpf(summary, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else if (options.phases) {
        table_print_phases(stdout, summary);
    } else {
        status = print_tables(options.run, summary);
    }
    json_decref(summary);
    return cli_finish("show", status);
}
