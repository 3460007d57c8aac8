/*
 * What false_sharing.h declares. It leaves out the hand-over, which is cache_scratch's, and knows
 * nothing of lines: where blocks lie is the allocator's. After Berger et al., ASPLOS 2000.
 */
#include "workloads/false_sharing.h"

/* Volatile: each write and each read is one, as where a program's data would be. */
static void scribble(void *block, size_t bytes, uint64_t times)
{
    volatile unsigned char *at = block;

    for (uint64_t time = 0; time < times; time++)
        for (size_t i = 0; i < bytes; i++)
            at[i] = (unsigned char)(at[i] + 1);
}

int false_sharing_work(struct worker *worker)
{
    struct false_sharing *shared = worker->program;
    uint64_t times = shared->writes / worker->team->threads;
    struct slot slot;

    slot_empty(worker, &shared->given[worker->index]);
    for (uint64_t i = 0; i < shared->blocks; i++) {
        if (slot_fill(worker, &slot, shared->bytes) != 0)
            return -ENOMEM;
        memset(slot.block, 0, slot.bytes);
        scribble(slot.block, slot.bytes, times);
        slot_empty(worker, &slot);
    }
    return 0;
}

int false_sharing_clear(struct worker *worker)
{
    struct false_sharing *shared = worker->program;

    slots_empty(worker, shared->given, TEAM_MOST);
    return 0;
}

struct false_sharing false_sharing_of(const struct workload_context *context)
{
    return (struct false_sharing){
        .bytes = workload_value(context, "size"),
        .blocks = workload_value(context, "n"),
        .writes = workload_value(context, "writes"),
    };
}

const struct parameter false_sharing_parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes, one after the other", 1, 1000000, "1k",
                     "1k"),
    PARAMETER_COUNTED("size", "bytes of a block", 1, 4096, "8", "8"),
    PARAMETER_COUNTED("writes", "times that a block is written, shared out among the threads", 1,
                      1000000000, "100k", "2M"),
    PARAMETER_THREADS,
    {0},
};
