/*
 * mleak: rounds of new threads, each of which makes zeroed blocks, puts them into an array that all
 * share, frees what stood there, and ends. What a thread leaves behind in an allocator grows with
 * the number of threads that ever were. Sizes: 16 words; lifetime: until any thread draws the slot
 * again; every block is shared. Deviation: a thread makes `n` blocks, not one, before it ends.
 * Source: mimalloc-bench, mleak.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

#include <stdatomic.h>

enum { SLOTS = 1000, WORDS = 16, BLOCK_BYTES = WORDS * sizeof(uint64_t) };

struct leak {
    _Atomic(void *) *slots;
    uint64_t rounds, blocks;
};

/* Zeroed, as it must be: -EBADMSG otherwise, with the block in the array all the same. */
static int swap_in(struct worker *worker, _Atomic(void *) *slot)
{
    uint64_t *block = worker->ops->calloc(WORDS, sizeof *block);

    if (!block)
        return -ENOMEM;
    block_count_made(worker, BLOCK_BYTES);
    int error = block[0] || block[WORDS - 1] ? -EBADMSG : 0;
    block[0] = worker->index;
    void *old = atomic_exchange(slot, block);
    if (old)
        block_drop(worker, old, BLOCK_BYTES);
    return error;
}

static int live_and_end(struct worker *worker)
{
    const struct leak *leak = worker->program;
    int error = 0;

    for (uint64_t i = 0; i < leak->blocks && !error; i++) {
        size_t slot = draw_below(&worker->random, SLOTS);
        worker_mix(worker, slot);
        error = swap_in(worker, &leak->slots[slot]);
    }
    return error;
}

static int work(struct worker *worker)
{
    const struct leak *leak = worker->program;
    int error = 0;

    for (uint64_t round = 0; round < leak->rounds && !error; round++)
        error = team_run_fresh(worker->team, live_and_end);
    return error;
}

static int clear(struct worker *worker)
{
    const struct leak *leak = worker->program;

    for (size_t i = 0; i < SLOTS; i++) {
        void *block = atomic_exchange(&leak->slots[i], NULL);
        if (block)
            block_drop(worker, block, BLOCK_BYTES);
    }
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int mleak_run(struct workload_context *context)
{
    struct leak leak = {
        .rounds = workload_value(context, "rounds"),
        .blocks = workload_value(context, "n"),
    };

    leak.slots = table_map(SLOTS, sizeof *leak.slots);
    if (!leak.slots)
        return -ENOMEM;
    int error = team_play(context, (unsigned)workload_value(context, "threads"), &leak, stages);
    table_unmap(leak.slots, SLOTS, sizeof *leak.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_COUNTED("n", "blocks that a thread makes before it ends", 1, 1000000, "100", "100"),
    PARAMETER_SCALED("rounds", "rounds of new threads", 1, 1000000, "500", "4k"),
    PARAMETER_COUNTED("threads", "threads of a round", 1, TEAM_MOST, "10", "10"),
    {0},
};

const struct workload workload_mleak = {
    .name = "mleak",
    .summary = "short-lived threads swap zeroed blocks into one array: what a thread leaves behind",
    .source = "mimalloc-bench, mleak",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_CALLOC | ALLOCATOR_THREADS,
    .run = mleak_run,
};
