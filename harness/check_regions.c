/*
 * Checks of regions: blocks, alignment, reset, destroy, refusal. Leaves out alignments above a
 * page, which no workload asks of a region. What a region owes is allocators/allocator.h.
 */
#include "harness/check_run.h"

#include <stdio.h>

enum { BLOCKS = 500, REGIONS = 2, ROUNDS = 20 };
enum { LEAST_ALIGNMENT = 16, ALIGNMENTS = 9 /* to 4096 */ };

static void *create(const struct check_run *run)
{
    check_note("region_create");
    void *region = run->ops->region_create();

    if (!region)
        check_fail("region_create gives NULL");
    return region;
}

static size_t size_of(size_t i, size_t region)
{
    return 1 + i * (40 + region);
}

/* It does no harm to the rest of a check. Said once for each alignment that was asked for and each
 * that came of it, a power of two too. */
static void note_misaligned(size_t size, size_t alignment, size_t past_bytes)
{
    static size_t noted[ALIGNMENTS]; /* of each that was asked for: a sum of those that came */
    const size_t asked = (size_t)__builtin_ctzl(alignment / LEAST_ALIGNMENT);
    const size_t came = past_bytes & -past_bytes;

    if (noted[asked] & came)
        return;
    noted[asked] |= came;
    check_fail_amid("region_alloc of %zu bytes aligned to %zu gives an address that is %zu bytes "
                    "past a multiple",
                    size, alignment, past_bytes);
}

static unsigned char *take(const struct check_run *run, void *region, size_t i, size_t which)
{
    size_t alignment = (size_t)LEAST_ALIGNMENT << (i % ALIGNMENTS), size = size_of(i, which);

    check_note("region_alloc");
    unsigned char *block = run->ops->region_alloc(region, size, alignment);
    if (!block)
        check_fail("region_alloc of %zu bytes aligned to %zu gives NULL", size, alignment);
    if ((uintptr_t)block % alignment != 0)
        note_misaligned(size, alignment, (size_t)((uintptr_t)block % alignment));
    check_fill(block, size, i * REGIONS + which);
    return block;
}

/* Fills both in turn, so that what one does to the other shows, and resets the first more often. */
static void fill_and_look(const struct check_run *run, void *const *regions, int round)
{
    static unsigned char *blocks[BLOCKS][REGIONS];
    char what[64];

    for (size_t i = 0; i < BLOCKS; i++) {
        for (size_t r = 0; r < REGIONS; r++)
            blocks[i][r] = take(run, regions[r], i, r);
    }
    snprintf(what, sizeof what, "after %d resets, block of a region", round);
    for (size_t r = 0; r < REGIONS; r++) {
        for (size_t i = 0; i < BLOCKS; i++)
            check_filled(blocks[i][r], size_of(i, r), i * REGIONS + r, what);
        check_note("region_reset");
        run->ops->region_reset(regions[r]);
    }
}

void check_regions(const struct check_run *run)
{
    void *regions[REGIONS];

    for (size_t r = 0; r < REGIONS; r++)
        regions[r] = create(run);
    for (int round = 0; round < ROUNDS / (CHECK_DIVISOR > 1 ? 5 : 1); round++)
        fill_and_look(run, regions, round);
    for (size_t r = 0; r < REGIONS; r++) {
        check_note("region_destroy");
        run->ops->region_destroy(regions[r]);
    }
}

void check_region_refusal(const struct check_run *run)
{
    static const size_t impossible[] = {PTRDIFF_MAX, SIZE_MAX - 4096, SIZE_MAX - 8, SIZE_MAX};
    void *region = create(run);
    unsigned char *block = take(run, region, 3, 0);

    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        check_note("region_alloc of an impossible size");
        if (run->ops->region_alloc(region, impossible[i], 16))
            check_fail("region_alloc of %zu bytes gives a block", impossible[i]);
    }
    take(run, region, 4, 0);
    check_filled(block, size_of(3, 0), (size_t)3 * REGIONS, "in a region that refused a size");
    run->ops->region_destroy(region);
}

/* As a server with a region for each request: many in all, some at a time, none of them large. */
void check_region_churn(const struct check_run *run)
{
    enum { ALL = 20000 / CHECK_DIVISOR, ALIVE = 64, EACH = 20, BOUND_MIB = 64 };
    static void *regions[ALIVE];
    static unsigned char *last[ALIVE];
    const size_t before_bytes = check_resident_bytes();

    for (size_t i = 0; i < ALL; i++) {
        const size_t at = i % ALIVE;
        if (regions[at]) {
            check_filled(last[at], size_of(EACH - 1, 0), at, "of a region amid others,");
            check_note("region_destroy");
            run->ops->region_destroy(regions[at]);
        }
        regions[at] = create(run);
        for (size_t j = 0; j < EACH; j++)
            last[at] = take(run, regions[at], j, 0);
        check_fill(last[at], size_of(EACH - 1, 0), at);
        if (at == 0)
            check_resident_below(before_bytes, (size_t)BOUND_MIB << 20,
                                 "after regions were destroyed, 64 of them alive");
    }
    for (size_t at = 0; at < ALIVE; at++)
        run->ops->region_destroy(regions[at]);
    check_pass("%d regions of %d blocks, %d at a time", ALL, EACH, ALIVE);
}

void check_region_reuse(const struct check_run *run)
{
    enum { TOTAL_MIB = 1024, ROUND_MIB = 8, BOUND_MIB = 64, BLOCK_BYTES = 4096, RESETS_A_LIFE = 4 };
    const size_t before_bytes = check_resident_bytes();
    void *region = create(run);

    for (size_t round = 0; round < TOTAL_MIB / ROUND_MIB; round++) {
        for (size_t i = 0; i < (size_t)(ROUND_MIB << 20) / BLOCK_BYTES; i++) {
            unsigned char *block = run->ops->region_alloc(region, BLOCK_BYTES, 16);
            if (!block)
                check_fail("region_alloc of %d bytes gives NULL in round %zu", BLOCK_BYTES, round);
            block[0] = 1;
        }
        if (round % RESETS_A_LIFE == 0) {
            run->ops->region_destroy(region);
            region = create(run);
        } else {
            run->ops->region_reset(region);
        }
        check_resident_below(before_bytes, (size_t)BOUND_MIB << 20,
                             "after regions were reset or destroyed");
    }
    run->ops->region_destroy(region);
}
