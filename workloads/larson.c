/*
 * larson: a server whose threads come and go. The main thread makes the blocks; each thread has
 * `slots` of them, replaces one at random by one of another size, again and again, and after 100
 * times as many as it has slots leaves them to a successor: blocks are freed by threads that did
 * not make them (bleeding). Deviations: a fixed number of replacements instead of a fixed time, and
 * all threads are succeeded at once. Source: Larson and Krishnan, "Memory Allocation for
 * Long-Running Server Applications", ISMM 1998.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 8, MOST_BYTES = 999, SHUFFLE_TIMES = 4, LIFETIME = 100 };

struct larson {
    struct slot *slots; /* `own` of each thread in a row */
    size_t own, all;
    uint64_t replaced;        /* by each thread in all its lives */
    uint64_t left[TEAM_MOST]; /* of them, written once a life */
};

static int replace(struct worker *worker, struct slot *slots, size_t count)
{
    size_t index = draw_below(&worker->random, count);

    worker_mix(worker, index);
    slot_empty(worker, &slots[index]);
    return slot_fill(worker, &slots[index], draw_between(&worker->random, LEAST_BYTES, MOST_BYTES));
}

static void shuffle(struct worker *worker, struct slot *slots, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t other = draw_below(&worker->random, i);
        struct slot kept = slots[i - 1];
        slots[i - 1] = slots[other];
        slots[other] = kept;
    }
}

static int build(struct worker *worker)
{
    struct larson *larson = worker->program;
    int error = 0;

    for (size_t i = 0; i < larson->all && !error; i++)
        error = slot_fill(worker, &larson->slots[i],
                          draw_between(&worker->random, LEAST_BYTES, MOST_BYTES));
    if (error)
        return error;
    shuffle(worker, larson->slots, larson->all);
    for (size_t i = 0; i < SHUFFLE_TIMES * larson->all && !error; i++)
        error = replace(worker, larson->slots, larson->all);
    return error;
}

static int live_once(struct worker *worker)
{
    struct larson *larson = worker->program;
    struct slot *own = larson->slots + worker->index * larson->own;
    uint64_t left = larson->left[worker->index];
    uint64_t replaced = left < LIFETIME * larson->own ? left : LIFETIME * larson->own;
    int error = 0;

    for (uint64_t i = 0; i < replaced && !error; i++)
        error = replace(worker, own, larson->own);
    larson->left[worker->index] = left - replaced;
    return error;
}

static int live(struct worker *worker)
{
    struct larson *larson = worker->program;
    int error = 0;

    while (larson->left[0] > 0 && !error)
        error = team_run_fresh(worker->team, live_once);
    return error;
}

static int clear(struct worker *worker)
{
    struct larson *larson = worker->program;

    slots_empty(worker, larson->slots, larson->all);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_MAIN},
    {"work", live, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int larson_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct larson larson = {
        .own = workload_value(context, "slots"),
        .replaced = workload_value(context, "n"),
    };

    larson.all = larson.own * threads;
    for (unsigned i = 0; i < threads; i++)
        larson.left[i] = larson.replaced;
    larson.slots = table_map(larson.all, sizeof *larson.slots);
    if (!larson.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &larson, stages);
    table_unmap(larson.slots, larson.all, sizeof *larson.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread and its successors replace", 1, 1000000000, "5M",
                     "30M"),
    PARAMETER_COUNTED("slots", "blocks of each thread", 1, 1000000, "5k", "5k"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_larson = {
    .name = "larson",
    .summary = "threads replace blocks of mixed sizes and leave them to successors",
    .source = "Larson and Krishnan 1998",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = larson_run,
};
