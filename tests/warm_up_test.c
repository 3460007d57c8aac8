/* Memory is touched, measured and given back, and never more of it than may be. Leaves out whether
 * a host beneath has backed it: that is a machine's. */
#include "harness/procfs.h"
#include "harness/warm_up.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)

static volatile sig_atomic_t interrupted;

static void test_the_size_is_the_least_of_asked_available_and_limit(void **state)
{
    (void)state;
    assert_int_equal(warm_up_bytes(GIB, 100 * GIB, 50 * GIB), GIB);
    assert_int_equal(warm_up_bytes(GIB, 2 * GIB, 50 * GIB), GIB / 2);
    assert_int_equal(warm_up_bytes(GIB, 100 * GIB, 32 * MIB), 32 * MIB);
    assert_int_equal(warm_up_bytes(0, 100 * GIB, 50 * GIB), 0);
}

static void test_the_size_is_whole_pages(void **state)
{
    const uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);

    (void)state;
    assert_int_equal(warm_up_bytes(3 * page_bytes + 1, GIB, GIB), 3 * page_bytes);
    assert_int_equal(warm_up_bytes(page_bytes - 1, GIB, GIB), 0);
}

static void test_both_passes_are_timed(void **state)
{
    struct warm_up warm;

    (void)state;
    assert_int_equal(warm_up_memory(4 * MIB, &interrupted, &warm), 0);
    assert_int_equal(warm.bytes, 4 * MIB);
    /* A fault takes more than a cached store, and less than a second. */
    assert_true(warm.first_ns_per_page > 20 && warm.first_ns_per_page < 1e9);
    assert_true(warm.again_ns_per_page > 20 && warm.again_ns_per_page < 1e9);
}

static void test_every_page_was_resident_and_none_stays(void **state)
{
    struct memory_status before, after;
    struct warm_up warm;

    (void)state;
    assert_int_equal(procfs_reset_peak(getpid()), 0);
    assert_int_equal(procfs_read_status(getpid(), &before), 0);
    assert_int_equal(warm_up_memory(64 * MIB, &interrupted, &warm), 0);
    assert_int_equal(procfs_read_status(getpid(), &after), 0);
    uint64_t rose_bytes = after.peak_bytes - before.peak_bytes;
    assert_true(rose_bytes > 63 * MIB);
#ifndef TIDEMARK_SANITIZED /* a sanitizer keeps shadow memory beside each page, also afterwards */
    assert_true(rose_bytes < 70 * MIB); /* one mapping at a time */
    assert_int_equal(procfs_reset_peak(getpid()), 0);
    assert_int_equal(procfs_read_status(getpid(), &after), 0);
    assert_true(after.peak_bytes < before.peak_bytes + 2 * MIB);
#endif
}

static void test_an_interruption_ends_it(void **state)
{
    struct warm_up warm = {.bytes = 7};

    (void)state;
    interrupted = 1;
    assert_int_equal(warm_up_memory(64 * MIB, &interrupted, &warm), -EINTR);
    interrupted = 0;
    assert_int_equal(warm.bytes, 7);
}

static void test_more_than_there_is_address_space_for_is_no_memory(void **state)
{
    struct warm_up warm = {.bytes = 7};

    (void)state;
    assert_int_equal(warm_up_memory((uint64_t)1 << 60, &interrupted, &warm), -ENOMEM);
    assert_int_equal(warm.bytes, 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_size_is_the_least_of_asked_available_and_limit),
        cmocka_unit_test(test_the_size_is_whole_pages),
        cmocka_unit_test(test_both_passes_are_timed),
        cmocka_unit_test(test_every_page_was_resident_and_none_stays),
        cmocka_unit_test(test_an_interruption_ends_it),
        cmocka_unit_test(test_more_than_there_is_address_space_for_is_no_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
