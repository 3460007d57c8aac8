/*
 * What `tidemark graph` prints: the phases, why an object is still there, and growth by type.
 * Leaves out pictures (graph_dot.h). After objgraph's show_growth().
 */
#ifndef TIDEMARK_HARNESS_GRAPH_TEXT_H
#define TIDEMARK_HARNESS_GRAPH_TEXT_H

#include <jansson.h>
#include <stdint.h>
#include <stdio.h>

enum { GRAPH_COUNT_BYTES = 32 };

/* "9,999,940", into `text` (GRAPH_COUNT_BYTES); returned. */
const char *graph_format_count(uint64_t count, char *text);

/* What tidemark-graph found, `picture` included. */
void graph_text_print(FILE *out, const json_t *record);

/*
 * How many objects of each type there were at the end of each phase, and how many more than in the
 * one before; with two phases given, of those alone, with bytes. Both are there.
 */
void graph_growth_print(FILE *out, const json_t *phases, const char *from, const char *to);

#endif
