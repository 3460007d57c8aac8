/*
 * Opens a malloc library at run time and takes its malloc family by name.
 * Leaves out linking and preloading: a library that exports `malloc` and is linked would serve the
 * whole process, libc included.
 */
#ifndef TIDEMARK_ALLOCATORS_SHARED_LIBRARY_H
#define TIDEMARK_ALLOCATORS_SHARED_LIBRARY_H

#include "allocators/allocator.h"

/* The capabilities of a library with the full malloc family of glibc. */
enum {
    SHARED_LIBRARY_MALLOC_FAMILY = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC |
                                   ALLOCATOR_ALIGNED | ALLOCATOR_FREE | ALLOCATOR_USABLE_SIZE |
                                   ALLOCATOR_DISTINCT | ALLOCATOR_THREADS | ALLOCATOR_PRELOAD,
};

/*
 * Opens `allocator->soname`, a soname or a path, and fills the malloc family of `ops`, all of which
 * has to be there. Returns 0 with the handle, which is never closed, in `handle`; or -ENOENT
 * (cannot be opened; `reason` names the package) or -ENOSYS (a function is missing).
 */
int shared_library_open(const struct allocator *allocator, struct allocator_ops *ops, void **handle,
                        char *reason);

/* A function by its name in a library, and the function pointer that its address goes to. */
struct shared_library_function {
    const char *name; /* NULL ends a list */
    void *function;
};

/*
 * Opens `allocator->soname` and stores the address of each function of the list: for a library
 * whose functions have names of their own. Returns 0, -ENOENT (cannot be opened; `reason` names the
 * package) or -ENOSYS (a function is missing). The library is never closed.
 */
int shared_library_functions(const struct allocator *allocator,
                             const struct shared_library_function *functions, char *reason);

/*
 * Opens a soname or a path with RTLD_NOW | RTLD_LOCAL. Returns the handle, which is never closed,
 * or NULL with the loader's own sentence in `reason` (ALLOCATOR_TEXT_BYTES).
 */
void *shared_library_load(const char *file, char *reason);

/*
 * Fills what the library has itself of the malloc family, and leaves the rest of `ops` NULL.
 * Returns the capabilities that this gives: those of the functions found, what every malloc owes
 * its caller (distinct blocks, threads), and that it can be preloaded.
 */
unsigned shared_library_malloc_family(void *handle, struct allocator_ops *ops);

/*
 * The address of `name` in `handle` stored through `function`, a pointer to a function pointer.
 * Returns 0 or -ENOSYS with a `reason`.
 */
int shared_library_symbol(void *handle, const char *name, void *function, char *reason);

/* 1 when the library itself, and none that it depends on, exports `name`. */
int shared_library_has(void *handle, const char *name);

#endif
