/*
 * What each event means for the trace: see record_state.h. Leaves out order.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/trace/varint.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    ORDINAL_BITS = 40,
    CLOCK_EVENTS = 1 << 14, /* between two looks at the clock */
};

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

int record_flush(struct record_collector *collector, struct record_source *source)
{
    return section_writer_take(&collector->sections, &source->writer);
}

static int emit(struct record_collector *collector, struct record_source *source,
                const struct trace_event *event)
{
    const int error = event_writer_add(&source->writer, event);

    if (error)
        return error;
    collector->counts.events++;
    collector->counts.makes += (uint64_t)trace_makes(event->kind);
    collector->counts.ends += event->kind == TRACE_FREE || event->kind == TRACE_REALLOC;
    return event_writer_is_full(&source->writer) ? record_flush(collector, source) : 0;
}

int record_flush_nodes(struct record_collector *collector)
{
    const size_t bytes = collector->nodes_bytes;

    collector->nodes_bytes = 0;
    return bytes ? trace_writer_add(collector->writer, TRACE_BLOCK_STACKS, collector->nodes, bytes)
                 : 0;
}

/* --- Blocks. --- */

/* A block in the map: who made it, counted from 1 so that nothing is 0, and its ordinal. */
static uint64_t pack_name(uint32_t thread, uint64_t ordinal)
{
    return (uint64_t)(thread + 1) << ORDINAL_BITS | ordinal;
}

static struct trace_block_name unpack_name(uint64_t packed)
{
    return (struct trace_block_name){(uint32_t)(packed >> ORDINAL_BITS) - 1,
                                     packed & ((UINT64_C(1) << ORDINAL_BITS) - 1)};
}

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

    if (!place)
        return raw->address ? -ENOMEM : -EBADMSG;
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
        .kind = TRACE_FREE, .ends = unpack_name(packed), .time_ns = time_of(taking, raw)};
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
        const struct trace_event event = {
            .kind = TRACE_FREE, .ends = unpack_name(packed), .time_ns = time_of(taking, raw)};
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
        return raw->address ? -ENOMEM : -EBADMSG;
    if (*place && taking->may_wait) {
        *outcome = RECORD_WAITS;
        return 0;
    }
    if (*place) {
        const struct trace_event unseen = {
            .kind = TRACE_FREE, .ends = unpack_name(*place), .time_ns = event.time_ns};
        const int error = emit(collector, source, &unseen);
        if (error)
            return error;
        collector->counts.unseen++;
    }
    if (raw->kind == RECORD_MOVED && source->moving) {
        event.kind = TRACE_REALLOC;
        event.ends = unpack_name(source->moving);
    }
    source->moving = 0;
    *place = pack_name(source->name, source->writer.code.born);
    return emit(collector, source, &event);
}

/* --- All else. --- */

static int take_start(const struct record_taking *taking, const struct record_raw *raw)
{
    struct record_collector *collector = taking->collector;
    struct record_source *started = NULL;

    for (size_t i = taking->member->count; i-- > 0 && !started;) {
        struct record_source *one = collector->sources[taking->member->sources[i]];
        if (one->self == raw->rest[0] && !one->is_claimed && one != taking->source)
            started = one;
    }
    struct trace_event event = {.kind = TRACE_START, .time_ns = taking->source->clock_ns};
    if (started) {
        started->is_claimed = 1;
        event.started = started->name;
    } else {
        if (collector->started_count == collector->started_room) {
            const size_t room = collector->started_room ? 2 * collector->started_room : 16;
            struct record_started *larger = realloc(collector->started, room * sizeof *larger);
            if (!larger)
                return -ENOMEM;
            collector->started = larger;
            collector->started_room = room;
        }
        event.started = collector->names++;
        collector->started[collector->started_count++] =
            (struct record_started){taking->source->process, raw->rest[0], event.started};
    }
    return emit(collector, taking->source, &event);
}

static int take_fork(const struct record_taking *taking, const struct record_raw *raw)
{
    struct record_collector *collector = taking->collector;
    const uint32_t child = (uint32_t)raw->rest[0];

    if (raw->rest[0] == 0 || raw->rest[0] > RECORD_MOST_PROCESSES)
        return -EBADMSG;
    struct record_member *forked = record_find_member(collector, child);
    struct block_map *copy = forked ? block_map_copy(taking->member->blocks) : NULL;
    if (!copy)
        return -ENOMEM;
    block_map_free(forked->blocks);
    forked->blocks = copy;
    return 0;
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
    return collector->nodes_bytes > RECORD_NODES_BYTES - 4 * VARINT_MOST_BYTES
               ? record_flush_nodes(collector)
               : 0;
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
