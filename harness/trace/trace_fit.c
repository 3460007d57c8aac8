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

enum {
    FIRST_CELLS = 1 << 12,
    PART_SLICES = 64, /* of a part, to place what another thread ends */
    SLICES = FIT_PARTS * PART_SLICES,
    /* In place of a lifetime; classes of lifetimes stand behind. */
    ENDS_NEVER = 0,
    ENDS_IN = 1, /* and the stretch */
    PASSES = FIT_STRETCHES + 2,
    /* Of a key: the end; whether it is by a move; what it was moved from; size; stretch. */
    END_BITS = 16,
    ON_SHIFT = END_BITS,
    FROM_SHIFT = ON_SHIFT + 1,
    FROM_BITS = 11,
    SIZE_SHIFT = FROM_SHIFT + FROM_BITS,
    STRETCH_SHIFT = SIZE_SHIFT + FROM_BITS + 1,
};

/* How many of a class of blocks: a stretch, a size, an end, and moves. */
struct cell {
    uint64_t key; /* 0: none */
    uint64_t count, bytes;
};

/* When a thread had made how many blocks. */
struct mark {
    uint64_t time_ns, born;
};

/* Of some blocks in a row: what is alive behind them, against before. */
struct slice {
    int64_t own_bytes;    /* of what the thread ends itself, in its order */
    int64_t most_bytes;   /* that was ever; 0: not more than before */
    uint64_t most_at;     /* how many the thread had made then */
    int64_t remote_bytes; /* less than 0: what other threads ended */
};

struct fitted_thread {
    uint64_t makes; /* 0: it is left out */
    uint64_t parts;
    struct slice *slices;               /* PART_SLICES a part */
    uint64_t starts[FIT_STRETCHES + 1]; /* of stretches, in blocks made; then the end of the last */
    unsigned stretches;
    uint64_t last_bytes[FIT_STRETCHES]; /* the size of the last block of each */
    struct cell *cells;
    size_t room, count;
    uint64_t asked_bytes;
    struct mark *marks;
    uint32_t mark_count, mark_room;
};

struct fitting {
    const struct trace_index *index;
    uint32_t process;
    struct fitted_thread *threads; /* by number in the trace */
    struct birth_table *births;
    int is_cut; /* the pass in which blocks are counted; before it, that for slices */
    int error;
};

/* 0 for none at all, then four to each doubling. */
static unsigned life_class(uint64_t life)
{
    if (life < FIT_LIFE_STEPS)
        return (unsigned)life;
    const unsigned bits = 63u - (unsigned)__builtin_clzll(life);
    return (bits - 1) * FIT_LIFE_STEPS + (unsigned)(life >> (bits - 2) & (FIT_LIFE_STEPS - 1));
}

/* --- Stretches. --- */

static struct slice *slice_at(const struct fitted_thread *thread, uint64_t clock)
{
    return &thread->slices[clock * thread->parts * PART_SLICES / thread->makes];
}

static void rise(const struct fitted_thread *thread, const struct birth *birth)
{
    struct slice *slice = slice_at(thread, birth->clock);

    slice->own_bytes += (int64_t)birth->size_bytes;
    if (slice->own_bytes > slice->most_bytes) {
        slice->most_bytes = slice->own_bytes;
        slice->most_at = birth->clock + 1;
    }
}

/* Behind the last block nothing rises any more. */
static void fall(const struct fitted_thread *thread, uint64_t bytes, uint64_t clock, int is_own)
{
    if (clock >= thread->makes)
        return;
    struct slice *slice = slice_at(thread, clock);
    *(is_own ? &slice->own_bytes : &slice->remote_bytes) -= (int64_t)bytes;
}

/* Where most is alive in a part, in blocks made; `first`, its own beginning, where it only falls.
 */
static uint64_t find_most(const struct slice *slices, uint64_t first)
{
    int64_t level = 0, most = 0;
    uint64_t at = first;

    for (size_t i = 0; i < PART_SLICES; i++) {
        if (level + slices[i].most_bytes > most && slices[i].most_bytes > 0) {
            most = level + slices[i].most_bytes;
            at = slices[i].most_at;
        }
        level += slices[i].own_bytes + slices[i].remote_bytes;
    }
    return at;
}

static void start_stretch(struct fitted_thread *thread, uint64_t at)
{
    if (thread->stretches == 0 || at > thread->starts[thread->stretches - 1])
        thread->starts[thread->stretches++] = at;
}

static void cut(struct fitted_thread *thread)
{
    for (uint64_t part = 0; part < thread->parts; part++) {
        const uint64_t first = (part * thread->makes + thread->parts - 1) / thread->parts;
        start_stretch(thread, first);
        start_stretch(thread, find_most(thread->slices + part * PART_SLICES, first));
    }
    if (thread->starts[thread->stretches - 1] == thread->makes)
        thread->stretches--; /* most was alive at the end */
    thread->starts[thread->stretches] = thread->makes;
}

/* That of the next block when so many are made; the number of stretches behind the last. */
static unsigned stretch_at(const struct fitted_thread *thread, uint64_t clock)
{
    unsigned low = 0, high = thread->stretches;

    while (low < high) {
        const unsigned middle = (low + high) / 2;
        if (thread->starts[middle + 1] <= clock)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* --- Cells. --- */

/* What is to be known of a block where it ends. */
struct ended {
    uint64_t clock; /* how many blocks its thread had made by then */
    int is_own;     /* the thread ended it itself */
    int is_moved;   /* by a realloc that copies much, where it does not grow in place */
};

/* The key is never 0. */
static uint64_t key_of(const struct fitted_thread *thread, const struct birth *birth, unsigned end,
                       int is_moved)
{
    const uint64_t stretch = stretch_at(thread, birth->clock);

    return UINT64_C(1) << 62 | stretch << STRETCH_SHIFT |
           (uint64_t)fit_size_class(birth->size_bytes) << SIZE_SHIFT |
           (uint64_t)birth->site << FROM_SHIFT | (uint64_t)(is_moved != 0) << ON_SHIFT | end;
}

static unsigned key_field(const struct cell *cell, unsigned shift, unsigned bits)
{
    return (unsigned)(cell->key >> shift) & ((1u << bits) - 1);
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

static int count_block(struct fitted_thread *thread, const struct birth *birth, unsigned end,
                       int is_moved)
{
    if (2 * (thread->count + 1) > thread->room && grow(thread) != 0)
        return -ENOMEM;
    if (birth->size_bytes > FIT_MOST_ASKED_BYTES - thread->asked_bytes)
        return -EOVERFLOW;
    const uint64_t key = key_of(thread, birth, end, is_moved);
    struct cell *cell = find_cell(thread, key);
    thread->count += cell->key == 0;
    thread->asked_bytes += birth->size_bytes;
    const unsigned stretch = stretch_at(thread, birth->clock);
    if (birth->clock + 1 == thread->starts[stretch + 1])
        thread->last_bytes[stretch] = birth->size_bytes;
    cell->key = key;
    cell->count++;
    cell->bytes += birth->size_bytes;
    return 0;
}

/* Both ends of the block are known. */
static int settle(const struct fitting *fitting, struct fitted_thread *thread,
                  const struct birth *birth, const struct ended *ended)
{
    const uint64_t after = birth->clock + 1, end = ended->clock > after ? ended->clock : after;

    if (!fitting->is_cut) {
        fall(thread, birth->size_bytes, end, ended->is_own);
        return 0;
    }
    const unsigned stretch = stretch_at(thread, end);
    const unsigned life = ended->is_moved ? 0 : life_class(end - after);
    return count_block(thread, birth,
                       stretch == stretch_at(thread, birth->clock) ? PASSES + life
                                                                   : ENDS_IN + stretch,
                       ended->is_moved);
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
                     const struct trace_event *event, int is_moved)
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
    const int is_own = event->ends.thread == reader->thread;
    /* A realloc ends a block before it makes the next one, which the reader has counted by now. */
    const struct ended ended = {is_own ? reader->code.born - (uint64_t)trace_makes(event->kind)
                                       : born_by(maker, event->time_ns),
                                is_own, is_moved};
    if (!birth->is_born) {
        birth->time_ns = ended.clock; /* its beginning is still to come */
        return 0;
    }
    const int error = settle(fitting, maker, birth, &ended);
    birth_table_done(fitting->births, &event->ends);
    return error;
}

/* `from`: see find_move. */
static int make_block(struct fitting *fitting, const struct event_reader *reader,
                      const struct trace_event *event, unsigned from)
{
    const struct trace_block_name name = {reader->thread, reader->code.born - 1};
    struct fitted_thread *thread = &fitting->threads[reader->thread];
    struct birth *birth = birth_table_at(fitting->births, &name);

    if (!birth)
        return -ENOMEM;
    birth->is_born = 1;
    birth->size_bytes = event->size_bytes ? event->size_bytes : 1;
    birth->clock = name.ordinal;
    birth->site = from;
    if (!fitting->is_cut)
        rise(thread, birth);
    if (!birth->has_ended)
        return 0;
    const struct ended ended = {birth->time_ns, 0, 0};
    const int error = settle(fitting, thread, birth, &ended);
    birth_table_done(fitting->births, &name);
    return error;
}

/* The size of the block that the event moves, where it is one of the thread's own and one of the
 * two is large: see fit_size_bits. 0 of any other event. */
static unsigned find_move(const struct fitting *fitting, const struct event_reader *reader,
                          const struct trace_event *event)
{
    if (event->kind != TRACE_REALLOC || event->ends.thread != reader->thread ||
        !fitting->threads[reader->thread].makes)
        return 0;
    const struct birth *birth = birth_table_find(fitting->births, &event->ends);
    if (!birth || !birth->is_born || birth->has_ended)
        return 0;
    return birth->size_bytes >= FIT_MOVE_BYTES || event->size_bytes >= FIT_MOVE_BYTES
               ? 1 + fit_size_class(birth->size_bytes)
               : 0;
}

/* The second and the third pass: lives. A realloc ends a block and makes one, in the same place of
 * the order. */
static int count_lives(void *context, const struct event_reader *reader,
                       const struct trace_event *event)
{
    struct fitting *fitting = context;
    const unsigned from = find_move(fitting, reader, event);
    int error = 0;

    if (event->kind == TRACE_FREE || event->kind == TRACE_REALLOC)
        error = fitting->threads[reader->thread].makes || fitting->threads[event->ends.thread].makes
                    ? end_block(fitting, reader, event, from > 0)
                    : 0;
    if (!error && trace_makes(event->kind) && fitting->threads[reader->thread].makes)
        error = make_block(fitting, reader, event, from);
    return error;
}

/* --- JSON. --- */

static int by_key(const void *a, const void *b)
{
    const struct cell *left = a, *right = b;

    return left->key < right->key ? -1 : left->key > right->key;
}

static void add_numbers(json_t *rows, const json_int_t *numbers, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_array_append_new(rows, json_integer(numbers[i]));
}

/* The largest size of a class. */
static json_int_t largest_of(unsigned size_class)
{
    return size_class + 1 < FIT_SIZE_CLASSES ? (json_int_t)latency_bucket_most(size_class) + 1
                                             : (json_int_t)FIT_MOST_BLOCK_BYTES;
}

/* As results/FORMAT.md has rows; `end` of the key. */
static void add_row(const struct cell *cell, json_t *passing, json_t *staying, json_t *moving)
{
    const json_int_t stretch = key_field(cell, STRETCH_SHIFT, 8),
                     end = key_field(cell, 0, END_BITS),
                     from_class = key_field(cell, FROM_SHIFT, FROM_BITS),
                     on = key_field(cell, ON_SHIFT, 1), bytes = (json_int_t)cell->bytes,
                     count = (json_int_t)cell->count;
    const int passes = end >= PASSES;
    const json_int_t ends_in = passes ? stretch : end == ENDS_NEVER ? -1 : end - ENDS_IN;
    const json_int_t life = passes ? end - PASSES : 0;
    const json_int_t from = from_class ? largest_of((unsigned)from_class - 1) : 0;

    if (from || on)
        add_numbers(moving, (json_int_t[]){stretch, bytes, ends_in, count, life, from, on}, 7);
    else if (passes)
        add_numbers(passing, (json_int_t[]){stretch, bytes, life, count}, 4);
    else
        add_numbers(staying, (json_int_t[]){stretch, bytes, ends_in, count}, 4);
}

/* Sorts the cells: there is no finding any more. */
static json_t *thread_to_json(const struct fitted_thread *thread)
{
    json_t *passing = json_array(), *staying = json_array(), *moving = json_array(),
           *last = json_array();

    qsort(thread->cells, thread->room, sizeof *thread->cells, by_key);
    for (size_t i = 0; i < thread->room; i++)
        if (thread->cells[i].key)
            add_row(&thread->cells[i], passing, staying, moving);
    for (unsigned i = 0; i < thread->stretches; i++)
        json_array_append_new(last,
                              json_integer(largest_of(fit_size_class(thread->last_bytes[i]))));
    return json_pack("{sI sI so so so so}", "blocks", (json_int_t)thread->makes, "stretches",
                     (json_int_t)thread->stretches, "last", last, "passing", passing, "staying",
                     staying, "moving", moving);
}

static json_t *threads_to_json(const struct fitting *fitting, uint64_t *left_out)
{
    json_t *threads = json_array();

    for (uint32_t i = 0; i < fitting->index->thread_room; i++) {
        const struct fitted_thread *thread = &fitting->threads[i];
        *left_out += !thread->makes && fitting->index->threads[i].makes > 0 &&
                     fitting->index->threads[i].process == fitting->process;
        if (thread->makes)
            json_array_append_new(threads, thread_to_json(thread));
    }
    return threads;
}

/* --- All of it. --- */

/* A part has some blocks at least: of a thread with few there is no sequence to be told. */
static int choose_thread(struct fitted_thread *thread, uint64_t makes)
{
    const uint64_t parts = makes / FIT_PART_BLOCKS;

    thread->makes = makes;
    thread->parts = parts < 1 ? 1 : parts < FIT_PARTS ? parts : FIT_PARTS;
    thread->slices = calloc(SLICES, sizeof *thread->slices);
    return thread->slices ? 0 : -ENOMEM;
}

/* Those that make most; there are few. */
static int choose_threads(struct fitting *fitting)
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
            return 0;
        if (choose_thread(&fitting->threads[best], index->threads[best].makes) != 0)
            return -ENOMEM;
    }
    return 0;
}

static void count_left(void *context, const struct trace_block_name *name,
                       const struct birth *birth)
{
    struct fitting *fitting = context;

    if (birth->is_born && !birth->has_ended &&
        count_block(&fitting->threads[name->thread], birth, ENDS_NEVER, 0) != 0)
        fitting->error = -ENOMEM;
}

static int scan_lives(struct fitting *fitting, struct trace_reader *reader)
{
    fitting->births = birth_table_make();
    return fitting->births ? trace_index_scan(fitting->index, reader, count_lives, fitting)
                           : -ENOMEM;
}

/* Between the second pass and the third. */
static void cut_threads(struct fitting *fitting)
{
    for (uint32_t i = 0; i < fitting->index->thread_room; i++) {
        struct fitted_thread *thread = &fitting->threads[i];
        if (!thread->makes)
            continue;
        cut(thread);
        free(thread->slices);
        thread->slices = NULL;
    }
    birth_table_free(fitting->births);
    fitting->births = NULL;
    fitting->is_cut = 1;
}

static int fit(struct fitting *fitting, struct trace_reader *reader)
{
    int error = choose_threads(fitting);

    if (!error)
        error = trace_index_scan(fitting->index, reader, note_times, fitting);
    if (!error)
        error = scan_lives(fitting, reader);
    if (error)
        return error;
    cut_threads(fitting);
    error = scan_lives(fitting, reader);
    if (!error)
        birth_table_each(fitting->births, count_left, fitting);
    return error ? error : fitting->error;
}

/* Returns NULL where it cannot be told, with a reason in `error`. */
static json_t *fitting_to_json(const struct fitting *fitting, char *error)
{
    uint64_t left_out = 0;
    json_t *threads = threads_to_json(fitting, &left_out);
    json_t *made = json_pack("{si so sI}", "tidemark_fit", FIT_FORMAT, "threads", threads,
                             "left_out", (json_int_t)left_out);

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
    if (fitting.threads)
        failed = fit(&fitting, reader);
    if (failed)
        snprintf(error, TRACE_ERROR_BYTES, "the trace cannot be fitted: %s", strerror(-failed));
    json_t *made = failed ? NULL : fitting_to_json(&fitting, error);
    for (uint32_t i = 0; fitting.threads && i < index->thread_room; i++) {
        free(fitting.threads[i].slices);
        free(fitting.threads[i].cells);
        free(fitting.threads[i].marks);
    }
    free(fitting.threads);
    birth_table_free(fitting.births);
    return made;
}
