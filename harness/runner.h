/*
 * Runs a plan: round after round, sample after sample, each stored before the next. Leaves out what
 * is printed at the end.
 */
#ifndef TIDEMARK_HARNESS_RUNNER_H
#define TIDEMARK_HARNESS_RUNNER_H

#include "harness/command.h"
#include "harness/plan.h"

enum { RUNNER_ERROR_BYTES = 1536 };

enum runner_end {
    RUNNER_COMPLETE,
    RUNNER_WITH_FAILURES, /* complete, but a sample crashed, hung or broke a limit */
    RUNNER_INTERRUPTED,   /* SIGINT or SIGTERM: what was measured is kept */
};

/*
 * Creates the folder `path` and runs the plan into it, with progress on stderr; writes summary.json
 * at the end, also of an interrupted run. Returns an enum runner_end, or a negative errno with a
 * message in `error`; earlier samples are then intact. Blocks SIGINT and SIGTERM to itself while it
 * runs.
 */
int runner_run(const struct plan *plan, const struct program_paths *paths, const char *path,
               char *error);

#endif
