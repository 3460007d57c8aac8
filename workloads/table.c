/*
 * What table.h declares, by mmap. It leaves out huge pages: a table is as the kernel gives it. The
 * idea is METHOD.md's, that a child keeps out of the heap that it measures.
 */
#define _GNU_SOURCE
#include "workloads/table.h"

#include <sys/mman.h>

void *table_map(size_t count, size_t bytes)
{
    size_t table_bytes;

    if (__builtin_mul_overflow(count, bytes, &table_bytes))
        return NULL;
    void *table = mmap(NULL, table_bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    return table == MAP_FAILED ? NULL : table;
}

void table_unmap(void *table, size_t count, size_t bytes)
{
    if (table)
        munmap(table, count * bytes);
}
