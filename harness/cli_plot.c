/* tidemark plot: hands a run to plot/report.py. Leaves out drawing: that is Python's. */
#define _GNU_SOURCE
#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/plot_python.h"
#include "harness/process.h"
#include "harness/run_folder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

/* The plots read summary.json: it is made anew from the samples, so that it is never older than
 * they are. */
static int refresh_summary(const char *command, const char *path)
{
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES];
    json_t *summary = cli_read_summary(command, path);

    if (!summary)
        return CLI_FAILED;
    int failed = run_folder_open(&folder, path, error);
    if (!failed) {
        failed = json_file_write(folder.fd, "summary.json", summary);
        if (failed)
            snprintf(error, sizeof error, "cannot write %.900s/summary.json: %s", path,
                     strerror(-failed));
        run_folder_close(&folder);
    }
    json_decref(summary);
    if (failed)
        fprintf(stderr, "tidemark %s: %s\n", command, error);
    return failed ? CLI_FAILED : CLI_OK;
}

int cli_run_script(const char *command, const char *script, const char *const *words)
{
    char versions[160];
    const char *interpreter;
    const int missing = plot_python_find(&interpreter, versions, sizeof versions);
    size_t count = 0;

    if (missing == -EINTR)
        return CLI_INTERRUPTED;
    if (missing) {
        fprintf(stderr,
                "tidemark %s: no python3 here has matplotlib, jinja2, PIL and scipy (Debian "
                "packages " PLOT_PYTHON_PACKAGES ")\n",
                command);
        return CLI_FAILED;
    }
    while (words[count])
        count++;
    const char **argv = calloc(count + 4, sizeof *argv);
    if (!argv)
        return CLI_FAILED;
    argv[0] = interpreter;
    argv[1] = "-B";
    argv[2] = script;
    memcpy(argv + 3, words, count * sizeof *argv);
    struct process_request request = {.argv = argv};
    int wait_status = 0;
    int error = process_run(&request, &wait_status);
    free(argv);

    if (error == -EINTR)
        return CLI_INTERRUPTED;
    if (error)
        fprintf(stderr, "tidemark %s: cannot start %s: %s\n", command, interpreter,
                strerror(-error));
    return error || !WIFEXITED(wait_status) ? CLI_FAILED : WEXITSTATUS(wait_status);
}

/* Its own statuses are not this command's: a drawing that failed is a failure. */
static int draw(const char *command, const char *script, const char *const *words)
{
    const int status = cli_run_script(command, script, words);

    return status == CLI_OK || status == CLI_INTERRUPTED ? status : CLI_FAILED;
}

int cli_draw(const char *command, const char *script, const char *input, const char *output)
{
    const char *const words[] = {input, output, NULL};

    return draw(command, script, words);
}

int cli_draw_report(const char *command, const char *path, const char *only)
{
    const char *const words[] = {path, only ? "--only" : NULL, only, NULL};
    struct program_paths paths;
    const int failed = refresh_summary(command, path);

    if (failed)
        return failed;
    if (cli_find_programs(command, &paths) != CLI_OK)
        return CLI_FAILED;
    return draw(command, paths.report_script, words);
}

enum { OPTION_ONLY = 256 };

struct plot_options {
    const char *run;
    const char *only; /* NULL: all of it */
};

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct plot_options *options = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->run;
        return 0;
    case OPTION_ONLY:
        if (strcmp(argument, "report") != 0 && strcmp(argument, "figures") != 0)
            argp_error(state, "'%s' is neither report nor figures", argument);
        options->only = argument;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"only", OPTION_ONLY, "report|figures", 0,
     "The report alone, whose charts need none of the figures, in a fraction of the time; or the "
     "figures alone",
     0},
    {0},
};

const struct argp cli_plot_parser = {
    .options = option_table,
    .parser = parse,
    .children = cli_run_argument,
    .args_doc = "RUN",
    .doc = "Draw the figures of a run folder (figures/*.png and *.svg) and its report "
           "(report.html, one file that works offline), by a Python 3 that has matplotlib and "
           "jinja2."
           "\vExample:\n"
           "  tidemark plot results/2026-01-31T120000Z-quick\n"
           "  tidemark plot --only report results/2026-01-31T120000Z-full",
};

int cli_plot(int argc, char **argv)
{
    struct plot_options options = {0};

    argp_parse(&cli_plot_parser, argc, argv, 0, NULL, &options);
    return cli_draw_report("plot", options.run, options.only);
}
