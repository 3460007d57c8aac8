/*
 * malloc_large: a few slots of blocks of megabytes, one at random replaced by another, all of it
 * written. Whether an allocator keeps large blocks, and so resident memory, or asks the kernel for
 * zeroed pages each time. Sizes: uniform from `least` to five times that, 5 to 25 MiB as usual;
 * lifetime: geometric, `slots` replacements on average; one thread. Deviations: fewer slots at the
 * quick size, so that it stays below 256 MB. Source: mimalloc-bench, malloc-large.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

struct large {
    struct slot *slots;
    size_t count, least_bytes;
    uint64_t replaced;
};

static int work(struct worker *worker)
{
    const struct large *large = worker->program;

    for (uint64_t i = 0; i < large->replaced; i++) {
        struct slot *slot = &large->slots[draw_below(&worker->random, large->count)];
        slot_empty(worker, slot);
        if (slot_fill(worker, slot,
                      draw_between(&worker->random, large->least_bytes, 5 * large->least_bytes)))
            return -ENOMEM;
        memset(slot->block, (int)i & 0xff, slot->bytes);
    }
    return 0;
}

static int clear(struct worker *worker)
{
    const struct large *large = worker->program;

    slots_empty(worker, large->slots, large->count);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int malloc_large_run(struct workload_context *context)
{
    struct large large = {
        .count = workload_value(context, "slots"),
        .least_bytes = workload_value(context, "least"),
        .replaced = workload_value(context, "n"),
    };

    large.slots = table_map(large.count, sizeof *large.slots);
    if (!large.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &large, stages);
    table_unmap(large.slots, large.count, sizeof *large.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that are made", 1, 10000000, "100", "2k"),
    PARAMETER_COUNTED("slots", "blocks that are kept", 1, 10000, "8", "20"),
    PARAMETER_COUNTED("least", "bytes of the smallest; the largest has five times as many", 1,
                      100000000, "5242880", "5242880"),
    {0},
};

const struct workload workload_malloc_large = {
    .name = "malloc_large",
    .summary = "blocks of 5 to 25 MiB, written, one after another replaced",
    .source = "mimalloc-bench, malloc-large",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = malloc_large_run,
};
