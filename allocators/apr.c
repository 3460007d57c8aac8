/*
 * apr: the Apache Portable Runtime's pools, as httpd has one for each request: chunks of 8 KiB and
 * more, which a destroyed pool leaves to the next. Leaves out subpools, cleanups and an allocator
 * of its own for each pool. Source: APR's apr_pools.h and apr_allocator.h.
 */
#include "allocators/shared_library.h"

#include <errno.h>
#include <stdio.h>

enum { APR_ALIGNMENT = 8 /* APR_ALIGN_DEFAULT */ };

static int (*pool_create)(void **pool, void *parent, int (*abort_function)(int), void *allocator);
static void *(*pool_alloc)(void *pool, size_t size);
static void (*pool_clear)(void *pool);
static void (*pool_destroy)(void *pool);
static const char *(*apr_version_text)(void);

/* A child of the global pool, and so of its allocator. */
static void *apr_create(void)
{
    void *pool;

    return pool_create(&pool, NULL, NULL, NULL) == 0 ? pool : NULL;
}

static void *apr_alloc(void *region, size_t size, size_t alignment)
{
    if (alignment <= APR_ALIGNMENT)
        return pool_alloc(region, size);
    if (size > PTRDIFF_MAX - alignment)
        return NULL;
    char *block = pool_alloc(region, size + alignment - APR_ALIGNMENT);
    return block ? block + (-(uintptr_t)block & (alignment - 1)) : NULL;
}

static int apr_open(const struct allocator *self, struct allocator_ops *ops,
                    const struct allocator_ops *raw, char *reason)
{
    int (*initialize)(void);
    const struct shared_library_function functions[] = {
        {"apr_initialize", &initialize},
        {"apr_pool_create_ex", &pool_create},
        {"apr_palloc", &pool_alloc},
        {"apr_pool_clear", &pool_clear},
        {"apr_pool_destroy", &pool_destroy},
        {"apr_version_string", &apr_version_text},
        {0},
    };
    int error = shared_library_functions(self, functions, reason);

    (void)raw;
    if (error)
        return error;
    if (initialize() != 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "apr_initialize failed");
        return -ENOMEM;
    }
    *ops = (struct allocator_ops){
        .region_create = apr_create,
        .region_alloc = apr_alloc,
        .region_reset = pool_clear,
        .region_destroy = pool_destroy,
    };
    return 0;
}

static void apr_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "APR %s", apr_version_text());
}

const struct allocator allocator_apr = {
    .name = "apr",
    .summary = "Apache's pools: chunks of 8 KiB and more, kept for the next pool",
    .source = "APR apr_pools.h",
    .family = ALLOCATOR_REGION,
    .capabilities = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT,
    .soname = "libapr-1.so.0",
    .package = "libapr1",
    .open = apr_open,
    .version = apr_version,
};
