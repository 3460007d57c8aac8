/*
 * What keeps an object: the cycles of an object graph, the shortest way from a name of the program
 * to an object, and the shortest cycle through it. Leaves out what of it is drawn (object_view.h).
 * Components are Tarjan's (1972), with a stack of our own; objgraph's find_backref_chain is the
 * model of a chain.
 */
#ifndef TIDEMARK_HARNESS_OBJECT_CYCLES_H
#define TIDEMARK_HARNESS_OBJECT_CYCLES_H

#include "harness/object_graph.h"

/* Objects that all lead to each other; one that leads only away is a component of its own. */
struct object_cycles {
    uint32_t *component_of; /* by object */
    uint32_t *sizes;        /* by component: objects */
    uint32_t *firsts;       /* by component: its object of the lowest number */
    uint8_t *is_cyclic;     /* by component: of more than one object, or one that holds itself */
    uint32_t component_count;
    uint32_t cyclic_count; /* components with a cycle; of these, those that no name leads to */
    uint32_t dead_cyclic_count;
    uint64_t cyclic_objects, dead_cyclic_objects; /* in them */
};

/* Objects one after the other, each holding the next. */
struct object_path {
    uint32_t *nodes; /* owned: object_path_free */
    uint32_t count;
};

/* Components of `graph`. Returns 0 with what object_cycles_free gives back, or -ENOMEM. Costs a
 * walk and some 30 bytes an object. */
int object_cycles_find(struct object_cycles *cycles, const struct object_graph *graph);

/* The largest component with a cycle, one that no name leads to before all others; of equals that
 * with the first object. GRAPH_NONE: there is no cycle. */
uint32_t object_cycles_largest(const struct object_cycles *cycles,
                               const struct object_graph *graph);

/* How many components with a cycle are of a size. */
struct cycle_size {
    uint32_t objects;
    uint32_t count, dead_count;
};

/* Counts them by size into `sizes` (room for `most`), the largest first; what does not fit is left
 * out. Returns how many sizes there are, or -ENOMEM. */
int64_t object_cycles_sizes(const struct object_cycles *cycles, const struct object_graph *graph,
                            struct cycle_size *sizes, size_t most);

/*
 * The shortest way to `object` from one that is held from outside: from that one to `object`. Empty
 * where there is none. Returns 0 or -ENOMEM. Costs a walk of what leads to it.
 */
int object_path_from_names(const struct object_graph *graph, uint32_t object,
                           struct object_path *path);

/* The same from the nearest object that is in a cycle. */
int object_path_from_cycle(const struct object_graph *graph, const struct object_cycles *cycles,
                           uint32_t object, struct object_path *path);

/* The shortest cycle through `object`, which is first and not repeated. Empty where there is none.
 * Returns 0 or -ENOMEM. */
int object_path_round(const struct object_graph *graph, const struct object_cycles *cycles,
                      uint32_t object, struct object_path *path);

void object_path_free(struct object_path *path);

void object_cycles_free(struct object_cycles *cycles);

#endif
