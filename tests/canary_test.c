/* The canary reads, and leaves the process as it was. Leaves out how long its work takes, which is
 * what it measures. */
#define _GNU_SOURCE
#include "harness/canary.h"

#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static struct canary canary;

#ifdef TIDEMARK_SANITIZED

static void test_a_build_with_a_sanitizer_has_none(void **state)
{
    struct canary_reading reading = {1, 2, 3};

    (void)state;
    assert_int_equal(canary_init(&canary), -ENOTSUP);
    assert_int_equal(canary_sing(&canary, -1, &reading), -ENOTSUP);
    assert_true(reading.loop_ns == 1);
    canary_destroy(&canary);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_build_with_a_sanitizer_has_none)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

static int set_up(void **state)
{
    (void)state;
    return canary_init(&canary);
}

static int tear_down(void **state)
{
    (void)state;
    canary_destroy(&canary);
    return 0;
}

static void test_each_piece_has_a_plausible_time(void **state)
{
    struct canary_reading reading;

    (void)state;
    assert_int_equal(canary_sing(&canary, -1, &reading), 0);
    /* From a tenth of a nanosecond for some instructions to a day of noise. */
    assert_true(reading.loop_ns > 0.1 && reading.loop_ns < 1e4);
    assert_true(reading.latency_ns > 0.5 && reading.latency_ns < 1e6);
    assert_true(reading.fault_ns > 20 && reading.fault_ns < 1e7);
}

static void test_pieces_are_reached_by_number_and_name(void **state)
{
    const struct canary_reading reading = {1, 2, 3};
    static const char *const names[] = {"loop_ns", "latency_ns", "fault_ns"};

    (void)state;
    for (size_t piece = 0; piece < CANARY_PIECES; piece++) {
        assert_true(canary_piece(&reading, piece) == (double)(piece + 1));
        assert_string_equal(canary_piece_name(piece), names[piece]);
    }
}

static void test_each_song_goes_on_through_memory(void **state)
{
    struct canary_reading reading;
    uint32_t before = canary.at;

    (void)state;
    assert_int_equal(canary_sing(&canary, -1, &reading), 0);
    assert_int_not_equal(canary.at,
                         before); /* the loads were not left out, nor are they the same */
}

static void test_affinity_is_as_before(void **state)
{
    cpu_set_t before, after;
    struct canary_reading reading;
    int last = -1;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof before, &before), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        last = CPU_ISSET((size_t)cpu, &before) ? cpu : last;
    assert_int_equal(canary_sing(&canary, last, &reading), 0);
    assert_int_equal(sched_getcpu(), last); /* it was there, and had no time to move */
    assert_int_equal(sched_getaffinity(0, sizeof after, &after), 0);
    assert_true(CPU_EQUAL(&before, &after));
}

static void test_a_child_inherits_none_of_its_memory(void **state)
{
    int status;
    unsigned char resident;

    (void)state;
    assert_int_equal(mincore(canary.lines, 1, &resident), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(mincore(canary.lines, 1, &resident) == -1 && errno == ENOMEM ? 0 : 1);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#define canary_test(name) cmocka_unit_test(name)

int main(void)
{
    const struct CMUnitTest tests[] = {
        canary_test(test_each_piece_has_a_plausible_time),
        canary_test(test_pieces_are_reached_by_number_and_name),
        canary_test(test_each_song_goes_on_through_memory),
        canary_test(test_affinity_is_as_before),
        canary_test(test_a_child_inherits_none_of_its_memory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}

#endif
