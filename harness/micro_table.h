/*
 * Google Benchmark's results of several rows side by side. Leaves out sorting: Google Benchmark's
 * order is by kind and size.
 */
#ifndef TIDEMARK_HARNESS_MICRO_TABLE_H
#define TIDEMARK_HARNESS_MICRO_TABLE_H

#include <jansson.h>
#include <stdio.h>

/*
 * `results` maps a row to Google Benchmark's JSON. Prints a group of lines per theme, a line per
 * benchmark, a column per row: nanoseconds per item, and times those of the first row; medians
 * where there are repetitions. Beneath it what was `n/a` or failed, with its reason, and what
 * stayed resident. `results` is not changed (jansson iterates over no const object).
 */
void micro_table_print(FILE *out, json_t *results);

#endif
