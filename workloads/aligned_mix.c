/*
 * aligned_mix: random blocks of aligned_alloc replaced by others of another alignment. What an
 * alignment costs in time, and in memory that nobody asked for. Alignments: 16 to 4096 bytes, each
 * as frequent; sizes: one to four times the alignment; lifetime: geometric, `slots` replacements on
 * average; nothing is shared. A block that is not aligned fails the run. Source: none; other suites
 * take a parameter for alignment and pass it to nobody.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEAST_SHIFT = 4, MOST_SHIFT = 12, MOST_TIMES = 4 };

struct mix {
    struct slot *slots;
    size_t own;
    uint64_t replaced;
};

static int fill(struct worker *worker, struct slot *slot)
{
    size_t alignment = (size_t)1 << draw_between(&worker->random, LEAST_SHIFT, MOST_SHIFT);
    size_t bytes = alignment * draw_between(&worker->random, 1, MOST_TIMES);

    slot->block = worker->ops->aligned_alloc(alignment, bytes);
    if (!slot->block)
        return -ENOMEM;
    slot->bytes = bytes;
    block_count_made(worker, bytes);
    block_touch(slot->block, bytes);
    return (uintptr_t)slot->block % alignment ? -EBADMSG : 0;
}

static int work(struct worker *worker)
{
    const struct mix *mix = worker->program;
    struct slot *own = mix->slots + worker->index * mix->own;
    int error = 0;

    for (uint64_t i = 0; i < mix->replaced && !error; i++) {
        size_t index = draw_below(&worker->random, mix->own);
        worker_mix(worker, index);
        slot_empty(worker, &own[index]);
        error = fill(worker, &own[index]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct mix *mix = worker->program;

    slots_empty(worker, mix->slots + worker->index * mix->own, mix->own);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int aligned_mix_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct mix mix = {
        .own = workload_value(context, "slots"),
        .replaced = workload_value(context, "n"),
    };

    mix.slots = table_map(mix.own * threads, sizeof *mix.slots);
    if (!mix.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &mix, stages);
    table_unmap(mix.slots, mix.own * threads, sizeof *mix.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes", 1, 1000000000, "500k", "3M"),
    PARAMETER_COUNTED("slots", "blocks that each thread keeps", 1, 1000000, "5k", "5k"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_aligned_mix = {
    .name = "aligned_mix",
    .summary = "random blocks replaced, aligned to 16 to 4096 bytes",
    .source = "none",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_ALIGNED | ALLOCATOR_THREADS,
    .run = aligned_mix_run,
};
