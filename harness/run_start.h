/*
 * What a run starts from: an open folder, its machine.json and what of the plan is done. A new run
 * has nothing done, a resumed one what an earlier one left. Leaves out measuring
 * (harness/runner.h).
 */
#ifndef TIDEMARK_HARNESS_RUN_START_H
#define TIDEMARK_HARNESS_RUN_START_H

#include "harness/command.h"
#include "harness/run_folder.h"
#include "harness/tally.h"

enum { RUN_START_ERROR_BYTES = 2048 };

struct run_start {
    struct run_folder folder; /* open for appending */
    json_t *machine;          /* machine.json, as it is there */
    struct tally tally;
    int is_complete; /* 1: a resumed run that had ended; its folder is as it was */
};

/*
 * Creates the folder `path` for the plan, which outlives `start`. Returns 0, or a negative errno
 * with a message in `error` (RUN_START_ERROR_BYTES): -EEXIST when the folder is not empty.
 */
int run_start_new(struct run_start *start, const struct plan *plan,
                  const struct program_paths *paths, const char *path, char *error);

/*
 * Reads the run at `path` back, its plan into `plan` (plan_free, after `start` is closed), and
 * makes it ready to go on: a torn last line and curves without a line are removed, machine.json
 * says when it was resumed. A run that is complete is only read, also where it cannot be written.
 * Asks each row for its version, a short process each. Returns 0; -EINVAL with a message in `error`
 * when the run cannot be resumed here, which lists every reason that this build and machine give,
 * with nothing written; -EINTR when a signal came first; or another negative errno when it could
 * not be written.
 */
int run_start_resumed(struct run_start *start, struct plan *plan, const struct program_paths *paths,
                      const char *path, char *error);

/* After either, also when it failed. */
void run_start_close(struct run_start *start);

#endif
