/*
 * The third article's set: `unique = set(data)` of a list of n ints, of which few or all differ. A
 * set keeps one of each, but its table costs more than the list when they all differ. Leaves out
 * the interpreter around it. workloads/python/dedupe_set.py is the same on a real CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/set.h"
#include "workloads/workload.h"

#include <errno.h>

enum distinct { FEW, ALL };
enum { FEW_VALUES = 1000 };

static const char *const distincts[] = {"few", "all", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *data;
    struct object *unique;
    struct object *i; /* the variable of the comprehension */
};

/* One step of it: data.append(i % distinct) */
static int take(struct program *program, uint64_t i, uint64_t distinct)
{
    struct runtime *runtime = &program->runtime;
    struct object *number = int_new(runtime, (int64_t)i);

    if (!number)
        return -ENOMEM;
    object_assign(runtime, &program->i, number);
    struct object *item = int_new(runtime, (int64_t)(i % distinct));
    if (!item)
        return -ENOMEM;
    int error = list_append(runtime, (struct list *)program->data, item);
    object_drop(runtime, item);
    return error;
}

/* data = [i % distinct for i in lazy_range(n)] */
static int build(struct program *program, uint64_t n, uint64_t distinct)
{
    struct list *list = list_new(&program->runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    program->data = &list->object;
    for (uint64_t i = 0; i < n && !error; i++)
        error = take(program, i, distinct);
    object_assign(&program->runtime, &program->i, NULL);
    return error;
}

/* unique = set(data) */
static int dedupe(struct program *program)
{
    const struct list *data = (const struct list *)program->data;
    int error = 0;

    program->unique = set_new(&program->runtime);
    if (!program->unique)
        return -ENOMEM;
    for (size_t at = 0; at < data->size && !error; at++)
        error = set_add(&program->runtime, program->unique, data->items[at]);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    uint64_t n = workload_value(context, "n");

    workload_phase(context, "build");
    int error = build(program, n, workload_value(context, "distinct") == FEW ? FEW_VALUES : n);
    if (error)
        return error;
    workload_phase(context, "dedupe");
    error = dedupe(program);
    if (error)
        return error;
    workload_phase(context, "del");
    object_assign(runtime, &program->data, NULL);
    workload_phase(context, "del_set");
    object_assign(runtime, &program->unique, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int dedupe_set_run(struct workload_context *context)
{
    struct program program = {.data = NULL, .unique = NULL, .i = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.i, NULL);
    object_assign(runtime, &program.unique, NULL);
    object_assign(runtime, &program.data, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter dedupe_set_parameters[] = {
    {
        .name = "n",
        .summary = "ints in the list",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "1M",
        .full = "5M",
    },
    {
        .name = "distinct",
        .summary = "how many of them differ: few (a thousand), or all",
        .kind = PARAMETER_CHOICE,
        .choices = distincts,
        .quick = "few",
        .full = "few",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_dedupe_set = {
    .name = "dedupe_set",
    .summary = "a list of n ints and the set of it, of few values or of n",
    .source = "article 003: what a set costs",
    .parameters = dedupe_set_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = dedupe_set_run,
};
