/*
 * What the collector promises: cycles that nothing outside holds go, all else stays, whatever its
 * age; and when it looks at what. Leaves out the free lists that a collection gives back: each is
 * in its type's test. After CPython Modules/gcmodule.c (2.7, 3.11) and Python/gc.c (3.13).
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
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        assert_int_equal(gauge.live_bytes, before + kept_bytes(2));
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
    assert_int_equal(objects_collect(&runtime, OLDEST), 0);
    assert_int_equal(gauge.live_bytes, live);
    assert_ptr_equal(a->items[10], &b->object);
    assert_int_equal(int_value(b->items[0]), 1000);
    drop_list(a);
    assert_int_equal(objects_collect(&runtime, OLDEST), 2);
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
            assert_int_equal(objects_collect(&runtime, OLDEST), 0);
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
    assert_int_equal(objects_collect(&runtime, OLDEST), 1);
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
    assert_int_equal(objects_collect(&runtime, OLDEST), 0);
    drop_list(outer);
    assert_int_equal(gauge.object_bytes, 0);
    objects_collect(&runtime, OLDEST);
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
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        for (size_t i = 0; i < 8; i++)
            assert_int_equal(chain[i]->size, 1);
        drop_list(chain[root]);
        assert_int_equal(objects_collect(&runtime, OLDEST), 8);
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
    assert_int_equal(objects_collect(&runtime, OLDEST), 2);
    assert_int_equal(gauge.object_bytes, 24);
    object_drop(&runtime, other);
    finish();
}

/* --- Generations. --- */

static void check_counts(uint64_t young, uint64_t middle, uint64_t old)
{
    uint64_t counts[GENERATIONS];

    objects_get_count(&runtime, counts);
    assert_int_equal(counts[0], young);
    assert_int_equal(counts[1], middle);
    assert_int_equal(counts[2], old);
}

static void a_count_is_of_containers_made_less_those_freed(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        check_counts(0, 0, 0);
        struct list *first = empty_list(), *second = empty_list();
        check_counts(2, 0, 0);
        drop_list(second); /* to the free list: not freed, and not made anew */
        check_counts(2, 0, 0);
        second = empty_list();
        check_counts(2, 0, 0);
        struct object *deque = deque_new(&runtime, 1); /* no free list has deques */
        check_counts(3, 0, 0);
        object_drop(&runtime, deque);
        check_counts(2, 0, 0);
        objects_collect(&runtime, 0);
        check_counts(0, 1, 0);
        objects_collect(&runtime, 1);
        check_counts(0, 0, 1);
        objects_collect(&runtime, 2);
        check_counts(0, 0, 0);
        drop_list(first);
        drop_list(second);
        finish();
    }
}

static uint64_t collections_of(unsigned generation)
{
    return objects_get_stats(&runtime, generation).collections;
}

/* The container that makes it one more than the threshold sets a collection off. */
static void the_youngest_generation_is_collected_at_its_threshold(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        uint64_t threshold = profiles[i].thresholds[0];
        struct list *keeper = empty_list();
        for (uint64_t made = 1; made < threshold; made++) {
            struct list *list = empty_list();
            append(keeper, &list->object);
            drop_list(list);
        }
        check_counts(threshold, 0, 0);
        assert_int_equal(collections_of(0), 0);
        struct list *over = empty_list();
        objects_safe_point(&runtime);
        assert_int_equal(collections_of(0), 1);
        check_counts(0, 1, 0);
        drop_list(over);
        drop_list(keeper);
        finish();
    }
}

/* From 3.12 on the collection waits for the byte code to come between two instructions. */
static void a_collection_of_3_13_waits_for_a_safe_point(void **state)
{
    const uint64_t thresholds[GENERATIONS] = {1, 10, 10};

    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        objects_set_threshold(&runtime, thresholds);
        struct list *first = empty_list(), *second = empty_list();
        assert_int_equal(collections_of(0), &profiles[i] == python_3_13 ? 0 : 1);
        objects_safe_point(&runtime);
        assert_int_equal(collections_of(0), 1);
        drop_list(first);
        drop_list(second);
        finish();
    }
}

/* Two hundred thousand cycles in a program that never says where a loop turns. */
static void a_program_without_safe_points_is_collected_too(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        for (int made = 0; made < 200000; made++) {
            struct list *list = empty_list();
            append(list, &list->object);
            drop_list(list);
            assert_true(gauge.live_bytes < 1 << 20);
        }
        assert_true(collections_of(0) > 50);
        finish();
    }
}

static void nothing_is_collected_of_its_own_accord_when_switched_off(void **state)
{
    const uint64_t never[GENERATIONS] = {0, 10, 10};

    (void)state;
    for (int by_threshold = 0; by_threshold < 2; by_threshold++) {
        start(python_3_11);
        if (by_threshold)
            objects_set_threshold(&runtime, never);
        else
            objects_enable(&runtime, 0);
        for (int i = 0; i < 2000; i++) {
            struct list *list = empty_list();
            append(list, &list->object);
            drop_list(list);
        }
        check_counts(2000, 0, 0);
        assert_int_equal(objects_collect(&runtime, OLDEST), 2000);
        finish();
    }
}

static void what_survives_a_collection_grows_older(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *list = empty_list();
    for (unsigned generation = 0; generation < GENERATIONS; generation++) {
        for (unsigned i = 0; i < GENERATIONS; i++) {
            struct list *found = (struct list *)objects_get_objects(&runtime, i);
            assert_int_equal(found->size, i == generation);
            drop_list(found);
        }
        objects_collect(&runtime, generation);
    }
    drop_list(list);
    finish();
}

static void a_young_collection_leaves_old_garbage_alone(void **state)
{
    struct list *a, *b;

    (void)state;
    start(python_3_11);
    make_cycle(&a, &b);
    objects_collect(&runtime, 0);
    drop_list(a);
    drop_list(b);
    assert_int_equal(objects_collect(&runtime, 0), 0);
    assert_int_equal(objects_collect(&runtime, 1), 2);
    assert_int_equal(objects_get_stats(&runtime, 1).collected, 2);
    finish();
}

static void get_objects_lists_all_that_is_tracked_but_its_own_list(void **state)
{
    (void)state;
    start(python_3_11);
    struct list *old = empty_list(), *young;
    objects_collect(&runtime, 1);
    young = empty_list();
    struct list *all = (struct list *)objects_get_objects(&runtime, GENERATIONS);
    assert_int_equal(all->size, 2);
    assert_ptr_equal(all->items[0], &young->object);
    assert_ptr_equal(all->items[1], &old->object);
    drop_list(all);
    drop_list(old);
    drop_list(young);
    finish();
}

/*
 * Lists that stay, with collections of the two younger generations as the counts ask for them: an
 * old one only when a quarter as many as it left have grown old since.
 */
static void the_oldest_generation_waits_for_a_quarter(void **state)
{
    enum { BASE = 100000 };
    const uint64_t thresholds[GENERATIONS] = {100, 1, 1};

    (void)state;
    start(python_3_11);
    struct list *keeper = list_new(&runtime, (size_t)BASE * 2);
    objects_enable(&runtime, 0);
    for (int made = 0; made < BASE; made++) {
        struct list *list = empty_list();
        append(keeper, &list->object);
        drop_list(list);
    }
    objects_collect(&runtime, OLDEST);
    objects_enable(&runtime, 1);
    objects_set_threshold(&runtime, thresholds);
    for (int made = 0; collections_of(OLDEST) == 1 && made < BASE; made++) {
        struct list *list = empty_list();
        append(keeper, &list->object);
        drop_list(list);
    }
    /* 100,001 containers were left, so 25,000 have to be pending. One collection takes in 101
     * containers, and each third is of the middle generation; the next one after the 83rd of those
     * is the full one. */
    assert_int_equal(collections_of(OLDEST), 2);
    assert_int_equal(collections_of(1), 83);
    assert_int_equal(keeper->size, BASE + 101 * (83 * 3 + 1));
    drop_list(keeper);
    finish();
}

/* What real ones counted while a million lists were kept, or a million that hold themselves went.
 */
static void a_million_lists_set_off_as_many_collections_as_on_real_ones(void **state)
{
    enum { LISTS = 1000000 };
    static const uint64_t kept[2][GENERATIONS] = {{1300, 118, 8}, {455, 41, 3}};
    /* The oldest is spared where there are old containers, as an interpreter has. */
    static const uint64_t dropped[2][OLDEST] = {{1174, 106}, {440, 40}};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (int cycles = 0; cycles < 2; cycles++) {
            size_t newest = &profiles[p] == python_3_13;
            const uint64_t *expected = cycles ? dropped[newest] : kept[newest];
            start_over_libc(&profiles[p]);
            struct list *keeper = empty_list();
            for (size_t i = 0; i < LISTS; i++) {
                struct list *list = empty_list();
                append(cycles ? list : keeper, &list->object);
                drop_list(list);
                objects_safe_point(&runtime);
            }
            for (unsigned i = 0; i < (cycles ? OLDEST : GENERATIONS); i++)
                assert_in_range(collections_of(i), expected[i] - expected[i] / 100 - 1,
                                expected[i] + expected[i] / 100 + 1);
            drop_list(keeper);
            finish();
        }
}

/* --- Depth. --- */

static void lists_deep_within_each_other_are_freed(void **state)
{
    (void)state;
    for (size_t i = 0; profile_names[i]; i++) {
        start(&profiles[i]);
        struct list *outermost = empty_list();
        for (int depth = 1; depth < DEEP; depth++) {
            struct list *list = empty_list();
            append(list, &outermost->object);
            drop_list(outermost);
            outermost = list;
        }
        drop_list(outermost);
        assert_int_equal(gauge.object_bytes, 0);
        assert_int_equal(runtime.trashcan.depth, 0);
        finish();
    }
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
        cmocka_unit_test(a_count_is_of_containers_made_less_those_freed),
        cmocka_unit_test(the_youngest_generation_is_collected_at_its_threshold),
        cmocka_unit_test(a_collection_of_3_13_waits_for_a_safe_point),
        cmocka_unit_test(a_program_without_safe_points_is_collected_too),
        cmocka_unit_test(nothing_is_collected_of_its_own_accord_when_switched_off),
        cmocka_unit_test(what_survives_a_collection_grows_older),
        cmocka_unit_test(a_young_collection_leaves_old_garbage_alone),
        cmocka_unit_test(get_objects_lists_all_that_is_tracked_but_its_own_list),
        cmocka_unit_test(the_oldest_generation_waits_for_a_quarter),
        cmocka_unit_test(a_million_lists_set_off_as_many_collections_as_on_real_ones),
        cmocka_unit_test(lists_deep_within_each_other_are_freed),
    };

    return cmocka_run_group_tests_name("collector", tests, NULL, NULL);
}
