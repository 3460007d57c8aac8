/*
 * The threads of a workload, and what each of them counts. A workload is a list of stages, each a
 * phase with one function that every worker runs; workers wait at a barrier between them. Leaves
 * out blocks (block.h) and what the workers share, which is the workload's own. The barrier at a
 * phase's end, so that memory can be read while nobody works, is METHOD.md's.
 *
 * A worker writes to nothing but its own lines: its random state, its checksum, its counters. They
 * come to the gauge at the end of a stage, in the order of the workers, so that operations and
 * checksum are the same whichever thread was faster. Bytes come there earlier, in steps, so that a
 * curve shows them: a worker that needs more than it has announced announces WORKER_STEP_BYTES
 * more, with a locked add, before it goes on, and takes back what it announced once it holds two
 * steps less. So the gauge is never below what is live, nor, within a stage, more than two steps a
 * worker above it; a worker whose live bytes stay within two steps never writes to a line that
 * another one reads.
 */
#ifndef TIDEMARK_WORKLOADS_TEAM_H
#define TIDEMARK_WORKLOADS_TEAM_H

#include "allocators/allocator.h"
#include "workloads/workload.h"

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

enum {
    TEAM_MOST = 64,          /* threads */
    WORKER_LINE_BYTES = 128, /* two cache lines: processors fetch them in pairs */
    WORKER_STEP_BYTES = 1 << 16,
};

struct team;
struct worker;

/* The work of one stage. Returns 0 or a negative errno; what it holds stays for the last stage. */
typedef int team_work(struct worker *worker);

struct worker {
    _Alignas(WORKER_LINE_BYTES) const struct allocator_ops *ops;
    void *program;       /* the workload's own, the same for all */
    uint64_t random;     /* a state of its own, from the seed and its number */
    uint64_t checksum;   /* of what it decided, never of what others did */
    uint64_t operations; /* since the stage began, as frees */
    uint64_t frees;
    int64_t live_bytes;      /* made less freed by this worker; below 0 when others made them */
    int64_t announced_bytes; /* what the gauge has of that */
    struct team *team;
    unsigned index; /* from 0; that of the main thread's worker is 0 as well */
    int error;      /* the first one */
    pthread_t thread;
};

enum stage_place {
    ON_MAIN, /* once, on the thread that called team_play */
    ON_TEAM, /* on each thread of the team */
};

/* A list ends with work == NULL. */
struct stage {
    const char *phase; /* as workload_phase takes it; NULL: the phase before goes on */
    team_work *work;
    enum stage_place place;
};

struct team {
    struct workload_context *context;
    unsigned threads; /* as asked for; so many workers are ready */
    unsigned started; /* threads that wait for calls: none when no stage is ON_TEAM */
    pthread_mutex_t lock;
    pthread_cond_t called, finished;
    uint64_t call; /* how many times the team was called */
    team_work *work;
    unsigned working;
    struct worker main;
    struct worker workers[TEAM_MOST];
};

/*
 * Runs a workload: starts `threads` threads (0 to TEAM_MOST), if any stage is ON_TEAM, before the
 * first phase, runs the stages in order, then workload_idle(), and ends the threads. After an error
 * only the last stage still runs: it has to free all that is left, whatever stage that was. Returns
 * 0, or the first error of a stage, or what pthread_create said.
 */
int team_play(struct workload_context *context, unsigned threads, void *program,
              const struct stage *stages);

/*
 * From a stage ON_MAIN: runs `work` on as many new threads as the team has, which end with it; each
 * goes on with the counters and the random state of the worker of its number. Returns 0 or the
 * first error.
 */
int team_run_fresh(struct team *team, team_work *work);

/* Starts a thread with a stack of 256 KiB; a stack is virtual until it is used. Returns 0 or a
 * negative errno. */
int team_start_thread(pthread_t *thread, void *(*body)(void *), void *argument);

/* Tells the gauge of the bytes. Not for callers. */
void worker_announce(struct worker *worker);

/* Tells it just what is live: a worker that stops for good, or while nobody works. */
void worker_settle(struct worker *worker);

/* Adds a decision to the checksum. */
static inline void worker_mix(struct worker *worker, uint64_t value)
{
    worker->checksum = worker->checksum * 31 + value;
}

/* So many bytes are live, or more of them. */
static inline void worker_gain(struct worker *worker, size_t bytes)
{
    worker->live_bytes += (int64_t)bytes;
    if (__builtin_expect(worker->live_bytes > worker->announced_bytes, 0))
        worker_announce(worker);
}

static inline void worker_lose(struct worker *worker, size_t bytes)
{
    worker->live_bytes -= (int64_t)bytes;
    if (__builtin_expect(
            worker->live_bytes < worker->announced_bytes - INT64_C(2) * WORKER_STEP_BYTES, 0))
        worker_announce(worker);
}

/* The share of worker `index` of `total` things: from *begin to *end. */
static inline void worker_share(const struct worker *worker, size_t total, size_t *begin,
                                size_t *end)
{
    size_t threads = worker->team->threads, index = worker->index;

    *begin = total / threads * index + total % threads * index / threads;
    *end = total / threads * (index + 1) + total % threads * (index + 1) / threads;
}

/* So many live bytes can no more be reached by the program; they still are the allocator's to keep.
 * With a locked add: not for each block. */
static inline void worker_strand(struct worker *worker, size_t bytes)
{
    atomic_fetch_sub_explicit(&worker->team->context->gauge->object_bytes, bytes,
                              memory_order_relaxed);
}

/* Undoes it, before the bytes are freed. */
static inline void worker_unstrand(struct worker *worker, size_t bytes)
{
    atomic_fetch_add_explicit(&worker->team->context->gauge->object_bytes, bytes,
                              memory_order_relaxed);
}

/* Parameters, as the classic workloads write them: figures, and how much there is to do or to hold
 * (`scales` of workload.h). */
#define PARAMETER_COUNTED(what, text, least, most, usual_quick, usual_full)                        \
    {                                                                                              \
        .name = (what), .summary = (text), .kind = PARAMETER_COUNT, .minimum = (least),            \
        .maximum = (most), .quick = (usual_quick), .full = (usual_full)                            \
    }

#define PARAMETER_SCALED(what, text, least, most, usual_quick, usual_full)                         \
    {                                                                                              \
        .name = (what), .summary = (text), .kind = PARAMETER_COUNT, .minimum = (least),            \
        .maximum = (most), .scales = 1, .quick = (usual_quick), .full = (usual_full)               \
    }

#define PARAMETER_THREADS                                                                          \
    PARAMETER_COUNTED("threads", "threads that work at once", 1, TEAM_MOST, "2", "2")

#endif
