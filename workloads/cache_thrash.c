/*
 * cache_thrash: threads that make, write and free one small block each, over and over. An allocator
 * that gives two threads parts of one cache line shares it actively, and threads=2 takes as long as
 * threads=1, or longer. Source: Hoard's benchmark of the name (Berger et al., ASPLOS 2000). Sizes:
 * 8 bytes; lifetime: one turn; nothing is shared. Deviation: fewer writes at the quick size.
 */
#include "workloads/false_sharing.h"

static const struct stage stages[] = {
    {"work", false_sharing_work, ON_TEAM},
    {"free", false_sharing_clear, ON_MAIN},
    {0},
};

static int cache_thrash_run(struct workload_context *context)
{
    struct false_sharing shared = false_sharing_of(context);

    return team_play(context, (unsigned)workload_value(context, "threads"), &shared, stages);
}

const struct workload workload_cache_thrash = {
    .name = "cache_thrash",
    .summary = "threads make, write and free a small block each: active false sharing",
    .source = "Hoard, ASPLOS 2000",
    .parameters = false_sharing_parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = cache_thrash_run,
};
