/*
 * cache_scratch: the main thread makes one small block for each thread, which frees it and then
 * makes, writes and frees one of its own, over and over. The first blocks lie side by side; an
 * allocator that gives each thread back the one that it has freed shares the cache line passively.
 * Source: Hoard's benchmark of the name (Berger et al., ASPLOS 2000). Sizes: 8 bytes; lifetime: one
 * turn; only the first blocks pass from thread to thread. Deviation: fewer writes at the quick
 * size.
 */
#include "workloads/false_sharing.h"

static int hand_out(struct worker *worker)
{
    struct false_sharing *shared = worker->program;
    int error = 0;

    for (unsigned i = 0; i < worker->team->threads && !error; i++)
        error = slot_fill(worker, &shared->given[i], shared->bytes);
    return error;
}

static const struct stage stages[] = {
    {"build", hand_out, ON_MAIN},
    {"work", false_sharing_work, ON_TEAM},
    {"free", false_sharing_clear, ON_MAIN},
    {0},
};

static int cache_scratch_run(struct workload_context *context)
{
    struct false_sharing shared = false_sharing_of(context);

    return team_play(context, (unsigned)workload_value(context, "threads"), &shared, stages);
}

const struct workload workload_cache_scratch = {
    .name = "cache_scratch",
    .summary = "threads free a block that main made, then make, write and free their own: passive "
               "false sharing",
    .source = "Hoard, ASPLOS 2000",
    .parameters = false_sharing_parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = cache_scratch_run,
};
