/*
 * Replay against real: each experiment of recorded.json beside the cells of a run, phase by phase,
 * with a verdict by the bound that the file gives. Leaves out printing (harness/fidelity_table.h).
 */
#ifndef TIDEMARK_HARNESS_FIDELITY_H
#define TIDEMARK_HARNESS_FIDELITY_H

#include <jansson.h>

/*
 * Compares what recorded_read gave with the summary of a run. The caller owns the result, an object
 * that results/FORMAT.md describes under "fidelity"; NULL when memory ran out. What is compared is
 * growth above the start of each process, in kB, since a runtime starts smaller than an
 * interpreter.
 */
json_t *fidelity_compare(const json_t *recorded, const json_t *summary);

/* Whether all that was compared is within its bound, explained or without one, and something was.
 */
int fidelity_holds(const json_t *report);

#endif
