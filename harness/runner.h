/*
 * Runs a plan: round after round, sample after sample, each stored before the next. Leaves out
 * where it starts from (harness/run_start.h) and what is printed at the end.
 */
#ifndef TIDEMARK_HARNESS_RUNNER_H
#define TIDEMARK_HARNESS_RUNNER_H

#include "harness/command.h"
#include "harness/run_start.h"
#include "harness/run_view.h"

enum { RUNNER_ERROR_BYTES = 1536 };

enum runner_end {
    RUNNER_COMPLETE,
    RUNNER_WITH_FAILURES, /* complete, but a sample crashed, hung or broke a limit */
    RUNNER_INTERRUPTED,   /* SIGINT or SIGTERM: what was measured is kept */
};

/*
 * Takes the samples of the plan that `start` has not yet, with progress on stderr as
 * `mode` says; writes
 * summary.json at the end, also of an interrupted run. Returns an enum runner_end, or a negative
 * errno with a message in `error` (RUNNER_ERROR_BYTES); earlier samples are then intact. Blocks
 * SIGINT and SIGTERM to itself while it runs.
 */
int runner_run(struct run_start *start, const struct program_paths *paths, enum run_view_mode mode,
               char *error);

#endif
