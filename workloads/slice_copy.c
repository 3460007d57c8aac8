/*
 * The third article's slice: `b = a[:]` of a list of n ints copies the references, not the ints,
 * and costs 8 bytes an item; `b = a` costs nothing. Leaves out the interpreter around it, and that
 * CPython rounds up to an even room for list() alone, not for a slice: 8 bytes for an odd n.
 * workloads/python/slice_copy.py is the same on a real CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum how { SLICE, NAME };

static const char *const hows[] = {"slice", "name", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *a;
    struct object *b;
};

/* b = a[:] */
static int slice(struct program *program)
{
    const struct list *from = (const struct list *)program->a;
    struct list *copy = list_new(&program->runtime, from->size);
    int error = 0;

    if (!copy)
        return -ENOMEM;
    program->b = &copy->object;
    for (size_t i = 0; i < from->size && !error; i++)
        error = list_append(&program->runtime, copy, from->items[i]);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    int error = 0;

    workload_phase(context, "build");
    struct list *list = list_of_range(runtime, workload_value(context, "n"));
    if (!list)
        return -ENOMEM;
    program->a = &list->object;
    workload_phase(context, "copy");
    if (workload_value(context, "how") == SLICE)
        error = slice(program);
    else
        program->b = object_keep(program->a);
    if (error)
        return error;
    workload_phase(context, "del_copy");
    object_assign(runtime, &program->b, NULL);
    workload_phase(context, "del");
    object_assign(runtime, &program->a, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int slice_copy_run(struct workload_context *context)
{
    struct program program = {.a = NULL, .b = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.b, NULL);
    object_assign(runtime, &program.a, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter slice_copy_parameters[] = {
    PROGRAM_PARAMETER_N("ints in the list"),
    {
        .name = "how",
        .summary = "slice: b = a[:]; name: b = a",
        .kind = PARAMETER_CHOICE,
        .choices = hows,
        .quick = "slice",
        .full = "slice",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_slice_copy = {
    .name = "slice_copy",
    .summary = "a list of n ints and a copy of it by slice, or a second name for it",
    .source = "article 003: what a slice costs",
    .parameters = slice_copy_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = slice_copy_run,
};
