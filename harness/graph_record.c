/*
 * The JSON of tidemark-graph: see graph_record.h. Long ways and lists of sizes are cut, with how
 * much was cut beside them.
 */
#include "harness/graph_record.h"

enum { MOST_SIZES = 12, STEPS_AT_END = 8 };

static json_t *record_types(const struct object_graph *graph)
{
    json_t *types = json_array();

    for (uint32_t i = 0; i < graph->type_count; i++) {
        const struct graph_type *type = &graph->types[i];
        if (type->count > 0)
            json_array_append_new(types, json_pack("{s:s, s:I, s:I}", "name", type->name, "count",
                                                   (json_int_t)type->count, "bytes",
                                                   (json_int_t)type->bytes));
    }
    return types;
}

static json_t *record_cycles(const struct object_graph *graph, const struct object_cycles *cycles)
{
    struct cycle_size sizes[MOST_SIZES];
    json_t *list = json_array();
    int64_t known = object_cycles_sizes(cycles, graph, sizes, MOST_SIZES);

    for (int64_t i = 0; i < known && i < MOST_SIZES; i++)
        json_array_append_new(list,
                              json_pack("{s:I, s:I, s:I}", "objects", (json_int_t)sizes[i].objects,
                                        "count", (json_int_t)sizes[i].count, "unreachable",
                                        (json_int_t)sizes[i].dead_count));
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)cycles->cyclic_count,
                     "unreachable", (json_int_t)cycles->dead_cyclic_count, "objects",
                     (json_int_t)cycles->cyclic_objects, "unreachable_objects",
                     (json_int_t)cycles->dead_cyclic_objects, "size_count", (json_int_t)known,
                     "sizes", list);
}

json_t *graph_record_phase(const char *name, const struct object_graph *graph,
                           const struct object_cycles *cycles)
{
    uint64_t objects = 0;

    for (uint32_t i = 0; i < graph->type_count; i++)
        objects += graph->types[i].count;
    json_t *phase = json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:o}", "name", name, "objects",
                              (json_int_t)objects, "bytes", (json_int_t)graph->bytes, "tracked",
                              (json_int_t)graph->tracked_count, "references",
                              (json_int_t)graph_edge_count(graph), "unreachable_objects",
                              (json_int_t)graph->dead_count, "unreachable_bytes",
                              (json_int_t)graph->dead_bytes, "types", record_types(graph));

    if (phase && cycles)
        json_object_set_new(phase, "cycles", record_cycles(graph, cycles));
    return phase;
}

/* --- What is drawn. --- */

static json_t *record_object(const struct object_graph *graph, uint32_t object)
{
    const struct graph_node *node = &graph->nodes[object];
    char value[REFERENCE_TEXT_BYTES];

    return json_pack("{s:I, s:s, s:I, s:s, s:I, s:I, s:b, s:b, s:b}", "index", (json_int_t)object,
                     "type", graph->types[node->type].name, "bytes", (json_int_t)node->bytes,
                     "value", object_format_value(graph->runtime, node->object, value),
                     "references", (json_int_t)node->object->references, "outside",
                     (json_int_t)node->outside, "shared", node->is_shared, "reachable",
                     node->is_alive, "garbage", node->object == graph->runtime->collector.garbage);
}

static json_t *record_nodes(const struct object_graph *graph, const struct object_cycles *cycles,
                            const struct object_view *view)
{
    json_t *nodes = json_array();

    for (uint32_t i = 0; i < view->node_count; i++) {
        const struct view_node *drawn = &view->nodes[i];
        json_t *node = record_object(graph, drawn->object);
        uint32_t component = cycles->component_of[drawn->object];
        json_object_set_new(node, "chosen", json_boolean(drawn->is_chosen));
        json_object_set_new(
            node, "cycle",
            json_integer(cycles->is_cyclic[component] ? (json_int_t)cycles->sizes[component] : 0));
        json_object_set_new(node, "more_to", json_integer((json_int_t)drawn->more_targets));
        json_object_set_new(node, "more_from", json_integer((json_int_t)drawn->more_sources));
        json_array_append_new(nodes, node);
    }
    return nodes;
}

static json_t *record_edges(const struct object_view *view)
{
    static const char *const parts[] = {
        [VIEW_AROUND] = "around", [VIEW_WAY] = "way",   [VIEW_CYCLE] = "cycle",
        [VIEW_ROUND] = "round",   [VIEW_WEAK] = "weak",
    };
    json_t *edges = json_array();

    for (size_t i = 0; i < view->edge_count; i++) {
        const struct view_edge *edge = &view->edges[i];
        json_t *names = json_array();
        for (size_t n = 0; n < VIEW_NAMES && edge->names[n][0]; n++)
            json_array_append_new(names, json_string(edge->names[n]));
        json_array_append_new(edges, json_pack("{s:I, s:I, s:I, s:s, s:o}", "from",
                                               (json_int_t)edge->from, "to", (json_int_t)edge->to,
                                               "count", (json_int_t)edge->count, "part",
                                               parts[edge->part], "names", names));
    }
    return edges;
}

/* Objects with the name of the reference to the next one; the last of a cycle leads to the first.
 */
static json_t *record_path(const struct object_graph *graph, const struct object_path *path,
                           int is_closed)
{
    json_t *steps = json_array();
    char name[REFERENCE_TEXT_BYTES];

    for (uint32_t i = 0; i < path->count; i++) {
        if (i >= STEPS_AT_END && i + STEPS_AT_END < path->count)
            continue;
        json_t *step = record_object(graph, path->nodes[i]);
        int is_last = i + 1 == path->count;
        uint32_t next = path->nodes[is_last ? 0 : i + 1];
        if (!is_last || is_closed)
            json_object_set_new(step, "name",
                                json_string(object_view_name(graph, path->nodes[i], next, name)));
        json_array_append_new(steps, step);
    }
    return json_pack("{s:I, s:I, s:o}", "length", (json_int_t)path->count, "left_out",
                     (json_int_t)path->count - (json_int_t)json_array_size(steps), "steps", steps);
}

json_t *graph_record_picture(const char *phase, const char *chosen_by,
                             const struct object_graph *graph, const struct object_cycles *cycles,
                             const struct object_view *view)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:o, s:o, s:o, s:o}", "phase", phase, "chosen_by",
                     chosen_by, "objects", (json_int_t)graph->node_count, "left_out",
                     (json_int_t)graph->node_count - (json_int_t)view->node_count, "nodes",
                     record_nodes(graph, cycles, view), "edges", record_edges(view), "way",
                     record_path(graph, &view->way, 0), "round",
                     record_path(graph, &view->round, 1));
}
