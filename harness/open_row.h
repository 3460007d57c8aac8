/*
 * Opens a row inside the process that will use it: one allocator, or a pool allocator and the
 * general one beneath it. Leaves out the reading of a row's text and its tunables (harness/row.h):
 * those took effect as environment before exec.
 */
#ifndef TIDEMARK_HARNESS_OPEN_ROW_H
#define TIDEMARK_HARNESS_OPEN_ROW_H

#include "allocators/allocator.h"

enum { PROVIDER_BYTES = 192 };

struct open_row {
    struct allocator loaded[2];  /* those that came from files, the object's and the raw one's */
    struct allocator_ops object; /* serves objects */
    struct allocator_ops
        raw; /* serves the rest; a copy of `object` when one allocator serves both */
    const struct allocator *object_allocator;
    const struct allocator *raw_allocator;
    char version[ALLOCATOR_TEXT_BYTES]; /* of what was loaded, "pymalloc ... over glibc 2.36" for a
                                           composed row */
    char object_provider[PROVIDER_BYTES]; /* file that serves malloc, by dladdr; a built-in one is
                                             this program's name */
    char raw_provider[PROVIDER_BYTES];
};

/*
 * Opens `object` and, beneath a pool allocator, `raw` (glibc when it is NULL), then makes each
 * serve and free one block, so that its first-use costs come before any baseline. Each is a name of
 * the registry or, with a slash in it, the path of a file, which `row` then borrows. Returns 0;
 * -EINVAL when no row is made of these; or another negative errno when the row is not available.
 * Either with a sentence in `reason` (ALLOCATOR_TEXT_BYTES). Call once per process, from one
 * thread.
 */
int open_row(struct open_row *row, const char *object, const char *raw, char *reason);

#endif
