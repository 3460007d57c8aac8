/*
 * The table of what blocks are: each has its own byte, what has none is nothing, little of it is
 * resident. Leaves out what the bytes mean, which is the latency pass's.
 */
#define _GNU_SOURCE
#include "harness/block_sizes.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { GRAIN = 1 << BLOCK_SIZES_GRAIN_BITS, BLOCKS = 100000, KINDS = 251, THREADS = 4 };

static struct block_sizes sizes;

/* A sanitizer's own reservations, or overcommit_memory 2, may leave no room for the table. */
static int has_table(void)
{
    if (sizes.bytes)
        return 1;
    skip();
    return 0;
}

static int open_table(void **state)
{
    (void)state;
    (void)block_sizes_open(&sizes);
    return 0;
}

static int close_table(void **state)
{
    (void)state;
    block_sizes_close(&sizes);
    assert_null(sizes.bytes);
    return 0;
}

static const void *address(uint64_t number)
{
    return (const void *)(uintptr_t)number;
}

static void neighbours_keep_apart(void **state)
{
    const uint64_t begin = UINT64_C(0x7f1234560000);

    (void)state;
    if (!has_table())
        return;
    for (uint64_t i = 0; i < BLOCKS; i++)
        block_sizes_set(&sizes, address(begin + i * GRAIN), (uint8_t)(i % KINDS));
    for (uint64_t i = 0; i < BLOCKS; i++)
        assert_int_equal(block_sizes_get(&sizes, address(begin + i * GRAIN)), i % KINDS);
    assert_int_equal(block_sizes_get(&sizes, address(begin - GRAIN)), 0);
    assert_int_equal(block_sizes_get(&sizes, address(begin + (uint64_t)BLOCKS * GRAIN)), 0);
}

static void the_later_of_two_at_one_place_wins(void **state)
{
    const uint64_t at = UINT64_C(0x7f2200000040);

    (void)state;
    if (!has_table())
        return;
    block_sizes_set(&sizes, address(at), 3);
    block_sizes_set(&sizes, address(at + GRAIN / 2), 9);
    assert_int_equal(block_sizes_get(&sizes, address(at)), 9);
    block_sizes_set(&sizes, address(at), 4);
    assert_int_equal(block_sizes_get(&sizes, address(at)), 4);
}

/* The first block that there can be, and the last. */
static void all_of_user_space_has_a_byte(void **state)
{
    const uint64_t top = (UINT64_C(1) << BLOCK_SIZES_ADDRESS_BITS) - 1;

    (void)state;
    if (!has_table())
        return;
    block_sizes_set(&sizes, address(1), 5);
    block_sizes_set(&sizes, address(top), 6);
    assert_int_equal(block_sizes_get(&sizes, address(1)), 5);
    assert_int_equal(block_sizes_get(&sizes, address(top)), 6);
}

static void what_has_no_byte_is_nothing(void **state)
{
    static const struct block_sizes none;
    const uint64_t beyond = UINT64_C(1) << BLOCK_SIZES_ADDRESS_BITS;

    (void)state;
    block_sizes_set(&sizes, NULL, 7);
    block_sizes_set(&sizes, address(beyond), 7);
    block_sizes_set(&sizes, address(UINT64_MAX), 7);
    block_sizes_set(&none, address(64), 7);
    assert_int_equal(block_sizes_get(&sizes, NULL), 0);
    assert_int_equal(block_sizes_get(&sizes, address(beyond)), 0);
    assert_int_equal(block_sizes_get(&sizes, address(UINT64_MAX)), 0);
    assert_int_equal(block_sizes_get(&none, address(64)), 0);
}

/* Of the pages of the table from that of one block to that of another, how many are resident. */
static size_t resident_pages(uint64_t first, uint64_t last)
{
    static unsigned char in_memory[4096];
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = (uintptr_t)block_sizes_of(&sizes, address(first)) / page * page;
    const uintptr_t to = (uintptr_t)block_sizes_of(&sizes, address(last)) / page * page;
    size_t count = 0;

    assert_true((to - from) / page < sizeof in_memory);
    assert_int_equal(mincore((void *)from, to - from + page, in_memory), 0);
    for (size_t i = 0; i <= (to - from) / page; i++)
        count += in_memory[i] & 1;
    return count;
}

static void a_block_takes_one_page_of_the_table(void **state)
{
    const uint64_t middle = UINT64_C(0x555500000000), around = UINT64_C(64) << 20;

    (void)state;
    if (!has_table())
        return;
    assert_int_equal(resident_pages(middle - around / 2, middle + around / 2), 0);
    block_sizes_set(&sizes, address(middle), 1);
    assert_int_equal(resident_pages(middle - around / 2, middle + around / 2), 1);
}

static void *fill(void *argument)
{
    const uint64_t begin = UINT64_C(0x600000000000) + (uintptr_t)argument * GRAIN;

    for (uint64_t i = 0; i < BLOCKS; i++)
        block_sizes_set(&sizes, address(begin + i * THREADS * GRAIN),
                        (uint8_t)(1 + (uintptr_t)argument));
    return NULL;
}

/* Blocks of several threads that lie side by side. */
static void threads_do_not_write_over_each_other(void **state)
{
    pthread_t threads[THREADS];

    (void)state;
    if (!has_table())
        return;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, fill, (void *)i), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < (uint64_t)BLOCKS * THREADS; i++)
        assert_int_equal(block_sizes_get(&sizes, address(UINT64_C(0x600000000000) + i * GRAIN)),
                         1 + i % THREADS);
}

/* Without the address space there is no table, and that is told. */
static void a_refused_reservation_is_told(void **state)
{
    struct block_sizes other = {.bytes = (_Atomic uint8_t *)&other};
    struct rlimit before, low;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    low = (struct rlimit){.rlim_cur = (rlim_t)1 << 40, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &low), 0);
    const int failed = block_sizes_open(&other);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    assert_int_equal(failed, -ENOMEM);
    assert_null(other.bytes);
    block_sizes_close(&other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(neighbours_keep_apart, open_table, close_table),
        cmocka_unit_test_setup_teardown(the_later_of_two_at_one_place_wins, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(all_of_user_space_has_a_byte, open_table, close_table),
        cmocka_unit_test_setup_teardown(what_has_no_byte_is_nothing, open_table, close_table),
        cmocka_unit_test_setup_teardown(a_block_takes_one_page_of_the_table, open_table,
                                        close_table),
        cmocka_unit_test_setup_teardown(threads_do_not_write_over_each_other, open_table,
                                        close_table),
        cmocka_unit_test(a_refused_reservation_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
