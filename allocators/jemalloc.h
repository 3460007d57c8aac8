/*
 * What the rows of jemalloc share: its library, its tunables, what it says of them. Leaves out what
 * each hands out: blocks (jemalloc.c), explicit arenas (jemalloc_arena.c). Source: jemalloc(3).
 */
#ifndef TIDEMARK_ALLOCATORS_JEMALLOC_H
#define TIDEMARK_ALLOCATORS_JEMALLOC_H

#include "allocators/shared_library.h"

/* mallctl of the library that jemalloc_load opened; NULL before. */
extern int (*jemalloc_mallctl)(const char *name, void *old, size_t *old_bytes, void *new_value,
                               size_t new_bytes);

/* As shared_library_open, with jemalloc_mallctl. */
int jemalloc_load(const struct allocator *self, struct allocator_ops *ops, void **handle,
                  char *reason);

/* Members of struct allocator, and of its ops. */
extern const struct allocator_tunable jemalloc_tunables[];
int jemalloc_purge(void);
void jemalloc_version(char *text);
enum allocator_proof jemalloc_tunable_value(const struct allocator_tunable *tunable,
                                            const char *asked, char *value);

#endif
