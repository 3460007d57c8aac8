/*
 * The graph of every workload of the registry, at the end of each phase and in each of its choices:
 * it is the heap that the gauge counts, and looking changes nothing. Leaves out what a graph is
 * (object_graph_test.c).
 */
#include "harness/object_cycles.h"
#include "workloads/objects/references.h"
#include "workloads/workload.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { TINY = 300 };

static const struct allocator_ops libc_ops = {.malloc = malloc, .realloc = realloc, .free = free};

struct looker {
    int looks; /* 0: for comparison */
    int is_open;
    const char *phase;
    uint64_t
        own_bytes; /* of objects before the first phase: names of attributes, which classes hold */
    int is_usual;  /* the first choice of each parameter */
    size_t whole_count; /* phases in the table below */
};

/* Where, in the first choices, containers lead to every byte of the program's objects. */
static const struct {
    const char *workload, *phase;
} whole[] = {
    {"async_tasks", "start"}, {"bounded_history", "append"},   {"cycles", "build"},
    {"cycles", "del"},        {"dedupe_set", "build"},         {"dedupe_set", "dedupe"},
    {"del_collect", "build"}, {"free_list_pressure", "build"}, {"list_lifetime", "build"},
    {"slice_copy", "copy"},   {"threads_shared", "run"},
};

enum { WHOLE = sizeof whole / sizeof whole[0] };

/* --- What holds for any graph. --- */

struct check {
    uint64_t children, names;
};

static void count_child(struct object *child, void *argument)
{
    (void)child;
    ((struct check *)argument)->children++;
}

static void count_reference(struct object *child, const struct reference *reference, void *argument)
{
    char text[REFERENCE_TEXT_BYTES];
    struct check *check = argument;

    if (reference->kind == REFERENCE_KEY && object_is_str(child))
        check->names++;
    else
        check->children++;
    assert_true(strlen(reference_format(reference, text)) > 0);
}

/* As many as the collector is shown; keys that are strings it is shown on 2.7 alone. */
static void check_references(const struct object_graph *graph, struct object *object)
{
    struct check shown = {0}, visited = {0};

    if (!object_is_container(object))
        return;
    object->type->traverse(object, count_child, &shown);
    references_visit(graph->runtime, object, count_reference, &visited);
    assert_true(shown.children == visited.children ||
                shown.children == visited.children + visited.names);
}

static void check_graph(const struct object_graph *graph)
{
    uint64_t bytes = 0, count = 0, outside = 0, references = 0, shared = 0;

    for (uint32_t i = 0; i < graph->type_count; i++) {
        bytes += graph->types[i].bytes;
        count += graph->types[i].count;
    }
    assert_int_equal(bytes, graph->bytes);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        outside += graph->nodes[i].outside;
        references += graph->nodes[i].object->references;
        shared += graph->nodes[i].is_shared;
        check_references(graph, graph->nodes[i].object);
    }
    assert_int_equal(count + shared, graph->node_count);
    /* No reference is found that no count knows. */
    assert_int_equal(graph_edge_count(graph) + outside + shared, references);
}

static void look(struct looker *looker, const struct workload_context *context)
{
    struct object_graph graph;
    const uint64_t counted = context->gauge->object_bytes;

    assert_int_equal(object_graph_take(&graph, context->objects), 0);
    check_graph(&graph);
    /* What the program declared lost is no longer counted. */
    assert_true(graph.bytes - graph.dead_bytes <= counted);
    for (size_t i = 0; i < WHOLE && looker->is_usual; i++) {
        if (strcmp(whole[i].workload, context->workload->name) != 0 ||
            strcmp(whole[i].phase, looker->phase) != 0)
            continue;
        assert_int_equal(graph.bytes - graph.dead_bytes + looker->own_bytes, counted);
        assert_true(graph.node_count > 10);
        looker->whole_count++;
    }
    object_graph_free(&graph);
}

static void end_phase(struct workload_context *context)
{
    struct looker *looker = context->harness;

    if (looker->is_open && looker->looks && context->objects)
        look(looker, context);
    looker->is_open = 0;
}

static void begin_phase(struct workload_context *context, const char *name)
{
    struct looker *looker = context->harness;

    end_phase(context);
    if (!looker->phase)
        looker->own_bytes = context->gauge->object_bytes;
    looker->phase = name;
    looker->is_open = 1;
}

static void sleep_not(struct workload_context *context, uint64_t duration_ns)
{
    (void)context;
    (void)duration_ns;
}

static void run(const struct workload *workload, const uint64_t *values, struct looker *looker,
                struct workload_gauge *gauge)
{
    struct workload_context context = {
        .object = &libc_ops,
        .raw = &libc_ops,
        .gauge = gauge,
        .workload = workload,
        .seed = 1,
        .begin_phase = begin_phase,
        .end_phase = end_phase,
        .sleep = sleep_not,
        .harness = looker,
    };

    memset(gauge, 0, sizeof *gauge);
    memcpy(context.values, values, sizeof context.values);
    assert_int_equal(workload->run(&context), 0);
    end_phase(&context);
}

/* Returns in how many phases the graph was compared with the gauge for equality. */
static size_t look_at(const struct workload *workload, const uint64_t *values, int is_usual)
{
    struct looker with = {.looks = 1, .is_usual = is_usual}, without = {.looks = 0};
    struct workload_gauge seen, unseen;

    run(workload, values, &with, &seen);
    run(workload, values, &without, &unseen);
    assert_int_equal(seen.checksum, unseen.checksum);
    assert_int_equal(seen.object_bytes, unseen.object_bytes);
    assert_int_equal(seen.live_bytes, unseen.live_bytes);
    assert_int_equal(seen.frees, unseen.frees);
    return with.whole_count;
}

static void tiny_values(const struct workload *workload, uint64_t *values)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        const struct parameter *parameter = &workload->parameters[i];
        uint64_t count = parameter->minimum > TINY ? parameter->minimum : TINY;
        values[i] = parameter->kind == PARAMETER_CHOICE ? 0 : count;
    }
}

static int has_objects(const struct workload *workload)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        if (strcmp(workload->parameters[i].name, "profile") == 0)
            return 1;
    }
    return 0;
}

/* Every choice of every parameter, with the others at their first, and in each profile. */
static void graphs_are_the_heap_that_the_gauge_counts(void **state)
{
    uint64_t values[WORKLOAD_PARAMETERS] = {0};
    size_t compared = 0;

    (void)state;
    for (size_t i = 0; i < workload_registry_count; i++) {
        const struct workload *workload = workload_registry[i];
        if (!has_objects(workload))
            continue;
        tiny_values(workload, values);
        compared += look_at(workload, values, 1);
        for (size_t p = 0; workload->parameters[p].name; p++) {
            const struct parameter *parameter = &workload->parameters[p];
            for (size_t c = 0; parameter->kind == PARAMETER_CHOICE && parameter->choices[c]; c++) {
                tiny_values(workload, values);
                values[p] = c;
                look_at(workload, values, 0);
            }
        }
    }
    assert_int_equal(compared, WHOLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(graphs_are_the_heap_that_the_gauge_counts),
    };

    return cmocka_run_group_tests_name("object_graph_workloads", tests, NULL, NULL);
}
