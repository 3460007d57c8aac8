/*
 * Events of one thread out of the bytes of a block (event_code.h). Leaves out whether a block that
 * ends was ever made: that takes the whole trace (trace_compile.h).
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
 * Reads the head of a block, whose bytes stay the caller's and outlive the reader. Returns 0, or
 * -EBADMSG for what is no such block. Any bytes are safe. Thread-safe, as all here, for readers of
 * their own.
 */
int event_reader_init(struct event_reader *reader, const uint8_t *bytes, size_t length);

/* Reads the next event into `event`. Returns 1; 0 at the end; -EBADMSG where the block is not what
 * it should be. */
int event_reader_next(struct event_reader *reader, struct trace_event *event);

#endif
