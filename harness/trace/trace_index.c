/*
 * One pass for numbers, any more for events: see trace_index.h. Leaves out order between threads,
 * which a file has only by names of blocks and by time.
 */
#include "harness/trace/trace_index.h"

#include "harness/trace/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MOST_JSON_BYTES = 1 << 16,                 /* of a block: a command, some counts */
    MOST_BLOCK_EVENTS = 4 * EVENT_MOST_EVENTS, /* sections that share one are small */
};

static json_t *read_json(const struct trace_block *block)
{
    json_t *read = block->length <= MOST_JSON_BYTES
                       ? json_loadb((const char *)block->bytes, block->length, 0, NULL)
                       : NULL;

    if (json_is_object(read))
        return read;
    json_decref(read);
    return NULL;
}

static int index_process(struct trace_index *index, const struct trace_block *block)
{
    json_t *read = read_json(block);
    struct trace_process *room;
    const json_int_t number = json_integer_value(json_object_get(read, "process"));
    const json_int_t parent = json_integer_value(json_object_get(read, "parent"));
    const char *name = json_string_value(json_object_get(read, "name"));

    if (!read || number < 1 || number >= TRACE_MOST_PROCESSES || parent < 0 || parent >= number) {
        json_decref(read);
        return -EBADMSG;
    }
    room = room_for(index->processes, &index->process_room, (uint32_t)number, sizeof *room);
    if (room) {
        index->processes = room;
        room[number].is_known = 1;
        room[number].parent = (uint32_t)parent;
        snprintf(room[number].name, sizeof room[number].name, "%.60s", name ? name : "?");
    }
    json_decref(read);
    return room ? 0 : -ENOMEM;
}

/* The thread of a section. Returns 0, -ENOMEM, or -EBADMSG for one that cannot be. */
static int find_thread(struct trace_index *index, const struct event_reader *events,
                       struct trace_thread **found)
{
    if (events->thread >= TRACE_MOST_THREADS || events->process >= index->process_room ||
        !index->processes[events->process].is_known)
        return -EBADMSG;
    struct trace_thread *room =
        room_for(index->threads, &index->thread_room, events->thread, sizeof *room);
    if (!room)
        return -ENOMEM;
    index->threads = room;
    *found = &room[events->thread];
    return 0;
}

/* What the events of a section add to what is known of their thread. */
static int count_events(struct event_reader *events, struct trace_thread *counted)
{
    struct trace_event event;
    int got;

    while ((got = event_reader_next(events, &event)) == 1) {
        if (!counted->is_known)
            counted->first_ns = event.time_ns;
        counted->is_known = 1;
        counted->last_ns = event.time_ns;
        counted->events++;
        counted->makes += (uint64_t)trace_makes(event.kind);
        if (event.kind == TRACE_FREE || event.kind == TRACE_REALLOC) {
            counted->ends++;
            counted->remote_ends += event.ends.thread != events->thread;
        }
    }
    return got;
}

/*
 * The first pass over a block: whether all of it can be. Each section goes on where its thread's
 * last one ended, which is noted beside what is known of the thread, so that a block counts as a
 * whole or not at all.
 */
static int check_section(struct trace_index *index, const struct varint_run *section,
                         uint64_t block, uint64_t *events_left)
{
    struct event_reader events;
    struct trace_thread *thread;
    int error = event_reader_init(&events, section->at, (size_t)(section->end - section->at));

    if (!error)
        error = find_thread(index, &events, &thread);
    if (error)
        return error;
    if (thread->staged.block != block)
        thread->staged = (struct trace_staged){block, thread->makes, thread->last_ns,
                                               thread->is_known, thread->process};
    struct trace_staged *staged = &thread->staged;
    if (events.left > *events_left || staged->makes != events.first_born ||
        (staged->is_known &&
         (staged->process != events.process || events.code.time_ns < staged->last_ns)))
        return -EBADMSG;
    *events_left -= events.left;
    struct trace_thread counted = {.makes = staged->makes, .last_ns = events.code.time_ns};
    error = count_events(&events, &counted);
    *staged = (struct trace_staged){block, counted.makes, counted.last_ns, 1, events.process};
    return error;
}

static int check_sections(struct trace_index *index, const struct trace_block *block)
{
    struct varint_run left = {block->bytes, block->bytes + block->length}, section;
    uint64_t events_left = MOST_BLOCK_EVENTS;
    int got;

    while ((got = event_section_next(&left, &section)) == 1) {
        /* Offsets in a file are above 0. */
        const int error = check_section(index, &section, block->offset, &events_left);
        if (error)
            return error;
    }
    return got;
}

static int index_section(struct trace_index *index, const struct varint_run *section)
{
    struct event_reader events;
    struct trace_thread *thread;
    int error = event_reader_init(&events, section->at, (size_t)(section->end - section->at));

    if (!error)
        error = find_thread(index, &events, &thread);
    if (error)
        return error;
    struct trace_thread counted = *thread;
    counted.process = events.process;
    error = count_events(&events, &counted);
    if (error)
        return error;
    index->events += counted.events - thread->events;
    index->makes += counted.makes - thread->makes;
    index->ends += counted.ends - thread->ends;
    index->processes[events.process].events += counted.events - thread->events;
    index->with |= events.with;
    if (counted.last_ns > index->last_ns)
        index->last_ns = counted.last_ns;
    *thread = counted;
    return 0;
}

static int index_events(struct trace_index *index, const struct trace_block *block)
{
    struct varint_run left = {block->bytes, block->bytes + block->length}, section;
    int error = check_sections(index, block);

    while (!error && event_section_next(&left, &section) == 1)
        error = index_section(index, &section);
    return error;
}

static int index_block(struct trace_index *index, const struct trace_block *block)
{
    json_t **kept = block->kind == TRACE_BLOCK_ABOUT ? &index->about
                    : block->kind == TRACE_BLOCK_END ? &index->end
                                                     : NULL;

    if (block->kind == TRACE_BLOCK_EVENTS)
        return index_events(index, block);
    if (block->kind == TRACE_BLOCK_PROCESS)
        return index_process(index, block);
    if (!kept)
        return 0;
    json_decref(*kept);
    *kept = read_json(block);
    return *kept ? 0 : -EBADMSG;
}

int trace_index_make(struct trace_index *index, struct trace_reader *reader, char *error)
{
    struct trace_block block;
    int got;

    *index = (struct trace_index){0};
    trace_reader_rewind(reader);
    while ((got = trace_reader_next(reader, &block)) == 1) {
        got = index_block(index, &block);
        if (got == -EBADMSG) {
            trace_reader_refuse(reader, "a block is not what it should be");
            break;
        }
        if (got < 0)
            break;
        index->good_bytes = trace_reader_offset(reader);
    }
    if (got >= 0 || got == -EBADMSG)
        return 0;
    snprintf(error, TRACE_ERROR_BYTES, "cannot read the trace: %s", strerror(-got));
    trace_index_free(index);
    return got;
}

void trace_index_free(struct trace_index *index)
{
    json_decref(index->about);
    json_decref(index->end);
    free(index->threads);
    free(index->processes);
    *index = (struct trace_index){0};
}

static int is_made(const struct trace_index *index, const struct trace_block_name *name)
{
    return name->thread < index->thread_room && name->ordinal < index->threads[name->thread].makes;
}

static int visit_section(const struct trace_index *index, const struct varint_run *section,
                         trace_visit *visit, void *context)
{
    struct event_reader events;
    struct trace_event event;
    int got = event_reader_init(&events, section->at, (size_t)(section->end - section->at));

    while (!got && (got = event_reader_next(&events, &event)) == 1) {
        got = 0;
        if (events.thread >= index->thread_room ||
            events.code.born > index->threads[events.thread].makes)
            return -EIO; /* the file is another one than it was */
        /* In a trace that was cut off the maker may be behind the cut. */
        if ((event.kind == TRACE_FREE || event.kind == TRACE_REALLOC) &&
            !is_made(index, &event.ends)) {
            if (event.kind == TRACE_FREE)
                continue;
            event.kind = TRACE_MALLOC;
        }
        got = visit(context, &events, &event);
    }
    return got;
}

static int visit_events(const struct trace_index *index, const struct trace_block *block,
                        trace_visit *visit, void *context)
{
    struct varint_run left = {block->bytes, block->bytes + block->length}, section;
    int got = 0;

    while (!got && event_section_next(&left, &section) == 1)
        got = visit_section(index, &section, visit, context);
    return got;
}

int trace_index_scan(const struct trace_index *index, struct trace_reader *reader,
                     trace_visit *visit, void *context)
{
    struct trace_block block;
    int got = 1;

    trace_reader_rewind(reader);
    while (got >= 0 && trace_reader_offset(reader) < index->good_bytes &&
           (got = trace_reader_next(reader, &block)) == 1)
        if (block.kind == TRACE_BLOCK_EVENTS)
            got = visit_events(index, &block, visit, context);
    if (got == 0 && trace_reader_offset(reader) < index->good_bytes)
        return -EIO;
    return got < 0 ? got : 0;
}
