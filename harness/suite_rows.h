/*
 * Rows that lines of several suites have. Leaves out what one suite alone asks for.
 */
#ifndef TIDEMARK_HARNESS_SUITE_ROWS_H
#define TIDEMARK_HARNESS_SUITE_ROWS_H

/* Each ends with NULL. */

/* Under the objects of CPython 2.7, whose arenas are malloc's. */
extern const char *const rows_beneath_2_7[];

/* Ours, and the general ones that most programs run on. */
extern const char *const rows_four[];

/* The real allocator under the objects of its own version. */
extern const char *const rows_cpython[];

extern const char *const rows_pymalloc[];

#endif
