/*
 * A team of threads (workloads/team.h) and its blocks (block.h): who runs what in which order, what
 * the gauge tells meanwhile, and what is found when an allocator does wrong. Leaves out the
 * workloads that are built of them (workloads_test.c).
 */
#include "workloads/block.h"
#include "workloads/draw.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { THREADS = 4 };

/* --- A harness of its own: which phases there were, and the gauge at the end of each. --- */

static struct workload_gauge gauge;
static char phases[128];
static struct {
    uint64_t live_bytes, operations;
} at_end[8];
static size_t ended;

static void begin_phase(struct workload_context *context, const char *name)
{
    if (phases[0])
        context->end_phase(context);
    strncat(phases, name, sizeof phases - strlen(phases) - 2);
    strncat(phases, " ", 2);
}

static void end_phase(struct workload_context *context)
{
    (void)context;
    at_end[ended].live_bytes = gauge.live_bytes;
    at_end[ended++].operations = gauge.operations;
}

static const struct allocator_ops libc_ops = {.malloc = malloc, .free = free};

static int play(const struct allocator_ops *ops, unsigned threads, void *program,
                const struct stage *stages)
{
    struct workload_context context = {
        .object = ops,
        .raw = ops,
        .gauge = &gauge,
        .seed = 1,
        .begin_phase = begin_phase,
        .end_phase = end_phase,
    };

    memset(&gauge, 0, sizeof gauge);
    memset(at_end, 0, sizeof at_end);
    memset(phases, 0, sizeof phases);
    ended = 0;
    return team_play(&context, threads, program, stages);
}

/* --- Who runs. --- */

struct roll {
    pthread_t main;
    _Atomic unsigned runs[THREADS];
    pthread_t threads[THREADS];
    pthread_t fresh[THREADS];
    _Atomic int wrong;
};

static int call_roll(struct worker *worker)
{
    struct roll *roll = worker->program;
    unsigned run = atomic_fetch_add(&roll->runs[worker->index], 1);
    pthread_t self = pthread_self();

    if (run == 0)
        roll->threads[worker->index] = self;
    else if (!pthread_equal(roll->threads[worker->index], self))
        roll->wrong = 1;
    if (pthread_equal(self, roll->main))
        roll->wrong = 1;
    return 0;
}

static int is_main(struct worker *worker)
{
    struct roll *roll = worker->program;

    return pthread_equal(pthread_self(), roll->main) ? 0 : -EINVAL;
}

static void each_thread_runs_each_stage_once(void **state)
{
    static const struct stage stages[] = {
        {"one", is_main, ON_MAIN},
        {"two", call_roll, ON_TEAM},
        {NULL, call_roll, ON_TEAM},
        {"three", is_main, ON_MAIN},
        {0},
    };
    struct roll roll = {.main = pthread_self()};

    (void)state;
    assert_int_equal(play(&libc_ops, THREADS, &roll, stages), 0);
    assert_string_equal(phases, "one two three ");
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(roll.runs[i], 2);
    assert_false(roll.wrong);
}

static void without_threads_the_main_one_does_all(void **state)
{
    static const struct stage stages[] = {{"one", is_main, ON_MAIN}, {0}};
    struct roll roll = {.main = pthread_self()};

    (void)state;
    assert_int_equal(play(&libc_ops, 0, &roll, stages), 0);
}

static int note_fresh(struct worker *worker)
{
    struct roll *roll = worker->program;

    roll->fresh[worker->index] = pthread_self();
    roll->runs[worker->index]++;
    worker->operations += worker->index;
    return 0;
}

static int run_fresh(struct worker *worker)
{
    int error = team_run_fresh(worker->team, note_fresh);

    return error ? error : team_run_fresh(worker->team, note_fresh);
}

static void fresh_threads_are_none_of_the_team(void **state)
{
    static const struct stage stages[] = {
        {"team", call_roll, ON_TEAM},
        {"fresh", run_fresh, ON_MAIN},
        {0},
    };
    struct roll roll = {.main = pthread_self()};

    (void)state;
    assert_int_equal(play(&libc_ops, THREADS, &roll, stages), 0);
    for (unsigned i = 0; i < THREADS; i++) {
        assert_int_equal(roll.runs[i], 3);
        for (unsigned k = 0; k < THREADS; k++)
            assert_false(pthread_equal(roll.fresh[i], roll.threads[k]));
    }
    assert_int_equal(gauge.operations, 2 * (0 + 1 + 2 + 3));
}

/* --- Errors. --- */

static int fail_third(struct worker *worker)
{
    return worker->index == 2 ? -ENOMEM : 0;
}

static int count_run(struct worker *worker)
{
    atomic_fetch_add((_Atomic unsigned *)worker->program, 1);
    return 0;
}

static void after_an_error_only_the_last_stage_runs(void **state)
{
    static const struct stage stages[] = {
        {"one", fail_third, ON_TEAM},
        {"two", count_run, ON_TEAM},
        {"last", count_run, ON_MAIN},
        {0},
    };
    _Atomic unsigned runs = 0;

    (void)state;
    assert_int_equal(play(&libc_ops, THREADS, &runs, stages), -ENOMEM);
    assert_int_equal(runs, 1);
    assert_string_equal(phases, "one last ");
}

/* --- The gauge. --- */

enum { BLOCKS = 1000, BLOCK_BYTES = 300 };

struct shelf {
    struct slot slots[THREADS][BLOCKS];
    _Atomic int wrong;
};

/* All threads together hold no more than the gauge says, and each no less than its own. */
static int make_blocks(struct worker *worker)
{
    struct shelf *shelf = worker->program;

    for (size_t i = 0; i < BLOCKS; i++) {
        if (slot_fill(worker, &shelf->slots[worker->index][i], BLOCK_BYTES) != 0)
            return -ENOMEM;
        if (gauge.live_bytes < (i + 1) * BLOCK_BYTES)
            shelf->wrong = 1;
        if (gauge.live_bytes > (uint64_t)THREADS * (BLOCKS * BLOCK_BYTES + 2 * WORKER_STEP_BYTES))
            shelf->wrong = 1;
    }
    return 0;
}

/* Those of the neighbour: each worker's own bytes fall below zero, the gauge never does. */
static int drop_blocks(struct worker *worker)
{
    struct shelf *shelf = worker->program;
    struct slot *slots = shelf->slots[(worker->index + 1) % THREADS];

    for (size_t i = 0; i < BLOCKS; i++) {
        slot_empty(worker, &slots[i]);
        if (gauge.live_bytes > (uint64_t)THREADS * (BLOCKS * BLOCK_BYTES + 2 * WORKER_STEP_BYTES))
            shelf->wrong = 1;
    }
    return 0;
}

static void the_gauge_is_exact_at_each_end_and_never_too_low(void **state)
{
    static const struct stage stages[] = {
        {"make", make_blocks, ON_TEAM},
        {"drop", drop_blocks, ON_TEAM},
        {0},
    };
    static struct shelf shelf;

    (void)state;
    assert_int_equal(play(&libc_ops, THREADS, &shelf, stages), 0);
    assert_false(shelf.wrong);
    assert_int_equal(at_end[0].live_bytes, (uint64_t)THREADS * BLOCKS * BLOCK_BYTES);
    assert_int_equal(at_end[0].operations, THREADS * BLOCKS);
    assert_int_equal(at_end[1].live_bytes, 0);
    assert_int_equal(gauge.object_bytes, 0);
    assert_int_equal(gauge.frees, THREADS * BLOCKS);
}

static int hold_about_level(struct worker *worker)
{
    _Atomic unsigned *announced = worker->program;
    struct slot slots[100] = {0};
    int64_t before = 0;

    for (int i = 0; i < 10000; i++) {
        struct slot *slot = &slots[draw_below(&worker->random, 100)];
        slot_empty(worker, slot);
        if (slot_fill(worker, slot, draw_between(&worker->random, 8, 1000)) != 0)
            return -ENOMEM;
        if (worker->announced_bytes != before)
            (*announced)++;
        before = worker->announced_bytes;
    }
    slots_empty(worker, slots, 100);
    return 0;
}

static void a_level_worker_leaves_the_gauge_alone(void **state)
{
    static const struct stage stages[] = {{"work", hold_about_level, ON_TEAM}, {0}};
    _Atomic unsigned announced = 0;

    (void)state;
    assert_int_equal(play(&libc_ops, 1, &announced, stages), 0);
    assert_int_equal(announced, 1);
}

static int mix_own(struct worker *worker)
{
    /* Those with a low number come last. */
    for (volatile unsigned i = 0; i < (THREADS - worker->index) * 100000; i++)
        continue;
    worker_mix(worker, random_next(&worker->random));
    return 0;
}

static void the_checksum_does_not_depend_on_who_is_faster(void **state)
{
    static const struct stage stages[] = {{"work", mix_own, ON_TEAM}, {0}};
    uint64_t sums[20];

    (void)state;
    for (size_t i = 0; i < 20; i++) {
        assert_int_equal(play(&libc_ops, THREADS, NULL, stages), 0);
        sums[i] = gauge.checksum;
        assert_int_equal(sums[i], sums[0]);
    }
    assert_int_not_equal(sums[0], 0);
    assert_int_equal(play(&libc_ops, THREADS - 1, NULL, stages), 0);
    assert_int_not_equal(gauge.checksum, sums[0]);
}

/* --- Blocks. --- */

static void a_cookie_tells_any_changed_byte_of_its_words(void **state)
{
    static _Alignas(8) unsigned char block[61];

    (void)state;
    for (size_t bytes = 0; bytes <= sizeof block; bytes++) {
        cookie_fill(block, bytes, 12345);
        assert_int_equal(cookie_check(block, bytes, 12345), 0);
        for (size_t i = 0; i < bytes / 8 * 8; i++) {
            block[i] ^= 0x10;
            assert_int_equal(cookie_check(block, bytes, 12345), -EBADMSG);
            block[i] ^= 0x10;
        }
        if (bytes >= 8)
            assert_int_equal(cookie_check(block, bytes, 12344), -EBADMSG);
    }
}

static void a_touch_writes_each_page_and_stays_within(void **state)
{
    static unsigned char pages[4 * 4096];

    (void)state;
    memset(pages, 0xee, sizeof pages);
    block_touch(pages, 0);
    assert_int_equal(pages[0], 0xee);
    block_touch(pages, 8199);
    assert_int_not_equal(pages[0], 0xee);
    assert_int_not_equal(pages[4096], 0xee);
    assert_int_not_equal(pages[8192], 0xee);
    assert_int_not_equal(pages[8198], 0xee);
    for (size_t i = 8199; i < sizeof pages; i++)
        assert_int_equal(pages[i], 0xee);
}

static void shares_cover_all_once(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= TEAM_MOST; threads++) {
        struct team team = {.threads = threads};
        size_t at = 0;
        for (unsigned i = 0; i < threads; i++) {
            struct worker worker = {.team = &team, .index = i};
            size_t begin, end;
            worker_share(&worker, 1001, &begin, &end);
            assert_int_equal(begin, at);
            assert_true(end - begin >= 1001 / threads && end - begin <= 1001 / threads + 1);
            at = end;
        }
        assert_int_equal(at, 1001);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_thread_runs_each_stage_once),
        cmocka_unit_test(without_threads_the_main_one_does_all),
        cmocka_unit_test(fresh_threads_are_none_of_the_team),
        cmocka_unit_test(after_an_error_only_the_last_stage_runs),
        cmocka_unit_test(the_gauge_is_exact_at_each_end_and_never_too_low),
        cmocka_unit_test(a_level_worker_leaves_the_gauge_alone),
        cmocka_unit_test(the_checksum_does_not_depend_on_who_is_faster),
        cmocka_unit_test(a_cookie_tells_any_changed_byte_of_its_words),
        cmocka_unit_test(a_touch_writes_each_page_and_stays_within),
        cmocka_unit_test(shares_cover_all_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
