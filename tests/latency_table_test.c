/*
 * What is kept of timed operations: size classes, the slowest in their order, tables that go from
 * thread to thread, sums over threads. Leaves out clocks: durations here are made up.
 */
#include "harness/latency_table.h"

#include "workloads/random.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { THREADS = 8, SHORT_THREADS = 1000, ADDED = 5000 };

static const unsigned spot_index = LATENCY_FREE;

static void add(struct latency_table *table, unsigned spot, uint64_t ticks, unsigned size_class)
{
    const struct latency_call call = {.ticks = ticks, .size_class = size_class};

    const struct latency_mark mark = latency_table_mark(table);

    latency_table_add(table, spot, &call, &mark);
}

static int reset(void **state)
{
    (void)state;
    latency_tables_reset();
    return 0;
}

static void classes_are_powers_of_two_upwards(void **state)
{
    uint64_t least, most, expected = 0;

    (void)state;
    assert_int_equal(latency_class_bounds(0, &least, &most), 0);
    for (unsigned class = 1; class < LATENCY_CLASSES; class ++) {
        assert_int_equal(latency_class_bounds(class, &least, &most), 1);
        assert_int_equal(least, expected);
        assert_int_equal(latency_class_of(least), class);
        assert_int_equal(latency_class_of(most), class);
        expected = most + 1;
    }
    assert_true(most == UINT64_MAX);
    assert_int_equal(least, (1 << 20) + 1);
    assert_int_equal(latency_class_of(0), 1);
    assert_int_equal(latency_class_of(16), 2);
    assert_int_equal(latency_class_of(17), 3);
}

/* What a spot has kept, into `calls`; returns how many. */
static unsigned sorted(struct latency_slow *calls)
{
    struct latency_spot spot;

    latency_tables_spot(spot_index, &spot);
    return latency_spot_sort(&spot, calls);
}

/* The system calls of a call are those that its thread's counts grew by, also past 2^32. */
static void system_calls_are_those_of_the_call(void **state)
{
    struct latency_table *table = latency_table_take();
    const struct latency_call call = {.ticks = 9, .size_class = 1};
    struct ledger_thread counts = {.all = UINT32_MAX - 1, .by_call[LEDGER_MUNMAP] = UINT32_MAX - 1};
    struct latency_slow calls[LATENCY_MOST_SLOWEST];
    struct latency_spot spot;

    (void)state;
    table->system_calls = &counts;
    add(table, spot_index, 5, 1); /* without any */
    for (unsigned i = 0; i < 2; i++) {
        const struct latency_mark mark = latency_table_mark(table);
        counts.all += 3;
        counts.by_call[LEDGER_MUNMAP] += 2;
        counts.by_call[LEDGER_BRK] += 1;
        latency_table_add(table, spot_index, &call, &mark);
    }
    latency_tables_spot(spot_index, &spot);
    assert_int_equal(spot.trapped_count, 2);
    assert_int_equal(spot.system_calls[LEDGER_MUNMAP], 4);
    assert_int_equal(spot.system_calls[LEDGER_BRK], 2);
    assert_int_equal(spot.system_calls[LEDGER_MMAP], 0);
    assert_int_equal(latency_spot_sort(&spot, calls), 3);
    assert_int_equal(calls[0].system_calls.all, 3);
    assert_int_equal(calls[0].system_calls.by_call[LEDGER_MUNMAP], 2);
    assert_int_equal(calls[2].system_calls.all, 0);
    latency_table_give_back(table);
}

static void the_slowest_are_kept_with_the_slowest_first(void **state)
{
    struct latency_table *table = latency_table_take();
    struct latency_slow calls[LATENCY_MOST_SLOWEST];

    (void)state;
    assert_non_null(table);
    thread_events_close(&table->events); /* so that none is taken for preempted */
    for (uint64_t i = 0; i < 1000; i++)
        add(table, spot_index, 1 + i * 617 % 1000, 3); /* 1 to 1000, in some order */
    assert_int_equal(sorted(calls), LATENCY_SLOWEST);
    for (unsigned i = 0; i < LATENCY_SLOWEST; i++)
        assert_int_equal(calls[i].call.ticks, 1000 - i);
    latency_table_give_back(table);
}

/* What lost the processor against its will has places of its own. */
static void preempted_calls_do_not_crowd_out_the_others(void **state)
{
    static struct latency_spot spot;
    struct latency_slow calls[LATENCY_MOST_SLOWEST];

    (void)state;
    for (unsigned i = 0; i < LATENCY_SLOWEST; i++) {
        spot.preempted.calls[spot.preempted.count++] = (struct latency_slow){
            .call = {.ticks = 1000 + 2 * i}, .events = {.preemptions = 1, .switches = 1}};
        spot.undisturbed.calls[spot.undisturbed.count++] =
            (struct latency_slow){.call = {.ticks = 1001 - 2 * i}};
    }
    assert_int_equal(latency_spot_sort(&spot, calls), LATENCY_MOST_SLOWEST);
    for (unsigned i = 1; i < LATENCY_MOST_SLOWEST; i++)
        assert_true(calls[i - 1].call.ticks >= calls[i].call.ticks);
    assert_int_equal(calls[0].call.ticks, 1000 + 2 * (LATENCY_SLOWEST - 1));
    assert_int_equal(calls[LATENCY_MOST_SLOWEST - 1].call.ticks, 1001 - 2 * (LATENCY_SLOWEST - 1));
}

static void fewer_than_are_kept_are_all_there(void **state)
{
    struct latency_table *table = latency_table_take();
    struct latency_slow calls[LATENCY_MOST_SLOWEST];

    (void)state;
    add(table, spot_index, 0, 1);
    add(table, spot_index, 7, 1);
    add(table, spot_index, 9, 1);
    assert_int_equal(sorted(calls), 2);
    assert_true(calls[0].call.ticks == 9 && calls[1].call.ticks == 7);
    latency_table_give_back(table);
}

static void *add_and_end(void *argument)
{
    struct latency_table *table = latency_table_take();
    uint64_t seed = *(const uint64_t *)argument;

    for (int i = 0; table && i < ADDED; i++)
        add(table, spot_index, random_next(&seed) % 100000, (unsigned)i % LATENCY_CLASSES);
    if (table)
        latency_table_give_back(table);
    return table;
}

/* The same values in one histogram, and their 16 largest. */
static void expect_sums(const uint64_t *seeds, size_t threads)
{
    static struct latency_histogram expected, found, all;
    struct latency_slow calls[LATENCY_MOST_SLOWEST];
    struct latency_spot spot;

    memset(&expected, 0, sizeof expected);
    memset(&all, 0, sizeof all);
    for (size_t thread = 0; thread < threads; thread++) {
        uint64_t seed = seeds[thread];
        for (int i = 0; i < ADDED; i++)
            latency_histogram_add(&expected, random_next(&seed) % 100000);
    }
    for (unsigned class = 0; class < LATENCY_CLASSES; class ++) {
        latency_tables_histogram(spot_index, class, &found);
        latency_histogram_merge(&all, &found);
    }
    assert_memory_equal(&all, &expected, sizeof all);
    latency_tables_spot(spot_index, &spot);
    assert_true(latency_spot_sort(&spot, calls) >= LATENCY_SLOWEST);
    assert_int_equal(calls[0].call.ticks, expected.most);
    assert_int_equal(spot.classes, (UINT32_C(1) << LATENCY_CLASSES) - 1);
}

static void threads_at_once_add_up(void **state)
{
    uint64_t seeds[THREADS];
    pthread_t threads[THREADS];

    (void)state;
    for (size_t i = 0; i < THREADS; i++) {
        seeds[i] = i;
        assert_int_equal(pthread_create(&threads[i], NULL, add_and_end, &seeds[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    expect_sums(seeds, THREADS);
}

/* More of them than there are tables: each finds one, with what is in it, and has a new number. */
static void short_threads_take_turns(void **state)
{
    const uint64_t seed = 1;
    struct latency_table *before = latency_table_take();
    const unsigned first = before->thread;

    (void)state;
    latency_table_give_back(before);
    for (int i = 0; i < SHORT_THREADS; i++) {
        pthread_t thread;
        void *table;
        assert_int_equal(pthread_create(&thread, NULL, add_and_end, (void *)(uintptr_t)&seed), 0);
        pthread_join(thread, &table);
        assert_ptr_equal(table, before);
    }
    struct latency_table *after = latency_table_take();
    assert_int_equal(after->thread, first + SHORT_THREADS + 1);
    latency_table_give_back(after);
}

static void there_is_an_end_to_tables(void **state)
{
    static struct latency_table *taken[LATENCY_THREADS];

    (void)state;
    for (size_t i = 0; i < LATENCY_THREADS; i++) {
        taken[i] = latency_table_take();
        assert_non_null(taken[i]);
    }
    assert_null(latency_table_take());
    for (size_t i = 0; i < LATENCY_THREADS; i++)
        latency_table_give_back(taken[i]);
    assert_non_null(latency_table_take());
}

static void a_reset_leaves_nothing(void **state)
{
    static struct latency_histogram found;
    struct latency_table *table = latency_table_take();
    struct latency_spot spot;

    (void)state;
    add(table, spot_index, 5, 2);
    latency_tables_reset();
    latency_tables_spot(spot_index, &spot);
    latency_tables_histogram(spot_index, 2, &found);
    assert_true(spot.classes == 0 && spot.undisturbed.count == 0 && found.count == 0);
    add(table, spot_index, 3, 2);
    latency_tables_histogram(spot_index, 2, &found);
    assert_true(found.count == 1 && found.most == 3);
    latency_table_give_back(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(classes_are_powers_of_two_upwards, reset),
        cmocka_unit_test_setup(the_slowest_are_kept_with_the_slowest_first, reset),
        cmocka_unit_test_setup(system_calls_are_those_of_the_call, reset),
        cmocka_unit_test_setup(preempted_calls_do_not_crowd_out_the_others, reset),
        cmocka_unit_test_setup(fewer_than_are_kept_are_all_there, reset),
        cmocka_unit_test_setup(threads_at_once_add_up, reset),
        cmocka_unit_test_setup(short_threads_take_turns, reset),
        cmocka_unit_test_setup(a_reset_leaves_nothing, reset),
        cmocka_unit_test_setup(there_is_an_end_to_tables, reset),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
