/*
 * Many blocks at once, given back in an order, and a block that grows. Leaves out lifetimes that
 * follow a distribution: workloads have those. Orders: last in first out suits a free list, first
 * in first out a scope of requests, a random one whatever a program does with its blocks meanwhile.
 */
#include "harness/micro/memory.h"

#include <stdint.h>
#include <stdio.h>

enum { MOST_BLOCKS = 10000, LARGEST_BLOCK_BYTES = 4096 };

enum order { LIFO, FIFO, RANDOM, ORDERS };

static void *blocks[MOST_BLOCKS]; /* static: boehm-collected looks here */

struct batch {
    const struct micro_row *row;
    enum order order;
};

/* splitmix64 (Steele, Lea, Flood 2014): the same order each time. */
static uint64_t next_random(uint64_t *state)
{
    uint64_t mixed = (*state += 0x9e3779b97f4a7c15u);

    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111ebu;
    return mixed ^ (mixed >> 31);
}

/* Which block is freed as the i-th. Each order reads such a table, so that its cost is in all. */
static const uint32_t *order_of(enum order order, size_t count)
{
    static uint32_t indices[MOST_BLOCKS];
    uint64_t seed = count;

    for (size_t i = 0; i < count; i++)
        indices[i] = (uint32_t)(order == LIFO ? count - 1 - i : i);
    for (size_t i = count; order == RANDOM && i > 1; i--) {
        size_t other = (size_t)(next_random(&seed) % i);
        uint32_t swapped = indices[i - 1];

        indices[i - 1] = indices[other];
        indices[other] = swapped;
    }
    return indices;
}

static bool fill(const struct allocator_ops *ops, size_t size, size_t count, int64_t word)
{
    for (size_t i = 0; i < count; i++) {
        blocks[i] = ops->malloc(size);
        if (!blocks[i]) {
            while (i > 0)
                ops->free(blocks[--i]);
            return false;
        }
        micro_write_word(blocks[i], word);
    }
    return true;
}

static void run_batch(struct tidemark_gbench_state *state, void *data)
{
    const struct batch *batch = data;
    const struct allocator_ops *ops = &batch->row->ops;
    const size_t count = (size_t)tidemark_gbench_argument(state, 0);
    const size_t size = (size_t)tidemark_gbench_argument(state, 1);
    const uint32_t *order = order_of(batch->order, count);
    const struct micro_memory memory = micro_memory_begin(batch->row);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            if (!fill(ops, size, count, left)) {
                micro_fail(state, "malloc gave NULL");
                return;
            }
            for (size_t i = 0; i < count; i++)
                ops->free(blocks[order[i]]);
        }
    }
    micro_memory_end(&memory, state);
    const int64_t items = tidemark_gbench_iterations(state) * (int64_t)count;
    tidemark_gbench_set_items_processed(state, items);
    tidemark_gbench_set_bytes_processed(state, items * (int64_t)size);
}

static int add_order(const struct batch *batch, const char *name, enum micro_set set)
{
    static const char *const names[] = {"n", "size"};
    static const struct micro_arguments usual[ORDERS][4] = {
        [LIFO] = {{{100, 64}}, {{1000, 64}}, {{1000, 1024}}, {{10000, 64}}},
        [FIFO] = {{{1000, 16}}, {{1000, 64}}, {{1000, 1024}}, {{10000, 64}}},
        [RANDOM] = {{{1000, 16}}, {{1000, 64}}, {{1000, 1024}}, {{10000, 64}}},
    };
    struct micro_arguments every[32];
    size_t count = 0;

    if (set == MICRO_USUAL)
        return micro_add_pairs(name, run_batch, batch, names, usual[batch->order],
                               MICRO_COUNT_OF(usual[batch->order]));
    for (int64_t n = 100; n <= MOST_BLOCKS; n *= 10) {
        for (int64_t size = 8; size <= LARGEST_BLOCK_BYTES; size *= 2) {
            every[count++] = (struct micro_arguments){{n, size}};
        }
    }
    return micro_add_pairs(name, run_batch, batch, names, every, count);
}

static int add_batch(const struct micro_row *row, enum micro_set set)
{
    static const char *const names[ORDERS] = {
        [LIFO] = "batch/order:lifo",
        [FIFO] = "batch/order:fifo",
        [RANDOM] = "batch/order:random",
    };
    static struct batch batches[ORDERS];
    int error = 0;

    for (enum order order = 0; order < ORDERS && !error; order++) {
        batches[order] = (struct batch){.row = row, .order = order};
        error = add_order(&batches[order], names[order], set);
    }
    return error;
}

enum { FIRST_BYTES = 16, MOST_STEPS = 128, PAGE_BYTES = 4096 };

/* By CPython's list, by most vectors, and by libstdc++'s; the name has it to the digit. */
static const struct factor {
    const char *text;
    int numerator, denominator;
} factors[] = {{"1.125", 9, 8}, {"1.5", 3, 2}, {"2", 2, 1}};

static const struct limit {
    const char *text;
    size_t bytes;
} limits[] = {{"4KiB", 4 << 10}, {"64KiB", 64 << 10}, {"1MiB", 1 << 20}};

struct growth {
    const struct micro_row *row;
    size_t sizes[MOST_STEPS]; /* ascending, the last one is the end */
    size_t steps;
};

/* Multiples of 8, as a vector of pointers has them. */
static void plan_growth(struct growth *growth, const struct factor *factor, size_t end_bytes)
{
    size_t bytes = FIRST_BYTES;

    while (bytes < end_bytes && growth->steps < MOST_STEPS) {
        size_t grown = bytes * (size_t)factor->numerator / (size_t)factor->denominator;

        grown = (grown + 7) & ~(size_t)7;
        bytes = grown == bytes ? bytes + 8 : grown;
        if (bytes > end_bytes || growth->steps + 1 == MOST_STEPS)
            bytes = end_bytes;
        growth->sizes[growth->steps++] = bytes;
    }
}

/* What a program would put there, thinned to a word a page: each becomes resident. */
static void write_pages(char *block, size_t from, size_t to)
{
    for (size_t at = from; at < to; at = (at / PAGE_BYTES + 1) * PAGE_BYTES)
        micro_write_word(block + at, (int64_t)at);
}

/* Returns whether every realloc gave a block. */
static bool grow_once(const struct growth *growth)
{
    const struct allocator_ops *ops = &growth->row->ops;
    size_t had = FIRST_BYTES;
    char *block = ops->malloc(FIRST_BYTES);

    if (block)
        write_pages(block, 0, FIRST_BYTES);
    for (size_t i = 0; block && i < growth->steps; i++) {
        char *grown = ops->realloc(block, growth->sizes[i]);

        if (!grown) {
            ops->free(block);
            return false;
        }
        block = grown;
        write_pages(block, had, growth->sizes[i]);
        had = growth->sizes[i];
    }
    if (block)
        ops->free(block);
    return block != NULL;
}

static void run_growth(struct tidemark_gbench_state *state, void *data)
{
    const struct growth *growth = data;
    const struct micro_memory memory = micro_memory_begin(growth->row);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            if (!grow_once(growth)) {
                micro_fail(state, "malloc or realloc gave NULL");
                return;
            }
        }
    }
    micro_memory_end(&memory, state);
    const int64_t iterations = tidemark_gbench_iterations(state);
    const size_t end_bytes = growth->sizes[growth->steps - 1];
    tidemark_gbench_set_items_processed(state, iterations * (int64_t)growth->steps);
    tidemark_gbench_set_bytes_processed(state, iterations * (int64_t)end_bytes);
}

static int add_growth(const struct micro_row *row, enum micro_set set)
{
    static struct growth growths[MICRO_COUNT_OF(factors)][MICRO_COUNT_OF(limits)];
    char name[64];

    for (size_t f = 0; f < MICRO_COUNT_OF(factors); f++) {
        for (size_t l = 0; l < MICRO_COUNT_OF(limits); l++) {
            struct growth *growth = &growths[f][l];

            /* Of the usual ones: by 1.5 to each end, the others to the far one. */
            if (set == MICRO_USUAL && f != 1 && l + 1 < MICRO_COUNT_OF(limits))
                continue;
            *growth = (struct growth){.row = row};
            plan_growth(growth, &factors[f], limits[l].bytes);
            snprintf(name, sizeof name, "realloc_grow/by:%s/to:%s", factors[f].text,
                     limits[l].text);
            int error = micro_add(name, run_growth, growth);
            if (error)
                return error;
        }
    }
    return 0;
}

const struct micro_theme micro_batch = {"batch", ALLOCATOR_MALLOC | ALLOCATOR_FREE, 1, add_batch};
const struct micro_theme micro_realloc_grow = {
    "realloc_grow", ALLOCATOR_MALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE, 1, add_growth};
