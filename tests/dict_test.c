/*
 * What dicts promise: what they hold, CPython's tables and when those grow, when the collector sees
 * them, and free lists. Leaves out interning (intern_test.c) and instances. Expected figures are
 * those of sys.getsizeof after each item, 2.7.18, 3.8.18, 3.11 and 3.13 on x86-64.
 */
#include "tests/objects_fixture.h"

#include <errno.h>
#include <stdio.h>

static struct object *empty_dict(void)
{
    struct object *dict = dict_new(&runtime);

    assert_non_null(dict);
    return dict;
}

/* dict[key] = value; takes over the reference to the key. */
static void set(struct object *dict, struct object *key, struct object *value)
{
    assert_non_null(key);
    assert_int_equal(dict_set(&runtime, dict, key, value), 0);
    object_drop(&runtime, key);
}

static struct object *string_key(size_t i)
{
    char text[32];

    snprintf(text, sizeof text, "key %zu", i);
    return str_of(&runtime, text);
}

static size_t bytes_of(const struct object *object)
{
    return object->type->bytes(&runtime, object);
}

struct growth {
    size_t items, bytes;
};

/* Items 0, 1, 2... as keys: the sizes at which the table changes, and the gauge beside them. */
static void check_growth(const struct profile *profile, int strings, const struct growth *steps,
                         size_t count)
{
    start(profile);
    struct object *dict = empty_dict(), *value = number(0);

    for (size_t i = 0, step = 0; i <= steps[count - 1].items; i++) {
        if (step < count && i == steps[step].items)
            step++;
        assert_int_equal(bytes_of(dict), steps[step - 1].bytes);
        set(dict, strings ? string_key(i) : number((int64_t)i), value);
        if (step < count && i + 1 == steps[step].items)
            assert_int_equal(bytes_of(dict), steps[step].bytes);
    }
    dict_clear(&runtime, dict);
    assert_int_equal(gauge.object_bytes, bytes_of(dict));
    object_drop(&runtime, dict);
    object_drop(&runtime, value);
    finish();
}

static void a_dict_of_2_7_grows_as_its_table_does(void **state)
{
    static const struct growth steps[] = {{0, 280},    {6, 1048},    {22, 3352},
                                          {86, 12568}, {342, 49432}, {1366, 196888}};

    (void)state;
    check_growth(python_2_7, 0, steps, sizeof steps / sizeof steps[0]);
    check_growth(python_2_7, 1, steps, sizeof steps / sizeof steps[0]);
}

/* All items have their hash, whatever their keys are. */
static void a_dict_of_3_8_grows_as_its_table_does(void **state)
{
    static const struct growth steps[] = {{0, 64},      {1, 232},     {6, 360},     {11, 640},
                                          {22, 1176},   {43, 2272},   {86, 4696},   {171, 9312},
                                          {342, 18520}, {683, 36960}, {1366, 73816}};

    (void)state;
    check_growth(python_3_8, 0, steps, sizeof steps / sizeof steps[0]);
    check_growth(python_3_8, 1, steps, sizeof steps / sizeof steps[0]);
}

static void a_dict_of_3_11_and_3_13_grows_as_its_table_does(void **state)
{
    static const struct growth ints[] = {{0, 64},      {1, 224},     {6, 352},     {11, 632},
                                         {22, 1168},   {43, 2264},   {86, 4688},   {171, 9304},
                                         {342, 18512}, {683, 36952}, {1366, 73808}};
    static const struct growth strings[] = {{0, 64},      {1, 184},     {6, 272},     {11, 464},
                                            {22, 832},    {43, 1584},   {86, 3328},   {171, 6576},
                                            {342, 13056}, {683, 26032}, {1366, 51968}};

    (void)state;
    for (const struct profile *profile = python_3_11; profile <= python_3_13; profile++) {
        check_growth(profile, 0, ints, sizeof ints / sizeof ints[0]);
        check_growth(profile, 1, strings, sizeof strings / sizeof strings[0]);
    }
}

/* sys.getsizeof of real ones, with 87,382 items: indices of four bytes; 2.7 doubles by then. */
static void a_large_dict_grows_as_its_table_does(void **state)
{
    static const size_t bytes[] = {6291736, 5242968, 5242960, 5242960};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start_over_libc(&profiles[p]);
        struct object *dict = empty_dict(), *value = number(0);
        for (int64_t i = 0; i < 87382; i++)
            set(dict, number(i), value);
        assert_int_equal(bytes_of(dict), bytes[p]);
        object_drop(&runtime, dict);
        object_drop(&runtime, value);
        finish();
    }
}

/* d["tide"] = 1; d["mark"] = 1; d["ebb"] = 1; d[3] = 1 on real ones: 184 bytes, then 352; on 3.8
 * 232 and 232. */
static void a_key_that_is_no_string_changes_the_table(void **state)
{
    (void)state;
    for (size_t i = 1; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *dict = empty_dict(), *value = number(1);
        set(dict, str_of(&runtime, "tide"), value);
        set(dict, str_of(&runtime, "mark"), value);
        set(dict, str_of(&runtime, "ebb"), value);
        assert_int_equal(bytes_of(dict), &profiles[i] == python_3_8 ? 232 : 184);
        set(dict, number(3), value);
        assert_int_equal(bytes_of(dict), &profiles[i] == python_3_8 ? 232 : 352);
        struct object *key = str_of(&runtime, "mark");
        assert_ptr_equal(dict_get(&runtime, dict, key), value);
        object_drop(&runtime, key);
        object_drop(&runtime, dict);
        object_drop(&runtime, value);
        finish();
    }
}

static void a_dict_gives_back_what_it_was_given(void **state)
{
    enum { KEYS = 3000 };

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict();
        for (int64_t i = 0; i < KEYS; i++) {
            struct object *value = number(1000 + i);
            set(dict, i % 2 ? number(i * 4096) : string_key((size_t)i), value);
            object_drop(&runtime, value);
        }
        for (int64_t i = 0; i < KEYS; i += 3) {
            struct object *key = i % 2 ? number(i * 4096) : string_key((size_t)i);
            assert_int_equal(dict_delete(&runtime, dict, key), 0);
            assert_int_equal(dict_delete(&runtime, dict, key), -ENOENT);
            object_drop(&runtime, key);
        }
        assert_int_equal(dict_length(&runtime, dict), KEYS - KEYS / 3);
        for (int64_t i = 0; i < KEYS; i++) {
            struct object *key = i % 2 ? number(i * 4096) : string_key((size_t)i);
            struct object *value = dict_get(&runtime, dict, key);
            assert_int_equal(value != NULL, i % 3 != 0);
            if (value)
                assert_int_equal(int_value(value), 1000 + i);
            object_drop(&runtime, key);
        }
        object_drop(&runtime, dict);
        finish();
    }
}

static void a_key_that_is_there_stays_and_gets_the_new_value(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *one = number(1000), *other = number(1000);
        struct object *first = number(2000), *second = number(2001);
        assert_int_equal(dict_set(&runtime, dict, one, first), 0);
        assert_int_equal(dict_set(&runtime, dict, other, second), 0);
        assert_int_equal(dict_length(&runtime, dict), 1);
        assert_int_equal(one->references, 2);
        assert_int_equal(other->references, 1);
        assert_int_equal(first->references, 1);
        assert_ptr_equal(dict_get(&runtime, dict, one), second);
        object_drop(&runtime, dict);
        object_drop(&runtime, one);
        object_drop(&runtime, other);
        object_drop(&runtime, first);
        object_drop(&runtime, second);
        finish();
    }
}

/* Strings whose hashes have little to do with their order. */
static void a_walk_meets_each_item_once_in_order_on_3_x(void **state)
{
    enum { KEYS = 500 };

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *key, *value;
        int in_order = 1;
        unsigned char seen[KEYS] = {0};
        for (size_t i = 0; i < KEYS; i++) {
            struct object *item = number((int64_t)i);
            set(dict, string_key(i), item);
            object_drop(&runtime, item);
        }
        size_t position = 0, met = 0;
        while (dict_next(&runtime, dict, &position, &key, &value)) {
            in_order &= int_value(value) == (int64_t)met++;
            assert_int_equal(seen[int_value(value)]++, 0);
        }
        assert_int_equal(met, KEYS);
        assert_int_equal(in_order, &profiles[p] != python_2_7);
        object_drop(&runtime, dict);
        finish();
    }
}

/*
 * 100 keys in and out again, as a real CPython does with {i: 1} and del: the table of 2.7 is swept
 * at 6 used slots and again and again; that of 3.x when its five items are used up.
 */
static void deleted_items_use_up_the_table_until_it_is_made_anew(void **state)
{
    static const size_t bytes_at_end[] = {280, 232, 224, 224};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *value = number(0);
        for (int64_t i = 0; i < 100; i++) {
            struct object *key = number(i);
            set(dict, object_keep(key), value);
            assert_int_equal(dict_delete(&runtime, dict, key), 0);
            object_drop(&runtime, key);
        }
        assert_int_equal(dict_length(&runtime, dict), 0);
        assert_int_equal(bytes_of(dict), bytes_at_end[p]);
        object_drop(&runtime, dict);
        object_drop(&runtime, value);
        finish();
    }
}

/* d[i] = 0; d.pop(i - 2) on real ones: the first table but 3.8's gives way to one of 16. */
static void a_table_made_anew_has_the_size_of_its_version(void **state)
{
    static const size_t bytes_at_end[] = {664, 232, 352, 352};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *value = number(0);
        for (int64_t i = 0; i < 100; i++) {
            struct object *old = number(i - 2);
            set(dict, number(i), value);
            assert_int_equal(dict_delete(&runtime, dict, old), i < 2 ? -ENOENT : 0);
            object_drop(&runtime, old);
        }
        assert_int_equal(dict_length(&runtime, dict), 2);
        assert_int_equal(bytes_of(dict), bytes_at_end[p]);
        object_drop(&runtime, dict);
        object_drop(&runtime, value);
        finish();
    }
}

static void a_dict_is_tracked_from_the_first_item_that_matters(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *atom = number(1000);
        struct list *list = empty_list();
        assert_false(object_is_tracked(&runtime, dict));
        set(dict, number(1), atom);
        assert_false(object_is_tracked(&runtime, dict));
        set(dict, number(2), &list->object);
        assert_true(object_is_tracked(&runtime, dict));
        set(dict, number(2), atom);
        objects_collect(&runtime, 1);
        assert_true(object_is_tracked(&runtime, dict));
        objects_collect(&runtime, OLDEST);
        assert_false(object_is_tracked(&runtime, dict));
        object_drop(&runtime, dict);
        object_drop(&runtime, atom);
        drop_list(list);
        finish();
    }
}

/* A tuple is in sight until a collection has looked at it, and so is a dict that it is a key of. */
static void a_key_that_may_be_tracked_matters_too(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *atom = number(1000);
        struct tuple *key = tuple_of(&runtime, &atom, 1);
        assert_non_null(key);
        set(dict, &key->object, atom);
        assert_true(object_is_tracked(&runtime, dict));
        object_drop(&runtime, dict);
        object_drop(&runtime, atom);
        finish();
    }
}

static void a_cycle_through_a_dict_is_collected(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *outer = empty_dict(), *inner = empty_dict();
        for (int64_t i = 0; i < 20; i++)
            set(outer, number(i), inner);
        set(inner, number(1), outer);
        object_drop(&runtime, inner);
        object_drop(&runtime, outer);
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

/* No hash leads to a dict, so the cycle closes by hand: the tuple's item becomes the dict. */
static void a_cycle_through_a_key_is_collected(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *dict = empty_dict(), *atom = number(1000);
        struct tuple *key = tuple_of(&runtime, &atom, 1);
        assert_non_null(key);
        set(dict, string_key(0), atom); /* a table of strings no more */
        set(dict, object_keep(&key->object), atom);
        object_assign(&runtime, &key->items[0], object_keep(dict));
        object_drop(&runtime, &key->object);
        object_drop(&runtime, atom);
        object_drop(&runtime, dict);
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

/* Eighty dict objects, and on 3.x eighty small tables; one of ints is kept on 3.8 alone. */
static void dead_dicts_wait_in_a_free_list(void **state)
{
    enum { DICTS = 100 };
    struct object *dicts[DICTS];

    (void)state;
    for (int strings = 0; strings < 2; strings++)
        for (size_t p = 0; profile_names[p]; p++) {
            int has_kept_kind = strings ? &profiles[p] != python_2_7 : &profiles[p] == python_3_8;
            size_t tables = has_kept_kind ? 80 : 0;
            start(&profiles[p]);
            size_t before = recording.live_blocks;
            struct object *value = number(0);
            for (size_t i = 0; i < DICTS; i++) {
                dicts[i] = empty_dict();
                set(dicts[i], strings ? str_of(&runtime, "tide") : number(1), value);
            }
            for (size_t i = 0; i < DICTS; i++)
                object_drop(&runtime, dicts[i]);
            assert_int_equal(recording.live_blocks, before + 80 + tables);
            struct object *again = empty_dict();
            assert_ptr_equal(again, dicts[79]);
            object_drop(&runtime, again);
            objects_collect(&runtime, OLDEST);
            assert_int_equal(recording.live_blocks, before + (&profiles[p] == python_2_7 ? 80 : 0));
            object_drop(&runtime, value);
            finish();
        }
}

static void dicts_deep_within_each_other_are_freed(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *outermost = empty_dict();
        for (int depth = 0; depth < DEEP; depth++) {
            struct object *dict = empty_dict();
            set(dict, number(1), outermost);
            object_drop(&runtime, outermost);
            outermost = dict;
        }
        object_drop(&runtime, outermost);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

/* Fails at each request in turn while items come, and looks that no item is lost or half there. */
static void a_dict_without_memory_keeps_its_items(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (size_t fail = 1; fail < 12; fail++) {
            start(&profiles[p]);
            struct object *dict = empty_dict(), *keys[60];
            for (size_t i = 0; i < 60; i++)
                keys[i] = string_key(i);
            recording.fail_at = recording.requests + fail;
            size_t set_count = 0;
            while (set_count < 60 &&
                   dict_set(&runtime, dict, keys[set_count], keys[set_count]) == 0)
                set_count++;
            assert_int_equal(dict_length(&runtime, dict), set_count);
            for (size_t i = 0; i < 60; i++) {
                assert_ptr_equal(dict_get(&runtime, dict, keys[i]), i < set_count ? keys[i] : NULL);
                assert_int_equal(keys[i]->references, i < set_count ? 3 : 1);
            }
            object_drop(&runtime, dict);
            for (size_t i = 0; i < 60; i++)
                object_drop(&runtime, keys[i]);
            finish();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dict_of_2_7_grows_as_its_table_does),
        cmocka_unit_test(a_dict_of_3_8_grows_as_its_table_does),
        cmocka_unit_test(a_dict_of_3_11_and_3_13_grows_as_its_table_does),
        cmocka_unit_test(a_large_dict_grows_as_its_table_does),
        cmocka_unit_test(a_key_that_is_no_string_changes_the_table),
        cmocka_unit_test(a_dict_gives_back_what_it_was_given),
        cmocka_unit_test(a_key_that_is_there_stays_and_gets_the_new_value),
        cmocka_unit_test(a_walk_meets_each_item_once_in_order_on_3_x),
        cmocka_unit_test(deleted_items_use_up_the_table_until_it_is_made_anew),
        cmocka_unit_test(a_table_made_anew_has_the_size_of_its_version),
        cmocka_unit_test(a_dict_is_tracked_from_the_first_item_that_matters),
        cmocka_unit_test(a_key_that_may_be_tracked_matters_too),
        cmocka_unit_test(a_cycle_through_a_dict_is_collected),
        cmocka_unit_test(a_cycle_through_a_key_is_collected),
        cmocka_unit_test(dead_dicts_wait_in_a_free_list),
        cmocka_unit_test(dicts_deep_within_each_other_are_freed),
        cmocka_unit_test(a_dict_without_memory_keeps_its_items),
    };

    return cmocka_run_group_tests_name("dict", tests, NULL, NULL);
}
