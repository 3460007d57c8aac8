/*
 * pmr-monotonic and pmr-pool: the memory resources of C++17 as regions over the allocator beneath.
 * Leaves out their C++ (pmr_shim.cc), and the pool with locks. Source: ISO C++17 [mem.res], after
 * Halpern's polymorphic allocators, N3916.
 */
#define _GNU_SOURCE
#include "allocators/pmr_shim.h"
#include "allocators/shared_library.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PMR_LIBRARY "libtidemark-pmr.so"

static int (*pmr_release)(void);

/* The library lies beside the running program. Returns 0 or a negative errno. */
static int find_library(char *path, size_t path_bytes)
{
    char program[PATH_MAX];
    const ssize_t length = readlink("/proc/self/exe", program, sizeof program - 1);

    if (length < 0)
        return -errno;
    program[length] = '\0';
    char *slash = strrchr(program, '/');
    if (slash)
        *slash = '\0';
    int wrote = snprintf(path, path_bytes, "%s/%s", program, PMR_LIBRARY);
    return wrote < 0 || (size_t)wrote >= path_bytes ? -ENAMETOOLONG : 0;
}

/* `functions` are the four of a region, by their names in the library. */
static int pmr_load(const struct allocator *self, const struct shared_library_function *functions,
                    const struct allocator_ops *raw, char *reason)
{
    char path[PATH_MAX];
    struct allocator here = *self;
    void (*stand_on)(void *(*raw_malloc)(size_t size), void (*raw_free)(void *block));
    const struct shared_library_function common[] = {
        {"tidemark_pmr_stand_on", &stand_on}, {"tidemark_pmr_release", &pmr_release}, {0}};

    if (!raw || find_library(path, sizeof path) != 0) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES,
                 raw ? "the folder of this program is not known"
                     : "it stands on a general allocator");
        return -EINVAL;
    }
    here.soname = path;
    int error = shared_library_functions(&here, common, reason);
    if (!error)
        error = shared_library_functions(&here, functions, reason);
    if (!error)
        stand_on(raw->malloc, raw->free);
    return error;
}

static int pmr_monotonic_open(const struct allocator *self, struct allocator_ops *ops,
                              const struct allocator_ops *raw, char *reason)
{
    struct allocator_ops found = {0};
    const struct shared_library_function functions[] = {
        {"tidemark_pmr_monotonic_create", &found.region_create},
        {"tidemark_pmr_monotonic_alloc", &found.region_alloc},
        {"tidemark_pmr_monotonic_reset", &found.region_reset},
        {"tidemark_pmr_monotonic_destroy", &found.region_destroy},
        {0},
    };
    int error = pmr_load(self, functions, raw, reason);

    if (!error)
        *ops = found;
    return error;
}

static int pmr_pool_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *raw, char *reason)
{
    struct allocator_ops found = {0};
    const struct shared_library_function functions[] = {
        {"tidemark_pmr_pool_create", &found.region_create},
        {"tidemark_pmr_pool_alloc", &found.region_alloc},
        {"tidemark_pmr_pool_reset", &found.region_reset},
        {"tidemark_pmr_pool_destroy", &found.region_destroy},
        {0},
    };
    int error = pmr_load(self, functions, raw, reason);

    if (!error)
        *ops = found;
    return error;
}

static void pmr_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "std::pmr of libstdc++ %d", pmr_release());
}

const struct allocator allocator_pmr_monotonic = {
    .name = "pmr-monotonic",
    .summary = "C++17's monotonic_buffer_resource: buffers that grow, one release",
    .source = "Halpern, N3916; libstdc++",
    .family = ALLOCATOR_REGION,
    .capabilities =
        ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_BENEATH | ALLOCATOR_TRACEABLE,
    .soname = PMR_LIBRARY,
    .package = "libstdc++6",
    .open = pmr_monotonic_open,
    .version = pmr_version,
};

const struct allocator allocator_pmr_pool = {
    .name = "pmr-pool",
    .summary = "C++17's unsynchronized_pool_resource: pools of sizes, one release",
    .source = "Halpern, N3916; libstdc++",
    .family = ALLOCATOR_REGION,
    .capabilities =
        ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_BENEATH | ALLOCATOR_TRACEABLE,
    .soname = PMR_LIBRARY,
    .package = "libstdc++6",
    .open = pmr_pool_open,
    .version = pmr_version,
};
