/*
 * calloc_zero: zeroed blocks, first of memory that is fresh from the kernel, then of memory that
 * was used, written and freed. An allocator that knows pages to be zero does not write them again;
 * one that gives pages back has them zeroed by the kernel. Sizes: one; lifetime: a phase; one
 * thread. Each page of a block is read: one that is not zero fails the run. Source: none; the shape
 * of numpy.zeros in a loop.
 */
#include "workloads/block.h"
#include "workloads/table.h"

struct zeros {
    struct slot *slots;
    size_t blocks, bytes;
};

/* One byte of each page, and the last. */
static int check_zero(const unsigned char *block, size_t bytes)
{
    enum { PAGE_BYTES = 4096 };
    unsigned found = block[bytes - 1];

    for (size_t at = 0; at < bytes; at += PAGE_BYTES)
        found |= block[at];
    return found ? -EBADMSG : 0;
}

static int make_zeroed(struct worker *worker)
{
    const struct zeros *zeros = worker->program;

    for (size_t i = 0; i < zeros->blocks; i++) {
        struct slot *slot = &zeros->slots[i];
        slot->block = worker->ops->calloc(1, zeros->bytes);
        if (!slot->block)
            return -ENOMEM;
        slot->bytes = zeros->bytes;
        block_count_made(worker, slot->bytes);
        if (check_zero(slot->block, slot->bytes) != 0)
            return -EBADMSG;
    }
    return 0;
}

static int write_all(struct worker *worker)
{
    const struct zeros *zeros = worker->program;

    for (size_t i = 0; i < zeros->blocks; i++)
        memset(zeros->slots[i].block, 0xff, zeros->slots[i].bytes);
    return 0;
}

static int clear(struct worker *worker)
{
    const struct zeros *zeros = worker->program;

    slots_empty(worker, zeros->slots, zeros->blocks);
    return 0;
}

static const struct stage stages[] = {
    {"fresh", make_zeroed, ON_MAIN},  {"write", write_all, ON_MAIN}, {"drop", clear, ON_MAIN},
    {"reused", make_zeroed, ON_MAIN}, {"free", clear, ON_MAIN},      {0},
};

static int calloc_zero_run(struct workload_context *context)
{
    struct zeros zeros = {
        .blocks = workload_value(context, "n"),
        .bytes = workload_value(context, "size"),
    };

    zeros.slots = table_map(zeros.blocks, sizeof *zeros.slots);
    if (!zeros.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &zeros, stages);
    table_unmap(zeros.slots, zeros.blocks, sizeof *zeros.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks", 1, 10000000, "3k", "30k"),
    PARAMETER_COUNTED("size", "bytes of a block", 1, 1000000000, "65536", "65536"),
    {0},
};

const struct workload workload_calloc_zero = {
    .name = "calloc_zero",
    .summary = "zeroed blocks of fresh memory, then of memory that was used",
    .source = "none",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_CALLOC,
    .run = calloc_zero_run,
};
