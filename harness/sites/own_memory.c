/*
 * Two system calls. Leaves out reuse: tables grow by doubling, so that what is given back is never
 * more than what is in use.
 */
#define _GNU_SOURCE
#include "harness/sites/own_memory.h"

#include <sys/mman.h>

void *own_memory_map(size_t bytes)
{
    void *pages = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return pages == MAP_FAILED ? NULL : pages;
}

void own_memory_unmap(void *pages, size_t bytes)
{
    if (pages)
        munmap(pages, bytes);
}
