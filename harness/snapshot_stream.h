/*
 * What a recorded process wrote (harness/sites/stream.h), as a snapshot document
 * (results/FORMAT.md, snapshot). Leaves out names of functions and lines
 * (harness/snapshot_symbols.h).
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_STREAM_H
#define TIDEMARK_HARNESS_SNAPSHOT_STREAM_H

#include <jansson.h>

enum { SNAPSHOT_ERROR_BYTES = 512, SNAPSHOT_FORMAT = 1 };

/*
 * Reads the file of a stream into a new document, without what was recorded of whom. A last line
 * that is not whole is left out. The caller owns the result; NULL with a message in `error`
 * (SNAPSHOT_ERROR_BYTES).
 */
json_t *snapshot_stream_read(const char *path, json_t *domains, char *error);

#endif
