/*
 * What holds for any program: random graphs of all container types are made, linked, dropped and
 * collected, with finalizers that bring objects back and weak references that call; and every
 * count of references is what the containers and names say. Leaves out what each type promises,
 * which is in its own test. The idea is CPython's own check of gc_refs under Py_DEBUG.
 */
#include "tests/objects_fixture.h"

#include <stdio.h>

enum { NAMES = 60, WEAK_NAMES = 20, KEYS = 40, KINDS = 8, MAP_SLOTS = 1 << 16, STEPS = 30000 };

static struct object *names[NAMES], *weak_names[WEAK_NAMES], *keys[KEYS];
static struct instance_class usual, slotted, lazarus;
static struct generator_code code;
static uint64_t random_state;
static size_t callbacks, resurrections;

static uint64_t chance(uint64_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return random_state % below;
}

static struct object **any_name(void)
{
    return &names[chance(NAMES)];
}

/* One in four saves itself; the others go. */
static void maybe_rise(struct runtime *of, struct object *object)
{
    if (chance(4))
        return;
    resurrections++;
    object_assign(of, any_name(), object_keep(object));
}

static void count_call(struct runtime *of, struct object *weakref)
{
    (void)of;
    assert_null(weakref_get(weakref));
    callbacks++;
}

static struct object *yield_count(struct runtime *of, struct object **locals, uint64_t *step)
{
    (void)locals;
    return ++*step % 50 ? int_new(of, (int64_t)*step) : NULL;
}

/* A tuple around a list, so that tuples are in cycles too. */
static struct object *tuple_with_list(void)
{
    struct list *list = list_new(&runtime, 0);
    struct object *items[] = {&list->object, keys[0]};
    struct object *tuple = (struct object *)tuple_of(&runtime, items, 2);

    drop_list(list);
    return tuple;
}

static struct object *make(uint64_t kind)
{
    switch (kind) {
    case 0:
        return (struct object *)list_new(&runtime, 0);
    case 1:
        return dict_new(&runtime);
    case 2:
        return deque_new(&runtime, 40);
    case 3:
        return instance_new(&runtime, &usual);
    case 4:
        return instance_new(&runtime, &slotted);
    case 5:
        return instance_new(&runtime, &lazarus);
    case 6:
        return generator_new(&runtime, &code);
    default:
        return tuple_with_list();
    }
}

/* It stores what it was sent, so it has begun: arguments cannot lead back to one that has not. */
static void link_generator(struct object *from, struct object *to)
{
    struct object *item = generator_next(&runtime, from);
    struct object **locals = generator_locals(&runtime, from);

    if (item)
        object_drop(&runtime, item);
    if (locals)
        object_assign(&runtime, &locals[chance(2)], object_keep(to));
}

static void link_list(struct object *from, struct object *to)
{
    struct list *list = (struct list *)from;

    if (list->size < 20)
        append(list, to);
    else
        object_assign(&runtime, &list->items[chance(20)], object_keep(to));
}

/* Enough of them to reach into another block. */
static void link_deque(struct object *from, struct object *to)
{
    for (int i = 0; i < 30; i++)
        assert_int_equal(deque_append_left(&runtime, from, to), 0);
}

/* Known by its type's name, as a program knows it. */
static void link(struct object *from, struct object *to)
{
    struct object *key = keys[chance(KEYS)];
    const char *kind = from->type->name;

    if (strcmp(kind, "list") == 0)
        link_list(from, to);
    else if (strcmp(kind, "dict") == 0)
        assert_int_equal(dict_set(&runtime, from, key, to), 0);
    else if (strcmp(kind, "deque") == 0)
        link_deque(from, to);
    else if (strcmp(kind, "Usual") == 0)
        assert_int_equal(instance_set(&runtime, from, key, to), 0);
    else if (strcmp(kind, "Slotted") == 0 || strcmp(kind, "Lazarus") == 0)
        instance_set_slot(&runtime, from, chance(3), to);
    else if (strcmp(kind, "generator") == 0)
        link_generator(from, to);
    else
        link_list(((struct tuple *)from)->items[0], to);
}

/* --- Every count is what is there. --- */

static struct entry {
    const struct object *object;
    uint64_t references;
} map[MAP_SLOTS];

static struct entry *entry_of(const struct object *object)
{
    size_t at = ((uintptr_t)object >> 4) * 2654435761u % MAP_SLOTS;

    while (map[at].object && map[at].object != object)
        at = (at + 1) % MAP_SLOTS;
    map[at].object = object;
    return &map[at];
}

static void count_reference(struct object *child, void *argument)
{
    (void)argument;
    if (object_is_tracked(&runtime, child))
        entry_of(child)->references++;
}

static void count_names(struct object **held, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (held[i])
            count_reference(held[i], NULL);
}

/* What is tracked is held by names and by what is tracked: no untracked container leads to it. */
static void check_references(void)
{
    struct list *all = (struct list *)objects_get_objects(&runtime, GENERATIONS);

    memset(map, 0, sizeof map);
    count_names(names, NAMES);
    count_names(weak_names, WEAK_NAMES);
    for (size_t i = 0; i < all->size; i++)
        all->items[i]->type->traverse(all->items[i], count_reference, NULL);
    for (size_t i = 0; i < all->size; i++) {
        uint64_t outside = 1; /* `all` itself is not in the list */
        if (all->items[i] == objects_garbage(&runtime))
            outside++;
        assert_int_equal(all->items[i]->references, entry_of(all->items[i])->references + outside);
    }
    drop_list(all);
}

/* --- The program. --- */

static void begin(const struct profile *profile, uint64_t seed)
{
    const uint64_t thresholds[GENERATIONS] = {50, 5, 5};

    start(profile);
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    objects_set_threshold(&runtime, thresholds);
    assert_int_equal(class_init(&runtime, &usual, "Usual", INSTANCE_USUAL, 0, NULL), 0);
    assert_int_equal(class_init(&runtime, &slotted, "Slotted", INSTANCE_HAS_WEAKREFS, 3, NULL), 0);
    assert_int_equal(class_init(&runtime, &lazarus, "Lazarus", 0, 3, maybe_rise), 0);
    code = (struct generator_code){.resume = yield_count, .locals = 2, .stack = 3};
    for (size_t i = 0; i < KEYS; i++) {
        char text[16];
        snprintf(text, sizeof text, "key%zu", i);
        keys[i] = str_of(&runtime, text);
    }
}

static void step(void)
{
    struct object **name = any_name(), **other = any_name();
    struct object **weak_name = &weak_names[chance(WEAK_NAMES)];

    if (!*name || chance(4) == 0) {
        object_assign(&runtime, name, make(chance(KINDS)));
    } else if (chance(10) == 0) {
        object_assign(&runtime, name, NULL);
    } else if (chance(6) == 0 && (*name)->type->weak_list_offset) {
        weakref_callback *callback = chance(2) ? count_call : NULL;
        object_assign(&runtime, weak_name, weakref_new(&runtime, *name, callback));
        link(*name, *weak_name);
    } else if (*other) {
        link(*name, *other);
    }
    objects_safe_point(&runtime);
}

/* 2.7: opens what finalizers keep as garbage, with none left to rise. */
static void empty_garbage(void)
{
    struct list *garbage = (struct list *)objects_garbage(&runtime);

    for (size_t i = 0; garbage && i < garbage->size; i++)
        for (size_t slot = 0; slot < 3; slot++)
            instance_set_slot(&runtime, garbage->items[i], slot, NULL);
    if (garbage)
        garbage->object.type->clear(&runtime, &garbage->object);
}

static void end(void)
{
    lazarus.type.finalize = NULL;
    for (size_t i = 0; i < NAMES; i++)
        object_assign(&runtime, &names[i], NULL);
    for (size_t i = 0; i < WEAK_NAMES; i++)
        object_assign(&runtime, &weak_names[i], NULL);
    empty_garbage();
    objects_collect(&runtime, OLDEST);
    generator_code_finish(&runtime, &code);
    class_finish(&runtime, &usual);
    class_finish(&runtime, &slotted);
    class_finish(&runtime, &lazarus);
    for (size_t i = 0; i < KEYS; i++)
        object_drop(&runtime, keys[i]);
    finish();
}

static void counts_balance_in_any_graph(void **state)
{
    (void)state;
    for (size_t p = 0; profile_names[p]; p++)
        for (uint64_t seed = 1; seed <= 3; seed++) {
            begin(&profiles[p], seed);
            for (int i = 0; i < STEPS; i++) {
                step();
                if (i % 500 == 0)
                    check_references();
                if (chance(2000) == 0)
                    objects_collect(&runtime, (unsigned)chance(GENERATIONS));
            }
            check_references();
            assert_true(objects_get_stats(&runtime, 0).collections > 100);
            assert_true(objects_get_stats(&runtime, 1).collected > 0);
            assert_true(callbacks > 0);
            assert_true(resurrections > 0);
            end();
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_balance_in_any_graph),
    };

    return cmocka_run_group_tests_name("graph", tests, NULL, NULL);
}
