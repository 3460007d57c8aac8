/*
 * One check of one row, in a fresh process: what it says, or how it died. Leaves out which checks
 * and rows (harness/cli_check.c), and the checks themselves (harness/check.h).
 */
#ifndef TIDEMARK_HARNESS_CHECK_PROCESS_H
#define TIDEMARK_HARNESS_CHECK_PROCESS_H

#include "harness/check.h"
#include "harness/program_paths.h"
#include "harness/row.h"

#include <stdint.h>

enum check_status {
    CHECK_OK,
    CHECK_FAILED,
    CHECK_NOT_AVAILABLE, /* the row promises nothing there, or this build cannot tell */
    CHECK_KNOWN,         /* it fails, in the way and for the reason that check_deviations names */
};

enum { CHECK_TEXT_BYTES = 1024, CHECK_SAID_BYTES = 4096 };

struct check_result {
    enum check_status status;
    char finding[CHECK_TEXT_BYTES]; /* a sentence, or empty */
    char said[CHECK_SAID_BYTES];    /* the end of what the process printed besides */
    double seconds;
};

struct check_limits {
    uint64_t seed;
    unsigned timeout_seconds;
};

/*
 * Starts tidemark-check in a process group of its own, and waits; the group is gone when this
 * returns. Returns 0 with `result` filled, whatever became of the process; -EINTR when this process
 * was interrupted meanwhile; or another negative errno when none could be started.
 */
int check_process_run(const struct check *check, const struct row *row,
                      const struct program_paths *paths, const struct check_limits *limits,
                      struct check_result *result);

/* "ok", "FAIL", "n/a" or "known". Thread-safe. */
const char *check_status_name(enum check_status status);

/* A failure that is known of an allocator, with its reason: recorded here, and printed, rather than
 * left out. */
struct check_deviation {
    const char *allocator; /* its name; that of the raw one of a composed row counts too */
    const char *check;
    const char *finding; /* a part of the sentence: another failure of the same check is no known
                            one */
    const char *reason;
};

/* The deviation that `finding` of `check` on `row` is, or NULL. Thread-safe. */
const struct check_deviation *check_deviation_find(const char *check, const struct row *row,
                                                   const char *finding);

#endif
