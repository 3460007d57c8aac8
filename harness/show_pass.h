/*
 * `tidemark show RUN` with the option of a pass: its files beside the cells that they are of.
 * Leaves out the options (harness/cli_show.c) and the look of each table.
 */
#ifndef TIDEMARK_HARNESS_SHOW_PASS_H
#define TIDEMARK_HARNESS_SHOW_PASS_H

#include "harness/pass.h"

#include <stdio.h>

/* How the files of a pass are shown. */
struct pass_view {
    const struct pass *pass;
    const char *what; /* they tell of, as in "no WHAT" */
    int is_of_phases; /* --phases may stand beside the option */

    /* Prints cells of the plan (`workload`, `params`, `allocator`, `host`, `idle_ns`), in its
     * order, each with its checked file under the name of the pass. `by_phase`: with --phases. */
    void (*print)(FILE *out, const json_t *cells, int by_phase);
};

/* Prints those of the run at `path`, as JSON or as a table. Cells without a file are named on
 * stderr with the reason. Returns an exit status: failure when no cell has one, or a file of the
 * run cannot be read. */
int show_pass(const struct pass_view *view, const char *path, int as_json, int by_phase);

#endif
