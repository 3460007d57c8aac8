/*
 * A replay of ones and zeros: see flat_check.h. Leaves out time.
 */
#include "harness/trace/flat_check.h"

#include <errno.h>
#include <stdlib.h>

enum { NOBODY = 0 };

struct run_state {
    uint64_t at;
    int is_begun, is_done;
};

struct check {
    const struct flat_head *head;
    struct flat_thread *threads;
    const uint64_t *words;
    struct run_state *states;
    uint64_t *first_slots;        /* of each thread's own, in `full` */
    uint8_t *full, *shared;       /* 1: there is a block in the slot */
    uint32_t *waits;              /* by shared slot: the thread that waits, from 1 */
    uint64_t *ready, ready_count; /* a stack of threads */
};

static void begin_thread(struct check *check, uint64_t thread)
{
    if (check->states[thread].is_begun)
        return;
    check->states[thread].is_begun = 1;
    check->ready[check->ready_count++] = thread;
}

/* Returns 1 when the slot is filled, 0 when the thread has to wait, or -EBADMSG. */
static int take_slot(struct check *check, uint64_t thread, uint64_t word)
{
    const uint32_t slot = flat_slot(word);

    if (flat_is_shared(word)) {
        if (slot >= check->head->shared_slots)
            return -EBADMSG;
        if (!check->shared[slot]) {
            if (check->waits[slot] != NOBODY)
                return -EBADMSG; /* ended by two */
            check->waits[slot] = (uint32_t)thread + 1;
            return 0;
        }
        check->shared[slot] = 0;
        return 1;
    }
    if (slot >= check->threads[thread].slots)
        return -EBADMSG;
    uint8_t *full = &check->full[check->first_slots[thread] + slot];
    if (!*full)
        return -EBADMSG;
    *full = 0;
    return 1;
}

static int fill_slot(struct check *check, uint64_t thread, uint64_t word)
{
    const uint32_t slot = flat_slot(word);

    if (slot >= (flat_is_shared(word) ? check->head->shared_slots : check->threads[thread].slots))
        return -EBADMSG;
    uint8_t *full = flat_is_shared(word) ? &check->shared[slot]
                                         : &check->full[check->first_slots[thread] + slot];
    if (*full)
        return -EBADMSG;
    *full = 1;
    if (flat_is_shared(word) && check->waits[slot] != NOBODY) {
        check->ready[check->ready_count++] = check->waits[slot] - 1;
        check->waits[slot] = NOBODY;
    }
    return 0;
}

/* One operation at `*at`, which goes on behind it. Returns 1, 0 when it waits, or -EBADMSG. */
static int do_one(struct check *check, uint64_t thread, uint64_t *at, uint64_t end)
{
    const uint64_t word = check->words[(*at)++];
    int got = 1;

    if (flat_size(word) == FLAT_SIZE_FOLLOWS && ++*at > end)
        return -EBADMSG;
    switch (flat_operation(word)) {
    case FLAT_ALIGNED:
        ++*at;
        return *at > end ? -EBADMSG : fill_slot(check, thread, word) == 0 ? 1 : -EBADMSG;
    case FLAT_MALLOC:
    case FLAT_CALLOC:
        return fill_slot(check, thread, word) == 0 ? 1 : -EBADMSG;
    case FLAT_REALLOC:
        got = take_slot(check, thread, word);
        return got != 1 ? got : *at < end ? 1 : -EBADMSG; /* what it makes is the next one */
    case FLAT_FREE:
        return take_slot(check, thread, word);
    case FLAT_START:
        if (flat_slot(word) == 0 || flat_slot(word) >= check->head->threads)
            return -EBADMSG;
        begin_thread(check, flat_slot(word));
        return 1;
    case FLAT_PAUSE:
        ++*at;
        return *at <= end ? 1 : -EBADMSG;
    case FLAT_OPERATIONS:
        break;
    }
    return -EBADMSG;
}

static int run_thread(struct check *check, uint64_t thread)
{
    struct run_state *state = &check->states[thread];
    const uint64_t first = check->threads[thread].first_word;
    const uint64_t end = first + check->threads[thread].words;
    uint64_t at = first + state->at;
    int got = 1;

    while (got == 1 && at < end) {
        const uint64_t before = at;
        got = do_one(check, thread, &at, end);
        if (got != 1)
            at = before;
    }
    state->at = at - first;
    state->is_done = at == end;
    return got < 0 ? got : 0;
}

static int run_ready(struct check *check)
{
    int error = 0;

    while (!error && check->ready_count > 0)
        error = run_thread(check, check->ready[--check->ready_count]);
    return error;
}

static int run_all(struct check *check)
{
    int error = 0, is_done = 1;

    for (uint64_t i = 0; i < check->head->threads; i++)
        if (i == 0 || !check->threads[i].is_started)
            begin_thread(check, i);
    error = run_ready(check);
    for (uint64_t i = 0; i < check->head->threads && !error; i++) {
        if (check->states[i].is_begun)
            continue;
        check->threads[i].is_started = 0;
        begin_thread(check, i);
        error = run_ready(check);
    }
    for (uint64_t i = 0; i < check->head->threads; i++)
        is_done &= check->states[i].is_done;
    return error ? error : is_done ? 0 : -EDEADLK;
}

static int make_slots(struct check *check)
{
    uint64_t slots = 0;

    check->first_slots = calloc(check->head->threads, sizeof *check->first_slots);
    if (!check->first_slots)
        return -ENOMEM;
    for (uint64_t i = 0; i < check->head->threads; i++) {
        check->first_slots[i] = slots;
        slots += check->threads[i].slots;
    }
    check->full = calloc(slots + 1, 1);
    check->shared = calloc(check->head->shared_slots + 1, 1);
    check->waits = calloc(check->head->shared_slots + 1, sizeof *check->waits);
    check->states = calloc(check->head->threads, sizeof *check->states);
    /* Once for its beginning, and once for what it waits for. */
    check->ready = calloc(2 * check->head->threads, sizeof *check->ready);
    return check->full && check->shared && check->waits && check->states && check->ready ? 0
                                                                                         : -ENOMEM;
}

int flat_check(const struct flat_head *head, struct flat_thread *threads, const uint64_t *words)
{
    struct check check = {.head = head, .threads = threads, .words = words};
    int error = make_slots(&check);

    if (!error)
        error = run_all(&check);
    free(check.first_slots);
    free(check.full);
    free(check.shared);
    free(check.waits);
    free(check.states);
    free(check.ready);
    return error;
}
