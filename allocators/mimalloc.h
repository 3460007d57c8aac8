/*
 * What the rows of mimalloc share: its library, its tunables, what it says of them. Leaves out what
 * each hands out: blocks (mimalloc.c), first-class heaps (mimalloc_heap.c). Source: mimalloc.h.
 */
#ifndef TIDEMARK_ALLOCATORS_MIMALLOC_H
#define TIDEMARK_ALLOCATORS_MIMALLOC_H

#include "allocators/shared_library.h"

/* As shared_library_open, with the functions that those below call. */
int mimalloc_load(const struct allocator *self, struct allocator_ops *ops, void **handle,
                  char *reason);

/* Members of struct allocator, and of its ops. */
extern const struct allocator_tunable mimalloc_tunables[];
int mimalloc_purge(void);
void mimalloc_version(char *text);
enum allocator_proof mimalloc_tunable_value(const struct allocator_tunable *tunable,
                                            const char *asked, char *value);

#endif
