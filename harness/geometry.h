/*
 * Which geometry of our pymalloc a cell has. Plain `pymalloc` takes that of the workload's object
 * profile, as the CPython of that version would; a row that names another one conflicts. Leaves out
 * the geometries themselves (allocators/pymalloc/geometry.h).
 */
#ifndef TIDEMARK_HARNESS_GEOMETRY_H
#define TIDEMARK_HARNESS_GEOMETRY_H

#include "harness/row.h"

/*
 * Chooses the row's geometry for objects of `profile` ("2.7", "3.8", "3.11", or NULL where a
 * workload has none). Returns 0, or -EINVAL with a sentence in `reason` (ROW_REASON_BYTES) when the
 * row names one of another version. Thread-safe.
 */
int geometry_choose(struct row *row, const char *profile, char *reason);

#endif
