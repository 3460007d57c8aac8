/*
 * A small malloc library with a fault that is asked for when it is built, for the tests of the
 * micro suite: -DSLOW_CALLOC, -DSLOW_ALIGNED, -DSLOW_REALLOC, -DLEAKY_CALLOC, -DCRASHING_CALLOC,
 * -DNO_ALIGNED; without one it has none. Leaves out speed and giving memory back: powers of two, a
 * free list each, under one lock.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

enum { CLASSES = 32, SMALLEST_SHIFT = 5, CHUNK_BYTES = 64 << 20 };

/* Before each block, 16 bytes; `next` while it is free. */
struct head {
    size_t size_class;
    struct head *next;
};

static struct head *free_heads[CLASSES];
static char *chunk, *chunk_end;
static atomic_flag lock = ATOMIC_FLAG_INIT;

__attribute__((unused)) static void waste_time(void)
{
    struct timespec now, end;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_nsec += 20000;
    do
        clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - end.tv_sec) * 1000000000L + now.tv_nsec - end.tv_nsec < 0);
}

__attribute__((unused)) static void leak(void)
{
    char *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page != MAP_FAILED)
        *page = 1;
}

static void *map(size_t bytes)
{
    void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return at == MAP_FAILED ? NULL : at;
}

/* From the chunk, or a mapping of its own. */
static struct head *carve(size_t bytes)
{
    if (bytes > CHUNK_BYTES / 4)
        return map(bytes);
    if (!chunk || (size_t)(chunk_end - chunk) < bytes) {
        chunk = map(CHUNK_BYTES);
        chunk_end = chunk ? chunk + CHUNK_BYTES : NULL;
    }
    if (!chunk)
        return NULL;
    chunk += bytes;
    return (struct head *)(void *)(chunk - bytes);
}

static void *take(size_t size)
{
    size_t size_class = 0;
    struct head *head;

    while (((size_t)1 << (size_class + SMALLEST_SHIFT)) < size + sizeof *head)
        size_class++;
    while (atomic_flag_test_and_set(&lock))
        continue;
    head = free_heads[size_class];
    if (head)
        free_heads[size_class] = head->next;
    else
        head = carve((size_t)1 << (size_class + SMALLEST_SHIFT));
    atomic_flag_clear(&lock);
    if (!head)
        return NULL;
    head->size_class = size_class;
    return head + 1;
}

void *malloc(size_t size)
{
    if (size < (size_t)1 << (CLASSES + SMALLEST_SHIFT - 2))
        return take(size);
    errno = ENOMEM;
    return NULL;
}

/* An aligned block has a head of its own too, whose `next` is the block that it lies in. */
void free(void *ptr)
{
    struct head *head = ptr;

    if (!head--)
        return;
    if (head->size_class == CLASSES)
        head = head->next;
    while (atomic_flag_test_and_set(&lock))
        continue;
    head->next = free_heads[head->size_class];
    free_heads[head->size_class] = head;
    atomic_flag_clear(&lock);
}

void *calloc(size_t nmemb, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(nmemb, size, &bytes))
        return NULL;
#ifdef SLOW_CALLOC
    waste_time();
#endif
#ifdef LEAKY_CALLOC
    leak();
#endif
#ifdef CRASHING_CALLOC
    abort();
#endif
    void *block = malloc(bytes);
    if (block)
        memset(block, 0, bytes);
    return block;
}

static size_t room(const struct head *head)
{
    return ((size_t)1 << (head->size_class + SMALLEST_SHIFT)) - sizeof *head;
}

void *realloc(void *ptr, size_t size)
{
#ifdef SLOW_REALLOC
    waste_time();
#endif
    if (!ptr)
        return malloc(size);
    size_t old = room((struct head *)ptr - 1);
    void *grown = malloc(size);
    if (!grown)
        return NULL;
    memcpy(grown, ptr, old < size ? old : size);
    free(ptr);
    return grown;
}

void *aligned_alloc(size_t alignment, size_t size)
{
#ifdef NO_ALIGNED
    (void)alignment;
    (void)size;
    return NULL;
#else
#ifdef SLOW_ALIGNED
    waste_time();
#endif
    char *block = malloc(size + alignment + sizeof(struct head));
    if (!block)
        return NULL;
    struct head *own = (struct head *)(void *)block - 1;
    char *aligned = block + sizeof *own;
    aligned += -(uintptr_t)aligned & (alignment - 1);
    struct head *inner = (struct head *)(void *)aligned - 1;
    *inner = (struct head){.size_class = CLASSES, .next = own};
    return aligned;
#endif
}
