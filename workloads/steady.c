/*
 * steady: n live blocks of one size, and one random block after another replaced by a new one. The
 * working state of a server between its waves, at its simplest. Leaves out threads, lifetimes and a
 * mix of sizes. Source: the inner loop of Larson and Krishnan, "Memory Allocation for Long-Running
 * Server Applications", ISMM 1998, with one thread and one size.
 */
#define _GNU_SOURCE
#include "workloads/random.h"
#include "workloads/workload.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

static const struct parameter parameters[] = {
    {.name = "n",
     .summary = "live blocks",
     .kind = PARAMETER_COUNT,
     .scales = 1,
     .minimum = 1,
     .maximum = 100000000,
     .quick = "100k",
     .full = "1M"},
    {.name = "size",
     .summary = "bytes of a block",
     .kind = PARAMETER_COUNT,
     .minimum = 1,
     .maximum = 1000000,
     .quick = "1k",
     .full = "1k"},
    {.name = "replaced",
     .summary = "blocks that are replaced",
     .kind = PARAMETER_COUNT,
     .scales = 1,
     .minimum = 1,
     .maximum = 1000000000,
     .quick = "1M",
     .full = "10M"},
    {0},
};

struct steady {
    const struct workload_context *context;
    void **blocks;
    size_t count;
    size_t size;
    uint64_t random;
};

static void count_operation(struct workload_gauge *gauge, uint64_t value)
{
    uint64_t mixed = atomic_load_explicit(&gauge->checksum, memory_order_relaxed);

    atomic_store_explicit(&gauge->checksum, mixed * 31 + value, memory_order_relaxed);
    gauge_add(&gauge->operations, 1);
}

static int fill(struct steady *steady, size_t index)
{
    struct workload_gauge *gauge = steady->context->gauge;

    steady->blocks[index] = steady->context->object->malloc(steady->size);
    if (!steady->blocks[index])
        return -ENOMEM;
    memset(steady->blocks[index], (int)index & 0xff, steady->size);
    gauge_add(&gauge->live_bytes, steady->size);
    gauge_add(&gauge->object_bytes, steady->size);
    count_operation(gauge, 2 * index);
    return 0;
}

static void empty(struct steady *steady, size_t index)
{
    struct workload_gauge *gauge = steady->context->gauge;

    if (!steady->blocks[index])
        return;
    steady->context->object->free(steady->blocks[index]);
    steady->blocks[index] = NULL;
    gauge_subtract(&gauge->live_bytes, steady->size);
    gauge_subtract(&gauge->object_bytes, steady->size);
    gauge_add(&gauge->frees, 1);
    count_operation(gauge, 2 * index + 1);
}

static int run_phases(struct steady *steady, struct workload_context *context)
{
    uint64_t replaced = workload_value(context, "replaced");
    int error = 0;

    workload_phase(context, "build");
    for (size_t i = 0; i < steady->count && !error; i++)
        error = fill(steady, i);
    workload_phase(context, "replace");
    for (uint64_t i = 0; i < replaced && !error; i++) {
        /* NOLINTNEXTLINE(clang-analyzer-core.DivideZero): n is at least 1 (parameters) */
        size_t index = (size_t)(random_next(&steady->random) % steady->count);
        empty(steady, index);
        error = fill(steady, index);
    }
    workload_phase(context, "free");
    for (size_t i = 0; i < steady->count; i++)
        empty(steady, i);
    workload_idle(context);
    return error;
}

static int steady_run(struct workload_context *context)
{
    struct steady steady = {
        .context = context,
        .count = workload_value(context, "n"),
        .size = workload_value(context, "size"),
        .random = context->seed,
    };
    size_t table_bytes = steady.count * sizeof *steady.blocks;

    /* Mapped and populated before the first phase: part of the baseline, and not of the heap. */
    void *table = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (table == MAP_FAILED)
        return -ENOMEM;
    steady.blocks = table;
    int error = run_phases(&steady, context);
    munmap(table, table_bytes);
    return error;
}

const struct workload workload_steady = {
    .name = "steady",
    .summary = "n live blocks of one size, one random block after another replaced",
    .source = "Larson and Krishnan 1998, one thread and one size",
    .parameters = parameters,
    .object_needs = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT,
    .run = steady_run,
};
