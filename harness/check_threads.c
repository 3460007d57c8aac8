/*
 * Checks with threads: calls at once, blocks that one thread makes and another frees, threads that
 * come and go, forks amid them. Leaves out speed. Handing blocks on is the pattern of Larson and
 * Krishnan, "Memory Allocation for Long-Running Server Applications", ISMM 1998.
 */
#define _GNU_SOURCE
#include "harness/check_sequences.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, BLOCKS = 1024, OWN_STEPS = 250000 / CHECK_DIVISOR };

struct worker {
    const struct check_run *run;
    struct check_block *blocks;
    uint64_t state;
    pthread_t thread;
};

static void start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    int error = pthread_create(thread, NULL, function, argument);

    if (error)
        check_not_available("a thread cannot be started: %s", strerror(error));
}

/* Each with a table and random numbers of its own. */
static void start_workers(const struct check_run *run, struct worker *workers, size_t count,
                          void *(*function)(void *))
{
    for (size_t i = 0; i < count; i++) {
        workers[i] = (struct worker){
            .run = run,
            .blocks = check_table_memory(BLOCKS * sizeof(struct check_block)),
            .state = run->seed * THREADS + i,
        };
        start(&workers[i].thread, function, &workers[i]);
    }
}

static void join_workers(struct worker *workers, size_t count)
{
    check_note("waiting for threads");
    for (size_t i = 0; i < count; i++)
        pthread_join(workers[i].thread, NULL);
}

static void *work_alone(void *argument)
{
    static const char what[] = "in one of four threads, on blocks of its own";
    struct worker *worker = argument;

    for (size_t step = 0; step < OWN_STEPS; step++)
        check_block_step(worker->run, worker->blocks, BLOCKS, &worker->state, what);
    check_block_drop_all(worker->run, worker->blocks, BLOCKS, what);
    return NULL;
}

void check_threads_own(const struct check_run *run)
{
    struct worker workers[THREADS];

    start_workers(run, workers, THREADS, work_alone);
    join_workers(workers, THREADS);
    check_pass("%d threads, %d calls each", THREADS, OWN_STEPS);
}

/* --- Blocks that are handed on. --- */

enum { QUEUE_BLOCKS = 256, HANDED_BLOCKS = 200000 / CHECK_DIVISOR, SIDES = THREADS / 2 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t has_room, has_block;
    struct check_block blocks[QUEUE_BLOCKS];
    size_t first, used;
} queue = {
    PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, PTHREAD_COND_INITIALIZER, {{0}}, 0, 0};

static void queue_put(struct check_block block)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.used == QUEUE_BLOCKS)
        pthread_cond_wait(&queue.has_room, &queue.lock);
    queue.blocks[(queue.first + queue.used++) % QUEUE_BLOCKS] = block;
    pthread_cond_signal(&queue.has_block);
    pthread_mutex_unlock(&queue.lock);
}

/* Any of the queue: blocks seldom die in the order in which they came. */
static struct check_block queue_take(uint64_t *state)
{
    pthread_mutex_lock(&queue.lock);
    while (queue.used == 0)
        pthread_cond_wait(&queue.has_block, &queue.lock);
    size_t place = (queue.first + check_random_below(state, queue.used)) % QUEUE_BLOCKS;
    struct check_block taken = queue.blocks[place];
    queue.blocks[place] = queue.blocks[queue.first];
    queue.first = (queue.first + 1) % QUEUE_BLOCKS;
    queue.used--;
    pthread_cond_signal(&queue.has_room);
    pthread_mutex_unlock(&queue.lock);
    return taken;
}

static void *produce(void *argument)
{
    struct worker *worker = argument;

    for (size_t i = 0; i < HANDED_BLOCKS; i++) {
        struct check_block block;
        check_block_take(worker->run, &block, &worker->state);
        queue_put(block);
    }
    return NULL;
}

/* Resizes some first: a realloc may free, too. */
static void *consume(void *argument)
{
    static const char what[] = "made by one thread and looked at by another";
    struct worker *worker = argument;

    for (size_t i = 0; i < HANDED_BLOCKS; i++) {
        struct check_block block = queue_take(&worker->state);
        if (check_has(worker->run, ALLOCATOR_REALLOC) && check_random_below(&worker->state, 8) == 0)
            check_block_resize(worker->run, &block, &worker->state, what);
        check_block_drop(worker->run, &block, what);
    }
    return NULL;
}

void check_threads_handover(const struct check_run *run)
{
    struct worker producers[SIDES], consumers[SIDES];

    start_workers(run, producers, SIDES, produce);
    start_workers(run, consumers, SIDES, consume);
    join_workers(producers, SIDES);
    join_workers(consumers, SIDES);
    check_pass("%d blocks from %d threads, freed by %d others", SIDES * HANDED_BLOCKS, SIDES,
               SIDES);
}

/* --- Threads that come and go. --- */

enum { SHORT_THREADS = 10000 / CHECK_DIVISOR, SHORT_BLOCKS = 50, BOUND_MIB = 128 };

/* Leaves its last block behind. */
static void *live_shortly(void *argument)
{
    static const char what[] = "in a short thread";
    struct worker *worker = argument;

    for (size_t i = 0; i < SHORT_BLOCKS; i++)
        check_block_take(worker->run, &worker->blocks[i], &worker->state);
    check_block_drop_all(worker->run, worker->blocks, SHORT_BLOCKS - 1, what);
    return NULL;
}

void check_thread_churn(const struct check_run *run)
{
    const size_t before_bytes = check_resident_bytes();
    struct worker workers[THREADS];

    for (size_t i = 0; i < THREADS; i++)
        workers[i] = (struct worker){
            .run = run,
            .blocks = check_table_memory(SHORT_BLOCKS * sizeof(struct check_block)),
            .state = run->seed * THREADS + i,
        };
    for (size_t done = 0; done < SHORT_THREADS; done += THREADS) {
        for (size_t i = 0; i < THREADS; i++)
            start(&workers[i].thread, live_shortly, &workers[i]);
        join_workers(workers, THREADS);
        for (size_t i = 0; i < THREADS; i++)
            check_block_drop(run, &workers[i].blocks[SHORT_BLOCKS - 1], "of a thread that ended");
        if (CHECK_DIVISOR == 1 && done % 256 == 0) /* a sanitizer has memory of its own */
            check_resident_below(before_bytes, (size_t)BOUND_MIB << 20,
                                 "after threads have come and gone");
    }
    size_t after_bytes = check_resident_bytes();
    check_pass("%d threads; %zu KiB resident above the start at the end", SHORT_THREADS,
               (after_bytes > before_bytes ? after_bytes - before_bytes : 0) >> 10);
}

/* --- Forks. --- */

enum { FORKS = 60, FORKED_STEPS = 300, FORKED_SECONDS = 5, PAIRS_A_STEP = 100 };

static atomic_int is_over;

/* Mostly inside of malloc and free, so that a fork is likely to come while a lock is held. */
static void *work_until_over(void *argument)
{
    static const char what[] = "while another thread forks";
    struct worker *worker = argument;

    while (!atomic_load_explicit(&is_over, memory_order_relaxed)) {
        check_block_step(worker->run, worker->blocks, BLOCKS, &worker->state, what);
        for (size_t i = 0; i < PAIRS_A_STEP; i++)
            check_call_free(worker->run, check_call_malloc(worker->run, 16 + 16 * i));
    }
    check_block_drop_all(worker->run, worker->blocks, BLOCKS, what);
    return NULL;
}

/* The child has one thread, and whatever the others held when it was made. */
_Noreturn static void live_forked(const struct check_run *run, struct check_block *blocks,
                                  uint64_t state)
{
    static const char what[] = "in the child of a fork";

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    check_begin_forked(FORKED_SECONDS, ", in the child of a fork");
    for (size_t step = 0; step < FORKED_STEPS; step++)
        check_block_step(run, blocks, BLOCKS, &state, what);
    check_block_drop_all(run, blocks, BLOCKS, what);
    _exit(0);
}

static void await(pid_t pid, size_t number)
{
    int status = 0;

    check_note("waiting for the child of a fork");
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    if (status != 0)
        check_fail("the child of fork %zu ends with %s %d", number,
                   WIFSIGNALED(status) ? "signal" : "status",
                   WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

/*
 * POSIX promises the child of a process with threads only functions that are async-signal-safe, of
 * which malloc is none. Real programs fork all the same, and an allocator that is used for them
 * takes care (pthread_atfork); hence this check of its own.
 */
void check_fork_with_threads(const struct check_run *run)
{
    struct worker workers[THREADS - 1];
    struct check_block *blocks = check_table_memory(BLOCKS * sizeof *blocks);
    uint64_t state = run->seed;

    start_workers(run, workers, THREADS - 1, work_until_over);
    for (size_t i = 0; i < FORKS; i++) {
        for (size_t step = 0; step < FORKED_STEPS; step++)
            check_block_step(run, blocks, BLOCKS, &state, "between forks");
        /* It wakes in place of another thread, wherever that is: inside of malloc, with luck. */
        usleep(1000);
        pid_t pid = fork();
        if (pid < 0)
            check_not_available("fork fails: %s", strerror(errno));
        if (pid == 0)
            live_forked(run, blocks, state);
        await(pid, i + 1);
    }
    atomic_store(&is_over, 1);
    join_workers(workers, THREADS - 1);
    check_block_drop_all(run, blocks, BLOCKS, "after the forks");
    check_pass("%d forks amid %d threads that allocate", FORKS, THREADS - 1);
}
