/*
 * The events that most programs consist of, in one loop over registers: see record_state.h. Leaves
 * out all others, which record_take.c knows, and so what a block of events holds: this is the same
 * as record_take() and event_writer_add() would do, one by one.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/trace/varint.h"

#include <errno.h>

enum { AT_ONCE = 512 /* events: so much room is made, and so often the clock is looked at */ };

/* What the loop works on; written back when it ends. */
struct plain {
    const struct record_chunk *chunk;
    uint32_t at, end;
    struct event_code *code;
    uint64_t *region;        /* of the map */
    uintptr_t region_number; /* 0: none yet */
    uint64_t tag;            /* a name of this thread's, without ordinal */
    int has_stacks;
    uint8_t *operations, *sizes, *ends, *stacks;
    uint32_t events, most;
    uint64_t makes;
};

/* The second word of what is made, where there are stacks. */
static inline void put_stack(struct plain *plain)
{
    struct event_code *code = plain->code;
    const uint32_t stack =
        (uint32_t)atomic_load_explicit(&plain->chunk->words[++plain->at], memory_order_relaxed);

    plain->stacks =
        varint_put(plain->stacks, varint_from_signed((int64_t)stack - (int64_t)code->stack));
    code->stack = stack;
}

static inline int put_malloc(struct plain *plain, uint64_t *place, uint64_t word)
{
    struct event_code *code = plain->code;
    const uint64_t bytes = word >> RECORD_KIND_BITS & RECORD_SIZE_FOLLOWS;
    const unsigned operation =
        (word & ((1 << RECORD_KIND_BITS) - 1)) == RECORD_MALLOC ? EVENT_MALLOC : EVENT_CALLOC;

    if (*place || bytes == RECORD_SIZE_FOLLOWS)
        return 0;
    const size_t slot = event_size_slot(bytes);
    unsigned argument = (unsigned)slot;
    if (code->sizes[slot] != bytes) {
        code->sizes[slot] = bytes;
        plain->sizes = varint_put(plain->sizes, bytes);
        argument = EVENT_ELSEWHERE;
    }
    *plain->operations++ = (uint8_t)(operation << EVENT_ARGUMENT_BITS | argument);
    *place = plain->tag | code->born++;
    plain->makes++;
    if (plain->has_stacks)
        put_stack(plain);
    return 1;
}

static inline int put_free(struct plain *plain, uint64_t *place)
{
    struct event_code *code = plain->code;
    const uint64_t name = *place;

    if (name >> RECORD_ORDINAL_BITS != plain->tag >> RECORD_ORDINAL_BITS)
        return 0;
    const uint64_t ordinal = name - plain->tag;
    const uint64_t step = ordinal - code->next_local;
    const uint64_t argument = step + EVENT_STEP_ZERO;
    *place = 0;
    code->next_local = ordinal + 1;
    if (argument < EVENT_ELSEWHERE) {
        *plain->operations++ = (uint8_t)(EVENT_FREE << EVENT_ARGUMENT_BITS | (unsigned)argument);
        return 1;
    }
    *plain->operations++ = (uint8_t)(EVENT_FREE << EVENT_ARGUMENT_BITS | EVENT_ELSEWHERE);
    plain->ends = varint_put(plain->ends, varint_from_signed((int64_t)step));
    return 1;
}

/* One event; 0 when it is not plain, or not there. */
static inline int take_one(struct plain *plain, struct block_map *map)
{
    const uint64_t word =
        atomic_load_explicit(&plain->chunk->words[plain->at], memory_order_acquire);
    const unsigned kind = (unsigned)word & ((1 << RECORD_KIND_BITS) - 1);
    const uintptr_t address = (uintptr_t)(word >> RECORD_ADDRESS_SHIFT) << RECORD_ADDRESS_LOW_BITS;

    if (kind != RECORD_MALLOC && kind != RECORD_FREE && kind != RECORD_CALLOC)
        return 0;
    if (!plain->region || address >> BLOCK_MAP_REGION_BITS != plain->region_number) {
        plain->region = block_map_region(map, address);
        plain->region_number = plain->region ? address >> BLOCK_MAP_REGION_BITS : 0;
        if (!plain->region)
            return 0;
    }
    uint64_t *place = &plain->region[block_map_index(address)];
    return kind == RECORD_FREE ? put_free(plain, place) : put_malloc(plain, place, word);
}

static uint32_t take_some(struct plain *plain, struct block_map *map)
{
    const uint32_t first = plain->events;

    while (plain->events < plain->most && plain->at < plain->end && take_one(plain, map)) {
        plain->at++;
        plain->events++;
    }
    return plain->events - first;
}

/* Room, and where the loop stands. Returns 0 or -ENOMEM. */
static int begin(struct plain *plain, struct record_collector *collector,
                 const struct record_source *source, struct event_writer *writer)
{
    const uint32_t room = EVENT_BLOCK_EVENTS - writer->events;

    if (event_writer_reserve(writer, AT_ONCE) != 0)
        return -ENOMEM;
    event_writer_begin(writer, source->clock_ns);
    *plain = (struct plain){
        .chunk = record_chunk_at(collector->shared, source->first),
        .at = source->position,
        .end = RECORD_CHUNK_WORDS - RECORD_MOST_WORDS + 1,
        .code = &writer->code,
        .tag = record_pack_name(source->name, 0),
        .has_stacks = (collector->with & RECORD_WITH_STACKS) != 0,
        .operations = writer->columns[EVENT_COLUMN_OPERATIONS].bytes +
                      writer->columns[EVENT_COLUMN_OPERATIONS].used,
        .sizes =
            writer->columns[EVENT_COLUMN_SIZES].bytes + writer->columns[EVENT_COLUMN_SIZES].used,
        .ends = writer->columns[EVENT_COLUMN_ENDS].bytes + writer->columns[EVENT_COLUMN_ENDS].used,
        .stacks = writer->columns[EVENT_COLUMN_STACKS].bytes,
        .events = writer->events,
        .most = writer->events + (room < AT_ONCE ? room : AT_ONCE)};
    if (plain->has_stacks)
        plain->stacks += writer->columns[EVENT_COLUMN_STACKS].used;
    return 0;
}

static void write_back(const struct plain *plain, struct record_collector *collector,
                       struct record_source *source, struct event_writer *writer)
{
    const uint64_t taken = plain->events - writer->events;
    struct event_column_bytes *columns = writer->columns;

    columns[EVENT_COLUMN_OPERATIONS].used =
        (size_t)(plain->operations - columns[EVENT_COLUMN_OPERATIONS].bytes);
    columns[EVENT_COLUMN_SIZES].used = (size_t)(plain->sizes - columns[EVENT_COLUMN_SIZES].bytes);
    columns[EVENT_COLUMN_ENDS].used = (size_t)(plain->ends - columns[EVENT_COLUMN_ENDS].bytes);
    if (plain->has_stacks)
        columns[EVENT_COLUMN_STACKS].used =
            (size_t)(plain->stacks - columns[EVENT_COLUMN_STACKS].bytes);
    writer->events = plain->events;
    source->position = plain->at;
    collector->counts.events += taken;
    collector->counts.makes += plain->makes;
    collector->counts.ends += taken - plain->makes;
    collector->taken += taken;
}

/* Whether the next event may be plain at all. */
static int may_be_plain(const struct record_collector *collector,
                        const struct record_source *source)
{
    if (collector->with & RECORD_WITH_TIMES || source->first == RECORD_NO_CHUNK || source->moving ||
        !source->writer)
        return 0;
    return !record_chunk_at(collector->shared, source->first)->is_stamped &&
           (source->writer->events == 0 || source->writer->code.time_ns >= source->clock_ns);
}

int record_take_plain(struct record_collector *collector, struct record_member *member,
                      struct record_source *source)
{
    uint32_t taken = AT_ONCE;
    struct plain plain;
    int error = 0;

    while (!error && taken == AT_ONCE && may_be_plain(collector, source)) {
        error = begin(&plain, collector, source, source->writer);
        if (error)
            break;
        taken = take_some(&plain, member->blocks);
        write_back(&plain, collector, source, source->writer);
        if (event_writer_is_full(source->writer)) {
            error = section_writer_take(&collector->sections, source->writer);
            taken = AT_ONCE;
        }
        record_tell_time(collector);
    }
    return error;
}
