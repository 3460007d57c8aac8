/*
 * A comparison as a reader sees it, in the lines of CPython's tracemalloc, and as JSON. Leaves out
 * the comparing (harness/snapshot_compare.h).
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_TEXT_H
#define TIDEMARK_HARNESS_SNAPSHOT_TEXT_H

#include "harness/snapshot_compare.h"

#include <stdio.h>

enum { SNAPSHOT_SIZE_BYTES = 32 };

/*
 * "76.3 MiB", "+5120 B": tracemalloc._format_size. `text` holds SNAPSHOT_SIZE_BYTES; returned.
 * Thread-safe.
 */
const char *snapshot_format_size(char *text, double bytes, int has_sign);

/* What was recorded and how, and a line for each snapshot in the document. */
void snapshot_print_head(FILE *out, const json_t *document);

/*
 * The `top` rows that changed most, and of the first of them the stack that it grew by most.
 * Returns 0 or -ENOMEM.
 */
int snapshot_print(FILE *out, const struct snapshot_question *question, size_t top);

/* The same as a new JSON object; NULL without memory. */
json_t *snapshot_to_json(const struct snapshot_question *question, size_t top);

#endif
