/*
 * What generators promise: the items of their function, sizes that follow their frame, and to 3.8
 * frames that are objects and are kept. Leaves out weak references to them (weakref_test.c).
 * Expected sizes are those of sys.getsizeof, 2.7.18, 3.8.18, 3.11 and 3.13 on x86-64.
 */
#include "tests/objects_fixture.h"

enum { COUNT = 0, HELD = 1 };

/* def count(n, held): for i in range(n): yield i */
static struct object *count_up(struct runtime *of, struct object **locals, uint64_t *step)
{
    if ((int64_t)*step >= int_value(locals[COUNT]))
        return NULL;
    return int_new(of, (int64_t)(*step)++);
}

static struct generator_code code;

static void make_code(size_t locals, size_t stack)
{
    code = (struct generator_code){.resume = count_up, .locals = locals, .stack = stack};
}

static struct object *generator(int64_t n)
{
    struct object *object = generator_new(&runtime, &code);

    assert_non_null(object);
    generator_locals(&runtime, object)[COUNT] = number(n);
    return object;
}

/* Collects first: what is garbage may hold a frame of the code. */
static void finish_code(void)
{
    objects_collect(&runtime, OLDEST);
    generator_code_finish(&runtime, &code);
    assert_int_equal(gauge.object_bytes, 0);
    finish();
}

static void a_generator_is_as_large_as_its_frame(void **state)
{
    (void)state;
    for (size_t slots = 5; slots < 20; slots++) {
        start(python_2_7);
        make_code(2, slots - 2);
        struct object *object = generator(1);
        assert_int_equal(object->type->bytes(&runtime, object), 80);
        assert_int_equal(gauge.object_bytes, 80 + 32 + 376 + slots * 8); /* and a frame */
        object_drop(&runtime, object);
        finish_code();
        start(python_3_8);
        object = generator(1);
        assert_int_equal(object->type->bytes(&runtime, object), 112);
        assert_int_equal(gauge.object_bytes, 112 + 16 + 360 + slots * 8);
        assert_int_equal(gauge.live_bytes,
                         112 + 16 + 368 + slots * 8); /* a slot more is asked for */
        object_drop(&runtime, object);
        finish_code();
        start(python_3_11);
        object = generator(1);
        assert_int_equal(gauge.object_bytes, 168 + slots * 8);
        object_drop(&runtime, object);
        finish_code();
        start(python_3_13);
        object = generator(1);
        assert_int_equal(gauge.object_bytes, 160 + slots * 8);
        object_drop(&runtime, object);
        finish_code();
    }
}

static void a_generator_yields_until_its_function_ends(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_code(2, 3);
        struct object *object = generator(1000), *held = number(5000), *item;
        generator_locals(&runtime, object)[HELD] = object_keep(held);
        for (int64_t i = 0; i < 1000; i++) {
            item = generator_next(&runtime, object);
            assert_int_equal(int_value(item), i);
            object_drop(&runtime, item);
        }
        assert_int_equal(held->references, 2);
        assert_null(generator_next(&runtime, object));
        assert_int_equal(held->references, 1); /* its locals went with its end */
        assert_null(generator_next(&runtime, object));
        assert_null(generator_locals(&runtime, object));
        object_drop(&runtime, object);
        object_drop(&runtime, held);
        finish_code();
    }
}

static void a_generator_dropped_on_the_way_drops_its_locals(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++)
        for (size_t p = 0; profile_names[p]; p++) {
            start(&profiles[p]);
            make_code(2, 3);
            struct object *object = generator(1000), *held = number(5000);
            generator_locals(&runtime, object)[HELD] = object_keep(held);
            if (begun)
                object_drop(&runtime, generator_next(&runtime, object));
            object_drop(&runtime, object);
            assert_int_equal(held->references, 1);
            object_drop(&runtime, held);
            finish_code();
        }
}

/* One frame stays with the code, 200 more wait for any; a full collection frees those. */
static void check_kept_frames(const struct profile *profile)
{
    enum { GENERATORS = 300 };
    struct object *objects[GENERATORS];

    start(profile);
    make_code(2, 3);
    size_t before = recording.live_blocks;
    for (size_t i = 0; i < GENERATORS; i++)
        objects[i] = generator(1);
    for (size_t i = 0; i < GENERATORS; i++)
        object_drop(&runtime, objects[i]);
    assert_int_equal(recording.live_blocks, before + 201);
    size_t made = recording.made_count;
    struct object *again = generator(1);
    assert_int_equal(recording.made_count, made + 1); /* the generator itself */
    object_drop(&runtime, again);
    objects_collect(&runtime, OLDEST);
    assert_int_equal(recording.live_blocks, before + 1);
    finish_code();
}

static void dead_frames_to_3_8_are_kept(void **state)
{
    (void)state;
    check_kept_frames(python_2_7);
    check_kept_frames(python_3_8);
}

/* PyObject_GC_Resize: a frame that waits and is too small is made larger. */
static void a_larger_code_takes_over_a_frame_that_waits(void **state)
{
    (void)state;
    start(python_2_7);
    make_code(2, 3);
    struct object *one = generator(1), *other = generator(1);
    struct generator_code large = {.resume = count_up, .locals = 10, .stack = 50};
    object_drop(&runtime, one);
    object_drop(&runtime, other);
    assert_int_equal(runtime.frames.count, 1);
    struct object *object = generator_new(&runtime, &large);
    assert_int_equal(runtime.frames.count, 0);
    assert_int_equal(gauge.object_bytes, 80 + 32 + 376 + 60 * 8);
    assert_int_equal(gauge.live_bytes, recording.live_bytes);
    object_drop(&runtime, object);
    generator_code_finish(&runtime, &large);
    finish_code();
}

/* Begun or not, in a list that it holds; as real CPythons were seen to do. */
static void a_cycle_through_a_generator_is_collected(void **state)
{
    (void)state;
    for (int begun = 0; begun < 2; begun++)
        for (size_t p = 0; profile_names[p]; p++) {
            size_t found = 0; /* what gc.collect() says: once closed, nothing is left of it */
            if (&profiles[p] == python_2_7)
                found = 3; /* list, generator and frame */
            else if (&profiles[p] == python_3_13 && !begun)
                found = 2;
            start(&profiles[p]);
            make_code(2, 3);
            struct object *object = generator(1000);
            struct list *list = empty_list();
            append(list, object);
            generator_locals(&runtime, object)[HELD] = object_keep(&list->object);
            if (begun)
                object_drop(&runtime, generator_next(&runtime, object));
            drop_list(list);
            object_drop(&runtime, object);
            assert_int_equal(objects_collect(&runtime, OLDEST), found);
            assert_int_equal(gauge.object_bytes, 0);
            finish_code();
        }
}

/* It holds itself, with no other container between. */
static void a_generator_that_holds_itself_is_collected_once_begun(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_code(2, 3);
        struct object *object = generator(1000);
        generator_locals(&runtime, object)[HELD] = object_keep(object);
        object_drop(&runtime, generator_next(&runtime, object));
        object_drop(&runtime, object);
        objects_collect(&runtime, OLDEST);
        assert_int_equal(gauge.object_bytes, 0);
        finish_code();
    }
}

static void a_chain_of_generators_is_freed(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_code(2, 3);
        struct object *outermost = generator(1);
        for (int depth = 0; depth < 100000; depth++) {
            struct object *object = generator(1);
            generator_locals(&runtime, object)[HELD] = outermost;
            outermost = object;
        }
        object_drop(&runtime, outermost);
        assert_int_equal(gauge.object_bytes, 0);
        finish_code();
    }
}

static void a_generator_without_memory_is_null(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++) {
        start(&profiles[p]);
        make_code(2, 3);
        size_t blocks = recording.live_blocks;
        size_t needed = &profiles[p] <= python_3_8 ? 2 : 1; /* a frame, and the generator */
        for (size_t k = 1; k <= needed; k++) {
            recording.fail_at = recording.requests + k;
            assert_null(generator_new(&runtime, &code));
            assert_int_equal(gauge.object_bytes, 0);
        }
        assert_int_equal(recording.live_blocks, blocks + needed - 1); /* the code keeps the frame */
        finish_code();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_generator_is_as_large_as_its_frame),
        cmocka_unit_test(a_generator_yields_until_its_function_ends),
        cmocka_unit_test(a_generator_dropped_on_the_way_drops_its_locals),
        cmocka_unit_test(dead_frames_to_3_8_are_kept),
        cmocka_unit_test(a_larger_code_takes_over_a_frame_that_waits),
        cmocka_unit_test(a_cycle_through_a_generator_is_collected),
        cmocka_unit_test(a_generator_that_holds_itself_is_collected_once_begun),
        cmocka_unit_test(a_chain_of_generators_is_freed),
        cmocka_unit_test(a_generator_without_memory_is_null),
    };

    return cmocka_run_group_tests_name("generator", tests, NULL, NULL);
}
