/*
 * Many tasks that wait: n generators as large as a coroutine's frame, each run to its first yield,
 * then finished one by one or dropped as they are. Leaves out an event loop and what a task would
 * talk to. After the third article's concurrent programs. workloads/python/async_tasks.py is the
 * same on a real CPython.
 */
#include "workloads/objects/generator.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum end { CANCELLED, FINISHED };
/* Of task() in the script, whose code object says LOCALS and STACK. The others hold None. */
enum { NUMBER, REQUEST, HEADER, BODY, REPLY, ERROR, LOCALS, STACK = 2 };
enum { FIRST_REQUEST = 1000000 };

static const char *const ends[] = {"cancelled", "finished", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct generator_code code;
    struct object *tasks, *task;
};

/* request = number + FIRST_REQUEST; yield request; reply = request; yield reply */
static struct object *task_resume(struct runtime *runtime, struct object **locals, uint64_t *step)
{
    switch ((*step)++) {
    case 0:
        locals[REQUEST] = int_new(runtime, int_value(locals[NUMBER]) + FIRST_REQUEST);
        return locals[REQUEST] ? object_keep(locals[REQUEST]) : NULL;
    case 1:
        locals[REPLY] = object_keep(locals[REQUEST]);
        return object_keep(locals[REPLY]);
    default:
        return NULL;
    }
}

/* task = task(number); next(task) */
static int start_task(struct program *program, uint64_t value)
{
    struct runtime *runtime = &program->runtime;
    struct object *number = int_new(runtime, (int64_t)value);

    if (!number)
        return -ENOMEM;
    struct object *task = generator_new(runtime, &program->code);
    if (!task) {
        object_drop(runtime, number);
        return -ENOMEM;
    }
    generator_locals(runtime, task)[NUMBER] = number;
    object_assign(runtime, &program->task, task);
    struct object *request = generator_next(runtime, task);
    if (!request)
        return -ENOMEM;
    object_drop(runtime, request);
    return 0;
}

static int start(struct program *program, uint64_t n)
{
    struct list *tasks = list_new(&program->runtime, 0);
    int error = 0;

    if (!tasks)
        return -ENOMEM;
    program->tasks = &tasks->object;
    for (uint64_t value = 0; value < n && !error; value++) {
        error = start_task(program, value);
        if (!error)
            error = list_append(&program->runtime, tasks, program->task);
    }
    object_assign(&program->runtime, &program->task, NULL);
    return error;
}

/* for task in tasks: for _ in task: pass */
static void finish(struct program *program)
{
    const struct list *tasks = (const struct list *)program->tasks;
    struct object *item;

    for (size_t i = 0; i < tasks->size; i++)
        while ((item = generator_next(&program->runtime, tasks->items[i])))
            object_drop(&program->runtime, item);
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;

    workload_phase(context, "start");
    int error = start(program, workload_value(context, "n"));
    if (error)
        return error;
    if (workload_value(context, "end") == FINISHED) {
        workload_phase(context, "run");
        finish(program);
    }
    workload_phase(context, "del");
    object_assign(runtime, &program->tasks, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int async_tasks_run(struct workload_context *context)
{
    struct program program = {
        .code = {.resume = task_resume, .locals = LOCALS, .stack = STACK},
        .tasks = NULL,
        .task = NULL,
    };
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.task, NULL);
    object_assign(runtime, &program.tasks, NULL);
    generator_code_finish(runtime, &program.code);
    runtime_finish(runtime);
    return error;
}

static const struct parameter async_tasks_parameters[] = {
    {
        .name = "n",
        .summary = "tasks",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "200k",
        .full = "1M",
    },
    {
        .name = "end",
        .summary = "cancelled: dropped where they wait; finished: run to their end first",
        .kind = PARAMETER_CHOICE,
        .choices = ends,
        .quick = "cancelled",
        .full = "cancelled",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_async_tasks = {
    .name = "async_tasks",
    .summary = "n generators that wait at their first yield, then are finished or dropped",
    .source = "article 003: what many waiting tasks hold",
    .parameters = async_tasks_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = async_tasks_run,
};
