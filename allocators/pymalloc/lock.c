/*
 * The slow half of the lock: fork, and the tables that are needed while it is held. Leaves out
 * where it is taken (pymalloc.c) and why it is as it is (lock.h). That fork takes the lock
 * beforehand is what glibc's own malloc does (__malloc_fork_lock_parent).
 */
#define _GNU_SOURCE
#include "allocators/pymalloc/lock.h"

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>

pthread_mutex_t heap_mutex = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;

/* --- fork. --- */

/* Always, even from a lone thread: a handler of somebody else may start one. */
static void lock_before_fork(void)
{
    pthread_mutex_lock(&heap_mutex);
}

/* In the child too, whose one thread is a copy of the one that took it: a mutex of this kind does
 * not ask who unlocks. */
static void unlock_after_fork(void)
{
    pthread_mutex_unlock(&heap_mutex);
}

int heap_lock_open(void)
{
    static bool is_open;

    if (!is_open && pthread_atfork(lock_before_fork, unlock_after_fork, unlock_after_fork) != 0)
        return -ENOMEM;
    is_open = true;
    return 0;
}

/* --- Tables. --- */

/* In front of a table: how much was mapped. Keeps the alignment of a cache line. */
struct table_head {
    _Alignas(64) size_t mapped_bytes;
};

static struct table_head *head_of(void *table)
{
    return (struct table_head *)table - 1;
}

static void *table_of(void *mapped, size_t mapped_bytes)
{
    struct table_head *head = mapped;

    if (mapped == MAP_FAILED)
        return NULL;
    head->mapped_bytes = mapped_bytes;
    return head + 1;
}

static void *table_calloc(size_t count, size_t size)
{
    size_t bytes = count * size + sizeof(struct table_head); /* both are constants of the heap */

    return table_of(mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0),
                    bytes);
}

static void *table_realloc(void *table, size_t size)
{
    size_t bytes = size + sizeof(struct table_head);

    if (table == NULL)
        return table_calloc(1, size);
    struct table_head *head = head_of(table);
    return table_of(mremap(head, head->mapped_bytes, bytes, MREMAP_MAYMOVE), bytes);
}

static void table_free(void *table)
{
    munmap(head_of(table), head_of(table)->mapped_bytes);
}

const struct allocator_ops heap_tables = {
    .calloc = table_calloc,
    .realloc = table_realloc,
    .free = table_free,
};
