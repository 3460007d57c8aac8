/*
 * The table of `tidemark show --pages`. Leaves out where the cells come from (harness/show_pass.h)
 * and the figure, which the report draws (plot/pages.py).
 */
#ifndef TIDEMARK_HARNESS_PAGES_TEXT_H
#define TIDEMARK_HARNESS_PAGES_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints cells of a run, each with its checked file under `pages`: a line for each phase, whether
 * `by_phase` or not. */
void pages_text_print(FILE *out, const json_t *cells, int by_phase);

#endif
