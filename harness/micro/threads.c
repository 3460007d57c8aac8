/*
 * Several threads in one allocator: pairs at once, and blocks that one thread takes and another
 * gives back. Leaves out CPU time: a thread that waits for a lock uses none, so the clock is that
 * on the wall. Google Benchmark makes the threads. The hand-over is xmalloc's (Lever and Boreham
 * 2000), through a ring that each side tells of in groups, so that it costs little beside a free.
 */
#define _GNU_SOURCE
#include "harness/micro/memory.h"

#include <sched.h>
#include <stdatomic.h>

enum { LINE_BYTES = 64, RING_SLOTS = 1024, GROUP = 64, MOST_THREADS = 64, MOST_PAIRS = 32 };

/* Only thread 0 counts memory, which is that of all; the loop begins and ends with a barrier. */
static struct micro_memory begin_on(int thread, const struct micro_row *row)
{
    return thread == 0 ? micro_memory_begin(row) : (struct micro_memory){0};
}

static bool measure_thread(struct tidemark_gbench_state *state, const struct micro_row *row,
                           size_t size)
{
    const struct allocator_ops *ops = &row->ops;
    int64_t own = 0;

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            void *block = ops->malloc(size);

            if (!block)
                return false;
            micro_write_word(row->is_distinct ? block : &own, left);
            ops->free(block);
        }
    }
    return true;
}

static void run_threads(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const int64_t size = tidemark_gbench_argument(state, 0);
    void *neighbour = row->ops.malloc((size_t)size);
    const struct micro_memory memory = begin_on(tidemark_gbench_thread_index(state), row);

    if (!neighbour || !measure_thread(state, row, (size_t)size)) {
        micro_fail(state, "malloc gave NULL");
        return;
    }
    micro_memory_end(&memory, state);
    row->ops.free(neighbour);
    tidemark_gbench_set_items_processed(state, tidemark_gbench_iterations(state));
    tidemark_gbench_set_bytes_processed(state, tidemark_gbench_iterations(state) * size);
}

/* What each side writes lies in lines of its own; counts go on for ever, a slot is count modulo. */
struct ring {
    _Alignas(LINE_BYTES) atomic_size_t put;
    atomic_bool is_over; /* the taker got no block: there will be no more */
    _Alignas(LINE_BYTES) atomic_size_t got;
    _Alignas(LINE_BYTES) void *slots[RING_SLOTS];
};

static struct ring rings[MOST_PAIRS];

/* Another thread may share this processor: after some turns it gets its chance. */
static void wait_a_turn(unsigned *turns)
{
    enum { TURNS_BEFORE_YIELD = 256 };

    if (++*turns % TURNS_BEFORE_YIELD == 0)
        sched_yield();
#if defined(__x86_64__)
    __builtin_ia32_pause();
#endif
}

/* Waits until a group has room. Called once per group. */
static void wait_for_room(struct ring *ring, size_t put)
{
    unsigned turns = 0;

    while (put - atomic_load_explicit(&ring->got, memory_order_acquire) > RING_SLOTS - GROUP)
        wait_a_turn(&turns);
}

/* How far blocks have come; `got` itself when there will be no more. Called once per group. */
static size_t wait_for_blocks(struct ring *ring, size_t got)
{
    unsigned turns = 0;
    size_t put;

    while ((put = atomic_load_explicit(&ring->put, memory_order_acquire)) == got) {
        if (atomic_load_explicit(&ring->is_over, memory_order_acquire))
            return got;
        wait_a_turn(&turns);
    }
    return put;
}

static bool take_blocks(struct tidemark_gbench_state *state, const struct micro_row *row,
                        struct ring *ring)
{
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    size_t put = 0;
    int64_t own = 0;

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            void *block = row->ops.malloc(size);

            if (!block) {
                atomic_store_explicit(&ring->is_over, true, memory_order_release);
                return false;
            }
            micro_write_word(row->is_distinct ? block : &own, left);
            if (put % GROUP == 0)
                wait_for_room(ring, put);
            ring->slots[put++ % RING_SLOTS] = block;
            if (put % GROUP == 0 || left == 1)
                atomic_store_explicit(&ring->put, put, memory_order_release);
        }
    }
    return true;
}

/* Returns false when the taker ended before its last block. */
static bool free_blocks(struct tidemark_gbench_state *state, const struct micro_row *row,
                        struct ring *ring)
{
    size_t got = 0, put = 0;

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            if (got == put)
                put = wait_for_blocks(ring, got);
            if (got == put)
                return false;
            row->ops.free(ring->slots[got++ % RING_SLOTS]);
            if (got % GROUP == 0)
                atomic_store_explicit(&ring->got, got, memory_order_release);
        }
    }
    return true;
}

/* Even threads take, odd ones free: the ring is that of the pair. Its start precedes the barrier at
 * which the loop begins. */
static void run_remote(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const int thread = tidemark_gbench_thread_index(state);
    struct ring *ring = &rings[thread / 2];
    const struct micro_memory memory = begin_on(thread, row);

    if (thread % 2 == 1) {
        if (!free_blocks(state, row, ring))
            micro_fail(state, "the thread that allocates gave up");
        return;
    }
    atomic_store(&ring->put, 0);
    atomic_store(&ring->got, 0);
    atomic_store(&ring->is_over, false);
    if (!take_blocks(state, row, ring)) {
        micro_fail(state, "malloc gave NULL");
        return;
    }
    micro_memory_end(&memory, state);
    const int64_t blocks = tidemark_gbench_iterations(state);
    tidemark_gbench_set_items_processed(state, blocks);
    tidemark_gbench_set_bytes_processed(state, blocks * tidemark_gbench_argument(state, 0));
}

static int add_on_threads(const char *name, tidemark_gbench_function *function, int fewest,
                          const struct micro_row *row, enum micro_set set)
{
    static const int64_t usual[] = {64, 1024};
    static const struct micro_values sizes = {usual, MICRO_COUNT_OF(usual), 16, 16384, 4};
    struct tidemark_gbench_registration *registration;
    int error = micro_add_sizes(name, function, row, &sizes, set, &registration);

    if (!error)
        error = tidemark_gbench_use_real_time(registration);
    for (int count = fewest; !error && count <= micro_processors() && count <= MOST_THREADS;
         count *= 2)
        error = tidemark_gbench_threads(registration, count);
    return error;
}

static int add_threads(const struct micro_row *row, enum micro_set set)
{
    return add_on_threads("threads", run_threads, 1, row, set);
}

static int add_remote(const struct micro_row *row, enum micro_set set)
{
    return add_on_threads("remote", run_remote, 2, row, set);
}

const struct micro_theme micro_threads = {
    "threads", ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_THREADS, 1, add_threads};
const struct micro_theme micro_remote = {
    "remote", ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_THREADS, 2, add_remote};
