/*
 * bump: a region of chunks; an allocation moves an offset, reset rewinds it and gives the later
 * chunks back. Free does not exist. The floor for every region allocator here: no headers, no
 * search, no reuse of one block. Source: Hanson, "Fast Allocation and Deallocation of Memory Based
 * on Object Lifetimes", Software: Practice and Experience, 1990.
 */
#define _GNU_SOURCE
#include "allocators/allocator.h"

#include <stdio.h>
#include <sys/mman.h>

enum { BUMP_CHUNK_BYTES = 1 << 20, BUMP_PAGE_BYTES = 4096 };

/* A chunk begins with this; its blocks follow. The newest chunk is first in the list, the region
 * itself lies in the oldest. */
struct bump_chunk {
    struct bump_chunk *older;
    size_t mapped_bytes;
    size_t used_bytes; /* header included */
};

struct bump {
    struct bump_chunk *newest;
};

static struct bump_chunk *chunk_map(size_t payload_bytes)
{
    size_t wanted = sizeof(struct bump_chunk) + payload_bytes;

    if (wanted < payload_bytes || wanted > PTRDIFF_MAX - BUMP_PAGE_BYTES)
        return NULL;
    if (wanted < BUMP_CHUNK_BYTES)
        wanted = BUMP_CHUNK_BYTES;
    wanted = (wanted + BUMP_PAGE_BYTES - 1) & ~(size_t)(BUMP_PAGE_BYTES - 1);
    struct bump_chunk *chunk =
        mmap(NULL, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (chunk == MAP_FAILED)
        return NULL;
    *chunk = (struct bump_chunk){.mapped_bytes = wanted, .used_bytes = sizeof *chunk};
    return chunk;
}

/* NULL when the chunk has no room. */
static void *chunk_alloc(struct bump_chunk *chunk, size_t size, size_t alignment)
{
    uintptr_t at = (uintptr_t)chunk + chunk->used_bytes;
    size_t pad = -at & (alignment - 1);
    size_t room = chunk->mapped_bytes - chunk->used_bytes;

    /* Two compares, not one sum: pad + size may wrap. */
    if (pad > room || size > room - pad)
        return NULL;
    chunk->used_bytes += pad + size;
    return (void *)(at + pad);
}

static void *bump_create(void)
{
    struct bump_chunk *chunk = chunk_map(0);

    if (!chunk)
        return NULL;
    struct bump *bump = chunk_alloc(chunk, sizeof *bump, _Alignof(struct bump));
    bump->newest = chunk;
    return bump;
}

static void *bump_alloc(void *region, size_t size, size_t alignment)
{
    struct bump *bump = region;
    void *block = chunk_alloc(bump->newest, size, alignment);

    if (block)
        return block;
    if (size > PTRDIFF_MAX - alignment)
        return NULL;
    struct bump_chunk *chunk = chunk_map(size + alignment);
    if (!chunk)
        return NULL;
    chunk->older = bump->newest;
    bump->newest = chunk;
    return chunk_alloc(chunk, size, alignment);
}

static void bump_reset(void *region)
{
    struct bump *bump = region;

    while (bump->newest->older) {
        struct bump_chunk *chunk = bump->newest;
        bump->newest = chunk->older;
        munmap(chunk, chunk->mapped_bytes);
    }
    bump->newest->used_bytes = (size_t)((uintptr_t)(bump + 1) - (uintptr_t)bump->newest);
}

static void bump_destroy(void *region)
{
    struct bump *bump = region;

    bump_reset(bump);
    munmap(bump->newest, bump->newest->mapped_bytes);
}

static int bump_open(const struct allocator *self, struct allocator_ops *ops,
                     const struct allocator_ops *raw, char *reason)
{
    (void)self;
    (void)raw;
    (void)reason;
    *ops = (struct allocator_ops){
        .region_create = bump_create,
        .region_alloc = bump_alloc,
        .region_reset = bump_reset,
        .region_destroy = bump_destroy,
    };
    return 0;
}

static void bump_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "chunks of 1 MiB");
}

const struct allocator allocator_bump = {
    .name = "bump",
    .summary = "a region of 1 MiB chunks: an offset moves, reset rewinds it",
    .source = "Hanson 1990",
    .family = ALLOCATOR_REGION,
    .capabilities = ALLOCATOR_REGIONS | ALLOCATOR_DISTINCT,
    .open = bump_open,
    .version = bump_version,
};
