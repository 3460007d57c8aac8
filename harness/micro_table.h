/*
 * Google Benchmark's results of several rows side by side. Leaves out everything but time per
 * operation.
 */
#ifndef TIDEMARK_HARNESS_MICRO_TABLE_H
#define TIDEMARK_HARNESS_MICRO_TABLE_H

#include <jansson.h>
#include <stdio.h>

/* `results` maps a row to Google Benchmark's JSON. Prints nanoseconds per item, a line per
 * benchmark, a column per row; medians where there are repetitions. `results` is not changed
 * (jansson iterates over no const object). */
void micro_table_print(FILE *out, json_t *results);

#endif
