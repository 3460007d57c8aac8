/*
 * talloc: Samba's hierarchical allocator: each block is one of libc's malloc with a header that
 * names its parent, and freeing a parent frees its children. Leaves out references, destructors and
 * talloc_pool. Source: Tridgell, "Using talloc in Samba4", 2004; talloc.h.
 */
#include "allocators/shared_library.h"

#include <stdio.h>

enum { TALLOC_ALIGNMENT = 16 };

static void *(*talloc_context)(const void *parent, size_t size, const char *name);
static void *(*talloc_block)(const void *parent, size_t size);
static void (*talloc_free_blocks)(void *context);
static int (*talloc_free_context)(void *context, const char *location);
static int (*talloc_major)(void);
static int (*talloc_minor)(void);

static void *talloc_create(void)
{
    return talloc_context(NULL, 0, "region");
}

/* Blocks above 256 MiB are refused by the library. */
static void *talloc_alloc(void *region, size_t size, size_t alignment)
{
    if (alignment <= TALLOC_ALIGNMENT)
        return talloc_block(region, size);
    if (size > PTRDIFF_MAX - alignment)
        return NULL;
    char *block = talloc_block(region, size + alignment - TALLOC_ALIGNMENT);
    return block ? block + (-(uintptr_t)block & (alignment - 1)) : NULL;
}

static void talloc_destroy(void *region)
{
    talloc_free_context(region, "region_destroy"); /* where from, for its logs */
}

static int talloc_open(const struct allocator *self, struct allocator_ops *ops,
                       const struct allocator_ops *raw, char *reason)
{
    const struct shared_library_function functions[] = {
        {"talloc_named_const", &talloc_context},
        {"_talloc", &talloc_block},
        {"talloc_free_children", &talloc_free_blocks},
        {"_talloc_free", &talloc_free_context},
        {"talloc_version_major", &talloc_major},
        {"talloc_version_minor", &talloc_minor},
        {0},
    };
    int error = shared_library_functions(self, functions, reason);

    (void)raw;
    if (error)
        return error;
    *ops = (struct allocator_ops){
        .region_create = talloc_create,
        .region_alloc = talloc_alloc,
        .region_reset = talloc_free_blocks,
        .region_destroy = talloc_destroy,
    };
    return 0;
}

static void talloc_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "talloc %d.%d", talloc_major(), talloc_minor());
}

const struct allocator allocator_talloc = {
    .name = "talloc",
    .summary = "Samba's trees of blocks: a malloc each, a parent frees its children",
    .source = "Tridgell 2004; talloc.h",
    .family = ALLOCATOR_REGION,
    .capabilities = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT,
    .soname = "libtalloc.so.2",
    .package = "libtalloc2",
    .open = talloc_open,
    .version = talloc_version,
};
