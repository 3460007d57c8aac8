/*
 * Any program run once with libtidemark-record.so before its malloc, and the trace that comes of
 * it. Leaves out what is in a trace (trace_scan.h).
 */
#ifndef TIDEMARK_HARNESS_TRACE_RECORD_PROGRAM_H
#define TIDEMARK_HARNESS_TRACE_RECORD_PROGRAM_H

#include "harness/program_paths.h"
#include "harness/trace/record_collect.h"

struct record_program {
    char *const *argv; /* argv[0] is looked for in PATH */
    const char *row;   /* the allocator that it runs on; NULL: its own */
    const char *file;  /* is replaced at the end; until then the trace is at FILE.partial */
    unsigned with;     /* RECORD_WITH_... */
    int level;         /* of zstd, 1 to 19 */
    int is_ours;       /* as struct program_run has it */
};

/* What came of it. */
struct record_result {
    int exit_status;     /* the program's, as a shell has it */
    uint64_t program_ns; /* from its start to its end: what was left to write then is not in it */
    struct record_counts counts;
    uint64_t file_bytes;
    int is_kept; /* 0: nothing was recorded, there is no file; `why` tells */
    char why[TRACE_ERROR_BYTES];
};

/*
 * Runs it to its end with this process's stdin, stdout, stderr and environment. Returns 0; or a
 * status of tidemark's (harness/program.h) with a message in `error` (PROGRAM_ERROR_BYTES) where it
 * could not be started or the trace not be written.
 */
int record_program_run(const struct record_program *request, const struct program_paths *paths,
                       struct record_result *result, char *error);

#endif
