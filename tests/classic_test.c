/*
 * What the classic workloads do, seen by the allocator beneath them: which threads make and free,
 * in which sizes, and what is left between phases. Leaves out what every workload promises
 * (workloads_test.c). Each figure follows from the description in docs/workloads.md.
 */
#include "tests/locked_allocator.h"
#include "workloads/workload.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

/* --- A harness that keeps the gauge of each phase's end. --- */

enum { PHASES = 16 };

static struct workload_gauge gauge;
static struct {
    char name[24];
    uint64_t live_bytes, object_bytes;
} ends[PHASES];
static size_t ended;
static int is_open;

static void end_phase(struct workload_context *context)
{
    (void)context;
    if (!is_open)
        return;
    ends[ended].live_bytes = gauge.live_bytes;
    ends[ended++].object_bytes = gauge.object_bytes;
    is_open = 0;
}

static void begin_phase(struct workload_context *context, const char *name)
{
    end_phase(context);
    assert_true(ended < PHASES);
    snprintf(ends[ended].name, sizeof ends[ended].name, "%s", name);
    is_open = 1;
}

static int sleeps;

static void count_sleep(struct workload_context *context, uint64_t duration_ns)
{
    (void)duration_ns;
    (void)context;
    assert_false(is_open && strcmp(ends[ended].name, "idle") != 0); /* no phase counts a rest */
    sleeps++;
}

/* `settings`: name, value and so on, NULL at the end; the rest is as in the suite `quick`. */
static int run(const struct allocator_ops *ops, const char *name, const char *const *settings)
{
    const struct workload *workload = workload_find(name);
    struct workload_context context = {
        .object = ops,
        .raw = ops,
        .gauge = &gauge,
        .workload = workload,
        .seed = 1,
        .idle_ns = 1,
        .begin_phase = begin_phase,
        .end_phase = end_phase,
        .sleep = count_sleep,
    };

    assert_non_null(workload);
    for (size_t i = 0; workload->parameters[i].name; i++) {
        const char *text = workload->parameters[i].quick;
        for (const char *const *at = settings; *at; at += 2)
            if (strcmp(workload->parameters[i].name, at[0]) == 0)
                text = at[1];
        assert_int_equal(parameter_parse(&workload->parameters[i], text, &context.values[i]), 0);
    }
    memset(&gauge, 0, sizeof gauge);
    memset(ends, 0, sizeof ends);
    ended = 0;
    is_open = 0;
    sleeps = 0;
    recording_reset();
    return workload->run(&context);
}

static uint64_t live_after(const char *phase)
{
    for (size_t i = 0; i < ended; i++)
        if (strcmp(ends[i].name, phase) == 0)
            return ends[i].live_bytes;
    fail_msg("there is no phase %s", phase);
    return 0;
}

/* --- An allocator that knows which thread made a block, and its sizes. --- */

static struct {
    size_t own_frees, remote_frees, most_live_bytes, largest;
} seen;

struct tag {
    pthread_t maker;
    size_t bytes;
};

static void *tagging_malloc(size_t bytes)
{
    struct tag *tag = locked_malloc(sizeof *tag + bytes);

    if (!tag)
        return NULL;
    *tag = (struct tag){.maker = pthread_self(), .bytes = bytes};
    pthread_mutex_lock(&recording_lock);
    if (bytes > seen.largest)
        seen.largest = bytes;
    if (recording.live_bytes - recording.live_blocks * sizeof *tag > seen.most_live_bytes)
        seen.most_live_bytes = recording.live_bytes - recording.live_blocks * sizeof *tag;
    pthread_mutex_unlock(&recording_lock);
    return tag + 1;
}

static void tagging_free(void *block)
{
    struct tag *tag = (struct tag *)block - 1;

    pthread_mutex_lock(&recording_lock);
    if (pthread_equal(tag->maker, pthread_self()))
        seen.own_frees++;
    else
        seen.remote_frees++;
    pthread_mutex_unlock(&recording_lock);
    locked_free(tag);
}

static const struct allocator_ops tagging_ops = {.malloc = tagging_malloc, .free = tagging_free};

static void run_tagged(const char *name, const char *const *settings)
{
    memset(&seen, 0, sizeof seen);
    assert_int_equal(run(&tagging_ops, name, settings), 0);
}

static void every_free_of_xmalloc_is_another_threads(void **state)
{
    static const char *const settings[] = {"n", "10k", "threads", "2", NULL};

    (void)state;
    run_tagged("xmalloc", settings);
    assert_int_equal(seen.own_frees, 0);
    assert_int_equal(seen.remote_frees, 20000);
}

static void threadtest_frees_what_it_made(void **state)
{
    static const char *const settings[] = {"n", "1k", "rounds", "10", "threads", "3", NULL};

    (void)state;
    run_tagged("threadtest", settings);
    assert_int_equal(seen.own_frees, 10000);
    assert_int_equal(seen.remote_frees, 0);
}

static void cache_scratch_hands_one_block_to_each_thread(void **state)
{
    static const char *const settings[] = {"n", "100", "writes", "10", "threads", "3", NULL};

    (void)state;
    run_tagged("cache_scratch", settings);
    assert_int_equal(seen.remote_frees, 3);
    assert_int_equal(seen.own_frees, 300);
    run_tagged("cache_thrash", settings);
    assert_int_equal(seen.remote_frees, 0);
}

/* Five lives of 100 * 50 each. */
static void larson_frees_what_its_predecessors_made(void **state)
{
    static const char *const settings[] = {"n", "25k", "slots", "50", "threads", "2", NULL};

    (void)state;
    run_tagged("larson", settings);
    assert_true(seen.largest <= 999);
    assert_true(seen.remote_frees >= 450 && seen.remote_frees <= 600);
    assert_int_equal(live_after("free"), 0);
    /* 100 blocks of 8 to 999 bytes: 50,350 on average, give or take 2,900. */
    assert_true(live_after("work") > 35000 && live_after("work") < 66000);
}

/* --- Worst cases. --- */

static void ffworst_never_holds_more_than_it_says(void **state)
{
    static const char *const settings[] = {"live", "1M", NULL};

    (void)state;
    run_tagged("ffworst", settings);
    assert_true(seen.most_live_bytes <= 1000000);
    assert_int_equal(seen.largest, 65536);
    /* Half of it goes at each step, and comes again but for a rest below one block: as many blocks
     * as at first, and half as many again. */
    assert_in_range(recording.requests, 91000, 93750);
    assert_true(live_after("work") > 700000);
}

static void hoardworst_keeps_five_blocks_in_a_group(void **state)
{
    static const char *const settings[] = {"each", "524288", NULL};
    uint64_t expected = 0;

    (void)state;
    run_tagged("hoardworst", settings);
    for (uint64_t bytes = 16; bytes <= 32768; bytes *= 2)
        expected += bytes * 2 * 5;
    assert_int_equal(live_after("work"), expected);
}

static void a_ring_keeps_a_fifth(void **state)
{
    static const char *const settings[] = {"n", "1001", "slots", "1000", "threads", "1", NULL};

    (void)state;
    run_tagged("sh6", settings);
    /* The ring was full once: the first 200 stayed, 50 of each size, and one of 12 bytes came. */
    assert_int_equal(recording.requests, 1001);
    assert_int_equal(seen.own_frees, 1001);
    assert_int_equal(gauge.frees, 1001);
    assert_int_equal(live_after("work"), 50 * (1000 + 666 + 333 + 222) + 12);
}

/* --- What lives on. --- */

static void a_leak_keeps_an_object_or_its_whole_region(void **state)
{
    static const char *const blocks[] = {"n", "2k", "leak", "1", "how", "blocks", NULL};
    static const char *const region[] = {"n", "2k", "leak", "1", "how", "region", NULL};

    (void)state;
    assert_int_equal(run(&locked_ops, "request_server", blocks), 0);
    uint64_t objects = ends[0].object_bytes;
    assert_int_equal(ends[0].live_bytes, objects);
    assert_int_equal(run(&locked_ops, "request_server", region), 0);
    assert_int_equal(ends[0].object_bytes, objects);
    /* 20 to 100 objects are a request: 60 on average. */
    assert_true(ends[0].live_bytes > 50 * objects && ends[0].live_bytes < 70 * objects);
    assert_int_equal(live_after("free"), 0);
}

static void a_compiler_frees_the_stage_before(void **state)
{
    static const char *const settings[] = {"n", "10k", NULL};

    (void)state;
    assert_int_equal(run(&locked_ops, "compiler_phases", settings), 0);
    /* Means of the triangles: 24 + 96 / 3, 48 + 352 / 3, 64 + 4032 / 3. */
    assert_in_range(live_after("parse"), 540000, 580000);
    assert_in_range(live_after("analyse"), 790000, 865000);
    assert_in_range(live_after("emit"), 3350000, 3700000);
}

static void a_day_has_three_waves_and_rests_twice(void **state)
{
    static const char *const settings[] = {"n", "300", "requests", "1k", "threads", "2", NULL};

    (void)state;
    assert_int_equal(run(&locked_ops, "server_day", settings), 0);
    assert_int_equal(sleeps, 3); /* and once in idle */
    assert_true(live_after("fall_1") < live_after("rise_1") / 10);
    assert_true(live_after("rest_1") < live_after("serve_1") / 10);
    assert_true(live_after("fall_2") > 0);
    assert_true(live_after("rise_3") > live_after("fall_2") * 10);
    assert_int_equal(live_after("free"), 0);
}

static void drift_keeps_its_live_bytes(void **state)
{
    static const char *const settings[] = {"live", "1M", "turns", "1", NULL};

    (void)state;
    run_tagged("fragment_drift", settings);
    assert_true(seen.most_live_bytes <= 1000000);
    assert_in_range(seen.largest, 7000, 8191);
    for (size_t i = 0; i < 12; i++)
        assert_in_range(ends[i].live_bytes, 980000, 1000000);
}

static void an_undo_stack_has_a_limit(void **state)
{
    static const char *const settings[] = {"n", "20k", "limit", "100", NULL};

    (void)state;
    run_tagged("undo_stack", settings);
    assert_true(recording.requests > 13000 && recording.requests < 15000);
    assert_int_equal(gauge.frees, recording.requests);
    /* No more than a hundred are left for the end: all but those were freed on the way. */
    assert_true(live_after("work") > 0 && live_after("work") < (uint64_t)100 * 65536);
}

/* --- What is found. --- */

static void *off_by_sixteen(size_t alignment, size_t bytes)
{
    char *block = locked_aligned_alloc(2 * alignment, bytes + 16);

    return block ? block + 16 : NULL;
}

static void off_free(void *block)
{
    locked_free(block ? (char *)block - 16 : NULL);
}

static void a_block_that_is_not_aligned_fails(void **state)
{
    static const char *const settings[] = {"n", "1k", "threads", "1", NULL};
    struct allocator_ops ops = locked_ops;

    (void)state;
    ops.aligned_alloc = off_by_sixteen;
    ops.free = off_free;
    assert_int_equal(run(&locked_ops, "aligned_mix", settings), 0);
    assert_int_equal(run(&ops, "aligned_mix", settings), -EBADMSG);
    assert_int_equal(recording.live_blocks, 0);
}

static void *dirty_calloc(size_t count, size_t bytes)
{
    char *block = locked_calloc(count, bytes);

    if (block && recording.requests == 20)
        block[count * bytes - 1] = 1;
    return block;
}

static void a_block_that_is_not_zeroed_fails(void **state)
{
    static const char *const settings[] = {"n", "30", "rounds", "1", "threads", "1", NULL};
    struct allocator_ops ops = locked_ops;

    (void)state;
    ops.calloc = dirty_calloc;
    assert_int_equal(run(&ops, "calloc_zero", settings), -EBADMSG);
    assert_int_equal(recording.live_blocks, 0);
    assert_int_equal(run(&ops, "mleak", settings), -EBADMSG);
    assert_int_equal(recording.live_blocks, 0);
}

static void *spoiled_block;

/* Spoils what the block before holds in its last byte, as one who writes past an end would. */
static void *spoiling_malloc(size_t bytes)
{
    static char *before;
    static size_t before_bytes;

    if (before && recording.requests == 30) {
        before[before_bytes - 1] ^= 1;
        spoiled_block = before;
    }
    before = locked_malloc(bytes);
    before_bytes = bytes;
    return before;
}

static void a_block_that_has_changed_fails(void **state)
{
    static const char *const settings[] = {"n", "100", "rounds", "1", "threads", "1", NULL};
    struct allocator_ops ops = locked_ops;

    (void)state;
    ops.malloc = spoiling_malloc;
    assert_int_equal(run(&ops, "mstress", settings), -EBADMSG);
    assert_int_equal(recording.live_blocks, 1); /* it is left alone */
    locked_ops.free(spoiled_block);
}

/* Blocks one after another and never again: what is spoiled may be freed by then. */
static struct {
    _Alignas(16) unsigned char room[1 << 24];
    size_t used, requests, spoiled_at; /* 0: never */
    unsigned char *before;
    size_t before_bytes;
} spoiler;

static void *spoiler_malloc(size_t bytes)
{
    enum { DIGITS_AT_LEAST = 12 }; /* so that it is a digit which changes, no count of them */
    size_t at = spoiler.used;

    spoiler.used += (bytes + 15) / 16 * 16;
    assert_true(spoiler.used <= sizeof spoiler.room);
    if (++spoiler.requests >= spoiler.spoiled_at && spoiler.spoiled_at &&
        spoiler.before_bytes >= DIGITS_AT_LEAST) {
        spoiler.before[spoiler.before_bytes - 1] ^= 1;
        spoiler.spoiled_at = 0;
    }
    spoiler.before = &spoiler.room[at];
    spoiler.before_bytes = bytes;
    return spoiler.before;
}

static void spoiler_free(void *block)
{
    (void)block;
}

static int run_spoiled(size_t spoiled_at)
{
    static const char *const settings[] = {"n", "1", "digits", "12", NULL};
    static const struct allocator_ops ops = {.malloc = spoiler_malloc, .free = spoiler_free};

    spoiler.used = spoiler.requests = spoiler.before_bytes = 0;
    spoiler.spoiled_at = spoiled_at;
    return run(&ops, "cfrac", settings);
}

/* Not each one is used again; of those that are, the values of the fraction are held together at
 * every step. */
static void a_number_that_has_changed_is_found_out(void **state)
{
    size_t found = 0;

    (void)state;
    assert_int_equal(run_spoiled(0), 0);
    const size_t amid = spoiler.requests / 2;
    for (size_t at = amid; at < amid + 200; at++) {
        int error = run_spoiled(at);
        assert_true(error == 0 || error == -EBADMSG);
        found += error == -EBADMSG;
    }
    assert_true(found >= 20); /* 29; without that look at each step 12 */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_free_of_xmalloc_is_another_threads),
        cmocka_unit_test(threadtest_frees_what_it_made),
        cmocka_unit_test(cache_scratch_hands_one_block_to_each_thread),
        cmocka_unit_test(larson_frees_what_its_predecessors_made),
        cmocka_unit_test(ffworst_never_holds_more_than_it_says),
        cmocka_unit_test(hoardworst_keeps_five_blocks_in_a_group),
        cmocka_unit_test(a_ring_keeps_a_fifth),
        cmocka_unit_test(a_leak_keeps_an_object_or_its_whole_region),
        cmocka_unit_test(a_compiler_frees_the_stage_before),
        cmocka_unit_test(a_day_has_three_waves_and_rests_twice),
        cmocka_unit_test(drift_keeps_its_live_bytes),
        cmocka_unit_test(an_undo_stack_has_a_limit),
        cmocka_unit_test(a_block_that_is_not_aligned_fails),
        cmocka_unit_test(a_block_that_is_not_zeroed_fails),
        cmocka_unit_test(a_block_that_has_changed_fails),
        cmocka_unit_test(a_number_that_has_changed_is_found_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
