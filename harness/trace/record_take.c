/*
 * What each event means for the trace: see record_state.h. Leaves out order.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/clock.h"
#include "harness/trace/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { CLOCK_EVENTS = 1 << 14 /* between two looks at the clock */ };

/* --- What goes to the file. --- */

int record_write_json(struct record_collector *collector, enum trace_block_kind kind,
                      json_t *document)
{
    char *text = document ? json_dumps(document, JSON_COMPACT) : NULL;
    const int error =
        text ? trace_writer_add(collector->writer, kind, text, strlen(text)) : -ENOMEM;

    free(text);
    json_decref(document);
    return error;
}

struct event_writer *record_writer_of(struct record_collector *collector,
                                      struct record_source *source)
{
    if (!source->writer) {
        source->writer = malloc(sizeof *source->writer);
        if (source->writer)
            event_writer_init(source->writer, source->process, source->name, collector->with,
                              source->born);
    }
    return source->writer;
}

int record_put_away(struct record_collector *collector, struct record_source *source)
{
    if (!source->writer)
        return 0;
    int error = record_flush_nodes(collector);
    if (!error)
        error = section_writer_take(&collector->sections, source->writer);
    source->born = source->writer->code.born;
    event_writer_free(source->writer);
    free(source->writer);
    source->writer = NULL;
    return error;
}

static int emit(struct record_collector *collector, struct record_source *source,
                const struct trace_event *event)
{
    struct event_writer *writer = record_writer_of(collector, source);
    const int error = writer ? event_writer_add(writer, event) : -ENOMEM;

    if (error)
        return error;
    collector->counts.events++;
    collector->counts.makes += (uint64_t)trace_makes(event->kind);
    collector->counts.ends += event->kind == TRACE_FREE || event->kind == TRACE_REALLOC;
    return event_writer_is_full(writer) ? section_writer_take(&collector->sections, writer) : 0;
}

int record_flush_nodes(struct record_collector *collector)
{
    const size_t bytes = collector->nodes_bytes;

    collector->nodes_bytes = 0;
    return bytes ? trace_writer_add(collector->writer, TRACE_BLOCK_STACKS, collector->nodes, bytes)
                 : 0;
}

/* --- Blocks. --- */

static uint64_t time_of(const struct record_taking *taking, const struct record_raw *raw)
{
    return taking->collector->with & RECORD_WITH_TIMES
               ? record_time_of_stamp(taking->collector, raw->stamp)
               : taking->source->clock_ns;
}

static int take_end(const struct record_taking *taking, const struct record_raw *raw,
                    enum record_outcome *outcome)
{
    uint64_t *place = block_map_at(taking->member->blocks, raw->address);

    if (!place && block_map_can_hold(raw->address))
        return -ENOMEM;
    if (!place) { /* such a free ends the program, most likely */
        taking->collector->counts.unknown++;
        return 0;
    }
    if (!*place && taking->may_wait) {
        *outcome = RECORD_WAITS;
        return 0;
    }
    const uint64_t packed = *place;
    *place = 0;
    if (raw->kind == RECORD_MOVE) {
        taking->source->moving = packed;
        taking->source->moving_from = raw->address;
        return 0;
    }
    if (!packed) {
        taking->collector->counts.unknown++;
        return 0;
    }
    const struct trace_event event = {
        .kind = TRACE_FREE, .ends = record_unpack_name(packed), .time_ns = time_of(taking, raw)};
    return emit(taking->collector, taking->source, &event);
}

static int take_move_that_failed(const struct record_taking *taking, const struct record_raw *raw)
{
    struct record_source *source = taking->source;
    const uint64_t packed = source->moving;

    source->moving = 0;
    if (!packed)
        return 0;
    if (raw->size == 0) { /* realloc(block, 0) frees */
        const struct trace_event event = {.kind = TRACE_FREE,
                                          .ends = record_unpack_name(packed),
                                          .time_ns = time_of(taking, raw)};
        return emit(taking->collector, source, &event);
    }
    uint64_t *place = block_map_at(taking->member->blocks, source->moving_from);
    if (!place)
        return -ENOMEM;
    *place = packed;
    return 0;
}

static int take_made(const struct record_taking *taking, const struct record_raw *raw,
                     enum record_outcome *outcome)
{
    struct record_collector *collector = taking->collector;
    struct record_source *source = taking->source;
    static const enum trace_kind kinds[] = {[RECORD_MALLOC] = TRACE_MALLOC,
                                            [RECORD_CALLOC] = TRACE_CALLOC,
                                            [RECORD_ALIGNED] = TRACE_ALIGNED,
                                            [RECORD_MOVED] = TRACE_MALLOC};
    struct trace_event event = {.kind = kinds[raw->kind],
                                .size_bytes = raw->size,
                                .alignment_bytes = raw->alignment,
                                .stack = raw->stack,
                                .time_ns = time_of(taking, raw)};

    if (raw->kind == RECORD_MOVED && raw->address == 0)
        return take_move_that_failed(taking, raw);
    if (raw->kind == RECORD_ALIGNED &&
        (raw->alignment == 0 || (raw->alignment & (raw->alignment - 1)) != 0 ||
         raw->alignment >> EVENT_MOST_ALIGNMENT_BITS > 1))
        event.kind = TRACE_MALLOC; /* given all the same, so it was not looked at */
    uint64_t *place = block_map_at(taking->member->blocks, raw->address);
    if (!place)
        return block_map_can_hold(raw->address) ? -ENOMEM : 0;
    if (*place && taking->may_wait) {
        *outcome = RECORD_WAITS;
        return 0;
    }
    if (*place) {
        const struct trace_event unseen = {
            .kind = TRACE_FREE, .ends = record_unpack_name(*place), .time_ns = event.time_ns};
        const int error = emit(collector, source, &unseen);
        if (error)
            return error;
        collector->counts.unseen++;
    }
    if (raw->kind == RECORD_MOVED && source->moving) {
        event.kind = TRACE_REALLOC;
        event.ends = record_unpack_name(source->moving);
    }
    if (raw->kind == RECORD_MOVED)
        source->moving = 0;
    if (!record_writer_of(collector, source))
        return -ENOMEM;
    *place = record_pack_name(source->name, source->writer->code.born);
    return emit(collector, source, &event);
}

/* --- All else. --- */

static int take_start(const struct record_taking *taking, const struct record_raw *raw)
{
    const uint64_t numbers = atomic_load(&taking->collector->shared->threads);
    struct record_source *started =
        raw->rest[0] > 0 && raw->rest[0] <= numbers
            ? record_find_source(taking->collector, (uint32_t)raw->rest[0])
            : NULL;

    if (!started)
        return raw->rest[0] > 0 && raw->rest[0] <= numbers ? -ENOMEM : -EBADMSG;
    const struct trace_event event = {
        .kind = TRACE_START, .started = started->name, .time_ns = taking->source->clock_ns};
    return emit(taking->collector, taking->source, &event);
}

/* The child's blocks so far are its parent's, until it speaks. */
static int take_fork(const struct record_taking *taking, const struct record_raw *raw)
{
    struct record_collector *collector = taking->collector;

    if (raw->rest[0] == 0 || raw->rest[0] > RECORD_MOST_PROCESSES)
        return -EBADMSG;
    struct record_member *forked = record_find_member(collector, (uint32_t)raw->rest[0]);
    if (!forked)
        return -ENOMEM;
    if (forked->blocks || forked->is_over)
        return 0;
    forked->blocks = block_map_copy(taking->member->blocks);
    forked->is_named_by_fork = !forked->is_known;
    forked->forked_ns = clock_monotonic_ns();
    return forked->blocks ? 0 : -ENOMEM;
}

/* A node of a process's tree, as the block STACKS has it: its process, its number, that of its
 * parent, its address. */
static int take_node(const struct record_taking *taking, const struct record_raw *raw)
{
    struct record_collector *collector = taking->collector;
    uint8_t *at = collector->nodes + collector->nodes_bytes;

    at = varint_put(at, taking->source->process);
    at = varint_put(at, raw->rest[0]);
    at = varint_put(at, raw->rest[1]);
    at = varint_put(at, raw->rest[2]);
    collector->nodes_bytes = (size_t)(at - collector->nodes);
    const int error = record_meet_address(collector, taking->source->process, raw->rest[2]);
    return !error && collector->nodes_bytes > RECORD_NODES_BYTES - 4 * VARINT_MOST_BYTES
               ? record_flush_nodes(collector)
               : error;
}

static int take(const struct record_taking *taking, const struct record_raw *raw,
                enum record_outcome *outcome)
{
    *outcome = RECORD_TAKEN;
    switch (raw->kind) {
    case RECORD_MALLOC:
    case RECORD_CALLOC:
    case RECORD_ALIGNED:
    case RECORD_MOVED:
        return take_made(taking, raw, outcome);
    case RECORD_MOVE:
    case RECORD_FREE:
        return take_end(taking, raw, outcome);
    case RECORD_TIME:
        taking->source->clock_ns = raw->rest[0];
        return 0;
    case RECORD_START:
        return take_start(taking, raw);
    case RECORD_FORK:
        return take_fork(taking, raw);
    case RECORD_NODE:
        return take_node(taking, raw);
    case RECORD_NOTHING:
    case RECORD_KINDS:
        break;
    }
    return -EBADMSG; /* somebody else wrote there */
}

int record_take(const struct record_taking *taking, const struct record_raw *raw,
                enum record_outcome *outcome)
{
    struct record_collector *collector = taking->collector;
    const int error = take(taking, raw, outcome);

    if (error || *outcome == RECORD_WAITS)
        return error;
    taking->source->position += raw->words;
    if (++collector->taken % CLOCK_EVENTS == 0)
        record_tell_time(collector);
    return 0;
}
