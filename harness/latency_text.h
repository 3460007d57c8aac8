/*
 * Latencies as a table for people. Leaves out JSON and pictures.
 */
#ifndef TIDEMARK_HARNESS_LATENCY_TEXT_H
#define TIDEMARK_HARNESS_LATENCY_TEXT_H

#include <jansson.h>
#include <stdio.h>

/*
 * Prints `cells`: objects of the plan (`workload`, `params`, `allocator`, `host`, `idle_ns`), each
 * with its checked file as `latency`, in the order of the plan. One line for each operation of a
 * cell; by phase where `by_phase` is set.
 */
void latency_text_print(FILE *out, const json_t *cells, int by_phase);

#endif
