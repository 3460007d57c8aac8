/*
 * What a child of a pass writes (harness/child_pass.h): text from one static buffer, by write(2).
 * Leaves out stdio and the heap, which is what such a child looks at.
 */
#ifndef TIDEMARK_HARNESS_PASS_WRITER_H
#define TIDEMARK_HARNESS_PASS_WRITER_H

#include <stdint.h>

enum {
    PASS_BUFFER_BYTES = 1 << 16,
    /* Of all that one child writes: the buffer that would pass it is not written, and nothing after
       it. More than a reader's 32 MiB of JSON would come of it (harness/json_file.h). */
    PASS_MOST_BYTES = 64 << 20
};

/* Starts over, on `fd`, which stays the caller's. One per process at a time; none of this is
 * thread-safe. */
void pass_writer_begin(int fd);

void pass_put(char byte);
void pass_put_text(const char *text);
void pass_put_number(uint64_t number);
void pass_put_hex(uint64_t number);

/* Writes what is in the buffer. What cannot be written is left out, with all that follows. */
void pass_flush(void);

#endif
