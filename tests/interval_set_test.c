/*
 * Ranges that do not overlap: against a table of bytes, each of which says whose it is. Leaves out
 * how deep the tree gets.
 */
#include "harness/interval_set.h"

#include "workloads/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

enum { NODES = 40, ADDRESSES = 600, STEPS = 100000, LONGEST = 30 };

static struct interval_node nodes[NODES];
static struct interval_set set;

static int begin_empty(void **state)
{
    (void)state;
    memset(nodes, 0, sizeof nodes);
    interval_set_init(&set, nodes, NODES);
    return 0;
}

static void test_neighbours_may_touch(void **state)
{
    (void)state;
    assert_int_equal(interval_set_add(&set, (struct interval){100, 200}, NULL), 0);
    assert_int_equal(interval_set_add(&set, (struct interval){200, 201}, NULL), 0);
    assert_int_equal(interval_set_add(&set, (struct interval){99, 100}, NULL), 0);
}

static void test_every_way_to_overlap_is_met(void **state)
{
    static const struct interval others[] = {
        {100, 200}, {99, 101}, {199, 300}, {150, 151}, {50, 300}, {100, 101}, {199, 200},
    };

    (void)state;
    assert_int_equal(interval_set_add(&set, (struct interval){100, 200}, NULL), 0);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        struct interval met = {0, 0};
        assert_int_equal(interval_set_add(&set, others[i], &met), -EEXIST);
        assert_int_equal(met.begin, 100);
        assert_int_equal(met.end, 200);
    }
}

static void test_what_is_not_there_is_not_removed(void **state)
{
    (void)state;
    assert_int_equal(interval_set_add(&set, (struct interval){100, 200}, NULL), 0);
    assert_int_equal(interval_set_remove(&set, 101), -ENOENT);
    assert_int_equal(interval_set_remove(&set, 100), 0);
    assert_int_equal(interval_set_remove(&set, 100), -ENOENT);
}

static void test_a_full_set_takes_no_more_until_one_goes(void **state)
{
    (void)state;
    for (uintptr_t i = 1; i < NODES; i++)
        assert_int_equal(interval_set_add(&set, (struct interval){i * 10, i * 10 + 5}, NULL), 0);
    assert_int_equal(interval_set_add(&set, (struct interval){5, 6}, NULL), -ENOSPC);
    assert_int_equal(interval_set_remove(&set, 100), 0);
    assert_int_equal(interval_set_add(&set, (struct interval){5, 6}, NULL), 0);
}

/* The end of the interval that begins at each address, or 0; and whose each address is. */
static uintptr_t ends[ADDRESSES];
static unsigned char taken[ADDRESSES + LONGEST];

static int is_free(struct interval interval)
{
    for (uintptr_t i = interval.begin; i < interval.end; i++) {
        if (taken[i])
            return 0;
    }
    return 1;
}

static void test_it_agrees_with_a_table_of_bytes(void **state)
{
    uint64_t random = 1;
    size_t count = 0;

    (void)state;
    for (int step = 0; step < STEPS; step++) {
        const uintptr_t begin = random_next(&random) % ADDRESSES;
        const struct interval new = {begin, begin + 1 + random_next(&random) % LONGEST};
        if (ends[begin] && step % 2) {
            assert_int_equal(interval_set_remove(&set, begin), 0);
            memset(taken + begin, 0, ends[begin] - begin);
            ends[begin] = 0;
            count--;
            continue;
        }
        int due = !is_free(new) ? -EEXIST : count == NODES - 1 ? -ENOSPC : 0;
        assert_int_equal(interval_set_add(&set, new, NULL), due);
        if (due == 0) {
            memset(taken + begin, 1, new.end - begin);
            ends[begin] = new.end;
            count++;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_neighbours_may_touch, begin_empty),
        cmocka_unit_test_setup(test_every_way_to_overlap_is_met, begin_empty),
        cmocka_unit_test_setup(test_what_is_not_there_is_not_removed, begin_empty),
        cmocka_unit_test_setup(test_a_full_set_takes_no_more_until_one_goes, begin_empty),
        cmocka_unit_test_setup(test_it_agrees_with_a_table_of_bytes, begin_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
