/*
 * The clock of the latency pass: what is trusted, how it is calibrated, that it goes on at the rate
 * that it tells. Leaves out how exact a single reading is, which the machine decides.
 */
#define _GNU_SOURCE
#include "harness/cycle_clock.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum {
    OWN_READINGS = 100000,
    PAUSES = 20,
    PAUSE_NS = 5000000,
    READINGS = 100000,
    MOST_LAG_TICKS = 1000
};

static struct cycle_clock the_clock;

static int open_clock(void **state)
{
    (void)state;
    memset(&the_clock, 0xff, sizeof the_clock); /* nothing of before is to stay */
    cycle_clock_open(&the_clock);
    return 0;
}

static void a_counter_is_trusted_only_where_the_kernel_kept_it(void **state)
{
    static const char *const given_up[] = {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};
    static const char *const kept[] = {
        "tsc", "kvm-clock", "xen", "hyperv_clocksource_tsc_page", "arch_sys_counter", ""};

    (void)state;
    for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++)
        assert_int_equal(cycle_clock_is_trusted(1, given_up[i]), 0);
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        assert_int_equal(cycle_clock_is_trusted(1, kept[i]), 1);
        assert_int_equal(cycle_clock_is_trusted(0, kept[i]), 0); /* of several rates */
    }
}

static void its_name_says_what_is_read(void **state)
{
    (void)state;
    assert_non_null(memchr(the_clock.source, '\0', sizeof the_clock.source));
    assert_null(strchr(the_clock.source, '\n'));
    if (the_clock.uses_counter)
        assert_true(strcmp(the_clock.name, "tsc") == 0 || strcmp(the_clock.name, "cntvct") == 0);
    else
        assert_string_equal(the_clock.name, "clock_gettime");
}

static void its_own_cost_is_of_as_many_readings_as_are_told(void **state)
{
    const struct latency_histogram *own = &the_clock.own_ticks;
    uint64_t count = 0;

    (void)state;
    for (size_t i = 0; i < LATENCY_BUCKETS; i++)
        count += own->buckets[i];
    assert_int_equal(own->count, OWN_READINGS);
    assert_int_equal(count, OWN_READINGS);
    assert_true(own->least <= latency_histogram_quantile(own, 500000));
    assert_true(latency_histogram_quantile(own, 500000) <= own->most);
}

/* Another processor's counter may lag behind by a few ticks, where the thread moves. */
static int is_before(uint64_t earlier, uint64_t later)
{
    return earlier <= later || earlier - later < MOST_LAG_TICKS;
}

static void readings_go_on(void **state)
{
    const uint64_t first = cycle_clock_begin(&the_clock);
    uint64_t last = first;

    (void)state;
    for (int i = 0; i < READINGS; i++) {
        const uint64_t begin = cycle_clock_begin(&the_clock);
        const uint64_t end = cycle_clock_end(&the_clock);
        assert_true(is_before(last, begin) && is_before(begin, end));
        last = end;
    }
    assert_true(last > first);
}

static void what_lags_behind_took_no_time(void **state)
{
    (void)state;
    assert_true(cycle_clock_between(7, 12) == 5);
    assert_true(cycle_clock_between(7, 7) == 0);
    assert_true(cycle_clock_between(12, 7) == 0);
    assert_true(cycle_clock_between(0, UINT64_MAX) == UINT64_MAX);
}

/* How long a pause was by the kernel's clock, which is read inside of the two readings, and at most
 * by the second pair, which is read outside. */
static void sleep_between(double tick_ns, double *counted_ns, double *least_ns, double *most_ns)
{
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    const uint64_t outer_ns = clock_ns(CLOCK_MONOTONIC_RAW);
    const uint64_t begin = cycle_clock_begin(&the_clock);
    const uint64_t inner_ns = clock_ns(CLOCK_MONOTONIC_RAW);

    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &pause, NULL) == EINTR)
        continue;
    *least_ns = (double)(clock_ns(CLOCK_MONOTONIC_RAW) - inner_ns);
    *counted_ns = (double)cycle_clock_between(begin, cycle_clock_end(&the_clock)) * tick_ns;
    *most_ns = (double)(clock_ns(CLOCK_MONOTONIC_RAW) - outer_ns);
}

static void pauses_are_as_long_as_the_kernel_says(void **state)
{
    const double tick_ns = (double)the_clock.calibration_ns / (double)the_clock.calibration_ticks;
    const double off = (double)the_clock.calibration_error_ns / (double)the_clock.calibration_ns;

    (void)state;
    assert_true(the_clock.calibration_ticks > 0 && the_clock.calibration_ns >= 20000000);
    assert_true(off > 0 && off < 0.01);
    for (int i = 0; i < PAUSES; i++) {
        double counted_ns, least_ns, most_ns;
        sleep_between(tick_ns, &counted_ns, &least_ns, &most_ns);
        assert_true(counted_ns >= least_ns * (1 - off) - 1);
        assert_true(counted_ns <= most_ns * (1 + off) + 1);
    }
}

/* Where there is no counter to be trusted, nanoseconds of the kernel's clock are the ticks. */
static void without_a_counter_it_is_the_kernels_clock(void **state)
{
    const struct cycle_clock without = {.uses_counter = 0};

    (void)state;
    for (int i = 0; i < READINGS; i++) {
        const uint64_t before_ns = clock_ns(CLOCK_MONOTONIC_RAW);
        const uint64_t begin_ns = cycle_clock_begin(&without);
        const uint64_t end_ns = cycle_clock_end(&without);
        assert_true(before_ns <= begin_ns && begin_ns <= end_ns);
        assert_true(end_ns <= clock_ns(CLOCK_MONOTONIC_RAW));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_counter_is_trusted_only_where_the_kernel_kept_it),
        cmocka_unit_test(its_name_says_what_is_read),
        cmocka_unit_test(its_own_cost_is_of_as_many_readings_as_are_told),
        cmocka_unit_test(readings_go_on),
        cmocka_unit_test(what_lags_behind_took_no_time),
        cmocka_unit_test(pauses_are_as_long_as_the_kernel_says),
        cmocka_unit_test(without_a_counter_it_is_the_kernels_clock),
    };

    return cmocka_run_group_tests(tests, open_clock, NULL);
}
