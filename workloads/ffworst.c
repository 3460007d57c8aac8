/*
 * ffworst: the program that makes any first-fit heap grow. `live` bytes of 16-byte blocks; every
 * second block is freed, and what was freed is taken again in blocks of twice the size, which fit
 * into no hole; and so on to 64 KiB. Never more than `live` bytes are in use, but a first-fit heap
 * takes (1 + 12 / 2) times as many. Sizes: 16 to 65536 bytes by doubling; lifetime: half of all
 * blocks at each step; one thread. Deviation: alignment and headers are not reckoned with. Source:
 * Robson, "An Estimate of the Store Size Necessary for Dynamic Storage Allocation", JACM 18(3),
 * 1971.
 */
#include "workloads/block.h"
#include "workloads/table.h"

enum { LEAST_BYTES = 16, MOST_BYTES = 65536 };

struct worst {
    struct slot *slots;
    size_t count; /* of slots with a block: those from 0 on */
    size_t live_bytes;
};

static int take(struct worker *worker, struct worst *worst, size_t bytes, size_t total_bytes)
{
    int error = 0;

    for (size_t i = 0; i < total_bytes / bytes && !error; i++) {
        error = slot_fill(worker, &worst->slots[worst->count], bytes);
        worst->count += !error;
    }
    return error;
}

/* Returns how many bytes went. */
static size_t free_every_second(struct worker *worker, struct worst *worst)
{
    size_t freed_bytes = 0, kept = 0;

    for (size_t i = 0; i < worst->count; i++) {
        if (i % 2 == 0) {
            worst->slots[kept++] = worst->slots[i];
            continue;
        }
        freed_bytes += worst->slots[i].bytes;
        slot_empty(worker, &worst->slots[i]);
    }
    worst->count = kept;
    return freed_bytes;
}

static int work(struct worker *worker)
{
    struct worst *worst = worker->program;
    int error = take(worker, worst, LEAST_BYTES, worst->live_bytes);

    for (size_t bytes = (size_t)2 * LEAST_BYTES; bytes <= MOST_BYTES && !error; bytes *= 2)
        error = take(worker, worst, bytes, free_every_second(worker, worst));
    return error;
}

static int clear(struct worker *worker)
{
    struct worst *worst = worker->program;

    slots_empty(worker, worst->slots, worst->count);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_MAIN},
    {"free", clear, ON_MAIN},
    {0},
};

static int ffworst_run(struct workload_context *context)
{
    struct worst worst = {.live_bytes = workload_value(context, "live")};
    size_t most = worst.live_bytes / LEAST_BYTES;

    worst.slots = table_map(most, sizeof *worst.slots);
    if (!worst.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &worst, stages);
    table_unmap(worst.slots, most, sizeof *worst.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("live", "bytes that are live at most", 4096, 1000000000, "32M", "256M"),
    {0},
};

const struct workload workload_ffworst = {
    .name = "ffworst",
    .summary = "every second block freed, then blocks of twice the size that fit into no hole",
    .source = "Robson 1971",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = ffworst_run,
};
