/*
 * The third article's history: n ints are appended to a list, to a deque, or to a deque with
 * maxlen, which drops the oldest and stays as it is. Then it is cleared and dropped. Leaves out
 * the interpreter around it. workloads/python/bounded_history.py is the same on a real CPython.
 */
#include "workloads/objects/deque.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum history { BOUNDED, DEQUE, LIST };

static const char *const histories[] = {"bounded", "deque", "list", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *history;
    struct object *i;
};

static struct object *history_new(struct runtime *runtime, enum history kind, uint64_t maxlen)
{
    struct list *list;

    switch (kind) {
    case BOUNDED:
        return deque_new(runtime, maxlen);
    case DEQUE:
        return deque_new(runtime, DEQUE_UNBOUNDED);
    case LIST:
        break;
    }
    list = list_new(runtime, 0);
    return list ? &list->object : NULL;
}

/* for i in lazy_range(n): history.append(i) */
static int append_all(struct program *program, enum history kind, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    int error = 0;

    for (uint64_t value = 0; value < n && !error; value++) {
        struct object *next = int_new(runtime, (int64_t)value);
        if (!next)
            return -ENOMEM;
        object_assign(runtime, &program->i, next);
        error = kind == LIST ? list_append(runtime, (struct list *)program->history, next)
                             : deque_append(runtime, program->history, next);
    }
    object_assign(runtime, &program->i, NULL);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    enum history kind = (enum history)workload_value(context, "history");

    workload_phase(context, "append");
    program->history = history_new(runtime, kind, workload_value(context, "maxlen"));
    if (!program->history)
        return -ENOMEM;
    int error = append_all(program, kind, workload_value(context, "n"));
    if (error)
        return error;
    workload_phase(context, "clear");
    if (kind == LIST)
        program->history->type->clear(runtime, program->history); /* del history[:] */
    else
        deque_clear(runtime, program->history);
    workload_phase(context, "del");
    object_assign(runtime, &program->history, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int bounded_history_run(struct workload_context *context)
{
    struct program program = {.history = NULL, .i = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.i, NULL);
    object_assign(runtime, &program.history, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter bounded_history_parameters[] = {
    PROGRAM_PARAMETER_N("ints that are appended"),
    {
        .name = "history",
        .summary = "bounded: a deque with maxlen; deque, list: without a bound",
        .kind = PARAMETER_CHOICE,
        .choices = histories,
        .quick = "bounded",
        .full = "bounded",
    },
    {
        .name = "maxlen",
        .summary = "items that the bounded deque keeps",
        .kind = PARAMETER_COUNT,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "1k",
        .full = "1k",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_bounded_history = {
    .name = "bounded_history",
    .summary = "n ints appended to a deque with maxlen, to one without, or to a list",
    .source = "article 003: a deque with maxlen against a list that grows",
    .parameters = bounded_history_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = bounded_history_run,
};
