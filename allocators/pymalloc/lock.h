/*
 * One lock around the heap, as the interpreter's lock is around CPython's: with it any thread may
 * call (the row `pymalloc-locked` and libtidemark-pymalloc.so), without it one at a time. Leaves
 * out locks per size class and caches per thread: pymalloc has neither. The lock is our choice, the
 * need for one is CPython's (Objects/obmalloc.c relies on the GIL).
 *
 * What is under the lock: the rings, the pools and the arenas. What is not:
 *   - the raw allocator, which has locks of its own; it is never called while the lock is held, so
 *     no order of locks exists that fork, or a malloc within malloc, could turn round;
 *   - the contents of a block, which is its owner's: clearing and copying;
 *   - the size class of a pool that holds a block of the caller: it stays as long as that block;
 *   - the question whether a block is pooled, which every free of a large block asks as well. See
 *     address_map.h for why that may be read while another thread writes.
 *
 * Why a mutex, and not a loop on an atomic with sched_yield: a thread with a real-time priority
 * that spins for a lock that a normal thread holds would spin for ever. It is of glibc's adaptive
 * kind, which spins a while before it sleeps: the lock is held for some ten nanoseconds, seldom for
 * a system call. A process with one thread never takes it (__libc_single_threaded, glibc 2.32).
 */
#ifndef TIDEMARK_ALLOCATORS_PYMALLOC_LOCK_H
#define TIDEMARK_ALLOCATORS_PYMALLOC_LOCK_H

#include "allocators/allocator.h"
#include "allocators/pymalloc/geometry.h"

#include <stdbool.h>

#if PYMALLOC_LOCKED

#include <pthread.h>
#include <sys/single_threaded.h>

static_assert(PYMALLOC_HAS_ADDRESS_MAP,
              "to 3.9 the test for a pooled block reads a vector that moves: not without the lock");

#define heap_mutex     PYMALLOC_NAME(heap_mutex)
#define heap_lock_open PYMALLOC_NAME(heap_lock_open)
#define heap_tables    PYMALLOC_NAME(heap_tables)

extern pthread_mutex_t heap_mutex;

/*
 * Keeps the lock whole across fork: the thread that forks holds it while the memory is copied. Once
 * per process. Returns 0, or -ENOMEM.
 */
int heap_lock_open(void);

/*
 * calloc, realloc and free for the heap's own tables, straight from the system: they are needed
 * under the lock, where the raw allocator may not be called. A page or more each. Thread-safe.
 */
extern const struct allocator_ops heap_tables;

/*
 * Takes the lock unless this is the only thread; returns whether it did. heap_unlock gets that,
 * since glibc may find in between that there are more threads or fewer.
 */
static inline bool heap_lock(void)
{
    if (__libc_single_threaded)
        return false;
    pthread_mutex_lock(&heap_mutex);
    return true;
}

static inline void heap_unlock(bool is_locked)
{
    if (is_locked)
        pthread_mutex_unlock(&heap_mutex);
}

#else

static inline bool heap_lock(void)
{
    return false;
}

static inline void heap_unlock(bool is_locked)
{
    (void)is_locked;
}

#endif

#endif
