/*
 * Checks by random sequences of calls: content, addresses, purges between. Leaves out threads. A
 * shadow of what should be there, compared with what is, is model-based testing as QuickCheck has
 * it.
 */
#include "harness/check_sequences.h"

#include "harness/interval_set.h"
#include "workloads/random.h"

#include <errno.h>

enum {
    BLOCKS = 4096,
    CONTENT_STEPS = 1000000 / CHECK_DIVISOR,
    OVERLAP_STEPS = 200000 / CHECK_DIVISOR,
    PURGE_STEPS = 100000 / CHECK_DIVISOR,
    STEPS_A_PURGE = 1000,
};

void check_block_take(const struct check_run *run, struct check_block *taken, uint64_t *state)
{
    enum { CALLOC_IN = 8, ALIGNED_IN = 16 };
    const size_t size = check_random_size(state);
    const size_t alignment = (size_t)16 << check_random_below(state, 8);

    taken->size = size;
    if (check_has(run, ALLOCATOR_ALIGNED) && check_random_below(state, ALIGNED_IN) == 0) {
        taken->size = (size + alignment - 1) / alignment * alignment;
        taken->block = check_call_aligned_alloc(run, alignment, taken->size);
    } else if (check_has(run, ALLOCATOR_CALLOC) && check_random_below(state, CALLOC_IN) == 0) {
        taken->block = check_call_calloc(run, 1, size);
        if (taken->block[0] || taken->block[size / 2] || taken->block[size - 1])
            check_fail("calloc(1, %zu) gives a block that is not zero", size);
    } else {
        taken->block = check_call_malloc(run, size);
    }
    taken->mark = random_next(state);
    check_stamp(taken->block, taken->size, taken->mark);
}

void check_block_drop(const struct check_run *run, struct check_block *taken, const char *what)
{
    if (!taken->block)
        return;
    check_stamped(taken->block, taken->size, taken->mark, what);
    check_call_free(run, taken->block);
    taken->block = NULL;
}

void check_block_resize(const struct check_run *run, struct check_block *taken, uint64_t *state,
                        const char *what)
{
    const size_t size = check_random_size(state);
    const size_t kept = taken->size < size ? taken->size : size;

    check_stamped(taken->block, taken->size, taken->mark, what);
    taken->block = check_call_realloc(run, taken->block, taken->size, size);
    check_stamped_start(taken->block, taken->size, kept, taken->mark, "after a realloc");
    taken->size = size;
    check_stamp(taken->block, size, taken->mark);
}

void check_block_step(const struct check_run *run, struct check_block *blocks, size_t count,
                      uint64_t *state, const char *what)
{
    struct check_block *chosen = &blocks[check_random_below(state, count)];

    if (!chosen->block)
        check_block_take(run, chosen, state);
    else if (check_has(run, ALLOCATOR_REALLOC) && check_random_below(state, 4) == 0)
        check_block_resize(run, chosen, state, what);
    else
        check_block_drop(run, chosen, what);
}

void check_block_drop_all(const struct check_run *run, struct check_block *blocks, size_t count,
                          const char *what)
{
    for (size_t i = 0; i < count; i++)
        check_block_drop(run, &blocks[i], what);
}

void check_content(const struct check_run *run)
{
    static const char what[] = "amid random calls";
    struct check_block *blocks = check_table_memory(BLOCKS * sizeof *blocks);
    uint64_t state = run->seed;

    for (size_t step = 0; step < CONTENT_STEPS; step++)
        check_block_step(run, blocks, BLOCKS, &state, what);
    check_block_drop_all(run, blocks, BLOCKS, what);
    check_pass("%d calls on %d blocks", CONTENT_STEPS, BLOCKS);
}

/* Usable bytes are the block's own, so they count. */
static struct interval interval_of(const struct check_run *run, const struct check_block *taken)
{
    uintptr_t begin = (uintptr_t)taken->block;
    size_t bytes =
        check_has(run, ALLOCATOR_USABLE_SIZE) ? run->ops->usable_size(taken->block) : taken->size;

    return (struct interval){begin, begin + (bytes > taken->size ? bytes : taken->size)};
}

static void add_interval(struct interval_set *set, struct interval interval, size_t step)
{
    struct interval met;

    if (interval_set_add(set, interval, &met) == 0)
        return;
    ptrdiff_t distance = (ptrdiff_t)(interval.begin - met.begin);
    check_fail("call %zu gives a block of %zu usable bytes that begins at %+td bytes from the "
               "beginning of a live one of %zu",
               step, (size_t)(interval.end - interval.begin), distance,
               (size_t)(met.end - met.begin));
}

/* The set holds the blocks as they were before the call; a moved block is one gone and one come. */
static void step_in_set(const struct check_run *run, struct interval_set *set,
                        struct check_block *chosen, uint64_t *state, size_t step)
{
    static const char what[] = "amid random calls";

    if (!chosen->block) {
        check_block_take(run, chosen, state);
        add_interval(set, interval_of(run, chosen), step);
        return;
    }
    if (interval_set_remove(set, (uintptr_t)chosen->block) != 0)
        check_fail("the check itself has lost a block"); /* a bug of the set, not of the row */
    if (check_has(run, ALLOCATOR_REALLOC) && check_random_below(state, 4) == 0) {
        check_block_resize(run, chosen, state, what);
        add_interval(set, interval_of(run, chosen), step);
        return;
    }
    check_block_drop(run, chosen, what);
}

void check_no_overlap(const struct check_run *run)
{
    struct interval_set set;
    struct check_block *blocks = check_table_memory(BLOCKS * sizeof *blocks);
    uint64_t state = run->seed;

    interval_set_init(&set, check_table_memory((BLOCKS + 1) * sizeof(struct interval_node)),
                      BLOCKS + 1);
    for (size_t step = 0; step < OVERLAP_STEPS; step++)
        step_in_set(run, &set, &blocks[check_random_below(&state, BLOCKS)], &state, step);
    check_block_drop_all(run, blocks, BLOCKS, "at the end");
    check_pass("%d calls on %d blocks", OVERLAP_STEPS, BLOCKS);
}

static void purge(const struct check_run *run)
{
    check_note("purge");
    int error = run->ops->purge();

    if (error)
        check_fail("purge returns %d", error);
}

void check_purge(const struct check_run *run)
{
    static const char what[] = "with a purge every 1000 calls";
    struct check_block *blocks = check_table_memory(BLOCKS * sizeof *blocks);
    uint64_t state = run->seed;

    purge(run);
    for (size_t step = 0; step < PURGE_STEPS; step++) {
        if (step % STEPS_A_PURGE == 0)
            purge(run);
        check_block_step(run, blocks, BLOCKS, &state, what);
    }
    check_block_drop_all(run, blocks, BLOCKS, what);
    purge(run);
    check_pass("%d calls, a purge every %d", PURGE_STEPS, STEPS_A_PURGE);
}
