/*
 * The allocator in a file: a plug-in, which exports its own contract (`tidemark_allocator_v3`), or
 * any shared library with a malloc. Leaves out libraries whose functions have a prefix: those need
 * a plug-in, which is one C file.
 */
#ifndef TIDEMARK_ALLOCATORS_BY_PATH_H
#define TIDEMARK_ALLOCATORS_BY_PATH_H

#include "allocators/allocator.h"

enum by_path_kind {
    BY_PATH_PLUGIN,  /* its own contract */
    BY_PATH_KNOWN,   /* a library of a kind that the registry knows, by its signature */
    BY_PATH_LIBRARY, /* malloc and free, and what else of the family it has */
};

/*
 * Loads the file at `path` into this process and fills `allocator`, which borrows `path`; it is as
 * yet unopened. Returns 0 with the `kind`; or -ENOENT (cannot be loaded), -ENOSYS (neither a
 * plug-in nor a malloc library) or -ENOEXEC (a plug-in of another version, or one that breaks the
 * contract), with a sentence in `reason` (ALLOCATOR_TEXT_BYTES). The file's own initializers run:
 * call it in a process that may die of them.
 */
int by_path_load(const char *path, struct allocator *allocator, enum by_path_kind *kind,
                 char *reason);

#endif
