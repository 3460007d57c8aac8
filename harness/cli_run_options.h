/*
 * What `tidemark run` was asked for on its command line. Leaves out what follows from it
 * (harness/cli_run.c).
 */
#ifndef TIDEMARK_HARNESS_CLI_RUN_OPTIONS_H
#define TIDEMARK_HARNESS_CLI_RUN_OPTIONS_H

#include "harness/run_plan.h"
#include "harness/run_view.h"

/* Strings as given; an empty one was not given. */
struct run_options {
    struct run_choice choice;
    struct shard shard;
    const char *folder;
    double scale;
    uint64_t seed;
    uint64_t tick_ns;
    uint64_t timeout_ns;
    uint64_t memory_limit_bytes; /* 0: 80 % of what is available */
    uint64_t warm_up_bytes;
    int no_control;
    int no_repeats, together;
    unsigned passes;  /* a set (harness/pass.h) */
    int chose_passes; /* 0: as the suite says */
    int no_census;
    int dry_run;
    int report;
    const char *resume;      /* an earlier run to finish */
    const char *of_new_runs; /* an option given that only a new run takes */
    const char *name;        /* of a folder of its own: results/TIME-NAME; NULL: the suite's */
    char *folder_used;       /* for another command (CLI_FOLDER_BYTES); or NULL */
    int no_table;
    struct until until;   /* its share is 0 where it was not asked for */
    const char *of_until; /* an option given that only goes with --until */
    int chose_until_rounds;
    enum run_view_mode view;
};

/* What holds without any option. */
extern const struct run_options cli_run_usual_options;

#endif
