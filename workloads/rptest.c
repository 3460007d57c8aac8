/*
 * rptest: each thread has a thousand slots; every loop it frees 24 to 80 of them and fills 30 to
 * 99, in a stride of primes, and every second loop it hands as many new blocks to the next thread,
 * which frees them when it looks. Sizes: 8 to 16000 bytes, falling in a straight line; lifetime:
 * some tens of loops; what is handed over is shared. Deviations: a fixed number of loops, and
 * blocks that are handed over have 16 bytes at least, for a link. Source: rpmalloc-benchmark.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

#include <stdatomic.h>

enum { SLOTS = 1000, LEAST_BYTES = 8, MOST_BYTES = 16000 };
enum { LEAST_FREED = 24, MOST_FREED = 80, LEAST_MADE = 30, MOST_MADE = 99 };

/* Steps through the slots; none divides their number. */
static const size_t strides[] = {3, 7, 11, 13, 17, 19, 23, 29};

/* A block on its way: the size is before the link (signed_make). */
struct handed {
    uint64_t signed_bytes;
    struct handed *next;
};
enum { LINK_BYTES = sizeof(struct handed *), WAITING_MOST = 16 };

struct inbox {
    _Alignas(WORKER_LINE_BYTES) _Atomic(struct handed *) newest;
    _Atomic unsigned waiting; /* batches in it, about */
};

struct rptest {
    struct slot *slots;
    struct inbox *inboxes;
    uint64_t loops;
};

static size_t draw_stride(struct worker *worker)
{
    return strides[draw_below(&worker->random, sizeof strides / sizeof strides[0])];
}

static size_t draw_bytes(struct worker *worker)
{
    return draw_falloff(&worker->random, LEAST_BYTES, MOST_BYTES);
}

static void free_some(struct worker *worker, struct slot *own)
{
    size_t count = draw_between(&worker->random, LEAST_FREED, MOST_FREED);
    size_t stride = draw_stride(worker), at = draw_below(&worker->random, SLOTS);

    for (size_t i = 0; i < count; i++, at = (at + stride) % SLOTS)
        slot_empty(worker, &own[at]);
}

static int make_some(struct worker *worker, struct slot *own)
{
    size_t count = draw_between(&worker->random, LEAST_MADE, MOST_MADE);
    size_t stride = draw_stride(worker), at = draw_below(&worker->random, SLOTS);
    int error = 0;

    for (size_t i = 0; i < count && !error; i++, at = (at + stride) % SLOTS) {
        slot_empty(worker, &own[at]);
        error = slot_fill(worker, &own[at], draw_bytes(worker));
    }
    return error;
}

/* Puts a chain into an inbox. It is only ever emptied as a whole, so that a top that comes back is
 * no harm. */
static void push_chain(struct inbox *inbox, struct handed *first, struct handed *last)
{
    last->next = atomic_load(&inbox->newest);
    while (!atomic_compare_exchange_weak(&inbox->newest, &last->next, first))
        continue;
}

static int free_chain(struct worker *worker, struct handed *block)
{
    int error = 0;

    while (block && !error) {
        struct handed *next = block->next;
        error = signed_drop(worker, block, LINK_BYTES);
        block = next;
    }
    return error;
}

static int free_handed(struct worker *worker, struct inbox *inbox)
{
    atomic_store(&inbox->waiting, 0);
    return free_chain(worker, atomic_exchange(&inbox->newest, NULL));
}

/* What was made of a batch, when memory runs out, is handed over as well. */
static int make_batch(struct worker *worker, struct handed **first, struct handed **last)
{
    size_t count = draw_between(&worker->random, LEAST_MADE, MOST_MADE);

    for (size_t made = 0; made < count; made++) {
        size_t bytes = draw_bytes(worker);
        if (bytes < sizeof **first)
            bytes = sizeof **first;
        struct handed *block = signed_make(worker, bytes, LINK_BYTES);
        if (!block)
            return -ENOMEM;
        block->next = *first;
        *first = block;
        *last = *last ? *last : block;
    }
    return 0;
}

static int hand_over(struct worker *worker, struct inbox *inbox)
{
    struct handed *first = NULL, *last = NULL;
    int error = make_batch(worker, &first, &last);

    if (!first)
        return error;
    if (atomic_fetch_add(&inbox->waiting, 1) < WAITING_MOST) {
        push_chain(inbox, first, last);
        return error;
    }
    int found = free_chain(worker, first);
    return error ? error : found;
}

static int work(struct worker *worker)
{
    const struct rptest *test = worker->program;
    struct slot *own = test->slots + (size_t)SLOTS * worker->index;
    struct inbox *next = &test->inboxes[(worker->index + 1) % worker->team->threads];
    int error = 0;

    for (uint64_t loop = 0; loop < test->loops && !error; loop++) {
        free_some(worker, own);
        error = make_some(worker, own);
        if (!error && loop % 2 == 1)
            error = hand_over(worker, next);
        if (!error)
            error = free_handed(worker, &test->inboxes[worker->index]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct rptest *test = worker->program;

    slots_empty(worker, test->slots + (size_t)SLOTS * worker->index, SLOTS);
    return free_handed(worker, &test->inboxes[worker->index]);
}

static const struct stage stages[] = {
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int rptest_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct rptest test = {.loops = workload_value(context, "n")};

    test.slots = table_map((size_t)SLOTS * threads, sizeof *test.slots);
    test.inboxes = table_map(threads, sizeof *test.inboxes);
    int error = test.slots && test.inboxes ? 0 : -ENOMEM;
    if (!error)
        error = team_play(context, threads, &test, stages);
    table_unmap(test.inboxes, threads, sizeof *test.inboxes);
    table_unmap(test.slots, (size_t)SLOTS * threads, sizeof *test.slots);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("n", "loops of each thread", 1, 100000000, "3k", "50k"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_rptest = {
    .name = "rptest",
    .summary = "threads replace blocks to 16 kB in strides and hand every second batch on",
    .source = "rpmalloc-benchmark",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = rptest_run,
};
