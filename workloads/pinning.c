/*
 * Survivors: of a list of n ints one in k is kept, `kept = a[::k]`, and the list goes. Each int
 * that stays keeps its pool, and with it its arena, from going back: a few hundred hold most of the
 * peak. Leaves out survivors at random places, which are bulk's. The program by which CPython's
 * arenas of 256 KiB and of 1 MiB were compared; workloads/python/pinning.py is the same on a real
 * CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *a;
    struct object *kept;
};

/* kept = a[::k] */
static int keep_every(struct program *program, uint64_t k)
{
    const struct list *from = (const struct list *)program->a;
    struct list *kept = list_new(&program->runtime, (from->size - 1) / k + 1);
    int error = 0;

    if (!kept)
        return -ENOMEM;
    program->kept = &kept->object;
    for (size_t i = 0; i < from->size && !error; i += k)
        error = list_append(&program->runtime, kept, from->items[i]);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;

    workload_phase(context, "build");
    struct list *list = list_of_range(runtime, workload_value(context, "n"));
    if (!list)
        return -ENOMEM;
    program->a = &list->object;
    workload_phase(context, "keep");
    int error = keep_every(program, workload_value(context, "k"));
    if (error)
        return error;
    workload_phase(context, "del");
    object_assign(runtime, &program->a, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_phase(context, "del_kept");
    object_assign(runtime, &program->kept, NULL);
    workload_idle(context);
    return 0;
}

static int pinning_run(struct workload_context *context)
{
    struct program program = {.a = NULL, .kept = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.kept, NULL);
    object_assign(runtime, &program.a, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter pinning_parameters[] = {
    PROGRAM_PARAMETER_N("ints in the list"),
    {
        .name = "k",
        .summary = "one int in so many is kept: of 10M, one in 32,130 are 312",
        .kind = PARAMETER_COUNT,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "32130",
        .full = "32130",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_pinning = {
    .name = "pinning",
    .summary = "of a list of n ints one in k is kept: how much memory do the few hold?",
    .source = "survivors: what an arena of 256 KiB, or of 1 MiB, costs when one int in it lives",
    .parameters = pinning_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = pinning_run,
};
