/*
 * What sets promise: what they hold, CPython's tables and when those grow. Leaves out weak
 * references to them (weakref_test.c). Expected figures are those of sys.getsizeof after each
 * member, 2.7.18, 3.8.18, 3.11 and 3.13 on x86-64.
 */
#include "tests/objects_fixture.h"

#include <errno.h>

static struct object *empty_set(void)
{
    struct object *set = set_new(&runtime);

    assert_non_null(set);
    return set;
}

/* Takes over the reference to the key. */
static void add(struct object *set, struct object *key)
{
    assert_non_null(key);
    assert_int_equal(set_add(&runtime, set, key), 0);
    object_drop(&runtime, key);
}

static size_t bytes_of(const struct object *object)
{
    return object->type->bytes(&runtime, object);
}

struct growth {
    size_t members, bytes;
};

static void check_growth(const struct profile *profile, const struct growth *steps, size_t count)
{
    start(profile);
    struct object *set = empty_set();

    for (size_t i = 0, step = 1; i <= steps[count - 1].members; i++) {
        if (step < count && i == steps[step].members)
            step++;
        assert_int_equal(bytes_of(set), steps[step - 1].bytes);
        add(set, number((int64_t)i));
    }
    set_clear(&runtime, set);
    assert_int_equal(bytes_of(set), steps[0].bytes);
    assert_int_equal(gauge.object_bytes, steps[0].bytes);
    object_drop(&runtime, set);
    finish();
}

static void a_set_grows_as_its_table_does(void **state)
{
    static const struct growth of_2_7[] = {{0, 232},   {6, 744},     {22, 2280},
                                           {86, 8424}, {342, 33000}, {1366, 131304}};
    static const struct growth of_3_x[] = {{0, 216},     {5, 728},       {19, 2264},    {77, 8408},
                                           {307, 32984}, {1229, 131288}, {4915, 524504}};

    (void)state;
    check_growth(python_2_7, of_2_7, sizeof of_2_7 / sizeof of_2_7[0]);
    check_growth(python_3_11, of_3_x, sizeof of_3_x / sizeof of_3_x[0]);
    check_growth(python_3_13, of_3_x, sizeof of_3_x / sizeof of_3_x[0]);
}

/* Keys that begin their search at the same slot. */
static void a_set_holds_what_was_added_and_not_removed(void **state)
{
    enum { KEYS = 2000 };

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *set = empty_set(), *key;
        for (int64_t i = 0; i < KEYS; i++)
            add(set, number(i * 1024));
        for (int64_t i = 0; i < KEYS; i++)
            add(set, number(i * 1024));
        assert_int_equal(set_length(set), KEYS);
        for (int64_t i = 0; i < KEYS; i += 2) {
            key = number(i * 1024);
            assert_int_equal(set_remove(&runtime, set, key), 0);
            assert_int_equal(set_remove(&runtime, set, key), -ENOENT);
            object_drop(&runtime, key);
        }
        for (int64_t i = 0; i < KEYS; i++) {
            key = number(i * 1024);
            assert_int_equal(set_contains(&runtime, set, key), i % 2);
            object_drop(&runtime, key);
        }
        size_t position = 0, met = 0;
        while (set_next(set, &position, &key))
            met += (size_t)(int_value(key) / 1024 % 2);
        assert_int_equal(met, KEYS / 2);
        object_drop(&runtime, set);
        finish();
    }
}

static void check_order(const struct profile *profile, const int64_t *added,
                        const int64_t *expected, size_t count)
{
    start(profile);
    struct object *set = empty_set(), *key;
    size_t position = 0;

    for (size_t i = 0; i < count; i++)
        add(set, number(added[i]));
    for (size_t i = 0; i < count; i++) {
        assert_true(set_next(set, &position, &key));
        assert_int_equal(int_value(key), expected[i]);
    }
    assert_false(set_next(set, &position, &key));
    object_drop(&runtime, set);
    finish();
}

/*
 * What list(s) says of real CPythons: 3.x looks at the slots behind the first one before it jumps,
 * 2.7 jumps, and by other bits of the hash.
 */
static void members_lie_where_they_do_in_the_real_table(void **state)
{
    enum { MIXED = 10, FAR = 40 };
    static const int64_t mixed[MIXED] = {0, 8, 16, 3, 100, 200, 1000, 512, 513, 64};
    static const int64_t mixed_2_7[MIXED] = {0, 512, 3, 100, 513, 8, 64, 16, 200, 1000};
    static const int64_t mixed_3_x[MIXED] = {0, 512, 513, 3, 100, 64, 8, 200, 1000, 16};
    static const int64_t far_2_7[FAR] = {0,  1,  38, 4,  34, 11, 15, 19, 23, 27, 31, 7,  35, 5,
                                         8,  12, 16, 20, 24, 28, 32, 39, 36, 6,  9,  13, 17, 21,
                                         25, 29, 33, 2,  37, 3,  10, 14, 18, 22, 26, 30};
    static const int64_t far_3_x[FAR] = {0,  1,  4,  2,  3,  5,  6,  7,  8,  9,  12, 16, 20, 24,
                                         13, 17, 21, 25, 28, 29, 32, 33, 37, 36, 10, 14, 18, 22,
                                         26, 30, 34, 38, 11, 15, 19, 23, 27, 31, 35, 39};
    int64_t far[FAR], expected[2][FAR];

    (void)state;
    for (size_t i = 0; i < FAR; i++) {
        far[i] = (int64_t)i * 1024;
        expected[0][i] = far_2_7[i] * 1024;
        expected[1][i] = far_3_x[i] * 1024;
    }
    check_order(python_2_7, mixed, mixed_2_7, MIXED);
    check_order(python_2_7, far, expected[0], FAR);
    for (size_t p = 1; profile_names[p]; p++) {
        check_order(&profiles[p], mixed, mixed_3_x, MIXED);
        check_order(&profiles[p], far, expected[1], FAR);
    }
}

/* list(s) of real ones: twelve members 64 apart, every other one out, five more in. */
static void a_member_goes_where_another_one_was(void **state)
{
    enum { MEMBERS = 11 };
    static const int64_t expected[2][MEMBERS] = {
        {1024, 64, 1088, 1152, 192, 1280, 320, 448, 576, 704, 1216},  /* the first such slot */
        {1280, 1216, 64, 1152, 192, 320, 1088, 448, 1024, 576, 704}}; /* 3.x: the last */

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *set = empty_set(), *key;
        size_t position = 0;
        for (int64_t i = 0; i < 12; i++)
            add(set, number(i * 64));
        for (int64_t i = 0; i < 12; i += 2) {
            key = number(i * 64);
            assert_int_equal(set_remove(&runtime, set, key), 0);
            object_drop(&runtime, key);
        }
        for (int64_t i = 0; i < 5; i++)
            add(set, number(1024 + i * 64));
        for (size_t i = 0; i < MEMBERS; i++) {
            assert_true(set_next(set, &position, &key));
            assert_int_equal(int_value(key), expected[p > 0][i]);
        }
        object_drop(&runtime, set);
        finish();
    }
}

/* sys.getsizeof of real ones, with 87,382 members: beyond 50,000 a table doubles. */
static void a_large_set_grows_as_its_table_does(void **state)
{
    static const size_t bytes[] = {4194536, 4194520, 4194520, 4194520};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start_over_libc(&profiles[p]);
        struct object *set = empty_set();
        for (int64_t i = 0; i < 87382; i++)
            add(set, number(i));
        assert_int_equal(bytes_of(set), bytes[p]);
        object_drop(&runtime, set);
        finish();
    }
}

static void a_cycle_through_a_set_is_collected(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *set = empty_set();
        struct list *list = empty_list();
        struct object *item = number(1);
        struct object *items[] = {item};
        struct tuple *key = tuple_of(&runtime, items, 1);
        assert_int_equal(set_add(&runtime, set, &key->object), 0);
        append(list, set);
        /* No hash leads to a list, so the cycle closes by hand: the tuple's item becomes the list.
         */
        object_assign(&runtime, &key->items[0], object_keep(&list->object));
        object_drop(&runtime, &key->object);
        object_drop(&runtime, item);
        object_drop(&runtime, set);
        drop_list(list);
        assert_int_equal(objects_collect(&runtime, OLDEST), 3);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void only_2_7_keeps_dead_sets(void **state)
{
    enum { SETS = 100 };
    struct object *sets[SETS];

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        size_t kept = &profiles[p] == python_2_7 ? 80 : 0;
        start(&profiles[p]);
        size_t before = recording.live_blocks;
        for (size_t i = 0; i < SETS; i++)
            sets[i] = empty_set();
        for (size_t i = 0; i < SETS; i++)
            object_drop(&runtime, sets[i]);
        assert_int_equal(recording.live_blocks, before + kept);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(recording.live_blocks, before + kept);
        finish();
    }
}

static void a_set_without_memory_keeps_its_members(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (size_t fail = 1; fail < 8; fail++) {
            start(&profiles[p]);
            struct object *set = empty_set(), *keys[400];
            for (int64_t i = 0; i < 400; i++)
                keys[i] = number(1000 + i);
            recording.fail_at = recording.requests + fail;
            size_t added = 0;
            while (added < 400 && set_add(&runtime, set, keys[added]) == 0)
                added++;
            assert_int_equal(set_length(set), added);
            for (size_t i = 0; i < 400; i++) {
                assert_int_equal(set_contains(&runtime, set, keys[i]), i < added);
                assert_int_equal(keys[i]->references, i < added ? 2 : 1);
            }
            object_drop(&runtime, set);
            for (size_t i = 0; i < 400; i++)
                object_drop(&runtime, keys[i]);
            finish();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_set_grows_as_its_table_does),
        cmocka_unit_test(a_set_holds_what_was_added_and_not_removed),
        cmocka_unit_test(members_lie_where_they_do_in_the_real_table),
        cmocka_unit_test(a_member_goes_where_another_one_was),
        cmocka_unit_test(a_large_set_grows_as_its_table_does),
        cmocka_unit_test(a_cycle_through_a_set_is_collected),
        cmocka_unit_test(only_2_7_keeps_dead_sets),
        cmocka_unit_test(a_set_without_memory_keeps_its_members),
    };

    return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}
