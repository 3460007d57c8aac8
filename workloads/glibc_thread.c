/*
 * glibc_thread: each thread has a set of blocks and replaces one at random by one of another size,
 * small ones far more often than large ones. Sizes: 4 to 32768 bytes, by the inverse square;
 * lifetime: geometric, `slots` replacements on average; nothing is shared. Deviations: a fixed
 * number of replacements instead of a fixed time, and blocks are touched. Source: glibc's
 * benchtests, bench-malloc-thread.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 4, MOST_BYTES = 32768 };

struct set {
    struct slot *slots;
    size_t own;
    uint64_t replaced;
};

static int fill(struct worker *worker, struct slot *slot)
{
    return slot_fill(worker, slot, draw_inverse_square(&worker->random, LEAST_BYTES, MOST_BYTES));
}

static int build(struct worker *worker)
{
    const struct set *set = worker->program;
    struct slot *own = set->slots + worker->index * set->own;
    int error = 0;

    for (size_t i = 0; i < set->own && !error; i++)
        error = fill(worker, &own[i]);
    return error;
}

static int replace(struct worker *worker)
{
    const struct set *set = worker->program;
    struct slot *own = set->slots + worker->index * set->own;
    int error = 0;

    for (uint64_t i = 0; i < set->replaced && !error; i++) {
        size_t index = draw_below(&worker->random, set->own);
        worker_mix(worker, index);
        slot_empty(worker, &own[index]);
        error = fill(worker, &own[index]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct set *set = worker->program;

    slots_empty(worker, set->slots + worker->index * set->own, set->own);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_TEAM},
    {"work", replace, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int glibc_thread_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct set set = {
        .own = workload_value(context, "slots"),
        .replaced = workload_value(context, "n"),
    };

    set.slots = table_map(set.own * threads, sizeof *set.slots);
    if (!set.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &set, stages);
    table_unmap(set.slots, set.own * threads, sizeof *set.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread replaces", 1, 1000000000, "5M", "50M"),
    PARAMETER_COUNTED("slots", "blocks of each thread", 1, 1000000, "1024", "1024"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_glibc_thread = {
    .name = "glibc_thread",
    .summary = "threads replace random blocks of 4 B to 32 KiB, small ones most often",
    .source = "glibc benchtests, bench-malloc-thread",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = glibc_thread_run,
};
