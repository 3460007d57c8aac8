/*
 * Components, ways and cycles: see object_cycles.h. All of it works on numbers in arrays, so that a
 * list ten million long needs no stack. Leaves out all elementary cycles, which may be
 * exponentially many: the shortest one through an object is what explains it.
 */
#include "harness/object_cycles.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- Components (Tarjan). --- */

struct search {
    const struct object_graph *graph;
    struct object_cycles *cycles;
    uint32_t *order;  /* by object: when it was come to, from 1; 0: not yet */
    uint32_t *lowest; /* by object: the earliest that it leads back to */
    uint64_t *next;   /* by object: the reference that is to be followed next */
    uint32_t *way;    /* from where the search began to where it is */
    uint32_t *open;   /* objects whose component is not complete, in order */
    uint32_t way_count, open_count, clock;
};

static int search_init(struct search *search, const struct object_graph *graph,
                       struct object_cycles *cycles)
{
    size_t count = graph->node_count + (size_t)1;

    *search = (struct search){.graph = graph, .cycles = cycles};
    search->order = calloc(count, sizeof *search->order);
    search->lowest = malloc(count * sizeof *search->lowest);
    search->next = malloc(count * sizeof *search->next);
    search->way = malloc(count * sizeof *search->way);
    search->open = malloc(count * sizeof *search->open);
    return search->order && search->lowest && search->next && search->way && search->open ? 0
                                                                                          : -ENOMEM;
}

static void search_free(struct search *search)
{
    free(search->order);
    free(search->lowest);
    free(search->next);
    free(search->way);
    free(search->open);
}

static void enter(struct search *search, uint32_t node)
{
    search->order[node] = search->lowest[node] = ++search->clock;
    search->next[node] = search->graph->first_target[node];
    search->way[search->way_count++] = node;
    search->open[search->open_count++] = node;
}

static void lower(uint32_t *lowest, uint32_t value)
{
    if (value < *lowest)
        *lowest = value;
}

static int holds_itself(const struct object_graph *graph, uint32_t node)
{
    for (uint64_t edge = graph->first_target[node]; edge < graph->first_target[node + 1]; edge++)
        if (graph_end(graph->targets[edge]) == node)
            return 1;
    return 0;
}

/* `node` leads to nothing earlier: it and all that came after it are a component. */
static void close_component(struct search *search, uint32_t node)
{
    struct object_cycles *cycles = search->cycles;
    uint32_t component = cycles->component_count++, size = 0, first = node, member;

    do {
        member = search->open[--search->open_count];
        cycles->component_of[member] = component;
        lower(&first, member);
        size++;
    } while (member != node);
    cycles->sizes[component] = size;
    cycles->firsts[component] = first;
    cycles->is_cyclic[component] = size > 1 || holds_itself(search->graph, node);
}

/* One step: along the next reference, or back. */
static void step(struct search *search)
{
    uint32_t node = search->way[search->way_count - 1];

    if (search->next[node] < search->graph->first_target[node + 1]) {
        uint32_t target = graph_end(search->graph->targets[search->next[node]++]);
        if (!search->order[target])
            enter(search, target);
        else if (search->cycles->component_of[target] == GRAPH_NONE)
            lower(&search->lowest[node], search->order[target]);
        return;
    }
    search->way_count--;
    if (search->way_count > 0)
        lower(&search->lowest[search->way[search->way_count - 1]], search->lowest[node]);
    if (search->lowest[node] == search->order[node])
        close_component(search, node);
}

static void count_cyclic(struct object_cycles *cycles, const struct object_graph *graph)
{
    for (uint32_t i = 0; i < cycles->component_count; i++) {
        if (!cycles->is_cyclic[i])
            continue;
        int is_dead = !graph->nodes[cycles->firsts[i]].is_alive;
        cycles->cyclic_count++;
        cycles->cyclic_objects += cycles->sizes[i];
        cycles->dead_cyclic_count += (uint32_t)is_dead;
        cycles->dead_cyclic_objects += is_dead ? cycles->sizes[i] : 0;
    }
}

int object_cycles_find(struct object_cycles *cycles, const struct object_graph *graph)
{
    const size_t count = graph->node_count + (size_t)1;
    struct object_cycles found = {
        .component_of = malloc(count * sizeof *found.component_of),
        .sizes = malloc(count * sizeof *found.sizes),
        .firsts = malloc(count * sizeof *found.firsts),
        .is_cyclic = malloc(count),
    };
    struct search search;
    int error = search_init(&search, graph, &found);

    if (!found.component_of || !found.sizes || !found.firsts || !found.is_cyclic)
        error = -ENOMEM;
    if (!error)
        memset(found.component_of, 0xff, count * sizeof *found.component_of);
    for (uint32_t i = 0; i < graph->node_count && !error; i++) {
        if (search.order[i])
            continue;
        enter(&search, i);
        while (search.way_count > 0)
            step(&search);
    }
    search_free(&search);
    if (error) {
        object_cycles_free(&found);
        return error;
    }
    count_cyclic(&found, graph);
    *cycles = found;
    return 0;
}

/* Whether component `a` is rather to be shown than `b`. */
static int is_better(const struct object_cycles *cycles, const struct object_graph *graph,
                     uint32_t a, uint32_t b)
{
    int a_is_dead = !graph->nodes[cycles->firsts[a]].is_alive;
    int b_is_dead = !graph->nodes[cycles->firsts[b]].is_alive;

    if (a_is_dead != b_is_dead)
        return a_is_dead;
    if (cycles->sizes[a] != cycles->sizes[b])
        return cycles->sizes[a] > cycles->sizes[b];
    return cycles->firsts[a] < cycles->firsts[b];
}

uint32_t object_cycles_largest(const struct object_cycles *cycles, const struct object_graph *graph)
{
    uint32_t best = GRAPH_NONE;

    for (uint32_t i = 0; i < cycles->component_count; i++)
        if (cycles->is_cyclic[i] && (best == GRAPH_NONE || is_better(cycles, graph, i, best)))
            best = i;
    return best;
}

/* --- How large they are. --- */

static int compare_sizes(const void *a, const void *b)
{
    const uint32_t first = *(const uint32_t *)a >> 1, second = *(const uint32_t *)b >> 1;

    return first < second ? 1 : first > second ? -1 : 0;
}

int64_t object_cycles_sizes(const struct object_cycles *cycles, const struct object_graph *graph,
                            struct cycle_size *sizes, size_t most)
{
    /* A size, and whether it is dead in the lowest bit: GRAPH_MOST leaves one. */
    uint32_t *all = malloc((cycles->cyclic_count + (size_t)1) * sizeof *all);
    uint32_t count = 0, last = 0;
    int64_t known = 0;

    if (!all)
        return -ENOMEM;
    for (uint32_t i = 0; i < cycles->component_count; i++)
        if (cycles->is_cyclic[i])
            all[count++] = cycles->sizes[i] << 1 | !graph->nodes[cycles->firsts[i]].is_alive;
    qsort(all, count, sizeof *all, compare_sizes);
    for (uint32_t i = 0; i < count; i++) {
        if (all[i] >> 1 != last && (size_t)known++ < most)
            sizes[known - 1] = (struct cycle_size){.objects = all[i] >> 1};
        last = all[i] >> 1;
        if ((size_t)known > most)
            continue;
        sizes[known - 1].count++;
        sizes[known - 1].dead_count += all[i] & 1;
    }
    free(all);
    return known;
}

/* --- Ways. --- */

/* Breadth first from one object; `from` is the object that one was come to from. */
struct wave {
    uint32_t *queue, *from;
    uint32_t begun, known;
};

static int wave_init(struct wave *wave, const struct object_graph *graph, uint32_t start)
{
    const size_t count = graph->node_count;

    *wave = (struct wave){.queue = malloc(count * sizeof *wave->queue),
                          .from = malloc(count * sizeof *wave->from)};
    if (!wave->queue || !wave->from) {
        free(wave->queue);
        free(wave->from);
        return -ENOMEM;
    }
    memset(wave->from, 0xff, count * sizeof *wave->from);
    wave->from[start] = start;
    wave->queue[wave->known++] = start;
    return 0;
}

static void wave_free(struct wave *wave)
{
    free(wave->queue);
    free(wave->from);
}

static void wave_add(struct wave *wave, uint32_t node, uint32_t from)
{
    if (wave->from[node] != GRAPH_NONE)
        return;
    wave->from[node] = from;
    wave->queue[wave->known++] = node;
}

/* From `end` to `start` by the objects come from; `is_reversed` turns it round. */
static int wave_path(const struct wave *wave, uint32_t start, uint32_t end, int is_reversed,
                     struct object_path *path)
{
    uint32_t count = 1, at = end;

    for (; at != start; at = wave->from[at])
        count++;
    uint32_t *nodes = malloc(count * sizeof *nodes);
    if (!nodes)
        return -ENOMEM;
    at = end;
    for (uint32_t i = 0; i < count; i++, at = wave->from[at])
        nodes[is_reversed ? count - 1 - i : i] = at;
    *path = (struct object_path){nodes, count};
    return 0;
}

/* What a way may begin with. */
typedef int is_start(const struct object_graph *graph, const struct object_cycles *cycles,
                     uint32_t node);

static int is_held_from_outside(const struct object_graph *graph,
                                const struct object_cycles *cycles, uint32_t node)
{
    (void)cycles;
    return graph->nodes[node].outside > 0;
}

static int is_in_cycle(const struct object_graph *graph, const struct object_cycles *cycles,
                       uint32_t node)
{
    (void)graph;
    return cycles->is_cyclic[cycles->component_of[node]];
}

static int find_way(const struct object_graph *graph, const struct object_cycles *cycles,
                    uint32_t object, is_start *may_begin, struct object_path *path)
{
    struct wave wave;
    struct object_path found = {NULL, 0};
    int error = wave_init(&wave, graph, object);

    if (error)
        return error;
    for (; wave.begun < wave.known; wave.begun++) {
        uint32_t node = wave.queue[wave.begun];
        if (may_begin(graph, cycles, node)) {
            error = wave_path(&wave, object, node, 0, &found);
            break;
        }
        for (uint64_t edge = graph->first_source[node]; edge < graph->first_source[node + 1];
             edge++)
            wave_add(&wave, graph_end(graph->sources[edge]), node);
    }
    wave_free(&wave);
    if (!error)
        *path = found;
    return error;
}

int object_path_from_names(const struct object_graph *graph, uint32_t object,
                           struct object_path *path)
{
    return find_way(graph, NULL, object, is_held_from_outside, path);
}

int object_path_from_cycle(const struct object_graph *graph, const struct object_cycles *cycles,
                           uint32_t object, struct object_path *path)
{
    return find_way(graph, cycles, object, is_in_cycle, path);
}

int object_path_round(const struct object_graph *graph, const struct object_cycles *cycles,
                      uint32_t object, struct object_path *path)
{
    const uint32_t component = cycles->component_of[object];
    struct object_path found = {NULL, 0};
    struct wave wave;
    int error = 0, is_closed = 0;

    if (!cycles->is_cyclic[component]) {
        *path = found;
        return 0;
    }
    error = wave_init(&wave, graph, object);
    if (error)
        return error;
    for (; wave.begun < wave.known && !is_closed && !error; wave.begun++) {
        uint32_t at = wave.queue[wave.begun];
        for (uint64_t edge = graph->first_target[at];
             edge < graph->first_target[at + 1] && !is_closed; edge++) {
            uint32_t target = graph_end(graph->targets[edge]);
            is_closed = target == object;
            if (is_closed)
                error = wave_path(&wave, object, at, 1, &found);
            else if (cycles->component_of[target] == component)
                wave_add(&wave, target, at);
        }
    }
    wave_free(&wave);
    if (!error)
        *path = found;
    return error;
}

void object_path_free(struct object_path *path)
{
    free(path->nodes);
    *path = (struct object_path){NULL, 0};
}

void object_cycles_free(struct object_cycles *cycles)
{
    free(cycles->component_of);
    free(cycles->sizes);
    free(cycles->firsts);
    free(cycles->is_cyclic);
    memset(cycles, 0, sizeof *cycles);
}
