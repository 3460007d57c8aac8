/*
 * tbb: oneTBB's scalable allocator under its own names: superblocks that belong to a thread, as in
 * Hoard, and a cache of large objects. Leaves out its memory pools and the proxy that replaces
 * malloc. Source: Kukanov and Voss, Intel Technology Journal 11(4), 2007; scalable_allocator.h.
 */
#define _GNU_SOURCE
#include "allocators/shared_library.h"

#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <string.h>

/* TBBMALLOC_CLEAN_ALL_BUFFERS and two of ScalableAllocationResult of scalable_allocator.h. */
enum { TBB_CLEAN_ALL_BUFFERS = 0, TBB_OK = 0, TBB_NO_EFFECT = 4 };

static int (*tbb_posix_memalign)(void **block, size_t alignment, size_t size);
static int (*tbb_command)(int command, void *parameter);
static size_t (*tbb_msize)(void *block);

/* Not scalable_aligned_malloc: its blocks are for scalable_aligned_free by its manual. */
static void *tbb_aligned_alloc(size_t alignment, size_t size)
{
    void *block = NULL;

    if (alignment < sizeof(void *))
        alignment = sizeof(void *);
    int error = tbb_posix_memalign(&block, alignment, size);
    if (error)
        errno = error;
    return error ? NULL : block;
}

/* It answers "no effect" also where there was nothing to give back. */
static int tbb_purge(void)
{
    int result = tbb_command(TBB_CLEAN_ALL_BUFFERS, NULL);

    return result == TBB_OK || result == TBB_NO_EFFECT ? 0 : -EIO;
}

static int tbb_open(const struct allocator *self, struct allocator_ops *ops,
                    const struct allocator_ops *raw, char *reason)
{
    struct allocator_ops found = {.aligned_alloc = tbb_aligned_alloc, .purge = tbb_purge};
    const struct shared_library_function functions[] = {
        {"scalable_malloc", &found.malloc},
        {"scalable_calloc", &found.calloc},
        {"scalable_realloc", &found.realloc},
        {"scalable_free", &found.free},
        {"scalable_msize", &found.usable_size},
        {"scalable_posix_memalign", &tbb_posix_memalign},
        {"scalable_allocation_command", &tbb_command},
        {0},
    };
    int error = shared_library_functions(self, functions, reason);

    (void)raw;
    if (error)
        return error;
    tbb_msize = found.usable_size;
    *ops = found;
    return 0;
}

static int is_within(const struct dl_phdr_info *info, uintptr_t address)
{
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        if (header->p_type == PT_LOAD &&
            address - (info->dlpi_addr + header->p_vaddr) < header->p_memsz)
            return 1;
    }
    return 0;
}

/* What it would print at its start if TBB_VERSION were set, "TBBmalloc: VERSION\t\t2021.8": no
 * function tells it, but the text lies in its read-only data. */
static int find_version(struct dl_phdr_info *info, size_t bytes, void *data)
{
    static const char mark[] = "TBBmalloc: VERSION\t\t";

    (void)bytes;
    if (!is_within(info, (uintptr_t)tbb_msize))
        return 0;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        const char *start = (const char *)info->dlpi_addr + header->p_vaddr;
        if (header->p_type != PT_LOAD || !(header->p_flags & PF_R))
            continue;
        const char *found = memmem(start, header->p_filesz, mark, sizeof mark - 1);
        if (found)
            snprintf(data, ALLOCATOR_TEXT_BYTES, "oneTBB %.*s",
                     (int)strcspn(found + sizeof mark - 1, "\n"), found + sizeof mark - 1);
    }
    return 1;
}

static void tbb_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "oneTBB of unknown version");
    dl_iterate_phdr(find_version, text);
}

/* Names: oneTBB's developer guide, "Configuring the Memory Allocator"; its
 * SET_HUGE_OBJECT_THRESHOLD is read as SET_HUGE_SIZE_THRESHOLD by 2021.8. No function tells what
 * they are. */
static const struct allocator_tunable tbb_tunables[] = {
    {"use_huge_pages", "1 uses huge pages where the system has them; default 0", "0|1", 0, 0},
    {"set_huge_size_threshold",
     "bytes from which a freed block stays cached through regular clean-ups; default 64 MiB", NULL,
     0, INT64_MAX},
    {0},
};

const struct allocator allocator_tbb = {
    .name = "tbb",
    .summary = "oneTBB's scalable_malloc: superblocks of a thread, a cache of large objects",
    .source = "Kukanov and Voss 2007; oneTBB",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_ALIGNED |
                    ALLOCATOR_FREE | ALLOCATOR_USABLE_SIZE | ALLOCATOR_PURGE | ALLOCATOR_DISTINCT |
                    ALLOCATOR_THREADS,
    .soname = "libtbbmalloc.so.2",
    .package = "libtbbmalloc2",
    .environment = {.prefix = "TBB_MALLOC_", .assign = '='},
    .tunables = tbb_tunables,
    .open = tbb_open,
    .version = tbb_version,
};
