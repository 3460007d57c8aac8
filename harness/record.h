/*
 * A finished sample as the JSON line of results/FORMAT.md. Leaves out writing it
 * (harness/run_folder.h).
 */
#ifndef TIDEMARK_HARNESS_RECORD_H
#define TIDEMARK_HARNESS_RECORD_H

#include "harness/sample.h"

#include <jansson.h>

/* The sample as a new object; the caller owns it. `number` is its place in the run, `started` a UTC
 * time in ISO 8601. */
json_t *record_sample(const struct sample *sample, size_t number, size_t cell, unsigned round,
                      const char *started);

#endif
