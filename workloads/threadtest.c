/*
 * threadtest: rounds in which each thread makes its share of `n` blocks, then frees all of them.
 * Nothing is shared: what an allocator costs when threads have nothing to do with each other.
 * Sizes: one, 64 bytes as usual; lifetime: half a round. No deviation but the fixed table of
 * blocks. Source: Hoard's threadtest (Berger et al., ASPLOS 2000).
 */
#include "workloads/block.h"
#include "workloads/table.h"

struct threadtest {
    struct slot *slots;
    size_t blocks, bytes;
    uint64_t rounds;
};

static int work(struct worker *worker)
{
    struct threadtest *test = worker->program;
    size_t begin, end;
    int error = 0;

    worker_share(worker, test->blocks, &begin, &end);
    for (uint64_t round = 0; round < test->rounds && !error; round++) {
        for (size_t i = begin; i < end && !error; i++)
            error = slot_fill(worker, &test->slots[i], test->bytes);
        slots_empty(worker, &test->slots[begin], end - begin);
    }
    return error;
}

static const struct stage stages[] = {{"work", work, ON_TEAM}, {0}};

static int threadtest_run(struct workload_context *context)
{
    struct threadtest test = {
        .blocks = workload_value(context, "n"),
        .bytes = workload_value(context, "size"),
        .rounds = workload_value(context, "rounds"),
    };

    test.slots = table_map(test.blocks, sizeof *test.slots);
    if (!test.slots)
        return -ENOMEM;
    int error = team_play(context, (unsigned)workload_value(context, "threads"), &test, stages);
    table_unmap(test.slots, test.blocks, sizeof *test.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_COUNTED("n", "blocks of a round, of all threads together", 1, 100000000, "30k",
                      "30k"),
    PARAMETER_SCALED("rounds", "rounds of making and freeing all", 1, 1000000, "500", "5k"),
    PARAMETER_COUNTED("size", "bytes of a block", 1, 1000000, "64", "64"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_threadtest = {
    .name = "threadtest",
    .summary = "each thread makes its share of the blocks and frees it, round after round",
    .source = "Hoard, ASPLOS 2000",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = threadtest_run,
};
