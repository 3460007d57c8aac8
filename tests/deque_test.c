/*
 * What deques promise: the order of their items, blocks that come and go as CPython's do, spare
 * ones, and maxlen. Leaves out weak references to them (weakref_test.c). Expected figures are those
 * of sys.getsizeof and Modules/_collectionsmodule.c, 2.7.18, 3.8.18, 3.11 and 3.13 on x86-64.
 */
#include "tests/objects_fixture.h"

#include <errno.h>

static struct object *empty_deque(size_t maxlen)
{
    struct object *deque = deque_new(&runtime, maxlen);

    assert_non_null(deque);
    return deque;
}

static void push(struct object *deque, int64_t value, int left)
{
    struct object *item = number(value);

    if (left)
        assert_int_equal(deque_append_left(&runtime, deque, item), 0);
    else
        assert_int_equal(deque_append(&runtime, deque, item), 0);
    object_drop(&runtime, item);
}

static int64_t pull(struct object *deque, int left)
{
    struct object *item = left ? deque_pop_left(&runtime, deque) : deque_pop(&runtime, deque);

    assert_non_null(item);
    int64_t value = int_value(item);
    object_drop(&runtime, item);
    return value;
}

static size_t bytes_of(const struct object *object)
{
    return object->type->bytes(&runtime, object);
}

/* Items that are not counted: the shared ints. */
static void a_deque_takes_a_block_at_once_and_one_for_each_62_or_64(void **state)
{
    static const size_t empty[] = {624, 624, 760, 760}, block[] = {512, 528, 528, 528},
                        items[] = {62, 64, 64, 64};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *deque = empty_deque(DEQUE_UNBOUNDED);
        size_t on_the_right = items[p] / 2; /* free places of the first block, from the middle on */
        for (size_t i = 0; i < 1000; i++) {
            size_t more = i > on_the_right ? (i - on_the_right + items[p] - 1) / items[p] : 0;
            assert_int_equal(bytes_of(deque), empty[p] + more * block[p]);
            assert_int_equal(gauge.object_bytes, bytes_of(deque));
            push(deque, 0, 0);
        }
        object_drop(&runtime, deque);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void items_come_out_in_their_order_at_either_end(void **state)
{
    enum { ITEMS = 1000 };

    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (int in_left = 0; in_left < 2; in_left++)
            for (int out_left = 0; out_left < 2; out_left++) {
                start(&profiles[p]);
                struct object *deque = empty_deque(DEQUE_UNBOUNDED);
                for (int64_t i = 0; i < ITEMS; i++)
                    push(deque, i, in_left);
                assert_int_equal(deque_length(deque), ITEMS);
                for (int64_t i = 0; i < ITEMS; i++)
                    assert_int_equal(pull(deque, out_left),
                                     in_left == out_left ? ITEMS - 1 - i : i);
                assert_null(deque_pop(&runtime, deque));
                assert_null(deque_pop_left(&runtime, deque));
                object_drop(&runtime, deque);
                finish();
            }
}

/* A queue that is never longer than ten: its blocks wander, and are the same ones. */
static void a_queue_wanders_over_spare_blocks(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *deque = empty_deque(DEQUE_UNBOUNDED);
        for (int64_t i = 0; i < 10; i++)
            push(deque, 0, 0);
        for (int64_t i = 0; i < 200; i++) {
            push(deque, 0, 0);
            pull(deque, 1);
        }
        size_t made = recording.made_count;
        for (int64_t i = 0; i < 10000; i++) {
            push(deque, 0, 0);
            pull(deque, 1);
        }
        assert_int_equal(recording.made_count, made);
        object_drop(&runtime, deque);
        finish();
    }
}

static void a_bounded_deque_drops_at_the_other_end(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (int left = 0; left < 2; left++) {
            start(&profiles[p]);
            struct object *deque = empty_deque(100);
            for (int64_t i = 0; i < 1000; i++) {
                push(deque, 1000 + i, left);
                assert_int_equal(deque_length(deque), i < 100 ? i + 1 : 100);
            }
            for (int64_t i = 0; i < 100; i++)
                assert_int_equal(pull(deque, left), 1999 - i);
            object_drop(&runtime, deque);
            struct object *none = empty_deque(0);
            push(none, 1000, left);
            assert_int_equal(deque_length(none), 0);
            object_drop(&runtime, none);
            finish();
        }
}

/* Ten spare blocks serve all deques of 2.7, for good, sixteen those of 3.8; later sixteen wait in
 * each and go with it. */
static void spare_blocks_belong_to_all_to_3_8_and_to_each_on_3_11(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        int belong_to_all = &profiles[p] <= python_3_8;
        size_t most = &profiles[p] == python_2_7 ? 10 : 16;
        start(&profiles[p]);
        size_t before = recording.live_blocks;
        struct object *deque = empty_deque(DEQUE_UNBOUNDED);
        for (int64_t i = 0; i < 5000; i++)
            push(deque, 0, 0);
        for (int64_t i = 0; i < 5000; i++)
            pull(deque, 0);
        assert_int_equal(recording.live_blocks, before + 2 + most); /* the deque and its block */
        object_drop(&runtime, deque);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(recording.live_blocks, belong_to_all ? before + most : before);
        finish();
    }
}

static void clearing_drops_every_item_and_keeps_one_block(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (int fails = 0; fails < 2; fails++) {
            start(&profiles[p]);
            struct object *deque = empty_deque(DEQUE_UNBOUNDED);
            size_t empty_bytes = bytes_of(deque);
            for (int64_t i = 0; i < 500; i++)
                push(deque, 1000 + i, (int)(i % 2));
            if (fails) /* 3.x asks for a block first, and does without it */
                recording.fail_at = recording.requests + 1;
            deque_clear(&runtime, deque);
            assert_int_equal(deque_length(deque), 0);
            assert_int_equal(bytes_of(deque), empty_bytes);
            assert_int_equal(gauge.object_bytes, empty_bytes);
            push(deque, 1000, 0);
            assert_int_equal(pull(deque, 1), 1000);
            object_drop(&runtime, deque);
            finish();
        }
}

static void a_cycle_through_a_deque_is_collected(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *deque = empty_deque(DEQUE_UNBOUNDED);
        for (int i = 0; i < 200; i++) {
            push(deque, 1000 + i, 1);
            assert_int_equal(deque_append(&runtime, deque, deque), 0);
        }
        object_drop(&runtime, deque);
        assert_int_equal(objects_collect(&runtime, OLDEST), 1);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void a_hundred_thousand_deques_within_each_other_are_freed(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *outermost = empty_deque(DEQUE_UNBOUNDED);
        for (int depth = 0; depth < 100000; depth++) {
            struct object *deque = empty_deque(DEQUE_UNBOUNDED);
            assert_int_equal(deque_append(&runtime, deque, outermost), 0);
            object_drop(&runtime, outermost);
            outermost = deque;
        }
        object_drop(&runtime, outermost);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void a_deque_without_memory_is_as_it_was(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        for (size_t k = 1; k <= 2; k++) {
            recording.fail_at = recording.requests + k;
            assert_null(deque_new(&runtime, DEQUE_UNBOUNDED));
        }
        struct object *deque = empty_deque(DEQUE_UNBOUNDED), *item = number(1);
        size_t length = 0;
        recording.fail_at = recording.requests + 1;
        while (deque_append(&runtime, deque, item) == 0)
            length++;
        assert_int_equal(deque_length(deque), length);
        assert_int_equal(deque_append(&runtime, deque, item), 0);
        object_drop(&runtime, deque);
        object_drop(&runtime, item);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_deque_takes_a_block_at_once_and_one_for_each_62_or_64),
        cmocka_unit_test(items_come_out_in_their_order_at_either_end),
        cmocka_unit_test(a_queue_wanders_over_spare_blocks),
        cmocka_unit_test(a_bounded_deque_drops_at_the_other_end),
        cmocka_unit_test(spare_blocks_belong_to_all_to_3_8_and_to_each_on_3_11),
        cmocka_unit_test(clearing_drops_every_item_and_keeps_one_block),
        cmocka_unit_test(a_cycle_through_a_deque_is_collected),
        cmocka_unit_test(a_hundred_thousand_deques_within_each_other_are_freed),
        cmocka_unit_test(a_deque_without_memory_is_as_it_was),
    };

    return cmocka_run_group_tests_name("deque", tests, NULL, NULL);
}
