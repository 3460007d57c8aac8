/*
 * What weak references promise: they name an object while it lives, and callbacks are called once,
 * when it is gone. Leaves out instances (instance_test.c). After CPython Objects/weakrefobject.c
 * and handle_weakrefs of Modules/gcmodule.c; sizes are sys.getsizeof, 2.7.18, 3.8.18, 3.11
 * and 3.13.
 */
#include "tests/objects_fixture.h"

static size_t called;
static struct object *last_called;

static void note_call(struct runtime *of, struct object *weakref)
{
    (void)of;
    assert_null(weakref_get(weakref));
    called++;
    last_called = weakref;
}

static struct object *target(void)
{
    struct object *object = set_new(&runtime);

    assert_non_null(object);
    return object;
}

static struct object *weak(struct object *object, weakref_callback *callback)
{
    struct object *weakref = weakref_new(&runtime, object, callback);

    assert_non_null(weakref);
    return weakref;
}

static void a_weak_reference_has_its_size(void **state)
{
    static const size_t bytes_of[] = {88, 72, 80, 80};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        size_t bytes = bytes_of[p];
        start(&profiles[p]);
        struct object *object = target();
        struct object *weakref = weak(object, NULL);
        assert_int_equal(weakref->type->bytes(&runtime, weakref), bytes);
        assert_int_equal(recording.made[recording.made_count - 1].bytes, bytes);
        object_drop(&runtime, weakref);
        object_drop(&runtime, object);
        finish();
    }
}

static void it_names_its_object_until_that_is_gone(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *object = target();
        struct object *weakref = weak(object, NULL);
        assert_int_equal(object->references, 1);
        struct object *named = weakref_get(weakref);
        assert_ptr_equal(named, object);
        object_drop(&runtime, named);
        object_drop(&runtime, object);
        assert_null(weakref_get(weakref));
        object_drop(&runtime, weakref);
        finish();
    }
}

static void without_a_callback_there_is_one_of_an_object(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *object = target();
    struct object *with = weak(object, note_call), *one = weak(object, NULL);
    struct object *other = weak(object, NULL), *second = weak(object, note_call);
    assert_ptr_equal(one, other);
    assert_ptr_not_equal(with, second);
    assert_int_equal(weakref_count(object), 3);
    object_drop(&runtime, one);
    object_drop(&runtime, other);
    object_drop(&runtime, with);
    assert_int_equal(weakref_count(object), 1);
    object_drop(&runtime, second);
    assert_int_equal(weakref_count(object), 0);
    object_drop(&runtime, object);
    finish();
}

static void a_callback_is_called_when_the_object_dies_and_once(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        called = 0;
        struct object *object = target();
        struct object *first = weak(object, note_call), *second = weak(object, note_call);
        struct object *dead = weak(object, note_call);
        object_drop(&runtime, dead); /* a weak reference that dies first calls nothing */
        object_drop(&runtime, object);
        assert_int_equal(called, 2);
        assert_ptr_equal(last_called, first); /* the newest is called first */
        object_drop(&runtime, first);
        object_drop(&runtime, second);
        assert_int_equal(called, 2);
        finish();
    }
}

/* A set in a cycle with a list: set <- list <- tuple in the set. */
static struct object *set_in_a_cycle(struct list **list)
{
    struct object *set = target(), *atom = number(1);
    struct tuple *key = tuple_of(&runtime, &atom, 1);

    *list = empty_list();
    assert_int_equal(set_add(&runtime, set, &key->object), 0);
    append(*list, set);
    object_assign(&runtime, &key->items[0], object_keep(&(*list)->object));
    object_drop(&runtime, &key->object);
    object_drop(&runtime, atom);
    return set;
}

/* A collection that finds it alive turns the order in which the next one meets the containers. */
static void check_collection(int is_second)
{
    for (size_t p = 0; profile_names[p]; p++) {
        struct list *list;
        start(&profiles[p]);
        called = 0;
        struct object *set = set_in_a_cycle(&list);
        struct object *outside = weak(set, note_call), *plain = weak(set, NULL);
        struct object *inside = weak(set, note_call);
        append(list, inside); /* garbage itself: its callback is not called */
        object_drop(&runtime, inside);
        object_drop(&runtime, set);
        if (is_second)
            assert_int_equal(objects_collect(&runtime, OLDEST), 0);
        assert_int_equal(called, 0);
        drop_list(list);
        assert_int_equal(objects_collect(&runtime, OLDEST),
                         4); /* set, tuple, list, weak reference */
        assert_int_equal(called, 1);
        assert_ptr_equal(last_called, outside);
        assert_null(weakref_get(outside));
        assert_null(weakref_get(plain));
        object_drop(&runtime, outside);
        object_drop(&runtime, plain);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

static void a_collection_clears_and_calls(void **state)
{
    (void)state;
    check_collection(0);
    check_collection(1);
}

/* The callback may make garbage of its own, and drop the weak reference that it is called for. */
static struct object *dropped_by_callback;

static void drop_in_callback(struct runtime *of, struct object *weakref)
{
    struct list *list = list_new(of, 0);

    assert_ptr_equal(weakref, dropped_by_callback);
    assert_non_null(list);
    append(list, &list->object);
    drop_list(list);
    object_assign(of, &dropped_by_callback, NULL);
    called++;
}

static void a_callback_may_drop_its_weak_reference(void **state)
{
    (void)state;
    for (int by_collection = 0; by_collection < 2; by_collection++)
        for (size_t p = 0; profile_names[p]; p++) {
            struct list *list = NULL;
            start(&profiles[p]);
            called = 0;
            struct object *object = by_collection ? set_in_a_cycle(&list) : target();
            dropped_by_callback = weak(object, drop_in_callback);
            object_drop(&runtime, object);
            if (by_collection) {
                drop_list(list);
                /* set, tuple, list, and one weak reference freed on the way */
                assert_int_equal(objects_collect(&runtime, OLDEST), 4);
            }
            assert_int_equal(called, 1);
            assert_int_equal(objects_collect(&runtime, OLDEST), 1);
            finish();
        }
}

/* A strong way there and a weak way back: no collection is needed. */
static void a_weak_way_back_makes_no_cycle(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *parent = deque_new(&runtime, DEQUE_UNBOUNDED);
    struct list *child = empty_list();
    struct object *back = weak(parent, NULL);
    append(child, back);
    assert_int_equal(deque_append(&runtime, parent, &child->object), 0);
    object_drop(&runtime, back);
    drop_list(child);
    object_drop(&runtime, parent);
    assert_int_equal(gauge.object_bytes, 0);
    finish();
}

static void a_weak_reference_without_memory_is_null(void **state)
{
    (void)state;
    start(python_3_11);
    struct object *object = target();
    recording.fail_at = recording.requests + 1;
    assert_null(weakref_new(&runtime, object, NULL));
    assert_int_equal(weakref_count(object), 0);
    object_drop(&runtime, object);
    finish();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_weak_reference_has_its_size),
        cmocka_unit_test(it_names_its_object_until_that_is_gone),
        cmocka_unit_test(without_a_callback_there_is_one_of_an_object),
        cmocka_unit_test(a_callback_is_called_when_the_object_dies_and_once),
        cmocka_unit_test(a_collection_clears_and_calls),
        cmocka_unit_test(a_callback_may_drop_its_weak_reference),
        cmocka_unit_test(a_weak_way_back_makes_no_cycle),
        cmocka_unit_test(a_weak_reference_without_memory_is_null),
    };

    return cmocka_run_group_tests_name("weakref", tests, NULL, NULL);
}
