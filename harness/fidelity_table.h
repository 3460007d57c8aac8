/*
 * The report of harness/fidelity.h as text: one block per experiment, one line per phase. Leaves
 * out what a run has not measured, but for its number.
 */
#ifndef TIDEMARK_HARNESS_FIDELITY_TABLE_H
#define TIDEMARK_HARNESS_FIDELITY_TABLE_H

#include <jansson.h>
#include <stdio.h>

void fidelity_table_print(FILE *out, const json_t *report);

#endif
