/*
 * glibc_simple: n blocks of one size are made and freed, half of them first in first out, half last
 * in first out, again and again; first while the process has one thread, then with a second one
 * alive that does nothing. What a malloc saves when it need not lock. Sizes: one of 16, 32, 64 and
 * so on; lifetime: one turn; nothing is shared. Deviation: blocks are touched. Source: glibc's
 * benchtests, bench-malloc-simple.
 */
#include "workloads/block.h"
#include "workloads/table.h"

struct simple {
    struct slot *slots;
    size_t live, bytes;
    uint64_t blocks; /* of each phase */
};

static int turn(struct worker *worker, const struct simple *simple)
{
    size_t half = simple->live / 2;

    for (size_t i = 0; i < simple->live; i++)
        if (slot_fill(worker, &simple->slots[i], simple->bytes) != 0)
            return -ENOMEM;
    slots_empty(worker, simple->slots, half);
    for (size_t i = simple->live; i > half; i--)
        slot_empty(worker, &simple->slots[i - 1]);
    return 0;
}

static int work(struct worker *worker)
{
    const struct simple *simple = worker->program;
    int error = 0;

    for (uint64_t made = 0; made < simple->blocks && !error; made += simple->live)
        error = turn(worker, simple);
    return error;
}

/* Ends when its lock is given free. */
static void *wait_for_lock(void *argument)
{
    pthread_mutex_lock(argument);
    pthread_mutex_unlock(argument);
    return NULL;
}

static int work_with_second_thread(struct worker *worker)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t second;

    pthread_mutex_lock(&lock);
    int error = team_start_thread(&second, wait_for_lock, &lock);
    if (!error)
        error = work(worker);
    else
        second = pthread_self();
    pthread_mutex_unlock(&lock);
    if (!pthread_equal(second, pthread_self()))
        pthread_join(second, NULL);
    return error;
}

/* What is left after an error. */
static int clear(struct worker *worker)
{
    const struct simple *simple = worker->program;

    slots_empty(worker, simple->slots, simple->live);
    return 0;
}

static const struct stage stages[] = {
    {"single", work, ON_MAIN},
    {"threaded", work_with_second_thread, ON_MAIN},
    {NULL, clear, ON_MAIN},
    {0},
};

static int glibc_simple_run(struct workload_context *context)
{
    struct simple simple = {
        .live = workload_value(context, "live"),
        .bytes = workload_value(context, "size"),
        .blocks = workload_value(context, "n"),
    };

    simple.slots = table_map(simple.live, sizeof *simple.slots);
    if (!simple.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &simple, stages);
    table_unmap(simple.slots, simple.live, sizeof *simple.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks of each phase, rounded up to whole turns", 1, 10000000000, "10M",
                     "100M"),
    PARAMETER_COUNTED("live", "blocks of a turn: 25, 100, 400 and 1600 at the source", 1, 1000000,
                      "400", "400"),
    PARAMETER_COUNTED("size", "bytes of a block: 16, 32 and 64 at the source", 1, 1000000, "64",
                      "64"),
    {0},
};

const struct workload workload_glibc_simple = {
    .name = "glibc_simple",
    .summary =
        "blocks of one size made and freed in turns, with one thread and with a second one alive",
    .source = "glibc benchtests, bench-malloc-simple",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = glibc_simple_run,
};
