/*
 * Blocks of events from the sections of threads: small ones share a block, so that thousands of
 * threads with a few calls each take few bytes. Leaves out what is in a section (event_writer.h).
 */
#ifndef TIDEMARK_HARNESS_TRACE_SECTION_WRITER_H
#define TIDEMARK_HARNESS_TRACE_SECTION_WRITER_H

#include "harness/trace/event_writer.h"
#include "harness/trace/trace_file.h"

struct section_writer {
    struct trace_writer *writer; /* the caller's */
    uint8_t *bytes;              /* TRACE_BLOCK_MOST_BYTES */
    size_t used;
};

/* Returns 0 or -ENOMEM. */
int section_writer_init(struct section_writer *sections, struct trace_writer *writer);

/* Takes the events that `events` holds, and begins its next section. Returns 0 or a negative errno.
 * Not thread-safe, as all here. */
int section_writer_take(struct section_writer *sections, struct event_writer *events);

/* Writes what is there. */
int section_writer_flush(struct section_writer *sections);

void section_writer_free(struct section_writer *sections);

#endif
