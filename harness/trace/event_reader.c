/*
 * The mirror of event_writer.c: see event_reader.h. Leaves out trust: every number may be anything,
 * and each is held against its bound where it is read.
 */
#include "harness/trace/event_reader.h"

#include <errno.h>

int event_section_next(struct varint_run *left, struct varint_run *section)
{
    uint64_t length = 0;

    if (left->at == left->end)
        return 0;
    if (varint_get(left, &length) != 0 || length > (uint64_t)(left->end - left->at))
        return -EBADMSG;
    *section = (struct varint_run){left->at, left->at + length};
    left->at += length;
    return 1;
}

static int get_below(struct varint_run *run, uint64_t bound, uint64_t *number)
{
    const int error = varint_get(run, number);

    return error ? error : *number < bound ? 0 : -EBADMSG;
}

int event_reader_init(struct event_reader *reader, const uint8_t *bytes, size_t length)
{
    struct varint_run head = {bytes, bytes + length};
    uint64_t process = 0, thread = 0, with = 0, events = 0, born = 0, time_ns = 0;
    uint64_t lengths[EVENT_COLUMNS] = {0};
    const uint64_t numbers = UINT64_C(1) << 32;

    if (get_below(&head, numbers, &process) != 0 || get_below(&head, numbers, &thread) != 0 ||
        get_below(&head, 2ull * EVENT_WITH_STACKS, &with) != 0 ||
        get_below(&head, EVENT_MOST_EVENTS + 1, &events) != 0 || varint_get(&head, &born) != 0 ||
        varint_get(&head, &time_ns) != 0)
        return -EBADMSG;
    for (size_t i = 0; i < EVENT_COLUMNS; i++)
        if (get_below(&head, (uint64_t)length + 1, &lengths[i]) != 0)
            return -EBADMSG;
    /* An event has an operation at least. */
    if (events > lengths[EVENT_COLUMN_OPERATIONS])
        return -EBADMSG;
    for (size_t i = 0; i < EVENT_COLUMNS; i++) {
        if (lengths[i] > (uint64_t)(head.end - head.at))
            return -EBADMSG;
        reader->columns[i] = (struct varint_run){head.at, head.at + lengths[i]};
        head.at += lengths[i];
    }
    if (head.at != head.end)
        return -EBADMSG;
    reader->process = (uint32_t)process;
    reader->thread = (uint32_t)thread;
    reader->with = (unsigned)with;
    reader->left = (uint32_t)events;
    reader->first_born = born;
    event_code_begin(&reader->code, born, time_ns);
    return 0;
}

static int get(struct event_reader *reader, enum event_column column, uint64_t *number)
{
    return varint_get(&reader->columns[column], number);
}

static int get_size(struct event_reader *reader, unsigned argument, uint64_t *bytes)
{
    if (argument != EVENT_ELSEWHERE) {
        *bytes = reader->code.sizes[argument];
        return 0;
    }
    const int error =
        get_below(&reader->columns[EVENT_COLUMN_SIZES], UINT64_C(1) << EVENT_MOST_SIZE_BITS, bytes);
    if (!error)
        reader->code.sizes[event_size_slot(*bytes)] = *bytes;
    return error;
}

static uint64_t walk(uint64_t *next, int64_t step)
{
    const uint64_t ordinal = *next + (uint64_t)step;

    *next = ordinal + 1;
    return ordinal;
}

static int get_local(struct event_reader *reader, struct trace_block_name *name)
{
    uint64_t step = 0;
    const int error = get(reader, EVENT_COLUMN_ENDS, &step);

    if (!error)
        *name = (struct trace_block_name){reader->thread,
                                          walk(&reader->code.next_local, varint_to_signed(step))};
    return error;
}

static int get_remote(struct event_reader *reader, struct trace_block_name *name)
{
    struct varint_run *ends = &reader->columns[EVENT_COLUMN_ENDS];
    uint64_t thread = 0, step = 0;

    if (get_below(ends, UINT64_C(1) << 32, &thread) != 0 || varint_get(ends, &step) != 0)
        return -EBADMSG;
    name->thread = (uint32_t)thread;
    name->ordinal = walk(event_next_remote(&reader->code, name->thread), varint_to_signed(step));
    return 0;
}

static int get_free(struct event_reader *reader, unsigned argument, struct trace_event *event)
{
    if (argument == EVENT_ELSEWHERE)
        return get_local(reader, &event->ends);
    event->ends = (struct trace_block_name){
        reader->thread, walk(&reader->code.next_local, (int64_t)argument - EVENT_STEP_ZERO)};
    return 0;
}

static int get_alignment(struct event_reader *reader, uint64_t *alignment_bytes)
{
    uint64_t exponent = 0;
    const int error =
        get_below(&reader->columns[EVENT_COLUMN_REST], EVENT_MOST_ALIGNMENT_BITS + 1, &exponent);

    if (!error)
        *alignment_bytes = UINT64_C(1) << exponent;
    return error;
}

static int get_start(struct event_reader *reader, struct trace_event *event)
{
    uint64_t started = 0;
    const int error = get_below(&reader->columns[EVENT_COLUMN_REST], UINT64_C(1) << 32, &started);

    event->kind = TRACE_START;
    event->started = (uint32_t)started;
    return error;
}

static int get_event(struct event_reader *reader, uint8_t byte, struct trace_event *event)
{
    const unsigned argument = byte & EVENT_ELSEWHERE;

    switch ((enum event_operation)(byte >> EVENT_ARGUMENT_BITS)) {
    case EVENT_MALLOC:
        event->kind = TRACE_MALLOC;
        return get_size(reader, argument, &event->size_bytes);
    case EVENT_CALLOC:
        event->kind = TRACE_CALLOC;
        return get_size(reader, argument, &event->size_bytes);
    case EVENT_ALIGNED:
        event->kind = TRACE_ALIGNED;
        return get_size(reader, argument, &event->size_bytes) == 0
                   ? get_alignment(reader, &event->alignment_bytes)
                   : -EBADMSG;
    case EVENT_REALLOC:
        event->kind = TRACE_REALLOC;
        return get_size(reader, argument, &event->size_bytes) == 0 ? get_local(reader, &event->ends)
                                                                   : -EBADMSG;
    case EVENT_REALLOC_REMOTE:
        event->kind = TRACE_REALLOC;
        return get_size(reader, argument, &event->size_bytes) == 0
                   ? get_remote(reader, &event->ends)
                   : -EBADMSG;
    case EVENT_FREE:
        event->kind = TRACE_FREE;
        return get_free(reader, argument, event);
    case EVENT_FREE_REMOTE:
        event->kind = TRACE_FREE;
        return argument == 0 ? get_remote(reader, &event->ends) : -EBADMSG;
    case EVENT_OTHER:
        return argument == EVENT_START ? get_start(reader, event) : -EBADMSG;
    }
    return -EBADMSG;
}

/* Passes over operations that only tell the time. Returns the next other one, or -EBADMSG. */
static int get_operation(struct event_reader *reader)
{
    struct varint_run *operations = &reader->columns[EVENT_COLUMN_OPERATIONS];
    const uint8_t time = (uint8_t)((unsigned)EVENT_OTHER << EVENT_ARGUMENT_BITS | EVENT_TIME);
    uint64_t passed_ns = 0;

    while (operations->at < operations->end) {
        const uint8_t byte = *operations->at++;
        if (byte != time)
            return byte;
        if (get(reader, EVENT_COLUMN_REST, &passed_ns) != 0 ||
            __builtin_add_overflow(reader->code.time_ns, passed_ns, &reader->code.time_ns))
            return -EBADMSG;
    }
    return -EBADMSG;
}

static int get_stack(struct event_reader *reader, uint32_t *stack)
{
    uint64_t step = 0;
    const int error = get(reader, EVENT_COLUMN_STACKS, &step);

    if (!error)
        reader->code.stack += (uint32_t)varint_to_signed(step);
    *stack = reader->code.stack;
    return error;
}

int event_reader_next(struct event_reader *reader, struct trace_event *event)
{
    uint64_t passed_ns = 0;

    if (reader->left == 0)
        return 0;
    *event = (struct trace_event){.kind = TRACE_KINDS};
    const int byte = get_operation(reader);
    if (byte < 0 || get_event(reader, (uint8_t)byte, event) != 0)
        return -EBADMSG;
    if (reader->with & EVENT_WITH_TIMES &&
        (get(reader, EVENT_COLUMN_TIMES, &passed_ns) != 0 ||
         __builtin_add_overflow(reader->code.time_ns, passed_ns, &reader->code.time_ns)))
        return -EBADMSG;
    event->time_ns = reader->code.time_ns;
    if (trace_makes(event->kind)) {
        if (reader->with & EVENT_WITH_STACKS && get_stack(reader, &event->stack) != 0)
            return -EBADMSG;
        reader->code.born++;
    }
    reader->left--;
    return 1;
}
