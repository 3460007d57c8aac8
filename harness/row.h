/*
 * A row of the tables as its author wrote it: [label=] component [@ component], each component a
 * name and its tunables. Leaves out allocators named by a path and anything that needs the
 * allocator to be open (harness/open_row.h).
 */
#ifndef TIDEMARK_HARNESS_ROW_H
#define TIDEMARK_HARNESS_ROW_H

#include "allocators/allocator.h"

enum { ROW_TUNABLES = 8, ROW_TEXT_BYTES = 256, ROW_ERROR_BYTES = 512 };

struct row_tunable {
    const struct allocator_tunable *tunable;
    char value[64];
};

struct row_component {
    const struct allocator *allocator; /* NULL: there is no component on this side */
    struct row_tunable tunables[ROW_TUNABLES];
    size_t tunable_count;
};

struct row {
    char text[ROW_TEXT_BYTES]; /* as written, with its label: its identity in a run and in tables */
    struct row_component object;
    /* What lies beneath a pool allocator: the component after `@`, or plain glibc. `allocator` is
     * NULL when `object` serves both. */
    struct row_component raw;
};

/*
 * Reads `text` by the grammar above. Returns 0, or -EINVAL with a message in `error`
 * (ROW_ERROR_BYTES) that names the bad part and what is accepted; `row` is then untouched.
 * Thread-safe.
 */
int row_parse(struct row *row, const char *text, char *error);

/* Capabilities of the side that serves list storage and other large blocks. Thread-safe. */
unsigned row_raw_capabilities(const struct row *row);

#endif
