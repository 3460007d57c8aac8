/*
 * sh8: each thread fills a ring with bursts of blocks from 8 bytes to 165 kB and frees four fifths
 * of it when it is full; with each block it also frees one of 8 bytes that the main thread made,
 * while there are any. Sizes: a fixed cycle of bursts; lifetime: to the end of the ring, or of the
 * next ones; the small blocks of the main thread are shared. Deviation: two threads, not two for
 * each processor, unless told. Source: MicroQuill's published description of SmartHeap's benchmark;
 * no line of its program was read.
 */
#include "workloads/ring.h"
#include "workloads/table.h"

enum { GIVEN_BYTES = 8 };

static const struct burst {
    size_t bytes;
    unsigned times;
} bursts[] = {
    {8, 1000}, {16, 5000}, {48, 1000}, {72, 100}, {148, 100}, {200, 100},
    {520, 10}, {1056, 5},  {4096, 3},  {9162, 1}, {34562, 1}, {168524, 1},
};

struct sh8 {
    struct slot *slots; /* the rings, one after the other */
    struct slot *given; /* the main thread's blocks, `given_each` for each thread */
    size_t own, given_each;
    uint64_t blocks;
};

static int give(struct worker *worker)
{
    const struct sh8 *sh8 = worker->program;
    size_t all = sh8->given_each * worker->team->threads;
    int error = 0;

    for (size_t i = 0; i < all && !error; i++)
        error = slot_fill(worker, &sh8->given[i], GIVEN_BYTES);
    return error;
}

static int work(struct worker *worker)
{
    const struct sh8 *sh8 = worker->program;
    struct ring ring = {.slots = sh8->slots + worker->index * sh8->own, .count = sh8->own};
    struct slot *given = sh8->given + worker->index * sh8->given_each;
    const struct burst *burst = bursts;
    unsigned times = 0;
    int error = 0;

    for (uint64_t i = 0; i < sh8->blocks && !error; i++) {
        if (times == burst->times) {
            times = 0;
            burst = burst == bursts + sizeof bursts / sizeof bursts[0] - 1 ? bursts : burst + 1;
        }
        times++;
        error = ring_put(worker, &ring, burst->bytes);
        if (i < sh8->given_each)
            slot_empty(worker, &given[i]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct sh8 *sh8 = worker->program;

    slots_empty(worker, sh8->slots + worker->index * sh8->own, sh8->own);
    slots_empty(worker, sh8->given + worker->index * sh8->given_each, sh8->given_each);
    return 0;
}

static const struct stage stages[] = {
    {"build", give, ON_MAIN},
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int sh8_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct sh8 sh8 = {
        .own = workload_value(context, "slots"),
        .given_each = workload_value(context, "given"),
        .blocks = workload_value(context, "n"),
    };

    sh8.slots = table_map(sh8.own * threads, sizeof *sh8.slots);
    sh8.given = table_map(sh8.given_each * threads, sizeof *sh8.given);
    int error = sh8.slots && sh8.given ? 0 : -ENOMEM;
    if (!error)
        error = team_play(context, threads, &sh8, stages);
    table_unmap(sh8.given, sh8.given_each * threads, sizeof *sh8.given);
    table_unmap(sh8.slots, sh8.own * threads, sizeof *sh8.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes", 1, 10000000000, "5M", "100M"),
    PARAMETER_COUNTED("slots", "blocks that the ring of a thread holds", RING_PARTS, 10000000,
                      "10k", "10k"),
    PARAMETER_SCALED("given", "blocks of the main thread that each thread frees", 1, 100000000,
                     "500k", "5M"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_sh8 = {
    .name = "sh8",
    .summary = "rings of bursts from 8 B to 165 kB, and small blocks that another thread made",
    .source = "MicroQuill SmartHeap, published description",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = sh8_run,
};
