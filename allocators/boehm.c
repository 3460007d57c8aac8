/*
 * boehm and boehm-collected: the Boehm-Demers-Weiser collector, once with its explicit free and
 * once as the collector that it is, where free drops nothing. Leaves out threads, each of which
 * would have to be registered, pointer-free blocks, and GC_memalign: it gives the inside of a
 * larger block, of which GC_size and GC_realloc say what is wrong. Source: Boehm and Weiser,
 * "Garbage Collection in an Uncooperative Environment", Software: Practice and Experience, 1988.
 */
#include "allocators/shared_library.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *(*gc_malloc)(size_t size);
static void *(*gc_realloc)(void *block, size_t size);
static void (*gc_collect_and_unmap)(void);
static size_t (*gc_unmapped_bytes)(void);
static size_t (*gc_heap_bytes)(void);
static unsigned (*gc_version)(void);
static size_t (*gc_free_space_divisor)(void);
static int (*gc_full_frequency)(void);
static int (*gc_is_disabled)(void);
static int (*gc_forces_unmap)(void);

/* Blocks of either kind come zeroed. */
static void *boehm_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return gc_malloc(bytes);
}

/* GC_realloc gives a block of the kind that it is given, and a collectable one for NULL. */
static void *boehm_realloc(void *block, size_t size)
{
    return block ? gc_realloc(block, size) : gc_malloc(size);
}

/* The block ends when a collection finds no pointer to it. */
static void boehm_forget(void *block)
{
    (void)block;
}

/* A block of pages is unmapped when it has been found free some collections long: by the third at
 * the latest (8.2), so it goes on from there until nothing more is unmapped. */
static int boehm_purge(void)
{
    enum { LEAST = 3, MOST = 8 };
    size_t before_bytes = 0;

    for (int i = 0; i < MOST; i++) {
        gc_collect_and_unmap();
        if (i >= LEAST && gc_unmapped_bytes() == before_bytes)
            return 0;
        before_bytes = gc_unmapped_bytes();
    }
    return 0;
}

static int boehm_load(const struct allocator *self, struct allocator_ops *ops,
                      const char *malloc_name, char *reason)
{
    void (*init)(void), (*ignore_warning)(char *, uintptr_t);
    void (*set_warn_proc)(void (*warn)(char *, uintptr_t));
    struct allocator_ops found = {
        .calloc = boehm_calloc, .realloc = boehm_realloc, .purge = boehm_purge};
    const struct shared_library_function functions[] = {
        {malloc_name, &found.malloc},
        {"GC_realloc", &gc_realloc},
        {"GC_free", &found.free},
        {"GC_size", &found.usable_size},
        {"GC_gcollect_and_unmap", &gc_collect_and_unmap},
        {"GC_get_unmapped_bytes", &gc_unmapped_bytes},
        {"GC_get_heap_size", &gc_heap_bytes},
        {"GC_get_version", &gc_version},
        {"GC_get_free_space_divisor", &gc_free_space_divisor},
        {"GC_get_full_freq", &gc_full_frequency},
        {"GC_is_disabled", &gc_is_disabled},
        {"GC_get_force_unmap_on_gcollect", &gc_forces_unmap},
        {"GC_init", &init},
        {"GC_set_warn_proc", &set_warn_proc},
        {"GC_ignore_warn_proc", &ignore_warning},
        {0},
    };
    int error = shared_library_functions(self, functions, reason);

    if (error)
        return error;
    init();
    set_warn_proc(ignore_warning); /* else it says on stderr what malloc says by NULL */
    gc_malloc = found.malloc;
    *ops = found;
    return 0;
}

static int boehm_open(const struct allocator *self, struct allocator_ops *ops,
                      const struct allocator_ops *raw, char *reason)
{
    (void)raw;
    return boehm_load(self, ops, "GC_malloc_uncollectable", reason);
}

static int boehm_collected_open(const struct allocator *self, struct allocator_ops *ops,
                                const struct allocator_ops *raw, char *reason)
{
    int error = boehm_load(self, ops, "GC_malloc", reason);

    (void)raw;
    if (error)
        return error;
    ops->free = boehm_forget;
    return 0;
}

static void boehm_version(char *text)
{
    /* 0x80202 is 8.2.2 (gc_version.h). */
    unsigned number = gc_version();

    snprintf(text, ALLOCATOR_TEXT_BYTES, "Boehm GC %u.%u.%u", number >> 16, number >> 8 & 0xff,
             number & 0xff);
}

/* The heap begins with what was asked for, in whole pages; with less, the wish was not heard. */
static enum allocator_proof see_initial_heap(const char *asked, char *value)
{
    enum { PAGE_BYTES = 4096 };
    const unsigned long long asked_pages = strtoull(asked, NULL, 10) / PAGE_BYTES;

    if (gc_heap_bytes() / PAGE_BYTES >= asked_pages)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%s", asked);
    else
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%zu", gc_heap_bytes());
    return ALLOCATOR_SEEN;
}

static enum allocator_proof boehm_tunable_value(const struct allocator_tunable *tunable,
                                                const char *asked, char *value)
{
    if (strcmp(tunable->name, "free_space_divisor") == 0)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%zu", gc_free_space_divisor());
    else if (strcmp(tunable->name, "full_frequency") == 0)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%d", gc_full_frequency());
    else if (strcmp(tunable->name, "dont_gc") == 0)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%d", gc_is_disabled() != 0);
    else if (strcmp(tunable->name, "force_unmap_on_gcollect") == 0)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%d", gc_forces_unmap());
    else if (strcmp(tunable->name, "initial_heap_size") == 0)
        return see_initial_heap(asked, value);
    else
        return ALLOCATOR_UNPROVED;
    return ALLOCATOR_TOLD;
}

/* Names and defaults: README.environment of the collector, for 8.2. */
static const struct allocator_tunable boehm_tunables[] = {
    {"free_space_divisor", "larger collects more often and takes less memory; default 3", NULL, 1,
     1000},
    {"full_frequency", "partial collections between full ones, where it is incremental; default 19",
     NULL, 0, 1000000},
    {"initial_heap_size", "bytes that the heap begins with; default 65536", NULL, 65536,
     1099511627776},
    {"dont_gc", "1 never collects; default: it does", "1", 0, 0},
    {"force_unmap_on_gcollect", "1 unmaps all it can at each explicit collection; default 0", "0|1",
     0, 0},
    {"unmap_threshold", "collections after which free pages are unmapped, 0 never; default 6", NULL,
     0, 1000000},
    {0},
};

#define BOEHM_SHARED                                                                               \
    .source = "Boehm and Weiser 1988; bdwgc", .family = ALLOCATOR_GENERAL, .soname = "libgc.so.1", \
    .package = "libgc1", .environment = {.prefix = "GC_", .assign = '='},                          \
    .tunables = boehm_tunables, .version = boehm_version, .tunable_value = boehm_tunable_value,    \
    .eager = "unmap_threshold:1"

const struct allocator allocator_boehm = {
    .name = "boehm",
    .summary = "the Boehm collector with explicit free: no block is collected",
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE |
                    ALLOCATOR_USABLE_SIZE | ALLOCATOR_PURGE | ALLOCATOR_DISTINCT,
    .open = boehm_open,
    BOEHM_SHARED,
};

const struct allocator allocator_boehm_collected = {
    .name = "boehm-collected",
    .summary = "the Boehm collector: free drops nothing, a collection finds what is unreachable",
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE |
                    ALLOCATOR_USABLE_SIZE | ALLOCATOR_PURGE | ALLOCATOR_DISTINCT |
                    ALLOCATOR_COLLECTED,
    .open = boehm_collected_open,
    BOEHM_SHARED,
};
