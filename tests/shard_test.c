/* Shards: together they are the plan, no two have a cell, what is compared stays together, and the
 * same plan is shared out the same way each time. Leaves out merging (merge_test.py). */
#include "harness/shard.h"

#include "harness/plan_read.h"
#include "harness/tally.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { MOST_CELLS = 512 };

static struct plan plan;

static void add(const char *workload, enum return_mode mode, uint64_t idle_ns, unsigned rounds)
{
    static const char *const rows[] = {"pymalloc", "glibc", "bump"};
    char error[PLAN_ERROR_BYTES];
    struct plan_request request = {.workload = workload,
                                   .rows = rows,
                                   .row_count = sizeof rows / sizeof rows[0],
                                   .host = "objects",
                                   .idle_ns = idle_ns,
                                   .way = {.mode = mode},
                                   .rounds = rounds};

    if (plan_add(&plan, &request, error) != 0)
        fail_msg("%s", error);
}

/* Eight units of six cells, of which two are n/a, and one with a long rest beside. */
static int set_up(void **state)
{
    (void)state;
    plan = (struct plan){
        .seed = 7, .tick_ns = 1000000, .timeout_ns = 120000000000, .memory_limit_bytes = 1u << 30};
    add("list_lifetime:n=10k..80k*2", RETURN_STOCK, 500000000, 6);
    add("list_lifetime:n=10k..80k*2", RETURN_EAGER, 500000000, 6);
    add("del_collect:n=10k..80k*2", RETURN_STOCK, 500000000, 6);
    add("del_collect:n=10k..80k*2", RETURN_EAGER, 500000000, 6);
    add("list_lifetime:n=20k", RETURN_IDLE, 30000000000, 2);
    assert_int_equal(plan_add_controls(&plan), 0);
    assert_true(plan_controls(&plan) > 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    plan_free(&plan);
    return 0;
}

static void share_out(unsigned count)
{
    plan.shard = (struct shard){.index = 1, .count = count};
    assert_int_equal(shard_share_out(&plan), 0);
}

static void test_a_part_is_read_and_anything_else_refused(void **state)
{
    static const char *const wrong[] = {"",
                                        "/",
                                        "1",
                                        "1/",
                                        "/2",
                                        "0/2",
                                        "3/2",
                                        "1/0",
                                        "1/2/3",
                                        "1/2 ",
                                        " 1/2",
                                        "+1/2",
                                        "-1/2",
                                        "1/-2",
                                        "1/4097",
                                        "a/b",
                                        "1.0/2",
                                        "1\\2",
                                        "1/18446744073709551617"};
    struct shard shard = {0};

    (void)state;
    assert_int_equal(shard_parse("2/5", &shard), 0);
    assert_int_equal(shard.index, 2);
    assert_int_equal(shard.count, 5);
    assert_int_equal(shard_parse("4096/4096", &shard), 0);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        if (shard_parse(wrong[i], &shard) != -EINVAL)
            fail_msg("'%s' was taken", wrong[i]);
    }
    assert_int_equal(shard.count, 4096);
}

/* Each sample of the plan is left in the tally of exactly one shard. */
static void test_shards_together_are_the_plan_and_no_two_have_a_sample(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 12; count++) {
        unsigned taken[MOST_CELLS] = {0};
        size_t samples = 0;
        share_out(count);
        for (unsigned index = 1; index <= count; index++) {
            struct tally tally;
            plan.shard.index = index;
            assert_int_equal(tally_init(&tally, &plan), 0);
            assert_int_equal(tally_left(&tally), shard_samples(&plan, index));
            samples += tally_left(&tally);
            for (size_t i = 0; i < plan.cell_count; i++)
                taken[i] += tally_is_left(&tally, i, 0, 0) != 0;
            tally_free(&tally);
        }
        assert_int_equal(samples, plan_samples(&plan));
        for (size_t i = 0; i < plan.cell_count; i++)
            assert_int_equal(taken[i], 1);
    }
}

static void test_what_is_compared_stays_together(void **state)
{
    (void)state;
    for (unsigned count = 1; count <= 12; count++) {
        share_out(count);
        for (size_t i = 0; i < plan.cell_count; i++) {
            for (size_t j = 0; j < i; j++) {
                const struct cell *a = &plan.cells[i], *b = &plan.cells[j];
                if (a->workload == b->workload &&
                    memcmp(a->values, b->values, sizeof a->values) == 0)
                    assert_int_equal(a->shard, b->shard);
            }
        }
    }
}

static void test_the_same_plan_is_shared_out_the_same_way(void **state)
{
    unsigned before[MOST_CELLS] = {0};

    (void)state;
    share_out(3);
    for (size_t i = 0; i < plan.cell_count; i++)
        before[i] = plan.cells[i].shard;
    /* Which part is asked for, and the limit of this machine, change nothing. */
    plan.memory_limit_bytes *= 2;
    plan.shard.index = 3;
    assert_int_equal(shard_share_out(&plan), 0);
    for (size_t i = 0; i < plan.cell_count; i++)
        assert_int_equal(plan.cells[i].shard, before[i]);
}

/* The unit with rests of 30 s takes 160 s; the others take 36 s, and 45 s where they have a
 * control: two of them go with it, to 232 s, and the five that are left take 198 s. */
static void test_shards_take_as_long_as_each_other_as_far_as_units_let_them(void **state)
{
    size_t with_rest = 0;

    (void)state;
    share_out(2);
    for (size_t i = 0; i < plan.cell_count; i++) {
        if (plan.cells[i].way.mode == RETURN_IDLE)
            with_rest = plan.cells[i].shard;
    }
    assert_int_equal(shard_units(&plan, (unsigned)with_rest), 3);
    assert_int_equal(shard_units(&plan, (unsigned)(3 - with_rest)), 5);
}

static void test_more_shards_than_units_leave_empty_ones(void **state)
{
    size_t empty = 0;

    (void)state;
    share_out(11);
    assert_int_equal(shard_units(&plan, 0), 8);
    for (unsigned index = 1; index <= 11; index++) {
        assert_true(shard_units(&plan, index) <= 1);
        empty += shard_samples(&plan, index) == 0;
    }
    assert_int_equal(empty, 3);
}

static void test_a_plan_of_a_shard_is_read_back_and_says_all_of_it(void **state)
{
    char error[PLAN_ERROR_BYTES];
    struct plan again = {0};

    (void)state;
    share_out(3);
    plan.shard.index = 2;
    plan.shard.limit_is_default = 1;
    json_t *json = plan_to_json(&plan);
    assert_int_equal(json_array_size(json_object_get(json, "cells")), plan.cell_count);
    if (plan_from_json(&again, json, error) != 0)
        fail_msg("%s", error);
    assert_int_equal(again.shard.index, 2);
    assert_int_equal(again.shard.count, 3);
    assert_true(again.shard.limit_is_default);
    json_t *copy = plan_to_json(&again);
    assert_true(json_equal(json, copy));
    json_decref(copy);
    plan_free(&again);

    /* Another shard for one cell is another plan. */
    json_t *cell = json_array_get(json_object_get(json, "cells"), 4);
    json_int_t other = json_integer_value(json_object_get(cell, "shard")) % 3 + 1;
    json_object_set_new(cell, "shard", json_integer(other));
    assert_int_equal(plan_from_json(&again, json, error), -EINVAL);
    assert_non_null(strstr(error, "cells[4].shard is"));
    json_decref(json);
}

static void test_a_sample_of_another_shard_is_refused(void **state)
{
    char error[TALLY_ERROR_BYTES];
    struct tally tally;
    size_t other = 0;

    (void)state;
    share_out(2);
    while (shard_has(&plan, other))
        other++;
    assert_int_equal(tally_init(&tally, &plan), 0);
    json_t *samples = json_pack("[{s:i, s:i, s:i, s:s, s:[]}]", "sample", 0, "cell", (int)other,
                                "round", 0, "status", "ok", "phases");
    assert_int_equal(tally_add_stored(&tally, samples, error), -EINVAL);
    assert_non_null(strstr(error, "samples.jsonl:1: a cell that another shard has"));
    json_decref(samples);
    tally_free(&tally);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_part_is_read_and_anything_else_refused),
        cmocka_unit_test_setup_teardown(test_shards_together_are_the_plan_and_no_two_have_a_sample,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_compared_stays_together, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_plan_is_shared_out_the_same_way, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            test_shards_take_as_long_as_each_other_as_far_as_units_let_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_more_shards_than_units_leave_empty_ones, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_a_plan_of_a_shard_is_read_back_and_says_all_of_it,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_sample_of_another_shard_is_refused, set_up,
                                        tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
