/*
 * Checks of realloc: content across every boundary, large blocks, NULL and failure. Leaves out
 * random sequences (check_sequences.c) and what a realloc to size 0 does, which C leaves open.
 */
#include "harness/check_run.h"

#include <stdio.h>

enum { LARGEST_STEP = 4200, RANDOM_STEPS = 2000, LARGEST_RANDOM = 70000, KEPT_BLOCKS = 16 };

static void *resize_filled(const struct check_run *run, void *block, size_t from, size_t to,
                           uint64_t mark)
{
    char what[96];
    size_t kept = from < to ? from : to;

    snprintf(what, sizeof what, "after realloc of a block of %zu bytes to %zu", from, to);
    void *moved = check_call_realloc(run, block, from, to);
    check_filled(moved, kept, mark, what);
    check_fill(moved, to, mark);
    return moved;
}

/* One byte up, two down, one up: across the boundary on either side of every size. */
static void step_around(const struct check_run *run, void **block, size_t size)
{
    *block = check_call_malloc(run, size);
    check_fill(*block, size, size);
    *block = resize_filled(run, *block, size, size + 1, size);
    if (size > 1) {
        *block = resize_filled(run, *block, size + 1, size - 1, size);
        *block = resize_filled(run, *block, size - 1, size, size);
    }
}

static void jump_about(const struct check_run *run, size_t steps)
{
    uint64_t state = run->seed;
    size_t size = 1;
    void *block = check_call_malloc(run, size);

    check_fill(block, size, run->seed);
    for (size_t i = 0; i < steps; i++) {
        size_t next = 1 + check_random_below(&state, LARGEST_RANDOM);
        block = resize_filled(run, block, size, next, run->seed);
        size = next;
    }
    check_call_free(run, block);
}

void check_realloc_content(const struct check_run *run)
{
    static void *kept[KEPT_BLOCKS];

    /* Every third where a sanitizer makes it dearer: each step crosses two boundaries. */
    for (size_t size = 1; size <= LARGEST_STEP; size += CHECK_DIVISOR > 1 ? 3 : 1) {
        void **place = &kept[size % KEPT_BLOCKS];
        check_call_free(run, *place);
        step_around(run, place, size);
    }
    for (size_t i = 0; i < KEPT_BLOCKS; i++)
        check_call_free(run, kept[i]);
    jump_about(run, RANDOM_STEPS / CHECK_DIVISOR);
}

/* Fills what is new, so that each byte is written once on the way up. */
static unsigned char *resize_large(const struct check_run *run, unsigned char *block, size_t from,
                                   size_t to)
{
    char what[96];

    snprintf(what, sizeof what, "after realloc of a block of %zu bytes to %zu", from, to);
    block = check_call_realloc(run, block, from, to);
    /* Whole while it is cheap; then by the page, which is how large blocks go wrong. */
    for (size_t i = 0, step = to <= 1 << 20 ? 1 : 509; i < (from < to ? from : to); i += step) {
        if (block[i] != (unsigned char)(i % 251 + 1))
            check_fail("%s: byte %zu is 0x%02x and was written as 0x%02zx", what, i, block[i],
                       i % 251 + 1);
    }
    for (size_t i = from; i < to; i++)
        block[i] = (unsigned char)(i % 251 + 1);
    return block;
}

void check_realloc_large(const struct check_run *run)
{
    const size_t largest = CHECK_DIVISOR == 1 ? 64 << 20 : 4 << 20;
    unsigned char *block = NULL;
    size_t size = 0;

    for (size_t next = 1; next <= largest; next *= 2) {
        block = resize_large(run, block, size, next);
        size = next;
    }
    for (size_t next = largest / 2; next >= 1; next /= 2) {
        block = resize_large(run, block, size, next);
        size = next;
    }
    check_call_free(run, block);
}

void check_realloc_null(const struct check_run *run)
{
    enum { BLOCKS = 200 };
    static unsigned char *blocks[BLOCKS];

    for (size_t i = 0; i < BLOCKS; i++) {
        blocks[i] = check_call_realloc(run, NULL, 0, 1 + i * i);
        check_fill(blocks[i], 1 + i * i, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        check_filled(blocks[i], 1 + i * i, i, "from realloc(NULL, size)");
        check_call_free(run, blocks[i]);
    }
}

static void refuse_to_grow(const struct check_run *run, size_t old_size)
{
    static const size_t impossible[] = {PTRDIFF_MAX, SIZE_MAX - 4096, SIZE_MAX - 15, SIZE_MAX};
    char what[96];
    void *block = check_call_malloc(run, old_size);

    check_fill(block, old_size, old_size);
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        volatile size_t wanted = impossible[i];
        if (check_try_realloc(run, block, old_size, wanted))
            check_fail("realloc of a block of %zu bytes to %zu gives a block", old_size,
                       impossible[i]);
        snprintf(what, sizeof what, "after realloc to %zu, which gave NULL", impossible[i]);
        check_filled(block, old_size, old_size, what);
    }
    /* Still a block of its own: it can grow as far as there is room. */
    check_call_free(run, resize_filled(run, block, old_size, 2 * old_size, old_size));
}

void check_realloc_failure(const struct check_run *run)
{
    for (size_t size = 8; size <= 1 << 20; size = size * 3 + 1)
        refuse_to_grow(run, size);
}
