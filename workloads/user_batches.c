/*
 * The first article's process: users are worked through 500 at a time, each some 9 KB of dicts,
 * strings and a list, and of each batch the reports are kept or written out. Users whose session
 * points back to them wait for the collector: of its own accord, asked for after each batch, or
 * never when it is disabled. With a limit of memory the last is killed. Leaves out the database.
 * workloads/python/user_batches.py is the same on a real CPython.
 */
#define _GNU_SOURCE
#include "workloads/objects/dict.h"
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/workload.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum results { WRITTEN, KEPT };
enum links { CYCLIC, ACYCLIC };
enum collect { BATCH, NEVER, DISABLED };

static const char *const results_are[] = {"written", "kept", NULL};
static const char *const links_are[] = {"cyclic", "acyclic", NULL};
static const char *const collects[] = {"batch", "never", "disabled", NULL};

enum { NAME_LENGTH = 20, EVENTS = 40, EVENT_LENGTH = 150, REPORT_LENGTH = 400 };

/* Constants of the code, there before the first phase. */
enum key { ID, NAME, EVENTS_KEY, SESSION, USER, KEYS };

static const char *const key_texts[KEYS] = {"id", "name", "events", "session", "user"};

/* The names of the program. */
struct program {
    struct runtime runtime;
    enum results results;
    enum links links;
    enum collect collect;
    int sink; /* where reports are written to */
    char text[REPORT_LENGTH];
    struct object *keys[KEYS];
    struct object *kept; /* the reports of all batches */
    struct object *users, *reports;
    struct object *number, *user, *events, *session;
};

/* container[key] = a new string cut out of the text */
static int set_text(struct program *program, struct object *dict, enum key key, size_t length)
{
    struct object *text = str_new(&program->runtime, STR_ASCII, program->text, length);

    if (!text)
        return -ENOMEM;
    int error = dict_set(&program->runtime, dict, program->keys[key], text);
    object_drop(&program->runtime, text);
    return error;
}

/* list.append(a new string cut out of the text) */
static int append_text(struct program *program, struct object *list, size_t length)
{
    struct object *text = str_new(&program->runtime, STR_ASCII, program->text, length);

    if (!text)
        return -ENOMEM;
    int error = list_append(&program->runtime, (struct list *)list, text);
    object_drop(&program->runtime, text);
    return error;
}

static int make_events(struct program *program)
{
    struct list *events = list_new(&program->runtime, 0);
    int error = 0;

    if (!events)
        return -ENOMEM;
    object_assign(&program->runtime, &program->events, &events->object);
    for (size_t i = 0; i < EVENTS && !error; i++)
        error = append_text(program, program->events, EVENT_LENGTH);
    return error;
}

/* session = {"user": user}; user["session"] = session */
static int make_session(struct program *program)
{
    struct runtime *runtime = &program->runtime;
    struct object *session = dict_new(runtime);

    if (!session)
        return -ENOMEM;
    object_assign(runtime, &program->session, session);
    int error = dict_set(runtime, session, program->keys[USER], program->user);
    return error ? error : dict_set(runtime, program->user, program->keys[SESSION], session);
}

/* user = {"id": number, "name": ..., "events": events} */
static int make_user(struct program *program, uint64_t id)
{
    struct runtime *runtime = &program->runtime;
    struct object *number = int_new(runtime, (int64_t)id);

    if (!number)
        return -ENOMEM;
    object_assign(runtime, &program->number, number);
    int error = make_events(program);
    if (error)
        return error;
    struct object *user = dict_new(runtime);
    if (!user)
        return -ENOMEM;
    object_assign(runtime, &program->user, user);
    error = dict_set(runtime, user, program->keys[ID], number);
    if (!error)
        error = set_text(program, user, NAME, NAME_LENGTH);
    if (!error)
        error = dict_set(runtime, user, program->keys[EVENTS_KEY], program->events);
    return error || program->links == ACYCLIC ? error : make_session(program);
}

/* The names of the function that makes a user. */
static void leave_function(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    object_assign(runtime, &program->number, NULL);
    object_assign(runtime, &program->events, NULL);
    object_assign(runtime, &program->user, NULL);
    object_assign(runtime, &program->session, NULL);
}

static int make_users(struct program *program, uint64_t first, uint64_t end)
{
    struct list *users = list_new(&program->runtime, 0);
    int error = 0;

    if (!users)
        return -ENOMEM;
    program->users = &users->object;
    for (uint64_t id = first; id < end && !error; id++) {
        error = make_user(program, id);
        if (!error)
            error = list_append(&program->runtime, users, program->user);
        leave_function(program);
    }
    return error;
}

static int make_reports(struct program *program)
{
    struct list *reports = list_new(&program->runtime, 0);
    size_t users = ((const struct list *)program->users)->size;
    int error = 0;

    if (!reports)
        return -ENOMEM;
    program->reports = &reports->object;
    for (size_t i = 0; i < users && !error; i++)
        error = append_text(program, program->reports, REPORT_LENGTH);
    return error;
}

/* It goes to /dev/null, which takes all. */
static int write_reports(const struct program *program)
{
    const struct list *reports = (const struct list *)program->reports;

    for (size_t i = 0; i < reports->size; i++)
        if (write(program->sink, str_characters(reports->items[i]), REPORT_LENGTH) < 0)
            return -errno;
    return 0;
}

static uint64_t object_bytes(const struct program *program)
{
    return atomic_load_explicit(&program->runtime.heap.gauge->object_bytes, memory_order_relaxed);
}

/* The users go; what of them holds itself is reachable no more. */
static void drop_users(struct program *program, uint64_t users_bytes)
{
    uint64_t before_bytes = object_bytes(program);

    object_assign(&program->runtime, &program->users, NULL);
    objects_abandon(&program->runtime, users_bytes - (before_bytes - object_bytes(program)));
}

static int serve_batch(struct program *program, uint64_t first, uint64_t end)
{
    struct runtime *runtime = &program->runtime;
    uint64_t before_bytes = object_bytes(program);
    int error = make_users(program, first, end);

    if (error)
        return error;
    uint64_t users_bytes = object_bytes(program) - before_bytes;
    error = make_reports(program);
    if (error)
        return error;
    drop_users(program, users_bytes);
    error = program->results == WRITTEN
                ? write_reports(program)
                : list_append(runtime, (struct list *)program->kept, program->reports);
    object_assign(runtime, &program->reports, NULL);
    if (!error && program->collect == BATCH)
        objects_collect(runtime, OLDEST);
    return error;
}

static int serve(struct program *program, uint64_t n, uint64_t batch)
{
    struct list *kept = list_new(&program->runtime, 0);
    int error = 0;

    if (!kept)
        return -ENOMEM;
    program->kept = &kept->object;
    for (uint64_t first = 0; first < n && !error; first += batch)
        error = serve_batch(program, first, n - first < batch ? n : first + batch);
    return error;
}

static int play(struct program *program, struct workload_context *context)
{
    struct runtime *runtime = &program->runtime;

    objects_enable(runtime, program->collect != DISABLED);
    workload_phase(context, "serve");
    int error = serve(program, workload_value(context, "n"), workload_value(context, "batch"));
    if (error)
        return error;
    workload_phase(context, "del");
    object_assign(runtime, &program->kept, NULL);
    workload_phase(context, "collect");
    objects_collect(runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int define(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    for (size_t i = 0; i < REPORT_LENGTH; i++)
        program->text[i] = (char)('a' + i % 26);
    for (size_t i = 0; i < KEYS; i++) {
        program->keys[i] = str_of(runtime, key_texts[i]);
        if (!program->keys[i] || str_intern(runtime, &program->keys[i]) != 0)
            return -ENOMEM;
    }
    program->sink = open("/dev/null", O_WRONLY | O_CLOEXEC);
    return program->sink < 0 ? -errno : 0;
}

static void tidy_up(struct program *program)
{
    struct runtime *runtime = &program->runtime;

    leave_function(program);
    object_assign(runtime, &program->users, NULL);
    object_assign(runtime, &program->reports, NULL);
    object_assign(runtime, &program->kept, NULL);
    for (size_t i = 0; i < KEYS; i++)
        object_assign(runtime, &program->keys[i], NULL);
    if (program->sink >= 0)
        close(program->sink);
}

static int user_batches_run(struct workload_context *context)
{
    struct program program = {
        .results = (enum results)workload_value(context, "results"),
        .links = (enum links)workload_value(context, "links"),
        .collect = (enum collect)workload_value(context, "collect"),
        .sink = -1,
    };
    int error = program_start(&program.runtime, context);

    if (error)
        return error;
    error = define(&program);
    if (!error)
        error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    tidy_up(&program);
    runtime_finish(&program.runtime);
    return error;
}

static const struct parameter user_batches_parameters[] = {
    {
        .name = "n",
        .summary = "users, of some 9 KB each",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 10000000,
        .quick = "20k",
        .full = "80k",
    },
    {
        .name = "batch",
        .summary = "users at a time",
        .kind = PARAMETER_COUNT,
        .minimum = 1,
        .maximum = 10000000,
        .quick = "500",
        .full = "500",
    },
    {
        .name = "collect",
        .summary =
            "batch: gc.collect() after each; never: as CPython sees fit; disabled: not at all",
        .kind = PARAMETER_CHOICE,
        .choices = collects,
        .quick = "batch",
        .full = "batch",
    },
    {
        .name = "results",
        .summary = "reports of 400 characters a user: written out, or kept",
        .kind = PARAMETER_CHOICE,
        .choices = results_are,
        .quick = "written",
        .full = "written",
    },
    {
        .name = "links",
        .summary = "whether a user's session points back to the user",
        .kind = PARAMETER_CHOICE,
        .choices = links_are,
        .quick = "cyclic",
        .full = "cyclic",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_user_batches = {
    .name = "user_batches",
    .summary = "users in batches, with cycles or without, collected after each batch or never",
    .source = "article 000: a process that works through its users 500 at a time, in little memory",
    .parameters = user_batches_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 1,
    .python_script = 1,
    .run = user_batches_run,
};
