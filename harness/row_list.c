/*
 * Cutting words at their commas. Leaves out everything within a row.
 */
#define _GNU_SOURCE
#include "harness/row_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Up to the first comma without a backslash before it. */
static size_t row_length(const char *text)
{
    size_t length = 0;

    while (text[length] && text[length] != ',')
        length += text[length] == '\\' && text[length + 1] ? 2 : 1;
    return length;
}

static int add_row(struct row_list *list, const char *text, size_t length, const char *word,
                   char *error)
{
    if (length == 0) {
        snprintf(error, ROW_ERROR_BYTES, "a row is empty in '%.200s'", word);
        return -EINVAL;
    }
    if (list->count == ROW_LIST_MOST) {
        snprintf(error, ROW_ERROR_BYTES, "more than %d rows", ROW_LIST_MOST);
        return -E2BIG;
    }
    char *copy = strndup(text, length);
    if (!copy) {
        snprintf(error, ROW_ERROR_BYTES, "not enough memory for another row");
        return -ENOMEM;
    }
    list->texts[list->count++] = copy;
    return 0;
}

int row_list_add(struct row_list *list, const char *word, char *error)
{
    const char *at = word;

    for (;;) {
        size_t length = row_length(at);
        int failed = add_row(list, at, length, word, error);
        if (failed || at[length] == '\0')
            return failed;
        at += length + 1;
    }
}

size_t row_list_parse(const struct row_list *list, struct row *rows, char *error)
{
    size_t count = list->count;

    if (count == 0)
        count = allocator_registry_count < ROW_LIST_MOST ? allocator_registry_count : ROW_LIST_MOST;
    for (size_t i = 0; i < count; i++) {
        const char *text = list->count ? list->texts[i] : allocator_registry[i]->name;
        if (row_parse(&rows[i], text, error) != 0)
            return 0;
    }
    return count;
}

void row_list_free(struct row_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        free(list->texts[i]);
    *list = (struct row_list){0};
}
