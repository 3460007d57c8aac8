/*
 * Choosing what is drawn: see object_view.h. First what explains the object, then what is near it,
 * so that a small bound cuts what is far. Leaves out keys of dicts that are strings: they are
 * written on the references to the values.
 */
#include "harness/object_view.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct maker {
    const struct object_graph *graph;
    const struct object_cycles *cycles;
    const struct view_request *request;
    struct object_view *view;
    uint32_t *place; /* by object: its position in the view + 1, or 0 */
};

static int is_full(const struct maker *maker)
{
    return maker->view->node_count == maker->request->most;
}

/* Adds an object unless it is there or the view is full. Returns 1 when it was added. */
static int add(struct maker *maker, uint32_t object)
{
    struct object_view *view = maker->view;

    if (maker->place[object] || is_full(maker))
        return 0;
    view->nodes[view->node_count++] = (struct view_node){.object = object};
    maker->place[object] = view->node_count;
    return 1;
}

/* --- What keeps the first chosen object. --- */

static int find_ways(struct maker *maker)
{
    struct object_view *view = maker->view;
    const uint32_t object = maker->request->chosen[0];
    int error = object_path_from_names(maker->graph, object, &view->way);

    if (error || view->way.count > 0)
        return error ? error : object_path_round(maker->graph, maker->cycles, object, &view->round);
    error = object_path_from_cycle(maker->graph, maker->cycles, object, &view->way);
    if (error || view->way.count == 0)
        return error;
    return object_path_round(maker->graph, maker->cycles, view->way.nodes[0], &view->round);
}

/* The end of a long way, which is next to the object, and where it begins. */
static void add_way(struct maker *maker)
{
    const struct object_path *way = &maker->view->way;
    uint32_t room = maker->request->most / 2;

    if (way->count == 0)
        return;
    for (uint32_t i = way->count; i-- > 0 && room > 1; room--)
        add(maker, way->nodes[i]);
    add(maker, way->nodes[0]);
}

static void add_round(struct maker *maker)
{
    for (uint32_t i = 0; i < maker->view->round.count; i++)
        add(maker, maker->view->round.nodes[i]);
}

/* --- What is near. --- */

struct neighbours {
    const uint64_t *first;
    const uint32_t *ends;
};

static struct neighbours neighbours_of(const struct object_graph *graph,
                                       enum view_direction direction)
{
    if (direction == VIEW_SOURCES)
        return (struct neighbours){graph->first_source, graph->sources};
    return (struct neighbours){graph->first_target, graph->targets};
}

/* The neighbours of one object; of a component alone unless it is GRAPH_NONE. */
static void add_neighbours(struct maker *maker, uint32_t object, enum view_direction direction,
                           uint32_t component, unsigned fan)
{
    struct neighbours near = neighbours_of(maker->graph, direction);

    for (uint64_t edge = near.first[object];
         edge < near.first[object + 1] && fan > 0 && !is_full(maker); edge++) {
        uint32_t end = near.ends[edge];
        if (end & GRAPH_IS_NAME)
            continue;
        if (component == GRAPH_NONE || maker->cycles->component_of[end] == component)
            fan -= (unsigned)add(maker, end);
    }
}

/* The rest of the component that the shortest cycle is in. */
static void add_component(struct maker *maker)
{
    const struct object_path *round = &maker->view->round;

    if (round->count == 0)
        return;
    uint32_t component = maker->cycles->component_of[round->nodes[0]];
    for (uint32_t i = 0; i < maker->view->node_count; i++) {
        uint32_t object = maker->view->nodes[i].object;
        if (maker->cycles->component_of[object] == component)
            add_neighbours(maker, object, VIEW_TARGETS, component, maker->request->fan);
    }
}

static int has(const struct maker *maker, enum view_direction direction)
{
    return maker->request->direction == direction || maker->request->direction == VIEW_BOTH;
}

/* A weak reference leads to what it names, although it does not keep it. */
static void add_weak_target(struct maker *maker, uint32_t object)
{
    const struct object_graph *graph = maker->graph;
    const struct object *weakref = graph->nodes[object].object;
    const struct object *target = object_is_weakref(weakref) ? weakref_target(weakref) : NULL;

    for (uint32_t i = 0; target && i < graph->node_count; i++)
        if (graph->nodes[i].object == target) {
            add(maker, i);
            return;
        }
}

/* Step by step from all that is there. */
static void add_around(struct maker *maker)
{
    const unsigned fan = maker->request->fan;
    uint32_t begun = 0;

    for (unsigned depth = 0; depth < maker->request->depth; depth++) {
        uint32_t known = maker->view->node_count;
        for (; begun < known; begun++) {
            uint32_t object = maker->view->nodes[begun].object;
            if (has(maker, VIEW_TARGETS)) {
                add_neighbours(maker, object, VIEW_TARGETS, GRAPH_NONE, fan);
                add_weak_target(maker, object);
            }
            if (has(maker, VIEW_SOURCES))
                add_neighbours(maker, object, VIEW_SOURCES, GRAPH_NONE, fan);
        }
    }
}

/* --- References. --- */

/* Whether the path goes from one to the other. */
static int goes(const struct object_path *path, uint32_t from, uint32_t to, int is_closed)
{
    for (uint32_t i = 0; i + 1 < path->count; i++)
        if (path->nodes[i] == from && path->nodes[i + 1] == to)
            return 1;
    return is_closed && path->count > 0 && path->nodes[path->count - 1] == from &&
           path->nodes[0] == to;
}

static enum view_part part_of(const struct maker *maker, uint32_t from, uint32_t to)
{
    const uint32_t *component_of = maker->cycles->component_of;

    if (goes(&maker->view->round, from, to, 1))
        return VIEW_ROUND;
    if (goes(&maker->view->way, from, to, 0))
        return VIEW_WAY;
    return component_of[from] == component_of[to] ? VIEW_CYCLE : VIEW_AROUND;
}

static struct view_edge *new_edge(struct object_view *view)
{
    if (view->edge_count == view->edge_room) {
        size_t room = view->edge_room ? view->edge_room * 2 : 64;
        struct view_edge *edges = realloc(view->edges, room * sizeof *edges);
        if (!edges)
            return NULL;
        view->edges = edges;
        view->edge_room = room;
    }
    memset(&view->edges[view->edge_count], 0, sizeof *view->edges);
    return &view->edges[view->edge_count++];
}

/* The references of one drawn object, told one after the other. */
struct telling {
    struct maker *maker;
    uint32_t from;     /* position */
    size_t first_edge; /* of this object */
    uint64_t next;     /* reference in the graph */
    int error;
};

static struct view_edge *edge_to(struct telling *telling, uint32_t to)
{
    struct object_view *view = telling->maker->view;

    for (size_t i = telling->first_edge; i < view->edge_count; i++)
        if (view->edges[i].to == to)
            return &view->edges[i];
    struct view_edge *edge = new_edge(view);
    if (!edge) {
        telling->error = -ENOMEM;
        return NULL;
    }
    edge->from = telling->from;
    edge->to = to;
    edge->part = part_of(telling->maker, view->nodes[edge->from].object, view->nodes[to].object);
    return edge;
}

static void tell(struct object *child, const struct reference *reference, void *argument)
{
    struct telling *telling = argument;
    const struct maker *maker = telling->maker;
    uint32_t target = maker->graph->targets[telling->next++];
    uint32_t place = maker->place[graph_end(target)];

    (void)child;
    if (telling->error)
        return;
    if (!place) {
        if (!(target & GRAPH_IS_NAME) && has(maker, VIEW_TARGETS))
            maker->view->nodes[telling->from].more_targets++;
        return;
    }
    struct view_edge *edge = edge_to(telling, place - 1);
    if (!edge)
        return;
    if (edge->count < VIEW_NAMES)
        reference_format(reference, edge->names[edge->count]);
    edge->count++;
}

static int add_weak(struct maker *maker, uint32_t from)
{
    const struct object *object = maker->graph->nodes[maker->view->nodes[from].object].object;
    const struct object *target = object_is_weakref(object) ? weakref_target(object) : NULL;

    for (uint32_t to = 0; target && to < maker->view->node_count; to++) {
        if (maker->graph->nodes[maker->view->nodes[to].object].object != target)
            continue;
        struct view_edge *edge = new_edge(maker->view);
        if (!edge)
            return -ENOMEM;
        *edge = (struct view_edge){.from = from, .to = to, .count = 1, .part = VIEW_WEAK};
    }
    return 0;
}

static void count_sources(struct maker *maker, struct view_node *node)
{
    const struct object_graph *graph = maker->graph;

    for (uint64_t edge = graph->first_source[node->object];
         edge < graph->first_source[node->object + 1]; edge++)
        node->more_sources += !maker->place[graph_end(graph->sources[edge])];
}

static int add_edges(struct maker *maker)
{
    const struct object_graph *graph = maker->graph;
    struct object_view *view = maker->view;
    int error = 0;

    for (uint32_t i = 0; i < view->node_count && !error; i++) {
        struct view_node *node = &view->nodes[i];
        struct telling telling = {.maker = maker,
                                  .from = i,
                                  .first_edge = view->edge_count,
                                  .next = graph->first_target[node->object]};
        references_visit(graph->runtime, graph->nodes[node->object].object, tell, &telling);
        error = telling.error ? telling.error : add_weak(maker, i);
        if (has(maker, VIEW_SOURCES))
            count_sources(maker, node);
    }
    return error;
}

int object_view_make(struct object_view *view, const struct object_graph *graph,
                     const struct object_cycles *cycles, const struct view_request *request)
{
    struct object_view made = {.nodes = calloc(request->most, sizeof *made.nodes)};
    struct maker maker = {
        .graph = graph,
        .cycles = cycles,
        .request = request,
        .view = &made,
        .place = calloc(graph->node_count, sizeof *maker.place),
    };
    int error = made.nodes && maker.place ? find_ways(&maker) : -ENOMEM;

    if (!error) {
        for (size_t i = 0; i < request->chosen_count; i++)
            if (add(&maker, request->chosen[i]))
                made.nodes[made.node_count - 1].is_chosen = 1;
        if (request->direction == VIEW_BOTH) {
            add_way(&maker);
            add_round(&maker);
            add_component(&maker);
        }
        add_around(&maker);
        error = add_edges(&maker);
    }
    free(maker.place);
    if (error)
        object_view_free(&made);
    else
        *view = made;
    return error;
}

/* --- One name. --- */

struct naming {
    const struct object *wanted;
    char *text;
};

static void name_if_wanted(struct object *child, const struct reference *reference, void *argument)
{
    const struct naming *naming = argument;

    if (child == naming->wanted && !naming->text[0])
        reference_format(reference, naming->text);
}

const char *object_view_name(const struct object_graph *graph, uint32_t from, uint32_t to,
                             char *text)
{
    struct naming naming = {.wanted = graph->nodes[to].object, .text = text};

    text[0] = '\0';
    references_visit(graph->runtime, graph->nodes[from].object, name_if_wanted, &naming);
    return text;
}

void object_view_free(struct object_view *view)
{
    free(view->nodes);
    free(view->edges);
    object_path_free(&view->way);
    object_path_free(&view->round);
    memset(view, 0, sizeof *view);
}
