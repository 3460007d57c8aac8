/*
 * A census as JSON (results/FORMAT.md), made of the lines that a child wrote
 * (harness/census_child.h). Leaves out whether its numbers agree (harness/census_check.h) and the
 * file (harness/census_file.h).
 */
#ifndef TIDEMARK_HARNESS_CENSUS_H
#define TIDEMARK_HARNESS_CENSUS_H

#include <jansson.h>
#include <stddef.h>

enum { CENSUS_FORMAT = 1, CENSUS_ERROR_BYTES = 512 };

/*
 * The census of the cell `cell` from `length` bytes of `lines`, behind which stands a NUL. NULL
 * with a message in `error` (CENSUS_ERROR_BYTES) when a line is none, or the last phase is not
 * whole. The caller owns the result. In memory it has some 80 bytes for a pool.
 */
json_t *census_from_lines(const char *lines, size_t length, size_t cell, char *error);

#endif
