/*
 * jemalloc: size classes in slabs, arenas per core, thread caches; pages decay back to the system
 * as its clock moves. Leaves out its explicit arenas (jemalloc_arena.c) and extent hooks. Source:
 * Evans, "A Scalable Concurrent malloc(3) Implementation for FreeBSD", BSDCan 2006; jemalloc(3).
 */
#include "allocators/jemalloc.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

/* MALLCTL_ARENAS_ALL of jemalloc/jemalloc.h: the index that means every arena. */
#define JEMALLOC_ALL_ARENAS "4096"

int (*jemalloc_mallctl)(const char *name, void *old, size_t *old_bytes, void *new_value,
                        size_t new_bytes);

int jemalloc_purge(void)
{
    int error = jemalloc_mallctl("thread.tcache.flush", NULL, NULL, NULL, 0);

    if (error == 0)
        error = jemalloc_mallctl("arena." JEMALLOC_ALL_ARENAS ".purge", NULL, NULL, NULL, 0);
    return -error;
}

int jemalloc_load(const struct allocator *self, struct allocator_ops *ops, void **handle,
                  char *reason)
{
    struct allocator_ops found;
    int error = shared_library_open(self, &found, handle, reason);

    if (!error)
        error = shared_library_symbol(*handle, "mallctl", &jemalloc_mallctl, reason);
    if (!error)
        *ops = found;
    return error;
}

static int jemalloc_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *raw, char *reason)
{
    void *handle;
    int error = jemalloc_load(self, ops, &handle, reason);

    (void)raw;
    if (error)
        return error;
    ops->purge = jemalloc_purge;
    return 0;
}

void jemalloc_version(char *text)
{
    const char *version = "of unknown version";
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): the pointer itself is what is read */
    size_t bytes = sizeof version;

    jemalloc_mallctl("version", &version, &bytes, NULL, 0);
    /* "5.3.0-0-g5b..." : the part before the first dash is the release. */
    int release = 0;
    while (version[release] && version[release] != '-')
        release++;
    snprintf(text, ALLOCATOR_TEXT_BYTES, "jemalloc %.*s", release, version);
}

/* What mallctl writes for "opt.NAME", by the manual's type letters: b, zu, u, zd and s. */
union jemalloc_value {
    bool truth;
    const char *text;
    unsigned number;
    size_t bytes;
    ssize_t milliseconds;
};

enum allocator_proof jemalloc_tunable_value(const struct allocator_tunable *tunable,
                                            const char *asked, char *value)
{
    const int is_truth = tunable->words && strcmp(tunable->words, "true|false") == 0;
    const int is_text = tunable->words && !is_truth;
    const int is_number = strcmp(tunable->name, "narenas") == 0;
    const int is_time = strstr(tunable->name, "_ms") != NULL;
    union jemalloc_value read;
    size_t bytes = is_truth    ? sizeof read.truth
                   : is_text   ? sizeof(char *)
                   : is_number ? sizeof read.number
                               : sizeof read.bytes;
    char name[64];

    (void)asked;
    snprintf(name, sizeof name, "opt.%s", tunable->name);
    if (jemalloc_mallctl(name, &read, &bytes, NULL, 0) != 0)
        return ALLOCATOR_UNPROVED;
    if (is_truth)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%s", read.truth ? "true" : "false");
    else if (is_text)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%s", read.text);
    else if (is_number)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%u", read.number);
    else if (is_time)
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%zd", read.milliseconds);
    else
        snprintf(value, ALLOCATOR_VALUE_BYTES, "%zu", read.bytes);
    return ALLOCATOR_TOLD;
}

/* Names and defaults: jemalloc(3), section TUNING and opt.*, for 5.3. */
const struct allocator_tunable jemalloc_tunables[] = {
    {"dirty_decay_ms",
     "milliseconds after which unused dirty pages go back; default 10000, 0 at once, -1 never",
     NULL, -1, INT64_MAX},
    {"muzzy_decay_ms", "the same for pages given back lazily; default 0", NULL, -1, INT64_MAX},
    {"background_thread", "true: a thread of its own moves the decay on; default false",
     "true|false", 0, 0},
    {"narenas", "arenas; default 4 a core", NULL, 1, 4094},
    {"tcache", "false turns the thread caches off; default true", "true|false", 0, 0},
    {"tcache_max", "largest size in bytes that is cached; default 32768", NULL, 0, 8388608},
    {"retain", "false: virtual memory is unmapped, not kept for reuse; default true", "true|false",
     0, 0},
    {"thp", "transparent huge pages: default, always or never", "default|always|never", 0, 0},
    {"metadata_thp", "the same for its own data: disabled, auto or always; default disabled",
     "disabled|auto|always", 0, 0},
    {"percpu_arena", "disabled, percpu or phycpu; default disabled", "disabled|percpu|phycpu", 0,
     0},
    {"oversize_threshold",
     "bytes from which a block has an arena that purges at once; default 8388608", NULL, 0,
     INT64_MAX},
    {0},
};

const struct allocator allocator_jemalloc = {
    .name = "jemalloc",
    .summary = "slabs in arenas, thread caches, pages decay back over 10 s of activity",
    .source = "Evans 2006; jemalloc(3)",
    .family = ALLOCATOR_GENERAL,
    .capabilities = SHARED_LIBRARY_MALLOC_FAMILY | ALLOCATOR_PURGE,
    .soname = "libjemalloc.so.2",
    .package = "libjemalloc2",
    .signature = "mallctl",
    .environment = {.variable = "MALLOC_CONF", .prefix = "", .assign = ':', .separator = ','},
    .tunables = jemalloc_tunables,
    .eager = "dirty_decay_ms:0+muzzy_decay_ms:0",
    .open = jemalloc_open,
    .version = jemalloc_version,
    .tunable_value = jemalloc_tunable_value,
};
