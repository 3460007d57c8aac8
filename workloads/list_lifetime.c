/*
 * The second article: `a = [i for i in range(n)]`, a list that grows by append, and the ways in
 * which its life may end: with the function, with the process, by `del`, or not at all when two
 * such lists hold each other and nothing collects. Leaves out the interpreter around it.
 * workloads/python/list_lifetime.py is the same on a real CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum how { LOCAL, GLOBAL, RETURNED, DEL_COLLECT, CYCLE, CYCLE_COLLECT };

static const char *const hows[] = {"local", "global",        "returned", "del_collect",
                                   "cycle", "cycle_collect", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *a;
    struct object *b;
    struct object *numbers; /* on 2.7 what the comprehension goes over; nameless */
    struct object *i;       /* the variable of the comprehension */
};

/*
 * One step of a comprehension; takes over the reference to `item`, NULL when there was no memory
 * for it.
 */
static int take(struct program *program, struct object *name, struct object *item)
{
    if (!item)
        return -ENOMEM;
    object_assign(&program->runtime, &program->i, item);
    return list_append(&program->runtime, (struct list *)name, item);
}

/* 2.7: both lists hold the same ints; range's goes when the loop is through, the variable stays. */
static int comprehend_list(struct program *program, struct object *name, uint64_t n)
{
    struct list *range = list_of_range(&program->runtime, n);
    int error = 0;

    if (!range)
        return -ENOMEM;
    program->numbers = &range->object;
    for (uint64_t at = 0; at < n && !error; at++)
        error = take(program, name, object_keep(range->items[at]));
    object_assign(&program->runtime, &program->numbers, NULL);
    return error;
}

/* 3.x: range is lazy, and the variable is the comprehension's own. */
static int comprehend_lazily(struct program *program, struct object *name, uint64_t n)
{
    int error = 0;

    for (uint64_t value = 0; value < n && !error; value++)
        error = take(program, name, int_new(&program->runtime, (int64_t)value));
    object_assign(&program->runtime, &program->i, NULL);
    return error;
}

/* name = [i for i in range(n)] */
static int comprehend(struct program *program, struct object **name, uint64_t n)
{
    struct list *list = list_new(&program->runtime, 0);

    if (!list)
        return -ENOMEM;
    *name = &list->object;
    if (program->runtime.profile->major == 2)
        return comprehend_list(program, *name, n);
    return comprehend_lazily(program, *name, n);
}

/* a.append(b); b.append(a) */
static int tie(struct program *program)
{
    struct runtime *runtime = &program->runtime;
    int error = list_append(runtime, (struct list *)program->a, program->b);

    return error ? error : list_append(runtime, (struct list *)program->b, program->a);
}

static int build(struct program *program, enum how how, uint64_t n)
{
    int error = comprehend(program, &program->a, n);

    if (error || (how != CYCLE && how != CYCLE_COLLECT))
        return error;
    error = comprehend(program, &program->b, n);
    return error ? error : tie(program);
}

/*
 * A function's names go in the order in which they were made. The global and the returned list have
 * another holder.
 */
static void leave_function(struct program *program, enum how how)
{
    if (how != GLOBAL && how != RETURNED)
        object_assign(&program->runtime, &program->a, NULL);
    object_assign(&program->runtime, &program->i, NULL);
    object_assign(&program->runtime, &program->b, NULL);
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    struct workload_gauge *gauge = context->gauge;
    enum how how = (enum how)workload_value(context, "how");

    workload_phase(context, "build");
    int error = build(program, how, workload_value(context, "n"));
    if (error)
        return error;
    switch (how) {
    case LOCAL:
    case GLOBAL:
    case RETURNED:
        workload_phase(context, "return");
        leave_function(program, how);
        break;
    case DEL_COLLECT: /* at module level: on 2.7 the variable of the comprehension stays, and pins
                         its block */
        workload_phase(context, "del");
        object_assign(runtime, &program->a, NULL);
        break;
    case CYCLE:
    case CYCLE_COLLECT:
        workload_phase(context, "del");
        leave_function(program, how);
        /* Nothing else was ever made, so all that is left is the cycle. */
        objects_abandon(runtime, atomic_load_explicit(&gauge->object_bytes, memory_order_relaxed));
        break;
    }
    if (how == DEL_COLLECT || how == CYCLE_COLLECT) {
        workload_phase(context, "collect");
        objects_collect(runtime, OLDEST);
    }
    workload_idle(context);
    return 0;
}

static int list_lifetime_run(struct workload_context *context)
{
    struct program program = {.a = NULL, .b = NULL, .numbers = NULL, .i = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    leave_function(&program, LOCAL);
    runtime_finish(runtime); /* collects what is left of a cycle */
    return error;
}

static const struct parameter list_lifetime_parameters[] = {
    PROGRAM_PARAMETER_N("ints in the list, or in each of the two"),
    {
        .name = "how",
        .summary = "how the life of the list ends",
        .kind = PARAMETER_CHOICE,
        .choices = hows,
        .quick = "del_collect",
        .full = "del_collect",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_list_lifetime = {
    .name = "list_lifetime",
    .summary = "a list of n ints by comprehension: local, global, returned, deleted, or in a cycle",
    .source = "article 002: when is the memory of a list given back?",
    .parameters = list_lifetime_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = list_lifetime_run,
};
