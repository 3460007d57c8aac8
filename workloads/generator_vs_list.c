/*
 * The third article's generator: sum() over a list of n ints, or over a generator of the same,
 * which holds one at a time. Leaves out the adding, which makes no objects that stay, and a range
 * that is a list itself. workloads/python/generator_vs_list.py is the same on a real CPython.
 */
#include "workloads/objects/generator.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/workload.h"

#include <errno.h>

enum numbers { GENERATOR, LIST };
/* The locals of a generator expression; the iterator is stood for by the int that ends it. */
enum { ITERATOR, VARIABLE, LOCALS };

static const char *const kinds[] = {"generator", "list", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct generator_code code;
    struct object *numbers;
    struct object *i; /* the variable of the comprehension */
};

/* (i for i in lazy_range(n)) */
static struct object *next_number(struct runtime *runtime, struct object **locals, uint64_t *step)
{
    if (*step == (uint64_t)int_value(locals[ITERATOR]))
        return NULL;
    struct object *number = int_new(runtime, (int64_t)*step);
    if (!number)
        return NULL;
    ++*step;
    object_assign(runtime, &locals[VARIABLE], number);
    return object_keep(number);
}

static int build_generator(struct program *program, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct object *end = int_new(runtime, (int64_t)n);

    if (!end)
        return -ENOMEM;
    program->numbers = generator_new(runtime, &program->code);
    if (!program->numbers) {
        object_drop(runtime, end);
        return -ENOMEM;
    }
    generator_locals(runtime, program->numbers)[ITERATOR] = end;
    return 0;
}

/* [i for i in lazy_range(n)] */
static int build_list(struct program *program, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct list *list = list_new(runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    program->numbers = &list->object;
    for (uint64_t value = 0; value < n && !error; value++) {
        struct object *next = int_new(runtime, (int64_t)value);
        if (!next)
            return -ENOMEM;
        object_assign(runtime, &program->i, next);
        error = list_append(runtime, list, next);
    }
    object_assign(runtime, &program->i, NULL);
    return error;
}

/* sum(numbers). A generator that ends before its n items had no memory for the next. */
static int sum(struct program *program, enum numbers kind, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    uint64_t items = 0, total = 0;

    if (kind == LIST) {
        const struct list *list = (const struct list *)program->numbers;
        for (; items < list->size; items++)
            total += (uint64_t)int_value(list->items[items]);
    } else {
        struct object *item;
        for (; (item = generator_next(runtime, program->numbers)); items++) {
            total += (uint64_t)int_value(item);
            object_drop(runtime, item);
        }
    }
    runtime_note(runtime, total);
    return items == n ? 0 : -ENOMEM;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    enum numbers kind = (enum numbers)workload_value(context, "numbers");
    uint64_t n = workload_value(context, "n");

    workload_phase(context, "build");
    int error = kind == LIST ? build_list(program, n) : build_generator(program, n);
    if (error)
        return error;
    workload_phase(context, "sum");
    error = sum(program, kind, n);
    if (error)
        return error;
    workload_phase(context, "del");
    object_assign(runtime, &program->numbers, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int generator_vs_list_run(struct workload_context *context)
{
    struct program program = {
        .code = {.resume = next_number, .locals = LOCALS, .stack = 2},
        .numbers = NULL,
        .i = NULL,
    };
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.i, NULL);
    object_assign(runtime, &program.numbers, NULL);
    generator_code_finish(runtime, &program.code);
    runtime_finish(runtime);
    return error;
}

static const struct parameter generator_vs_list_parameters[] = {
    PROGRAM_PARAMETER_N("ints that are summed up"),
    {
        .name = "numbers",
        .summary = "what they come from: a generator, or a list of all",
        .kind = PARAMETER_CHOICE,
        .choices = kinds,
        .quick = "generator",
        .full = "generator",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_generator_vs_list = {
    .name = "generator_vs_list",
    .summary = "the sum of n ints out of a generator, or out of a list",
    .source = "article 003: a generator against a list",
    .parameters = generator_vs_list_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = generator_vs_list_run,
};
