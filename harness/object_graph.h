/*
 * The objects of a runtime at one moment, as a graph: every container that the collector tracks,
 * all that they lead to, and who refers to whom. Leaves out objects that only a name of the program
 * leads to and that no collector tracks, such as an int in a local. After gc.get_objects() and
 * gc.get_referents() of CPython. Its memory is malloc's; nothing of the runtime is changed.
 */
#ifndef TIDEMARK_HARNESS_OBJECT_GRAPH_H
#define TIDEMARK_HARNESS_OBJECT_GRAPH_H

#include "workloads/objects/runtime.h"

#include <stddef.h>
#include <stdint.h>

#define GRAPH_NONE UINT32_MAX
/* In a reference: it is a key of a dict that is a string, which a picture writes on the value's. */
#define GRAPH_IS_NAME (UINT32_C(1) << 31)
#define GRAPH_MOST    (GRAPH_IS_NAME - 1) /* objects */

struct graph_node {
    struct object *object;
    uint32_t type; /* in `types` */
    uint32_t
        outside; /* references from outside of the graph: the program's names; at most 2^32 - 1 */
    uint64_t bytes;    /* as sys.getsizeof */
    uint8_t is_shared; /* the interpreter's own, such as a small int: counts for nothing below */
    uint8_t is_alive;  /* a name leads to it, in however many steps */
};

/* Classes of one name are one type. */
struct graph_type {
    const char *name;
    uint64_t count;
    uint64_t bytes;
};

/* Objects are numbered: the oldest generation first, in the order of its ring; then what those
 * lead to, in the order of references. The same run gives the same numbers on every allocator. */
struct object_graph {
    struct runtime *runtime;
    struct graph_node *nodes;
    uint32_t node_count;
    uint32_t tracked_count; /* the first so many are those that the collector tracks */
    /* References of object i: targets[first_target[i]] up to targets[first_target[i + 1]]. */
    uint64_t *first_target;
    uint32_t *targets;
    /* The same backwards: who refers to object i. */
    uint64_t *first_source;
    uint32_t *sources;
    struct graph_type *types; /* in the order of first appearance */
    uint32_t type_count;
    uint64_t bytes; /* of all; and of those that are not alive */
    uint64_t dead_count, dead_bytes;
};

/* The object at either end of a reference. */
static inline uint32_t graph_end(uint32_t reference)
{
    return reference & ~GRAPH_IS_NAME;
}

static inline uint64_t graph_edge_count(const struct object_graph *graph)
{
    return graph->first_target[graph->node_count];
}

/*
 * Takes the graph of `runtime` as it is, outside of a collection. Returns 0 with what
 * object_graph_free gives back; -ENOMEM, or -E2BIG above GRAPH_MOST objects. Costs some 100 bytes
 * an object and 8 a reference, and three walks.
 */
int object_graph_take(struct object_graph *graph, struct runtime *runtime);

/* The type of that name, or GRAPH_NONE. */
uint32_t object_graph_type(const struct object_graph *graph, const char *name);

/* Gives all back; a graph that is all zero too. */
void object_graph_free(struct object_graph *graph);

#endif
