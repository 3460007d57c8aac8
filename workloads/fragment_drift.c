/*
 * fragment_drift: the live size stays, the sizes change: each epoch makes `turns` times the live
 * bytes in new blocks, and frees random old ones to make room. Sizes double every second epoch, an
 * epoch in between has half of each: from 32 to 127 bytes in the first to 1 to 8 KiB in the last.
 * Memory that belongs to a size that is no more in demand goes back, is of use to another, or
 * is lost: resident over live bytes, epoch by epoch, says which. Lifetime: geometric, of all sizes
 * alike; one thread. Source: the aging of long-running programs, as in Johnstone and Wilson, "The
 * Memory Fragmentation Problem: Solved?", ISMM 1998; no one program.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { FIRST_BYTES = 32, SPREAD = 4 };

struct drift {
    struct slot *slots; /* those from 0 to count have a block */
    size_t count;
    uint64_t live_bytes, most_bytes;
    uint64_t turns;
    unsigned epoch; /* from 0 */
};

static size_t draw_bytes(struct worker *worker, unsigned epoch)
{
    unsigned doubled = (epoch + (unsigned)draw_below(&worker->random, 2)) / 2;
    size_t least = (size_t)FIRST_BYTES << doubled;

    return draw_between(&worker->random, least, SPREAD * least - 1);
}

static void drop_any(struct worker *worker, struct drift *drift)
{
    size_t index = draw_below(&worker->random, drift->count);

    worker_mix(worker, index);
    drift->live_bytes -= drift->slots[index].bytes;
    slot_empty(worker, &drift->slots[index]);
    drift->slots[index] = drift->slots[--drift->count];
    drift->slots[drift->count].block = NULL;
}

/* Makes room first, so that no more than most_bytes are live; but one block always is. */
static int replace(struct worker *worker, struct drift *drift, size_t bytes)
{
    while (drift->count > 0 && drift->live_bytes + bytes > drift->most_bytes)
        drop_any(worker, drift);
    int error = slot_fill(worker, &drift->slots[drift->count], bytes);
    if (error)
        return error;
    drift->count++;
    drift->live_bytes += bytes;
    return 0;
}

static int pass_epoch(struct worker *worker)
{
    struct drift *drift = worker->program;
    uint64_t left = drift->turns * drift->most_bytes;
    int error = 0;

    while (left > 0 && !error) {
        size_t bytes = draw_bytes(worker, drift->epoch);
        error = replace(worker, drift, bytes);
        left = left > bytes ? left - bytes : 0;
    }
    drift->epoch++;
    return error;
}

static int clear(struct worker *worker)
{
    struct drift *drift = worker->program;

    slots_empty(worker, drift->slots, drift->count);
    return 0;
}

static const struct stage stages[] = {
    {"epoch_1", pass_epoch, ON_MAIN},  {"epoch_2", pass_epoch, ON_MAIN},
    {"epoch_3", pass_epoch, ON_MAIN},  {"epoch_4", pass_epoch, ON_MAIN},
    {"epoch_5", pass_epoch, ON_MAIN},  {"epoch_6", pass_epoch, ON_MAIN},
    {"epoch_7", pass_epoch, ON_MAIN},  {"epoch_8", pass_epoch, ON_MAIN},
    {"epoch_9", pass_epoch, ON_MAIN},  {"epoch_10", pass_epoch, ON_MAIN},
    {"epoch_11", pass_epoch, ON_MAIN}, {"epoch_12", pass_epoch, ON_MAIN},
    {"free", clear, ON_MAIN},          {0},
};

static int fragment_drift_run(struct workload_context *context)
{
    struct drift drift = {
        .most_bytes = workload_value(context, "live"),
        .turns = workload_value(context, "turns"),
    };
    size_t most = drift.most_bytes / FIRST_BYTES + 1;

    drift.slots = table_map(most, sizeof *drift.slots);
    if (!drift.slots)
        return -ENOMEM;
    int error = team_play(context, 0, &drift, stages);
    table_unmap(drift.slots, most, sizeof *drift.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("live", "bytes that are live", 1, 10000000000, "16M", "80M"),
    PARAMETER_COUNTED("turns", "times the live bytes that an epoch makes", 1, 100000, "2", "3"),
    {0},
};

const struct workload workload_fragment_drift = {
    .name = "fragment_drift",
    .summary = "a live size that stays, in blocks whose sizes double every second epoch",
    .source = "Johnstone and Wilson 1998",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS,
    .run = fragment_drift_run,
};
