/*
 * What instances promise: CPython's sizes with attributes, slots and neither, values whose room
 * shrinks as a class has more instances, and finalizers. Leaves out weak references of other types
 * (weakref_test.c). Expected sizes are those of sys.getsizeof, and on 3.x of what tracemalloc saw,
 * 2.7.18, 3.11 and 3.13 on x86-64.
 */
#include "tests/objects_fixture.h"

#include <errno.h>
#include <stdio.h>

static struct instance_class class;

static void make_class(unsigned features, size_t slots,
                       void (*finalize)(struct runtime *, struct object *))
{
    assert_int_equal(class_init(&runtime, &class, "A", features, slots, finalize), 0);
}

static struct object *instance(void)
{
    struct object *object = instance_new(&runtime, &class);

    assert_non_null(object);
    return object;
}

/* object.name = value; takes over neither. */
static void set(struct object *object, const char *name, struct object *value)
{
    struct object *text = str_of(&runtime, name);

    assert_int_equal(instance_set(&runtime, object, text, value), 0);
    object_drop(&runtime, text);
}

static struct object *get(struct object *object, const char *name)
{
    struct object *text = str_of(&runtime, name);
    struct object *value = instance_get(&runtime, object, text);

    object_drop(&runtime, text);
    return value;
}

static size_t getsizeof(unsigned features, size_t slots)
{
    make_class(features, slots, NULL);
    struct object *object = instance();
    size_t bytes = object->type->bytes(&runtime, object);

    object_drop(&runtime, object);
    class_finish(&runtime, &class);
    return bytes;
}

static void an_instance_has_its_size(void **state)
{
    static const struct {
        unsigned features;
        size_t slots, of_2_7, of_3_8, of_3_11, of_3_13;
    } classes[] = {{INSTANCE_USUAL, 0, 64, 48, 56, 48},
                   {0, 0, 16, 32, 32, 32},
                   {0, 1, 56, 40, 40, 40},
                   {0, 2, 64, 48, 48, 48},
                   {INSTANCE_HAS_WEAKREFS, 2, 72, 56, 56, 64}};

    (void)state;
    for (size_t i = 0; i < sizeof classes / sizeof classes[0]; i++) {
        start(python_2_7);
        assert_int_equal(getsizeof(classes[i].features, classes[i].slots), classes[i].of_2_7);
        finish();
        start(python_3_8);
        assert_int_equal(getsizeof(classes[i].features, classes[i].slots), classes[i].of_3_8);
        finish();
        start(python_3_11);
        assert_int_equal(getsizeof(classes[i].features, classes[i].slots), classes[i].of_3_11);
        finish();
        start(python_3_13);
        assert_int_equal(getsizeof(classes[i].features, classes[i].slots), classes[i].of_3_13);
        finish();
    }
}

/*
 * What tracemalloc saw for each instance of `class A: pass` that is given x and y: the first ones
 * have room for thirty names, later ones for less and less.
 */
static void the_room_for_values_shrinks_with_each_instance(void **state)
{
    enum { INSTANCES = 32 };
    static const size_t of_3_11[INSTANCES] = {320, 312, 304, 296, 288, 280, 272, 256, 248, 240, 232,
                                              224, 216, 208, 200, 184, 176, 168, 160, 152, 144, 136,
                                              128, 112, 104, 96,  88,  88,  88,  88,  88,  88};
    static const size_t of_3_13[INSTANCES] = {328, 320, 312, 304, 296, 288, 272, 264, 256, 248, 240,
                                              232, 224, 216, 200, 192, 184, 176, 168, 160, 152, 144,
                                              128, 120, 112, 104, 96,  88,  88,  88,  88,  88};
    struct object *objects[INSTANCES];

    (void)state;
    for (const struct profile *profile = python_3_11; profile <= python_3_13; profile++) {
        const size_t *expected = profile == python_3_11 ? of_3_11 : of_3_13;
        start(profile);
        make_class(INSTANCE_USUAL, 0, NULL);
        for (size_t i = 0; i < INSTANCES; i++) {
            size_t before = gauge.live_bytes, reachable = gauge.object_bytes;
            objects[i] = instance();
            assert_int_equal(gauge.live_bytes - before, expected[i]);
            assert_int_equal(gauge.object_bytes - reachable, expected[i]);
            set(objects[i], "x", objects[0]);
            set(objects[i], "y", objects[0]);
        }
        for (size_t i = INSTANCES; i-- > 0;) {
            struct object *none = number(0);
            set(objects[i], "x", none);
            set(objects[i], "y", none);
            object_drop(&runtime, none);
        }
        for (size_t i = 0; i < INSTANCES; i++)
            object_drop(&runtime, objects[i]);
        class_finish(&runtime, &class);
        finish();
    }
}

/* A small table of names on 3.8, one for thirty names on later versions. */
static void the_names_of_a_class_take_a_table_on_3_x(void **state)
{
    static const size_t table_bytes[] = {0, 168, 768, 768};

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        size_t before = gauge.live_bytes;
        make_class(INSTANCE_USUAL, 0, NULL);
        assert_int_equal(gauge.live_bytes - before, table_bytes[p]);
        class_finish(&runtime, &class);
        finish();
    }
}

/* What tracemalloc saw on a real 3.8 for each instance of `class A: pass` that was given `names`.
 */
static void check_shared(const char *const *names, const size_t *live, size_t instances)
{
    struct object *objects[4];

    start(python_3_8);
    make_class(INSTANCE_USUAL, 0, NULL);
    struct object *none = number(0);
    for (size_t i = 0; i < instances; i++) {
        size_t before = gauge.live_bytes;
        objects[i] = instance();
        for (const char *name = names[i]; *name; name++)
            set(objects[i], (const char[]){*name, 0}, none);
        assert_int_equal(gauge.live_bytes - before, live[i]);
        for (const char *name = names[i]; *name; name++)
            assert_ptr_equal(get(objects[i], (const char[]){*name, 0}), none);
    }
    for (size_t i = 0; i < instances; i++)
        object_drop(&runtime, objects[i]);
    object_drop(&runtime, none);
    class_finish(&runtime, &class);
    finish();
}

/* Object and dict, then the values; or a table for five items, or for ten. */
enum {
    SPLIT = 48 + 64 + 40,
    SPLIT_OF_TEN = 48 + 64 + 80,
    JOINED = 48 + 64 + 168,
    TABLE_OF_TEN = 40 + 16 + 10 * 24,
};

static void instances_of_3_8_share_their_keys_while_they_are_alike(void **state)
{
    static const char *const alike[] = {"xy", "xy", "x"};
    static const size_t all_split[] = {SPLIT, SPLIT, SPLIT};
    static const char *const unlike[] = {"xy", "yx", "xy"};
    static const size_t split_once[] = {SPLIT, JOINED, JOINED};

    (void)state;
    check_shared(alike, all_split, 3);
    check_shared(unlike, split_once, 3);
}

/* The first one's larger table is its class's from then on; a later one's is not. */
static void a_class_of_3_8_learns_from_its_first_instance_alone(void **state)
{
    static const char *const first[] = {"abcdefg", "abcdefg"};
    static const size_t learned[] = {SPLIT_OF_TEN + TABLE_OF_TEN, SPLIT_OF_TEN};
    static const char *const later[] = {"a", "abcdefg", "a"};
    static const size_t not_learned[] = {SPLIT, 48 + 64 + TABLE_OF_TEN, JOINED};

    (void)state;
    check_shared(first, learned, 2);
    check_shared(later, not_learned, 3);
}

/* Forty names are more than a class shares: dict and table are made, 3.11 frees the values. */
static void too_many_names_make_a_dict(void **state)
{
    enum { NAMES = 40 };
    static const size_t table_bytes = 64 + 1520;

    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_class(INSTANCE_USUAL, 0, NULL);
        struct object *object = instance(), *values[NAMES];
        size_t before = gauge.object_bytes;
        size_t name_bytes = NAMES * (profiles[p].str_ascii_head_bytes + 6) + 30; /* name0, name10 */
        for (int i = 0; i < NAMES; i++) {
            char name[16];
            snprintf(name, sizeof name, "name%d", i);
            values[i] = number(i);
            set(object, name, values[i]);
        }
        if (&profiles[p] == python_3_11)
            assert_int_equal(gauge.object_bytes - before - name_bytes, table_bytes - 264);
        if (&profiles[p] == python_3_13)
            assert_int_equal(gauge.object_bytes - before - name_bytes, table_bytes);
        for (int i = 0; i < NAMES; i++) {
            char name[16];
            snprintf(name, sizeof name, "name%d", i);
            assert_ptr_equal(get(object, name), values[i]);
            object_drop(&runtime, values[i]);
        }
        assert_null(get(object, "none"));
        object_drop(&runtime, object);
        class_finish(&runtime, &class);
        finish();
    }
}

static void attributes_and_slots_hold_and_drop(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        struct object *one = number(1000), *other = number(1001);
        make_class(INSTANCE_USUAL, 0, NULL);
        struct object *object = instance();
        assert_null(get(object, "x"));
        set(object, "x", one);
        assert_int_equal(one->references, 2);
        set(object, "x", other);
        assert_int_equal(one->references, 1);
        assert_ptr_equal(get(object, "x"), other);
        object_drop(&runtime, object);
        assert_int_equal(other->references, 1);
        class_finish(&runtime, &class);

        make_class(0, 2, NULL);
        object = instance();
        assert_null(instance_get_slot(object, 1));
        instance_set_slot(&runtime, object, 1, one);
        assert_ptr_equal(instance_get_slot(object, 1), one);
        instance_set_slot(&runtime, object, 1, NULL);
        assert_int_equal(one->references, 1);
        instance_set_slot(&runtime, object, 0, other);
        object_drop(&runtime, object);
        assert_int_equal(other->references, 1);
        class_finish(&runtime, &class);
        object_drop(&runtime, one);
        object_drop(&runtime, other);
        finish();
    }
}

/* Two instances with each other as attribute, or in a slot. */
static void make_cycle(int with_slots)
{
    struct object *one = instance(), *other = instance();

    if (with_slots) {
        instance_set_slot(&runtime, one, 0, other);
        instance_set_slot(&runtime, other, 0, one);
    } else {
        set(one, "other", other);
        set(other, "other", one);
    }
    object_drop(&runtime, one);
    object_drop(&runtime, other);
}

/* The dicts of 2.7 and 3.8 are containers of their own. */
static void a_cycle_of_instances_is_collected(void **state)
{
    (void)state;
    for (int with_slots = 0; with_slots < 2; with_slots++)
        for (size_t p = 0; profile_names[p]; p++) {
            size_t dicts = !with_slots && &profiles[p] <= python_3_8 ? 2 : 0;
            start(&profiles[p]);
            make_class(with_slots ? 0 : INSTANCE_USUAL, with_slots ? 1 : 0, NULL);
            make_cycle(with_slots);
            assert_int_equal(objects_collect(&runtime, OLDEST), 2 + dicts);
            class_finish(&runtime, &class);
            assert_int_equal(gauge.object_bytes, 0);
            finish();
        }
}

static void instances_in_a_long_chain_are_freed(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_class(0, 1, NULL);
        struct object *first = instance();
        for (int i = 1; i < DEEP; i++) {
            struct object *object = instance();
            instance_set_slot(&runtime, object, 0, first);
            object_drop(&runtime, first);
            first = object;
        }
        object_drop(&runtime, first);
        class_finish(&runtime, &class);
        assert_int_equal(gauge.object_bytes, 0);
        finish();
    }
}

/* --- Finalizers. --- */

static size_t finalized;
static struct object *saved;

static void note_finalizer(struct runtime *of, struct object *object)
{
    (void)of;
    (void)object;
    finalized++;
}

static void save_itself(struct runtime *of, struct object *object)
{
    (void)of;
    finalized++;
    saved = object_keep(object);
}

static void a_finalizer_is_called_before_the_object_goes(void **state)
{
    (void)state;
    for (size_t slots = 0; slots < 2; slots++)
        for (size_t p = 0; profile_names[p]; p++) {
            start(&profiles[p]);
            finalized = 0;
            make_class(0, slots, note_finalizer);
            struct object *object = instance();
            assert_int_equal(finalized, 0);
            object_drop(&runtime, object);
            assert_int_equal(finalized, 1);
            assert_int_equal(gauge.object_bytes, 0);
            class_finish(&runtime, &class);
            finish();
        }
}

/* On 3.x a container's finalizer is called once in its life, on 2.7 each time that it dies. */
static void an_object_that_saves_itself_lives_on(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        finalized = 0;
        saved = NULL;
        make_class(0, 1, save_itself);
        object_drop(&runtime, instance());
        assert_int_equal(finalized, 1);
        assert_non_null(saved);
        assert_int_equal(saved->references, 1);
        assert_true(object_is_tracked(&runtime, saved));
        object_assign(&runtime, &saved, NULL);
        if (&profiles[p] == python_2_7) {
            assert_int_equal(finalized, 2);
            class.type.finalize = NULL;
            object_assign(&runtime, &saved, NULL);
        }
        assert_int_equal(finalized, &profiles[p] == python_2_7 ? 2 : 1);
        assert_int_equal(gauge.object_bytes, 0);
        class_finish(&runtime, &class);
        finish();
    }
}

static void finalizers_in_a_cycle_are_called_on_3_x(void **state)
{
    (void)state;
    for (size_t p = 1; profile_names[p]; p++) {
        start(&profiles[p]);
        finalized = 0;
        make_class(0, 1, note_finalizer);
        make_cycle(1);
        assert_int_equal(objects_collect(&runtime, OLDEST), 2);
        assert_int_equal(finalized, 2);
        assert_int_equal(gauge.object_bytes, 0);
        class_finish(&runtime, &class);
        finish();
    }
}

/*
 * One of two saves itself, and with it the other; later both go, without another call. The other
 * garbage, a list, goes at once, but on 3.8, where one that is saved keeps all.
 */
static void a_cycle_that_is_saved_lives_until_it_is_garbage_again(void **state)
{
    (void)state;
    for (size_t p = 1; profile_names[p]; p++) {
        start(&profiles[p]);
        finalized = 0;
        saved = NULL;
        make_class(0, 1, NULL);
        make_cycle(1);
        class.type.finalize = save_itself;
        struct list *garbage = empty_list();
        append(garbage, &garbage->object);
        drop_list(garbage);
        struct object *named = instance(), *partner = instance();
        instance_set_slot(&runtime, named, 0, partner);
        instance_set_slot(&runtime, partner, 0, named);
        object_drop(&runtime, partner);
        /* The first cycle's two save themselves, one after the other; the last one keeps a name. */
        size_t spared = &profiles[p] == python_3_8 ? 1 : 0;
        assert_int_equal(objects_collect(&runtime, OLDEST), 1 - spared);
        /* What was spared is like any other: a young container may lead to it, it may die by
         * itself.
         */
        struct object *all = objects_get_objects(&runtime, GENERATIONS);
        assert_int_equal(objects_collect(&runtime, 0), 0);
        object_drop(&runtime, all);
        if (spared)
            garbage->object.type->clear(&runtime, &garbage->object);
        assert_int_equal(finalized, 2);
        assert_non_null(saved);
        assert_non_null(instance_get_slot(saved, 0));
        class.type.finalize = NULL;
        object_drop(&runtime, instance_get_slot(saved, 0)); /* the reference of the first to save */
        object_assign(&runtime, &saved, NULL);
        object_drop(&runtime, named);
        assert_int_equal(objects_collect(&runtime, OLDEST), 4);
        assert_int_equal(gauge.object_bytes, 0);
        class_finish(&runtime, &class);
        finish();
    }
}

static void on_2_7_a_finalizer_keeps_its_cycle_as_garbage(void **state)
{
    (void)state;
    start(python_2_7);
    finalized = 0;
    make_class(0, 1, note_finalizer);
    make_cycle(1);
    assert_null(objects_garbage(&runtime));
    assert_int_equal(objects_collect(&runtime, OLDEST), 2);
    assert_int_equal(finalized, 0);
    assert_int_equal(objects_get_stats(&runtime, OLDEST).uncollectable, 2);
    struct list *garbage = (struct list *)objects_garbage(&runtime);
    assert_int_equal(garbage->size, 2);
    assert_int_equal(objects_collect(&runtime, OLDEST), 0); /* gc.garbage holds them now */
    /* As a program gets rid of it: it opens the cycle, and empties the list. */
    instance_set_slot(&runtime, garbage->items[0], 0, NULL);
    garbage->object.type->clear(&runtime, &garbage->object);
    assert_int_equal(finalized, 2);
    class_finish(&runtime, &class);
    finish();
}

static size_t weak_calls;

static void note_weak_call(struct runtime *of, struct object *weakref)
{
    (void)of;
    assert_null(weakref_get(weakref));
    weak_calls++;
    assert_int_equal(finalized, runtime.profile == python_2_7 ? 0 : 1);
}

/* 2.7 clears weak references before it calls __del__, 3.x after, when the count fell to nothing. */
static void weak_references_and_finalizers_have_their_order(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        finalized = 0;
        weak_calls = 0;
        make_class(INSTANCE_USUAL, 0, note_finalizer);
        struct object *object = instance();
        struct object *weakref = weakref_new(&runtime, object, note_weak_call);
        object_drop(&runtime, object);
        assert_int_equal(finalized, 1);
        assert_int_equal(weak_calls, 1);
        object_drop(&runtime, weakref);
        class_finish(&runtime, &class);
        finish();
    }
}

/* --- Out of memory. --- */

static int build(size_t fail_at)
{
    struct object *object = NULL, *name = NULL;
    int error = -ENOMEM;

    recording_reset();
    memset(&gauge, 0, sizeof gauge);
    recording.fail_at = fail_at;
    if (class_init(&runtime, &class, "A", INSTANCE_USUAL, 0, NULL) != 0)
        return -ENOMEM;
    object = instance_new(&runtime, &class);
    for (int i = 0; object && i < 40; i++) {
        char text[16];
        snprintf(text, sizeof text, "name%d", i);
        object_assign(&runtime, &name, str_of(&runtime, text));
        error = name ? instance_set(&runtime, object, name, name) : -ENOMEM;
        if (error)
            break;
    }
    object_assign(&runtime, &name, NULL);
    object_assign(&runtime, &object, NULL);
    class_finish(&runtime, &class);
    return error;
}

static void running_out_of_memory_leaks_nothing(void **state)
{
    (void)state;
    for (size_t p = 1; profile_names[p]; p++) {
        start(&profiles[p]);
        assert_int_equal(build(0), 0);
        objects_collect(&runtime, OLDEST);
        size_t requests = recording.requests, shared_nothing = 0;
        for (size_t k = 1; k <= requests; k++) {
            int error = build(k);
            assert_true(error == 0 || error == -ENOMEM);
            shared_nothing += error == 0;
            objects_collect(&runtime, OLDEST);
            assert_int_equal(recording.live_blocks, 0);
            assert_int_equal(gauge.object_bytes, 0);
        }
        /* 3.8: a dict of 6, 11 and 22 names has to be split to share its table, or goes without. */
        assert_int_equal(shared_nothing, &profiles[p] == python_3_8 ? 3 : 0);
        finish();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_instance_has_its_size),
        cmocka_unit_test(the_room_for_values_shrinks_with_each_instance),
        cmocka_unit_test(the_names_of_a_class_take_a_table_on_3_x),
        cmocka_unit_test(instances_of_3_8_share_their_keys_while_they_are_alike),
        cmocka_unit_test(a_class_of_3_8_learns_from_its_first_instance_alone),
        cmocka_unit_test(too_many_names_make_a_dict),
        cmocka_unit_test(attributes_and_slots_hold_and_drop),
        cmocka_unit_test(a_cycle_of_instances_is_collected),
        cmocka_unit_test(instances_in_a_long_chain_are_freed),
        cmocka_unit_test(a_finalizer_is_called_before_the_object_goes),
        cmocka_unit_test(an_object_that_saves_itself_lives_on),
        cmocka_unit_test(finalizers_in_a_cycle_are_called_on_3_x),
        cmocka_unit_test(a_cycle_that_is_saved_lives_until_it_is_garbage_again),
        cmocka_unit_test(on_2_7_a_finalizer_keeps_its_cycle_as_garbage),
        cmocka_unit_test(weak_references_and_finalizers_have_their_order),
        cmocka_unit_test(running_out_of_memory_leaks_nothing),
    };

    return cmocka_run_group_tests_name("instance", tests, NULL, NULL);
}
