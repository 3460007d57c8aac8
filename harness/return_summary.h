/*
 * What a cell's samples say together of memory that goes back. Leaves out each sample's own figures
 * (harness/record.h).
 */
#ifndef TIDEMARK_HARNESS_RETURN_SUMMARY_H
#define TIDEMARK_HARNESS_RETURN_SUMMARY_H

#include <jansson.h>
#include <stddef.h>

/*
 * Adds `moments`, `returnable_bytes`, `watched_ns`, `give_back_50_ns`, `give_back_90_ns`,
 * `give_back_ns`, `rebuild_ns` and `rebuild_minor_faults` to a cell of summary.json, as
 * results/FORMAT.md describes them, from its `count` good samples. `room` holds as many numbers.
 */
void return_summary_add(json_t *cell, const json_t *const *samples, size_t count, double *room);

#endif
