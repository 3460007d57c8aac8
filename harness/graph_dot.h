/*
 * A picture of objects and who holds them, in the language of Graphviz. Leaves out layout, which is
 * the program dot's, and addresses: the same picture is the same text each time. Roots, chosen
 * objects and stubs for what is cut are objgraph's; cycles that stand out are ours.
 */
#ifndef TIDEMARK_HARNESS_GRAPH_DOT_H
#define TIDEMARK_HARNESS_GRAPH_DOT_H

#include <jansson.h>
#include <stdio.h>

/* Writes `picture`, of graph_record_picture; `subject` says of what it is, in a line. */
void graph_dot_write(FILE *out, const json_t *picture, const char *subject);

#endif
