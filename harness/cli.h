/*
 * The subcommands of `tidemark`. Each takes its own argv, with its name as argv[0], and returns the
 * exit status: 0 done, 1 something failed or a row did, 2 usage, 130 interrupted.
 */
#ifndef TIDEMARK_HARNESS_CLI_H
#define TIDEMARK_HARNESS_CLI_H

#include "harness/command.h"

#include <argp.h>
#include <jansson.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

int cli_main(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_plot(int argc, char **argv);
int cli_micro(int argc, char **argv);
int cli_overhead(int argc, char **argv);
int cli_doctor(int argc, char **argv);

/*
 * The end of a command that printed: `status`, or CLI_FAILED with a message when stdout could not
 * be written (a full disk, a closed pipe).
 */
int cli_finish(const char *command, int status);

/* argp's parser of a command whose only argument is a run folder: stores it in the `const char *`
 * that is argp's input. */
error_t cli_parse_run(int key, char *argument, struct argp_state *state);

/* "tidemark NAME: message" on stderr; returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *message);

/*
 * 1, with a message on stderr, when this build has a sanitizer in it: its times are the
 * sanitizer's, so it measures nothing that could be taken for an allocator's.
 */
int cli_refuse_sanitized(const char *command);

/* Reads the run at `path` and summarises it afresh. NULL with a message on stderr. The caller owns
 * the result. */
json_t *cli_read_summary(const char *command, const char *path);

/* Draws the report of a run: executes plot/report.py under an interpreter that has matplotlib and
 * jinja2. Returns an exit status. */
int cli_draw_report(const char *command, const char *path);

#endif
