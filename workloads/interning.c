/*
 * Interning: a list of n strings of 20 characters with a thousand values, as a column of a table
 * has them. Each is a string of its own, or all of one value are one by sys.intern. Leaves out the
 * interpreter around it, and the names in its code, which are interned anyway. After the third
 * article's shared objects. workloads/python/interning.py is the same on a real CPython.
 */
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/workload.h"

#include <errno.h>

enum how { INTERNED, SEPARATE };
enum { VALUES = 1000, LENGTH = 20 };

static const char *const hows[] = {"interned", "separate", NULL};

/* The names of the program. */
struct program {
    struct runtime runtime;
    struct object *column;
    struct object *word;
};

/* "status-0000000000042": the value in the last digits. */
static void write_word(char text[LENGTH], uint64_t value)
{
    static const char prefix[] = "status-";

    for (size_t i = 0; i < sizeof prefix - 1; i++)
        text[i] = prefix[i];
    for (size_t i = LENGTH; i-- > sizeof prefix - 1; value /= 10)
        text[i] = (char)('0' + value % 10);
}

/* word = text[a:b]; column.append(word), or of sys.intern(word) */
static int take(struct program *program, enum how how, uint64_t value)
{
    struct runtime *runtime = &program->runtime;
    char text[LENGTH];

    write_word(text, value);
    struct object *word = str_new(runtime, STR_ASCII, text, LENGTH);
    if (!word)
        return -ENOMEM;
    object_assign(runtime, &program->word, word);
    int error = how == INTERNED ? str_intern(runtime, &program->word) : 0;
    return error ? error : list_append(runtime, (struct list *)program->column, program->word);
}

static int build(struct program *program, enum how how, uint64_t n)
{
    struct list *list = list_new(&program->runtime, 0);
    int error = 0;

    if (!list)
        return -ENOMEM;
    program->column = &list->object;
    for (uint64_t i = 0; i < n && !error; i++)
        error = take(program, how, i % VALUES);
    object_assign(&program->runtime, &program->word, NULL);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;
    enum how how = (enum how)workload_value(context, "how");

    workload_phase(context, "build");
    int error = build(program, how, workload_value(context, "n"));
    if (error)
        return error;
    workload_phase(context, "del");
    object_assign(runtime, &program->column, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int interning_run(struct workload_context *context)
{
    struct program program = {.column = NULL, .word = NULL};
    struct runtime *runtime = &program.runtime;
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    object_assign(runtime, &program.word, NULL);
    object_assign(runtime, &program.column, NULL);
    runtime_finish(runtime);
    return error;
}

static const struct parameter interning_parameters[] = {
    {
        .name = "n",
        .summary = "strings in the list",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 100000000,
        .quick = "2M",
        .full = "5M",
    },
    {
        .name = "how",
        .summary = "interned: one string of each value; separate: each its own",
        .kind = PARAMETER_CHOICE,
        .choices = hows,
        .quick = "interned",
        .full = "interned",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_interning = {
    .name = "interning",
    .summary = "a list of n strings of a thousand values, interned or not",
    .source = "article 003: objects that are shared, and those that look alike",
    .parameters = interning_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = interning_run,
};
