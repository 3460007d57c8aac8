/*
 * jemalloc-arena: an explicit arena of jemalloc as a region, past the thread caches: the end of the
 * arena takes all its extents back. Leaves out extent hooks and a thread cache for each arena,
 * whose blocks a reset would have to flush first. Source: jemalloc(3), arenas.create,
 * arena.<i>.reset.
 */
#include "allocators/jemalloc.h"

#include <errno.h>
#include <stdio.h>

/* The flags of mallocx, of jemalloc/jemalloc.h. */
enum { LG_ALIGN_MOST = 31, ARENA_SHIFT = 20, TCACHE_NONE = 1 << 8 };

struct arena_region {
    unsigned index;
    int flags; /* of mallocx: this arena and no thread cache */
};

static void *(*arena_mallocx)(size_t size, int flags);
static struct allocator_ops arena_default; /* for the handles */

static void command(const struct arena_region *region, const char *verb)
{
    char name[48];

    snprintf(name, sizeof name, "arena.%u.%s", region->index, verb);
    jemalloc_mallctl(name, NULL, NULL, NULL, 0);
}

/* There are at most 4095 arenas; a destroyed one is used again. */
static void *jemalloc_arena_create(void)
{
    struct arena_region *region = arena_default.malloc(sizeof *region);
    size_t bytes = sizeof region->index;

    if (!region)
        return NULL;
    if (jemalloc_mallctl("arenas.create", &region->index, &bytes, NULL, 0) != 0) {
        arena_default.free(region);
        return NULL;
    }
    region->flags = (int)((region->index + 1) << ARENA_SHIFT) | TCACHE_NONE;
    return region;
}

/* mallocx does not take 0 bytes, nor more than PTRDIFF_MAX with its alignment. */
static void *jemalloc_arena_alloc(void *region, size_t size, size_t alignment)
{
    const struct arena_region *own = region;
    const int lg_align = __builtin_ctzll(alignment);

    if (lg_align > LG_ALIGN_MOST || size > PTRDIFF_MAX - alignment)
        return NULL;
    return arena_mallocx(size ? size : 1, own->flags | lg_align);
}

static void jemalloc_arena_reset(void *region)
{
    command(region, "reset");
}

static void jemalloc_arena_destroy(void *region)
{
    command(region, "destroy");
    arena_default.free(region);
}

static int jemalloc_arena_open(const struct allocator *self, struct allocator_ops *ops,
                               const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = jemalloc_load(self, &arena_default, &handle, reason);

    (void)raw;
    if (!error)
        error = shared_library_symbol(handle, "mallocx", &arena_mallocx, reason);
    if (error)
        return error;
    *ops = (struct allocator_ops){
        .region_create = jemalloc_arena_create,
        .region_alloc = jemalloc_arena_alloc,
        .region_reset = jemalloc_arena_reset,
        .region_destroy = jemalloc_arena_destroy,
        .purge = jemalloc_purge,
    };
    return 0;
}

const struct allocator allocator_jemalloc_arena = {
    .name = "jemalloc-arena",
    .summary = "an explicit arena of jemalloc as a region: arenas.create to arena.<i>.destroy",
    .source = "jemalloc(3), arenas.create",
    .family = ALLOCATOR_REGION,
    .capabilities = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT | ALLOCATOR_PURGE,
    .soname = "libjemalloc.so.2",
    .package = "libjemalloc2",
    .environment = {.variable = "MALLOC_CONF", .prefix = "", .assign = ':', .separator = ','},
    .tunables = jemalloc_tunables,
    .eager = "dirty_decay_ms:0+muzzy_decay_ms:0",
    .open = jemalloc_arena_open,
    .version = jemalloc_version,
    .tunable_value = jemalloc_tunable_value,
};
