/*
 * The malloc behind a library of ours that is preloaded: the next one in the order of the loader,
 * whichever it is. Leaves out what is done with each call (hooks.h). While it is being looked for
 * the loader may ask for memory itself: a small static room serves that.
 */
#ifndef TIDEMARK_HARNESS_PRELOAD_NEXT_H
#define TIDEMARK_HARNESS_PRELOAD_NEXT_H

#include <stddef.h>

struct next_malloc {
    void *(*malloc)(size_t bytes);
    void *(*calloc)(size_t count, size_t bytes);
    void *(*realloc)(void *block, size_t bytes);
    void (*free)(void *block);
    void *(*aligned_alloc)(size_t alignment, size_t bytes);
    int (*posix_memalign)(void **block, size_t alignment, size_t bytes);
    void *(*memalign)(size_t alignment, size_t bytes);
    void *(*valloc)(size_t bytes);
    void *(*pvalloc)(size_t bytes);
};

/*
 * The functions; NULL while they are being looked for, on the first call, which the loader makes
 * before there is a second thread. Aborts with a sentence when there is no malloc behind.
 */
const struct next_malloc *preload_next(void);

/* A function by its name, or NULL. */
void (*preload_next_function(const char *name))(void);

/* Zeroed, from the static room; NULL when it is full. */
void *preload_early_block(size_t bytes);

/* Whether `block` is from the static room: it is never given back. */
int preload_is_early(const void *block);

/* The most bytes that may be read at an early block. */
size_t preload_early_room(const void *block);

#endif
