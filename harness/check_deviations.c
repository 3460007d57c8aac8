/*
 * What real allocators are known to do otherwise than the contract asks, with the reason. Leaves
 * out what a version that is not here may do: another sentence is a failure.
 */
#include "harness/check_process.h"

#include <string.h>

static const struct check_deviation deviations[] = {
    {"mimalloc", "aligned_alloc", "aligned_alloc(256, 256) gives an address that is 128 bytes past",
     "before 2.1 small sizes that are powers of two are taken for aligned to themselves, and those "
     "of "
     "256, 512 and 1024 bytes are not (mimalloc issue 700)"},
    {"tcmalloc", "prints_nothing", "tcmalloc: allocation failed",
     "gperftools says on stderr that its central list got no memory (central_freelist.cc); malloc "
     "is "
     "NULL all the same"},
    {"glib-slice", "glibc_aside", "that were asked of the object side",
     "its slabs are memory of libc's posix_memalign, whatever stands beneath for larger blocks"},
    {"glib-slice", "prints_nothing", "it ends with signal 6",
     "GLib ends the process, with a message, when memory ends (mem_error in gslice.c)"},
    {"glib-slice", "memory_limit_small", "it ends with signal 6",
     "GLib ends the process when memory ends (mem_error in gslice.c)"},
    {"glib-slice", "fork_with_threads", "in the child of a fork",
     "GLib takes no care of forks: a lock of the slabs that another thread held stays held"},
    {"tbb", "fork_with_threads", "in the child of a fork",
     "libtbbmalloc asks for no call before a fork (it imports no pthread_atfork): a spin lock that "
     "another thread held stays held"},
    {"jemalloc-arena", "region_churn", "after regions were destroyed",
     "in 5.3.0 some 8 KiB stay resident of each arena that was created and destroyed"},
    {"pmr-pool", "regions", "aligned to 512 gives an address that is 256 bytes past",
     "libstdc++ 12 chooses a pool by the larger of size and alignment: its blocks of 768 bytes are "
     "not aligned to 512 (__pool_resource in memory_resource.cc)"},
    {"pmr-pool", "regions", "aligned to 2048 gives an address that is 1024 bytes past",
     "libstdc++ 12 chooses a pool by the larger of size and alignment: its blocks of 3072 bytes "
     "are not aligned to 2048 (__pool_resource in memory_resource.cc)"},
    {"pmr-pool", "region_churn", "aligned to 512 gives an address that is 256 bytes past",
     "libstdc++ 12 chooses a pool by the larger of size and alignment: its blocks of 768 bytes are "
     "not aligned to 512 (__pool_resource in memory_resource.cc)"},
    {"cpython", "glibc_aside", "that were asked of the region side",
     "what is larger than 512 bytes is a block of libc's malloc, as in CPython"},
    {"talloc", "glibc_aside", "that were asked of the region side",
     "each of its blocks is one of libc's malloc"},
    {"boehm-collected", "memory_limit", "only 0 could be had again",
     "once the system has refused it memory, it gives NULL without a collection until the program "
     "asks for one (GC_collect_or_expand in alloc.c)"},
    {"boehm-collected", "memory_limit_small", "only 0 could be had again",
     "once the system has refused it memory, it gives NULL without a collection until the program "
     "asks for one (GC_collect_or_expand in alloc.c)"},
    {"boehm-collected", "region_limit", "could be had again",
     "once the system has refused it memory, it gives NULL without a collection until the program "
     "asks for one (GC_collect_or_expand in alloc.c)"},
    {"boehm-collected", "region_reuse", "more are resident than before",
     "a collection begins when enough was asked for since the last one (GC_free_space_divisor): "
     "until then what regions gave up is resident beside what is new"},
};

static int is_of(const struct row_component *component, const char *name)
{
    return component->allocator && strcmp(component->allocator->name, name) == 0;
}

const struct check_deviation *check_deviation_find(const char *check, const struct row *row,
                                                   const char *finding)
{
    for (size_t i = 0; i < sizeof deviations / sizeof deviations[0]; i++) {
        const struct check_deviation *known = &deviations[i];
        if (strcmp(known->check, check) == 0 && strstr(finding, known->finding) &&
            (is_of(&row->object, known->allocator) || is_of(&row->raw, known->allocator)))
            return known;
    }
    return NULL;
}
