/*
 * A row of the tables as its author wrote it: [label=] component [@ component], each component a
 * name and its tunables. A name with a slash is the path of a library or a plug-in, of which a
 * process of its own is asked what it is. Leaves out anything that needs the allocator to be open
 * (harness/open_row.h).
 */
#ifndef TIDEMARK_HARNESS_ROW_H
#define TIDEMARK_HARNESS_ROW_H

#include "allocators/allocator.h"

enum { ROW_TUNABLES = 8, ROW_TEXT_BYTES = 256, ROW_ERROR_BYTES = 512, ROW_REASON_BYTES = 512 };
enum { ROW_KEY_BYTES = ROW_TEXT_BYTES + 32 };

struct row_tunable {
    const struct allocator_tunable *tunable;
    char value[64];
};

struct row_component {
    const struct allocator *allocator; /* NULL: there is no component on this side */
    char path[ROW_TEXT_BYTES];         /* of the file that holds it; empty: it is known by name */
    struct row_tunable tunables[ROW_TUNABLES];
    size_t tunable_count;
};

struct row {
    char text[ROW_TEXT_BYTES]; /* as written, with its label: its identity in a run and in tables */
    struct row_component object;
    /* What lies beneath pools, or regions with ALLOCATOR_BENEATH: the component after `@`, or plain
     * glibc. `allocator` is NULL when `object` serves both. */
    struct row_component raw;
    char not_available[ROW_REASON_BYTES]; /* what is wrong with a file; empty: nothing is known */
    int has_chosen_geometry; /* 1: `object` is that of a profile, not as written (geometry.h) */
};

/*
 * Reads `text` by the grammar above. Returns 0, or -EINVAL with a message in `error`
 * (ROW_ERROR_BYTES) that names the bad part and what is accepted; `row` is then untouched. A file
 * that is no allocator is no error: the row says what is wrong with it. Thread-safe without paths.
 */
int row_parse(struct row *row, const char *text, char *error);

/*
 * Adds what makes the row's allocators give back soonest (`eager` of struct allocator), but for the
 * tunables that the row names itself; its text stays. Returns 0; -ENOENT when none of them has any;
 * -EINVAL with a message in `error` (ROW_ERROR_BYTES) when one's are not its own. The row is then
 * as it was. Thread-safe.
 */
int row_make_eager(struct row *row, char *error);

/* The component as a child takes it: its path or its name. Thread-safe. */
const char *row_component_name(const struct row_component *component);

/*
 * What tells versions apart that a row loads: the row as written, with the geometry in parentheses
 * where plain `pymalloc` took that of its workload's profile. `key` holds ROW_KEY_BYTES; returned.
 * Thread-safe.
 */
const char *row_key(const struct row *row, char *key);

/*
 * The row for a reader: of a path its last part, "pymalloc@libmine.so". Two rows may look alike
 * then. `name` holds ROW_TEXT_BYTES; returned. Thread-safe.
 */
const char *row_short_name(const char *text, char *name);

/* Capabilities of the side that serves list storage and other large blocks. Thread-safe. */
unsigned row_raw_capabilities(const struct row *row);

#endif
