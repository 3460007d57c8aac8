/*
 * Any program run once with libtidemark-snapshot.so before its malloc. Leaves out showing what was
 * found (harness/snapshot_text.h), and limits: the program is the user's own.
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_PROGRAM_H
#define TIDEMARK_HARNESS_SNAPSHOT_PROGRAM_H

#include "harness/program_paths.h"
#include "harness/snapshot_stream.h"

#include <stddef.h>
#include <stdint.h>

struct snapshot_program {
    char *const *argv;   /* argv[0] is looked for in PATH */
    const char *row;     /* the allocator that it runs on; NULL: its own */
    const char *program; /* only a program of this name is recorded; NULL: the first */
    uint64_t every_ns;   /* between two snapshots; 0: one at the end alone */
    int is_ours;         /* as struct program_run has it */
};

/*
 * Runs it to its end, with this process's stdin, stdout, stderr and environment, and names all
 * frames. Returns 0 with the program's exit status (128 more than a signal) in `exit_status` and
 * `document` owned by the caller: NULL when nothing was recorded, with the reason in `error`
 * (SNAPSHOT_ERROR_BYTES). Where the program could not be started returns a status of tidemark's,
 * with a message in `error`.
 */
int snapshot_program_run(const struct snapshot_program *request, const struct program_paths *paths,
                         int *exit_status, json_t **document, char *error);

#endif
