/*
 * An object graph as JSON, from tidemark-graph to `tidemark graph`: figures and types of a phase,
 * and what is drawn of it. docs/graph.md has every field. Leaves out addresses, which differ from
 * run to run: objects are numbered.
 */
#ifndef TIDEMARK_HARNESS_GRAPH_RECORD_H
#define TIDEMARK_HARNESS_GRAPH_RECORD_H

#include "harness/object_view.h"

#include <jansson.h>

/* One phase's end; `cycles` may be NULL. The caller owns the result; NULL: out of memory. */
json_t *graph_record_phase(const char *name, const struct object_graph *graph,
                           const struct object_cycles *cycles);

/* What is drawn of it. `chosen_by` is a sentence's part: "of the largest cycle". As above. */
json_t *graph_record_picture(const char *phase, const char *chosen_by,
                             const struct object_graph *graph, const struct object_cycles *cycles,
                             const struct object_view *view);

#endif
