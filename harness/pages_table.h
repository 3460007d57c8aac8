/*
 * The files of the pass `pages` as a table for people, or as JSON. Leaves out the figure, which the
 * report draws (plot/pages.py).
 */
#ifndef TIDEMARK_HARNESS_PAGES_TABLE_H
#define TIDEMARK_HARNESS_PAGES_TABLE_H

#include "harness/run_read.h"

/*
 * Adds to each cell of `summary`, which is that of the run, `pages`: the file of the cell; or
 * `no_pages`, a sentence that says why there is none. Returns how many cells have a file, or a
 * negative errno with a message in `error` (RUN_FOLDER_ERROR_BYTES) that names the file.
 */
int pages_table_read(json_t *summary, const struct run_folder *folder,
                     const struct run_content *run, char *error);

/* Prints what pages_table_read has added: a line for each phase. */
void pages_table_print(FILE *out, const json_t *summary);

/* The same as a JSON array, an object for each cell. */
void pages_table_print_json(FILE *out, const json_t *summary);

#endif
