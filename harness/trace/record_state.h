/*
 * What the collector knows of the programs that it records: see record_collect.h. Leaves out files.
 * For its own parts alone: meeting chunks and reading words (record_meet.c), what an event means
 * (record_take.c), in which order (record_merge.c).
 */
#ifndef TIDEMARK_HARNESS_TRACE_RECORD_STATE_H
#define TIDEMARK_HARNESS_TRACE_RECORD_STATE_H

#include "harness/trace/block_map.h"
#include "harness/trace/event_writer.h"
#include "harness/trace/record_collect.h"
#include "harness/trace/record_shared.h"
#include "harness/trace/section_writer.h"

#if defined(__x86_64__)
#include <x86intrin.h>
#elif !defined(__aarch64__)
#include "harness/clock.h"
#endif

enum { RECORD_NODES_BYTES = 1 << 18 };

/* A thread that is recorded, counted from 1 in the order in which they are met. */
struct record_source {
    uint32_t process;
    uint32_t name;  /* in the trace */
    uint64_t self;  /* its pthread_t */
    int is_claimed; /* who started it is known */
    /* Its chunks, by number; the first is being read. */
    struct record_chunk *chunk;
    uint32_t chunk_number, position;
    uint32_t serial; /* of the next chunk */
    uint32_t *later; /* chunks that were met out of turn */
    size_t later_count, later_room;
    uint64_t clock_ns;
    uint64_t stamp;  /* of the event before */
    uint64_t moving; /* the block of a realloc that has begun; 0: none */
    uintptr_t moving_from;
    uintptr_t waits_for; /* the place that its next event is about, or 0 */
    uint64_t waits_since_ns;
    struct event_writer writer;
};

struct record_member {
    int is_known;
    struct block_map *blocks;
    uint32_t *sources; /* indices of its threads */
    size_t count, room;
    int32_t pid;
    int is_over; /* nothing more comes from it */
};

/* A thread's turn comes when its next event is the oldest. */
struct record_turn {
    uint64_t stamp;
    uint32_t source;
};

struct record_started {
    uint32_t process;
    uint64_t self;
    uint32_t name;
};

struct record_collector {
    struct record_shared *shared;
    struct trace_writer *writer;
    unsigned with;
    int fd;
    char path[64];
    uint64_t began_ns, began_ticks;
    double ns_per_tick;
    struct record_source **sources; /* by the number in record_chunk.thread */
    uint32_t source_room;
    struct record_member **members; /* by the number of a process */
    uint32_t member_room;
    struct record_started *started; /* threads that have no event yet */
    size_t started_count, started_room;
    uint32_t names;
    struct record_counts counts;
    struct record_turn *turns; /* a heap, of one process at a time, then those that wait */
    size_t turn_count, waiting_count;
    uint32_t turn_room;
    uint64_t looked_ns, taken;
    struct section_writer sections;
    uint8_t *nodes; /* RECORD_NODES_BYTES, of stacks that are not written yet */
    size_t nodes_bytes;
    int error;
};

/* An event as it stands in a chunk. */
struct record_raw {
    enum record_kind kind;
    uint32_t words;
    uintptr_t address;
    uint64_t size, alignment, stamp;
    uint32_t stack;
    uint64_t rest[3];
};

enum record_outcome { RECORD_TAKEN, RECORD_WAITS };

/* What has to be known to take an event. */
struct record_taking {
    struct record_collector *collector;
    struct record_member *member;
    struct record_source *source;
    int may_wait; /* 0: what should have come before will not come any more */
};

/* The counter that stamps are of: the same as in record_preload.c. */
static inline uint64_t record_read_counter(void)
{
#if defined(__x86_64__)
    return __rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    return clock_monotonic_ns();
#endif
}

/* --- record_collect.c --- */

/* Looks at the clock, and tells programs. */
void record_tell_time(struct record_collector *collector);

/* Since the beginning, in nanoseconds. */
uint64_t record_time_of_stamp(const struct record_collector *collector, uint64_t stamp);

/* --- record_meet.c: all return 0 or a negative errno, where nothing else is said. --- */

/* A process by its number, made where it is not there; NULL when there is no memory. */
struct record_member *record_find_member(struct record_collector *collector, uint32_t number);

/* Chunks that threads took since the last time, with their threads and processes. */
int record_meet_chunks(struct record_collector *collector);

/* The next event of a thread, which stays the next one. Returns 0 when there is none, for now. */
int record_peek(struct record_collector *collector, struct record_source *source,
                struct record_raw *raw);

/* The chunk that a thread wrote, zeroed, to whoever wants one. */
void record_give_back(struct record_collector *collector, struct record_source *source);

/* --- record_take.c --- */

/* `document` becomes the file's. */
int record_write_json(struct record_collector *collector, enum trace_block_kind kind,
                      json_t *document);

/* Writes the events of a thread that are still in memory. */
int record_flush(struct record_collector *collector, struct record_source *source);

/* The same with nodes of stacks. */
int record_flush_nodes(struct record_collector *collector);

/* The next event of a thread, as record_peek found it; it stays the next one if it waits. */
int record_take(const struct record_taking *taking, const struct record_raw *raw,
                enum record_outcome *outcome);

/* --- record_merge.c --- */

/* What a process wrote, up to a stamp. `is_last`: nothing more will come from it. */
int record_drain(struct record_collector *collector, struct record_member *member, uint64_t horizon,
                 int is_last);

#endif
