/*
 * What tuples promise: their sizes, a free list for each short length, and that a collection lets
 * those out of its sight that hold nothing to be tracked. Leaves out the collector itself
 * (collector_test.c). Expected figures: sys.getsizeof and
 * Objects/tupleobject.c, 2.7.18, 3.8.18, 3.11, 3.13.
 */
#include "tests/objects_fixture.h"

static struct tuple *tuple(size_t size)
{
    struct tuple *new = tuple_new(&runtime, size);

    assert_non_null(new);
    assert_int_equal(new->size, size);
    return new;
}

static void drop_tuple(struct tuple *old)
{
    object_drop(&runtime, &old->object);
}

static void a_tuple_takes_its_head_and_eight_bytes_an_item(void **state)
{
    static const size_t empty[] = {56, 40, 40, 40};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (size_t size = 1; size < 100; size++) {
            struct tuple *one = tuple(size);
            assert_int_equal(gauge.object_bytes, empty[i] + size * 8);
            assert_int_equal(recording.made[recording.made_count - 1].bytes, empty[i] + size * 8);
            drop_tuple(one);
        }
        finish();
    }
}

static void the_empty_tuple_is_shared(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct tuple *one = tuple(0), *other = tuple(0);
        assert_ptr_equal(one, other);
        struct tuple *holder = tuple(1);
        holder->items[0] = &one->object;
        objects_collect(&runtime, OLDEST);
        drop_tuple(holder);
        drop_tuple(other);
        finish();
    }
}

static void a_tuple_drops_its_items_from_last_to_first(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *items[3];
    for (int i = 0; i < 3; i++)
        items[i] = number(1000 + i);
    struct tuple *one = tuple_of(&runtime, items, 3);
    for (size_t i = 0; i < 3; i++)
        object_drop(&runtime, items[i]);
    size_t before = recording.freed_count;
    drop_tuple(one);
    for (size_t i = 0; i < 3; i++)
        assert_ptr_equal(recording.freed[before + i].block, items[2 - i]);
    finish();
}

/* Lengths 1 to 19 (2.7, 3.8) or 20 (3.11, 3.13) have one; each its own. */
static void short_tuples_wait_in_the_free_list_of_their_length(void **state)
{
    static const size_t longest[] = {19, 19, 20, 20};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (size_t size = 1; size <= 22; size++) {
            struct tuple *one = tuple(size);
            size_t freed = recording.freed_count;
            drop_tuple(one);
            assert_int_equal(recording.freed_count == freed, size <= longest[i]);
        }
        struct tuple *other = tuple(7), *again = tuple(7);
        assert_int_equal(recording.made[recording.made_count - 1].bytes,
                         profiles[i].gc_head_bytes + 80);
        drop_tuple(other);
        drop_tuple(again);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(recording.live_blocks, &profiles[i] == python_2_7 ? 7 : 0);
        finish();
    }
}

static void a_free_list_keeps_two_thousand(void **state)
{
    enum { TUPLES = 2100 };
    static struct tuple *tuples[TUPLES];

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        objects_enable(&runtime, 0);
        size_t before = recording.live_blocks;
        for (size_t i = 0; i < TUPLES; i++)
            tuples[i] = tuple(2);
        for (size_t i = 0; i < TUPLES; i++)
            drop_tuple(tuples[i]);
        assert_int_equal(recording.live_blocks, before + 2000);
        finish();
    }
}

/* A tuple of atoms goes at the next collection; one that holds a list stays, as does its holder. */
static void a_collection_lets_tuples_of_atoms_go(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct object *atom = number(1000);
        struct list *list = empty_list();
        struct tuple *atoms = tuple_of(&runtime, &atom, 1);
        struct object *inner[] = {&atoms->object, atom};
        struct tuple *nested = tuple_of(&runtime, inner, 2);
        struct object *held = &list->object;
        struct tuple *holder = tuple_of(&runtime, &held, 1);
        assert_true(object_is_tracked(&runtime, &atoms->object));
        objects_collect(&runtime, 0);
        assert_false(object_is_tracked(&runtime, &atoms->object));
        assert_false(object_is_tracked(&runtime, &nested->object));
        assert_true(object_is_tracked(&runtime, &holder->object));
        drop_tuple(atoms);
        drop_tuple(nested);
        drop_tuple(holder);
        drop_list(list);
        object_drop(&runtime, atom);
        finish();
    }
}

static void a_cycle_through_a_tuple_is_collected(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        struct object *held = &list->object;
        struct tuple *one = tuple_of(&runtime, &held, 1);
        append(list, &one->object);
        drop_tuple(one);
        drop_list(list);
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void tuples_deep_within_each_other_are_freed(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct tuple *outermost = tuple(0);
        for (int depth = 0; depth < DEEP; depth++) {
            struct tuple *one = tuple(1);
            one->items[0] = &outermost->object;
            outermost = one;
        }
        drop_tuple(outermost);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void tuples_are_equal_by_their_items(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *one = number(1000), *other = number(1000), *third = number(1001);
    struct tuple *first = tuple_of(&runtime, &one, 1), *second = tuple_of(&runtime, &other, 1);
    struct tuple *different = tuple_of(&runtime, &third, 1);
    assert_true(object_equal(&first->object, &second->object));
    assert_int_equal(first->object.type->hash(&first->object),
                     second->object.type->hash(&second->object));
    assert_false(object_equal(&first->object, &different->object));
    drop_tuple(first);
    drop_tuple(second);
    drop_tuple(different);
    object_drop(&runtime, one);
    object_drop(&runtime, other);
    object_drop(&runtime, third);
    finish();
}

static void a_tuple_without_memory_is_null(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        recording.fail_at = recording.requests + 1;
        assert_null(tuple_new(&runtime, 3));
        assert_null(tuple_new(&runtime, SIZE_MAX / 8));
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tuple_takes_its_head_and_eight_bytes_an_item),
        cmocka_unit_test(the_empty_tuple_is_shared),
        cmocka_unit_test(a_tuple_drops_its_items_from_last_to_first),
        cmocka_unit_test(short_tuples_wait_in_the_free_list_of_their_length),
        cmocka_unit_test(a_free_list_keeps_two_thousand),
        cmocka_unit_test(a_collection_lets_tuples_of_atoms_go),
        cmocka_unit_test(a_cycle_through_a_tuple_is_collected),
        cmocka_unit_test(tuples_deep_within_each_other_are_freed),
        cmocka_unit_test(tuples_are_equal_by_their_items),
        cmocka_unit_test(a_tuple_without_memory_is_null),
    };

    return cmocka_run_group_tests_name("tuple", tests, NULL, NULL);
}
