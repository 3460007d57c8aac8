/*
 * xmalloc: producers make blocks and consumers free them, a thread for each half: every free is of
 * a block that another thread made. Blocks go in batches through one locked stack of at most 100.
 * Deviation: a fixed number of blocks instead of a fixed time. Source: Lever and Boreham,
 * "malloc() Performance in a Multithreaded Linux Environment", USENIX ATC 2000, as mimalloc-bench
 * runs it.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { BATCH_BLOCKS = 4096, STACK_MOST = 100, ONE_BYTES = 64 };
enum { SIZES_ONE, SIZES_MIXED };

static const char *const size_choices[] = {"one", "mixed", NULL};
static const uint16_t mixed_bytes[] = {8,   12,  16,  24,  32,  48,   64,   96,  128,
                                       192, 256, 384, 512, 768, 1024, 1536, 2048};

struct batch {
    size_t count;
    struct batch *next;
    struct slot slots[BATCH_BLOCKS];
};

/* Everything but the first two lines is the lock's. */
struct xmalloc {
    uint64_t blocks; /* of each producer */
    int is_mixed;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *full, *empty;
    unsigned producing;
};

/* The top of a stack, or NULL once nobody produces and it is empty. */
static struct batch *take(struct xmalloc *xmalloc, struct batch **stack)
{
    pthread_mutex_lock(&xmalloc->lock);
    while (!*stack && xmalloc->producing > 0)
        pthread_cond_wait(&xmalloc->changed, &xmalloc->lock);
    struct batch *batch = *stack;
    if (batch)
        *stack = batch->next;
    pthread_mutex_unlock(&xmalloc->lock);
    return batch;
}

static void put(struct xmalloc *xmalloc, struct batch **stack, struct batch *batch)
{
    pthread_mutex_lock(&xmalloc->lock);
    batch->next = *stack;
    *stack = batch;
    pthread_cond_broadcast(&xmalloc->changed);
    pthread_mutex_unlock(&xmalloc->lock);
}

static size_t next_bytes(struct worker *worker)
{
    const struct xmalloc *xmalloc = worker->program;

    if (!xmalloc->is_mixed)
        return ONE_BYTES;
    return mixed_bytes[draw_below(&worker->random, sizeof mixed_bytes / sizeof mixed_bytes[0])];
}

/* All of a block is written. After an error the batch has those that were made. */
static int fill(struct worker *worker, struct batch *batch, size_t count)
{
    for (batch->count = 0; batch->count < count; batch->count++) {
        struct slot *slot = &batch->slots[batch->count];
        if (slot_fill(worker, slot, next_bytes(worker)) != 0)
            return -ENOMEM;
        memset(slot->block, (int)batch->count & 0xff, slot->bytes);
    }
    return 0;
}

static int produce(struct worker *worker)
{
    struct xmalloc *xmalloc = worker->program;
    int error = 0;

    for (uint64_t left = xmalloc->blocks, count = 0; left > 0 && !error; left -= count) {
        /* Not NULL: this thread still produces. */
        struct batch *batch = take(xmalloc, &xmalloc->empty);
        count = left < BATCH_BLOCKS ? left : BATCH_BLOCKS;
        error = fill(worker, batch, count);
        put(xmalloc, &xmalloc->full, batch);
    }
    pthread_mutex_lock(&xmalloc->lock);
    xmalloc->producing--;
    pthread_cond_broadcast(&xmalloc->changed);
    pthread_mutex_unlock(&xmalloc->lock);
    return error;
}

static int consume(struct worker *worker)
{
    struct xmalloc *xmalloc = worker->program;
    struct batch *batch;

    while ((batch = take(xmalloc, &xmalloc->full))) {
        slots_empty(worker, batch->slots, batch->count);
        put(xmalloc, &xmalloc->empty, batch);
    }
    return 0;
}

/* The even ones produce. */
static int work(struct worker *worker)
{
    return worker->index % 2 == 0 ? produce(worker) : consume(worker);
}

static const struct stage stages[] = {{"work", work, ON_TEAM}, {0}};

static int xmalloc_run(struct workload_context *context)
{
    unsigned pairs = (unsigned)workload_value(context, "threads");
    struct xmalloc xmalloc = {
        .blocks = workload_value(context, "n"),
        .is_mixed = workload_value(context, "sizes") == SIZES_MIXED,
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
        .producing = pairs,
    };
    struct batch *batches = table_map(STACK_MOST, sizeof *batches);

    if (!batches)
        return -ENOMEM;
    for (size_t i = 0; i < STACK_MOST; i++) {
        batches[i].next = xmalloc.empty;
        xmalloc.empty = &batches[i];
    }
    int error = team_play(context, 2 * pairs, &xmalloc, stages);
    table_unmap(batches, STACK_MOST, sizeof *batches);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "blocks that each producer makes", 1, 1000000000, "2M", "10M"),
    {.name = "sizes",
     .summary = "64 bytes each, or one of 17 sizes to 2 KiB",
     .kind = PARAMETER_CHOICE,
     .choices = size_choices,
     .quick = "mixed",
     .full = "mixed"},
    PARAMETER_COUNTED("threads", "producers, and as many consumers", 1, TEAM_MOST / 2, "1", "2"),
    {0},
};

const struct workload workload_xmalloc = {
    .name = "xmalloc",
    .summary = "what producers make, consumers free: every free is another thread's",
    .source = "Lever and Boreham 2000",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = xmalloc_run,
};
