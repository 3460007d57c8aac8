/*
 * A raw allocator for tests, over libc's: it counts calls and live blocks, and fails on demand.
 * Leaves out which blocks they were (recording_allocator.h). Each test program that includes this
 * has one of its own.
 */
#ifndef TIDEMARK_TESTS_COUNTING_ALLOCATOR_H
#define TIDEMARK_TESTS_COUNTING_ALLOCATOR_H

#include "allocators/allocator.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

static struct {
    size_t mallocs, callocs, reallocs, frees;
    size_t last_bytes;    /* of the last malloc, calloc or realloc */
    size_t realloc_bytes; /* of the last realloc */
    long live;
    bool fail;
    bool fail_calloc; /* this one alone */
} raw_log;

static inline void *raw_malloc(size_t size)
{
    raw_log.mallocs++;
    raw_log.last_bytes = size;
    void *block = raw_log.fail ? NULL : malloc(size);
    raw_log.live += block != NULL;
    return block;
}

static inline void *raw_calloc(size_t count, size_t size)
{
    raw_log.callocs++;
    raw_log.last_bytes = count * size;
    void *block = raw_log.fail || raw_log.fail_calloc ? NULL : calloc(count, size);
    raw_log.live += block != NULL;
    return block;
}

static inline void *raw_realloc(void *old, size_t size)
{
    raw_log.reallocs++;
    raw_log.last_bytes = size;
    raw_log.realloc_bytes = size;
    void *block = raw_log.fail ? NULL : realloc(old, size);
    raw_log.live += old == NULL && block != NULL;
    return block;
}

static inline void raw_free(void *block)
{
    raw_log.frees++;
    raw_log.live -= block != NULL;
    free(block);
}

static const struct allocator_ops raw = {
    .malloc = raw_malloc, .calloc = raw_calloc, .realloc = raw_realloc, .free = raw_free};

#endif
