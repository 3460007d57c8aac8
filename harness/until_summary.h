/*
 * How narrow the intervals of a cell became, where `tidemark run --until` asked for it. Leaves out
 * the intervals themselves (harness/summary.h).
 */
#ifndef TIDEMARK_HARNESS_UNTIL_SUMMARY_H
#define TIDEMARK_HARNESS_UNTIL_SUMMARY_H

#include <jansson.h>
#include <stddef.h>
#include <stdio.h>

/*
 * Adds the field `until` to the summary of the cell `planned`, which has its figures already, as
 * results/FORMAT.md describes it; no field where the plan does not ask for narrow intervals.
 * `samples` are those of the cell; all of the run took `took_ns`. O(cells + samples).
 */
void until_summary_add(json_t *summary, const json_t *plan, const json_t *planned,
                       const json_t *const *samples, size_t sample_count, double took_ns);

/* What all samples of a run took; those of earlier versions do not say it, and count as 0. */
double until_summary_took_ns(const json_t *samples);

/* "  inconclusive at the cap: time +-3.1 %", half the interval as a share of the median, where it
 * is so; nothing for a row that reached what was asked for, or of which nothing was asked. */
void until_summary_print_row(FILE *out, const json_t *cell);

/* A sentence or two on the whole summary; nothing where nothing was asked for. */
void until_summary_print(FILE *out, const json_t *summary);

#endif
