/*
 * A phase of a census as sys._debugmallocstats() of CPython 3.11 prints what it has of small
 * objects: from the table of classes to "Total", line for line. Leaves out the first line, a
 * constant, the nodes of the address map and free lists of types.
 */
#ifndef TIDEMARK_HARNESS_STATS_TEXT_H
#define TIDEMARK_HARNESS_STATS_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints a phase that census_check has passed. A line whose figure the allocator does not have is
 * left out. */
void stats_text_print(FILE *out, const json_t *phase);

#endif
