/*
 * The file of a snapshot document: gzip, one line of JSON. Leaves out what is in it
 * (results/FORMAT.md, snapshot), but for checking it: such a file may come from anywhere.
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_FILE_H
#define TIDEMARK_HARNESS_SNAPSHOT_FILE_H

#include "harness/snapshot_stream.h"

/*
 * Whether a file could be written at `path`, found out by writing one beside it and taking it away
 * again. Returns 0, or a negative errno with a message in `error` (SNAPSHOT_ERROR_BYTES).
 */
int snapshot_file_try(const char *path, char *error);

/* Writes the file whole, or leaves what was there. Returns and says what snapshot_file_try does;
 * -EFBIG for what snapshot_file_read would refuse. */
int snapshot_file_write(const char *path, const json_t *document, char *error);

/*
 * Reads and checks a file. The caller owns the result; NULL with a message in `error`
 * (SNAPSHOT_ERROR_BYTES) that names the file. Unpacks at most JSON_FILE_MOST_LINES_BYTES.
 */
json_t *snapshot_file_read(const char *path, char *error);

#endif
