/*
 * Events of one thread out of the bytes of a section (event_code.h). Leaves out whether a block
 * that ends was ever made: that takes the whole trace (trace_compile.h).
 */
#ifndef TIDEMARK_HARNESS_TRACE_EVENT_READER_H
#define TIDEMARK_HARNESS_TRACE_EVENT_READER_H

#include "harness/trace/event_code.h"
#include "harness/trace/varint.h"

struct event_reader {
    uint32_t process, thread;
    unsigned with;       /* EVENT_WITH_... */
    uint32_t left;       /* events that are still to come */
    uint64_t first_born; /* blocks that the thread made before this one */
    struct event_code code;
    struct varint_run columns[EVENT_COLUMNS];
};

/*
 * The next section of a block of events: `left` is the block at first, and what is behind the
 * section then. Returns 1; 0 at the end; -EBADMSG.
 */
int event_section_next(struct varint_run *left, struct varint_run *section);

/*
 * Reads the head of a section, whose bytes stay the caller's and outlive the reader. Returns 0, or
 * -EBADMSG for what is no such section. Any bytes are safe. Thread-safe, as all here, for readers
 * of their own.
 */
int event_reader_init(struct event_reader *reader, const uint8_t *bytes, size_t length);

/* Reads the next event into `event`. Returns 1; 0 at the end; -EBADMSG where the block is not what
 * it should be. */
int event_reader_next(struct event_reader *reader, struct trace_event *event);

#endif
