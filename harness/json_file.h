/*
 * JSON files that are whole or absent, and a reader of strings. Leaves out JSON itself, which is
 * jansson's.
 */
#ifndef TIDEMARK_HARNESS_JSON_FILE_H
#define TIDEMARK_HARNESS_JSON_FILE_H

#include "harness/file_text.h"

#include <jansson.h>

/*
 * What a file may hold. The plan of a million samples is some 10 MiB, the line of a sample some 3
 * KiB with 20 objects and arrays in it. In memory jansson takes 7 times the text of a sample, but
 * 500 bytes for the two of an empty object: these are bounded by number.
 */
enum {
    JSON_FILE_ERROR_BYTES = 512,
    JSON_FILE_MOST_BYTES = 32 << 20, /* of a document */
    JSON_FILE_MOST_OBJECTS = 1 << 18,
    JSON_FILE_MOST_LINES_BYTES = 128 << 20, /* of a file of lines */
    JSON_FILE_MOST_LINES_OBJECTS = 1 << 21,
    JSON_FILE_MOST_LINE_BYTES = 1 << 20
};

/*
 * Writes `value` beside `name` in the folder, syncs it and renames it into place. Returns 0, or a
 * negative errno with `name` as it was: -EFBIG for what json_file_read would refuse.
 */
int json_file_write(int folder_fd, const char *name, const json_t *value);

/* The same for bytes as they are, of any number. `name` has no slash. */
int json_file_replace(int folder_fd, const char *name, const char *bytes, size_t length);

/*
 * The value that `text` holds. The caller owns the result; NULL with a message in `error` that
 * names `name`, the file that it is from, and the line. No name may stand twice in an object.
 */
json_t *json_file_parse(const char *name, const struct file_text *text, char *error);

/*
 * The same for one JSON object a line, as a new array. A last line without its newline is what an
 * interrupted write leaves: it is left out. Any other bad line is an error.
 */
json_t *json_file_parse_lines(const char *name, const struct file_text *text, char *error);

/* Reads and parses a file. */
json_t *json_file_read(int folder_fd, const char *name, char *error);

/* The string under `key`, or an empty one. Borrowed from `object`. */
const char *json_text(const json_t *object, const char *key);

#endif
