/*
 * The rows that a command line names: one or more to a word, separated by commas. Leaves out what a
 * row is (harness/row.h).
 */
#ifndef TIDEMARK_HARNESS_ROW_LIST_H
#define TIDEMARK_HARNESS_ROW_LIST_H

#include "harness/row.h"

enum { ROW_LIST_MOST = 64 };

/* All zero is an empty list; row_list_free. */
struct row_list {
    char *texts[ROW_LIST_MOST]; /* owned; the grammar's escapes are still in them */
    size_t count;
};

/*
 * Adds the rows of `word`: "glibc,jemalloc" are two; a comma after a backslash is part of its row.
 * Returns 0, or a negative errno with a message in `error` (ROW_ERROR_BYTES): a row is empty, or
 * there are more than ROW_LIST_MOST. The list then holds those before it.
 */
int row_list_add(struct row_list *list, const char *word, char *error);

/*
 * Reads them into `rows` (room for ROW_LIST_MOST), those of this build when the list is empty.
 * Returns how many, or 0 with a message in `error` (ROW_ERROR_BYTES).
 */
size_t row_list_parse(const struct row_list *list, struct row *rows, char *error);

void row_list_free(struct row_list *list);

#endif
