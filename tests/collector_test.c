/*
 * What the collector promises: cycles that nothing outside holds go, all else stays, whatever its
 * age. Leaves out the free list of ints, which a collection gives back (int_test.c). After CPython
 * Modules/gcmodule.c, 2.7 and 3.11.
 */
#include "tests/objects_fixture.h"

/* Two lists of a few ints, each in the other; the caller holds both. */
static void make_cycle(struct list **a, struct list **b)
{
    *a = empty_list();
    *b = empty_list();
    for (int value = 1000; value < 1010; value++) {
        append_number(*a, value);
        append_number(*b, value);
    }
    append(*a, &(*b)->object);
    append(*b, &(*a)->object);
}

static void two_lists_that_hold_each_other_are_collected(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        struct list *a, *b;
        start(&profiles[i]);
        size_t before = gauge.live_bytes;
        make_cycle(&a, &b);
        drop_list(a);
        drop_list(b);
        assert_true(gauge.live_bytes > before);
        assert_int_equal(objects_collect(&runtime), 2);
        assert_int_equal(gauge.live_bytes, before);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void a_cycle_with_a_name_survives(void **state)
{
    struct list *a, *b;

    (void)state;
    start(python_3_11);
    make_cycle(&a, &b);
    drop_list(b);
    size_t live = gauge.live_bytes;
    assert_int_equal(objects_collect(&runtime), 0);
    assert_int_equal(gauge.live_bytes, live);
    assert_ptr_equal(a->items[10], &b->object);
    assert_int_equal(int_value(b->items[0]), 1000);
    drop_list(a);
    assert_int_equal(objects_collect(&runtime), 2);
    finish();
}

static void a_reachable_list_survives_every_collection(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *list = empty_list();
        append_number(list, 1000);
        for (int round = 0; round < 3; round++)
            assert_int_equal(objects_collect(&runtime), 0);
        assert_int_equal(list->object.references, 1);
        assert_int_equal(int_value(list->items[0]), 1000);
        drop_list(list);
        finish();
    }
}

static void a_list_that_holds_itself_is_collected(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    append(list, &list->object);
    append(list, &list->object);
    drop_list(list);
    assert_int_equal(objects_collect(&runtime), 1);
    finish();
}

static void lists_within_lists_go_with_the_outermost(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *outer = empty_list();
    for (int i = 0; i < 10; i++) {
        struct list *inner = empty_list();
        append_number(inner, 1000 + i);
        append(outer, &inner->object);
        drop_list(inner);
    }
    assert_int_equal(objects_collect(&runtime), 0);
    drop_list(outer);
    assert_int_equal(gauge.live_bytes, 0);
    finish();
}

/*
 * The named list is the youngest, so that all it leads to has been put aside before it is met; and
 * the other way round. What a cycle holds but is no part of it counts as unreachable too.
 */
static void what_a_name_leads_to_survives_whatever_its_age(void **state)
{
    (void)state;
    for (int name_is_oldest = 0; name_is_oldest < 2; name_is_oldest++) {
        struct list *chain[8];
        start(python_3_11);
        for (size_t i = 0; i < 8; i++)
            chain[i] = empty_list();
        size_t root = name_is_oldest ? 0 : 7;
        for (size_t step = 0; step < 7; step++) {
            size_t from = name_is_oldest ? step : 7 - step;
            append(chain[from], &chain[name_is_oldest ? from + 1 : from - 1]->object);
        }
        append(chain[7 - root], &chain[root]->object); /* closes the ring */
        for (size_t i = 0; i < 8; i++)
            if (i != root)
                drop_list(chain[i]);
        struct list *garbage = empty_list(), *held = empty_list();
        append(garbage, &garbage->object);
        append(garbage, &held->object);
        drop_list(garbage);
        drop_list(held);
        assert_int_equal(objects_collect(&runtime), 2);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(chain[i]->size, 1);
        drop_list(chain[root]);
        assert_int_equal(objects_collect(&runtime), 8);
        finish();
    }
}

static void abandoned_objects_leave_object_bytes_once(void **state)
{
    struct list *a, *b;

    (void)state;
    start(python_2_7);
    make_cycle(&a, &b);
    uint64_t cycle_bytes = gauge.object_bytes;
    struct object *other = number(2000);
    drop_list(a);
    drop_list(b);
    objects_abandon(&runtime, cycle_bytes);
    assert_int_equal(gauge.object_bytes, 24);
    assert_int_equal(objects_collect(&runtime), 2);
    assert_int_equal(gauge.object_bytes, 24);
    object_drop(&runtime, other);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_lists_that_hold_each_other_are_collected),
        cmocka_unit_test(a_cycle_with_a_name_survives),
        cmocka_unit_test(a_reachable_list_survives_every_collection),
        cmocka_unit_test(a_list_that_holds_itself_is_collected),
        cmocka_unit_test(lists_within_lists_go_with_the_outermost),
        cmocka_unit_test(what_a_name_leads_to_survives_whatever_its_age),
        cmocka_unit_test(abandoned_objects_leave_object_bytes_once),
    };

    return cmocka_run_group_tests_name("collector", tests, NULL, NULL);
}
