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

enum { RECORDING_EVENTS = 4096, RECORDING_HEADER_BYTES = 16 };

struct recording_event {
    void *block;
    size_t bytes;
};

static struct recording {
    size_t live_blocks, live_bytes;
    size_t requests;                /* malloc and realloc, failed ones included */
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

static inline void *recording_malloc(size_t bytes)
{
    if (++recording.requests == recording.fail_at)
        return NULL;
    char *base = malloc(bytes + RECORDING_HEADER_BYTES);
    if (!base)
        return NULL;
    memcpy(base, &bytes, sizeof bytes);
    recording.live_blocks++;
    recording.live_bytes += bytes;
    recording_note(recording.made, &recording.made_count, base + RECORDING_HEADER_BYTES, bytes);
    return base + RECORDING_HEADER_BYTES;
}

static inline void recording_free(void *block)
{
    if (!block)
        return;
    recording.live_blocks--;
    recording.live_bytes -= recording_bytes(block);
    recording_note(recording.freed, &recording.freed_count, block, recording_bytes(block));
    free((char *)block - RECORDING_HEADER_BYTES);
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

static const struct allocator_ops recording_ops = {
    .malloc = recording_malloc,
    .realloc = recording_realloc,
    .free = recording_free,
};

#endif
