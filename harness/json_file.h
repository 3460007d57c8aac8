/*
 * JSON files that are whole or absent, and a reader of strings. Leaves out JSON itself, which is
 * jansson's.
 */
#ifndef TIDEMARK_HARNESS_JSON_FILE_H
#define TIDEMARK_HARNESS_JSON_FILE_H

#include <jansson.h>

enum { JSON_FILE_ERROR_BYTES = 512 };

/*
 * Writes `value` beside `name` in the folder, syncs it and renames it into place. Returns 0, or a
 * negative errno with `name` as it was.
 */
int json_file_write(int folder_fd, const char *name, const json_t *value);

/* Reads a file. The caller owns the result; NULL with a message that names file and line in
 * `error`. */
json_t *json_file_read(int folder_fd, const char *name, char *error);

/*
 * Reads a file of one JSON object a line as a new array. A last line without its newline is what an
 * interrupted write leaves: it is left out. Any other bad line is an error with file and line; then
 * NULL.
 */
json_t *json_file_read_lines(int folder_fd, const char *name, char *error);

/* The string under `key`, or an empty one. Borrowed from `object`. */
const char *json_text(const json_t *object, const char *key);

#endif
