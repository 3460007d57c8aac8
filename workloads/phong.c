/*
 * phong: each thread makes block after block; after each thousand it draws a stretch of up to a
 * thousand of those made so far, frees every second one of it, and gives one in four of those that
 * stay another size. Holes everywhere, and survivors that move. Sizes: uniform from 1 to `most`
 * bytes; lifetime: some are freed by draw, most stay to the end; nothing is shared. Deviation: the
 * source leaves the sizes to the user. Source: Hoard's benchmark of the name.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { STRETCH_MOST = 1000, RESIZED_ONE_IN = 4 };

struct phong {
    struct slot *slots;
    size_t own; /* blocks that each thread makes */
    size_t most_bytes;
};

static size_t draw_bytes(struct worker *worker)
{
    const struct phong *phong = worker->program;

    return draw_between(&worker->random, 1, phong->most_bytes);
}

static int resize(struct worker *worker, struct slot *slot)
{
    size_t bytes = draw_bytes(worker);
    void *moved = worker->ops->realloc(slot->block, bytes);

    if (!moved)
        return -ENOMEM;
    worker_lose(worker, slot->bytes);
    block_count_made(worker, bytes);
    *slot = (struct slot){.block = moved, .bytes = bytes};
    block_touch(moved, bytes);
    return 0;
}

static int thin_out(struct worker *worker, struct slot *slots, size_t made)
{
    size_t begin = draw_below(&worker->random, made);
    size_t length = draw_between(&worker->random, 1, STRETCH_MOST);
    size_t end = begin + length < made ? begin + length : made;
    int error = 0;

    for (size_t i = begin; i < end && !error; i++) {
        if (i % 2 == 0)
            slot_empty(worker, &slots[i]);
        else if (slots[i].block && draw_below(&worker->random, RESIZED_ONE_IN) == 0)
            error = resize(worker, &slots[i]);
    }
    return error;
}

static int work(struct worker *worker)
{
    const struct phong *phong = worker->program;
    struct slot *own = phong->slots + worker->index * phong->own;
    int error = 0;

    for (size_t i = 0; i < phong->own && !error; i++) {
        error = slot_fill(worker, &own[i], draw_bytes(worker));
        if (!error && (i + 1) % STRETCH_MOST == 0)
            error = thin_out(worker, own, i + 1);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct phong *phong = worker->program;

    slots_empty(worker, phong->slots + worker->index * phong->own, phong->own);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int phong_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct phong phong = {
        .own = workload_value(context, "n"),
        .most_bytes = workload_value(context, "most"),
    };

    phong.slots = table_map(phong.own * threads, sizeof *phong.slots);
    if (!phong.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &phong, stages);
    table_unmap(phong.slots, phong.own * threads, sizeof *phong.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes", 1, 100000000, "1M", "8M"),
    PARAMETER_COUNTED("most", "bytes of the largest block", 1, 1000000, "256", "256"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_phong = {
    .name = "phong",
    .summary = "blocks are made, stretches of them thinned out and a part of the rest resized",
    .source = "Hoard, phong",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_REALLOC | ALLOCATOR_THREADS,
    .run = phong_run,
};
