/*
 * A small allocator for tests over libc's: it remembers each block's size, what was freed in which
 * order, and fails when told to. Leaves out speed and threads. Each test file that includes this
 * has one of its own.
 */
#ifndef TIDEMARK_TESTS_RECORDING_ALLOCATOR_H
#define TIDEMARK_TESTS_RECORDING_ALLOCATOR_H

#include "allocators/allocator.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Before each block: its size, and how far before it what libc gave begins. */
enum { RECORDING_EVENTS = 4096, RECORDING_HEADER_BYTES = 16 };

struct recording_event {
    void *block;
    size_t bytes;
};

static struct recording {
    size_t live_blocks, live_bytes;
    size_t requests;                /* for a block, failed ones included */
    size_t fail_at;                 /* this request fails, counted from 1; 0: none does */
    size_t made_count, freed_count; /* of all; the first RECORDING_EVENTS are kept */
    struct recording_event made[RECORDING_EVENTS], freed[RECORDING_EVENTS];
} recording;

static inline void recording_reset(void)
{
    memset(&recording, 0, sizeof recording);
}

static inline size_t recording_bytes(void *block)
{
    size_t bytes;

    memcpy(&bytes, (char *)block - RECORDING_HEADER_BYTES, sizeof bytes);
    return bytes;
}

static inline void recording_note(struct recording_event *events, size_t *count, void *block,
                                  size_t bytes)
{
    if (*count < RECORDING_EVENTS)
        events[*count] = (struct recording_event){block, bytes};
    (*count)++;
}

static inline void *recording_aligned_alloc(size_t alignment, size_t bytes)
{
    size_t lead = alignment > RECORDING_HEADER_BYTES ? alignment : RECORDING_HEADER_BYTES;

    if (++recording.requests == recording.fail_at)
        return NULL;
    char *base = aligned_alloc(lead, (bytes + 2 * lead - 1) / lead * lead);
    if (!base)
        return NULL;
    char *block = base + lead;
    memcpy(block - RECORDING_HEADER_BYTES, &bytes, sizeof bytes);
    memcpy(block - RECORDING_HEADER_BYTES + sizeof bytes, &lead, sizeof lead);
    recording.live_blocks++;
    recording.live_bytes += bytes;
    recording_note(recording.made, &recording.made_count, block, bytes);
    return block;
}

static inline void *recording_malloc(size_t bytes)
{
    return recording_aligned_alloc(RECORDING_HEADER_BYTES, bytes);
}

static inline void *recording_calloc(size_t count, size_t bytes)
{
    void *block = recording_malloc(count * bytes);

    return block ? memset(block, 0, count * bytes) : NULL;
}

static inline void recording_free(void *block)
{
    size_t lead;

    if (!block)
        return;
    memcpy(&lead, (char *)block - RECORDING_HEADER_BYTES + sizeof lead, sizeof lead);
    recording.live_blocks--;
    recording.live_bytes -= recording_bytes(block);
    recording_note(recording.freed, &recording.freed_count, block, recording_bytes(block));
    free((char *)block - lead);
}

static inline void *recording_realloc(void *block, size_t bytes)
{
    void *moved = recording_malloc(bytes);

    if (moved && block) {
        size_t old_bytes = recording_bytes(block);
        memcpy(moved, block, old_bytes < bytes ? old_bytes : bytes);
        recording_free(block);
    }
    return moved;
}

/* A region is a list of its blocks, from the same counters: one that is left counts as live. */
struct recording_region {
    struct recording_piece *newest;
};

struct recording_piece {
    _Alignas(16) struct recording_piece *older;
};

static inline void *recording_region_create(void)
{
    struct recording_region *region = recording_malloc(sizeof *region);

    if (region)
        region->newest = NULL;
    return region;
}

static inline void *recording_region_alloc(void *at, size_t bytes, size_t alignment)
{
    struct recording_region *region = at;
    struct recording_piece *piece =
        alignment <= sizeof *piece ? recording_malloc(sizeof *piece + bytes) : NULL;

    if (!piece)
        return NULL;
    piece->older = region->newest;
    region->newest = piece;
    return piece + 1;
}

static inline void recording_region_reset(void *at)
{
    struct recording_region *region = at;

    while (region->newest) {
        struct recording_piece *piece = region->newest;
        region->newest = piece->older;
        recording_free(piece);
    }
}

static inline void recording_region_destroy(void *at)
{
    recording_region_reset(at);
    recording_free(at);
}

static const struct allocator_ops recording_ops = {
    .malloc = recording_malloc,
    .calloc = recording_calloc,
    .aligned_alloc = recording_aligned_alloc,
    .realloc = recording_realloc,
    .free = recording_free,
};

#endif
