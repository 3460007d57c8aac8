/*
 * kingsley: blocks of powers of two on a free list each, carved from chunks and never given back.
 * Leaves out threads, aligned_alloc, and merging: what was a block of 64 bytes stays one. Source:
 * Chris Kingsley's malloc of 4.2BSD (1983), in Wilson et al., "Dynamic Storage Allocation: A Survey
 * and Critical Review", 1995, section 3.6. A whole plug-in of Tidemark: build it as a shared
 * object, and its path is a row (docs/plug-in.md).
 */
#define _GNU_SOURCE
#include <allocator.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Classes are powers of two, with the header: 32 bytes to 1 TiB. */
enum { SMALLEST_SHIFT = 5, LARGEST_SHIFT = 40, USUAL_CHUNK_KIB = 64, MOST_CHUNK_KIB = 1 << 20 };

/* In front of each block, so that it stays aligned to 16 bytes. */
struct header {
    _Alignas(16) unsigned shift; /* of its class, while it is in use */
    struct header *next;         /* on the free list of its class */
};

static struct header *free_lists[LARGEST_SHIFT + 1];
static size_t chunk_bytes = (size_t)USUAL_CHUNK_KIB << 10;

/* The smallest class that holds so many bytes; above LARGEST_SHIFT when there is none. */
static unsigned shift_for(size_t size)
{
    unsigned shift = SMALLEST_SHIFT;

    while (shift <= LARGEST_SHIFT && size > ((size_t)1 << shift) - sizeof(struct header))
        shift++;
    return shift;
}

/* Fills the free list of a class with the blocks of one chunk, or with one block that is larger;
 * without memory it stays empty. */
static void refill(unsigned shift)
{
    size_t block_bytes = (size_t)1 << shift;
    size_t bytes =
        block_bytes > chunk_bytes ? block_bytes : chunk_bytes / block_bytes * block_bytes;
    char *chunk = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (chunk == MAP_FAILED)
        return;
    for (size_t at = bytes; at > 0; at -= block_bytes) {
        struct header *header = (struct header *)(chunk + at - block_bytes);
        header->next = free_lists[shift];
        free_lists[shift] = header;
    }
}

static void *kingsley_malloc(size_t size)
{
    unsigned shift = shift_for(size);

    if (shift > LARGEST_SHIFT)
        return NULL;
    if (!free_lists[shift])
        refill(shift);
    struct header *header = free_lists[shift];
    if (!header)
        return NULL;
    free_lists[shift] = header->next;
    header->shift = shift;
    return header + 1;
}

static void kingsley_free(void *block)
{
    struct header *header = block;

    if (!block)
        return;
    header--;
    header->next = free_lists[header->shift];
    free_lists[header->shift] = header;
}

static size_t kingsley_usable_size(void *block)
{
    const struct header *header = (const struct header *)block - 1;

    return ((size_t)1 << header->shift) - sizeof *header;
}

static void *kingsley_calloc(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes))
        return NULL;
    void *block = kingsley_malloc(bytes);
    return block ? memset(block, 0, bytes) : NULL;
}

static void *kingsley_realloc(void *block, size_t size)
{
    if (!block)
        return kingsley_malloc(size);
    size_t old_bytes = kingsley_usable_size(block);
    if (size <= old_bytes)
        return block;
    void *larger = kingsley_malloc(size);
    if (larger) {
        memcpy(larger, block, old_bytes);
        kingsley_free(block);
    }
    return larger;
}

/* A tunable comes as environment; its value has been checked against the bounds below. */
static int kingsley_open(const struct allocator *self, struct allocator_ops *ops,
                         const struct allocator_ops *raw, char *reason)
{
    const char *chunk_kib = getenv("KINGSLEY_CHUNK_KIB");

    (void)self;
    (void)raw;
    (void)reason;
    if (chunk_kib)
        chunk_bytes = (size_t)strtoul(chunk_kib, NULL, 10) << 10;
    *ops = (struct allocator_ops){
        .malloc = kingsley_malloc,
        .calloc = kingsley_calloc,
        .realloc = kingsley_realloc,
        .free = kingsley_free,
        .usable_size = kingsley_usable_size,
    };
    return 0;
}

static void kingsley_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "kingsley 1.0");
}

/* There is but one. */
static enum allocator_proof kingsley_tunable_value(const struct allocator_tunable *tunable,
                                                   const char *asked, char *value)
{
    (void)tunable;
    (void)asked;
    snprintf(value, ALLOCATOR_VALUE_BYTES, "%zu", chunk_bytes >> 10);
    return ALLOCATOR_TOLD;
}

static const struct allocator_tunable kingsley_tunables[] = {
    {"chunk_kib", "KiB mapped at a time for small blocks; default 64", NULL, 4, MOST_CHUNK_KIB},
    {0},
};

const struct allocator tidemark_allocator_v3 = {
    .name = "kingsley",
    .summary = "powers of two on free lists, never merged and never given back",
    .source = "Kingsley 1983 (4.2BSD)",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE |
                    ALLOCATOR_USABLE_SIZE | ALLOCATOR_DISTINCT,
    .environment = {.prefix = "KINGSLEY_", .assign = '='},
    .tunables = kingsley_tunables,
    .open = kingsley_open,
    .version = kingsley_version,
    .tunable_value = kingsley_tunable_value,
};
