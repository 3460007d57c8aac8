/*
 * Reading the files of micro/. Leaves out everything that is not called NAME.json.
 */
#define _GNU_SOURCE
#include "harness/micro_results.h"

#include "harness/text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROW_BYTES = 288 };

/* The length of a number at `at`, before `end`, that JSON has not; 0: there is none. A space
 * precedes it, so that NaN has room for null. */
static size_t unlawful_number(const char *at, const char *end)
{
    static const char *const numbers[] = {" NaN", " -NaN", " Infinity", " -Infinity"};

    for (size_t i = 0; *at == ' ' && i < sizeof numbers / sizeof numbers[0]; i++) {
        size_t length = strlen(numbers[i]);

        if (length <= (size_t)(end - at) && memcmp(at, numbers[i], length) == 0)
            return length;
    }
    return 0;
}

static void make_lawful(const struct file_text *text)
{
    const char *end = text->bytes + text->length;
    bool is_in_string = false;

    for (char *at = text->bytes; at < end; at++) {
        if (is_in_string && *at == '\\')
            at++; /* what it escapes ends no string */
        else if (*at == '"')
            is_in_string = !is_in_string;
        size_t length = is_in_string || at >= end ? 0 : unlawful_number(at, end);
        if (length > 0) {
            static const char null_word[] = {'n', 'u', 'l', 'l'};

            memset(at, ' ', length);
            memcpy(at, null_word, sizeof null_word);
        }
    }
}

json_t *micro_results_take(int micro_fd, const char *name, char *error)
{
    struct file_text text;

    if (file_text_read(&text, micro_fd, name, JSON_FILE_MOST_BYTES, error) != 0)
        return NULL;
    make_lawful(&text);
    json_t *result = json_file_parse(name, &text, error);
    file_text_free(&text);
    return result;
}

static int is_result(const struct dirent *entry)
{
    const char *end = strrchr(entry->d_name, '.');

    return entry->d_name[0] != '.' && end && strcmp(end, ".json") == 0;
}

struct found {
    json_t *result; /* owned until it is added */
    char row[ROW_BYTES];
    json_int_t measured_ns; /* 0 in folders of before it was stored */
    int place;              /* by name */
};

static int read_one(struct found *found, int micro_fd, const char *name, char *error)
{
    char why[JSON_FILE_ERROR_BYTES];

    found->result = json_file_read(micro_fd, name, why);
    if (!found->result) {
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro/%s", why);
        return -EINVAL;
    }
    const json_t *context = json_object_get(found->result, "context");
    const char *written = json_text(context, "tidemark_row");
    snprintf(found->row, sizeof found->row, "%s", *written ? written : name);
    text_make_printable(found->row);
    found->measured_ns = json_integer_value(json_object_get(context, MICRO_MEASURED_KEY));
    return 0;
}

/* As they were measured, else by name. */
static int compare_found(const void *left, const void *right)
{
    const struct found *a = left, *b = right;

    if (a->measured_ns != b->measured_ns)
        return a->measured_ns < b->measured_ns ? -1 : 1;
    return a->place - b->place;
}

/* Takes all of `found`. A row that two files name is that of the later one. */
static int add_found(json_t *results, struct found *found, int count)
{
    int failed = 0;

    qsort(found, (size_t)count, sizeof *found, compare_found);
    for (int i = 0; i < count; i++) {
        if (json_object_set_new(results, found[i].row, found[i].result) != 0)
            failed = -ENOMEM;
    }
    return failed;
}

static int add_entries(json_t *results, int micro_fd, struct dirent **entries, int count,
                       char *error)
{
    struct found *found = calloc((size_t)count + 1, sizeof *found);
    int failed = found ? 0 : -ENOMEM, got = 0;

    for (int i = 0; i < count && !failed; i++) {
        failed = read_one(&found[got], micro_fd, entries[i]->d_name, error);
        if (!failed)
            found[got++].place = i;
    }
    if (!failed)
        failed = add_found(results, found, got);
    else
        while (got > 0)
            json_decref(found[--got].result);
    free(found);
    return failed;
}

static int add_results(json_t *results, int micro_fd, char *error)
{
    struct dirent **entries;
    int count = scandirat(micro_fd, ".", &entries, is_result, alphasort);
    int failed = 0;

    if (count < 0) {
        failed = -errno;
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: %s", strerror(-failed));
        return failed;
    }
    if (count > MICRO_RESULTS_MOST) {
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: more than %d results",
                 MICRO_RESULTS_MOST);
        failed = -E2BIG;
    }
    if (!failed)
        failed = add_entries(results, micro_fd, entries, count, error);
    for (int i = 0; i < count; i++)
        free(entries[i]);
    free(entries);
    return failed;
}

json_t *micro_results_read(int folder_fd, char *error)
{
    json_t *results = json_object();
    int micro_fd = openat(folder_fd, "micro", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (micro_fd < 0 && errno == ENOENT)
        return results;
    int failed = micro_fd < 0 ? -errno : 0;
    if (failed)
        snprintf(error, MICRO_RESULTS_ERROR_BYTES, "micro: %s", strerror(-failed));
    else
        failed = add_results(results, micro_fd, error);
    if (micro_fd >= 0)
        close(micro_fd);
    if (!failed)
        return results;
    json_decref(results);
    return NULL;
}
