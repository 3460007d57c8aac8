/*
 * A finished sample as the JSON line of results/FORMAT.md. Leaves out writing it
 * (harness/run_folder.h).
 */
#ifndef TIDEMARK_HARNESS_RECORD_H
#define TIDEMARK_HARNESS_RECORD_H

#include "harness/canary.h"
#include "harness/sample.h"

#include <jansson.h>

/* Where in the run a sample stands, and what the machine was like before it. */
struct record_place {
    size_t number; /* its place in the run */
    size_t cell;
    unsigned round, repeat;
    const char *started;                 /* UTC, ISO 8601 */
    uint64_t took_ns;                    /* with its canary, until it was recorded */
    const struct canary_reading *canary; /* NULL: none was taken */
    int is_dirty;
};

/* The sample as a new object; the caller owns it. */
json_t *record_sample(const struct sample *sample, const struct record_place *place);

#endif
