/*
 * What real CPythons did, as a file: recorded.json, whose fields are in results/FORMAT.md. Leaves
 * out comparing (harness/fidelity.h). What has passed can be compared and printed without another
 * look, so that a file from anywhere may be named.
 */
#ifndef TIDEMARK_HARNESS_RECORDED_H
#define TIDEMARK_HARNESS_RECORDED_H

#include "harness/grammar.h"

#include <jansson.h>

enum { RECORDED_ERROR_BYTES = 1536, RECORDED_MOST_BYTES = 4 << 20 };

/*
 * Reads and checks the file. The caller owns the result; NULL with a message in `error`
 * (RECORDED_ERROR_BYTES) that names the file, the place and what was wanted there.
 */
json_t *recorded_read(const char *path, char *error);

/* The workload of an experiment, which recorded_read has checked: each parameter has one value. */
void recorded_workload(const json_t *experiment, struct workload_words *words);

#endif
