/*
 * Whether a document is a snapshot that can be shown: every number in it is within what it counts,
 * so that a reader may use it as an index. Leaves out whether it is true.
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_CHECK_H
#define TIDEMARK_HARNESS_SNAPSHOT_CHECK_H

#include "harness/snapshot_stream.h"

/* Returns 0, or -EINVAL with what is wrong where in `error` (SNAPSHOT_ERROR_BYTES). */
int snapshot_check(const json_t *document, char *error);

#endif
