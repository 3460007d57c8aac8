/*
 * One factor for all sizes of a run (`--scale`): the parameters of workloads that count what there
 * is to do or to hold are multiplied by it. Leaves out which those are, which the workloads say
 * (`scales` of workloads/workload.h). The idea of one knob that fits a suite to a machine is that
 * of SPEC's and PARSEC's input sets.
 */
#ifndef TIDEMARK_HARNESS_SCALE_H
#define TIDEMARK_HARNESS_SCALE_H

#include "harness/grammar.h"

#include <jansson.h>

/* 0.001 to 1000, as digits with or without a point. Returns 0, or -EINVAL or -ERANGE with `factor`
 * untouched. Thread-safe. */
int scale_parse(const char *text, double *factor);

/*
 * Scales all values of a workload. Those of a sweep that become the same are one. Where a bound of
 * a parameter is in the way, the array `notes` gets a sentence that says so, once.
 */
void scale_words(struct workload_words *words, double factor, json_t *notes);

#endif
