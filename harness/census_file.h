/*
 * The file of a census, census/NNNNNN.json.gz of a run folder: whole and synced, or not there.
 * Leaves out what is in it (harness/census.h).
 */
#ifndef TIDEMARK_HARNESS_CENSUS_FILE_H
#define TIDEMARK_HARNESS_CENSUS_FILE_H

#include "harness/census.h"

/* 1 when the run folder has something in the place of that cell's file. */
int census_file_is_there(int run_fd, size_t cell);

/*
 * Writes the file of the cell that `census` names, and the folder census/ where there is none.
 * Returns 0, or a negative errno with nothing written: -EFBIG for what census_file_read would
 * refuse.
 */
int census_file_write(int run_fd, const json_t *census);

/*
 * Reads and checks the file of a cell, which may come from anywhere. The caller owns the result.
 * Returns 0, -ENOENT when there is none, or another negative errno; either with a message in
 * `error` (CENSUS_ERROR_BYTES) that names the file. `census` is then untouched. Unpacks at most
 * JSON_FILE_MOST_BYTES.
 */
int census_file_read(int run_fd, size_t cell, json_t **census, char *error);

#endif
