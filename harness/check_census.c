/*
 * The check of a census: what is told of pools adds up to the figures and the classes, and follows
 * each block that is made or freed. Leaves out whether the figures are those of CPython
 * (tests/census_oracle_test.c). What a census owes is allocators/allocator.h.
 */
#include "harness/check_run.h"

#include <inttypes.h>
#include <string.h>

enum { BLOCKS = 30000, BLOCK_BYTES = 100 };

/* A census as it is told. All zero before. */
static struct census {
    uint64_t arena_bytes, pool_bytes, header_bytes, arenas_current, pools_unused, allocated_bytes;
    uint64_t class_pools, class_in_use, class_bytes;
    uint64_t arenas, free_pools, pools_in_use, in_use, in_use_bytes;
    uintptr_t base;
    size_t block_bytes; /* of the last class */
} census;

static void take_figure(void *context, const char *name, uint64_t value)
{
    const struct {
        const char *name;
        uint64_t *field;
    } figures[] = {
        {"arena_bytes", &census.arena_bytes},        {"pool_bytes", &census.pool_bytes},
        {"pool_header_bytes", &census.header_bytes}, {"arenas_current", &census.arenas_current},
        {"pools_unused", &census.pools_unused},      {"allocated_bytes", &census.allocated_bytes},
    };

    if (context != &census)
        check_fail("a figure has another context than was given");
    if (census.class_pools + census.arenas > 0)
        check_fail("the figure %.31s comes after a size class or an arena", name);
    if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(name) || strlen(name) > 31)
        check_fail("a figure is called '%.64s'", name);
    if (value > INT64_MAX)
        check_fail("the figure %s is %" PRIu64 ", 2^63 or more", name, value);
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++) {
        if (strcmp(name, figures[i].name) == 0)
            *figures[i].field = value;
    }
}

static void take_class(void *context, size_t block_bytes, size_t pools, size_t blocks_in_use,
                       size_t blocks_available)
{
    if (context != &census || census.arenas > 0)
        check_fail("a size class comes after an arena, or with another context");
    if (block_bytes <= census.block_bytes || pools == 0)
        check_fail("the class of %zu bytes, of %zu pools, comes after that of %zu", block_bytes,
                   pools, census.block_bytes);
    size_t blocks = (census.pool_bytes - census.header_bytes) / block_bytes;
    if (blocks_in_use + blocks_available != pools * blocks)
        check_fail("%zu pools of %zu blocks of %zu bytes have %zu in use and %zu available", pools,
                   blocks, block_bytes, blocks_in_use, blocks_available);
    census.block_bytes = block_bytes;
    census.class_pools += pools;
    census.class_in_use += blocks_in_use;
    census.class_bytes += blocks_in_use * block_bytes;
}

static void take_arena(void *context, uintptr_t base)
{
    if (context != &census)
        check_fail("an arena has another context than was given");
    if (census.arenas > 0 && base < census.base + census.arena_bytes)
        check_fail("an arena begins below the end of the one before");
    census.base = base;
    census.arenas++;
}

static void take_pool(void *context, size_t block_bytes, size_t blocks_in_use)
{
    if (context != &census || census.arenas == 0)
        check_fail("a pool comes before every arena, or with another context");
    if ((block_bytes == 0) != (blocks_in_use == 0))
        check_fail("a pool has %zu blocks of %zu bytes in use", blocks_in_use, block_bytes);
    census.free_pools += block_bytes == 0;
    census.pools_in_use += block_bytes != 0;
    census.in_use += blocks_in_use;
    census.in_use_bytes += blocks_in_use * block_bytes;
}

static void expect_equal(uint64_t told, uint64_t pools, const char *what)
{
    if (told != pools)
        check_fail("%s: %" PRIu64 ", but the pools add up to %" PRIu64, what, told, pools);
}

/* Returns the blocks in use. */
static uint64_t take_census(const struct check_run *run)
{
    static const struct allocator_census counter = {&census, take_figure, take_class, take_arena,
                                                    take_pool};

    check_note("census");
    memset(&census, 0, sizeof census);
    run->ops->census(&counter);
    if (census.pool_bytes == 0 || census.arena_bytes < census.pool_bytes)
        check_fail("pools of %" PRIu64 " bytes in arenas of %" PRIu64, census.pool_bytes,
                   census.arena_bytes);
    expect_equal(census.class_pools, census.pools_in_use, "pools of all classes");
    expect_equal(census.class_in_use, census.in_use, "blocks in use of all classes");
    expect_equal(census.class_bytes, census.in_use_bytes, "bytes in use of all classes");
    expect_equal(census.allocated_bytes, census.in_use_bytes, "allocated_bytes");
    expect_equal(census.arenas_current, census.arenas, "arenas_current");
    expect_equal(census.pools_unused, census.free_pools, "pools_unused");
    return census.in_use;
}

static void expect_in_use(const struct check_run *run, uint64_t expected, const char *after)
{
    uint64_t in_use = take_census(run);

    if (in_use != expected)
        check_fail("after %s %" PRIu64 " blocks are in use, and it tells of %" PRIu64, after,
                   expected, in_use);
}

static void free_from(const struct check_run *run, void *const *blocks, size_t first)
{
    for (size_t i = first; i < BLOCKS; i += 2)
        check_call_free(run, blocks[i]);
}

void check_census(const struct check_run *run)
{
    static void *blocks[BLOCKS];
    uint64_t before = take_census(run);

    for (size_t i = 0; i < BLOCKS; i++)
        blocks[i] = check_call_malloc(run, BLOCK_BYTES);
    expect_in_use(run, before + BLOCKS, "malloc");
    free_from(run, blocks, 1);
    expect_in_use(run, before + BLOCKS / 2, "half of the frees");
    free_from(run, blocks, 0);
    expect_in_use(run, before, "all frees");
    check_pass("%d blocks of %d bytes, made and freed", BLOCKS, BLOCK_BYTES);
}
