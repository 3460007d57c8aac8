/*
 * How memory went back, for people and for programs: each row in each way, one beneath the other.
 * Leaves out time's intervals and phases (harness/table.h).
 */
#ifndef TIDEMARK_HARNESS_RETURN_TABLE_H
#define TIDEMARK_HARNESS_RETURN_TABLE_H

#include <jansson.h>
#include <stdio.h>

/*
 * Those fields of the cells of summary_of_run that this table shows, grouped by workload,
 * parameters and host, controls left out; the caller owns it.
 */
json_t *return_table(const json_t *summary);

/* Prints what return_table gave. */
void return_table_print(FILE *out, const json_t *table);

#endif
