/*
 * The table of `tidemark show --syscalls`. Leaves out where the cells come from
 * (harness/show_pass.h).
 */
#ifndef TIDEMARK_HARNESS_LEDGER_TEXT_H
#define TIDEMARK_HARNESS_LEDGER_TEXT_H

#include <jansson.h>
#include <stdio.h>

/* Prints cells of a run, each with its checked file under `ledger`: a block per experiment, in it
 * for each row and phase a line per call and kind, sums, and what the kernel says; whether
 * `by_phase` or not. */
void ledger_text_print(FILE *out, const json_t *cells, int by_phase);

#endif
