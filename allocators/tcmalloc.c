/*
 * tcmalloc of gperftools, without its profilers: thread caches over central lists of spans.
 * Leaves out Google's newer per-CPU tcmalloc, which Debian does not package.
 * Source: Ghemawat and Menage, "TCMalloc: Thread-Caching Malloc"; gperftools docs/tcmalloc.html.
 */
#define _GNU_SOURCE
#include "allocators/shared_library.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void (*tcmalloc_release)(void);
static int (*tcmalloc_property)(const char *property, size_t *value);
static void *(*tcmalloc_malloc)(size_t size);
static const char *(*tcmalloc_name)(int *major, int *minor, const char **patch);

static int tcmalloc_purge(void)
{
    tcmalloc_release();
    return 0;
}

static int tcmalloc_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = shared_library_open(self, ops, &handle, reason);

    (void)raw;
    if (!error)
        error = shared_library_symbol(handle, "MallocExtension_ReleaseFreeMemory",
                                      &tcmalloc_release, reason);
    if (!error)
        error = shared_library_symbol(handle, "tc_version", &tcmalloc_name, reason);
    if (!error)
        error = shared_library_symbol(handle, "MallocExtension_GetNumericProperty",
                                      &tcmalloc_property, reason);
    if (error)
        return error;
    tcmalloc_malloc = ops->malloc;
    ops->purge = tcmalloc_purge;
    return 0;
}

static void tcmalloc_version(char *text)
{
    int major, minor;
    const char *patch;

    tcmalloc_name(&major, &minor, &patch);
    snprintf(text, ALLOCATOR_TEXT_BYTES, "tcmalloc (gperftools) %d.%d%s", major, minor, patch);
}

/* It asks brk first: a large block shows whether it may. How eagerly pages go back, whether it may
 * map, and what it reports, no function in C tells. */
static enum allocator_proof see_skip_sbrk(char *value)
{
    enum { LARGE_BYTES = 64 << 20 };
    char *before = sbrk(0);

    if (!tcmalloc_malloc(LARGE_BYTES))
        return ALLOCATOR_UNPROVED;
    snprintf(value, ALLOCATOR_VALUE_BYTES, "%d", (char *)sbrk(0) - before < LARGE_BYTES);
    return ALLOCATOR_SEEN;
}

static enum allocator_proof tcmalloc_tunable_value(const struct allocator_tunable *tunable,
                                                   const char *asked, char *value)
{
    static const struct {
        const char *name, *property;
    } properties[] = {
        {"aggressive_decommit", "tcmalloc.aggressive_memory_decommit"},
        {"max_total_thread_cache_bytes", "tcmalloc.max_total_thread_cache_bytes"},
        {"heap_limit_mb", "tcmalloc.heap_limit_mb"},
    };
    size_t read;

    (void)asked;
    for (size_t i = 0; i < sizeof properties / sizeof properties[0]; i++) {
        if (strcmp(properties[i].name, tunable->name) != 0)
            continue;
        if (!tcmalloc_property(properties[i].property, &read))
            return ALLOCATOR_UNPROVED;
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%zu", read);
        return ALLOCATOR_TOLD;
    }
    return strcmp(tunable->name, "skip_sbrk") == 0 ? see_skip_sbrk(value) : ALLOCATOR_UNPROVED;
}

/* Names and defaults: gperftools docs/tcmalloc.html, "Modifying Runtime Behavior", for 2.10. */
static const struct allocator_tunable tcmalloc_tunables[] = {
    {"aggressive_decommit", "1 gives free spans back at once; default 0", "0|1", 0, 0},
    {"release_rate", "how eagerly free pages go back, 0 to 10; default 1", NULL, 0, 10},
    {"max_total_thread_cache_bytes", "bound on all thread caches; default 33554432", NULL, 524288,
     1099511627776},
    {"heap_limit_mb", "most MiB of the heap; default 0, none", NULL, 0, 1099511627776},
    {"skip_sbrk", "1 never extends the brk heap; default 0", "0|1", 0, 0},
    {"skip_mmap", "1 never maps memory; default 0", "0|1", 0, 0},
    {"large_alloc_report_threshold",
     "bytes from which an allocation is reported on stderr; default 1 GiB", NULL, 0, INT64_MAX},
    {0},
};

const struct allocator allocator_tcmalloc = {
    .name = "tcmalloc",
    .summary = "gperftools: thread caches over central lists of spans",
    .source = "Ghemawat and Menage; gperftools",
    .family = ALLOCATOR_GENERAL,
    .capabilities = SHARED_LIBRARY_MALLOC_FAMILY | ALLOCATOR_PURGE,
    .soname = "libtcmalloc_minimal.so.4",
    .package = "libtcmalloc-minimal4",
    .signature = "tc_version",
    .environment = {.prefix = "TCMALLOC_", .assign = '='},
    .tunables = tcmalloc_tunables,
    .eager = "aggressive_decommit:1",
    .open = tcmalloc_open,
    .version = tcmalloc_version,
    .tunable_value = tcmalloc_tunable_value,
};
