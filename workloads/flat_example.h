/*
 * A made-up program in the form of a trace (flat_trace.h), for a first look and for tests, which
 * need no file. Leaves out threads.
 */
#ifndef TIDEMARK_WORKLOADS_FLAT_EXAMPLE_H
#define TIDEMARK_WORKLOADS_FLAT_EXAMPLE_H

#include "workloads/flat_trace.h"

#include <stddef.h>

#define FLAT_EXAMPLE "example" /* in place of a path */

/* The same program each time, in memory from mmap that the caller unmaps; NULL when there is none.
 */
struct flat_head *flat_example_make(size_t *bytes);

#endif
