/*
 * Two passes: which blocks another thread ends, and how many words each thread has; then the words:
 * see trace_compile.h. Leaves out any order between threads but that of a block before its end.
 */
#define _GNU_SOURCE
#include "harness/trace/trace_compile.h"

#include "harness/trace/flat_check.h"
#include "harness/trace/flat_writer.h"
#include "harness/trace/room.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PAUSE_NS = 10000000,
    PAGE_BLOCKS =
        4096, /* slots are kept in pages, given back when all of their blocks have ended */
    WORD_BITS = 64,
};

/* Slots of the blocks that a thread made and has not ended, by ordinal. */
struct slot_page {
    uint32_t slots[PAGE_BLOCKS]; /* from 1; 0: it is not there, or has ended */
    uint32_t ended;
};

struct compiled_thread {
    int is_chosen;
    uint32_t number;       /* in the flat form */
    uint64_t *shared_bits; /* of the blocks that it made */
    uint64_t *ended_bits;  /* those of them that have ended */
    uint64_t bit_words;    /* of either */
    uint32_t *shared_rank; /* of each word of bits: how many are set before it */
    uint64_t first_shared; /* its first shared slot */
    uint64_t words, first_word, put;
    int is_started, is_put; /* met by the first and by the second pass */
    uint64_t last_ns;
    struct slot_page **pages;
    uint32_t page_room;
    uint32_t *free_slots; /* a stack */
    uint32_t free_count, free_room, slots;
    uint64_t born;
};

struct compiler {
    const struct trace_index *index;
    struct compiled_thread *threads; /* by number in the trace */
    uint64_t *words;                 /* in the file */
    struct trace_compiled *compiled;
    uint32_t process;
};

uint32_t trace_largest_process(const struct trace_index *index)
{
    uint32_t largest = 0;
    uint64_t events = 0;

    for (uint32_t i = 0; i < index->process_room; i++) {
        if (index->processes[i].is_known && index->processes[i].events > events) {
            largest = i;
            events = index->processes[i].events;
        }
    }
    return largest;
}

/* --- Shared blocks. --- */

static int is_shared(const struct compiled_thread *thread, uint64_t ordinal)
{
    return thread->shared_bits &&
           (thread->shared_bits[ordinal / WORD_BITS] >> ordinal % WORD_BITS & 1);
}

static int share(const struct trace_index *index, struct compiled_thread *thread,
                 const struct trace_block_name *name)
{
    const uint64_t words = index->threads[name->thread].makes / WORD_BITS + 1;

    if (!thread->shared_bits) {
        thread->shared_bits = calloc(words, sizeof *thread->shared_bits);
        thread->ended_bits = calloc(words, sizeof *thread->ended_bits);
        thread->bit_words = words;
    }
    if (!thread->shared_bits || !thread->ended_bits)
        return -ENOMEM;
    thread->shared_bits[name->ordinal / WORD_BITS] |= UINT64_C(1) << name->ordinal % WORD_BITS;
    return 0;
}

static uint32_t shared_slot(const struct compiled_thread *thread, uint64_t ordinal)
{
    const uint64_t below =
        thread->shared_bits[ordinal / WORD_BITS] & ((UINT64_C(1) << ordinal % WORD_BITS) - 1);

    return (uint32_t)(thread->first_shared + thread->shared_rank[ordinal / WORD_BITS] +
                      (uint64_t)__builtin_popcountll(below));
}

/* Returns 0, or -EBADMSG for a block that ends twice. */
static int end_shared(struct compiled_thread *thread, uint64_t ordinal)
{
    uint64_t *bits = &thread->ended_bits[ordinal / WORD_BITS];
    const uint64_t bit = UINT64_C(1) << ordinal % WORD_BITS;

    if (*bits & bit)
        return -EBADMSG;
    *bits |= bit;
    return 0;
}

/* Numbers the shared blocks of a thread, from `first` on. Returns how many there are, or -ENOMEM.
 */
static int64_t rank_shared(const struct trace_index *index, struct compiled_thread *threads,
                           uint32_t number, uint64_t first)
{
    struct compiled_thread *thread = &threads[number];
    const uint64_t words = index->threads[number].makes / WORD_BITS + 1;
    uint64_t count = 0;

    thread->first_shared = first;
    if (!thread->shared_bits)
        return 0;
    thread->shared_rank = malloc(words * sizeof *thread->shared_rank);
    if (!thread->shared_rank)
        return -ENOMEM;
    for (uint64_t i = 0; i < words; i++) {
        if (count > UINT32_MAX)
            return -E2BIG;
        thread->shared_rank[i] = (uint32_t)count;
        count += (uint64_t)__builtin_popcountll(thread->shared_bits[i]);
    }
    return (int64_t)count;
}

/* --- The first pass. --- */

/* malloc(0) may give NULL, which is no failure: a byte is asked for. */
static uint64_t made_bytes(const struct trace_event *event)
{
    return event->size_bytes ? event->size_bytes : 1;
}

/* Whether a block that ends was made in the same process; else the fork gave it. */
static int is_own(const struct compiler *compiler, const struct trace_event *event)
{
    return compiler->index->threads[event->ends.thread].process == compiler->process;
}

static int is_end(const struct trace_event *event)
{
    return event->kind == TRACE_FREE || event->kind == TRACE_REALLOC;
}

static uint64_t words_of(const struct compiler *compiler, const struct trace_event *event)
{
    switch (event->kind) {
    case TRACE_MALLOC:
    case TRACE_CALLOC:
        return flat_writer_words(made_bytes(event));
    case TRACE_ALIGNED:
        return flat_writer_words(made_bytes(event)) + 1;
    case TRACE_REALLOC:
        return flat_writer_words(made_bytes(event)) + (uint64_t)is_own(compiler, event);
    case TRACE_FREE:
        return (uint64_t)is_own(compiler, event);
    case TRACE_START: /* count_words knows */
    case TRACE_KINDS:
        break;
    }
    return 0;
}

/* A rest of the thread before this event: 2 words. Remembers when it was. */
static uint64_t pause_before(struct compiled_thread *thread, const struct trace_event *event)
{
    const uint64_t passed_ns = event->time_ns - thread->last_ns;

    thread->last_ns = event->time_ns;
    return passed_ns >= PAUSE_NS ? passed_ns : 0;
}

/* The thread that is started, where it has events, and is not started twice. */
static struct compiled_thread *find_started(const struct compiler *compiler,
                                            const struct event_reader *reader,
                                            const struct trace_event *event)
{
    if (event->kind != TRACE_START || event->started >= compiler->index->thread_room ||
        event->started == reader->thread)
        return NULL;
    struct compiled_thread *started = &compiler->threads[event->started];
    return started->is_chosen ? started : NULL;
}

static int count_words(void *context, const struct event_reader *reader,
                       const struct trace_event *event)
{
    struct compiler *compiler = context;
    struct compiled_thread *thread = &compiler->threads[reader->thread];
    struct trace_compiled *compiled = compiler->compiled;

    if (!thread->is_chosen)
        return 0;
    thread->words += words_of(compiler, event) + (pause_before(thread, event) ? 2 : 0);
    compiled->operations += event->kind != TRACE_START && words_of(compiler, event) > 0;
    compiled->makes += (uint64_t)trace_makes(event->kind);
    compiled->aligned += event->kind == TRACE_ALIGNED;
    struct compiled_thread *started = find_started(compiler, reader, event);
    if (started && !started->is_started) {
        started->is_started = 1;
        thread->words++;
    }
    if (!is_end(event))
        return 0;
    if (!is_own(compiler, event)) {
        compiled->inherited++;
        return 0;
    }
    compiled->ends++;
    return event->ends.thread == reader->thread
               ? 0
               : share(compiler->index, &compiler->threads[event->ends.thread], &event->ends);
}

/* --- Slots of a thread's own. --- */

/* Blocks of a page that never come there. */
static uint32_t count_shared(const struct compiled_thread *thread, uint64_t page)
{
    uint32_t count = 0;

    for (uint64_t i = page * PAGE_BLOCKS / WORD_BITS;
         thread->shared_bits && i < (page + 1) * PAGE_BLOCKS / WORD_BITS && i < thread->bit_words;
         i++)
        count += (uint32_t)__builtin_popcountll(thread->shared_bits[i]);
    return count;
}

/* Where the slot of a block is kept. NULL when there is no memory. */
static uint32_t *slot_at(struct compiled_thread *thread, uint64_t ordinal)
{
    const uint64_t page = ordinal / PAGE_BLOCKS;
    struct slot_page **room = page < UINT32_MAX ? room_for(thread->pages, &thread->page_room,
                                                           (uint32_t)page, sizeof(void *))
                                                : NULL;

    if (!room)
        return NULL;
    thread->pages = room;
    if (!room[page]) {
        room[page] = calloc(1, sizeof *room[page]);
        if (room[page])
            room[page]->ended = count_shared(thread, page);
    }
    return room[page] ? &room[page]->slots[ordinal % PAGE_BLOCKS] : NULL;
}

static void end_in_page(struct compiled_thread *thread, uint64_t ordinal)
{
    struct slot_page **page = &thread->pages[ordinal / PAGE_BLOCKS];

    if (++(*page)->ended < PAGE_BLOCKS)
        return;
    free(*page);
    *page = NULL;
}

static int take_slot(struct compiled_thread *thread, uint64_t ordinal, uint32_t *slot)
{
    uint32_t *kept = slot_at(thread, ordinal);

    if (!kept)
        return -ENOMEM;
    *slot = thread->free_count > 0 ? thread->free_slots[--thread->free_count] : thread->slots++;
    *kept = *slot + 1;
    return 0;
}

/* Returns 0, -ENOMEM, or -EBADMSG for a block that is not there. */
static int leave_slot(struct compiled_thread *thread, uint64_t ordinal, uint32_t *slot)
{
    uint32_t *room =
        room_for(thread->free_slots, &thread->free_room, thread->free_count, sizeof *room);
    if (!room)
        return -ENOMEM;
    thread->free_slots = room;
    uint32_t *kept = slot_at(thread, ordinal);
    if (!kept)
        return -ENOMEM;
    if (*kept == 0)
        return -EBADMSG;
    *slot = *kept - 1;
    *kept = 0;
    room[thread->free_count++] = *slot;
    end_in_page(thread, ordinal);
    return 0;
}

/* --- The second pass. --- */

static void put(const struct compiler *compiler, struct compiled_thread *thread, uint64_t word)
{
    compiler->words[thread->first_word + thread->put++] = word;
}

static void put_sized(const struct compiler *compiler, struct compiled_thread *thread,
                      uint64_t word, uint64_t bytes)
{
    thread->put +=
        flat_writer_put_sized(compiler->words + thread->first_word + thread->put, word, bytes);
}

static int put_made(const struct compiler *compiler, struct compiled_thread *thread,
                    const struct trace_event *event)
{
    static const enum flat_operation operations[] = {[TRACE_MALLOC] = FLAT_MALLOC,
                                                     [TRACE_CALLOC] = FLAT_CALLOC,
                                                     [TRACE_ALIGNED] = FLAT_ALIGNED,
                                                     [TRACE_REALLOC] = FLAT_MALLOC};
    const uint64_t ordinal = thread->born++;
    const unsigned shared = (unsigned)is_shared(thread, ordinal);
    uint32_t slot = shared ? shared_slot(thread, ordinal) : 0;
    const int error = shared ? 0 : take_slot(thread, ordinal, &slot);

    if (error)
        return error;
    put_sized(compiler, thread, flat_word(operations[event->kind], shared, slot, 0),
              made_bytes(event));
    if (event->kind == TRACE_ALIGNED)
        put(compiler, thread, event->alignment_bytes);
    return 0;
}

static int put_end(const struct compiler *compiler, struct compiled_thread *thread,
                   const struct trace_event *event)
{
    struct compiled_thread *maker = &compiler->threads[event->ends.thread];
    const unsigned shared = (unsigned)is_shared(maker, event->ends.ordinal);
    uint32_t slot = shared ? shared_slot(maker, event->ends.ordinal) : 0;
    const int error = shared ? end_shared(maker, event->ends.ordinal)
                             : leave_slot(maker, event->ends.ordinal, &slot);

    if (!error)
        put(compiler, thread,
            flat_word(event->kind == TRACE_FREE ? FLAT_FREE : FLAT_REALLOC, shared, slot, 0));
    return error;
}

static int put_words(void *context, const struct event_reader *reader,
                     const struct trace_event *event)
{
    struct compiler *compiler = context;
    struct compiled_thread *thread = &compiler->threads[reader->thread];
    int error = 0;

    if (!thread->is_chosen)
        return 0;
    if (thread->words - thread->put < words_of(compiler, event))
        return -EIO; /* the file is another one than it was */
    const uint64_t paused_ns = pause_before(thread, event);
    if (paused_ns) {
        put(compiler, thread, flat_word(FLAT_PAUSE, 0, 0, 0));
        put(compiler, thread, paused_ns);
    }
    struct compiled_thread *started = find_started(compiler, reader, event);
    if (started && !started->is_put) {
        started->is_put = 1;
        put(compiler, thread, flat_word(FLAT_START, 0, started->number, 0));
    }
    if (is_end(event) && is_own(compiler, event))
        error = put_end(compiler, thread, event);
    if (!error && trace_makes(event->kind))
        error = put_made(compiler, thread, event);
    return error;
}

/* --- The file. --- */

/* The main thread is first: it was started by nobody, before all others. */
static uint32_t find_main(const struct compiler *compiler)
{
    const struct trace_index *index = compiler->index;
    uint32_t found = UINT32_MAX;

    for (uint32_t i = 0; i < index->thread_room; i++)
        if (compiler->threads[i].is_chosen && !compiler->threads[i].is_started &&
            (found == UINT32_MAX || index->threads[i].first_ns < index->threads[found].first_ns))
            found = i;
    return found;
}

static int number_threads(struct compiler *compiler, struct flat_head *head)
{
    const uint32_t first = find_main(compiler);
    uint32_t number = 1;

    if (first == UINT32_MAX)
        return -EBADMSG;
    for (uint32_t i = 0; i < compiler->index->thread_room; i++) {
        struct compiled_thread *thread = &compiler->threads[i];
        if (!thread->is_chosen)
            continue;
        thread->number = i == first ? 0 : number++;
        const int64_t shared =
            rank_shared(compiler->index, compiler->threads, i, head->shared_slots);
        if (shared < 0)
            return (int)shared;
        head->shared_slots += (uint64_t)shared;
        thread->first_word = head->words;
        head->words += thread->words;
        thread->last_ns = compiler->index->threads[i].first_ns;
    }
    head->threads = number;
    return number <= FLAT_MOST_THREADS && head->shared_slots < UINT32_MAX ? 0 : -E2BIG;
}

static int write_flat(struct compiler *compiler, struct trace_reader *reader,
                      const struct flat_head *head, int fd)
{
    struct flat_writer writer;
    int error = flat_writer_open(&writer, head, fd);

    if (error)
        return error;
    compiler->words = writer.words;
    error = trace_index_scan(compiler->index, reader, put_words, compiler);
    for (uint32_t i = 0; i < compiler->index->thread_room; i++) {
        const struct compiled_thread *thread = &compiler->threads[i];
        if (thread->is_chosen)
            writer.threads[thread->number] =
                (struct flat_thread){.first_word = thread->first_word,
                                     .words = thread->put,
                                     .slots = thread->slots,
                                     .is_started = (uint64_t)thread->is_started};
    }
    if (!error)
        error = flat_check(writer.head, writer.threads, writer.words);
    writer.head->operations = compiler->compiled->operations;
    compiler->compiled->file_bytes = writer.head->file_bytes;
    flat_writer_close(&writer);
    return error;
}

/* --- All of it. --- */

static void free_threads(struct compiled_thread *threads, uint32_t count)
{
    for (uint32_t i = 0; threads && i < count; i++) {
        for (uint32_t page = 0; page < threads[i].page_room; page++)
            free(threads[i].pages[page]);
        free(threads[i].pages);
        free(threads[i].free_slots);
        free(threads[i].shared_bits);
        free(threads[i].shared_rank);
        free(threads[i].ended_bits);
    }
    free(threads);
}

static int compile(struct compiler *compiler, struct trace_reader *reader, int fd)
{
    const struct trace_index *index = compiler->index;
    struct flat_head head = {.threads = 0};

    for (uint32_t i = 0; i < index->thread_room; i++) {
        compiler->threads[i].is_chosen =
            index->threads[i].is_known && index->threads[i].process == compiler->process;
        compiler->threads[i].last_ns = index->threads[i].first_ns;
    }
    int error = trace_index_scan(index, reader, count_words, compiler);
    if (!error)
        error = number_threads(compiler, &head);
    if (!error)
        error = write_flat(compiler, reader, &head, fd);
    compiler->compiled->process = compiler->process;
    compiler->compiled->threads = head.threads;
    compiler->compiled->shared = head.shared_slots;
    return error;
}

int trace_compile(const struct trace_index *index, struct trace_reader *reader, uint32_t process,
                  int fd, struct trace_compiled *compiled, char *error)
{
    struct compiler compiler = {.index = index, .process = process, .compiled = compiled};
    int failed = -ENOMEM;

    *compiled = (struct trace_compiled){0};
    compiler.threads = calloc(index->thread_room + 1, sizeof *compiler.threads);
    if (compiler.threads)
        failed = compile(&compiler, reader, fd);
    free_threads(compiler.threads, index->thread_room);
    if (failed)
        snprintf(error, TRACE_ERROR_BYTES, "the trace cannot be replayed: %s",
                 failed == -EBADMSG   ? "a block ends that is not there, or ends twice"
                 : failed == -EDEADLK ? "its threads wait for each other"
                 : failed == -E2BIG   ? "it has too many threads or blocks"
                                      : strerror(-failed));
    return failed;
}
