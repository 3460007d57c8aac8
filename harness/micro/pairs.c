/*
 * A block that is taken and given back at once: pair, aligned, calloc/reused, and what `tidemark
 * overhead` takes a pair apart into. The best case of an allocator: one thread, a warm cache.
 * Leaves out several blocks at once (batches.c). That the row `null` measures the loop itself is
 * fio's idea.
 */
#include "allocators/null.h"
#include "harness/micro/memory.h"

enum { DISPATCH_BYTES = 64 };

static void report(struct tidemark_gbench_state *state)
{
    const int64_t iterations = tidemark_gbench_iterations(state);

    tidemark_gbench_set_items_processed(state, iterations);
    tidemark_gbench_set_bytes_processed(state, iterations * tidemark_gbench_argument(state, 0));
}

/* How a block is had; each is inlined where it is named. */
typedef void *take_function(const struct allocator_ops *ops, size_t size, size_t alignment);

static inline void *take_malloc(const struct allocator_ops *ops, size_t size, size_t alignment)
{
    (void)alignment;
    return ops->malloc(size);
}

static inline void *take_aligned(const struct allocator_ops *ops, size_t size, size_t alignment)
{
    return ops->aligned_alloc(alignment, size);
}

static inline void *take_zeroed(const struct allocator_ops *ops, size_t size, size_t alignment)
{
    (void)alignment;
    return ops->calloc(1, size);
}

/*
 * The calls go through the pointers of struct allocator_ops, loaded anew each time, as a workload
 * makes them: the compiler cannot know what open_row() put there. It is inlined so that the same
 * loop, given operations that are known, becomes one with direct calls (run_direct, run_loop).
 */
static inline __attribute__((always_inline)) void measure_pairs(struct tidemark_gbench_state *state,
                                                                const struct allocator_ops *ops,
                                                                take_function *take,
                                                                size_t alignment)
{
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            void *block = take(ops, size, alignment);

            if (!block) {
                micro_fail(state, "it gave NULL");
                return;
            }
            micro_write_word(block, left);
            ops->free(block);
        }
    }
    report(state);
}

/*
 * One more block of the size stays alive meanwhile, as it would in a program. Without it each free
 * empties a pool of pymalloc and each malloc sets one up again, in ours and in the real one alike:
 * several times the time of a pair, and no program's usual case.
 */
static inline __attribute__((always_inline)) void
measure_beside_one(struct tidemark_gbench_state *state, const struct micro_row *row,
                   take_function *take, size_t alignment)
{
    void *neighbour = take(&row->ops, (size_t)tidemark_gbench_argument(state, 0), alignment);

    if (!neighbour) {
        micro_fail(state, "it gave NULL");
        return;
    }
    micro_write_word(neighbour, 0);
    const struct micro_memory memory = micro_memory_begin(row);
    measure_pairs(state, &row->ops, take, alignment);
    micro_memory_end(&memory, state);
    row->ops.free(neighbour);
}

static void run_pair(struct tidemark_gbench_state *state, void *data)
{
    measure_beside_one(state, data, take_malloc, 0);
}

static void run_aligned(struct tidemark_gbench_state *state, void *data)
{
    measure_beside_one(state, data, take_aligned, (size_t)tidemark_gbench_argument(state, 1));
}

/* The block that was just freed is had again by most, so that it has to be zeroed again. */
static void run_reused(struct tidemark_gbench_state *state, void *data)
{
    measure_beside_one(state, data, take_zeroed, 0);
}

static int64_t slot;

static void *slot_malloc(size_t size)
{
    (void)size;
    return &slot;
}

static void slot_free(void *block)
{
    (void)block;
}

/* The loop of `pair` by itself: these calls vanish, the written word and the count stay. */
static void run_loop(struct tidemark_gbench_state *state, void *data)
{
    static const struct allocator_ops vanishing = {.malloc = slot_malloc, .free = slot_free};

    (void)data;
    measure_pairs(state, &vanishing, take_malloc, 0);
}

/* `pair` on `null`, but that the compiler knows whom it calls. */
static void run_direct(struct tidemark_gbench_state *state, void *data)
{
    static const struct allocator_ops known = {.malloc = null_malloc, .free = null_free};

    (void)data;
    measure_pairs(state, &known, take_malloc, 0);
}

enum { HELD_BYTES = 32 << 20, SMALLEST_FRESH_BYTES = 64 << 10 };

static void *held[HELD_BYTES / SMALLEST_FRESH_BYTES]; /* static: boehm-collected looks here */

/* Returns how many of the `count` it got. */
static size_t hold(const struct allocator_ops *ops, size_t size, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        held[i] = ops->calloc(1, size);
        if (!held[i])
            return i;
        micro_write_word(held[i], (int64_t)i);
    }
    return count;
}

static void let_go(const struct allocator_ops *ops, size_t count)
{
    while (count > 0) {
        ops->free(held[--count]);
        held[count] = NULL;
    }
    if (ops->purge)
        ops->purge();
}

/*
 * Memory that the kernel has just given is zero already: an allocator that knows it writes nothing,
 * another one touches every page. All is freed and purged with the clock stopped, which costs 1 to
 * 3 µs for the 8 blocks and more of a round.
 */
static void run_fresh(struct tidemark_gbench_state *state, void *data)
{
    const struct micro_row *row = data;
    const size_t size = (size_t)tidemark_gbench_argument(state, 0);
    const size_t count = HELD_BYTES / size;
    const struct micro_memory memory = micro_memory_begin(row);

    for (int64_t left; (left = tidemark_gbench_keep_running_batch(state)) > 0;) {
        for (; left > 0; left--) {
            size_t got = hold(&row->ops, size, count);

            tidemark_gbench_pause_timing(state);
            let_go(&row->ops, got);
            tidemark_gbench_resume_timing(state);
            if (got < count) {
                micro_fail(state, "it gave NULL");
                return;
            }
        }
    }
    micro_memory_end(&memory, state);
    const int64_t blocks = tidemark_gbench_iterations(state) * (int64_t)count;
    tidemark_gbench_set_items_processed(state, blocks);
    tidemark_gbench_set_bytes_processed(state, blocks * (int64_t)size);
}

static int add_pair(const struct micro_row *row, enum micro_set set)
{
    static const int64_t usual[] = {8, 16, 32, 64, 128, 256, 1024, 4096, 32768, 262144, 1048576};
    static const struct micro_values sizes = {usual, MICRO_COUNT_OF(usual), 8, 1 << 20, 2};

    return micro_add_sizes("pair", run_pair, row, &sizes, set, NULL);
}

/* Every alignment at every fourth power of two that is a multiple of it, as aligned_alloc asks. */
static int add_aligned(const struct micro_row *row, enum micro_set set)
{
    static const char *const names[] = {"size", "alignment"};
    static const struct micro_arguments usual[] = {{{64, 64}},      {{1024, 64}},
                                                   {{1024, 1024}},  {{4096, 4096}},
                                                   {{65536, 4096}}, {{65536, 65536}}};
    static const int64_t alignments[] = {32, 64, 256, 1024, 4096, 65536};
    struct micro_arguments every[64];
    size_t count = 0;

    if (set == MICRO_USUAL)
        return micro_add_pairs("aligned", run_aligned, row, names, usual, MICRO_COUNT_OF(usual));
    for (size_t i = 0; i < MICRO_COUNT_OF(alignments); i++) {
        for (int64_t size = 64; size <= 1 << 20; size *= 4) {
            if (size % alignments[i] != 0)
                continue;
            every[count++] = (struct micro_arguments){{size, alignments[i]}};
        }
    }
    return micro_add_pairs("aligned", run_aligned, row, names, every, count);
}

static int add_calloc(const struct micro_row *row, enum micro_set set)
{
    static const int64_t reused[] = {16, 64, 1024, 32768}, fresh[] = {262144, 4194304};
    static const struct micro_values reused_sizes = {reused, MICRO_COUNT_OF(reused), 8, 64 << 10,
                                                     2};
    static const struct micro_values fresh_sizes = {fresh, MICRO_COUNT_OF(fresh),
                                                    SMALLEST_FRESH_BYTES, 4 << 20, 2};
    int error = micro_add_sizes("calloc/reused", run_reused, row, &reused_sizes, set, NULL);

    return error ? error : micro_add_sizes("calloc/fresh", run_fresh, row, &fresh_sizes, set, NULL);
}

int micro_add_dispatch(const struct micro_row *row)
{
    static const int64_t size[] = {DISPATCH_BYTES};
    static const struct micro_values sizes = {size, 1, DISPATCH_BYTES, DISPATCH_BYTES, 2};
    int error = micro_add_sizes("loop", run_loop, row, &sizes, MICRO_USUAL, NULL);

    if (!error)
        error = micro_add_sizes("direct", run_direct, row, &sizes, MICRO_USUAL, NULL);
    return error ? error : micro_add_sizes("pair", run_pair, row, &sizes, MICRO_USUAL, NULL);
}

const struct micro_theme micro_pair = {"pair", ALLOCATOR_MALLOC | ALLOCATOR_FREE, 1, add_pair};
const struct micro_theme micro_aligned = {"aligned", ALLOCATOR_ALIGNED | ALLOCATOR_FREE, 1,
                                          add_aligned};
const struct micro_theme micro_calloc = {"calloc", ALLOCATOR_CALLOC | ALLOCATOR_FREE, 1,
                                         add_calloc};
