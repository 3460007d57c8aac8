/*
 * What interning promises: one string of a value, that still dies with its last name. Leaves out
 * the dict itself (dict_test.c). After CPython's sys.intern, 2.7, 3.11 and 3.13.
 */
#include "tests/objects_fixture.h"

#include <errno.h>

static struct object *string(const char *text)
{
    struct object *object = str_of(&runtime, text);

    assert_non_null(object);
    return object;
}

static void equal_strings_become_one(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *one = string("tide"), *other = string("tide"), *third = string("mark");
        assert_int_equal(str_intern(&runtime, &one), 0);
        assert_int_equal(str_intern(&runtime, &other), 0);
        assert_int_equal(str_intern(&runtime, &third), 0);
        assert_ptr_equal(one, other);
        assert_ptr_not_equal(one, third);
        assert_int_equal(one->references, 2);
        assert_int_equal(third->references, 1);
        object_drop(&runtime, one);
        object_drop(&runtime, other);
        object_drop(&runtime, third);
        finish();
    }
}

static void an_interned_string_dies_with_its_last_name(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (int round = 0; round < 1000; round++) {
            struct object *name = string("tide");
            assert_int_equal(str_intern(&runtime, &name), 0);
            object_drop(&runtime, name);
            assert_int_equal(dict_length(&runtime, runtime.interned), 0);
        }
        finish();
    }
}

static void shared_strings_need_no_interning(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *name = string("x"), *before = name;
    assert_int_equal(str_intern(&runtime, &name), 0);
    assert_ptr_equal(name, before);
    assert_null(runtime.interned);
    object_drop(&runtime, name);
    finish();
}

static void a_string_held_beyond_the_end_is_interned_no_longer(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *name = string("tide");
        assert_int_equal(str_intern(&runtime, &name), 0);
        runtime_finish(&runtime);
        assert_int_equal(name->references, 1);
        assert_int_equal(recording.live_blocks, 1);
        object_drop(&runtime, name);
        assert_int_equal(gauge.live_bytes, 0);
    }
}

static void interning_without_memory_leaves_the_name(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *name = string("tide"), *before = name;
        recording.fail_at = recording.requests + 1;
        assert_int_equal(str_intern(&runtime, &name), -ENOMEM);
        assert_ptr_equal(name, before);
        assert_int_equal(name->references, 1);
        object_drop(&runtime, name);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_strings_become_one),
        cmocka_unit_test(an_interned_string_dies_with_its_last_name),
        cmocka_unit_test(shared_strings_need_no_interning),
        cmocka_unit_test(a_string_held_beyond_the_end_is_interned_no_longer),
        cmocka_unit_test(interning_without_memory_leaves_the_name),
    };

    return cmocka_run_group_tests_name("intern", tests, NULL, NULL);
}
