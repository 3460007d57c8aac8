/*
 * bulk: n blocks of one size are made in a row, then freed in one of three orders, all or all but
 * one in k, which chance keeps. What an allocator does with many blocks of a kind, and what a few
 * survivors pin, without anything else. Leaves out reuse, threads and a mix of sizes. Source: the
 * microbenchmarks of CPython's own issue on the order of arenas (bpo-37029), where random frees of
 * many small objects took quadratic time.
 */
#define _GNU_SOURCE
#include "workloads/random.h"
#include "workloads/workload.h"

#include <errno.h>
#include <sys/mman.h>

enum order { ORDER_LIFO, ORDER_FIFO, ORDER_RANDOM };

static const char *const orders[] = {"lifo", "fifo", "random", NULL};

/*
 * The largest block is, with its header, above the highest threshold from which glibc gives each
 * block a mapping of its own: 32 MiB (DEFAULT_MMAP_THRESHOLD_MAX in malloc.c).
 */
#define MOST_BLOCKS 100000000
#define MOST_BYTES  33554431

_Static_assert((uint64_t)MOST_BYTES <= SIZE_MAX / MOST_BLOCKS, "bytes of all blocks fit a size_t");

static const struct parameter parameters[] = {
    {.name = "n",
     .summary = "blocks",
     .kind = PARAMETER_COUNT,
     .scales = 1,
     .minimum = 1,
     .maximum = MOST_BLOCKS,
     .quick = "5M",
     .full = "40M"},
    {.name = "size",
     .summary = "bytes of a block",
     .kind = PARAMETER_COUNT,
     .minimum = 8,
     .maximum = MOST_BYTES,
     .quick = "32",
     .full = "32"},
    {.name = "order",
     .summary = "order of the frees",
     .kind = PARAMETER_CHOICE,
     .choices = orders,
     .quick = "lifo",
     .full = "lifo"},
    {.name = "keep",
     .summary = "a block is kept with a chance of 1 in k; 0: none is",
     .kind = PARAMETER_COUNT,
     .minimum = 0,
     .maximum = 100000000,
     .quick = "0",
     .full = "0"},
    {0},
};

struct bulk {
    const struct workload_context *context;
    void **blocks;
    uint32_t *sequence; /* in which the blocks are freed; behind these, those that are kept */
    size_t count;
    size_t dropped; /* how many are freed */
    size_t size;
    uint64_t keep;
};

/* The gauge is written once for so many blocks: what is timed is the allocator. Fewer of large
 * ones, so that it is never further behind than BATCH_BYTES, or one block. */
enum { BATCH_MOST = 1024, BATCH_BYTES = 1 << 20 };

enum { PAGE_BYTES = 4096 };

/* So many blocks more are live; `sum` is of the operations so far. */
static void count_made(const struct bulk *bulk, size_t blocks, uint64_t sum)
{
    struct workload_gauge *gauge = bulk->context->gauge;

    gauge_add(&gauge->live_bytes, blocks * bulk->size);
    gauge_add(&gauge->object_bytes, blocks * bulk->size);
    gauge_add(&gauge->operations, blocks);
    atomic_store_explicit(&gauge->checksum, sum, memory_order_relaxed);
}

static void count_freed(const struct bulk *bulk, size_t blocks, uint64_t sum)
{
    struct workload_gauge *gauge = bulk->context->gauge;

    gauge_subtract(&gauge->live_bytes, blocks * bulk->size);
    gauge_subtract(&gauge->object_bytes, blocks * bulk->size);
    gauge_add(&gauge->operations, blocks);
    gauge_add(&gauge->frees, blocks);
    atomic_store_explicit(&gauge->checksum, sum, memory_order_relaxed);
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t batch_of(size_t block_bytes)
{
    size_t blocks = smaller(BATCH_BYTES / block_bytes, BATCH_MOST);

    return blocks ? blocks : 1;
}

/* A byte of each further page and the last one: the first word is written by build. */
static void touch_rest(char *block, size_t bytes)
{
    for (size_t offset = PAGE_BYTES; offset < bytes; offset += PAGE_BYTES)
        block[offset] = 1;
    block[bytes - 1] = 1;
}

/* Returns how many blocks there are: fewer than asked for when memory ran out. */
static size_t build(const struct bulk *bulk)
{
    const struct allocator_ops *ops = bulk->context->object;
    const size_t batch = batch_of(bulk->size);

    for (size_t begin = 0; begin < bulk->count; begin += batch) {
        size_t end = smaller(begin + batch, bulk->count);
        for (size_t i = begin; i < end; i++) {
            uint64_t *block = ops->malloc(bulk->size);
            if (!block) {
                count_made(bulk, i - begin, i);
                return i;
            }
            *block = i;
            if (bulk->size > PAGE_BYTES)
                touch_rest((char *)block, bulk->size);
            bulk->blocks[i] = block;
        }
        count_made(bulk, end - begin, end);
    }
    return bulk->count;
}

/* Frees the blocks of the sequence from `begin` to `end`; `sum` is of the operations so far. */
static uint64_t free_blocks(const struct bulk *bulk, size_t begin, size_t end, uint64_t sum)
{
    const struct allocator_ops *ops = bulk->context->object;

    for (size_t i = begin; i < end; i++) {
        size_t index = bulk->sequence[i];
        ops->free(bulk->blocks[index]);
        sum = sum * 31 + index;
    }
    count_freed(bulk, end - begin, sum);
    return sum;
}

static uint64_t drop(const struct bulk *bulk)
{
    const size_t batch = batch_of(bulk->size);
    uint64_t sum = bulk->count;

    for (size_t begin = 0; begin < bulk->dropped; begin += batch)
        sum = free_blocks(bulk, begin, smaller(begin + batch, bulk->dropped), sum);
    return sum;
}

/* Memory ran out when there were `count` blocks. */
static void give_up(const struct bulk *bulk, size_t count)
{
    for (size_t i = 0; i < count; i++)
        bulk->context->object->free(bulk->blocks[i]);
    count_freed(bulk, count, count);
}

/* Each block by itself, so that survivors are spread as the closed form has them: a pool of b
 * blocks keeps none with the chance (1 - 1/k)^b. */
static int is_kept(const struct bulk *bulk, uint64_t *random)
{
    return bulk->keep != 0 && random_next(random) % bulk->keep == 0;
}

static void swap(uint32_t *a, uint32_t *b)
{
    uint32_t kept = *a;

    *a = *b;
    *b = kept;
}

/*
 * Decided before the first phase, so that no phase pays for it. Which blocks are kept depends on
 * the seed, not on the order. Fisher and Yates's shuffle, for a random one.
 */
static void decide_sequence(struct bulk *bulk, enum order order)
{
    uint64_t random = bulk->context->seed;
    uint32_t *sequence = bulk->sequence;
    size_t kept = 0;

    for (size_t i = 0; i < bulk->count; i++) {
        if (is_kept(bulk, &random))
            sequence[bulk->count - ++kept] = (uint32_t)i;
        else
            sequence[bulk->dropped++] = (uint32_t)i;
    }
    for (size_t i = 0; order == ORDER_LIFO && i < bulk->dropped / 2; i++)
        swap(&sequence[i], &sequence[bulk->dropped - 1 - i]);
    for (size_t i = bulk->dropped; order == ORDER_RANDOM && i > 1; i--)
        swap(&sequence[i - 1], &sequence[random_next(&random) % i]);
}

static int run_phases(const struct bulk *bulk, struct workload_context *context)
{
    workload_phase(context, "build");
    size_t made = build(bulk);
    if (made < bulk->count) {
        give_up(bulk, made);
        return -ENOMEM;
    }
    workload_phase(context, "free");
    uint64_t sum = drop(bulk);
    workload_idle(context);
    free_blocks(bulk, bulk->dropped, bulk->count, sum); /* only tidies up */
    return 0;
}

static int bulk_run(struct workload_context *context)
{
    struct bulk bulk = {
        .context = context,
        .count = workload_value(context, "n"),
        .size = workload_value(context, "size"),
        .keep = workload_value(context, "keep"),
    };
    size_t table_bytes = bulk.count * (sizeof *bulk.blocks + sizeof *bulk.sequence);

    /* Mapped and populated before the first phase: part of the baseline, and not of the heap. */
    void *table = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (table == MAP_FAILED)
        return -ENOMEM;
    bulk.blocks = table;
    bulk.sequence = (uint32_t *)(bulk.blocks + bulk.count);
    decide_sequence(&bulk, (enum order)workload_value(context, "order"));
    int error = run_phases(&bulk, context);
    munmap(table, table_bytes);
    return error;
}

const struct workload workload_bulk = {
    .name = "bulk",
    .summary =
        "n blocks of one size made, then freed in a given order, all or all but one in k by chance",
    .source = "CPython bpo-37029: frees of many small objects in random order",
    .parameters = parameters,
    .object_needs = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT,
    .run = bulk_run,
};
