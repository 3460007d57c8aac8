/*
 * Words of a process in the order in which they came about: see record_state.h. Leaves out stamps
 * of a process with one thread, whose words stand in order.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/clock.h"
#include "harness/trace/room.h"

#include <errno.h>

/* How long an event waits for one that should have come before it. */
enum { PATIENCE_NS = 50000000 };

/* --- One thread. --- */

static int drain_alone(struct record_collector *collector, struct record_member *member,
                       struct record_source *source)
{
    const struct record_taking taking = {collector, member, source, 0};
    enum record_outcome outcome;
    struct record_raw raw;
    int error = 0;

    while (!error && record_peek(collector, source, &raw))
        error = record_take(&taking, &raw, &outcome);
    return error;
}

/* --- Several threads. --- */

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

/* Whether the thread has an event that is not younger than `horizon`. An event without a stamp is
 * as old as the one before it. */
static int has_turn(struct record_collector *collector, struct record_source *source,
                    uint64_t horizon, struct record_raw *raw)
{
    if (!record_peek(collector, source, raw))
        return 0;
    if (raw->stamp > source->stamp)
        source->stamp = raw->stamp;
    return source->stamp <= horizon;
}

/* Threads whose next event waits for what has just been taken have their turn again. They stand
 * behind the room of the heap, from its end. */
static void wake(struct record_collector *collector, uintptr_t address)
{
    struct record_turn *waiting =
        collector->turns + collector->turn_room - collector->waiting_count;

    for (size_t i = 0; i < collector->waiting_count; i++) {
        struct record_source *source = collector->sources[waiting[i].source];
        if (source->waits_for != address)
            continue;
        const struct record_turn turn = waiting[i];
        source->waits_for = 0;
        waiting[i] = waiting[0];
        collector->waiting_count--;
        add_turn(collector, &turn);
        wake(collector, address);
        return;
    }
}

/* `source`, whose turn it is not any more, waits until something is known of `address`. */
static void wait_turn(struct record_collector *collector, const struct record_turn *turn,
                      uintptr_t address)
{
    struct record_source *source = collector->sources[turn->source];

    source->waits_for = address;
    if (!source->waits_since_ns)
        source->waits_since_ns = clock_monotonic_ns();
    collector->turns[collector->turn_room - ++collector->waiting_count] = *turn;
}

/* What is to be known of a merge: see drain_together. */
struct merge {
    struct record_collector *collector;
    struct record_member *member;
    uint64_t horizon;
    int is_last; /* nothing more will come: nothing is waited for */
};

static int may_wait(const struct merge *merge, const struct record_source *source)
{
    if (merge->is_last)
        return 0;
    return !source->waits_since_ns || clock_monotonic_ns() - source->waits_since_ns < PATIENCE_NS;
}

/* The thread whose turn it is, as long as it is. */
static int take_turn(const struct merge *merge)
{
    struct record_collector *collector = merge->collector;
    struct record_turn turn = collector->turns[0];
    struct record_source *source = collector->sources[turn.source];
    enum record_outcome outcome = RECORD_TAKEN;
    struct record_raw raw;
    int error = 0;

    remove_first(collector);
    while (!error && has_turn(collector, source, merge->horizon, &raw)) {
        turn.stamp = source->stamp;
        if (collector->turn_count > 0 && is_before(&collector->turns[0], &turn)) {
            add_turn(collector, &turn);
            return 0;
        }
        const struct record_taking taking = {collector, merge->member, source,
                                             may_wait(merge, source)};
        error = record_take(&taking, &raw, &outcome);
        if (!error && outcome == RECORD_WAITS) {
            wait_turn(collector, &turn, raw.address);
            return 0;
        }
        source->waits_since_ns = 0;
        if (collector->waiting_count > 0 && raw.address)
            wake(collector, raw.address);
    }
    return error;
}

static int drain_together(const struct merge *merge)
{
    struct record_collector *collector = merge->collector;
    const struct record_member *member = merge->member;
    struct record_turn *turns =
        room_for(collector->turns, &collector->turn_room, (uint32_t)member->count, sizeof *turns);
    struct record_raw raw;
    int error = turns ? 0 : -ENOMEM;

    if (turns)
        collector->turns = turns;
    collector->turn_count = collector->waiting_count = 0;
    for (size_t i = 0; !error && i < member->count; i++) {
        struct record_source *source = collector->sources[member->sources[i]];
        source->waits_for = 0;
        if (has_turn(collector, source, merge->horizon, &raw)) {
            const struct record_turn turn = {source->stamp, member->sources[i]};
            add_turn(collector, &turn);
        }
    }
    while (!error && collector->turn_count > 0)
        error = take_turn(merge);
    return error;
}

int record_drain(struct record_collector *collector, struct record_member *member, uint64_t horizon,
                 int is_last)
{
    const struct merge merge = {collector, member, horizon, is_last};

    return member->count == 1
               ? drain_alone(collector, member, collector->sources[member->sources[0]])
               : drain_together(&merge);
}
