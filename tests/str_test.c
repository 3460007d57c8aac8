/*
 * What strings and bytes promise: one block of CPython's size, by version and widest character, and
 * which of them are shared. Leaves out interning (intern_test.c). Expected sizes are those of
 * sys.getsizeof, 2.7.18, 3.8.18, 3.11 and 3.13 on x86-64; what is asked of the allocator is the
 * same.
 */
#include "tests/objects_fixture.h"

static struct object *string(enum str_kind kind, size_t length)
{
    static const char characters[4096] = {[0] = 'x'};
    struct object *object = str_new(&runtime, kind, characters, length);

    assert_non_null(object);
    return object;
}

/* The figure of the object, the gauge's and what was asked for; then it is dropped. */
static void check_bytes(struct object *object, size_t bytes)
{
    assert_int_equal(object->type->bytes(&runtime, object), bytes);
    assert_int_equal(gauge.object_bytes, bytes);
    assert_int_equal(recording.made[recording.made_count - 1].bytes, bytes);
    object_drop(&runtime, object);
    assert_int_equal(gauge.object_bytes, 0);
}

static void bytes_take_33_and_their_length(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        size_t empty_bytes = &profiles[i] == python_2_7 ? 37 : 33;
        for (size_t length = 2; length < 1000; length += 7) {
            static const char data[1000];
            struct object *object = bytes_new(&runtime, data, length);
            assert_non_null(object);
            check_bytes(object, empty_bytes + length);
        }
        finish();
    }
}

static void a_string_takes_a_head_and_its_characters(void **state)
{
    static const size_t ascii[] = {37, 49, 49, 41};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (size_t length = 2; length < 1000; length += 7)
            check_bytes(string(STR_ASCII, length), ascii[i] + length);
        finish();
    }
}

static void wider_characters_take_more_in_head_and_tail(void **state)
{
    static const struct {
        enum str_kind kind;
        size_t empty_3_11, empty_3_13, each;
    } kinds[] = {{STR_LATIN1, 73, 57, 1}, {STR_UCS2, 74, 58, 2}, {STR_UCS4, 76, 60, 4}};

    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++)
        for (size_t length = 2; length < 100; length++) {
            start(python_3_11);
            check_bytes(string(kinds[k].kind, length),
                        kinds[k].empty_3_11 + length * kinds[k].each);
            finish();
            start(python_3_13);
            check_bytes(string(kinds[k].kind, length),
                        kinds[k].empty_3_13 + length * kinds[k].each);
            finish();
        }
}

static void empty_and_single_characters_are_shared(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        size_t made = recording.made_count;
        for (size_t length = 0; length < 2; length++) {
            struct object *one = string(STR_ASCII, length), *other = string(STR_ASCII, length);
            struct object *bytes = bytes_new(&runtime, "x", length);
            assert_ptr_equal(one, other);
            assert_int_equal(one == bytes, &profiles[i] == python_2_7);
            object_drop(&runtime, one);
            object_drop(&runtime, other);
            object_drop(&runtime, bytes);
        }
        if (&profiles[i] != python_2_7) {
            struct object *one = string(STR_LATIN1, 1), *other = string(STR_LATIN1, 1);
            assert_ptr_equal(one, other);
            object_drop(&runtime, one);
            object_drop(&runtime, other);
        }
        assert_int_equal(recording.made_count, made);
        finish();
    }
}

static void a_string_holds_its_characters_and_a_zero(void **state)
{
    static const uint32_t wide[] = {0x12345, 0x41, 0x10FFFF};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *object = str_of(&runtime, "tide and mark");
        assert_string_equal(str_characters(object), "tide and mark");
        assert_true(object_is_str(object));
        object_drop(&runtime, object);
        finish();
    }
    start(python_3_11);
    struct object *object = str_new(&runtime, STR_UCS4, wide, 3);
    assert_memory_equal(str_characters(object), wide, sizeof wide);
    object_drop(&runtime, object);
    finish();
}

static void strings_are_equal_by_their_characters(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *one = str_of(&runtime, "same"), *other = str_of(&runtime, "same");
    struct object *longer = str_of(&runtime, "same as"), *bytes = bytes_new(&runtime, "same", 4);
    assert_ptr_not_equal(one, other);
    assert_true(object_equal(one, other));
    assert_int_equal(one->type->hash(one), other->type->hash(other));
    assert_false(object_equal(one, longer));
    assert_false(object_equal(one, bytes));
    object_drop(&runtime, one);
    object_drop(&runtime, other);
    object_drop(&runtime, longer);
    object_drop(&runtime, bytes);
    finish();
}

static void a_length_that_no_machine_has_is_out_of_memory(void **state)
{
    (void)state;
    start(python_3_11);
    assert_null(str_new(&runtime, STR_UCS4, "", SIZE_MAX / 4));
    assert_null(bytes_new(&runtime, "", SIZE_MAX - 8));
    recording.fail_at = recording.requests + 1;
    assert_null(str_of(&runtime, "no room"));
    assert_int_equal(gauge.object_bytes, 0);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_take_33_and_their_length),
        cmocka_unit_test(a_string_takes_a_head_and_its_characters),
        cmocka_unit_test(wider_characters_take_more_in_head_and_tail),
        cmocka_unit_test(empty_and_single_characters_are_shared),
        cmocka_unit_test(a_string_holds_its_characters_and_a_zero),
        cmocka_unit_test(strings_are_equal_by_their_characters),
        cmocka_unit_test(a_length_that_no_machine_has_is_out_of_memory),
    };

    return cmocka_run_group_tests_name("str", tests, NULL, NULL);
}
