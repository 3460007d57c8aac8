/*
 * Allocators that a user names by the path of a file: a malloc library, or a plug-in. Each is
 * looked at here and described by a process of its own, so that a row can be planned without
 * loading it. Leaves out loading (allocators/by_path.h).
 */
#ifndef TIDEMARK_HARNESS_LIBRARY_H
#define TIDEMARK_HARNESS_LIBRARY_H

#include "allocators/allocator.h"

enum { LIBRARY_REASON_BYTES = 320 };

/*
 * What is known of the file. Its functions are NULL: it is opened by its path, in another process.
 * Where `reason` is not empty it is no allocator, and says why: it is missing, no ELF shared
 * object, of another architecture, lacks malloc, or whatever opening it does.
 */
struct library {
    struct allocator allocator;
    char reason[LIBRARY_REASON_BYTES];
};

/*
 * The library at `path`, asked once and kept as long as this process lives. NULL when there is no
 * memory. Takes a short process at the first time. One thread at a time.
 */
const struct library *library_find(const char *path);

#endif
