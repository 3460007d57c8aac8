/*
 * mimalloc: free lists sharded by page inside segments, deferred decommit.
 * Leaves out its first-class heaps (mimalloc_heap.c).
 * Source: Leijen, Zorn and de Moura, "Mimalloc: Free List Sharding in Action", MSR-TR-2019-18.
 */
#include "allocators/mimalloc.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

static void (*mimalloc_collect)(bool force);
static int (*mimalloc_number)(void);
static long (*mimalloc_option_get)(int option);

int mimalloc_purge(void)
{
    mimalloc_collect(true);
    return 0;
}

int mimalloc_load(const struct allocator *self, struct allocator_ops *ops, void **handle,
                  char *reason)
{
    struct allocator_ops found;
    int error = shared_library_open(self, &found, handle, reason);

    if (!error)
        error = shared_library_symbol(*handle, "mi_collect", &mimalloc_collect, reason);
    if (!error)
        error = shared_library_symbol(*handle, "mi_version", &mimalloc_number, reason);
    if (!error)
        error = shared_library_symbol(*handle, "mi_option_get", &mimalloc_option_get, reason);
    if (!error)
        *ops = found;
    return error;
}

static int mimalloc_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = mimalloc_load(self, ops, &handle, reason);

    (void)raw;
    if (error)
        return error;
    ops->purge = mimalloc_purge;
    return 0;
}

void mimalloc_version(char *text)
{
    /* 209 is 2.0.9: one digit each for major, minor and patch (mimalloc.h, MI_MALLOC_VERSION). */
    int number = mimalloc_number();

    snprintf(text, ALLOCATOR_TEXT_BYTES, "mimalloc %d.%d.%d", number / 100, number / 10 % 10,
             number % 10);
}

/* Options are read by number, and the numbers move from version to version: those of mi_option_e in
 * mimalloc.h of the version that Debian 12 has. Of another one nothing is read. */
enum allocator_proof mimalloc_tunable_value(const struct allocator_tunable *tunable,
                                            const char *asked, char *value)
{
    enum { NUMBERED_VERSION = 209 };
    static const struct {
        const char *name;
        int option;
    } options[] = {
        {"eager_commit", 3},        {"large_os_pages", 6},  {"page_reset", 11},
        {"eager_commit_delay", 14}, {"decommit_delay", 15}, {"use_numa_nodes", 16},
    };

    (void)asked;
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        if (mimalloc_number() != NUMBERED_VERSION || strcmp(options[i].name, tunable->name) != 0)
            continue;
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%ld", mimalloc_option_get(options[i].option));
        return ALLOCATOR_TOLD;
    }
    return ALLOCATOR_UNPROVED;
}

/* Names and defaults: mimalloc's readme, "Environment Options", for 2.0.9. */
const struct allocator_tunable mimalloc_tunables[] = {
    {"decommit_delay", "milliseconds before unused pages go back; default 25", NULL, 0, 1000000000},
    {"page_reset", "1 resets pages when they become free; default 0", "0|1", 0, 0},
    {"eager_commit", "0 commits segments on demand; default 1", "0|1", 0, 0},
    {"eager_commit_delay", "segments of a thread that are committed on demand; default 1", NULL, 0,
     1000},
    {"large_os_pages", "1 uses 2 MiB pages; default 0", "0|1", 0, 0},
    {"use_numa_nodes", "how many NUMA nodes to assume; default 0, as found", NULL, 0, 1000},
    {0},
};

const struct allocator allocator_mimalloc = {
    .name = "mimalloc",
    .summary = "free lists sharded by page, deferred decommit",
    .source = "Leijen, Zorn, de Moura 2019",
    .family = ALLOCATOR_GENERAL,
    .capabilities = SHARED_LIBRARY_MALLOC_FAMILY | ALLOCATOR_PURGE,
    .soname = "libmimalloc.so.2",
    .package = "libmimalloc2.0",
    .signature = "mi_version",
    .environment = {.prefix = "MIMALLOC_", .assign = '='},
    .tunables = mimalloc_tunables,
    .eager = "decommit_delay:0",
    .open = mimalloc_open,
    .version = mimalloc_version,
    .tunable_value = mimalloc_tunable_value,
};
