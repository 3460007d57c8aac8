/*
 * One reservation of address space. Leaves out giving back what is no more used: the process ends
 * soon.
 */
#define _GNU_SOURCE
#include "harness/block_sizes.h"

#include <errno.h>
#include <sys/mman.h>

#define TABLE_BYTES ((size_t)1 << (BLOCK_SIZES_ADDRESS_BITS - BLOCK_SIZES_GRAIN_BITS))

int block_sizes_open(struct block_sizes *sizes)
{
    void *table = mmap(NULL, TABLE_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    sizes->bytes = NULL;
    if (table == MAP_FAILED)
        return -errno;
    /* Where huge pages are for all, one block would take 2 MiB of table. */
    madvise(table, TABLE_BYTES, MADV_NOHUGEPAGE);
    madvise(table, TABLE_BYTES, MADV_DONTDUMP);
    sizes->bytes = table;
    return 0;
}

void block_sizes_close(struct block_sizes *sizes)
{
    if (sizes->bytes)
        munmap(sizes->bytes, TABLE_BYTES);
    sizes->bytes = NULL;
}
