/*
 * Events of one thread into the bytes of a block (event_code.h). Leaves out compression and files,
 * which are trace_writer.h's.
 */
#ifndef TIDEMARK_HARNESS_TRACE_EVENT_WRITER_H
#define TIDEMARK_HARNESS_TRACE_EVENT_WRITER_H

#include "harness/trace/event_code.h"

/* Events of a block, at most: larger ones compress better, smaller ones lose less where one is
 * damaged. */
enum { EVENT_BLOCK_EVENTS = EVENT_MOST_EVENTS };

struct event_column_bytes {
    uint8_t *bytes;
    size_t used, room;
};

struct event_writer {
    uint32_t process, thread;
    unsigned with;   /* EVENT_WITH_... */
    uint32_t events; /* in the block that is being filled */
    uint64_t first_born, first_time_ns;
    struct event_code code;
    struct event_column_bytes columns[EVENT_COLUMNS];
};

/* Begins the next section of a thread that has made `born` blocks. Nothing is allocated before its
 * first event. */
void event_writer_init(struct event_writer *writer, uint32_t process, uint32_t thread,
                       unsigned with, uint64_t born);

/* Makes room for so many events. Returns 0 or -ENOMEM. */
int event_writer_reserve(struct event_writer *writer, size_t events);

/* Begins a section at this time, where none is begun; event_writer_add does so itself. */
void event_writer_begin(struct event_writer *writer, uint64_t time_ns);

/*
 * Adds an event; a time that goes back counts as the one before. Returns 0, or -ENOMEM with nothing
 * added. The caller takes the block when event_writer_is_full. Not thread-safe, as all here.
 */
int event_writer_add(struct event_writer *writer, const struct trace_event *event);

static inline int event_writer_is_full(const struct event_writer *writer)
{
    return writer->events == EVENT_BLOCK_EVENTS;
}

/* How many bytes event_writer_take writes. 0 when there is no event. */
size_t event_writer_bytes(const struct event_writer *writer);

/* Writes the block to `bytes`, and begins the next one. */
void event_writer_take(struct event_writer *writer, uint8_t *bytes);

void event_writer_free(struct event_writer *writer);

#endif
