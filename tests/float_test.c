/*
 * What floats promise: 24 bytes, a free list of 100 on 3.x and blocks on 2.7, and who empties them.
 * Leaves out 2.7's order of slots and blocks, which is that of ints (int_test.c). Expected figures
 * are of CPython's Objects/floatobject.c and sys.getsizeof, 2.7.18, 3.11 and 3.13.
 */
#include "tests/objects_fixture.h"

static struct object *real(double value)
{
    struct object *object = float_new(&runtime, value);

    assert_non_null(object);
    assert_true(float_value(object) == value);
    return object;
}

static void a_float_takes_24_bytes(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *object = real(1.5);
        assert_int_equal(gauge.object_bytes, 24);
        assert_int_equal(object->type->bytes(&runtime, object), 24);
        assert_int_equal(recording.made[recording.made_count - 1].bytes,
                         &profiles[i] == python_2_7 ? 992 : 24);
        object_drop(&runtime, object);
        finish();
    }
}

static void no_float_is_shared(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *one = real(0.0), *other = real(0.0);
    assert_ptr_not_equal(one, other);
    assert_true(object_equal(one, other));
    object_drop(&runtime, one);
    object_drop(&runtime, other);
    finish();
}

/* 150 floats dropped: 100 wait, the last of those that found room is the first one reused. */
static void floats_of_3_x_keep_a_hundred_until_a_full_collection(void **state)
{
    enum { FLOATS = 150, KEPT = 100 };
    struct object *floats[FLOATS];

    (void)state;
    for (size_t p = 1; profile_names[p]; p++) {
        start(&profiles[p]);
        for (size_t i = 0; i < FLOATS; i++)
            floats[i] = real((double)i);
        for (size_t i = 0; i < FLOATS; i++)
            object_drop(&runtime, floats[i]);
        assert_int_equal(gauge.object_bytes, 0);
        assert_int_equal(gauge.live_bytes, KEPT * 24);
        struct object *again = real(0.5);
        assert_ptr_equal(again, floats[KEPT - 1]);
        object_drop(&runtime, again);
        objects_collect(&runtime, 1);
        assert_int_equal(gauge.live_bytes, KEPT * 24);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(gauge.live_bytes, 0);
        finish();
    }
}

static void floats_of_2_7_stay_in_their_blocks_until_a_full_collection(void **state)
{
    enum { FLOATS = NUMBERS_PER_BLOCK * 3 };
    struct object *floats[FLOATS];

    (void)state;
    start(python_2_7);
    size_t before = gauge.live_bytes;
    for (size_t i = 0; i < FLOATS; i++)
        floats[i] = real((double)i);
    assert_int_equal(gauge.live_bytes, before + (size_t)3 * 992);
    for (size_t i = 1; i < FLOATS; i++)
        object_drop(&runtime, floats[i]);
    assert_int_equal(gauge.live_bytes, before + (size_t)3 * 992);
    objects_collect(&runtime, OLDEST);
    assert_int_equal(gauge.live_bytes, before + 992);
    assert_true(float_value(floats[0]) == 0.0);
    object_drop(&runtime, floats[0]);
    finish();
}

static void a_float_without_memory_is_null(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        recording.fail_at = recording.requests + 1;
        assert_null(float_new(&runtime, 1.0));
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_float_takes_24_bytes),
        cmocka_unit_test(no_float_is_shared),
        cmocka_unit_test(floats_of_3_x_keep_a_hundred_until_a_full_collection),
        cmocka_unit_test(floats_of_2_7_stay_in_their_blocks_until_a_full_collection),
        cmocka_unit_test(a_float_without_memory_is_null),
    };

    return cmocka_run_group_tests_name("float", tests, NULL, NULL);
}
