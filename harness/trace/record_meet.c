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

enum { WAKE_AT = 64 /* chunks given back: a thread that is woken for one sleeps again soon */ };

/* --- Entries. --- */

static int add_living(struct record_collector *collector, uint32_t number)
{
    uint32_t *room =
        room_for(collector->living, &collector->living_room, collector->living_count, sizeof *room);

    if (!room)
        return -ENOMEM;
    collector->living = room;
    room[collector->living_count++] = number;
    return 0;
}

struct record_member *record_find_member(struct record_collector *collector, uint32_t number)
{
    struct record_member **room =
        room_for(collector->members, &collector->member_room, number, sizeof(void *));

    if (!room)
        return NULL;
    collector->members = room;
    if (room[number])
        return room[number];
    room[number] = calloc(1, sizeof *room[number]);
    if (!room[number] || add_living(collector, number) != 0)
        return NULL;
    room[number]->number = number;
    return room[number];
}

struct record_source *record_find_source(struct record_collector *collector, uint32_t number)
{
    struct record_source **room =
        room_for(collector->sources, &collector->source_room, number, sizeof(void *));

    if (!room)
        return NULL;
    collector->sources = room;
    if (!room[number])
        room[number] = calloc(1, sizeof *room[number]);
    if (room[number] && !room[number]->is_named) {
        room[number]->is_named = 1;
        room[number]->name = collector->names++;
    }
    return room[number];
}

/* --- Processes and threads that are met. --- */

/* A process that becomes another program by exec has no more words of the old one. */
static int leave_image(struct record_collector *collector, const struct record_member *begun)
{
    const struct record_process *now = record_entry(collector, begun);
    int error = 0;

    for (uint32_t i = 0; i < collector->living_count && !error; i++) {
        struct record_member *one = collector->members[collector->living[i]];
        const struct record_process *entry = record_entry(collector, one);
        if (one != begun && !one->is_over && atomic_load(&entry->is_known) &&
            entry->pid == now->pid && entry->pid_namespace == now->pid_namespace)
            error = record_end_member(collector, one);
    }
    return error;
}

static int write_process(struct record_collector *collector, const struct record_member *member)
{
    const struct record_process *entry = record_entry(collector, member);
    char name[RECORD_NAME_BYTES];

    snprintf(name, sizeof name, "%.*s", RECORD_NAME_BYTES - 1, entry->name);
    json_t *called = json_string(name);
    return record_write_json(collector, TRACE_BLOCK_PROCESS,
                             json_pack("{si si si sb so}", "process", (int)member->number, "pid",
                                       entry->pid, "parent", (int)entry->parent, "is_image",
                                       (int)entry->is_image, "name",
                                       called ? called : json_string("?")));
}

/* One that was seen to end may be in another namespace of processes, and live. */
static int come_back(struct record_collector *collector, struct record_member *member)
{
    member->is_over = 0;
    member->blocks = block_map_make();
    return member->blocks ? add_living(collector, member->number) : -ENOMEM;
}

static int meet_member(struct record_collector *collector, uint32_t number)
{
    struct record_member *member = record_find_member(collector, number);

    if (!member)
        return -ENOMEM;
    if (member->is_over)
        return come_back(collector, member);
    if (member->is_known)
        return 0;
    const struct record_process *entry = record_entry(collector, member);
    member->is_known = 1;
    member->is_named_by_fork = 0;
    collector->counts.processes++;
    collector->counts.images += entry->is_image;
    if (entry->parent == 0 && !member->blocks) {
        member->blocks = block_map_make();
        if (!member->blocks)
            return -ENOMEM;
    }
    const int error = entry->is_image ? leave_image(collector, member) : 0;
    return error ? error : write_process(collector, member);
}

/* Among the threads of its process that may write. */
static int meet_source(struct record_collector *collector, const struct record_chunk *chunk)
{
    struct record_source *source = record_find_source(collector, chunk->thread);
    struct record_member *member = collector->members[chunk->process];

    if (!source)
        return -ENOMEM;
    if (source->is_active)
        return 0;
    uint32_t room_count = (uint32_t)member->room;
    uint32_t *room = room_for(member->sources, &room_count, (uint32_t)member->count, sizeof *room);
    if (!room)
        return -ENOMEM;
    member->sources = room;
    member->room = room_count;
    room[member->count++] = chunk->thread;
    if (source->process == 0)
        collector->counts.threads++;
    source->process = chunk->process;
    source->is_active = 1;
    source->has_ended = 0;
    return 0;
}

static void queue_chunk(struct record_collector *collector, struct record_source *source,
                        uint32_t number)
{
    atomic_store(&record_chunk_at(collector->shared, number)->next, RECORD_NO_CHUNK);
    if (source->first == RECORD_NO_CHUNK)
        source->first = number;
    else
        atomic_store(&record_chunk_at(collector->shared, source->last)->next, number);
    source->last = number;
}

/* The list has the latest first: threads are named in the order in which they took theirs. Returns
 * RECORD_NO_CHUNK for a list that somebody else wrote to. */
static uint32_t pop_in_order(struct record_shared *shared)
{
    uint32_t number = record_pop_all(&shared->opened_chunks), turned = RECORD_NO_CHUNK;

    for (unsigned i = 0; number != RECORD_NO_CHUNK; i++) {
        if (number > RECORD_MOST_CHUNKS || i > RECORD_MOST_CHUNKS)
            return RECORD_NO_CHUNK;
        struct record_chunk *chunk = record_chunk_at(shared, number);
        const uint32_t next = atomic_load(&chunk->next);
        atomic_store(&chunk->next, turned);
        turned = number;
        number = next;
    }
    return turned;
}

static int meet_chunk(struct record_collector *collector, uint32_t number)
{
    const struct record_chunk *chunk = record_chunk_at(collector->shared, number);

    if (chunk->process == 0 || chunk->process > RECORD_MOST_PROCESSES || chunk->thread == 0)
        return -EBADMSG; /* somebody else wrote there */
    int error = meet_member(collector, chunk->process);
    if (!error)
        error = meet_source(collector, chunk);
    if (!error)
        queue_chunk(collector, collector->sources[chunk->thread], number);
    return error;
}

int record_meet_chunks(struct record_collector *collector)
{
    struct record_shared *shared = collector->shared;
    int error = 0;

    if ((uint32_t)atomic_load(&shared->opened_chunks) == RECORD_NO_CHUNK)
        return 0;
    uint32_t number = pop_in_order(shared);
    while (number != RECORD_NO_CHUNK && !error) {
        const uint32_t next = atomic_load(&record_chunk_at(shared, number)->next);
        error = meet_chunk(collector, number);
        number = next;
    }
    return error;
}

void record_wake(struct record_collector *collector)
{
    struct record_shared *shared = collector->shared;

    if (collector->given_back == 0)
        return;
    collector->given_back = 0;
    atomic_fetch_add(&shared->returned, 1);
    if (atomic_load(&shared->waiting) > 0)
        syscall(SYS_futex, &shared->returned, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

void record_give_back(struct record_collector *collector, struct record_source *source)
{
    const uint32_t number = source->first;
    const uint32_t next = atomic_load(&record_chunk_at(collector->shared, number)->next);

    source->first = next;
    source->position = 0;
    record_push(collector->shared, &collector->shared->free_chunks, number);
    if (++collector->given_back >= WAKE_AT)
        record_wake(collector);
}

/* --- Words. --- */

static int has_size(enum record_kind kind)
{
    return kind == RECORD_MALLOC || kind == RECORD_CALLOC || kind == RECORD_ALIGNED ||
           kind == RECORD_MOVED;
}

static size_t plain_words(enum record_kind kind)
{
    return kind == RECORD_NODE ? 3 : kind >= RECORD_FORK ? 1 : 0;
}

static uint64_t word_at(const struct record_chunk *chunk, uint32_t at)
{
    return atomic_load_explicit(&chunk->words[at], memory_order_relaxed);
}

/* The words of an event whose first one is there. */
static void read_words(const struct record_collector *collector, const struct record_chunk *chunk,
                       uint32_t at, uint64_t first, struct record_raw *raw)
{
    uint32_t next = at + 1;

    *raw = (struct record_raw){.kind = (enum record_kind)(first & ((1 << RECORD_KIND_BITS) - 1))};
    for (size_t i = 0; i < plain_words(raw->kind); i++)
        raw->rest[i] = word_at(chunk, next++);
    if (raw->kind < RECORD_FORK)
        raw->address = (uintptr_t)(first >> RECORD_ADDRESS_SHIFT) << RECORD_ADDRESS_LOW_BITS;
    if (has_size(raw->kind)) {
        raw->size = first >> RECORD_KIND_BITS & RECORD_SIZE_FOLLOWS;
        if (raw->size == RECORD_SIZE_FOLLOWS)
            raw->size = word_at(chunk, next++);
        if (raw->kind == RECORD_ALIGNED)
            raw->alignment = word_at(chunk, next++);
        if (collector->with & RECORD_WITH_STACKS)
            raw->stack = (uint32_t)word_at(chunk, next++);
    }
    if (raw->kind < RECORD_TIME && chunk->is_stamped)
        raw->stamp = word_at(chunk, next++);
    raw->words = next - at;
}

int record_peek(struct record_collector *collector, struct record_source *source,
                struct record_raw *raw)
{
    while (source->first != RECORD_NO_CHUNK) {
        const struct record_chunk *chunk = record_chunk_at(collector->shared, source->first);
        /* Before the word: all that a thread wrote before it closed a chunk is there then. */
        const uint32_t is_closed = atomic_load_explicit(&chunk->is_closed, memory_order_acquire);
        const uint64_t first =
            source->position + RECORD_MOST_WORDS <= RECORD_CHUNK_WORDS
                ? atomic_load_explicit(&chunk->words[source->position], memory_order_acquire)
                : 0;
        if (first) {
            read_words(collector, chunk, source->position, first, raw);
            return 1;
        }
        if (is_closed == RECORD_OPEN)
            return 0;
        source->has_ended = is_closed == RECORD_ENDED;
        record_give_back(collector, source);
    }
    return 0;
}
