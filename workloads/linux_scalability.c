/*
 * linux_scalability: each thread makes a block and frees it, again and again. The shortest path of
 * an allocator, and whether threads are in each other's way on it. Sizes: one; lifetime: none;
 * nothing is shared. No deviation: work was fixed from the start. Source: the malloc test of the
 * Linux Scalability Project (Lever and Boreham, USENIX ATC 2000).
 */
#include "workloads/block.h"

struct pairs {
    size_t bytes;
    uint64_t count;
};

static int work(struct worker *worker)
{
    const struct pairs *pairs = worker->program;

    for (uint64_t i = 0; i < pairs->count; i++) {
        struct slot slot;
        if (slot_fill(worker, &slot, pairs->bytes) != 0)
            return -ENOMEM;
        slot_empty(worker, &slot);
    }
    return 0;
}

static const struct stage stages[] = {{"work", work, ON_TEAM}, {0}};

static int linux_scalability_run(struct workload_context *context)
{
    struct pairs pairs = {
        .bytes = workload_value(context, "size"),
        .count = workload_value(context, "n"),
    };

    return team_play(context, (unsigned)workload_value(context, "threads"), &pairs, stages);
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes and frees", 1, 100000000000, "10M",
                     "100M"),
    PARAMETER_COUNTED("size", "bytes of a block", 1, 100000000, "512", "512"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_linux_scalability = {
    .name = "linux_scalability",
    .summary = "each thread makes a block of one size and frees it, again and again",
    .source = "Lever and Boreham 2000",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = linux_scalability_run,
};
