/*
 * acdc: a mutator whose objects have a size class and a lifetime class; time is what was allocated,
 * in quanta of 256 KiB, and at the end of each all objects die whose time has come. Sizes: 2^4 to
 * 2^8 bytes and below the next power; lifetimes: 1 to 10 quanta; objects of a pair are as frequent
 * as (8 - s + 1)² (10 - l + 1)², so most are small and short-lived; nothing is shared. Deviation:
 * objects are read when they die, not in between. Source: Aigner and Kirsch, "ACDC: Towards a
 * Universal Mutator for Benchmarking Heap Management Systems", ISMM 2013.
 */
#include "workloads/block.h"
#include "workloads/draw.h"
#include "workloads/table.h"

enum { LEAST_SHIFT = 4, MOST_SHIFT = 8, LIFETIMES = 10 };
enum { SHIFTS = MOST_SHIFT - LEAST_SHIFT + 1, CLASSES = SHIFTS * LIFETIMES };

/* The first words of an object. */
struct object {
    struct object *next; /* of those that die together */
    size_t bytes;
};

struct heap {
    _Alignas(WORKER_LINE_BYTES) struct object *dying[LIFETIMES + 1]; /* by the quantum, modulo */
};

struct acdc {
    struct heap *heaps; /* of each thread */
    uint64_t quanta, quantum_bytes;
    double cumulative[CLASSES];
};

static void weigh_classes(struct acdc *acdc)
{
    double sum = 0;

    for (int class = 0; class < CLASSES; class ++) {
        int size = SHIFTS - class / LIFETIMES, life = LIFETIMES - class % LIFETIMES;
        sum += (double)(size * size) * (double)(life * life);
        acdc->cumulative[class] = sum;
    }
}

static int make(struct worker *worker, struct heap *heap, uint64_t quantum, size_t *made_bytes)
{
    const struct acdc *acdc = worker->program;
    size_t class = draw_weighted(&worker->random, acdc->cumulative, CLASSES);
    size_t least = (size_t)1 << (LEAST_SHIFT + class / LIFETIMES);
    size_t bytes = least + draw_below(&worker->random, least);
    struct object **list = &heap->dying[(quantum + class % LIFETIMES + 1) % (LIFETIMES + 1)];
    struct object *object = block_make(worker, bytes);

    if (!object)
        return -ENOMEM;
    *object = (struct object){.next = *list, .bytes = bytes};
    *list = object;
    *made_bytes += bytes;
    return 0;
}

static void free_list(struct worker *worker, struct object **list)
{
    while (*list) {
        struct object *object = *list;
        *list = object->next;
        block_drop(worker, object, object->bytes);
    }
}

static int work(struct worker *worker)
{
    const struct acdc *acdc = worker->program;
    struct heap *heap = &acdc->heaps[worker->index];
    int error = 0;

    for (uint64_t quantum = 0; quantum < acdc->quanta && !error; quantum++) {
        for (size_t made_bytes = 0; made_bytes < acdc->quantum_bytes && !error;)
            error = make(worker, heap, quantum, &made_bytes);
        free_list(worker, &heap->dying[(quantum + 1) % (LIFETIMES + 1)]);
    }
    return error;
}

static int clear(struct worker *worker)
{
    const struct acdc *acdc = worker->program;

    for (int i = 0; i <= LIFETIMES; i++)
        free_list(worker, &acdc->heaps[worker->index].dying[i]);
    return 0;
}

static const struct stage stages[] = {
    {"work", work, ON_TEAM},
    {"free", clear, ON_TEAM},
    {0},
};

static int acdc_run(struct workload_context *context)
{
    unsigned threads = (unsigned)workload_value(context, "threads");
    struct acdc acdc = {
        .heaps = table_map(threads, sizeof *acdc.heaps),
        .quanta = workload_value(context, "quanta"),
        .quantum_bytes = workload_value(context, "quantum"),
    };

    if (!acdc.heaps)
        return -ENOMEM;
    weigh_classes(&acdc);
    int error = team_play(context, threads, &acdc, stages);
    table_unmap(acdc.heaps, threads, sizeof *acdc.heaps);
    return error;
}

static const struct parameter parameters[] = {
    PARAMETER_SCALED("quanta", "quanta that each thread allocates", 1, 10000000, "500", "10k"),
    PARAMETER_COUNTED("quantum", "bytes of a quantum", 1, 1000000000, "262144", "262144"),
    PARAMETER_THREADS,
    {0},
};

const struct workload workload_acdc = {
    .name = "acdc",
    .summary = "objects by classes of size and lifetime, time being what was allocated",
    .source = "Aigner and Kirsch 2013",
    .parameters = parameters,
    .object_needs = BLOCK_NEEDS | ALLOCATOR_THREADS,
    .run = acdc_run,
};
