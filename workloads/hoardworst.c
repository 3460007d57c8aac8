/*
 * hoardworst: for one size after another, `each` bytes of blocks are made and all but five in each
 * 256 KiB freed. An allocator that gives a page, or a larger stretch, to blocks of one size, and
 * keeps it while one of them is there, holds almost all of every size. Sizes: 16 to 32768 bytes by
 * doubling; lifetime: a step, or to the end; one thread. Deviation: `each`, 64 MiB there, is
 * smaller at the quick size and larger at the full one. Source: kuszmaul/malloc-benchmarks.
 */
#include "workloads/block.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 16, MOST_BYTES = 32768, GROUP_BYTES = 262144, KEPT = 5 };

struct worst {
    struct slot *slots; /* of one size; the kept ones of all are behind them */
    size_t each_bytes;
    struct slot *kept;
    size_t kept_count;
};

/* Five of each group, as far from each other as can be. */
static int stays(size_t index, size_t bytes)
{
    size_t group = GROUP_BYTES / bytes;

    return index % group * KEPT % group < KEPT;
}

static int fill_one_size(struct worker *worker, struct worst *worst, size_t bytes)
{
    size_t count = worst->each_bytes / bytes;
    int error = 0;

    for (size_t i = 0; i < count && !error; i++)
        error = slot_fill(worker, &worst->slots[i], bytes);
    for (size_t i = 0; i < count; i++) {
        if (!error && stays(i, bytes)) {
            worst->kept[worst->kept_count++] = worst->slots[i];
            worst->slots[i].block = NULL;
        }
        slot_empty(worker, &worst->slots[i]);
    }
    return error;
}

static int work(struct worker *worker)
{
    struct worst *worst = worker->program;
    int error = 0;

    for (size_t bytes = LEAST_BYTES; bytes <= MOST_BYTES && !error; bytes *= 2)
        error = fill_one_size(worker, worst, bytes);
    return error;
}

static int clear(struct worker *worker)
{
    struct worst *worst = worker->program;

    slots_empty(worker, worst->kept, worst->kept_count);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int hoardworst_run(struct workload_context *context)
{
    struct worst worst = {.each_bytes = workload_value(context, "each")};
    size_t most = worst.each_bytes / LEAST_BYTES;

    /* All sizes together keep fewer than are made of the smallest one. */
    worst.slots = table_map(2 * most, sizeof *worst.slots);
    if (!worst.slots)
        return -ENOMEM;
    worst.kept = worst.slots + most;
    int error = team_play(context, 0, &worst, stages);
    table_unmap(worst.slots, 2 * most, sizeof *worst.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("each", "bytes that are made of each size", GROUP_BYTES, 1000000000,
                     "33554432", "268435456"),
    {0},
};

const struct workload workload_hoardworst = {
    .name = "hoardworst",
    .summary = "blocks of one size after another, all but five in each 256 KiB freed",
    .source = "kuszmaul/malloc-benchmarks",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = hoardworst_run,
};
