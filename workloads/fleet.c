/*
 * fleet: births and deaths in equilibrium, with the sizes of a large company's servers. Of each
 * class of sizes so many blocks live as its share of live bytes says; a birth draws its class by
 * the share of allocations and takes the place of a random block of that class, so that deaths are
 * memoryless. Sizes: up to 64 KiB, uniform within a class; lifetime: geometric by class; nothing is
 * shared. Deviations: blocks above 64 KiB, a third of live bytes, are left out; classes are
 * coarser. Source: the table is ours, re-binned from TCMALLOC_5.csv of google/fleetbench
 * (Apache-2.0).
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

/* Shares in percent: of allocations, and of live bytes. */
static const struct size_class {
    size_t most_bytes;
    double births, live;
} classes[] = {
    {8, 4.1, .1},     {16, 7.0, .6},      {32, 26.0, 3.3},   {64, 30.2, 6.0},   {128, 16.7, 6.3},
    {256, 7.5, 4.5},  {512, 3.3, 4.1},    {1024, 2.7, 2.6},  {2048, .75, 3.5},  {4096, .91, 8.9},
    {8192, .46, 5.5}, {16384, .11, 11.8}, {32768, .09, 4.8}, {65536, .04, 5.8},
};
enum { CLASSES = sizeof classes / sizeof classes[0] };

struct fleet {
    struct slot *slots;         /* of each thread: class after class */
    size_t begin[CLASSES + 1];  /* of each class within them */
    double cumulative[CLASSES]; /* of births */
    uint64_t births;
};

/* How many blocks of each class live, of `live_bytes` in all; one at least. */
static void count_classes(struct fleet *fleet, double live_bytes)
{
    double live = 0, births = 0;

    for (size_t i = 0; i < CLASSES; i++)
        live += classes[i].live;
    for (size_t i = 0; i < CLASSES; i++) {
        size_t below = i > 0 ? classes[i - 1].most_bytes : 0;
        double mean_bytes = (double)(below + 1 + classes[i].most_bytes) / 2;
        size_t count = (size_t)(live_bytes * classes[i].live / live / mean_bytes);
        fleet->begin[i + 1] = fleet->begin[i] + (count > 0 ? count : 1);
        births += classes[i].births;
        fleet->cumulative[i] = births;
    }
}

static int fill(struct worker *worker, struct slot *slot, size_t class)
{
    size_t below = class > 0 ? classes[class - 1].most_bytes : 0;

    return slot_fill(worker, slot,
                     draw_between(&worker->random, below + 1, classes[class].most_bytes));
}

static struct slot *own_slots(const struct worker *worker)
{
    const struct fleet *fleet = worker->program;

    return fleet->slots + worker->index * fleet->begin[CLASSES];
}

static int build(struct worker *worker)
{
    const struct fleet *fleet = worker->program;
    struct slot *own = own_slots(worker);
    int error = 0;

    for (size_t class = 0; class < CLASSES; class ++)
        for (size_t i = fleet->begin[class]; i < fleet->begin[class + 1] && !error; i++)
            error = fill(worker, &own[i], class);
    return error;
}

static int work(struct worker *worker)
{
    const struct fleet *fleet = worker->program;
    struct slot *own = own_slots(worker);
    int error = 0;

    for (uint64_t i = 0; i < fleet->births && !error; i++) {
        size_t class = draw_weighted(&worker->random, fleet->cumulative, CLASSES);
        size_t count = fleet->begin[class + 1] - fleet->begin[class];
        size_t index = fleet->begin[class] + draw_below(&worker->random, count);
        worker_mix(worker, index);
        slot_empty(worker, &own[index]);
        error = fill(worker, &own[index], class);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct fleet *fleet = worker->program;

    slots_empty(worker, own_slots(worker), fleet->begin[CLASSES]);
    return 0;
}

static const struct stage stages[] = {
    {"build", build, ON_TEAM},
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int fleet_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct fleet fleet = {.births = workload_value(context, "n")};

    count_classes(&fleet, (double)workload_value(context, "live") / threads);
    size_t all = fleet.begin[CLASSES] * threads;
    fleet.slots = table_map(all, sizeof *fleet.slots);
    if (!fleet.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &fleet, stages);
    table_unmap(fleet.slots, all, sizeof *fleet.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "births on each thread", 1, 10000000000, "1M", "8M"),
    PARAMETER_SCALED("live", "bytes that are live, of all threads together", 1, 10000000000, "64M",
                     "250M"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_fleet = {
    .name = "fleet",
    .summary = "births and deaths in equilibrium, with the sizes of a company's servers",
    .source = "google/fleetbench, re-binned",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = fleet_run,
};
