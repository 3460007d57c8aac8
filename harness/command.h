/*
 * The command line and the environment of a sample's process: what is executed for a cell.
 * Leaves out starting it (harness/spawn.h).
 */
#ifndef TIDEMARK_HARNESS_COMMAND_H
#define TIDEMARK_HARNESS_COMMAND_H

#include "harness/environment.h"
#include "harness/plan.h"
#include "harness/program_paths.h"

enum { COMMAND_ARGUMENTS = 16 + 2 * WORKLOAD_PARAMETERS, COMMAND_BYTES = 8192 };

/* Owns its text; `argv` ends with NULL and is what execve takes. */
struct command {
    char *argv[COMMAND_ARGUMENTS + 1];
    size_t count;
    char text[COMMAND_BYTES];
    size_t used_bytes;
    struct environment environment;
};

/* Starts an empty command that executes `path`. */
void command_init(struct command *command, const char *path);

/* Adds one argument. Returns 0 or -E2BIG. */
int command_add(struct command *command, const char *argument);

/*
 * The command that runs `cell` once: tidemark-child or an interpreter, with `pad_bytes` of padding
 * in its environment. Returns 0 or -E2BIG.
 */
int command_for_cell(struct command *command, const struct program_paths *paths,
                     const struct cell *cell, uint64_t seed, unsigned pad_bytes);

#endif
