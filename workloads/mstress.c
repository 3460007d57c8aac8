/*
 * mstress: rounds of new threads that make blocks, free random ones of their own, swap others with
 * an array that all share, and free the rest at their end. Every block is filled with a cookie,
 * which whoever frees it checks. Sizes: 2^0 to 2^4 words, retained ones to 2^6, one in a hundred
 * 100, 1000 or 10000 times as many; lifetime: after each block a free with 66 %, a swap with 25 %,
 * retained ones stay for the round; what is swapped is shared. Deviation: `n` blocks a thread and
 * round rather than a scale. Source: mimalloc-bench, mstress.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

#include <stdatomic.h>

enum { SHARED_SLOTS = 1000, FREE_PERCENT = 66, SWAP_PERCENT = 25, LARGE_PERCENT = 1 };
enum { PASSING_LEVELS = 5, RETAINED_LEVELS = 7, RETAINED_PERCENT = 50 };

struct stress {
    void **tables; /* of each thread: `blocks` that pass, then `blocks` that are retained */
    _Atomic(void *) *shared;
    uint64_t blocks, rounds;
};

static size_t draw_bytes(struct worker *worker, unsigned levels)
{
    size_t words = (size_t)1 << draw_below(&worker->random, levels);

    if (draw_chance(&worker->random, LARGE_PERCENT)) {
        size_t kind = draw_below(&worker->random, 100);
        words *= kind == 0 ? 10000 : kind <= 10 ? 1000 : 100;
    }
    return words * sizeof(uint64_t);
}

static int make(struct worker *worker, void **block, unsigned levels)
{
    *block = signed_make(worker, draw_bytes(worker, levels), 0);
    return *block ? 0 : -ENOMEM;
}

static int drop(struct worker *worker, void **block)
{
    void *dropped = *block;

    *block = NULL;
    return signed_drop(worker, dropped, 0);
}

static int free_any(struct worker *worker, void **passing, size_t count)
{
    return drop(worker, &passing[draw_below(&worker->random, count)]);
}

static void swap_any(struct worker *worker, void **passing, size_t count)
{
    const struct stress *stress = worker->program;
    void **own = &passing[draw_below(&worker->random, count)];

    *own = atomic_exchange(&stress->shared[draw_below(&worker->random, SHARED_SLOTS)], *own);
}

/* Which draws are made never depends on what others have swapped. */
static int live(struct worker *worker, void **passing, void **retained, uint64_t blocks)
{
    size_t passed = 0, kept = 0;
    int error = 0;

    for (uint64_t i = 0; i < blocks && !error; i++) {
        if (draw_chance(&worker->random, RETAINED_PERCENT))
            error = make(worker, &retained[kept++], RETAINED_LEVELS);
        else
            error = make(worker, &passing[passed++], PASSING_LEVELS);
        if (!error && passed > 0 && draw_chance(&worker->random, FREE_PERCENT))
            error = free_any(worker, passing, passed);
        if (!error && passed > 0 && draw_chance(&worker->random, SWAP_PERCENT))
            swap_any(worker, passing, passed);
    }
    return error;
}

static int live_and_end(struct worker *worker)
{
    const struct stress *stress = worker->program;
    void **passing = stress->tables + 2 * stress->blocks * worker->index;
    int error = live(worker, passing, passing + stress->blocks, stress->blocks);

    for (size_t i = 0; i < 2 * stress->blocks; i++) {
        int found = drop(worker, &passing[i]);
        if (!error)
            error = found;
    }
    return error;
}

static int work(struct worker *worker)
{
    const struct stress *stress = worker->program;
    int error = 0;

    for (uint64_t round = 0; round < stress->rounds && !error; round++)
        error = team_run_fresh(worker->team, live_and_end);
    return error;
}

static int clear(struct worker *worker)
{
    const struct stress *stress = worker->program;
    int error = 0;

    for (size_t i = 0; i < SHARED_SLOTS; i++) {
        int found = signed_drop(worker, atomic_exchange(&stress->shared[i], NULL), 0);
        if (!error)
            error = found;
    }
    return error;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int mstress_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct stress stress = {
        .blocks = workload_value(context, "n"),
        .rounds = workload_value(context, "rounds"),
    };
    size_t entries = 2 * stress.blocks * threads;

    stress.tables = table_map(entries, sizeof *stress.tables);
    stress.shared = table_map(SHARED_SLOTS, sizeof *stress.shared);
    int error = stress.tables && stress.shared ? 0 : -ENOMEM;
    if (!error)
        error = team_play(context, threads, &stress, stages);
    table_unmap(stress.shared, SHARED_SLOTS, sizeof *stress.shared);
    table_unmap(stress.tables, entries, sizeof *stress.tables);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_COUNTED("n", "blocks that a thread makes in a round", 1, 10000000, "20k", "50k"),
    PARAMETER_SCALED("rounds", "rounds of new threads", 1, 1000000, "50", "100"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_mstress = {
    .name = "mstress",
    .summary = "new threads each round make, free and swap blocks, with a cookie that is checked",
    .source = "mimalloc-bench, mstress",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = mstress_run,
};
