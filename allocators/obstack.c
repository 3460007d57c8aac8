/*
 * obstack: the C library's object stacks, chunks of some 4 KiB from the allocator beneath. Leaves
 * out objects that grow, and freeing back to an object in the middle, which it was made for. Its
 * lengths are ints: a larger block is refused. Source: the GNU C library manual, "Obstacks".
 */
#include "allocators/allocator.h"

#include <errno.h>
#include <limits.h>
#include <obstack.h>
#include <setjmp.h>
#include <stdio.h>

enum { OBSTACK_ALIGNMENT = 16, OBSTACK_MOST_BYTES = INT_MAX / 2 };

struct obstack_region {
    struct obstack obstack;
    void *first; /* what comes after it is freed by a reset */
};

static const struct allocator_ops *obstack_raw;
static jmp_buf obstack_failed;

static void *obstack_chunk(void *context, long size)
{
    (void)context;
    return obstack_raw->malloc((size_t)size);
}

static void obstack_release(void *context, void *chunk)
{
    (void)context;
    obstack_raw->free(chunk);
}

/* Called where there is no chunk: it must not return, and what it is called from has changed
 * nothing by then. */
static void obstack_give_up(void)
{
    longjmp(obstack_failed, 1);
}

static void *obstack_create(void)
{
    struct obstack_region *region = obstack_raw->malloc(sizeof *region);

    if (!region)
        return NULL;
    if (setjmp(obstack_failed)) {
        obstack_raw->free(region);
        return NULL;
    }
    /* Size 0 is the default of obstack_init: 4064 bytes. */
    obstack_specify_allocation_with_arg(&region->obstack, 0, OBSTACK_ALIGNMENT, obstack_chunk,
                                        obstack_release, NULL);
    region->first = obstack_alloc(&region->obstack, 0);
    return region;
}

static void *alloc_in_chunk(struct obstack *obstack, int bytes)
{
    return obstack_alloc(obstack, bytes);
}

/* Where a chunk may be needed: a jump is prepared here alone, since it costs as much as a block. */
static void *alloc_with_chunk(struct obstack *obstack, int bytes)
{
    if (setjmp(obstack_failed))
        return NULL;
    return alloc_in_chunk(obstack, bytes);
}

static void *obstack_region_alloc(void *region, size_t size, size_t alignment)
{
    struct obstack *obstack = &((struct obstack_region *)region)->obstack;
    const size_t slack = alignment > OBSTACK_ALIGNMENT ? alignment - OBSTACK_ALIGNMENT : 0;

    if (slack > OBSTACK_MOST_BYTES || size > OBSTACK_MOST_BYTES - slack)
        return NULL;
    const int bytes = (int)(size + slack);
    char *block = (int)obstack_room(obstack) >= bytes ? alloc_in_chunk(obstack, bytes)
                                                      : alloc_with_chunk(obstack, bytes);
    if (slack && block)
        block += -(uintptr_t)block & (alignment - 1);
    return block;
}

static void obstack_reset(void *region)
{
    struct obstack_region *stack = region;

    obstack_free(&stack->obstack, stack->first);
    stack->first = obstack_alloc(&stack->obstack, 0);
}

static void obstack_destroy(void *region)
{
    struct obstack_region *stack = region;

    obstack_free(&stack->obstack, NULL);
    obstack_raw->free(stack);
}

static int obstack_open(const struct allocator *self, struct allocator_ops *ops,
                        const struct allocator_ops *raw, char *reason)
{
    (void)self;
    if (!raw) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "it stands on a general allocator");
        return -EINVAL;
    }
    obstack_raw = raw;
    obstack_alloc_failed_handler = obstack_give_up;
    *ops = (struct allocator_ops){
        .region_create = obstack_create,
        .region_alloc = obstack_region_alloc,
        .region_reset = obstack_reset,
        .region_destroy = obstack_destroy,
    };
    return 0;
}

static void obstack_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "glibc's obstack, chunks of 4 KiB");
}

const struct allocator allocator_obstack = {
    .name = "obstack",
    .summary = "the C library's object stacks: chunks of 4 KiB from the allocator beneath",
    .source = "GNU C library, obstack.h",
    .family = ALLOCATOR_REGION,
    .capabilities =
        ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_BENEATH | ALLOCATOR_TRACEABLE,
    .open = obstack_open,
    .version = obstack_version,
};
