/*
 * Threads under one lock, as CPython's interpreter has it: in turn each makes a list of strings and
 * puts it in the place of one that another thread made, which it drops. The lock orders everything,
 * so that the operations are the same each time; what differs is which thread an allocator sees
 * free a block. Leaves out work outside of the lock. After the third article's threads.
 * workloads/python/threads_shared.py is the same on a real CPython.
 */
#include "workloads/objects/list.h"
#include "workloads/objects/program.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/str.h"
#include "workloads/workload.h"

#include <errno.h>
#include <pthread.h>

enum { THREADS_MOST = 8, ROUNDS = 16, LENGTH = 50 };

/* The index of a choice is the power of two. */
static const char *const thread_counts[] = {"1", "2", "4", "8", NULL};

struct program;

struct worker {
    struct program *program;
    pthread_t thread;
    unsigned index;
};

/* All of it but the workers is the lock's. */
struct program {
    struct runtime runtime;
    pthread_mutex_t lock;
    pthread_cond_t turned;
    unsigned turn; /* the thread of that number, modulo how many there are, may work */
    int error;     /* the first one; from then on turns do nothing */
    int abandoned; /* 1: a thread could not be started, so that turns do not come round */
    unsigned threads;
    uint64_t n;
    struct object *shared[THREADS_MOST];
    struct worker workers[THREADS_MOST];
};

/* made = [text[a:b] for _ in lazy_range(strings)]; shared[slot] = made */
static int replace(struct program *program, unsigned slot, uint64_t strings)
{
    static const char text[LENGTH + 1] = "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx";
    struct runtime *runtime = &program->runtime;
    struct list *made = list_new(runtime, 0);
    int error = 0;

    if (!made)
        return -ENOMEM;
    for (uint64_t i = 0; i < strings && !error; i++) {
        struct object *string = str_new(runtime, STR_ASCII, text, LENGTH);
        error = string ? list_append(runtime, made, string) : -ENOMEM;
        if (string)
            object_drop(runtime, string);
    }
    if (error)
        object_drop(runtime, &made->object);
    else
        object_assign(runtime, &program->shared[slot], &made->object);
    return error;
}

/* The share of a turn: all turns together make n. */
static uint64_t strings_of(const struct program *program, unsigned turn)
{
    uint64_t turns = (uint64_t)program->threads * ROUNDS;

    return program->n * (turn + 1) / turns - program->n * turn / turns;
}

static void take_turn(struct program *program, unsigned index, unsigned round)
{
    pthread_mutex_lock(&program->lock);
    while (program->turn % program->threads != index && !program->abandoned)
        pthread_cond_wait(&program->turned, &program->lock);
    if (!program->error)
        program->error = replace(program, (index + round) % program->threads,
                                 strings_of(program, program->turn));
    program->turn++;
    pthread_cond_broadcast(&program->turned);
    pthread_mutex_unlock(&program->lock);
}

static void *work(void *argument)
{
    struct worker *worker = argument;

    for (unsigned round = 0; round < ROUNDS; round++)
        take_turn(worker->program, worker->index, round);
    return NULL;
}

static void abandon(struct program *program, int error)
{
    pthread_mutex_lock(&program->lock);
    program->abandoned = 1;
    program->error = -error;
    pthread_cond_broadcast(&program->turned);
    pthread_mutex_unlock(&program->lock);
}

static int run_threads(struct program *program)
{
    unsigned started = 0;

    for (; started < program->threads; started++) {
        struct worker *worker = &program->workers[started];
        *worker = (struct worker){.program = program, .index = started};
        int error = pthread_create(&worker->thread, NULL, work, worker);
        if (error) {
            abandon(program, error);
            break;
        }
    }
    while (started > 0)
        pthread_join(program->workers[--started].thread, NULL);
    return program->error;
}

static void drop_shared(struct program *program)
{
    for (unsigned slot = 0; slot < program->threads; slot++)
        object_assign(&program->runtime, &program->shared[slot], NULL);
}

static int play(struct program *program, struct workload_context *context)
{
    workload_phase(context, "run");
    int error = run_threads(program);
    if (error)
        return error;
    workload_phase(context, "del");
    drop_shared(program);
    workload_phase(context, "collect");
    objects_collect(&program->runtime, OLDEST);
    workload_idle(context);
    return 0;
}

static int threads_shared_run(struct workload_context *context)
{
    struct program program = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .turned = PTHREAD_COND_INITIALIZER,
        .threads = 1u << workload_value(context, "threads"),
        .n = workload_value(context, "n"),
    };
    /* Before the first phase: the runtime's start-up is part of the process's baseline. */
    int error = program_start(&program.runtime, context);

    if (error)
        return error;
    error = play(&program, context);
    /* What follows only tidies up, after the last phase. */
    drop_shared(&program);
    runtime_finish(&program.runtime);
    return error;
}

static const struct parameter threads_shared_parameters[] = {
    {
        .name = "n",
        .summary = "strings that are made, one sixteenth of them alive at a time",
        .kind = PARAMETER_COUNT,
        .scales = 1,
        .minimum = 1,
        .maximum = 1000000000,
        .quick = "8M",
        .full = "32M",
    },
    {
        .name = "threads",
        .summary = "threads that take turns",
        .kind = PARAMETER_CHOICE,
        .choices = thread_counts,
        .quick = "4",
        .full = "4",
    },
    PROGRAM_PARAMETER_PROFILE("3.11"),
    {.name = NULL},
};

const struct workload workload_threads_shared = {
    .name = "threads_shared",
    .summary = "threads that take turns under one lock, each dropping what another made",
    .source = "article 003: threads and the interpreter's lock",
    .parameters = threads_shared_parameters,
    .object_needs = PROGRAM_NEEDS,
    .raw_needs = PROGRAM_NEEDS,
    .is_reachable = 0, /* what a turn makes is first held by the stack of its own thread */
    .python_script = 1,
    .run = threads_shared_run,
};
