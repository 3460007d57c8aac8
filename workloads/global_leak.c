/*
 * The third article's leak: each of n requests makes a dict, which goes into a list of the module's
 * or into one of the function's own. What a module names is reachable, and no collection frees it.
 * Leaves out what else a request would do. workloads/python/global_leak.py is the same on a real
 * CPython.
 */
#include "workloads/objects/dict.h"
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/workload.h"

#include <errno.h>

enum seen { GLOBAL, LOCAL };
enum { TEXT_LENGTH = 100 };

static const char *const seen_are[] = {"global", "local", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *id_name, *text_name;
    struct object *seen; /* of the module */
    struct object *list; /* of the function: the same, or its own */
    struct object *number, *text, *request;
};

/* request = {"id": number, "text": text[a:b]} */
static int make_request(struct program *program)
{
    struct runtime *runtime = &program->runtime;
    char characters[TEXT_LENGTH];

    for (size_t i = 0; i < TEXT_LENGTH; i++)
        characters[i] = (char)('a' + i % 26);
    struct object *text = str_new(runtime, STR_ASCII, characters, TEXT_LENGTH);
    if (!text)
        return -ENOMEM;
    object_assign(runtime, &program->text, text);
    struct object *request = dict_new(runtime);
    if (!request)
        return -ENOMEM;
    object_assign(runtime, &program->request, request);
    int error = dict_set(runtime, request, program->id_name, program->number);
    return error ? error : dict_set(runtime, request, program->text_name, text);
}

/* The function's names go in the order in which they were made. */
static void leave_function(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    object_assign(runtime, &program->list, NULL);
    object_assign(runtime, &program->text, NULL);
    object_assign(runtime, &program->request, NULL);
}

static int handle(struct program *program, enum seen seen)
{
    struct runtime *runtime = &program->runtime;

    if (seen == GLOBAL) {
        program->list = object_keep(program->seen);
    } else {
        struct list *own = list_new(runtime, 0);
        if (!own)
            return -ENOMEM;
        program->list = &own->object;
    }
    int error = make_request(program);
    if (!error)
        error = list_append(runtime, (struct list *)program->list, program->request);
    leave_function(program);
    return error;
}

static int serve(struct program *program, enum seen seen, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct list *list = list_new(runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    program->seen = &list->object;
    for (uint64_t value = 0; value < n && !error; value++) {
        struct object *number = int_new(runtime, (int64_t)value);
        if (!number)
            return -ENOMEM;
        object_assign(runtime, &program->number, number);
        error = handle(program, seen);
    }
    object_assign(runtime, &program->number, NULL);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;

    workload_phase(context, "serve");
    int error =
        serve(program, (enum seen)workload_value(context, "seen"), workload_value(context, "n"));
    if (error)
        return error;
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_phase(context, "forget");
    program->seen->type->clear(runtime, program->seen); /* del seen[:] */
    workload_idle(context);
    return 0;
}

/* The keys are there before the first phase, as constants of the code. */
static int define(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    program->id_name = str_of(runtime, "id");
    program->text_name = str_of(runtime, "text");
    if (!program->id_name || !program->text_name || str_intern(runtime, &program->id_name) != 0)
        return -ENOMEM;
    return str_intern(runtime, &program->text_name);
}

static int global_leak_run(struct workload_context *context)
{
    struct program program = {.seen = NULL, .list = NULL};
    struct runtime *runtime = &program.runtime;
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = define(&program);
    if (!error)
        error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    leave_function(&program);
    object_assign(runtime, &program.number, NULL);
    object_assign(runtime, &program.seen, NULL);
    object_assign(runtime, &program.text_name, NULL);
    object_assign(runtime, &program.id_name, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter global_leak_parameters[] = {
    {
        .name = "n",
        .summary = "requests",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "500k",
        .full = "1M",
    },
    {
        .name = "seen",
        .summary = "the list that each goes into: global, of the module; local, of the function",
        .kind = PARAMETER_CHOICE,
        .choices = seen_are,
        .quick = "global",
        .full = "global",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_global_leak = {
    .name = "global_leak",
    .summary = "n requests whose dicts a list of the module keeps, or none does",
    .source = "article 003: what a global keeps alive",
    .parameters = global_leak_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = global_leak_run,
};
