/*
 * The file of a pass and a cell, PASS/NNNNNN.json.gz of a run folder: whole and synced, or not
 * there. Leaves out what is in it, which the pass checks.
 */
#ifndef TIDEMARK_HARNESS_PASS_FILE_H
#define TIDEMARK_HARNESS_PASS_FILE_H

#include "harness/pass.h"

/* 1 when the run folder has something in the place of that cell's file. */
int pass_file_is_there(int run_fd, const struct pass *pass, size_t cell);

/*
 * Writes the file of the cell that `json` names, and the folder of the pass where there is none.
 * Returns 0, or a negative errno with nothing written: -EFBIG for what pass_file_read would refuse.
 */
int pass_file_write(int run_fd, const struct pass *pass, const json_t *json);

/*
 * Reads and checks the file of a cell, which may come from anywhere. The caller owns the result.
 * Returns 0, -ENOENT when there is none, or another negative errno; either with a message in
 * `error` (PASS_ERROR_BYTES) that names the file. `json` is then untouched. Unpacks at most
 * JSON_FILE_MOST_BYTES.
 */
int pass_file_read(int run_fd, const struct pass *pass, size_t cell, json_t **json, char *error);

#endif
