/*
 * tcmalloc of gperftools, without its profilers: thread caches over central lists of spans.
 * Leaves out Google's newer per-CPU tcmalloc, which Debian does not package.
 * Source: Ghemawat and Menage, "TCMalloc: Thread-Caching Malloc"; gperftools docs/tcmalloc.html.
 */
#include "allocators/shared_library.h"

#include <stdio.h>

extern const struct allocator allocator_tcmalloc;

static void (*tcmalloc_release)(void);
static const char *(*tcmalloc_name)(int *major, int *minor, const char **patch);

static int tcmalloc_purge(void)
{
    tcmalloc_release();
    return 0;
}

static int tcmalloc_open(struct allocator_ops *ops, const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = shared_library_open(&allocator_tcmalloc, ops, &handle, reason);

    (void)raw;
    if (!error)
        error = shared_library_symbol(handle, "MallocExtension_ReleaseFreeMemory",
                                      &tcmalloc_release, reason);
    if (!error)
        error = shared_library_symbol(handle, "tc_version", &tcmalloc_name, reason);
    if (error)
        return error;
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
    .environment = {.prefix = "TCMALLOC_", .assign = '='},
    .tunables = tcmalloc_tunables,
    .open = tcmalloc_open,
    .version = tcmalloc_version,
};
