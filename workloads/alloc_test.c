/*
 * alloc_test: a table of slots, half of them with a block; a slot is drawn, and its block read and
 * freed, or made and written where there is none. A few slots are hot, most are cold, as in real
 * programs. Sizes: 5 bytes to 1 KiB, half as frequent each time they double; lifetime: by the
 * slot's heat; nothing is shared. No deviation but the fixed number of turns. Source: ITHare's
 * alloc-test (Ignatchenko 2018).
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEVELS = 7 };

struct test {
    struct slot *slots;
    size_t own;
    uint64_t turns;
};

static int make(struct worker *worker, struct slot *slot)
{
    size_t bytes = draw_doubling(&worker->random, LEVELS);

    slot->block = block_make(worker, bytes);
    if (!slot->block)
        return -ENOMEM;
    slot->bytes = bytes;
    memset(slot->block, (int)bytes & 0xff, bytes);
    return 0;
}

/* Reads all of it: -EBADMSG when it is not what was written. */
static int drop(struct worker *worker, struct slot *slot)
{
    const unsigned char *bytes = slot->block;
    unsigned wrong = 0;

    for (size_t i = 0; i < slot->bytes; i++)
        wrong |= bytes[i] ^ (slot->bytes & 0xff);
    slot_empty(worker, slot);
    return wrong ? -EBADMSG : 0;
}

static int toggle(struct worker *worker, struct slot *slot)
{
    return slot->block ? drop(worker, slot) : make(worker, slot);
}

static int build(struct worker *worker)
{
    const struct test *test = worker->program;
    struct slot *own = test->slots + worker->index * test->own;
    int error = 0;

    for (size_t i = 0; i < test->own && !error; i++)
        if (draw_chance(&worker->random, 50))
            error = make(worker, &own[i]);
    return error;
}

static int work(struct worker *worker)
{
    const struct test *test = worker->program;
    struct slot *own = test->slots + worker->index * test->own;
    int error = 0;

    for (uint64_t i = 0; i < test->turns && !error; i++) {
        size_t index = draw_pareto(&worker->random, test->own);
        worker_mix(worker, index);
        error = toggle(worker, &own[index]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct test *test = worker->program;

    slots_empty(worker, test->slots + worker->index * test->own, test->own);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_TEAM},
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int alloc_test_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct test test = {
        .own = workload_value(context, "slots"),
        .turns = workload_value(context, "n"),
    };

    test.slots = table_map(test.own * threads, sizeof *test.slots);
    if (!test.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &test, stages);
    table_unmap(test.slots, test.own * threads, sizeof *test.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "slots that each thread draws", 1, 10000000000, "2M", "15M"),
    PARAMETER_SCALED("slots", "slots of each thread", 1, 100000000, "100k", "1M"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_alloc_test = {
    .name = "alloc_test",
    .summary = "slots, few hot and most cold, are filled and emptied by draw",
    .source = "ITHare alloc-test",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = alloc_test_run,
};
