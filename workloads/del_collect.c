/*
 * The first article: `for i in range(n): pass` at module level, then nothing, `del i`, `del i;
 * gc.collect()`, or gc.collect() while the loop variable is alive. On 2.7 the answer hangs on the
 * free list of ints and on whether the malloc beneath trims. Leaves out the interpreter around the
 * loop: its iterators, its name table, the memory it took to start.
 * workloads/python/del_collect.py is the same on a real CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum way { PASS, DEL, DEL_COLLECT, COLLECT_WITHOUT_DEL };
enum source { RANGE, XRANGE };

static const char *const ways[] = {"pass", "del", "del_collect", "collect_without_del", NULL};
static const char *const sources[] = {"range", "xrange", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *numbers; /* what the loop goes over, when it is a list */
    struct object *i;
};

static int loop_over_list(struct program *program, uint64_t n)
{
    struct list *list = list_of_range(&program->runtime, n);

    if (!list)
        return -ENOMEM;
    program->numbers = &list->object;
    for (size_t at = 0; at < list->size; at++)
        object_assign(&program->runtime, &program->i, object_keep(list->items[at]));
    return 0;
}

/* 2.7's xrange(n), 3.x's range(n): the next int is made before the name lets go of the last. */
static int loop_lazily(struct program *program, uint64_t n)
{
    for (uint64_t value = 0; value < n; value++) {
        struct object *next = int_new(&program->runtime, (int64_t)value);
        if (!next)
            return -ENOMEM;
        object_assign(&program->runtime, &program->i, next);
    }
    return 0;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    uint64_t n = workload_value(context, "n");
    uint64_t way = workload_value(context, "way");

    workload_phase(context, "build");
    int error = workload_value(context, "source") == RANGE ? loop_over_list(program, n)
                                                           : loop_lazily(program, n);
    if (error)
        return error;
    workload_phase(context, "loop_end");
    object_assign(runtime, &program->numbers, NULL);
    if (way == DEL || way == DEL_COLLECT) {
        workload_phase(context, "del");
        object_assign(runtime, &program->i, NULL);
    }
    if (way == DEL_COLLECT || way == COLLECT_WITHOUT_DEL) {
        workload_phase(context, "collect");
        objects_collect(runtime, OLDEST);
    }
    workload_idle(context);
    return 0;
}

static int del_collect_run(struct workload_context *context)
{
    struct program program = {.numbers = NULL, .i = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.numbers, NULL);
    object_assign(runtime, &program.i, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter del_collect_parameters[] = {
    PROGRAM_PARAMETER_N("ints that the loop goes through"),
    {
        .name = "way",
        .summary = "what follows the loop",
        .kind = PARAMETER_CHOICE,
        .choices = ways,
        .quick = "del_collect",
        .full = "del_collect",
    },
    {
        .name = "source",
        .summary = "range: a list of all ints; xrange: one int alive at a time",
        .kind = PARAMETER_CHOICE,
        .choices = sources,
        .quick = "range",
        .full = "range",
    },
    PROGRAM_PARAMETER_PROFILE("2.7"),
    {.name = NULL},
};

const struct workload workload_del_collect = {
    .name = "del_collect",
    .summary = "a loop over n ints, then del and gc.collect(): does the memory go back?",
    .source = "article 000: does del, or gc.collect(), give memory back to the system?",
    .parameters = del_collect_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = del_collect_run,
};
