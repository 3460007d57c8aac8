/*
 * A file of a run, read whole into memory. Leaves out what it says (harness/json_file.h), and all
 * that is no regular file: a run folder may come from anywhere, and a pipe or a device in it would
 * keep a reader for ever.
 */
#ifndef TIDEMARK_HARNESS_FILE_TEXT_H
#define TIDEMARK_HARNESS_FILE_TEXT_H

#include <stddef.h>

enum { FILE_TEXT_ERROR_BYTES = 256 };

struct file_text {
    char *bytes; /* owned */
    size_t length;
};

/*
 * Reads `name` in the folder as long as it is now; what is appended meanwhile is left out. Never
 * waits. Returns 0, or a negative errno with a message in `error` (FILE_TEXT_ERROR_BYTES) that
 * names the file: -EFBIG when it has more than `most_bytes`. `text` is untouched on failure.
 */
int file_text_read(struct file_text *text, int folder_fd, const char *name, size_t most_bytes,
                   char *error);

/* The same, but a link is refused: for what is handed on without being understood. */
int file_text_read_no_link(struct file_text *text, int folder_fd, const char *name,
                           size_t most_bytes, char *error);

void file_text_free(struct file_text *text);

#endif
