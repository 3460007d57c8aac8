/*
 * The file of a flat trace (workloads/flat_trace.h), mapped while it is filled. Leaves out what is
 * put into it.
 */
#ifndef TIDEMARK_HARNESS_TRACE_FLAT_WRITER_H
#define TIDEMARK_HARNESS_TRACE_FLAT_WRITER_H

#include "workloads/flat_trace.h"

struct flat_writer {
    struct flat_head *head; /* mapped */
    struct flat_thread *threads;
    uint64_t *words;
};

/*
 * Makes the empty file `fd` as long as `head` wants it, with threads and words as counted there,
 * and maps it. Returns 0, or a negative errno: -ENOSPC when there is no room for all of it.
 */
int flat_writer_open(struct flat_writer *writer, const struct flat_head *head, int fd);

/* Puts the size of what is made behind the rest of a word. Returns how many words that were. */
uint64_t flat_writer_put_sized(uint64_t *words, uint64_t word, uint64_t bytes);

/* How many those would be. */
uint64_t flat_writer_words(uint64_t bytes);

/* Adds the checksum, and unmaps. */
void flat_writer_close(struct flat_writer *writer);

#endif
