/*
 * What every workload that is a program over the object runtime has in common: what it needs of an
 * allocator, the parameters that say how large and which CPython, and its start. Leaves out the
 * program itself and its names, which are the workload's. It holds what del_collect.c and
 * list_lifetime.c would both say.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_PROGRAM_H
#define TIDEMARK_WORKLOADS_OBJECTS_PROGRAM_H

#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

/* What the runtime calls (heap.h), of either allocator; and objects that overlap are none. */
enum { PROGRAM_NEEDS = ALLOCATOR_MALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT };

/* The parameter `n`; `what` says what there are n of. Macros, as C17 has no constant structs. */
#define PROGRAM_PARAMETER_N(what)                                                                  \
    {                                                                                              \
        .name = "n", .summary = (what), .kind = PARAMETER_COUNT, .minimum = 1,                     \
        .maximum = 100000000, .scales = 1, .quick = "5M", .full = "10M",                           \
    }

/* The parameter `profile`; `usual` is the name of the one that both suites take. */
#define PROGRAM_PARAMETER_PROFILE(usual)                                                           \
    {                                                                                              \
        .name = "profile", .summary = "the CPython whose objects these are",                       \
        .kind = PARAMETER_CHOICE, .choices = profile_names, .quick = (usual), .full = (usual),     \
    }

/*
 * Starts the runtime that the parameter `profile` names, over the allocators and the gauge of
 * `context`, which then points to it. To be called before the first workload_phase(), so that what
 * a runtime takes to start is part of the process's baseline. Errors and ownership are
 * runtime_init's; ended by runtime_finish.
 */
static inline int program_start(struct runtime *runtime, struct workload_context *context)
{
    int error = runtime_init(runtime, &profiles[workload_value(context, "profile")],
                             context->object, context->raw, context->gauge);

    if (error)
        return error;
    lists_start(runtime);
    workload_show_objects(context, runtime);
    return 0;
}

#endif
