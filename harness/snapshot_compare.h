/*
 * Two snapshots compared: rows by line, stack, type or domain, the most changed first. Leaves out
 * printing (harness/snapshot_text.h). The order is that of tracemalloc's Snapshot.compare_to().
 */
#ifndef TIDEMARK_HARNESS_SNAPSHOT_COMPARE_H
#define TIDEMARK_HARNESS_SNAPSHOT_COMPARE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

enum snapshot_by { SNAPSHOT_BY_LINE, SNAPSHOT_BY_STACK, SNAPSHOT_BY_TYPE, SNAPSHOT_BY_DOMAIN };

/* A snapshot in its document, both checked (harness/snapshot_check.h) and owned by the caller. */
struct snapshot_place {
    const json_t *document;
    const json_t *snapshot;
};

/* Counts and bytes are those of `to`; differences what it has more than `from`. */
struct snapshot_row {
    char *site; /* what is grouped by: "workloads/waste.c:42"; of stacks a line for each call */
    int64_t bytes, bytes_diff, count, count_diff;
};

struct snapshot_rows {
    struct snapshot_row *rows; /* owned, as the texts in them */
    size_t count;
};

/* What is compared. `from.snapshot` NULL: with nothing, all of `to` is growth. */
struct snapshot_question {
    struct snapshot_place from, to;
    enum snapshot_by by;
    /* Only what has this site in the grouping `only_by`; NULL: all. */
    const char *only;
    enum snapshot_by only_by;
};

/* Returns 0 with `rows` to be given back by snapshot_rows_free, or -ENOMEM. */
int snapshot_compare(const struct snapshot_question *question, struct snapshot_rows *rows);

void snapshot_rows_free(struct snapshot_rows *rows);

/* Sums over all sites of one snapshot. */
struct snapshot_total {
    int64_t bytes, count;
};
struct snapshot_total snapshot_sum(const json_t *snapshot);

/* "line", "stack", "type" or "domain". Thread-safe. */
const char *snapshot_by_name(enum snapshot_by by);

/* Returns 0, or -EINVAL with `by` untouched. */
int snapshot_by_parse(const char *text, enum snapshot_by *by);

#endif
