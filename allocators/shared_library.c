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

/*
 * dlsym also finds what a library's dependencies hold: a library without a malloc of its own would
 * get libc's. Two mallocs mixed so would crash, or measure the wrong one.
 */
static int check_origin(const char *soname, const char *name, const void *function, char *reason)
{
    Dl_info info;
    void *symbol;

    memcpy(&symbol, function, sizeof symbol);
    const char *file = dladdr(symbol, &info) && info.dli_fname ? info.dli_fname : "";
    const char *base = strrchr(file, '/') ? strrchr(file, '/') + 1 : file;
    if (strncmp(base, soname, strlen(soname)) == 0)
        return 0;
    snprintf(reason, ALLOCATOR_TEXT_BYTES, "%s has no %s of its own (that of %.80s would serve)",
             soname, name, base);
    return -ENOSYS;
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
    for (size_t i = 0; i < sizeof family / sizeof family[0]; i++) {
        int error = check_origin(allocator->soname, family[i].name, family[i].function, reason);
        if (error)
            return error;
    }
    *ops = found;
    *handle = opened;
    return 0;
}
