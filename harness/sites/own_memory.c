/*
 * Two system calls, or a range that is used from its begin to its end. Leaves out reuse: tables
 * grow by doubling, so that what is given back is never more than what is in use.
 */
#define _GNU_SOURCE
#include "harness/sites/own_memory.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

/* Without a range `bytes` is 0. */
static struct {
    char *begin;
    size_t bytes;
    _Atomic size_t used_bytes;
} range;

static void *map_anywhere(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

static void *map_in_range(size_t bytes)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);

    if (bytes > range.bytes)
        return NULL;
    const size_t whole_bytes = (bytes + page_bytes - 1) / page_bytes * page_bytes;
    const size_t at = atomic_fetch_add(&range.used_bytes, whole_bytes);
    if (at > range.bytes - whole_bytes ||
        mprotect(range.begin + at, whole_bytes, PROT_READ | PROT_WRITE) != 0)
        return NULL;
    return range.begin + at;
}

void *own_memory_map(size_t bytes)
{
    return range.bytes > 0 ? map_in_range(bytes) : map_anywhere(bytes);
}

void own_memory_unmap(void *pages, size_t bytes)
{
    if (!pages)
        return;
    if (range.bytes > 0)
        madvise(pages, bytes, MADV_DONTNEED);
    else
        munmap(pages, bytes);
}

int own_memory_confine(size_t bytes)
{
    void *begin = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (begin == MAP_FAILED)
        return -ENOMEM;
    /* A huge page would make 2 MiB resident for one table. It fails where there are none. */
    madvise(begin, bytes, MADV_NOHUGEPAGE);
    range.begin = begin;
    range.bytes = bytes;
    return 0;
}

int own_memory_holds(uintptr_t address)
{
    return address - (uintptr_t)range.begin < range.bytes;
}
