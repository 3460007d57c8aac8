/*
 * The command line and the environment of a sample's process: what is executed for a cell.
 * Leaves out starting it (harness/spawn.h).
 */
#ifndef TIDEMARK_HARNESS_COMMAND_H
#define TIDEMARK_HARNESS_COMMAND_H

#include "harness/environment.h"
#include "harness/plan.h"

enum { COMMAND_ARGUMENTS = 16 + 2 * WORKLOAD_PARAMETERS, COMMAND_BYTES = 8192 };

/* Owns its text; `argv` ends with NULL and is what execve takes. */
struct command {
    char *argv[COMMAND_ARGUMENTS + 1];
    size_t count;
    char text[COMMAND_BYTES];
    size_t used_bytes;
    struct environment environment;
};

/* Where the programs of this installation lie. */
struct program_paths {
    char child[1024];         /* tidemark-child */
    char micro[1024];         /* tidemark-micro */
    char python_folder[1024]; /* workloads/python */
    char report_script[1024]; /* plot/report.py */
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

/*
 * The command that opens `row`, as a sample does, and prints a line that begins with the version of
 * what it loaded and a tab. Returns 0 or -E2BIG.
 */
int command_for_version(struct command *command, const struct program_paths *paths,
                        const struct row *row);

/* Finds the programs: beside this one, and in the source tree that it was built from. Returns 0 or
 * a negative errno. */
int program_paths_find(struct program_paths *paths);

#endif
