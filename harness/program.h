/*
 * A program of somebody's, run as it is but for what is preloaded: the malloc of a row, and a
 * library of ours that looks on. It keeps the terminal, its own environment and its own signals.
 * Leaves out samples, which get an environment made from nothing (harness/spawn.h), and ptrace and
 * signals: a program under them is another one.
 */
#ifndef TIDEMARK_HARNESS_PROGRAM_H
#define TIDEMARK_HARNESS_PROGRAM_H

#include "harness/environment.h"
#include "harness/program_paths.h"
#include "harness/row.h"

#include <limits.h>

enum { PROGRAM_ERROR_BYTES = 512 };
enum { PROGRAM_USAGE = 2, PROGRAM_FAILED = 1 }; /* exit statuses of tidemark's own */

/*
 * The file that serves a program's malloc on this row, into `file` (PATH_MAX): empty for glibc,
 * which every program has. Returns 0, or PROGRAM_USAGE for a row without such a file, or
 * PROGRAM_FAILED for one that is not available here, with a message in `error`
 * (PROGRAM_ERROR_BYTES). Thread-safe.
 */
int program_find_malloc(const struct program_paths *paths, const struct row *row, char *file,
                        char *error);

/*
 * Adds LD_PRELOAD: `library` first ("": none), then the malloc of the row `text` (NULL: the
 * program's own) and what the caller's LD_PRELOAD holds; and the row's tunables. Returns 0, or a
 * status as program_find_malloc.
 */
int program_preload(struct environment *added, const struct program_paths *paths,
                    const char *library, const char *text, char *error);

struct program_run {
    const char *name;                /* of the subcommand, for messages of the child's */
    char *const *argv;               /* argv[0] is looked for in PATH */
    const struct environment *added; /* on top of the caller's own */
    uint64_t tick_ns;                /* `on_tick` is called so often while it runs; 0: never */
    /* Returns 0, or 1 to be called once more at once. */
    int (*on_tick)(void *context);
    void *context;
    /* 1: it has a process group of its own. Ctrl-C, SIGTERM and SIGHUP are noted
     * (harness/interrupts.h) and end the group, and what is left of that ends with the program. */
    int is_ours;
};

/*
 * Runs it to its end. Where it is not ours a terminal sends Ctrl-C to the program as well, which
 * decides what it means: this process ignores it meanwhile, and passes SIGTERM and SIGHUP on.
 * Returns 0 with the program's status as a shell has it (128 + n for signal n, 127 when it cannot
 * be executed), or a negative errno. One at a time.
 */
int program_run(const struct program_run *run, int *exit_status);

#endif
