/*
 * A replay of sizes alone: see flat_peak.h. Leaves out waiting: a thread whose block is not there
 * yet is passed over.
 */
#include "harness/trace/flat_peak.h"

#include "workloads/flat_trace.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>

struct turn {
    uint64_t at, end; /* words */
    uint64_t *sizes;  /* by slot of its own; 0: empty */
    int is_begun;
};

struct peak {
    const struct flat_head *head;
    const struct flat_thread *threads;
    const uint64_t *words;
    struct turn *turns;
    uint64_t *active, active_count; /* threads that have begun and not ended */
    uint64_t *sizes, *shared;
    uint64_t live_bytes, most_bytes;
};

static uint64_t *slot_of(const struct peak *peak, const struct turn *turn, uint64_t word)
{
    return (flat_is_shared(word) ? peak->shared : turn->sizes) + flat_slot(word);
}

static void begin_thread(struct peak *peak, uint64_t thread)
{
    if (peak->turns[thread].is_begun)
        return;
    peak->turns[thread].is_begun = 1;
    peak->active[peak->active_count++] = thread;
}

/* The word at `*at`, and the size in it or behind it. */
static uint64_t read_word(const struct peak *peak, uint64_t *at, uint64_t *bytes)
{
    const uint64_t word = peak->words[(*at)++];

    *bytes = flat_size(word);
    if (*bytes == FLAT_SIZE_FOLLOWS)
        *bytes = peak->words[(*at)++];
    return word;
}

static void fill(struct peak *peak, const struct turn *turn, uint64_t word, uint64_t bytes)
{
    *slot_of(peak, turn, word) = bytes;
    peak->live_bytes += bytes;
    if (peak->live_bytes > peak->most_bytes)
        peak->most_bytes = peak->live_bytes;
}

/* Returns 0 where there is nothing yet. Every block has a byte (trace_compile.c). */
static int empty(struct peak *peak, const struct turn *turn, uint64_t word)
{
    uint64_t *slot = slot_of(peak, turn, word);
    const uint64_t bytes = *slot;

    peak->live_bytes -= bytes;
    *slot = 0;
    return bytes > 0;
}

/* One operation. Returns 0 where it has to wait. */
static int do_one(struct peak *peak, struct turn *turn)
{
    uint64_t at = turn->at, bytes, moved_bytes;
    const uint64_t word = read_word(peak, &at, &bytes);

    switch (flat_operation(word)) {
    case FLAT_REALLOC:
        if (!empty(peak, turn, word))
            return 0;
        const uint64_t moved = read_word(peak, &at, &moved_bytes);
        fill(peak, turn, moved, moved_bytes);
        break;
    case FLAT_FREE:
        if (!empty(peak, turn, word))
            return 0;
        break;
    case FLAT_START:
        begin_thread(peak, flat_slot(word));
        break;
    case FLAT_PAUSE:
        at++;
        break;
    case FLAT_ALIGNED:
        at++;
        fill(peak, turn, word, bytes);
        break;
    case FLAT_MALLOC:
    case FLAT_CALLOC:
        fill(peak, turn, word, bytes);
        break;
    case FLAT_OPERATIONS:
        break;
    }
    turn->at = at;
    return 1;
}

/* Each thread once. Returns 0 when none of them could go on. */
static int take_turns(struct peak *peak)
{
    int has_gone_on = 0;

    for (uint64_t i = 0; i < peak->active_count;) {
        struct turn *turn = &peak->turns[peak->active[i]];
        if (turn->at < turn->end)
            has_gone_on |= do_one(peak, turn);
        if (turn->at < turn->end)
            i++;
        else
            peak->active[i] = peak->active[--peak->active_count];
    }
    return has_gone_on;
}

static int make_turns(struct peak *peak)
{
    const uint64_t threads = peak->head->threads;
    uint64_t slots = 1;

    for (uint64_t i = 0; i < threads; i++)
        slots += peak->threads[i].slots;
    peak->turns = calloc(threads + 1, sizeof *peak->turns);
    peak->active = calloc(threads + 1, sizeof *peak->active);
    peak->sizes = calloc(slots, sizeof *peak->sizes);
    peak->shared = calloc(peak->head->shared_slots + 1, sizeof *peak->shared);
    if (!peak->turns || !peak->active || !peak->sizes || !peak->shared)
        return -ENOMEM;
    uint64_t *own = peak->sizes;
    for (uint64_t i = 0; i < threads; i++) {
        const struct flat_thread *thread = &peak->threads[i];
        peak->turns[i] =
            (struct turn){thread->first_word, thread->first_word + thread->words, own, 0};
        own += thread->slots;
    }
    return 0;
}

/* A checked trace comes to its end. */
static int run(struct peak *peak)
{
    const int error = make_turns(peak);

    for (uint64_t i = 0; i < peak->head->threads && !error; i++)
        if (i == 0 || !peak->threads[i].is_started)
            begin_thread(peak, i);
    while (!error && peak->active_count > 0)
        if (!take_turns(peak) && peak->active_count > 0)
            return -EDEADLK;
    return error;
}

int flat_peak(int fd, uint64_t *peak_bytes)
{
    struct stat status;
    void *pages = fstat(fd, &status) == 0
                      ? mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_SHARED, fd, 0)
                      : MAP_FAILED;

    if (pages == MAP_FAILED)
        return -errno;
    struct peak peak = {.head = pages};
    peak.threads = (const struct flat_thread *)(peak.head + 1);
    peak.words = (const uint64_t *)(peak.threads + peak.head->threads);
    const int error = run(&peak);
    if (!error)
        *peak_bytes = peak.most_bytes;
    free(peak.turns);
    free(peak.active);
    free(peak.sizes);
    free(peak.shared);
    munmap(pages, (size_t)status.st_size);
    return error;
}
