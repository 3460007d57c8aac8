/*
 * sh6: each thread fills a ring with blocks in falling sizes and frees four fifths of it when it is
 * full, oldest first and newest first. Sizes: 1000 and down, by 3/2 and 2 in turn, 50 blocks of
 * each size, 250 of each below 100; lifetime: to the end of the ring, or of the next ones; nothing
 * is shared. Deviation: two threads, not two for each processor, unless told. Source: MicroQuill's
 * published description of SmartHeap's benchmark; no line of its program was read.
 */
#include "workloads/ring.h"
#include "workloads/table.h"

enum { FIRST_BYTES = 1000, SMALL_BYTES = 100, SMALL_TIMES = 250, LARGE_TIMES = 50 };

struct sh6 {
    struct slot *slots;
    size_t own;
    uint64_t blocks;
};

struct sequence {
    size_t bytes;
    unsigned times;  /* left of this size */
    unsigned halves; /* 1: the next step is by 2 */
};

static void begin_size(struct sequence *sequence, size_t bytes)
{
    sequence->bytes = bytes;
    sequence->times = bytes < SMALL_BYTES ? SMALL_TIMES : LARGE_TIMES;
}

static size_t next_bytes(struct sequence *sequence)
{
    if (sequence->times == 0) {
        size_t bytes = sequence->halves ? sequence->bytes / 2 : sequence->bytes * 2 / 3;
        sequence->halves = !sequence->halves;
        begin_size(sequence, bytes > 0 ? bytes : FIRST_BYTES);
    }
    sequence->times--;
    return sequence->bytes;
}

static int work(struct worker *worker)
{
    const struct sh6 *sh6 = worker->program;
    struct ring ring = {.slots = sh6->slots + worker->index * sh6->own, .count = sh6->own};
    struct sequence sequence = {0};
    int error = 0;

    begin_size(&sequence, FIRST_BYTES);
    for (uint64_t i = 0; i < sh6->blocks && !error; i++)
        error = ring_put(worker, &ring, next_bytes(&sequence));
    return error;
}

static int clear(struct worker *worker)
{
    const struct sh6 *sh6 = worker->program;

    slots_empty(worker, sh6->slots + worker->index * sh6->own, sh6->own);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int sh6_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct sh6 sh6 = {
        .own = workload_value(context, "slots"),
        .blocks = workload_value(context, "n"),
    };

    sh6.slots = table_map(sh6.own * threads, sizeof *sh6.slots);
    if (!sh6.slots)
        return -ENOMEM;
    int error = team_play(context, threads, &sh6, stages);
    table_unmap(sh6.slots, sh6.own * threads, sizeof *sh6.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each thread makes", 1, 10000000000, "5M", "100M"),
    PARAMETER_COUNTED("slots", "blocks that the ring of a thread holds", RING_PARTS, 10000000,
                      "10k", "10k"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_sh6 = {
    .name = "sh6",
    .summary = "rings of blocks in falling sizes, freed but for a fifth, from both ends",
    .source = "MicroQuill SmartHeap, published description",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = sh6_run,
};
