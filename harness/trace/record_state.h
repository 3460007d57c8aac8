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

enum { RECORD_NODES_BYTES = 1 << 18 };

/* A thread that is recorded, by the number that its process gave it. */
struct record_source {
    uint32_t process; /* 0: it has written nothing yet */
    uint32_t name;    /* in the trace */
    int is_named;
    int is_active; /* it is among its member's sources */
    int has_ended; /* its last chunk said so */
    /* Its chunks, in the order in which it took them; the first is being read. */
    uint32_t first, last; /* RECORD_NO_CHUNK: none */
    uint32_t position;
    uint64_t clock_ns;
    uint64_t stamp;  /* of the event before */
    uint64_t moving; /* the block of a realloc that has begun; 0: none */
    uintptr_t moving_from;
    uintptr_t waits_for; /* the place that its next event is about, or 0 */
    uint64_t born;       /* while there is no writer: blocks that it has made */
    struct event_writer *writer;
};

/* A process. */
struct record_member {
    uint32_t number;
    int is_known;         /* it has a block of its own in the trace */
    int is_over;          /* its end was seen */
    int is_named_by_fork; /* its map came from its parent's, and it has not spoken yet */
    uint64_t forked_ns;
    struct block_map *blocks; /* NULL: its parent's fork is still to be read */
    uint32_t *sources;        /* numbers of threads that may write */
    size_t count, room;
};

/* A thread's turn comes when its next event is the oldest. */
struct record_turn {
    uint64_t stamp;
    uint32_t source;
};

struct record_collector {
    struct record_shared *shared;
    struct trace_writer *writer;
    unsigned with;
    int fd;
    char path[64];
    uint64_t pid_namespace; /* this process's */
    uint64_t began_ns, began_ticks;
    double ns_per_tick;
    struct record_source **sources; /* by the number in record_chunk.thread */
    uint32_t source_room;
    struct record_member **members; /* by the number of a process */
    uint32_t member_room;
    uint32_t *living; /* numbers of members that are not over, parents before their children */
    uint32_t living_count, living_room;
    uint32_t names;
    struct record_counts counts;
    struct record_turn
        *turns; /* a heap, of one process at a time; from its end on, those that wait */
    size_t turn_count, waiting_count;
    uint32_t turn_room;
    uint64_t looked_ns, scanned_ns, taken;
    uint32_t given_back; /* chunks that nobody was woken for yet */
    struct section_writer sections;
    uint8_t *nodes; /* RECORD_NODES_BYTES, of stacks that are not written yet */
    size_t nodes_bytes;
    struct record_code *code; /* by the number of a process: record_modules.c */
    uint32_t code_room;
    uint32_t looked_at; /* processes, the first ones, whose code is known */
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

/* A block in the map: who made it, counted from 1 so that nothing is 0, and its ordinal. */
enum { RECORD_ORDINAL_BITS = 40 };

static inline uint64_t record_pack_name(uint32_t thread, uint64_t ordinal)
{
    return (uint64_t)(thread + 1) << RECORD_ORDINAL_BITS | ordinal;
}

static inline struct trace_block_name record_unpack_name(uint64_t packed)
{
    return (struct trace_block_name){(uint32_t)(packed >> RECORD_ORDINAL_BITS) - 1,
                                     packed & ((UINT64_C(1) << RECORD_ORDINAL_BITS) - 1)};
}

enum record_outcome { RECORD_TAKEN, RECORD_WAITS };

/* What has to be known to take an event. */
struct record_taking {
    struct record_collector *collector;
    struct record_member *member;
    struct record_source *source;
    int may_wait; /* 0: what should have come before will not come any more */
};

/* --- record_collect.c --- */

/* Looks at the clock, and tells programs. */
void record_tell_time(struct record_collector *collector);

/* Since the beginning, in nanoseconds. */
uint64_t record_time_of_stamp(const struct record_collector *collector, uint64_t stamp);

/* Takes what is left of a process, and gives back what it held. */
int record_end_member(struct record_collector *collector, struct record_member *member);

/* --- record_meet.c: all return 0 or a negative errno, where nothing else is said. --- */

/* A process by its number, made where it is not there and then among the living; NULL when there is
 * no memory. */
struct record_member *record_find_member(struct record_collector *collector, uint32_t number);

/* A thread by its number, likewise, with a name; NULL when there is no memory. */
struct record_source *record_find_source(struct record_collector *collector, uint32_t number);

/* What the process wrote of itself. */
static inline struct record_process *record_entry(const struct record_collector *collector,
                                                  const struct record_member *member)
{
    return &collector->shared->process[member->number - 1];
}

/* Chunks that threads took since the last time, with their threads and processes. */
int record_meet_chunks(struct record_collector *collector);

/* The next event of a thread, which stays the next one. Returns 0 when there is none, for now. */
int record_peek(struct record_collector *collector, struct record_source *source,
                struct record_raw *raw);

/* The chunk that a thread has written, to whoever wants one. */
void record_give_back(struct record_collector *collector, struct record_source *source);

/* Wakes who waits for a chunk, if any was given back. */
void record_wake(struct record_collector *collector);

/* --- record_modules.c: where stacks are recorded. Return 0 or a negative errno. --- */

/* Processes that are new. */
int record_look_at_modules(struct record_collector *collector);

/* An address of a stack: what is mapped is looked at again where it is in nothing that is known. */
int record_meet_address(struct record_collector *collector, uint32_t process, uint64_t address);

void record_forget_modules(struct record_collector *collector);

/* --- record_take.c --- */

/* `document` becomes the file's. */
int record_write_json(struct record_collector *collector, enum trace_block_kind kind,
                      json_t *document);

/* What a thread's events go to; NULL when there is no memory. */
struct event_writer *record_writer_of(struct record_collector *collector,
                                      struct record_source *source);

/* Writes the events of a thread that are still in memory, and keeps none of its memory. */
int record_put_away(struct record_collector *collector, struct record_source *source);

/* Writes nodes of stacks that are still in memory. */
int record_flush_nodes(struct record_collector *collector);

/* The next event of a thread, as record_peek found it; it stays the next one if it waits. */
int record_take(const struct record_taking *taking, const struct record_raw *raw,
                enum record_outcome *outcome);

/* --- record_fast.c --- */

/*
 * Takes events of a thread as long as they are plain: mallocs and frees of its own blocks, of sizes
 * that fit into their word, in a chunk without stamps, at a time that stays. Returns 0, with the
 * next event another one or none, or a negative errno. Some 5 ns an event.
 */
int record_take_plain(struct record_collector *collector, struct record_member *member,
                      struct record_source *source);

/* --- record_merge.c --- */

/* What a process wrote, up to a stamp. `is_last`: nothing more will come from it. */
int record_drain(struct record_collector *collector, struct record_member *member, uint64_t horizon,
                 int is_last);

#endif
