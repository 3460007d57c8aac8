/*
 * What it costs to create a region, to fill and reset one, and to destroy a full one. Leaves out
 * blocks of mixed sizes and regions of mixed ages, which the workloads with scopes have.
 */
#include "harness/micro/memory.h"

enum { BLOCKS = 1000, REGIONS = 16, EMPTY_REGIONS = 64 };

static void *regions[EMPTY_REGIONS];

/* The alignment that malloc promises (allocator.h), so that a region compares with it. */
static size_t malloc_alignment(size_t size)
{
    return size < 16 ? 8 : 16;
}

static bool fill(const struct allocator_ops *ops, void *region, size_t size)
{
    const size_t alignment = malloc_alignment(size);

    for (int64_t i = 0; i < BLOCKS; i++) {
        void *block = ops->region_alloc(region, size, alignment);

        if (!block)
            return false;
        micro_write_word(block, i);
    }
    return true;
}

static void report(struct tidemark_gbench_state *state, int64_t items, int64_t bytes)
{
    const int64_t iterations = tidemark_gbench_iterations(state);

    tidemark_gbench_set_items_processed(state, iterations * items);
    if (bytes > 0)
        tidemark_gbench_set_bytes_processed(state, iterations * bytes);
}

static void run_reset(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    void *region = row->ops.region_create();
    bool is_full = region != NULL;
    const struct micro_memory memory = micro_memory_begin(row);

    if (!region) {
        micro_fail(state, "region_create gave NULL");
        return;
    }
    for (int64_t left; is_full && (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0 && is_full; left--) {
            is_full = fill(&row->ops, region, size);
            row->ops.region_reset(region);
        }
    }
    if (!is_full)
        micro_fail(state, "region_alloc gave NULL");
    else
        micro_memory_end(&memory, state);
    row->ops.region_destroy(region);
    report(state, BLOCKS, BLOCKS * (int64_t)size);
}

static size_t create(const struct allocator_ops *ops, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        regions[i] = ops->region_create();
        if (!regions[i])
            return i;
    }
    return count;
}

static void destroy(const struct allocator_ops *ops, size_t count)
{
    for (size_t i = 0; i < count; i++)
        ops->region_destroy(regions[i]);
}

/* Many at a time, so that stopping the clock, about a microsecond, is shared by them. */
static void run_create(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const struct micro_memory memory = micro_memory_begin(row);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            size_t created = create(&row->ops, EMPTY_REGIONS);

            tidemark_gbench_pause_timing(state);
            destroy(&row->ops, created);
            tidemark_gbench_resume_timing(state);
            if (created < EMPTY_REGIONS) {
                micro_fail(state, "region_create gave NULL");
                return;
            }
        }
    }
    micro_memory_end(&memory, state);
    report(state, EMPTY_REGIONS, 0);
}

/* Creates and fills; what it got before it failed is destroyed. */
static bool prepare(const struct allocator_ops *ops, size_t size)
{
    size_t created = create(ops, REGIONS);
    bool is_full = created == REGIONS;

    for (size_t i = 0; i < REGIONS && is_full; i++)
        is_full = fill(ops, regions[i], size);
    if (!is_full)
        destroy(ops, created);
    return is_full;
}

static void run_destroy(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    const struct micro_memory memory = micro_memory_begin(row);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            tidemark_gbench_pause_timing(state);
            bool is_prepared = prepare(&row->ops, size);
            tidemark_gbench_resume_timing(state);
            if (!is_prepared) {
                micro_fail(state, "region_create or region_alloc gave NULL");
                return;
            }
            destroy(&row->ops, REGIONS);
        }
    }
    micro_memory_end(&memory, state);
    report(state, REGIONS, (int64_t)REGIONS * BLOCKS * (int64_t)size);
}

static int add_region(const struct micro_row *row, enum micro_set set)
{
    static const int64_t usual[] = {8, 16, 64, 256, 1024, 4096}, usual_destroyed[] = {64, 1024};
    static const struct micro_values sizes = {usual, MICRO_COUNT_OF(usual), 8, 4096, 2};
    static const struct micro_values destroyed = {usual_destroyed, MICRO_COUNT_OF(usual_destroyed),
                                                  16, 4096, 2};
    int error = micro_add("region/create", run_create, row);

    if (!error)
        error = micro_add_sizes("region/alloc_reset", run_reset, row, &sizes, set, NULL);
    return error ? error
                 : micro_add_sizes("region/destroy", run_destroy, row, &destroyed, set, NULL);
}

const struct micro_theme micro_region = {"region", ALLOCATOR_REGIONS, 1, add_region};
