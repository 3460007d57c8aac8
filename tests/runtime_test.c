/*
 * What the runtime promises whatever the type: references in balance, a gauge that tells the truth,
 * a checksum of the order, and nothing lost when memory runs out. Leaves out each type's own rules
 * (int_test.c, list_test.c) and resident memory (fidelity_test.py). Sizes: sys.getsizeof.
 */
#include "tests/objects_fixture.h"

#include <errno.h>

/* --- References and counts. --- */

static void references_are_kept_and_dropped_in_balance(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *item = number(1000);
        struct list *list = empty_list();
        assert_int_equal(item->references, 1);
        append(list, item);
        append(list, item);
        assert_int_equal(item->references, 3);
        drop_list(list);
        assert_int_equal(item->references, 1);
        object_drop(&runtime, item);
        finish();
    }
}

static void a_name_drops_what_it_held_before(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *name = NULL;
    object_assign(&runtime, &name, number(1000));
    object_assign(&runtime, &name, number(1001));
    assert_int_equal(gauge.live_bytes, 32);
    assert_int_equal(gauge.frees, 1);
    object_assign(&runtime, &name, NULL);
    assert_int_equal(gauge.live_bytes, 0);
    assert_int_equal(gauge.frees, 2);
    finish();
}

static void object_bytes_are_what_getsizeof_says(void **state)
{
    static const size_t int_bytes[] = {24, 28, 28, 28}, list_bytes[] = {72, 56, 56, 56},
                        rooms[] = {8, 8, 8, 8};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        assert_int_equal(gauge.object_bytes, list_bytes[i]);
        for (int value = 1000; value < 1005; value++)
            append_number(list, value);
        assert_int_equal(gauge.object_bytes, list_bytes[i] + rooms[i] * 8 + 5 * int_bytes[i]);
        drop_list(list);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void live_bytes_are_what_the_allocator_was_asked_for(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        size_t before = gauge.live_bytes;
        struct list *list = empty_list();
        for (int value = 0; value < 1000; value++) {
            append_number(list, value);
            assert_int_equal(gauge.live_bytes, recording.live_bytes);
        }
        drop_list(list);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(gauge.live_bytes, before + kept_bytes(1));
        finish();
    }
}

static void the_checksum_tells_one_order_from_another(void **state)
{
    uint64_t sums[2];

    (void)state;
    for (int turned = 0; turned < 2; turned++) {
        start(python_3_11);
        struct object *first = number(turned ? 1001 : 1000);
        struct object *second = number(turned ? 1000 : 1001);
        object_drop(&runtime, first);
        object_drop(&runtime, second);
        sums[turned] = gauge.checksum;
        assert_int_equal(gauge.operations, 4);
        finish();
    }
    assert_int_not_equal(sums[0], sums[1]);
}

/* --- Out of memory. --- */

/*
 * Makes a cycle of two lists of `n` ints and drops it, whatever fails on the way. Returns 0 or
 * -ENOMEM.
 */
static int build_and_drop(int64_t n)
{
    struct list *lists[2] = {NULL, NULL};
    int error = 0;

    for (size_t i = 0; i < 2 && !error; i++) {
        lists[i] = list_new(&runtime, i ? (size_t)n : 0);
        error = lists[i] ? 0 : -ENOMEM;
        for (int64_t value = 0; value < n && !error; value++) {
            struct object *item = int_new(&runtime, 1000 + value);
            error = item ? list_append(&runtime, lists[i], item) : -ENOMEM;
            if (item)
                object_drop(&runtime, item);
        }
    }
    for (size_t i = 0; i < 2 && !error; i++)
        error = list_append(&runtime, lists[i], &lists[1 - i]->object);
    for (size_t i = 0; i < 2; i++)
        if (lists[i])
            drop_list(lists[i]);
    return error;
}

static int attempt(const struct profile *profile, size_t fail_at)
{
    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    recording.fail_at = fail_at;
    int error = runtime_init(&runtime, profile, &recording_ops, &recording_ops, &gauge);
    if (!error) {
        error = build_and_drop(100);
        runtime_finish(&runtime);
    }
    return error;
}

static void running_out_of_memory_anywhere_leaks_nothing(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        assert_int_equal(attempt(&profiles[i], 0), 0);
        size_t requests = recording.requests;
        assert_true(requests > 10);
        for (size_t k = 1; k <= requests; k++) {
            assert_int_equal(attempt(&profiles[i], k), -ENOMEM);
            assert_int_equal(recording.live_blocks, 0);
            assert_int_equal(gauge.live_bytes, 0);
            assert_int_equal(gauge.object_bytes, 0);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(references_are_kept_and_dropped_in_balance),
        cmocka_unit_test(a_name_drops_what_it_held_before),
        cmocka_unit_test(object_bytes_are_what_getsizeof_says),
        cmocka_unit_test(live_bytes_are_what_the_allocator_was_asked_for),
        cmocka_unit_test(the_checksum_tells_one_order_from_another),
        cmocka_unit_test(running_out_of_memory_anywhere_leaks_nothing),
    };

    return cmocka_run_group_tests_name("runtime", tests, NULL, NULL);
}
