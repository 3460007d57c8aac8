/*
 * glibc's malloc (ptmalloc): the process's own, so nothing is opened. Boundary tags, bins, a
 * per-thread cache and a brk heap. Leaves out mallopt: tunables are given through the environment,
 * as a user gives them. Source: malloc/malloc.c of glibc, from Doug Lea's and Wolfram Gloger's
 * allocators.
 */
#include "allocators/glibc_tunables.h"

#include <gnu/libc-version.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

static int glibc_purge(void)
{
    malloc_trim(0);
    return 0;
}

static int glibc_open(const struct allocator *self, struct allocator_ops *ops,
                      const struct allocator_ops *raw, char *reason)
{
    (void)self;
    (void)raw;
    (void)reason;
    *ops = (struct allocator_ops){
        .malloc = malloc,
        .calloc = calloc,
        .realloc = realloc,
        .aligned_alloc = aligned_alloc,
        .free = free,
        .usable_size = malloc_usable_size,
        .purge = glibc_purge,
    };
    return 0;
}

static void glibc_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "glibc %s", gnu_get_libc_version());
}

/* Names and defaults: the glibc manual, "Memory Allocation Tunables", for 2.36 on 64-bit. */
static const struct allocator_tunable glibc_tunables[] = {
    {"tcache_count", "blocks a thread caches of each size; 0 turns the cache off; default 7", NULL,
     0, 65535},
    {"tcache_max", "largest size in bytes that is cached; default 1032", NULL, 0, 1048576},
    {"mxfast", "largest size in bytes kept in fastbins, uncoalesced; default 128", NULL, 0, 160},
    {"trim_threshold",
     "free bytes at the top of the heap that are given back; default 131072, dynamic", NULL, 0,
     INT64_MAX},
    {"mmap_threshold", "bytes from which a block is a mapping of its own; default 131072, dynamic",
     NULL, 0, INT64_MAX},
    {"top_pad", "extra bytes taken each time that the heap grows; default 131072", NULL, 0,
     INT64_MAX},
    {"arena_max", "most arenas; default 8 a core", NULL, 1, 65536},
    {"hugetlb", "1: madvise for transparent huge pages, 2: MAP_HUGETLB; default 0", NULL, 0, 2},
    {0},
};

const struct allocator allocator_glibc = {
    .name = "glibc",
    .summary = "the C library's own malloc: bins over a brk heap, thread cache",
    .source = "glibc malloc/malloc.c (ptmalloc)",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_ALIGNED |
                    ALLOCATOR_FREE | ALLOCATOR_USABLE_SIZE | ALLOCATOR_PURGE | ALLOCATOR_DISTINCT |
                    ALLOCATOR_THREADS,
    .environment = {.variable = "GLIBC_TUNABLES",
                    .prefix = "glibc.malloc.",
                    .assign = '=',
                    .separator = ':'},
    .tunables = glibc_tunables,
    /* No block waits in a cache, and the top goes back whenever it is looked at. */
    .eager = "tcache_count:0+mxfast:0+trim_threshold:0+top_pad:0",
    .open = glibc_open,
    .version = glibc_version,
    .tunable_value = glibc_tunable_value,
};
