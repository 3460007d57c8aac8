/* A reader beside the sampler: what it sees while the ring fills, and while it is thinned. Leaves
 * out what is sampled (sample_test.c). */
#define _GNU_SOURCE
#include "harness/sampler.h"

#include "harness/clock.h"
#include "harness/page.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 64 };

static struct sampler sampler;
static struct sampler_cursor cursor;
static struct sampler_view views[MOST];

static int set_up(void **state)
{
    (void)state;
    cursor = (struct sampler_cursor){0};
    return sampler_init(&sampler);
}

static int tear_down(void **state)
{
    (void)state;
    sampler_destroy(&sampler);
    return 0;
}

static void put(size_t from, size_t until)
{
    for (size_t i = from; i < until; i++)
        sampler.ticks[i] = (struct tick){.t_ns = 10 * i, .rss_bytes = 1000 + i};
    sampler.count = until;
    atomic_store(&sampler.seen, until);
}

static void test_each_tick_is_seen_once_and_in_order(void **state)
{
    (void)state;
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 0);
    put(0, 100);
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), MOST);
    assert_int_equal(views[MOST - 1].t_ns, 10 * (MOST - 1));
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 100 - MOST);
    assert_int_equal(views[0].rss_bytes, 1000 + MOST);
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 0);
    put(100, 101);
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 1);
    assert_int_equal(views[0].t_ns, 1000);
}

static void test_nothing_is_seen_while_the_ring_is_thinned(void **state)
{
    (void)state;
    put(0, 10);
    atomic_store(&sampler.thinned, 1);
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 0);
    atomic_store(&sampler.thinned, 2);
    assert_int_equal(sampler_glance(&sampler, &cursor, views, MOST), 10);
}

/* However long its thread waits for a processor. */
static void test_the_first_tick_is_there_when_the_sampler_has_started(void **state)
{
    static struct page page;
    const struct spawned self = {
        .pid = getpid(), .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), .page = &page};

    (void)state;
    assert_true(self.statm_fd >= 0);
    assert_int_equal(sampler_start(&sampler, &self, CLOCK_SECOND_NS / 10, UINT64_MAX, NULL, -1), 0);
    assert_true(sampler_glance(&sampler, &cursor, views, MOST) >= 1);
    assert_true(views[0].rss_bytes > 0);
    sampler_stop(&sampler);
    close(self.statm_fd);
}

/* A sampler that never rests fills its ring in a second or two, and thins it. */
static void test_a_ring_that_is_thinned_meanwhile_is_read_on_in_order(void **state)
{
    static struct page page;
    const struct spawned self = {
        .pid = getpid(), .statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC), .page = &page};
    const uint64_t deadline_ns = clock_monotonic_ns() + 60ull * CLOCK_SECOND_NS;
    uint64_t last_ns = 0;
    size_t seen = 0;

    (void)state;
    assert_true(self.statm_fd >= 0);
    assert_int_equal(sampler_start(&sampler, &self, 1, UINT64_MAX, NULL, -1), 0);
    while (atomic_load(&sampler.thinned) < 4 && clock_monotonic_ns() < deadline_ns) {
        const size_t count = sampler_glance(&sampler, &cursor, views, MOST);
        for (size_t i = 0; i < count; i++) {
            /* The first one after a thinning may be that which was the last before it. */
            assert_true(views[i].t_ns >= last_ns);
            assert_true(views[i].rss_bytes > 0);
            last_ns = views[i].t_ns;
        }
        seen += count;
    }
    sampler_stop(&sampler);
    close(self.statm_fd);
    assert_true(atomic_load(&sampler.thinned) >= 4);
    assert_true(seen > SAMPLER_MOST_TICKS / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_tick_is_seen_once_and_in_order, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_nothing_is_seen_while_the_ring_is_thinned, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_the_first_tick_is_there_when_the_sampler_has_started,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_ring_that_is_thinned_meanwhile_is_read_on_in_order,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
