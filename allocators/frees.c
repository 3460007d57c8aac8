/*
 * frees: what a program without regions does. Each block comes from the allocator beneath, its
 * address is kept in a list, and the end of the region frees block after block, oldest first, as
 * they were made. Leaves out blocks that are freed earlier. The measure of every region here: the
 * list costs 8 bytes a block. Source: Berger, Zorn and McKinley, "Reconsidering Custom Memory
 * Allocation", OOPSLA 2002, which sets regions beside general allocators.
 */
#include "allocators/allocator.h"

#include <errno.h>
#include <stdio.h>

enum { LIST_BLOCKS = 510, MALLOC_ALIGNMENT = 16 };

/* 4 KiB of addresses. */
struct list {
    struct list *next;
    size_t count;
    void *blocks[LIST_BLOCKS];
};

struct frees {
    struct list *oldest, *newest; /* never NULL */
};

static const struct allocator_ops *frees_raw;

static struct list *list_create(void)
{
    struct list *list = frees_raw->malloc(sizeof *list);

    if (!list)
        return NULL;
    list->next = NULL;
    list->count = 0;
    return list;
}

static void *frees_create(void)
{
    struct frees *frees = frees_raw->malloc(sizeof *frees);

    if (!frees)
        return NULL;
    frees->oldest = list_create();
    frees->newest = frees->oldest;
    if (!frees->oldest) {
        frees_raw->free(frees);
        return NULL;
    }
    return frees;
}

/*
 * `*taken` is the address for free. For more than malloc's alignment it asks for more bytes, not
 * for aligned_alloc: a program could do either, but not every allocator has the function.
 */
static void *take(size_t size, size_t alignment, void **taken)
{
    if (size < alignment && size < MALLOC_ALIGNMENT)
        size = MALLOC_ALIGNMENT; /* smaller blocks may be aligned to 8 alone */
    if (alignment <= MALLOC_ALIGNMENT)
        return *taken = frees_raw->malloc(size);
    if (size > PTRDIFF_MAX - alignment)
        return NULL;
    char *block = *taken = frees_raw->malloc(size + alignment - MALLOC_ALIGNMENT);
    return block ? block + (-(uintptr_t)block & (alignment - 1)) : NULL;
}

static void *frees_alloc(void *region, size_t size, size_t alignment)
{
    struct frees *frees = region;
    void *taken;

    if (frees->newest->count == LIST_BLOCKS) {
        struct list *list = list_create();
        if (!list)
            return NULL;
        frees->newest->next = list;
        frees->newest = list;
    }
    void *block = take(size, alignment, &taken);
    if (block)
        frees->newest->blocks[frees->newest->count++] = taken;
    return block;
}

/* Keeps the first page of the list. */
static void frees_reset(void *region)
{
    struct frees *frees = region;
    struct list *list = frees->oldest;

    do {
        struct list *next = list->next;
        for (size_t i = 0; i < list->count; i++)
            frees_raw->free(list->blocks[i]);
        if (list != frees->oldest)
            frees_raw->free(list);
        list = next;
    } while (list);
    frees->oldest->next = NULL;
    frees->oldest->count = 0;
    frees->newest = frees->oldest;
}

static void frees_destroy(void *region)
{
    struct frees *frees = region;

    frees_reset(frees);
    frees_raw->free(frees->oldest);
    frees_raw->free(frees);
}

static int frees_open(const struct allocator *self, struct allocator_ops *ops,
                      const struct allocator_ops *raw, char *reason)
{
    (void)self;
    if (!raw) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "it stands on a general allocator");
        return -EINVAL;
    }
    frees_raw = raw;
    *ops = (struct allocator_ops){
        .region_create = frees_create,
        .region_alloc = frees_alloc,
        .region_reset = frees_reset,
        .region_destroy = frees_destroy,
    };
    return 0;
}

static void frees_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "a list of frees");
}

const struct allocator allocator_frees = {
    .name = "frees",
    .summary = "no region: blocks of the general allocator beneath, freed one by one at its end",
    .source = "Berger, Zorn, McKinley 2002",
    .family = ALLOCATOR_REGION,
    .capabilities =
        ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_BENEATH | ALLOCATOR_TRACEABLE,
    .open = frees_open,
    .version = frees_version,
};
