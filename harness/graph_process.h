/*
 * Runs tidemark-graph, a real CPython, and Graphviz's dot, each to its end. Leaves out what they
 * make: JSON (graph_record.h) and pictures. Nothing touches a disk: all write into memory files.
 */
#ifndef TIDEMARK_HARNESS_GRAPH_PROCESS_H
#define TIDEMARK_HARNESS_GRAPH_PROCESS_H

#include "harness/plan.h"
#include "harness/program_paths.h"

#include <jansson.h>

enum { GRAPH_PROCESS_ERROR_BYTES = 768 };

/*
 * Runs `cell`, whose host is a real CPython, unmeasured, and counts objects by type
 * (workloads/python/tidemark_growth.py). Returns as graph_process_run.
 */
int graph_process_count(const struct program_paths *paths, const struct cell *cell, uint64_t seed,
                        json_t **record, char *error);

/*
 * Runs `cell` unmeasured, with `options` (NULL-terminated) for tidemark-graph. Returns 0 with what
 * it wrote in `record`, which the caller owns; -EINTR; or another negative errno with a message in
 * `error` (GRAPH_PROCESS_ERROR_BYTES), empty when the process said it on stderr.
 */
int graph_process_run(const struct program_paths *paths, const struct cell *cell, uint64_t seed,
                      const char *const *options, json_t **record, char *error);

/* Whether Graphviz's dot can be started. */
int graph_process_has_dot(void);

/*
 * Lays out `dot`, a text of `length` bytes, as `format` ("svg", "png", "pdf"). Returns 0 with the
 * picture in `picture`, which the caller frees; or a negative errno with a message in `error`.
 */
int graph_process_lay_out(const char *dot, size_t length, const char *format, char **picture,
                          size_t *picture_length, char *error);

#endif
