/*
 * Checks of malloc, calloc, aligned_alloc, usable_size and free, one function at a time. Leaves out
 * sequences of calls (check_sequences.c) and sizes that cannot be served (check_limits.c). What a
 * block owes is C17, 7.22.3.
 */
#include "harness/check_run.h"

#include <stdio.h>
#include <string.h>

/* --- Alignment. --- */

enum { LARGEST_SIZE = 70000, KEPT_BLOCKS = 64, LARGEST_ALIGNMENT = 1 << 20 };

static void check_aligned_block(unsigned char *block, size_t size)
{
    size_t alignment = size < 16 ? 8 : 16;

    if ((uintptr_t)block % alignment != 0)
        check_fail("malloc(%zu) gives an address that is %zu bytes past a multiple of %zu", size,
                   (size_t)((uintptr_t)block % alignment), alignment);
    block[0] = 1;
    block[size - 1] = 1;
}

/* Some stay alive: the first block of a page is aligned by luck. */
void check_alignment(const struct check_run *run)
{
    static void *kept[KEPT_BLOCKS];
    size_t turn = 0;

    for (size_t size = 1; size <= LARGEST_SIZE; size += CHECK_DIVISOR) {
        for (int again = 0; again < 3; again++) {
            void **place = &kept[turn++ % KEPT_BLOCKS];
            check_call_free(run, *place);
            *place = check_call_malloc(run, size);
            check_aligned_block(*place, size);
        }
    }
    for (size_t i = 0; i < KEPT_BLOCKS; i++)
        check_call_free(run, kept[i]);
}

void check_aligned_alloc(const struct check_run *run)
{
    enum { ALIVE = 8 };
    unsigned char *blocks[ALIVE];

    for (size_t alignment = 1; alignment <= LARGEST_ALIGNMENT; alignment *= 2) {
        for (size_t i = 0; i < ALIVE; i++) {
            size_t size = (1 + i % 3) * alignment;
            blocks[i] = check_call_aligned_alloc(run, alignment, size);
            if ((uintptr_t)blocks[i] % alignment != 0)
                check_fail("aligned_alloc(%zu, %zu) gives an address that is %zu bytes past a "
                           "multiple of %zu",
                           alignment, size, (size_t)((uintptr_t)blocks[i] % alignment), alignment);
            check_stamp(blocks[i], size, alignment + i);
        }
        for (size_t i = 0; i < ALIVE; i++) {
            if (check_has(run, ALLOCATOR_DISTINCT))
                check_stamped(blocks[i], (1 + i % 3) * alignment, alignment + i,
                              "beside its neighbours from aligned_alloc");
            check_call_free(run, blocks[i]);
        }
    }
}

/* --- calloc. --- */

enum { DIRTY_BLOCKS = 32, DIRTY_BYTES = 8 << 20, LARGEST_ZEROED = 4 << 20 };

static void check_zeros(const unsigned char *block, size_t size)
{
    /* All bytes are equal to the next, and the first is 0: as fast as memcmp. */
    if (block[0] == 0 && memcmp(block, block + 1, size - 1) == 0)
        return;
    for (size_t i = 0; i < size; i++) {
        if (block[i])
            check_fail("byte %zu of calloc(1, %zu) is 0x%02x after blocks of that size were "
                       "written and freed",
                       i, size, block[i]);
    }
}

/* Frees blocks full of ones and takes as many from calloc. */
static void check_zero_after_dirt(const struct check_run *run, size_t size, size_t count)
{
    unsigned char *blocks[DIRTY_BLOCKS];

    for (size_t i = 0; i < count; i++) {
        blocks[i] = check_call_malloc(run, size);
        memset(blocks[i], 0xff, size);
    }
    for (size_t i = 0; i < count; i++)
        check_call_free(run, blocks[i]);
    for (size_t i = 0; i < count; i++) {
        blocks[i] = check_call_calloc(run, i % 2 ? size : 1, i % 2 ? 1 : size);
        check_zeros(blocks[i], size);
        if (check_has(run, ALLOCATOR_DISTINCT))
            memset(blocks[i], 0xff, size);
    }
    for (size_t i = 0; i < count; i++)
        check_call_free(run, blocks[i]);
}

void check_calloc_zero(const struct check_run *run)
{
    for (size_t size = 1; size <= LARGEST_ZEROED; size += 1 + size / 4) {
        size_t count = DIRTY_BYTES / CHECK_DIVISOR / size + 1;
        check_zero_after_dirt(run, size, count < DIRTY_BLOCKS ? count : DIRTY_BLOCKS);
    }
}

void check_calloc_overflow(const struct check_run *run)
{
    static const size_t products[][2] = {
        {SIZE_MAX / 2 + 2, 2},   {2, SIZE_MAX / 2 + 2},
        {SIZE_MAX, SIZE_MAX},    {(size_t)1 << 32, ((size_t)1 << 32) + 1},
        {SIZE_MAX / 48 + 1, 48},
    };

    for (size_t i = 0; i < sizeof products / sizeof products[0]; i++) {
        volatile size_t count = products[i][0];
        size_t size = products[i][1];
        if (run->ops->calloc(count, size))
            check_fail("calloc(%zu, %zu) gives a block: the product, which wraps to %zu, was not "
                       "checked",
                       products[i][0], size, products[i][0] * size);
    }
}

/* --- usable_size. --- */

enum { USABLE_BLOCKS = 3000 };

struct usable_block {
    unsigned char *block;
    size_t size, usable;
};

static void take_usable(const struct check_run *run, struct usable_block *taken, uint64_t *state)
{
    taken->size = check_random_size(state);
    taken->block = check_call_malloc(run, taken->size);
    taken->usable = run->ops->usable_size(taken->block);
    if (taken->usable < taken->size)
        check_fail("usable_size of a block of %zu bytes is %zu", taken->size, taken->usable);
}

/* What writing to others may have damaged: the bytes, and what the allocator keeps beside them. */
static void check_usable_block(const struct check_run *run, const struct usable_block *taken,
                               uint64_t mark)
{
    char what[128];
    size_t usable = run->ops->usable_size(taken->block);

    snprintf(what, sizeof what,
             "of %zu bytes asked for, with all usable bytes of all blocks written", taken->size);
    check_filled(taken->block, taken->usable, mark, what);
    if (usable != taken->usable)
        check_fail("usable_size of a block of %zu bytes was %zu, and is %zu once all usable bytes "
                   "of all blocks are written",
                   taken->size, taken->usable, usable);
}

void check_usable_size(const struct check_run *run)
{
    static struct usable_block taken[USABLE_BLOCKS / CHECK_DIVISOR];
    const size_t count = sizeof taken / sizeof taken[0];
    uint64_t state = run->seed;
    size_t asked_bytes = 0, usable_bytes = 0;

    for (size_t i = 0; i < count; i++)
        take_usable(run, &taken[i], &state);
    for (size_t i = 0; i < count; i++) {
        check_fill(taken[i].block, taken[i].usable, i + 1);
        asked_bytes += taken[i].size;
        usable_bytes += taken[i].usable;
    }
    for (size_t i = 0; i < count; i++)
        check_usable_block(run, &taken[i], i + 1);
    for (size_t i = 0; i < count; i++)
        check_call_free(run, taken[i].block);
    check_pass("%.1f %% more than asked for, over %zu random blocks",
               100.0 * (double)(usable_bytes - asked_bytes) / (double)asked_bytes, count);
}

/* --- Nothing at all. --- */

/* What realloc to 0 does is implementation-defined in C17 and undefined in C23: not asked. */
void check_size_zero(const struct check_run *run)
{
    void *first = check_try_malloc(run, 0);
    void *second = check_try_malloc(run, 0);

    check_call_free(run, first);
    check_call_free(run, second);
    if (check_has(run, ALLOCATOR_CALLOC)) {
        check_call_free(run, run->ops->calloc(0, 8));
        check_call_free(run, run->ops->calloc(8, 0));
    }
    if (check_has(run, ALLOCATOR_REALLOC))
        check_call_free(run, check_try_realloc(run, NULL, 0, 0));
    check_call_free(run, check_call_malloc(run, 16));
    check_pass("malloc(0) gives %s", first ? "a block" : "NULL");
}

void check_free_null(const struct check_run *run)
{
    unsigned char *block = check_call_malloc(run, 40);

    check_stamp(block, 40, run->seed);
    for (int i = 0; i < 100; i++)
        check_call_free(run, NULL);
    check_stamped(block, 40, run->seed, "after free(NULL)");
    check_call_free(run, block);
    check_call_free(run, check_call_malloc(run, 40));
}
