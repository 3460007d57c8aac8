/*
 * A workload run once under the recorder. Leaves out showing what was found
 * (harness/snapshot_text.h).
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_WORKLOAD_H
#define TIDEMARK_HARNESS_SNAPSHOT_WORKLOAD_H

#include "harness/program_paths.h"
#include "harness/snapshot_stream.h"

#include <stdint.h>

struct snapshot_workload {
    const char *workload; /* as after -w, without a sweep */
    const char *row;
    uint64_t seed;
};

/* What became of it: an exit status of `tidemark`. */
enum { SNAPSHOT_DONE = 0, SNAPSHOT_FAILED = 1, SNAPSHOT_USAGE = 2, SNAPSHOT_INTERRUPTED = 130 };

/*
 * Runs it to its end and names all frames. Returns SNAPSHOT_DONE with `document` owned by the
 * caller, or another status with a message in `error` (SNAPSHOT_ERROR_BYTES). Takes as long as the
 * workload, some times over.
 */
int snapshot_workload_run(const struct snapshot_workload *request,
                          const struct program_paths *paths, json_t **document, char *error);

#endif
