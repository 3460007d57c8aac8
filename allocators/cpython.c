/*
 * cpython: the real PyObject_Malloc and its kin, out of libpython, without an interpreter: pymalloc
 * over libc's malloc, as CPython has it. Leaves out Py_Initialize, which these functions do without
 * to 3.11. It stands beside our own pymalloc in every table. Source: CPython, Objects/obmalloc.c.
 */
#include "allocators/shared_library.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *(*cpython_version_text)(void);

static int cpython_open(const struct allocator *self, struct allocator_ops *ops,
                        const struct allocator_ops *raw, char *reason)
{
    struct allocator_ops found = {0};
    char said[ALLOCATOR_TEXT_BYTES];
    void *handle = shared_library_load(self->soname, said);
    const struct {
        const char *name;
        void *function;
    } symbols[] = {
        {"PyObject_Malloc", &found.malloc},       {"PyObject_Calloc", &found.calloc},
        {"PyObject_Realloc", &found.realloc},     {"PyObject_Free", &found.free},
        {"Py_GetVersion", &cpython_version_text},
    };

    (void)raw;
    if (!handle) {
        snprintf(reason, ALLOCATOR_TEXT_BYTES, "%.120s (Debian package %s)", said, self->package);
        return -ENOENT;
    }
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        int error = shared_library_symbol(handle, symbols[i].name, symbols[i].function, reason);
        if (error)
            return error;
    }
    *ops = found;
    return 0;
}

static void cpython_version(char *text)
{
    /* "3.11.2 (main, ...) [GCC ...]" */
    const char *version = cpython_version_text();

    snprintf(text, ALLOCATOR_TEXT_BYTES, "CPython %.*s", (int)strcspn(version, " "), version);
}

const struct allocator allocator_cpython = {
    .name = "cpython",
    .summary = "CPython's own pymalloc over libc's malloc, called in libpython",
    .source = "CPython 3.11, Objects/obmalloc.c",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_CALLOC | ALLOCATOR_REALLOC | ALLOCATOR_FREE |
                    ALLOCATOR_DISTINCT,
    .soname = "libpython3.11.so.1.0",
    .package = "libpython3.11",
    .open = cpython_open,
    .version = cpython_version,
};
