/*
 * The tracemalloc article's program: n objects in lists of a hundred, each of which holds a hundred
 * random bytes, made in a function that returns them or not. The article has a hundred lists.
 * Leaves out the tracing. workloads/python/waste.py is the same on a real CPython.
 */
#include "workloads/objects/bytes.h"
#include "workloads/objects/instance.h"
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/random.h"
#include "workloads/workload.h"

#include <errno.h>

enum values { DROPPED, RETAINED };
enum { ROW = 100, RANDOM_BYTES = 100 };

static const char *const values_are[] = {"dropped", "retained", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct instance_class waste_class;
    struct object *data_name;
    struct object *rows, *row, *waste;
    uint64_t random;
};

/* 2.7's bytes are its str. */
static struct object *random_bytes(struct program *program)
{
    struct runtime *runtime = &program->runtime;
    uint64_t words[(RANDOM_BYTES + 7) / 8];

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        words[i] = random_next(&program->random);
    return runtime->profile->major == 2 ? str_new(runtime, STR_ASCII, words, RANDOM_BYTES)
                                        : bytes_new(runtime, words, RANDOM_BYTES);
}

/* waste = Waste(); waste.data = os.urandom(100) */
static int make_waste(struct program *program)
{
    struct runtime *runtime = &program->runtime;
    struct object *waste = instance_new(runtime, &program->waste_class);

    if (!waste)
        return -ENOMEM;
    object_assign(runtime, &program->waste, waste);
    struct object *data = random_bytes(program);
    if (!data)
        return -ENOMEM;
    int error = instance_set(runtime, waste, program->data_name, data);
    object_drop(runtime, data);
    return error;
}

/* [Waste() for _ in range(100)], of the last list fewer */
static int make_row(struct program *program, uint64_t objects)
{
    struct runtime *runtime = &program->runtime;
    struct list *row = list_new(runtime, 0);
    int error = 0;

    if (!row)
        return -ENOMEM;
    object_assign(runtime, &program->row, &row->object);
    for (uint64_t i = 0; i < objects && !error; i++) {
        error = make_waste(program);
        if (!error)
            error = list_append(runtime, row, program->waste);
    }
    return error;
}

static int build(struct program *program, uint64_t n)
{
    struct runtime *runtime = &program->runtime;
    struct list *rows = list_new(runtime, 0);
    int error = 0;

    if (!rows)
        return -ENOMEM;
    program->rows = &rows->object;
    for (uint64_t left = n; left > 0 && !error; left -= left < ROW ? left : ROW) {
        error = make_row(program, left < ROW ? left : ROW);
        if (!error)
            error = list_append(runtime, rows, program->row);
    }
    object_assign(runtime, &program->waste, NULL);
    object_assign(runtime, &program->row, NULL);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    workload_phase(context, "build");
    int error = build(program, workload_value(context, "n"));
    if (error)
        return error;
    workload_phase(context, "return");
    if (workload_value(context, "values") == DROPPED)
        object_assign(&program->runtime, &program->rows, NULL);
    workload_phase(context, "collect");
    objects_collect(&program->runtime, OLDEST);
    workload_idle(context);
    return 0;
}

/* The class and its attribute's name are there before the first phase, as those of a module. */
static int define(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    program->data_name = str_of(runtime, "data");
    if (!program->data_name || str_intern(runtime, &program->data_name) != 0)
        return -ENOMEM;
    return class_init(runtime, &program->waste_class, "Waste", INSTANCE_USUAL, 0, NULL);
}

static int waste_run(struct workload_context *context)
{
    struct program program = {.rows = NULL, .random = context->seed};
    struct runtime *runtime = &program.runtime;
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = define(&program);
    if (!error) {
        error = play(&program, context);
        /* What follows only tidies up, after the last phase. */
        object_assign(runtime, &program.waste, NULL);
        object_assign(runtime, &program.row, NULL);
        object_assign(runtime, &program.rows, NULL);
        class_finish(runtime, &program.waste_class);
    }
    object_assign(runtime, &program.data_name, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter waste_parameters[] = {
    {
        .name = "n",
        .summary = "objects, in lists of a hundred",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "500k",
        .full = "2M",
    },
    {
        .name = "values",
        .summary = "what the function made: dropped at its end, or retained by the caller",
        .kind = PARAMETER_CHOICE,
        .choices = values_are,
        .quick = "dropped",
        .full = "dropped",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_waste = {
    .name = "waste",
    .summary = "n objects with a hundred random bytes each, in lists of a hundred, retained or not",
    .source = "article 001: where is memory allocated? Its program, of a hundred lists",
    .parameters = waste_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = waste_run,
};
