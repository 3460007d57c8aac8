/*
 * What a trace holds: each call that makes or ends a block, by the thread that called. Leaves out
 * addresses: a block is named by who made it and as which of his, so that a trace means the same on
 * every allocator.
 */
#ifndef TIDEMARK_HARNESS_TRACE_EVENT_H
#define TIDEMARK_HARNESS_TRACE_EVENT_H

#include <stdint.h>

enum trace_kind {
    TRACE_MALLOC,
    TRACE_CALLOC,
    TRACE_ALIGNED, /* aligned_alloc, posix_memalign, memalign, valloc, pvalloc, aligned new */
    TRACE_REALLOC, /* of a block: ends it and makes the next one */
    TRACE_FREE,
    TRACE_START, /* a thread is started */
    TRACE_KINDS
};

/* Threads are numbered through the whole trace, whichever process they belong to. */
struct trace_block_name {
    uint32_t thread;  /* that made it */
    uint64_t ordinal; /* of all that it made, from 0 */
};

struct trace_event {
    enum trace_kind kind;
    uint64_t size_bytes;          /* of what is made */
    uint64_t alignment_bytes;     /* of TRACE_ALIGNED, a power of two */
    struct trace_block_name ends; /* of TRACE_REALLOC and TRACE_FREE */
    uint32_t started;             /* of TRACE_START */
    uint32_t stack;               /* of what is made, where the trace has stacks; 0: not known */
    uint64_t time_ns; /* since the recording began, to a millisecond or so; exact where the trace
                         has a time for each event. Never less than that before, of a thread */
};

/* 1 for an event that makes a block. Thread-safe. */
static inline int trace_makes(enum trace_kind kind)
{
    return kind <= TRACE_REALLOC;
}

#endif
