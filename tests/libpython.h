/*
 * The small-object allocator of a real CPython, 2.7 to 3.11, from its shared library: its
 * functions, its hooks and its statistics. Leaves out the interpreter, which is never initialized;
 * from 3.12 on nothing works without it. Declared as in CPython's cpython/objimpl.h and
 * cpython/pymem.h.
 */
#ifndef TIDEMARK_TESTS_LIBPYTHON_H
#define TIDEMARK_TESTS_LIBPYTHON_H

#include "allocators/allocator.h"
#include "allocators/pymalloc/pymalloc.h"

#include <stddef.h>
#include <stdio.h>

/* PyObjectArenaAllocator. */
struct libpython_arena_allocator {
    void *context;
    void *(*map)(void *context, size_t bytes);
    void (*unmap)(void *context, void *base, size_t bytes);
};

/* PyMemAllocatorEx. */
struct libpython_raw_allocator {
    void *context;
    void *(*malloc)(void *context, size_t size);
    void *(*calloc)(void *context, size_t count, size_t size);
    void *(*realloc)(void *context, void *block, size_t size);
    void (*free)(void *context, void *block);
};

enum { LIBPYTHON_DOMAIN_RAW = 0, LIBPYTHON_REASON_BYTES = 512 };

struct libpython {
    struct allocator_ops objects; /* PyObject_Malloc and its kin; calloc from 3.5 on, else NULL */
    /* The hooks, from 3.4 and 3.5 on, else NULL; what they get is copied. */
    void (*set_arena_allocator)(struct libpython_arena_allocator *);
    void (*set_raw_allocator)(int domain, struct libpython_raw_allocator *);
    int (*print_statistics)(FILE *); /* from 3.4 on, else NULL */
};

/*
 * Opens the library of this path or soname. Returns 0, or -1 with a sentence in `reason`
 * (LIBPYTHON_REASON_BYTES).
 */
int libpython_open(struct libpython *python, const char *path, char *reason);

/*
 * What sys._debugmallocstats() would print, read back as numbers; -1 when there is no temporary
 * file or print_statistics is NULL. The layout of the structure is the same in every profile.
 */
int libpython_count(const struct libpython *python, struct pymalloc_statistics *statistics);

#endif
