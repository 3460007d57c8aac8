/*
 * The functions of the row `null` by name, for the one caller that measures what it adds to call
 * them through `struct allocator_ops` (harness/micro/pairs.c). Leaves out the row itself:
 * allocator.h.
 */
#ifndef TIDEMARK_ALLOCATORS_NULL_H
#define TIDEMARK_ALLOCATORS_NULL_H

#include <stddef.h>

/* The slot, or NULL above 1 MiB. Thread-safe. */
void *null_malloc(size_t size);

/* Does nothing. Thread-safe. */
void null_free(void *block);

#endif
