/*
 * Starts tidemark-micro: to list what its flags select, and to measure one row into a folder.
 * Leaves out which rows, the run folder and the table (harness/cli_micro.c).
 */
#ifndef TIDEMARK_HARNESS_MICRO_RUN_H
#define TIDEMARK_HARNESS_MICRO_RUN_H

#include "harness/program_paths.h"
#include "harness/progress.h"
#include "harness/row.h"

#include <jansson.h>
#include <stdint.h>

struct micro_run {
    const struct program_paths *paths;
    const char *folder; /* the run folder's path */
    int micro_fd;       /* its folder micro */
    char *const *flags; /* Google Benchmark's, borrowed */
    int flag_count;
    int takes_every; /* --all */
    size_t names;    /* benchmarks that the flags select, of any row */
    struct progress *progress;
    size_t row_count; /* rows to measure, for the time left */
    size_t measured;  /* benchmarks so far */
    uint64_t began_ns;
};

enum micro_end {
    MICRO_DONE,
    MICRO_NOT_AVAILABLE, /* the row, or every benchmark that was asked for */
    MICRO_FAILED,
    MICRO_USAGE,
    MICRO_INTERRUPTED,
    MICRO_TIMED_OUT, /* of the list: the filter takes too long to match */
};

/*
 * Lists what the flags select, on stdout when `shows` is set, and counts it into `names`. Returns
 * MICRO_DONE; MICRO_NOT_AVAILABLE when that is nothing; or how it failed, having said why on
 * stderr.
 */
enum micro_end micro_run_list(struct micro_run *run, int shows);

/* What tidemark-micro answers itself: --help. Its output goes to stdout. */
enum micro_end micro_run_answer(const struct micro_run *run);

/*
 * Measures `row` into ROW.json of the folder; reasons and failures go to stderr, progress to
 * `progress`. `result` is what was written, owned by the caller: also of MICRO_FAILED, where some
 * benchmarks gave no figure; NULL when there is none.
 */
enum micro_end micro_run_row(struct micro_run *run, const struct row *row, json_t **result);

/* Seconds for what is left when `rows_done` rows are, by what was measured so far; before that by
 * what the flags ask for. */
double micro_run_left_seconds(const struct micro_run *run, size_t rows_done, size_t names_done);

#endif
