/*
 * Atomic writes: a temporary file in the same folder, fsync, rename, fsync of the folder
 * (rename(2)). Leaves out locking: a run folder has one writer.
 */
#define _GNU_SOURCE
#include "harness/json_file.h"

#include "harness/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* NULL, or what the file is to hold; the caller frees it. */
static char *document_text(const json_t *value, size_t *length)
{
    char *text = json_dumps(value, JSON_INDENT(1) | JSON_REAL_PRECISION(12));

    if (text) {
        *length = strlen(text);
        text[(*length)++] = '\n'; /* in place of the NUL */
    }
    return text;
}

static int write_all(int fd, const char *text, size_t length)
{
    while (length > 0) {
        ssize_t wrote = write(fd, text, length);
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote < 0)
            return -errno;
        text += wrote;
        length -= (size_t)wrote;
    }
    return 0;
}

static int write_new(int folder_fd, const char *name, const char *text, size_t length)
{
    /* What an earlier process left there may be a link to a file elsewhere. */
    unlinkat(folder_fd, name, 0);
    int fd = openat(folder_fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    int error = write_all(fd, text, length);
    if (!error && fsync(fd) != 0)
        error = -errno;
    if (close(fd) != 0 && !error)
        error = -errno;
    return error;
}

int json_file_replace(int folder_fd, const char *name, const char *bytes, size_t length)
{
    char temporary[256];

    snprintf(temporary, sizeof temporary, ".%.200s.new", name);
    int error = write_new(folder_fd, temporary, bytes, length);
    if (!error && renameat(folder_fd, temporary, folder_fd, name) != 0)
        error = -errno;
    if (error)
        unlinkat(folder_fd, temporary, 0);
    else
        fsync(folder_fd);
    return error;
}

int json_file_write(int folder_fd, const char *name, const json_t *value)
{
    size_t length = 0;
    char *text = document_text(value, &length);
    int error = !text ? -EINVAL : length > JSON_FILE_MOST_BYTES ? -EFBIG : 0;

    if (!error)
        error = json_file_replace(folder_fd, name, text, length);
    free(text);
    return error;
}

/* jansson quotes what it stumbled over, which may be anything. */
static void complain(char *error, const char *name, int line, const char *what)
{
    snprintf(error, JSON_FILE_ERROR_BYTES, "%s:%d: %s", name, line,
             what[0] ? what : "not enough memory");
    text_make_printable(error);
}

/* Where the object or array begins that is one too many; NULL when there are no more than `most`.
 * A bracket within a string counts as well. */
static const char *find_excess(const char *text, size_t length, size_t most)
{
    for (const char *at = text; at < text + length; at++) {
        if ((*at == '{' || *at == '[') && most-- == 0)
            return at;
    }
    return NULL;
}

static int count_lines(const char *text, const char *end)
{
    int lines = 1;

    while ((text = memchr(text, '\n', (size_t)(end - text)))) {
        text++;
        lines++;
    }
    return lines;
}

/* Returns 0, or -EFBIG with a message in `error`. */
static int check_objects(const char *name, const struct file_text *text, size_t most, char *error)
{
    const char *excess = find_excess(text->bytes, text->length, most);
    char what[64];

    if (!excess)
        return 0;
    snprintf(what, sizeof what, "more than %zu objects and arrays", most);
    complain(error, name, count_lines(text->bytes, excess), what);
    return -EFBIG;
}

json_t *json_file_parse(const char *name, const struct file_text *text, char *error)
{
    json_error_t at;

    if (check_objects(name, text, JSON_FILE_MOST_OBJECTS, error) != 0)
        return NULL;
    json_t *value = json_loadb(text->bytes, text->length, JSON_REJECT_DUPLICATES, &at);
    if (!value)
        complain(error, name, at.line < 1 ? 1 : at.line, at.text);
    return value;
}

/* Adds one line to the array. Returns 0, or a negative errno with a message in `error`. */
static int parse_line(json_t *lines, const char *name, const char *line, size_t length, char *error)
{
    int number = (int)json_array_size(lines) + 1;
    json_error_t at = {.text = ""};
    json_t *value = NULL;

    if (length > JSON_FILE_MOST_LINE_BYTES)
        snprintf(at.text, sizeof at.text, "the line is longer than %d KiB",
                 JSON_FILE_MOST_LINE_BYTES >> 10);
    else
        value = json_loadb(line, length, JSON_REJECT_DUPLICATES, &at);
    if (!json_is_object(value)) {
        complain(error, name, number, value ? "the line is no object" : at.text);
        json_decref(value);
        return -EINVAL;
    }
    if (json_array_append_new(lines, value) == 0)
        return 0;
    complain(error, name, number, "");
    return -ENOMEM;
}

json_t *json_file_parse_lines(const char *name, const struct file_text *text, char *error)
{
    const char *line = text->bytes, *end = text->bytes + text->length, *newline;

    if (check_objects(name, text, JSON_FILE_MOST_LINES_OBJECTS, error) != 0)
        return NULL;
    json_t *lines = json_array();

    while (line < end && (newline = memchr(line, '\n', (size_t)(end - line)))) {
        if (parse_line(lines, name, line, (size_t)(newline - line), error) != 0) {
            json_decref(lines);
            return NULL;
        }
        line = newline + 1;
    }
    return lines;
}

json_t *json_file_read(int folder_fd, const char *name, char *error)
{
    struct file_text text;

    if (file_text_read(&text, folder_fd, name, JSON_FILE_MOST_BYTES, error) != 0)
        return NULL;
    json_t *value = json_file_parse(name, &text, error);
    file_text_free(&text);
    return value;
}

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}
