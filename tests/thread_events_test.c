/*
 * The kernel's records against what the test itself made happen: pages touched, sleeps, mappings.
 * Leaves out preemption, which no test can order. Where the kernel grants no such records, each
 * test says so and is skipped.
 */
#define _GNU_SOURCE
#include "harness/thread_events.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* cmocka.h needs setjmp.h, stdarg.h and stddef.h before it: not to be sorted. */
/* clang-format off */
#include <cmocka.h>
/* clang-format on */

enum { SMALL_PAGE = 4096 };

static struct thread_events events;

static int open_events(void **state)
{
    int error = thread_events_open(&events);

    *state = error ? &events : NULL;
    if (error)
        fprintf(stderr, "not run: perf_event_open: %s\n", strerror(-error));
    return 0;
}

static int close_events(void **state)
{
    (void)state;
    thread_events_close(&events);
    return 0;
}

/* Where CI is set, what this machine cannot run is a failure. */
static void need(void **state)
{
    if (*state && getenv("CI"))
        fail();
    if (*state)
        skip();
}

static char *map_small_pages(size_t pages)
{
    char *mapped =
        mmap(NULL, pages * SMALL_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    assert_ptr_not_equal(mapped, MAP_FAILED);
    madvise(mapped, pages * SMALL_PAGE, MADV_NOHUGEPAGE);
    return mapped;
}

/* AddressSanitizer looks at a table of its own before a write, whose page may be a fault as well.
 */
__attribute__((no_sanitize_address)) static void touch(char *mapped, size_t pages)
{
    for (size_t i = 0; i < pages; i++)
        *(volatile char *)(mapped + i * SMALL_PAGE) = 1;
}

static struct thread_event_counts since(struct thread_events_mark mark)
{
    struct thread_event_counts counts;

    thread_events_between(&events, mark, thread_events_now(&events), &counts);
    return counts;
}

static void each_touched_page_is_a_fault(void **state)
{
    static const size_t wanted[] = {1, 10, 600, 20000}; /* the last of them go round the ring */

    need(state);
    since(thread_events_now(&events)); /* so that the code itself is there */
    touch(map_small_pages(1), 1);
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        char *mapped = map_small_pages(wanted[i]);
        struct thread_events_mark mark = thread_events_now(&events);
        touch(mapped, wanted[i]);
        assert_int_equal(since(mark).page_faults, wanted[i]);
        mark = thread_events_now(&events);
        touch(mapped, wanted[i]);
        assert_int_equal(since(mark).page_faults, 0);
        munmap(mapped, wanted[i] * SMALL_PAGE);
    }
}

static void a_sleep_is_a_switch_and_no_preemption(void **state)
{
    need(state);
    const struct thread_events_mark mark = thread_events_now(&events);
    usleep(2000);
    const struct thread_event_counts counts = since(mark);
    assert_true(counts.switches >= 1 && counts.switches > counts.preemptions);
}

static void mappings_are_counted(void **state)
{
    need(state);
    const struct thread_events_mark mark = thread_events_now(&events);
    char *first = map_small_pages(7);
    char *second = map_small_pages(9);
    struct thread_event_counts counts = since(mark);
    assert_true(counts.mappings == 2 && counts.lost == 0);
    mprotect(first, SMALL_PAGE, PROT_READ);
    char *heap = sbrk(SMALL_PAGE);
    counts = since(mark);
    assert_int_equal(counts.mappings, 4);
    assert_ptr_equal(sbrk(-SMALL_PAGE), heap + SMALL_PAGE);
    munmap(first, (size_t)7 * SMALL_PAGE);
    munmap(second, (size_t)9 * SMALL_PAGE);
    assert_int_equal(since(mark).mappings, 4);
}

static void more_than_the_ring_holds_is_said(void **state)
{
    need(state);
    const struct thread_events_mark mark = thread_events_now(&events);
    for (int i = 0; i < 400; i++)
        munmap(map_small_pages(1), SMALL_PAGE);
    assert_int_equal(since(mark).lost, 1);
    assert_int_equal(since(mark).mappings, 0);
}

/* Records lie before and behind the end of the ring, too. */
static void the_ring_goes_round(void **state)
{
    need(state);
    for (int i = 0; i < 2000; i++) {
        const struct thread_events_mark mark = thread_events_now(&events);
        char *mapped = map_small_pages(3);
        const struct thread_event_counts counts = since(mark);
        assert_int_equal(counts.mappings, 1);
        munmap(mapped, (size_t)3 * SMALL_PAGE);
    }
}

static void *touch_elsewhere(void *pages)
{
    touch(pages, 500);
    return NULL;
}

static void other_threads_are_not_counted(void **state)
{
    need(state);
    char *mapped = map_small_pages(500);
    pthread_t thread;
    const struct thread_events_mark mark = thread_events_now(&events);

    assert_int_equal(pthread_create(&thread, NULL, touch_elsewhere, mapped), 0);
    pthread_join(thread, NULL);
    assert_true(since(mark).page_faults < 100);
    munmap(mapped, (size_t)500 * SMALL_PAGE);
}

static void a_closed_one_says_nothing_and_leaves_no_descriptor(void **state)
{
    struct thread_events closed;
    struct rlimit none, usual;

    need(state);
    getrlimit(RLIMIT_NOFILE, &usual);
    none = usual;
    none.rlim_cur = (rlim_t)events.rest.fd + 1;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(thread_events_open(&closed), -EMFILE);
    none.rlim_cur++;
    setrlimit(RLIMIT_NOFILE, &none);
    assert_int_equal(thread_events_open(&closed), -EMFILE);
    const int next = dup(0);
    assert_int_equal(next, events.rest.fd + 1);
    close(next);
    setrlimit(RLIMIT_NOFILE, &usual);
    const struct thread_events_mark mark = thread_events_now(&closed);
    assert_true(mark.faults == 0 && mark.rest == 0);
    thread_events_close(&closed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_touched_page_is_a_fault),
        cmocka_unit_test(a_sleep_is_a_switch_and_no_preemption),
        cmocka_unit_test(mappings_are_counted),
        cmocka_unit_test(more_than_the_ring_holds_is_said),
        cmocka_unit_test(the_ring_goes_round),
        cmocka_unit_test(other_threads_are_not_counted),
        cmocka_unit_test(a_closed_one_says_nothing_and_leaves_no_descriptor),
    };

    return cmocka_run_group_tests(tests, open_events, close_events);
}
