/*
 * Reference cycles: two lists of n ints that hold each other, n nodes in rings of ten, or n nodes
 * in doubly linked chains of ten whose pointer back is a reference or a weak one. All names go, and
 * only a collection finds what still holds itself. Leaves out what else a node would carry. After
 * the second article's two lists and the third's nodes. workloads/python/cycles.py is the same on
 * a real CPython.
 */
#include "workloads/objects/instance.h"
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/objects/weakref.h"
#include "workloads/workload.h"

#include <errno.h>

enum shape { TWO_LISTS, RINGS, PARENTS_STRONG, PARENTS_WEAK };
enum { CHAIN = 10 };

static const char *const shapes[] = {"two_lists", "rings", "parents_strong", "parents_weak", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct instance_class node_class;
    struct object *next_name, *parent_name;
    struct object *a, *b;         /* the two lists; or a list of the first node of each chain */
    struct object *first, *last;  /* of the chain that is being made */
    struct object *node, *number; /* the newest */
};

/* name = [i for i in lazy_range(n)] */
static int build_list(struct program *program, struct object **name, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct list *list = list_new(runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    *name = &list->object;
    for (uint64_t value = 0; value < n && !error; value++) {
        struct object *next = int_new(runtime, (int64_t)value);
        if (!next)
            return -ENOMEM;
        object_assign(runtime, &program->number, next);
        error = list_append(runtime, list, next);
    }
    object_assign(runtime, &program->number, NULL);
    return error;
}

static int build_two_lists(struct program *program, uint64_t n)
{
    int error = build_list(program, &program->a, n);

    if (!error)
        error = build_list(program, &program->b, n);
    if (!error)
        error = list_append(&program->runtime, (struct list *)program->a, program->b);
    if (!error)
        error = list_append(&program->runtime, (struct list *)program->b, program->a);
    return error;
}

/* node.parent = last, or weakref.ref(last) */
static int point_back(struct program *program, enum shape shape)
{
    struct runtime *runtime = &program->runtime;
    struct object *parent = shape == PARENTS_WEAK ? weakref_new(runtime, program->last, NULL)
                                                  : object_keep(program->last);

    if (!parent)
        return -ENOMEM;
    int error = instance_set(runtime, program->node, program->parent_name, parent);
    object_drop(runtime, parent);
    return error;
}

/* The first node of a chain goes into the list; another behind the last. */
static int link_node(struct program *program, enum shape shape, int is_first)
{
    struct runtime *runtime = &program->runtime;
    int error;

    if (is_first) {
        object_assign(runtime, &program->first, object_keep(program->node));
        return list_append(runtime, (struct list *)program->a, program->node);
    }
    error = instance_set(runtime, program->last, program->next_name, program->node);
    if (!error && shape != RINGS)
        error = point_back(program, shape);
    return error;
}

static int build_nodes(struct program *program, enum shape shape, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct list *list = list_new(runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    program->a = &list->object;
    for (uint64_t i = 0; i < n && !error; i++) {
        struct object *node = instance_new(runtime, &program->node_class);
        if (!node)
            return -ENOMEM;
        object_assign(runtime, &program->node, node);
        error = link_node(program, shape, i % CHAIN == 0);
        /* A ring is closed with each node, and opened for the next one. */
        if (!error && shape == RINGS)
            error = instance_set(runtime, node, program->next_name, program->first);
        object_assign(runtime, &program->last, object_keep(node));
    }
    return error;
}

static void forget_nodes(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    object_assign(runtime, &program->number, NULL);
    object_assign(runtime, &program->node, NULL);
    object_assign(runtime, &program->last, NULL);
    object_assign(runtime, &program->first, NULL);
}

static void forget(struct program *program)
{
    forget_nodes(program);
    object_assign(&program->runtime, &program->a, NULL);
    object_assign(&program->runtime, &program->b, NULL);
}

static int play(struct program *program, struct workload_context *context)
{
    _Atomic uint64_t *object_bytes = &context->gauge->object_bytes;
    uint64_t own_bytes = atomic_load_explicit(object_bytes, memory_order_relaxed);
    enum shape shape = (enum shape)workload_value(context, "shape");
    uint64_t n = workload_value(context, "n");

    workload_phase(context, "build");
    int error = shape == TWO_LISTS ? build_two_lists(program, n) : build_nodes(program, shape, n);
    if (error)
        return error;
    forget_nodes(program);
    workload_phase(context, "del");
    forget(program);
    /* What is left of all that was made holds itself. */
    objects_abandon(&program->runtime,
                    atomic_load_explicit(object_bytes, memory_order_relaxed) - own_bytes);
    workload_phase(context, "collect");
    objects_collect(&program->runtime, OLDEST);
    workload_idle(context);
    return 0;
}

/* The class and its attributes' names are there before the first phase, as those of a module. */
static int define(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    program->next_name = str_of(runtime, "next");
    program->parent_name = str_of(runtime, "parent");
    if (!program->next_name || !program->parent_name ||
        str_intern(runtime, &program->next_name) != 0 ||
        str_intern(runtime, &program->parent_name) != 0)
        return -ENOMEM;
    return class_init(runtime, &program->node_class, "Node", INSTANCE_USUAL, 0, NULL);
}

static int cycles_run(struct workload_context *context)
{
    struct program program = {.a = NULL, .b = NULL};
    struct runtime *runtime = &program.runtime;
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = define(&program);
    if (!error) {
        error = play(&program, context);
        /* What follows only tidies up, after the last phase. */
        forget(&program);
        objects_collect(runtime, OLDEST);
        class_finish(runtime, &program.node_class);
    }
    object_assign(runtime, &program.parent_name, NULL);
    object_assign(runtime, &program.next_name, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter cycles_parameters[] = {
    {
        .name = "n",
        .summary = "ints in each of two lists, or nodes",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "1M",
        .full = "10M",
    },
    {
        .name = "shape",
        .summary =
            "two_lists: that hold each other; rings of ten nodes; parents_...: chains of ten "
            "with a pointer back",
        .kind = PARAMETER_CHOICE,
        .choices = shapes,
        .quick = "two_lists",
        .full = "two_lists",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_cycles = {
    .name = "cycles",
    .summary = "lists or nodes that hold each other: what is left until a collection, or at once",
    .source = "articles 002 and 003: reference cycles, and weak references against them",
    .parameters = cycles_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = cycles_run,
};
