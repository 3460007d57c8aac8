/*
 * What team.h declares, on POSIX threads: one mutex and two conditions, which no worker touches
 * while it works. It leaves out affinity, which is the harness's. pthread_create takes the table of
 * a thread's local storage from libc's malloc: some 300 bytes a thread, before the first phase.
 */
#include "workloads/team.h"
#include "workloads/random.h"

#include <errno.h>

enum { STACK_BYTES = 1 << 18 };

static void publish_bytes(struct worker *worker, int64_t announced_bytes)
{
    struct workload_gauge *gauge = worker->team->context->gauge;
    /* A difference may be negative: it wraps, and so does the sum. */
    uint64_t more = (uint64_t)(announced_bytes - worker->announced_bytes);

    atomic_fetch_add_explicit(&gauge->live_bytes, more, memory_order_relaxed);
    atomic_fetch_add_explicit(&gauge->object_bytes, more, memory_order_relaxed);
    worker->announced_bytes = announced_bytes;
}

void worker_announce(struct worker *worker)
{
    publish_bytes(worker, worker->live_bytes + WORKER_STEP_BYTES);
}

void worker_settle(struct worker *worker)
{
    publish_bytes(worker, worker->live_bytes);
}

/* Nobody works: the gauge becomes exact. */
static void settle(struct worker *worker)
{
    struct workload_gauge *gauge = worker->team->context->gauge;
    uint64_t mixed = atomic_load_explicit(&gauge->checksum, memory_order_relaxed);

    worker_settle(worker);
    gauge_add(&gauge->operations, worker->operations);
    gauge_add(&gauge->frees, worker->frees);
    atomic_store_explicit(&gauge->checksum, mixed * 31 + worker->checksum, memory_order_relaxed);
    worker->operations = 0;
    worker->frees = 0;
}

/* Settles all of them, and forgets their errors. */
static int settle_workers(struct team *team)
{
    int error = 0;

    for (unsigned i = 0; i < team->threads; i++) {
        struct worker *worker = &team->workers[i];
        settle(worker);
        if (!error)
            error = worker->error;
        worker->error = 0;
    }
    return error;
}

static void *serve(void *argument)
{
    struct worker *worker = argument;
    struct team *team = worker->team;
    uint64_t answered = 0;

    for (;;) {
        pthread_mutex_lock(&team->lock);
        while (team->call == answered)
            pthread_cond_wait(&team->called, &team->lock);
        answered = team->call;
        team_work *work = team->work;
        pthread_mutex_unlock(&team->lock);
        if (!work)
            return NULL;
        worker->error = work(worker);
        pthread_mutex_lock(&team->lock);
        if (--team->working == 0)
            pthread_cond_signal(&team->finished);
        pthread_mutex_unlock(&team->lock);
    }
}

/* `work` NULL sends the threads home. */
static void call_team(struct team *team, team_work *work)
{
    pthread_mutex_lock(&team->lock);
    team->work = work;
    team->working = team->started;
    team->call++;
    pthread_cond_broadcast(&team->called);
    while (work && team->working > 0)
        pthread_cond_wait(&team->finished, &team->lock);
    pthread_mutex_unlock(&team->lock);
}

static int run_on_main(struct team *team, team_work *work)
{
    int error = work(&team->main);

    settle(&team->main);
    return error;
}

static int run_on_team(struct team *team, team_work *work)
{
    call_team(team, work);
    return settle_workers(team);
}

int team_start_thread(pthread_t *thread, void *(*body)(void *), void *argument)
{
    pthread_attr_t attributes;

    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK_BYTES);
    int error = pthread_create(thread, &attributes, body, argument);
    pthread_attr_destroy(&attributes);
    return -error;
}

static void *work_once(void *argument)
{
    struct worker *worker = argument;

    worker->error = worker->team->work(worker);
    return NULL;
}

int team_run_fresh(struct team *team, team_work *work)
{
    pthread_t fresh[TEAM_MOST]; /* the team's own threads wait meanwhile */
    unsigned started = 0;
    int error = 0;

    team->work = work;
    for (; started < team->threads && !error; started++)
        error = team_start_thread(&fresh[started], work_once, &team->workers[started]);
    if (error)
        started--; /* the last one is not there */
    for (unsigned i = 0; i < started; i++)
        pthread_join(fresh[i], NULL);
    int worked = settle_workers(team);
    return error ? error : worked;
}

static void worker_init(struct worker *worker, struct team *team, unsigned index, void *program)
{
    /* Any other odd number than the generator's own step: streams must not be shifts of another. */
    uint64_t state = team->context->seed + (index + 1) * UINT64_C(0xd1342543de82ef95);

    *worker = (struct worker){
        .ops = team->context->object,
        .program = program,
        .random = random_next(&state),
        .team = team,
        .index = index,
    };
}

static void init_team(struct team *team, struct workload_context *context, unsigned threads,
                      void *program)
{
    *team = (struct team){
        .context = context,
        .threads = threads,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .called = PTHREAD_COND_INITIALIZER,
        .finished = PTHREAD_COND_INITIALIZER,
    };
    worker_init(&team->main, team, 0, program);
    for (unsigned i = 0; i < threads; i++)
        worker_init(&team->workers[i], team, i, program);
}

static int has_work_for_team(const struct stage *stages)
{
    for (; stages->work; stages++)
        if (stages->place == ON_TEAM)
            return 1;
    return 0;
}

/* Returns 0 or a negative errno; team->started is how many there are. */
static int start_threads(struct team *team)
{
    int error = 0;

    while (team->started < team->threads && !error) {
        struct worker *worker = &team->workers[team->started];
        error = team_start_thread(&worker->thread, serve, worker);
        team->started += !error;
    }
    return error;
}

static void end_threads(struct team *team)
{
    call_team(team, NULL);
    for (unsigned i = 0; i < team->started; i++)
        pthread_join(team->workers[i].thread, NULL);
}

static int run_stages(struct team *team, const struct stage *stages)
{
    int error = 0;

    for (; stages->work; stages++) {
        int is_last = !stages[1].work;
        if (error && !is_last)
            continue;
        if (stages->phase)
            workload_phase(team->context, stages->phase);
        int failed = stages->place == ON_MAIN ? run_on_main(team, stages->work)
                                              : run_on_team(team, stages->work);
        if (!error)
            error = failed;
    }
    return error;
}

int team_play(struct workload_context *context, unsigned threads, void *program,
              const struct stage *stages)
{
    struct team team;

    init_team(&team, context, threads, program);
    int error = has_work_for_team(stages) ? start_threads(&team) : 0;
    if (!error) {
        error = run_stages(&team, stages);
        workload_idle(context);
    }
    end_threads(&team);
    return error;
}
