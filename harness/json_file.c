/*
 * Atomic writes: a temporary file in the same folder, fsync, rename, fsync of the folder
 * (rename(2)). Leaves out locking: a run folder has one writer.
 */
#define _GNU_SOURCE
#include "harness/json_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int json_file_write(int folder_fd, const char *name, const json_t *value)
{
    char temporary[256];
    int error = 0;

    snprintf(temporary, sizeof temporary, ".%.200s.new", name);
    int fd = openat(folder_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return -errno;
    /* jansson does not pass errno on; a full disk is the only failure to expect of a valid value.
     */
    if (json_dumpfd(value, fd, JSON_INDENT(1) | JSON_REAL_PRECISION(12)) != 0)
        error = -ENOSPC;
    if (!error && write(fd, "\n", 1) != 1)
        error = -errno;
    if (!error && fsync(fd) != 0)
        error = -errno;
    if (close(fd) != 0 && !error)
        error = -errno;
    if (!error && renameat(folder_fd, temporary, folder_fd, name) != 0)
        error = -errno;
    if (error)
        unlinkat(folder_fd, temporary, 0);
    else
        fsync(folder_fd);
    return error;
}

static FILE *open_file(int folder_fd, const char *name, char *error)
{
    int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");

    if (!file) {
        snprintf(error, JSON_FILE_ERROR_BYTES, "%s: %s", name, strerror(errno));
        if (fd >= 0)
            close(fd);
    }
    return file;
}

json_t *json_file_read(int folder_fd, const char *name, char *error)
{
    json_error_t at;
    FILE *file = open_file(folder_fd, name, error);

    if (!file)
        return NULL;
    json_t *value = json_loadf(file, JSON_REJECT_DUPLICATES, &at);
    if (!value)
        snprintf(error, JSON_FILE_ERROR_BYTES, "%s:%d: %s", name, at.line, at.text);
    fclose(file);
    return value;
}

json_t *json_file_read_lines(int folder_fd, const char *name, char *error)
{
    FILE *file = open_file(folder_fd, name, error);
    json_t *lines = file ? json_array() : NULL;
    char *line = NULL;
    size_t line_bytes = 0;
    ssize_t length;

    if (!file)
        return NULL;
    for (int number = 1; (length = getline(&line, &line_bytes, file)) > 0; number++) {
        json_error_t at;
        if (line[length - 1] != '\n')
            break;
        json_t *value = json_loadb(line, (size_t)length, JSON_REJECT_DUPLICATES, &at);
        if (json_is_object(value)) {
            json_array_append_new(lines, value);
            continue;
        }
        snprintf(error, JSON_FILE_ERROR_BYTES, "%s:%d: %s", name, number,
                 value ? "the line is no object" : at.text);
        json_decref(value);
        json_decref(lines);
        lines = NULL;
        break;
    }
    free(line);
    fclose(file);
    return lines;
}

const char *json_text(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "";
}
