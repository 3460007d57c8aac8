/*
 * Taking the graph: see object_graph.h. Breadth first from the collector's rings, so that no depth
 * needs a stack; a table of addresses tells what was seen. Leaves out cycles (object_cycles.c).
 */
#include "harness/object_graph.h"

#include "workloads/objects/references.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 1024 };

/* A type of the runtime and the name's place in the graph: several may share one. */
struct known_type {
    const struct object_type *type;
    uint32_t index;
};

struct builder {
    struct object_graph *graph;
    size_t node_room, edge_room, type_room;
    uint64_t edge_count;
    /* Open addressing: an object's number + 1, or 0. At least twice the objects, a power of two. */
    uint32_t *slots;
    size_t slot_count;
    struct known_type *known;
    size_t known_count, known_room;
    int error; /* the first one: a visitor cannot return it */
};

/* Makes room for `count` entries of `entry_bytes` at *array. Returns 0 or -ENOMEM. */
static int grow(void *array, size_t *room, size_t count, size_t entry_bytes)
{
    void *old, *new;
    size_t wanted = *room ? *room : FIRST_ROOM;

    if (count <= *room)
        return 0;
    while (wanted < count)
        wanted *= 2;
    memcpy(&old, array, sizeof old);
    if (wanted > SIZE_MAX / entry_bytes || !(new = realloc(old, wanted * entry_bytes)))
        return -ENOMEM;
    memcpy(array, &new, sizeof new);
    *room = wanted;
    return 0;
}

/* --- Which number an object has. --- */

static size_t first_slot(const struct builder *builder, const struct object *object)
{
    uint64_t mixed = ((uint64_t)(uintptr_t)object >> 3) * UINT64_C(0x9E3779B97F4A7C15);

    return (size_t)(mixed >> 20) & (builder->slot_count - 1);
}

/* The slot of that object, or the free one where it belongs. */
static uint32_t *find_slot(const struct builder *builder, const struct object *object)
{
    size_t at = first_slot(builder, object);

    while (builder->slots[at] && builder->graph->nodes[builder->slots[at] - 1].object != object)
        at = (at + 1) & (builder->slot_count - 1);
    return &builder->slots[at];
}

static int grow_slots(struct builder *builder)
{
    size_t count = builder->slot_count ? builder->slot_count * 2 : (size_t)4 * FIRST_ROOM;
    uint32_t *slots = calloc(count, sizeof *slots);

    if (!slots)
        return -ENOMEM;
    free(builder->slots);
    builder->slots = slots;
    builder->slot_count = count;
    for (uint32_t i = 0; i < builder->graph->node_count; i++)
        *find_slot(builder, builder->graph->nodes[i].object) = i + 1;
    return 0;
}

/* --- Types. --- */

static int add_type(struct builder *builder, const struct object_type *type, uint32_t *index)
{
    struct object_graph *graph = builder->graph;
    uint32_t found = object_graph_type(graph, type->name);

    if (grow(&builder->known, &builder->known_room, builder->known_count + 1,
             sizeof *builder->known) != 0 ||
        grow(&graph->types, &builder->type_room, graph->type_count + 1, sizeof *graph->types) != 0)
        return -ENOMEM;
    if (found == GRAPH_NONE) {
        found = graph->type_count++;
        graph->types[found] = (struct graph_type){.name = type->name};
    }
    builder->known[builder->known_count++] = (struct known_type){type, found};
    *index = found;
    return 0;
}

static int type_of(struct builder *builder, const struct object_type *type, uint32_t *index)
{
    for (size_t i = 0; i < builder->known_count; i++) {
        if (builder->known[i].type != type)
            continue;
        *index = builder->known[i].index;
        return 0;
    }
    return add_type(builder, type, index);
}

/* --- Objects and references. --- */

static void count_node(struct object_graph *graph, const struct graph_node *node)
{
    struct graph_type *type = &graph->types[node->type];

    if (node->is_shared)
        return;
    type->count++;
    type->bytes += node->bytes;
    graph->bytes += node->bytes;
}

/* The number of `object`, a new one if need be. Returns 0, -ENOMEM or -E2BIG. */
static int number_of(struct builder *builder, struct object *object, uint32_t *number)
{
    struct object_graph *graph = builder->graph;
    struct graph_node node = {.object = object};

    if ((graph->node_count + (size_t)1) * 2 > builder->slot_count && grow_slots(builder) != 0)
        return -ENOMEM;
    uint32_t *slot = find_slot(builder, object);
    if (!*slot) {
        if (graph->node_count == GRAPH_MOST)
            return -E2BIG;
        if (grow(&graph->nodes, &builder->node_room, graph->node_count + (size_t)1,
                 sizeof *graph->nodes) != 0 ||
            type_of(builder, object->type, &node.type) != 0)
            return -ENOMEM;
        node.bytes = object->type->bytes(graph->runtime, object);
        node.is_shared = (uint8_t)object_is_shared(graph->runtime, object);
        count_node(graph, &node);
        graph->nodes[graph->node_count++] = node;
        *slot = graph->node_count;
    }
    *number = *slot - 1;
    return 0;
}

static void add_reference(struct object *child, const struct reference *reference, void *argument)
{
    struct builder *builder = argument;
    struct object_graph *graph = builder->graph;
    uint32_t number = 0;

    if (!builder->error)
        builder->error = number_of(builder, child, &number);
    if (!builder->error)
        builder->error = grow(&graph->targets, &builder->edge_room, builder->edge_count + 1,
                              sizeof *graph->targets);
    if (builder->error)
        return;
    if (reference->kind == REFERENCE_KEY && object_is_str(child))
        number |= GRAPH_IS_NAME;
    graph->targets[builder->edge_count++] = number;
}

static int add_tracked(struct builder *builder)
{
    struct object_graph *graph = builder->graph;
    uint32_t number;
    int error = 0;

    for (unsigned i = GENERATIONS; i-- > 0;) {
        const struct gc_head *ring = &graph->runtime->collector.generations[i].tracked;
        for (struct gc_head *head = next_of(ring); head != ring && !error; head = next_of(head))
            error = number_of(builder, object_of(graph->runtime, head), &number);
    }
    graph->tracked_count = graph->node_count;
    return error;
}

/* The list of objects grows as their references are read. */
static int add_references(struct builder *builder)
{
    struct object_graph *graph = builder->graph;
    size_t room = 0;

    for (uint32_t i = 0; i <= graph->node_count; i++) {
        if (grow(&graph->first_target, &room, i + (size_t)1, sizeof *graph->first_target) != 0)
            return -ENOMEM;
        graph->first_target[i] = builder->edge_count;
        if (i == graph->node_count)
            break;
        references_visit(graph->runtime, graph->nodes[i].object, add_reference, builder);
        if (builder->error)
            return builder->error;
    }
    return 0;
}

/* --- Backwards. --- */

/* A counting sort: first_source[i + 1] is a cursor while the sources are written. */
static int turn_round(struct object_graph *graph)
{
    const uint64_t edges = graph_edge_count(graph);

    graph->first_source = calloc(graph->node_count + (size_t)2, sizeof *graph->first_source);
    graph->sources = malloc((edges + 1) * sizeof *graph->sources);
    if (!graph->first_source || !graph->sources)
        return -ENOMEM;
    uint64_t *cursor = graph->first_source + 1;
    for (uint64_t edge = 0; edge < edges; edge++)
        cursor[graph_end(graph->targets[edge]) + 1]++;
    for (uint32_t i = 1; i <= graph->node_count; i++)
        cursor[i] += cursor[i - 1];
    for (uint32_t i = 0; i < graph->node_count; i++)
        for (uint64_t edge = graph->first_target[i]; edge < graph->first_target[i + 1]; edge++) {
            uint32_t target = graph->targets[edge];
            graph->sources[cursor[graph_end(target)]++] = i | (target & GRAPH_IS_NAME);
        }
    return 0;
}

/* What an object's count says beyond the references that were found, and the interpreter's own. */
static void count_outside(struct object_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        struct graph_node *node = &graph->nodes[i];
        uint64_t found = graph->first_source[i + 1] - graph->first_source[i] + node->is_shared;
        uint64_t counted = node->object->references;
        uint64_t outside = counted > found ? counted - found : 0;
        node->outside = outside < UINT32_MAX ? (uint32_t)outside : UINT32_MAX;
    }
}

/* --- What names lead to. --- */

static int mark_alive(struct object_graph *graph)
{
    uint32_t *queue = malloc((graph->node_count + (size_t)1) * sizeof *queue);
    uint32_t begun = 0, known = 0;

    if (!queue)
        return -ENOMEM;
    for (uint32_t i = 0; i < graph->node_count; i++) {
        graph->nodes[i].is_alive = graph->nodes[i].outside > 0 || graph->nodes[i].is_shared;
        if (graph->nodes[i].is_alive)
            queue[known++] = i;
    }
    for (; begun < known; begun++)
        for (uint64_t edge = graph->first_target[queue[begun]];
             edge < graph->first_target[queue[begun] + 1]; edge++) {
            uint32_t target = graph_end(graph->targets[edge]);
            if (graph->nodes[target].is_alive)
                continue;
            graph->nodes[target].is_alive = 1;
            queue[known++] = target;
        }
    free(queue);
    return 0;
}

static void count_dead(struct object_graph *graph)
{
    for (uint32_t i = 0; i < graph->node_count; i++) {
        if (graph->nodes[i].is_alive)
            continue;
        graph->dead_count++;
        graph->dead_bytes += graph->nodes[i].bytes;
    }
}

int object_graph_take(struct object_graph *graph, struct runtime *runtime)
{
    struct object_graph taken = {.runtime = runtime};
    struct builder builder = {.graph = &taken};
    int error = add_tracked(&builder);

    if (!error)
        error = add_references(&builder);
    free(builder.slots);
    free(builder.known);
    if (!error && !taken.targets) /* no reference at all: an array to point into */
        error = grow(&taken.targets, &builder.edge_room, 1, sizeof *taken.targets);
    if (!error)
        error = turn_round(&taken);
    if (!error) {
        count_outside(&taken);
        error = mark_alive(&taken);
    }
    if (error) {
        object_graph_free(&taken);
        return error;
    }
    count_dead(&taken);
    *graph = taken;
    return 0;
}

uint32_t object_graph_type(const struct object_graph *graph, const char *name)
{
    for (uint32_t i = 0; i < graph->type_count; i++)
        if (strcmp(graph->types[i].name, name) == 0)
            return i;
    return GRAPH_NONE;
}

void object_graph_free(struct object_graph *graph)
{
    free(graph->nodes);
    free(graph->first_target);
    free(graph->targets);
    free(graph->first_source);
    free(graph->sources);
    free(graph->types);
    memset(graph, 0, sizeof *graph);
}
