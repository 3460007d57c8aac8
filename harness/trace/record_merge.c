/*
 * Words of a process in the order in which they came about: see record_state.h. Leaves out stamps
 * of a process with one thread, whose words stand in order.
 *
 * An event is told before another thread can know of it: a block's end before it is given back, its
 * beginning before its maker returns. So what is older than a moment is all there, once chunks are
 * met after it. Only counters of two processors may differ, by far less than SKEW_NS: a block that
 * ends before it was made, or is made where one still is, waits as long for what belongs before it.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/trace/room.h"

#include <errno.h>

enum { SKEW_NS = 1000000 };

/* What is to be known of a merge. */
struct merge {
    struct record_collector *collector;
    struct record_member *member;
    uint64_t horizon; /* stamps up to here are looked at */
    uint64_t settled; /* up to here nothing is missing that came before */
};

/* --- Turns: a heap, the oldest first. --- */

static int is_before(const struct record_turn *a, const struct record_turn *b)
{
    return a->stamp < b->stamp || (a->stamp == b->stamp && a->source < b->source);
}

static void swap_turns(struct record_turn *a, struct record_turn *b)
{
    const struct record_turn kept = *a;

    *a = *b;
    *b = kept;
}

static void sift_down(struct record_turn *turns, size_t count)
{
    for (size_t at = 0, child = 1; child < count; at = child, child = 2 * at + 1) {
        if (child + 1 < count && is_before(&turns[child + 1], &turns[child]))
            child++;
        if (!is_before(&turns[child], &turns[at]))
            return;
        swap_turns(&turns[child], &turns[at]);
    }
}

static void add_turn(struct record_collector *collector, const struct record_turn *turn)
{
    struct record_turn *turns = collector->turns;
    size_t at = collector->turn_count++;

    turns[at] = *turn;
    for (; at > 0 && is_before(&turns[at], &turns[(at - 1) / 2]); at = (at - 1) / 2)
        swap_turns(&turns[at], &turns[(at - 1) / 2]);
}

static void remove_first(struct record_collector *collector)
{
    collector->turns[0] = collector->turns[--collector->turn_count];
    sift_down(collector->turns, collector->turn_count);
}

/* Whether the thread has an event that is not younger than the horizon. One without a stamp is as
 * old as the one before it. */
static int has_turn(const struct merge *merge, struct record_source *source, struct record_raw *raw)
{
    if (!record_peek(merge->collector, source, raw))
        return 0;
    if (raw->stamp > source->stamp)
        source->stamp = raw->stamp;
    return source->stamp <= merge->horizon;
}

/* --- Threads that wait: from the end of the room for turns on. --- */

static struct record_turn *first_waiting(const struct record_collector *collector)
{
    return collector->turns + collector->turn_room - collector->waiting_count;
}

static void wait_turn(struct record_collector *collector, const struct record_turn *turn,
                      uintptr_t address)
{
    collector->sources[turn->source]->waits_for = address;
    collector->waiting_count++;
    *first_waiting(collector) = *turn;
}

static void stop_waiting(struct record_collector *collector, struct record_turn *waiting)
{
    const struct record_turn turn = *waiting;

    collector->sources[turn.source]->waits_for = 0;
    *waiting = *first_waiting(collector);
    collector->waiting_count--;
    add_turn(collector, &turn);
}

/* Those that wait for what has just been taken have their turn again. */
static void wake(struct record_collector *collector, uintptr_t address)
{
    for (size_t i = 0; i < collector->waiting_count;) {
        struct record_turn *waiting = first_waiting(collector) + i;
        if (collector->sources[waiting->source]->waits_for == address)
            stop_waiting(collector, waiting); /* what stands at i now is the next one */
        else
            i++;
    }
}

/* The oldest of those that wait for what will not come any more; NULL when there is none. */
static struct record_turn *find_settled(const struct merge *merge)
{
    const struct record_collector *collector = merge->collector;
    struct record_turn *oldest = NULL;

    for (size_t i = 0; i < collector->waiting_count; i++) {
        struct record_turn *waiting = first_waiting(collector) + i;
        if (waiting->stamp <= merge->settled && (!oldest || is_before(waiting, oldest)))
            oldest = waiting;
    }
    return oldest;
}

/* --- Events in turn. --- */

/* The thread whose turn it is, as long as it is; its first event without waiting if so asked. */
static int take_turn(const struct merge *merge, int may_wait)
{
    struct record_collector *collector = merge->collector;
    struct record_turn turn = collector->turns[0];
    struct record_source *source = collector->sources[turn.source];
    enum record_outcome outcome = RECORD_TAKEN;
    struct record_raw raw;
    int error = 0;

    remove_first(collector);
    while (!error && has_turn(merge, source, &raw)) {
        turn.stamp = source->stamp;
        if (may_wait && collector->turn_count > 0 && is_before(&collector->turns[0], &turn)) {
            add_turn(collector, &turn);
            return 0;
        }
        const struct record_taking taking = {collector, merge->member, source, may_wait};
        error = record_take(&taking, &raw, &outcome);
        may_wait = 1;
        if (!error && outcome == RECORD_WAITS) {
            wait_turn(collector, &turn, raw.address);
            return 0;
        }
        if (collector->waiting_count > 0 && raw.address)
            wake(collector, raw.address);
    }
    return error;
}

/* Puts the one that waits longest at the head, whatever its stamp, and takes its event. */
static int take_settled(const struct merge *merge, struct record_turn *waiting)
{
    struct record_collector *collector = merge->collector;
    const struct record_turn turn = *waiting;

    /* Nobody has a turn now: it is the only one. */
    collector->sources[turn.source]->waits_for = 0;
    *waiting = *first_waiting(collector);
    collector->waiting_count--;
    add_turn(collector, &turn);
    return take_turn(merge, 0);
}

static int take_turns(const struct merge *merge)
{
    struct record_turn *settled;
    int error = 0;

    for (;;) {
        while (!error && merge->collector->turn_count > 0)
            error = take_turn(merge, 1);
        settled = error ? NULL : find_settled(merge);
        if (!settled)
            return error;
        error = take_settled(merge, settled);
    }
}

/* Who waits by the end of a drain waits again in the next one: its event is still the next. */
static int drain_together(const struct merge *merge)
{
    struct record_collector *collector = merge->collector;
    const struct record_member *member = merge->member;
    struct record_turn *turns =
        room_for(collector->turns, &collector->turn_room, (uint32_t)member->count, sizeof *turns);
    struct record_raw raw;

    if (!turns)
        return -ENOMEM;
    collector->turns = turns;
    collector->turn_count = collector->waiting_count = 0;
    for (size_t i = 0; i < member->count; i++) {
        struct record_source *source = collector->sources[member->sources[i]];
        source->waits_for = 0;
        if (has_turn(merge, source, &raw)) {
            const struct record_turn turn = {source->stamp, member->sources[i]};
            add_turn(collector, &turn);
        }
    }
    return take_turns(merge);
}

/* --- One thread. --- */

static int drain_alone(const struct merge *merge, struct record_source *source)
{
    const struct record_taking taking = {merge->collector, merge->member, source, 0};
    enum record_outcome outcome;
    struct record_raw raw;
    int error = record_take_plain(merge->collector, merge->member, source);

    while (!error && has_turn(merge, source, &raw)) {
        error = record_take(&taking, &raw, &outcome);
        if (!error)
            error = record_take_plain(merge->collector, merge->member, source);
    }
    return error;
}

/* --- A process. --- */

/* Threads that ended are forgotten but for their numbers. */
static int forget_ended(struct record_collector *collector, struct record_member *member)
{
    int error = 0;

    for (size_t i = member->count; i-- > 0 && !error;) {
        struct record_source *source = collector->sources[member->sources[i]];
        if (!source->has_ended || source->first != RECORD_NO_CHUNK)
            continue;
        source->is_active = 0;
        member->sources[i] = member->sources[--member->count];
        error = record_put_away(collector, source);
    }
    return error;
}

/* A fork has its blocks from its parent, whose word of it is still to be read; unless that has
 * ended. */
static int has_blocks(const struct record_collector *collector, struct record_member *member)
{
    const uint32_t parent = record_entry(collector, member)->parent;

    if (member->blocks)
        return 1;
    if (parent > 0 && parent < collector->member_room && collector->members[parent] &&
        !collector->members[parent]->is_over)
        return 0;
    member->blocks = block_map_make();
    return member->blocks ? 1 : -ENOMEM;
}

int record_drain(struct record_collector *collector, struct record_member *member, uint64_t horizon,
                 int is_last)
{
    const uint64_t skew = (uint64_t)(SKEW_NS / collector->ns_per_tick);
    const struct merge merge = {collector, member, horizon,
                                is_last          ? UINT64_MAX
                                : horizon > skew ? horizon - skew
                                                 : 0};
    const int ready = has_blocks(collector, member);

    if (ready <= 0)
        return ready;
    const int error = member->count == 1
                          ? drain_alone(&merge, collector->sources[member->sources[0]])
                          : drain_together(&merge);
    return error ? error : forget_ended(collector, member);
}
