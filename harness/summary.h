/*
 * The cells of a run, summarised from its stored samples alone. Leaves out comparison: that needs a
 * declared question.
 */
#ifndef TIDEMARK_HARNESS_SUMMARY_H
#define TIDEMARK_HARNESS_SUMMARY_H

#include <jansson.h>
#include <stddef.h>

enum { SUMMARY_ERROR_BYTES = 512 };

/*
 * One object per cell, in the order of the plan, as results/FORMAT.md describes summary.json; the
 * caller owns it. NULL with a message in `error` when the samples do not fit the plan.
 */
json_t *summary_of_run(const json_t *plan, const json_t *samples, char *error);

/* A figure of summary.json from `count` values, which it sorts; null of none. */
json_t *summary_figure(double *values, size_t count);

#endif
