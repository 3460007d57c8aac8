/*
 * The subcommands of `tidemark`. Each takes its own argv, with its name as argv[0], and returns the
 * exit status: 0 done, 1 something failed or a row did, 2 usage, 130 interrupted; those of
 * `compare` are its own.
 */
#ifndef TIDEMARK_HARNESS_CLI_H
#define TIDEMARK_HARNESS_CLI_H

#include "harness/command.h"

#include <argp.h>
#include <jansson.h>

enum { CLI_OK = 0, CLI_FAILED = 1, CLI_USAGE = 2, CLI_INTERRUPTED = 130 };

/* A subcommand: its parser holds its options and what it takes, for argp and for completion. */
struct cli_command {
    const char *name;
    const char *summary;
    int (*main)(int argc, char **argv);
    const struct argp *parser;
};

extern const struct cli_command cli_commands[];
extern const size_t cli_command_count;

extern const struct argp cli_list_parser, cli_run_parser, cli_show_parser, cli_stats_parser,
    cli_fidelity_parser, cli_plot_parser, cli_micro_parser, cli_check_parser, cli_snapshot_parser,
    cli_record_parser, cli_trace_parser, cli_replay_parser, cli_import_parser, cli_fit_parser,
    cli_exec_parser, cli_graph_parser, cli_overhead_parser, cli_doctor_parser, cli_advise_parser,
    cli_history_parser, cli_merge_parser, cli_compare_parser, cli_selftest_parser;

int cli_main(int argc, char **argv);
int cli_list(int argc, char **argv);
int cli_run(int argc, char **argv);
int cli_show(int argc, char **argv);
int cli_merge(int argc, char **argv);
int cli_snapshot(int argc, char **argv);
int cli_record(int argc, char **argv);
int cli_trace(int argc, char **argv);
int cli_replay(int argc, char **argv);
int cli_import(int argc, char **argv);
int cli_fit(int argc, char **argv);
int cli_exec(int argc, char **argv);
int cli_stats(int argc, char **argv);
int cli_fidelity(int argc, char **argv);
int cli_plot(int argc, char **argv);
int cli_advise(int argc, char **argv);
int cli_history(int argc, char **argv);
int cli_micro(int argc, char **argv);
int cli_check(int argc, char **argv);
int cli_graph(int argc, char **argv);
int cli_overhead(int argc, char **argv);
int cli_doctor(int argc, char **argv);
int cli_compare(int argc, char **argv);
int cli_selftest(int argc, char **argv);

/*
 * The end of a command that printed: `status`, or CLI_FAILED with a message when stdout could not
 * be written (a full disk, a closed pipe).
 */
int cli_finish(const char *command, int status);

/*
 * The children of argp's parser of a command whose only argument is a run folder: they store it in
 * the `const char *` that is their input.
 */
extern const struct argp_child cli_run_argument[];

/* "tidemark NAME: message" on stderr; returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *message);

/*
 * 1, with a message on stderr, when this build has a sanitizer in it: its times are the
 * sanitizer's, so it measures nothing that could be taken for an allocator's.
 */
int cli_refuse_sanitized(const char *command);

/*
 * Prints what may stand in place of the last of `words`, those of a command line after the
 * program's name, unquoted: a word a line, a tab and its summary where it has one. What the shells
 * ask by `tidemark --complete`.
 */
void cli_complete(FILE *out, const char *const *words, size_t count);

/* Finds the parts of this installation. Returns CLI_OK, or CLI_FAILED with a message on stderr that
 * names the missing file. */
int cli_find_programs(const char *command, struct program_paths *paths);

/* Reads the run at `path` and summarises it afresh. NULL with a message on stderr. The caller owns
 * the result. */
json_t *cli_read_summary(const char *command, const char *path);

/* The same; `finished` is set to whether the run came to its end, and untouched on failure. */
json_t *cli_read_summary_of(const char *command, const char *path, int *finished);

enum { CLI_FOLDER_BYTES = 1024 };

/* A suite to be run for another command. */
struct cli_suite_run {
    const char *suite;
    const char *folder; /* NULL: results/TIME-SUITE */
    uint64_t rounds;    /* 0: as the suite says */
    uint64_t tick_ns;
};

/*
 * What `tidemark run SUITE` does, but for its table: without controls, censuses and repeats, for
 * figures of memory alone. Messages are tidemark run's, which also resumes it. `folder`
 * (CLI_FOLDER_BYTES) gets the path of the run, or becomes empty where there is none. Returns the
 * exit status.
 */
int cli_run_suite(const struct cli_suite_run *asked, char *folder);

/* A run for another command, with the words of `tidemark run`. */
struct cli_words_run {
    int count;
    char **words;     /* the first is a name */
    const char *name; /* without -o it goes to results/TIME-NAME */
    int no_table;
};

/* As `tidemark run` with these words; `folder` as of cli_run_suite. Returns the exit status. */
int cli_run_words(const struct cli_words_run *asked, char *folder);

/* The cells and the samples of a run that has just been made, as it wrote them. */
struct cli_samples {
    json_t *plan, *cells, *samples; /* `cells` is of the plan */
};

/* Returns 0, or -1 where it cannot be read, with a message of `command` on stderr. */
int cli_samples_read(struct cli_samples *read, const char *command, const char *folder);

void cli_samples_free(struct cli_samples *read);

/* "NAME:PARAMETER=VALUE" into `word`, with what means something in the grammar of a workload
 * escaped in the value. Returns 0, or -1 where it is too long. */
int cli_name_workload(char *word, size_t bytes, const char *name, const char *value);

/*
 * Executes a script of plot/ with these words, up to NULL, under an interpreter that has what it
 * draws with. Returns the script's own exit status; CLI_FAILED, with a message on stderr, where it
 * has none, CLI_INTERRUPTED after a signal.
 */
int cli_run_script(const char *command, const char *script, const char *const *words);

/* What the plan of a run in `folder` says that bears on every figure of it, on stdout: that its
 * rows ran at once. */
void cli_print_plan(const char *folder);

/* Executes a script of plot/ that draws `input` into `output`, or where it sees fit (NULL). Returns
 * CLI_OK, CLI_FAILED or CLI_INTERRUPTED, with a message on stderr. */
int cli_draw(const char *command, const char *script, const char *input, const char *output);

/* Draws the report of a run and its figures, or `only` "report" or "figures" (NULL: both): executes
 * plot/report.py under an interpreter that has matplotlib and jinja2. Returns an exit status. */
int cli_draw_report(const char *command, const char *path, const char *only);

#endif
