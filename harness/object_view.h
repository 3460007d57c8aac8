/*
 * What of an object graph is drawn: some objects, what keeps them, what is around them, up to a
 * number that a reader can take in; and what had to be left out. Leaves out how it is drawn
 * (graph_dot.h). Depth and fan are objgraph's max_depth and too_many.
 */
#ifndef TIDEMARK_HARNESS_OBJECT_VIEW_H
#define TIDEMARK_HARNESS_OBJECT_VIEW_H

#include "harness/object_cycles.h"
#include "workloads/objects/references.h"

enum view_direction {
    VIEW_BOTH, /* what keeps the object, the whole of its cycle, and what is around those */
    VIEW_TARGETS,
    VIEW_SOURCES,
};

struct view_request {
    const uint32_t *chosen; /* at least one object */
    size_t chosen_count;
    enum view_direction direction;
    unsigned depth; /* steps from the chosen ones; of VIEW_BOTH from what keeps them too */
    unsigned fan;   /* objects that are added next to one */
    uint32_t most;  /* objects in all */
};

enum { VIEW_NAMES = 3 };

enum view_part {
    VIEW_AROUND,
    VIEW_WAY,   /* from a name of the program to the first chosen object */
    VIEW_CYCLE, /* between two objects of one cyclic component */
    VIEW_ROUND, /* of the shortest cycle through the first chosen object */
    VIEW_WEAK,  /* a weak reference, which keeps nothing */
};

/* All references from one drawn object to another; or a weak one. */
struct view_edge {
    uint32_t from, to; /* positions in `nodes` */
    uint64_t count;
    enum view_part part;
    char names[VIEW_NAMES][REFERENCE_TEXT_BYTES]; /* of the first ones */
};

struct view_node {
    uint32_t object;
    int is_chosen;
    /* References to and from objects that are not drawn, where the direction asks for them. */
    uint64_t more_targets, more_sources;
};

struct object_view {
    struct view_node *nodes; /* the chosen ones first */
    uint32_t node_count;
    struct view_edge *edges;
    size_t edge_count, edge_room;
    struct object_path way; /* what keeps the first chosen object: from a name or, where none leads
                               to it, from a cycle */
    struct object_path round; /* the shortest cycle through the object that `way` begins with, or
                                 through the chosen one when a name keeps it */
};

/* Chooses what is drawn. Returns 0 with what object_view_free gives back, or -ENOMEM. Costs some
 * walks of the graph. */
int object_view_make(struct object_view *view, const struct object_graph *graph,
                     const struct object_cycles *cycles, const struct view_request *request);

/* The name of the first reference from one object to another, into `text` (REFERENCE_TEXT_BYTES);
 * "" where there is none. Returns `text`. */
const char *object_view_name(const struct object_graph *graph, uint32_t from, uint32_t to,
                             char *text);

void object_view_free(struct object_view *view);

#endif
