/*
 * The summary as a table for people. Leaves out JSON and pictures.
 */
#ifndef TIDEMARK_HARNESS_TABLE_H
#define TIDEMARK_HARNESS_TABLE_H

#include <jansson.h>
#include <stdio.h>

/* Prints the cells of summary_of_run, grouped by experiment, in the order of the plan; then, where
 * the run knows it, how steady the machine was: the A/A controls and the dirty samples. */
void table_print(FILE *out, const json_t *summary);

/* The same cells phase by phase: what is resident at the end of each, and how long it took. */
void table_print_phases(FILE *out, const json_t *summary);

/* 1 when two cells are of one experiment: only their rows differ. */
int table_same_experiment(const json_t *a, const json_t *b);

/* An empty line, and one that names the experiment of a cell. */
void table_print_experiment(FILE *out, const json_t *cell);

#endif
