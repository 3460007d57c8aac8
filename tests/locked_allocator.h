/*
 * The recording allocator for workloads with threads: the same behind one lock. Leaves out speed.
 */
#ifndef TIDEMARK_TESTS_LOCKED_ALLOCATOR_H
#define TIDEMARK_TESTS_LOCKED_ALLOCATOR_H

#include "tests/recording_allocator.h"

#include <pthread.h>

static pthread_mutex_t recording_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t recording_thread; /* the test's own */
static int other_threads_called;   /* since that was set to 0 */

static inline void lock_recording(void)
{
    pthread_mutex_lock(&recording_lock);
    other_threads_called |= !pthread_equal(pthread_self(), recording_thread);
}

static inline void *locked_malloc(size_t bytes)
{
    lock_recording();
    void *block = recording_malloc(bytes);
    pthread_mutex_unlock(&recording_lock);
    return block;
}

static inline void *locked_calloc(size_t count, size_t bytes)
{
    lock_recording();
    void *block = recording_calloc(count, bytes);
    pthread_mutex_unlock(&recording_lock);
    return block;
}

static inline void *locked_realloc(void *old, size_t bytes)
{
    lock_recording();
    void *block = recording_realloc(old, bytes);
    pthread_mutex_unlock(&recording_lock);
    return block;
}

static inline void *locked_aligned_alloc(size_t alignment, size_t bytes)
{
    lock_recording();
    void *block = recording_aligned_alloc(alignment, bytes);
    pthread_mutex_unlock(&recording_lock);
    return block;
}

static inline void locked_free(void *block)
{
    lock_recording();
    recording_free(block);
    pthread_mutex_unlock(&recording_lock);
}

static const struct allocator_ops locked_ops = {
    .malloc = locked_malloc,
    .calloc = locked_calloc,
    .realloc = locked_realloc,
    .aligned_alloc = locked_aligned_alloc,
    .free = locked_free,
    /* Workloads with regions have one thread. */
    .region_create = recording_region_create,
    .region_alloc = recording_region_alloc,
    .region_reset = recording_region_reset,
    .region_destroy = recording_region_destroy,
};

#endif
