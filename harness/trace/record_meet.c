/*
 * Chunks as they come, and words out of them: see record_state.h. Leaves out what words mean.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/trace/room.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* --- Entries. --- */

struct record_member *record_find_member(struct record_collector *collector, uint32_t number)
{
    struct record_member **room =
        room_for(collector->members, &collector->member_room, number, sizeof *room);

    if (!room)
        return NULL;
    collector->members = room;
    if (!room[number])
        room[number] = calloc(1, sizeof *room[number]);
    return room[number];
}

static struct record_source *find_source(struct record_collector *collector, uint32_t number)
{
    struct record_source **room =
        room_for(collector->sources, &collector->source_room, number, sizeof *room);

    if (!room)
        return NULL;
    collector->sources = room;
    if (!room[number])
        room[number] = calloc(1, sizeof *room[number]);
    return room[number];
}

/* --- Processes and threads that are met. --- */

/* A process that becomes another program by exec has no more words of the old one. */
static void leave_image(struct record_collector *collector, const struct record_member *begun)
{
    for (uint32_t i = 0; i < collector->member_room; i++) {
        struct record_member *one = collector->members[i];
        if (one && one != begun && one->is_known && one->pid == begun->pid)
            one->pid = 0;
    }
}

static int meet_member(struct record_collector *collector, uint32_t number)
{
    struct record_process *entry = &collector->shared->process[number - 1];
    char name[RECORD_NAME_BYTES];
    struct record_member *member = record_find_member(collector, number);

    if (!member)
        return -ENOMEM;
    if (member->is_known)
        return 0;
    if (!member->blocks)
        member->blocks = block_map_make();
    if (!member->blocks)
        return -ENOMEM;
    member->is_known = 1;
    member->pid = entry->pid;
    if (entry->is_image)
        leave_image(collector, member);
    collector->counts.processes++;
    collector->counts.images += entry->is_image;
    snprintf(name, sizeof name, "%.*s", RECORD_NAME_BYTES - 1, entry->name);
    json_t *called = json_string(name);
    return record_write_json(collector, TRACE_BLOCK_PROCESS,
                             json_pack("{si si si sb so}", "process", (int)number, "pid",
                                       entry->pid, "parent", (int)entry->parent, "is_image",
                                       (int)entry->is_image, "name",
                                       called ? called : json_string("?")));
}

/* The name of a thread that has its first chunk: that by which it was started, if it is known. */
static uint32_t name_source(struct record_collector *collector, struct record_source *source)
{
    for (size_t i = collector->started_count; i-- > 0;) {
        const struct record_started *started = &collector->started[i];
        if (started->process == source->process && started->self == source->self) {
            const uint32_t name = started->name;
            collector->started[i] = collector->started[--collector->started_count];
            source->is_claimed = 1;
            return name;
        }
    }
    return collector->names++;
}

static int meet_source(struct record_collector *collector, const struct record_chunk *chunk)
{
    struct record_source *source = find_source(collector, chunk->thread);
    struct record_member *member = collector->members[chunk->process];

    if (!source)
        return -ENOMEM;
    if (source->process)
        return 0;
    if (member->count == member->room) {
        const size_t room = member->room ? 2 * member->room : 4;
        uint32_t *sources = realloc(member->sources, room * sizeof *sources);
        if (!sources)
            return -ENOMEM;
        member->sources = sources;
        member->room = room;
    }
    member->sources[member->count++] = chunk->thread;
    source->process = chunk->process;
    source->self = chunk->self;
    source->name = name_source(collector, source);
    collector->counts.threads++;
    event_writer_init(&source->writer, source->process, source->name, collector->with);
    return 0;
}

static int queue_chunk(struct record_source *source, uint32_t number)
{
    if (source->later_count == source->later_room) {
        const size_t room = source->later_room ? 2 * source->later_room : 4;
        uint32_t *later = realloc(source->later, room * sizeof *later);
        if (!later)
            return -ENOMEM;
        source->later = later;
        source->later_room = room;
    }
    source->later[source->later_count++] = number;
    return 0;
}

static void begin_chunk(struct record_collector *collector, struct record_source *source)
{
    for (size_t i = 0; i < source->later_count; i++) {
        struct record_chunk *chunk = record_chunk_at(collector->shared, source->later[i]);
        if (chunk->serial != source->serial)
            continue;
        source->chunk = chunk;
        source->chunk_number = source->later[i];
        source->position = 0;
        source->serial++;
        source->later[i] = source->later[--source->later_count];
        return;
    }
}

/* The list has the latest first: threads are named in the order in which they took theirs. */
static uint32_t pop_in_order(struct record_shared *shared)
{
    uint32_t number = record_pop_all(&shared->opened_chunks), turned = RECORD_NO_CHUNK;

    while (number != RECORD_NO_CHUNK) {
        struct record_chunk *chunk = record_chunk_at(shared, number);
        const uint32_t next = atomic_load(&chunk->next);
        atomic_store(&chunk->next, turned);
        turned = number;
        number = next;
    }
    return turned;
}

int record_meet_chunks(struct record_collector *collector)
{
    struct record_shared *shared = collector->shared;
    uint32_t number = pop_in_order(shared);

    while (number != RECORD_NO_CHUNK) {
        const struct record_chunk *chunk = record_chunk_at(shared, number);
        const uint32_t next = atomic_load(&chunk->next);
        if (chunk->process == 0 || chunk->process > RECORD_MOST_PROCESSES || chunk->thread == 0)
            return -EBADMSG; /* somebody else wrote there */
        int error = meet_member(collector, chunk->process);
        if (!error)
            error = meet_source(collector, chunk);
        if (!error)
            error = queue_chunk(collector->sources[chunk->thread], number);
        if (error)
            return error;
        number = next;
    }
    return 0;
}

void record_give_back(struct record_collector *collector, struct record_source *source)
{
    struct record_shared *shared = collector->shared;

    /* A thread that was killed may have begun an event behind. */
    for (uint32_t i = 0; i < source->position + RECORD_MOST_WORDS && i < RECORD_CHUNK_WORDS; i++)
        atomic_store_explicit(&source->chunk->words[i], 0, memory_order_relaxed);
    source->chunk = NULL;
    record_push(shared, &shared->free_chunks, source->chunk_number);
    atomic_fetch_add(&shared->returned, 1);
    if (atomic_load(&shared->waiting) > 0)
        syscall(SYS_futex, &shared->returned, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* --- Words. --- */

static int has_size(enum record_kind kind)
{
    return kind == RECORD_MALLOC || kind == RECORD_CALLOC || kind == RECORD_ALIGNED ||
           kind == RECORD_MOVED;
}

static size_t plain_words(enum record_kind kind)
{
    return kind == RECORD_NODE ? 3 : kind >= RECORD_TIME ? 1 : 0;
}

/* The next event of a thread. Returns 0 when there is none, for now. */
int record_peek(struct record_collector *collector, struct record_source *source,
                struct record_raw *raw)
{
    for (;;) {
        if (!source->chunk)
            begin_chunk(collector, source);
        if (!source->chunk)
            return 0;
        const uint32_t at = source->position;
        const int is_closed =
            (int)atomic_load_explicit(&source->chunk->is_closed, memory_order_acquire);
        const uint64_t first =
            at + RECORD_MOST_WORDS <= RECORD_CHUNK_WORDS
                ? atomic_load_explicit(&source->chunk->words[at], memory_order_acquire)
                : 0;
        if (first) {
            const _Atomic uint64_t *words = &source->chunk->words[at];
            uint32_t next = 1;
            *raw = (struct record_raw){.kind = (enum record_kind)(first & 15)};
            for (size_t i = 0; i < plain_words(raw->kind); i++)
                raw->rest[i] = atomic_load_explicit(&words[next++], memory_order_relaxed);
            if (raw->kind < RECORD_TIME) {
                raw->address = (uintptr_t)(first >> RECORD_ADDRESS_SHIFT)
                               << RECORD_ADDRESS_LOW_BITS;
                raw->size = (first >> RECORD_KIND_BITS) & RECORD_SIZE_FOLLOWS;
                if (has_size(raw->kind)) {
                    if (raw->size == RECORD_SIZE_FOLLOWS)
                        raw->size = atomic_load_explicit(&words[next++], memory_order_relaxed);
                    if (raw->kind == RECORD_ALIGNED)
                        raw->alignment = atomic_load_explicit(&words[next++], memory_order_relaxed);
                    if (collector->with & RECORD_WITH_STACKS)
                        raw->stack =
                            (uint32_t)atomic_load_explicit(&words[next++], memory_order_relaxed);
                }
                if (source->chunk->is_stamped)
                    raw->stamp = atomic_load_explicit(&words[next++], memory_order_relaxed);
            }
            raw->words = next;
            return 1;
        }
        if (!is_closed)
            return 0;
        record_give_back(collector, source);
    }
}
