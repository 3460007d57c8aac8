/*
 * Counting: see trace_fit.h. Leaves out making a program of it (fit_compile.c).
 */
#include "harness/trace/trace_fit.h"

#include "harness/latency_histogram.h"
#include "harness/trace/birth_table.h"
#include "harness/trace/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FIRST_CELLS = 1 << 12, LIFE_STEPS = 4 /* classes a doubling */ };

/* How many of a class of blocks: a stretch, a size, a lifetime. */
struct cell {
    uint64_t key; /* 0: none */
    uint64_t count, bytes;
};

/* When a thread had made how many blocks. */
struct mark {
    uint64_t time_ns, born;
};

struct fitted_thread {
    uint64_t makes; /* 0: it is left out */
    struct cell *cells;
    size_t room, count;
    struct mark *marks;
    uint32_t mark_count, mark_room;
};

struct fitting {
    const struct trace_index *index;
    uint32_t process;
    struct fitted_thread *threads; /* by number in the trace */
    struct birth_table *births;
    int error;
};

/* 0 for none at all, then four to each doubling. */
static unsigned life_class(uint64_t life)
{
    if (life < LIFE_STEPS)
        return (unsigned)life;
    const unsigned bits = 63u - (unsigned)__builtin_clzll(life);
    return (bits - 1) * LIFE_STEPS + (unsigned)(life >> (bits - 2) & (LIFE_STEPS - 1));
}

/* The key is never 0: lifetimes are counted from 1, and 0 is that of a block that is never freed.
 */
static uint64_t key_of(const struct fitted_thread *thread, const struct birth *birth,
                       uint64_t life_plus_one)
{
    const uint64_t stretch = birth->clock * FIT_STRETCHES / thread->makes;

    return UINT64_C(1) << 62 | stretch << 40 |
           (uint64_t)latency_bucket_of(birth->size_bytes) << 16 | life_plus_one;
}

static struct cell *find_cell(const struct fitted_thread *thread, uint64_t key)
{
    size_t at = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 20) & (thread->room - 1);

    while (thread->cells[at].key && thread->cells[at].key != key)
        at = (at + 1) & (thread->room - 1);
    return &thread->cells[at];
}

static int grow(struct fitted_thread *thread)
{
    struct cell *before = thread->cells;
    const size_t room = thread->room;

    thread->room = room ? 2 * room : FIRST_CELLS;
    thread->cells = calloc(thread->room, sizeof *thread->cells);
    for (size_t i = 0; thread->cells && i < room; i++)
        if (before[i].key)
            *find_cell(thread, before[i].key) = before[i];
    free(before);
    return thread->cells ? 0 : -ENOMEM;
}

static int count_block(struct fitted_thread *thread, const struct birth *birth,
                       uint64_t life_plus_one)
{
    if (2 * (thread->count + 1) > thread->room && grow(thread) != 0)
        return -ENOMEM;
    const uint64_t key = key_of(thread, birth, life_plus_one);
    struct cell *cell = find_cell(thread, key);
    thread->count += cell->key == 0;
    cell->key = key;
    cell->count++;
    cell->bytes += birth->size_bytes;
    return 0;
}

/* --- The passes. --- */

static int note_time(struct fitted_thread *thread, const struct trace_event *event, uint64_t born)
{
    if (thread->mark_count > 0 && thread->marks[thread->mark_count - 1].time_ns == event->time_ns) {
        thread->marks[thread->mark_count - 1].born = born;
        return 0;
    }
    struct mark *room =
        room_for(thread->marks, &thread->mark_room, thread->mark_count, sizeof *room);
    if (!room)
        return -ENOMEM;
    thread->marks = room;
    room[thread->mark_count++] = (struct mark){event->time_ns, born};
    return 0;
}

/* How many blocks the thread had made by then. */
static uint64_t born_by(const struct fitted_thread *thread, uint64_t time_ns)
{
    uint32_t low = 0, high = thread->mark_count;

    while (low < high) {
        const uint32_t middle = (low + high) / 2;
        if (thread->marks[middle].time_ns <= time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? thread->marks[low - 1].born : 0;
}

/* The first pass: when each thread had made how many. */
static int note_times(void *context, const struct event_reader *reader,
                      const struct trace_event *event)
{
    struct fitting *fitting = context;
    struct fitted_thread *thread = &fitting->threads[reader->thread];

    return thread->makes ? note_time(thread, event, reader->code.born) : 0;
}

static int end_block(struct fitting *fitting, const struct event_reader *reader,
                     const struct trace_event *event)
{
    struct fitted_thread *maker = &fitting->threads[event->ends.thread];
    struct birth *birth = maker->makes ? birth_table_at(fitting->births, &event->ends) : NULL;

    if (!maker->makes || fitting->index->threads[reader->thread].process != fitting->process)
        return 0; /* left out, or another process's copy of it */
    if (!birth)
        return -ENOMEM;
    if (birth->has_ended)
        return 0;
    birth->has_ended = 1;
    const uint64_t now =
        event->ends.thread == reader->thread ? reader->code.born : born_by(maker, event->time_ns);
    if (!birth->is_born) {
        birth->time_ns = now; /* its beginning is still to come */
        return 0;
    }
    const uint64_t after = birth->clock + 1;
    const int error = count_block(maker, birth, 1 + life_class(now > after ? now - after : 0));
    birth_table_done(fitting->births, &event->ends);
    return error;
}

static int make_block(struct fitting *fitting, const struct event_reader *reader,
                      const struct trace_event *event)
{
    const struct trace_block_name name = {reader->thread, reader->code.born - 1};
    struct fitted_thread *thread = &fitting->threads[reader->thread];
    struct birth *birth = birth_table_at(fitting->births, &name);

    if (!birth)
        return -ENOMEM;
    birth->is_born = 1;
    birth->size_bytes = event->size_bytes ? event->size_bytes : 1;
    birth->clock = name.ordinal;
    if (!birth->has_ended)
        return 0;
    const uint64_t after = birth->clock + 1;
    const int error = count_block(
        thread, birth, 1 + life_class(birth->time_ns > after ? birth->time_ns - after : 0));
    birth_table_done(fitting->births, &name);
    return error;
}

/* The second pass: lives. A realloc ends a block and makes one, in the same place of the order. */
static int count_lives(void *context, const struct event_reader *reader,
                       const struct trace_event *event)
{
    struct fitting *fitting = context;
    int error = 0;

    if (event->kind == TRACE_FREE || event->kind == TRACE_REALLOC)
        error = fitting->threads[reader->thread].makes || fitting->threads[event->ends.thread].makes
                    ? end_block(fitting, reader, event)
                    : 0;
    if (!error && trace_makes(event->kind) && fitting->threads[reader->thread].makes)
        error = make_block(fitting, reader, event);
    return error;
}

/* --- JSON. --- */

static json_t *cells_to_json(const struct fitted_thread *thread)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < thread->room; i++) {
        const struct cell *cell = &thread->cells[i];
        if (!cell->key)
            continue;
        /* Of the mean size: what a class holds adds up as it did. */
        const uint64_t mean = (cell->bytes + cell->count / 2) / cell->count;
        json_array_append_new(cells, json_integer((json_int_t)(cell->key >> 40 & 0xff)));
        json_array_append_new(cells, json_integer((json_int_t)mean));
        json_array_append_new(cells, json_integer((json_int_t)(cell->key & 0xffff) - 1));
        json_array_append_new(cells, json_integer((json_int_t)cell->count));
    }
    return cells;
}

static json_t *threads_to_json(const struct fitting *fitting, uint64_t *left_out)
{
    json_t *threads = json_array();

    for (uint32_t i = 0; i < fitting->index->thread_room; i++) {
        const struct fitted_thread *thread = &fitting->threads[i];
        *left_out += !thread->makes && fitting->index->threads[i].makes > 0 &&
                     fitting->index->threads[i].process == fitting->process;
        if (thread->makes)
            json_array_append_new(threads, json_pack("{sI so}", "blocks", (json_int_t)thread->makes,
                                                     "cells", cells_to_json(thread)));
    }
    return threads;
}

/* --- All of it. --- */

/* Those that make most; there are few. */
static void choose_threads(struct fitting *fitting)
{
    const struct trace_index *index = fitting->index;

    for (unsigned chosen = 0; chosen < FIT_MOST_THREADS; chosen++) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < index->thread_room; i++)
            if (index->threads[i].process == fitting->process && index->threads[i].makes > 0 &&
                !fitting->threads[i].makes &&
                (best == UINT32_MAX || index->threads[i].makes > index->threads[best].makes))
                best = i;
        if (best == UINT32_MAX)
            return;
        fitting->threads[best].makes = index->threads[best].makes;
    }
}

static void count_left(void *context, const struct trace_block_name *name,
                       const struct birth *birth)
{
    struct fitting *fitting = context;

    if (birth->is_born && !birth->has_ended &&
        count_block(&fitting->threads[name->thread], birth, 0) != 0)
        fitting->error = -ENOMEM;
}

static int fit(struct fitting *fitting, struct trace_reader *reader)
{
    choose_threads(fitting);
    int error = trace_index_scan(fitting->index, reader, note_times, fitting);
    if (!error)
        error = trace_index_scan(fitting->index, reader, count_lives, fitting);
    if (!error)
        birth_table_each(fitting->births, count_left, fitting);
    return error ? error : fitting->error;
}

/* Returns NULL where it cannot be told, with a reason in `error`. */
static json_t *fitting_to_json(const struct fitting *fitting, char *error)
{
    uint64_t left_out = 0;
    json_t *threads = threads_to_json(fitting, &left_out);
    json_t *made = json_pack("{si si so sI}", "tidemark_fit", FIT_FORMAT, "stretches",
                             FIT_STRETCHES, "threads", threads, "left_out", (json_int_t)left_out);

    if (!made)
        snprintf(error, TRACE_ERROR_BYTES, "the trace cannot be fitted: %s", strerror(ENOMEM));
    if (!made || json_dumpb(made, NULL, 0, JSON_COMPACT) <= FIT_MOST_BYTES - FIT_NOTE_BYTES)
        return made;
    snprintf(error, TRACE_ERROR_BYTES,
             "the trace cannot be fitted: it has so many kinds of blocks that its fit would be "
             "larger than %d MiB, which no replay takes",
             (FIT_MOST_BYTES - FIT_NOTE_BYTES) >> 20);
    json_decref(made);
    return NULL;
}

json_t *trace_fit_make(const struct trace_index *index, struct trace_reader *reader,
                       uint32_t process, char *error)
{
    struct fitting fitting = {.index = index, .process = process};
    int failed = -ENOMEM;

    fitting.threads = calloc(index->thread_room + 1, sizeof *fitting.threads);
    fitting.births = birth_table_make();
    if (fitting.threads && fitting.births)
        failed = fit(&fitting, reader);
    if (failed)
        snprintf(error, TRACE_ERROR_BYTES, "the trace cannot be fitted: %s", strerror(-failed));
    json_t *made = failed ? NULL : fitting_to_json(&fitting, error);
    for (uint32_t i = 0; fitting.threads && i < index->thread_room; i++) {
        free(fitting.threads[i].cells);
        free(fitting.threads[i].marks);
    }
    free(fitting.threads);
    birth_table_free(fitting.births);
    return made;
}
