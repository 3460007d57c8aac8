/*
 * What the writer and the reader of a block of events both foresee of the next one: sizes that come
 * again, and which block is freed next. Leaves out bytes (event_writer.h, event_reader.h). Each
 * block of a trace begins anew, so that one that is damaged costs no other.
 *
 * An event is a byte, an operation in its upper three bits and an argument in the lower five, and
 * what does not fit goes to a column of its own kind: sizes, blocks that end, all else. Equal bytes
 * stand together that way, and a general compressor finds them.
 */
#ifndef TIDEMARK_HARNESS_TRACE_EVENT_CODE_H
#define TIDEMARK_HARNESS_TRACE_EVENT_CODE_H

#include "harness/trace/trace_event.h"

#include <stddef.h>
#include <stdint.h>

enum event_operation {
    EVENT_MALLOC,         /* argument: size */
    EVENT_CALLOC,         /* size */
    EVENT_ALIGNED,        /* size; the exponent of the alignment is in the rest */
    EVENT_REALLOC,        /* size; the step to the block is in the ends */
    EVENT_FREE,           /* the step to the block */
    EVENT_FREE_REMOTE,    /* nothing; thread and step are in the ends */
    EVENT_REALLOC_REMOTE, /* size; thread and step are in the ends */
    EVENT_OTHER,          /* enum event_other */
};

enum event_other {
    EVENT_TIME,  /* nanoseconds that went by are in the rest */
    EVENT_START, /* the thread is in the rest */
    EVENT_OTHERS
};

enum {
    EVENT_ARGUMENT_BITS = 5,
    EVENT_ELSEWHERE = (1 << EVENT_ARGUMENT_BITS) - 1, /* the argument is in its column */
    EVENT_SIZES = EVENT_ELSEWHERE,                    /* a size: which of those seen lately */
    EVENT_STEP_ZERO = EVENT_ELSEWHERE / 2,            /* a step: from -15 to 15 */
    EVENT_REMOTES = 64,
    EVENT_MOST_ALIGNMENT_BITS = 47,
    EVENT_MOST_SIZE_BITS = 48,   /* of a block: more than any address space has */
    EVENT_MOST_EVENTS = 1 << 16, /* of a section */
};

/* A column each; a block's columns stand one behind the other in this order. */
enum event_column {
    EVENT_COLUMN_OPERATIONS, /* a byte for each */
    EVENT_COLUMN_SIZES,      /* varints, as in all that follow */
    EVENT_COLUMN_ENDS,
    EVENT_COLUMN_REST,
    EVENT_COLUMN_TIMES,  /* where each event has its own: since the one before */
    EVENT_COLUMN_STACKS, /* where there are stacks: of each block that is made, the step from the
                            one before */
    EVENT_COLUMNS
};

enum { EVENT_WITH_TIMES = 1, EVENT_WITH_STACKS = 2 };

struct event_code {
    uint64_t sizes[EVENT_SIZES];
    uint64_t next_local;                 /* the block after that which was freed last */
    uint64_t next_remote[EVENT_REMOTES]; /* the same of another thread's, by its number */
    uint64_t born;                       /* blocks that this thread has made so far */
    uint64_t time_ns;
    uint32_t stack;
};

/* Where a size is kept. Multiplying by 2^64 over the golden ratio spreads neighbours (Knuth, vol.
 * 3, 6.4). */
static inline size_t event_size_slot(uint64_t bytes)
{
    return (size_t)((bytes * UINT64_C(0x9E3779B97F4A7C15)) >> 40) % EVENT_SIZES;
}

static inline uint64_t *event_next_remote(struct event_code *code, uint32_t thread)
{
    return &code->next_remote[thread % EVENT_REMOTES];
}

static inline void event_code_begin(struct event_code *code, uint64_t born, uint64_t time_ns)
{
    *code = (struct event_code){.born = born, .next_local = born, .time_ns = time_ns};
}

#endif
