/*
 * One append for each thing that an event holds: see event_writer.h. Leaves out a second look at
 * events that were written: each is coded from what came before it, so that reading needs no more
 * than that either.
 */
#include "harness/trace/event_writer.h"

#include "harness/trace/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    FIRST_ROOM = 1 << 7,
    /* Of one event in any column: a remote realloc has two numbers in the ends; a time in front of
       an aligned block has two in the rest, and two operations. */
    MOST_OF_EVENT = 3 * VARINT_MOST_BYTES,
    HEAD_NUMBERS = 6 + EVENT_COLUMNS,
};

void event_writer_init(struct event_writer *writer, uint32_t process, uint32_t thread,
                       unsigned with, uint64_t born)
{
    *writer = (struct event_writer){.process = process, .thread = thread, .with = with};
    event_code_begin(&writer->code, born, 0);
}

static int make_room(struct event_column_bytes *column, size_t bytes)
{
    size_t room = column->room ? column->room : FIRST_ROOM;

    if (column->room - column->used >= bytes)
        return 0;
    while (room - column->used < bytes)
        room *= 2;
    uint8_t *larger = realloc(column->bytes, room);
    if (!larger)
        return -ENOMEM;
    column->bytes = larger;
    column->room = room;
    return 0;
}

int event_writer_reserve(struct event_writer *writer, size_t events)
{
    for (size_t i = 0; i < EVENT_COLUMNS; i++) {
        const int is_used = (i != EVENT_COLUMN_TIMES || writer->with & EVENT_WITH_TIMES) &&
                            (i != EVENT_COLUMN_STACKS || writer->with & EVENT_WITH_STACKS);
        if (is_used && make_room(&writer->columns[i], events * MOST_OF_EVENT) != 0)
            return -ENOMEM;
    }
    return 0;
}

/* What is known at a section's beginning stands in its head. */
void event_writer_begin(struct event_writer *writer, uint64_t time_ns)
{
    struct event_code *code = &writer->code;

    if (writer->events > 0)
        return;
    event_code_begin(code, code->born, time_ns > code->time_ns ? time_ns : code->time_ns);
    writer->first_born = code->born;
    writer->first_time_ns = code->time_ns;
}

static void put(struct event_writer *writer, enum event_column column, uint64_t number)
{
    struct event_column_bytes *to = &writer->columns[column];

    to->used = (size_t)(varint_put(to->bytes + to->used, number) - to->bytes);
}

static void put_operation(struct event_writer *writer, enum event_operation operation,
                          unsigned argument)
{
    struct event_column_bytes *to = &writer->columns[EVENT_COLUMN_OPERATIONS];

    to->bytes[to->used++] = (uint8_t)((unsigned)operation << EVENT_ARGUMENT_BITS | argument);
}

/* What no reader would take: malloc(-1) failed, and is not here. */
static uint64_t bounded_size(uint64_t bytes)
{
    const uint64_t most = (UINT64_C(1) << EVENT_MOST_SIZE_BITS) - 1;

    return bytes < most ? bytes : most;
}

/* The argument that tells a size. */
static unsigned put_size(struct event_writer *writer, uint64_t asked)
{
    const uint64_t bytes = bounded_size(asked);
    const size_t slot = event_size_slot(bytes);
    uint64_t *kept = &writer->code.sizes[slot];

    if (*kept == bytes)
        return (unsigned)slot;
    *kept = bytes;
    put(writer, EVENT_COLUMN_SIZES, bytes);
    return EVENT_ELSEWHERE;
}

static uint64_t step_to(uint64_t *next, uint64_t ordinal)
{
    const uint64_t step = varint_from_signed((int64_t)(ordinal - *next));

    *next = ordinal + 1;
    return step;
}

static void put_remote(struct event_writer *writer, const struct trace_block_name *name)
{
    put(writer, EVENT_COLUMN_ENDS, name->thread);
    put(writer, EVENT_COLUMN_ENDS,
        step_to(event_next_remote(&writer->code, name->thread), name->ordinal));
}

static void put_free(struct event_writer *writer, const struct trace_block_name *name)
{
    if (name->thread != writer->thread) {
        put_operation(writer, EVENT_FREE_REMOTE, 0);
        put_remote(writer, name);
        return;
    }
    const uint64_t step = step_to(&writer->code.next_local, name->ordinal);
    const uint64_t argument = (uint64_t)varint_to_signed(step) + EVENT_STEP_ZERO;
    if (argument < EVENT_ELSEWHERE) {
        put_operation(writer, EVENT_FREE, (unsigned)argument);
        return;
    }
    put_operation(writer, EVENT_FREE, EVENT_ELSEWHERE);
    put(writer, EVENT_COLUMN_ENDS, step);
}

static void put_realloc(struct event_writer *writer, const struct trace_event *event)
{
    const unsigned size = put_size(writer, event->size_bytes);

    if (event->ends.thread != writer->thread) {
        put_operation(writer, EVENT_REALLOC_REMOTE, size);
        put_remote(writer, &event->ends);
        return;
    }
    put_operation(writer, EVENT_REALLOC, size);
    put(writer, EVENT_COLUMN_ENDS, step_to(&writer->code.next_local, event->ends.ordinal));
}

static void put_time(struct event_writer *writer, uint64_t time_ns)
{
    struct event_code *code = &writer->code;
    const uint64_t passed_ns = time_ns > code->time_ns ? time_ns - code->time_ns : 0;

    code->time_ns += passed_ns;
    if (writer->with & EVENT_WITH_TIMES) {
        put(writer, EVENT_COLUMN_TIMES, passed_ns);
    } else if (passed_ns > 0) {
        put_operation(writer, EVENT_OTHER, EVENT_TIME);
        put(writer, EVENT_COLUMN_REST, passed_ns);
    }
}

static void put_event(struct event_writer *writer, const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_MALLOC:
        put_operation(writer, EVENT_MALLOC, put_size(writer, event->size_bytes));
        break;
    case TRACE_CALLOC:
        put_operation(writer, EVENT_CALLOC, put_size(writer, event->size_bytes));
        break;
    case TRACE_ALIGNED:
        put_operation(writer, EVENT_ALIGNED, put_size(writer, event->size_bytes));
        put(writer, EVENT_COLUMN_REST, (uint64_t)__builtin_ctzll(event->alignment_bytes));
        break;
    case TRACE_REALLOC:
        put_realloc(writer, event);
        break;
    case TRACE_FREE:
        put_free(writer, &event->ends);
        break;
    case TRACE_START:
        put_operation(writer, EVENT_OTHER, EVENT_START);
        put(writer, EVENT_COLUMN_REST, event->started);
        break;
    case TRACE_KINDS:
        break;
    }
}

int event_writer_add(struct event_writer *writer, const struct trace_event *event)
{
    struct event_code *code = &writer->code;

    if (event_writer_reserve(writer, 1) != 0)
        return -ENOMEM;
    event_writer_begin(writer, event->time_ns);
    put_time(writer, event->time_ns);
    put_event(writer, event);
    if (trace_makes(event->kind)) {
        if (writer->with & EVENT_WITH_STACKS) {
            put(writer, EVENT_COLUMN_STACKS,
                varint_from_signed((int64_t)event->stack - (int64_t)code->stack));
            code->stack = event->stack;
        }
        code->born++;
    }
    writer->events++;
    return 0;
}

/* The head: what a reader must know first. Returns its bytes. */
static size_t put_head(const struct event_writer *writer, uint8_t *head)
{
    uint8_t *at = head;

    at = varint_put(at, writer->process);
    at = varint_put(at, writer->thread);
    at = varint_put(at, writer->with);
    at = varint_put(at, writer->events);
    at = varint_put(at, writer->first_born);
    at = varint_put(at, writer->first_time_ns);
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        at = varint_put(at, writer->columns[i].used);
    return (size_t)(at - head);
}

size_t event_writer_bytes(const struct event_writer *writer)
{
    uint8_t head[HEAD_NUMBERS * VARINT_MOST_BYTES];
    size_t bytes = writer->events ? put_head(writer, head) : 0;

    for (size_t i = 0; writer->events && i < EVENT_COLUMNS; i++)
        bytes += writer->columns[i].used;
    return bytes;
}

void event_writer_take(struct event_writer *writer, uint8_t *bytes)
{
    if (writer->events == 0)
        return;
    uint8_t *at = bytes + put_head(writer, bytes);
    for (size_t i = 0; i < EVENT_COLUMNS; i++) {
        struct event_column_bytes *column = &writer->columns[i];
        if (column->used > 0)
            memcpy(at, column->bytes, column->used);
        at += column->used;
        column->used = 0;
    }
    writer->events = 0;
}

void event_writer_free(struct event_writer *writer)
{
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        free(writer->columns[i].bytes);
    *writer = (struct event_writer){0};
}
