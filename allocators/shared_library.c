/*
 * dlopen and dlsym of a malloc library, with errors that say what to install.
 * Leaves out RTLD_DEEPBIND, which changed nothing, and dlclose: thread-local caches of these
 * libraries do not survive it.
 */
#define _GNU_SOURCE
#include "allocators/shared_library.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int shared_library_symbol(void *handle, const char *name, void *function, char *reason)
{
    void *symbol = dlsym(handle, name);

    if (!symbol) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "the library has no %s", name);
        return -ENOSYS;
    }
    /* POSIX promises that a function's address survives void *; ISO C has no conversion, so the
     * bytes are copied. */
    memcpy(function, &symbol, sizeof symbol);
    return 0;
}

int shared_library_open(const struct allocator *allocator, struct allocator_ops *ops, void **handle,
                        char *reason)
{
    struct allocator_ops found = {0};
    void *opened = dlopen(allocator->soname, RTLD_NOW | RTLD_LOCAL);

    if (!opened) {
        /* The loader's message repeats the name and may be long; the package is what the reader
         * needs. */
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "%.120s (Debian package %s)", dlerror(),
                 allocator->package);
        return -ENOENT;
    }
    const struct {
        const char *name;
        void *function;
    } family[] = {
        {"malloc", &found.malloc},   {"calloc", &found.calloc},
        {"realloc", &found.realloc}, {"aligned_alloc", &found.aligned_alloc},
        {"free", &found.free},       {"malloc_usable_size", &found.usable_size},
    };
    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++) {
        int error = shared_library_symbol(opened, family[i].name, family[i].function, reason);
        if (error)
            return error;
    }
    *ops = found;
    *handle = opened;
    return 0;
}
