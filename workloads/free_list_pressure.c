/*
 * Free lists under pressure: n objects of one type are made, dropped, made and dropped again, and
 * then n of another type, which cannot use what the first type keeps. 2.7 keeps every int and float
 * for its own kind until a full collection, other types and 3.x some eighty to two thousand. Leaves
 * out types whose free lists are like these. After the tracemalloc article's free lists.
 * workloads/python/free_list_pressure.py is the same on a real CPython.
 */
#include "workloads/objects/dict.h"
#include "workloads/objects/float.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/objects/tuple.h"
#include "workloads/workload.h"

#include <errno.h>

enum kind { FLOAT, INT, TUPLE, LIST, DICT, STR };
enum { OTHER_LENGTH = 7, ABOVE_SHARED = 1000 };

/* Strings have no free list: they are the other type. */
static const char *const kinds[] = {"float", "int", "tuple", "list", "dict", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *kept, *number;
};

static struct object *new_int(struct runtime *runtime, const struct object *number)
{
    return int_new(runtime, int_value(number) + ABOVE_SHARED);
}

/* (zero,) */
static struct object *new_tuple(struct runtime *runtime)
{
    struct object *zero = int_new(runtime, 0); /* shared: needs no memory */
    struct tuple *tuple = tuple_of(runtime, &zero, 1);

    object_drop(runtime, zero);
    return tuple ? &tuple->object : NULL;
}

static struct object *new_list(struct runtime *runtime)
{
    struct list *list = list_new(runtime, 0);

    return list ? &list->object : NULL;
}

static struct object *new_object(struct runtime *runtime, enum kind kind,
                                 const struct object *number)
{
    switch (kind) {
    case FLOAT:
        return float_new(runtime, (double)int_value(number));
    case INT:
        return new_int(runtime, number);
    case TUPLE:
        return new_tuple(runtime);
    case LIST:
        return new_list(runtime);
    case DICT:
        return dict_new(runtime);
    case STR:
        break;
    }
    return str_new(runtime, STR_ASCII, "pressur", OTHER_LENGTH);
}

/* One more, of a loop over ints. */
static int keep_another(struct program *program, enum kind kind, uint64_t value)
{
    struct runtime *runtime = &program->runtime;
    struct object *number = int_new(runtime, (int64_t)value);

    if (!number)
        return -ENOMEM;
    object_assign(runtime, &program->number, number);
    struct object *object = new_object(runtime, kind, number);
    if (!object)
        return -ENOMEM;
    int error = list_append(runtime, (struct list *)program->kept, object);
    object_drop(runtime, object);
    return error;
}

static int make(struct program *program, enum kind kind, uint64_t n)
{
    struct list *kept = list_new(&program->runtime, 0);
    int error = 0;

    if (!kept)
        return -ENOMEM;
    program->kept = &kept->object;
    for (uint64_t value = 0; value < n && !error; value++)
        error = keep_another(program, kind, value);
    object_assign(&program->runtime, &program->number, NULL);
    return error;
}

static int make_and_drop(struct program *program, struct workload_context *context,
                         const char *make_phase, const char *drop_phase, enum kind kind)
{
    workload_phase(context, make_phase);
    int error = make(program, kind, workload_value(context, "n"));
    if (error)
        return error;
    workload_phase(context, drop_phase);
    object_assign(&program->runtime, &program->kept, NULL);
    return 0;
}

static int play(struct program *program, struct workload_context *context)
{
    enum kind kind = (enum kind)workload_value(context, "kind");
    int error = make_and_drop(program, context, "build", "drop", kind);

    if (!error)
        error = make_and_drop(program, context, "again", "drop_again", kind);
    if (!error)
        error = make_and_drop(program, context, "other", "drop_other", STR);
    if (error)
        return error;
    workload_phase(context, "collect");
    objects_collect(&program->runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int free_list_pressure_run(struct workload_context *context)
{
    struct program program = {.kept = NULL, .number = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.number, NULL);
    object_assign(runtime, &program.kept, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter free_list_pressure_parameters[] = {
    {
        .name = "n",
        .summary = "objects alive at a time",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "1M",
        .full = "5M",
    },
    {
        .name = "kind",
        .summary = "the type that is made and dropped twice, before as many strings",
        .kind = PARAMETER_CHOICE,
        .choices = kinds,
        .quick = "float",
        .full = "float",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_free_list_pressure = {
    .name = "free_list_pressure",
    .summary =
        "n objects of a type made and dropped twice, then n strings: what its free list keeps",
    .source = "article 001: memory that free lists hold",
    .parameters = free_list_pressure_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = free_list_pressure_run,
};
