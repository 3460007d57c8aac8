/*
 * Plays the script of tests/objects_script.py over the object runtime and prints the same lines:
 * sizes, growth, memory and collections. Leaves out nothing that the script prints; on 2.7, whose
 * interpreter does not tell all, it prints more. tests/objects_test.py compares the two.
 *
 * usage: objects_replay PROFILE TRACKED LOCALS:STACK...
 * TRACKED: containers that the interpreter tracks as the script begins with the collector.
 */
#include "workloads/objects/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIVE = 2100, KEPT = 300000, KEYS = 9, OTHERS = 40 };

static struct runtime runtime;
static struct workload_gauge gauge;
static struct object *none;
static struct instance_class usual, wide, unlike, two_slots, weak, bare, finalized, saved;
static struct generator_code code;
static struct object *keys[KEYS], *others[OTHERS], *target;
static struct object *saved_object; /* by itself */

static const struct allocator_ops libc_ops = {.malloc = malloc, .realloc = realloc, .free = free};

/* What the script does has memory; a failure is none of its results. */
static void *have(void *object)
{
    if (!object)
        abort();
    return object;
}

static void must(int error)
{
    if (error)
        abort();
}

static size_t size_of(const struct object *object)
{
    return object->type->bytes(&runtime, object);
}

static void drop(void *object)
{
    object_drop(&runtime, object);
}

static size_t size_and_drop(void *object)
{
    size_t bytes = size_of(have(object));

    drop(object);
    return bytes;
}

static struct object *number(int64_t value)
{
    return have(int_new(&runtime, value));
}

/* --- Sizes. --- */

static const size_t lengths[] = {2, 3, 4, 7, 8, 9, 15, 16, 100, 471, 472, 1000};

static void say_strings(const char *name, enum str_kind kind)
{
    static const char characters[4000];

    printf("%s", name);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        printf(" %zu", size_and_drop(str_new(&runtime, kind, characters, lengths[i])));
    printf("\n");
}

static void say_bytes(void)
{
    static const char data[1000];

    printf("bytes");
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
        printf(" %zu", size_and_drop(bytes_new(&runtime, data, lengths[i])));
    printf("\n");
}

static void say_sequences(void)
{
    printf("tuple");
    for (size_t n = 0; n < 40; n++)
        printf(" %zu", size_and_drop(tuple_new(&runtime, n)));
    printf("\nrange");
    for (size_t n = 0; n < 40; n++)
        printf(" %zu", size_and_drop(list_of_range(&runtime, n)));
    printf("\n");
}

static void say_instances(void)
{
    printf("instances %zu", size_and_drop(instance_new(&runtime, &usual)));
    printf(" %zu", size_and_drop(instance_new(&runtime, &two_slots)));
    printf(" %zu", size_and_drop(instance_new(&runtime, &weak)));
    printf(" %zu\n", size_and_drop(instance_new(&runtime, &bare)));
    printf("weakref %zu\n", size_and_drop(weakref_new(&runtime, target, NULL)));
}

static void say_maxlen(void)
{
    struct object *deque = have(deque_new(&runtime, 100));

    for (int64_t i = 0; i < 1000; i++)
        must(deque_append(&runtime, deque, none));
    printf("maxlen %zu\n", size_and_drop(deque));
}

static void sizes(void)
{
    printf("float %zu\n", size_and_drop(float_new(&runtime, 1.5)));
    printf("int %zu", size_and_drop(number(1)));
    printf(" %zu", size_and_drop(number(1000)));
    printf(" %zu\n", size_and_drop(number((INT64_C(1) << 30) - 1)));
    say_bytes();
    say_strings("str", STR_ASCII);
    if (runtime.profile->major > 2) {
        say_strings("latin1", STR_LATIN1);
        say_strings("ucs2", STR_UCS2);
        say_strings("ucs4", STR_UCS4);
    }
    say_sequences();
    say_instances();
    say_maxlen();
}

/* --- Growth. --- */

typedef void grow(struct object *object, int64_t i);

static void growth(const char *name, struct object *object, grow *add, int64_t most)
{
    size_t bytes = size_of(have(object));

    printf("%s 0 %zu", name, bytes);
    for (int64_t i = 0; i < most; i++) {
        add(object, i);
        if (size_of(object) == bytes)
            continue;
        bytes = size_of(object);
        printf(" %lld %zu", (long long)i + 1, bytes);
    }
    printf("\n");
    drop(object);
}

static void append(struct object *object, int64_t i)
{
    struct object *item = number(i);

    must(list_append(&runtime, (struct list *)object, item));
    drop(item);
}

static void set_key(struct object *dict, struct object *key)
{
    must(dict_set(&runtime, dict, key, none));
    drop(key);
}

static void set_item(struct object *object, int64_t i)
{
    set_key(object, number(i));
}

static void set_text(struct object *object, int64_t i)
{
    char text[32];

    snprintf(text, sizeof text, "key %lld", (long long)i);
    set_key(object, have(str_of(&runtime, text)));
}

static void churn(struct object *object, int64_t i)
{
    struct object *old = number(i - 2);

    set_item(object, i);
    dict_delete(&runtime, object, old); /* the first two are not there */
    drop(old);
}

static void add_member(struct object *object, int64_t i)
{
    struct object *key = number(i);

    must(set_add(&runtime, object, key));
    drop(key);
}

static void remove_member(struct object *object, int64_t i)
{
    struct object *key = number(i);

    set_remove(&runtime, object, key); /* it may not be there */
    drop(key);
}

static void churn_set(struct object *object, int64_t i)
{
    add_member(object, i);
    remove_member(object, i - 3);
}

static void append_right(struct object *object, int64_t i)
{
    (void)i;
    must(deque_append(&runtime, object, none));
}

static void append_left(struct object *object, int64_t i)
{
    (void)i;
    must(deque_append_left(&runtime, object, none));
}

static void queue(struct object *object, int64_t i)
{
    append_right(object, i);
    if (i % 3 == 0)
        drop(have(deque_pop_left(&runtime, object)));
}

static void all_growth(void)
{
    growth("list", (struct object *)list_new(&runtime, 0), append, 20000);
    growth("dict", dict_new(&runtime), set_item, 20000);
    growth("dict of strings", dict_new(&runtime), set_text, 20000);
    growth("dict churn", dict_new(&runtime), churn, 2000);
    growth("set", set_new(&runtime), add_member, 20000);
    growth("set churn", set_new(&runtime), churn_set, 2000);
    growth("deque", deque_new(&runtime, DEQUE_UNBOUNDED), append_right, 2000);
    growth("deque left", deque_new(&runtime, DEQUE_UNBOUNDED), append_left, 2000);
    growth("queue", deque_new(&runtime, DEQUE_UNBOUNDED), queue, 2000);
}

static void say_members(const char *name, const struct object *set)
{
    struct object *key;
    size_t position = 0;

    printf("%s", name);
    while (set_next(set, &position, &key))
        printf(" %lld", (long long)int_value(key));
    printf("\n");
}

static void set_order(void)
{
    struct object *set = have(set_new(&runtime));

    for (int64_t i = 0; i < 300; i++)
        add_member(set, i * i * 7919 % 10007);
    say_members("set order", set);
    for (int64_t i = 0; i < 300; i += 3)
        remove_member(set, i * i * 7919 % 10007);
    for (int64_t i = 0; i < 20; i++)
        add_member(set, i * 4096);
    say_members("set reuse", set);
    drop(set);
}

/* --- Generators. --- */

static struct object *count_up(struct runtime *of, struct object **locals, uint64_t *step)
{
    (void)locals;
    return int_new(of, (int64_t)(*step)++);
}

static void say_generator(const char *text)
{
    char *end;
    uint64_t before = gauge.object_bytes;

    code = (struct generator_code){.resume = count_up};
    code.locals = strtoul(text, &end, 10);
    code.stack = strtoul(end + 1, NULL, 10);
    struct object *object = have(generator_new(&runtime, &code));
    printf("generator %s %llu\n", text, (unsigned long long)(gauge.object_bytes - before));
    drop(object);
    generator_code_finish(&runtime, &code);
}

/* --- Memory. --- */

typedef void make(struct object **held, int64_t i);

static struct object *held_list;

static void make_int(struct object **held, int64_t i)
{
    *held = number(1000 + i);
}

static void make_float(struct object **held, int64_t i)
{
    *held = have(float_new(&runtime, (double)i + 0.5));
}

static void make_tuple(struct object **held, int64_t i)
{
    struct object *items[] = {held_list, none, none};

    (void)i;
    *held = have(tuple_of(&runtime, items, 3));
}

static void make_list(struct object **held, int64_t i)
{
    *held = have(list_new(&runtime, 0));
    for (int item = 0; item < 5; item++)
        must(list_append(&runtime, (struct list *)*held, none));
    (void)i;
}

static void fill_dict(struct object **held, struct object **of, size_t count)
{
    *held = have(dict_new(&runtime));
    for (size_t i = 0; i < count; i++)
        must(dict_set(&runtime, *held, of[i], none));
}

static void make_small_dict(struct object **held, int64_t i)
{
    (void)i;
    fill_dict(held, keys, 1);
}

static void make_dict(struct object **held, int64_t i)
{
    (void)i;
    fill_dict(held, keys, KEYS);
}

static void make_int_dict(struct object **held, int64_t i)
{
    (void)i;
    fill_dict(held, others, OTHERS);
}

static void make_set(struct object **held, int64_t i)
{
    *held = have(set_new(&runtime));
    for (size_t key = 0; key < OTHERS; key++)
        must(set_add(&runtime, *held, others[key]));
    (void)i;
}

static void make_deque(struct object **held, int64_t i)
{
    *held = have(deque_new(&runtime, DEQUE_UNBOUNDED));
    for (int item = 0; item < 2 * OTHERS; item++)
        append_right(*held, i);
}

/* Each character of `names` is one. */
static void make_instance(struct object **held, struct instance_class *class, const char *names)
{
    *held = have(instance_new(&runtime, class));
    for (; *names; names++) {
        struct object *text = have(str_new(&runtime, STR_ASCII, names, 1));
        must(instance_set(&runtime, *held, text, none));
        drop(text);
    }
}

static void make_usual(struct object **held, int64_t i)
{
    (void)i;
    make_instance(held, &usual, "xy");
}

static void make_wide(struct object **held, int64_t i)
{
    (void)i;
    make_instance(held, &wide, "abcdefg");
}

static void make_unlike(struct object **held, int64_t i)
{
    make_instance(held, &unlike, i % 3 ? "xyz" : "yxz");
}

static void make_slots(struct object **held, int64_t i)
{
    (void)i;
    *held = have(instance_new(&runtime, &two_slots));
}

static void make_generator(struct object **held, int64_t i)
{
    (void)i;
    *held = have(generator_new(&runtime, &code));
}

static void ignore(struct runtime *of, struct object *weakref)
{
    (void)of;
    (void)weakref;
}

static void make_weakref(struct object **held, int64_t i)
{
    (void)i;
    *held = have(weakref_new(&runtime, target, ignore));
}

/* What the interpreter makes to tell two or three numbers. */
static void tell(size_t numbers)
{
    drop(have(tuple_new(&runtime, numbers)));
}

static void live(const char *name, make *one)
{
    static struct object *held[LIVE];
    long long before;

    one(&held[0], 0);
    drop(held[0]);
    objects_collect(&runtime, OLDEST);
    tell(2);
    before = (long long)gauge.live_bytes;
    for (int64_t i = 0; i < LIVE; i++)
        one(&held[i], i);
    printf("live %s %lld", name, (long long)gauge.live_bytes - before);
    for (size_t i = 0; i < LIVE; i++)
        drop(held[i]);
    printf(" %lld", (long long)gauge.live_bytes - before);
    objects_collect(&runtime, OLDEST);
    printf(" %lld\n", (long long)gauge.live_bytes - before);
}

static void all_live(void)
{
    objects_enable(&runtime, 0);
    live("int", make_int);
    live("float", make_float);
    live("tuple", make_tuple);
    live("list", make_list);
    live("small_dict", make_small_dict);
    live("dict", make_dict);
    live("int_dict", make_int_dict);
    live("set", make_set);
    live("deque", make_deque);
    live("usual", make_usual);
    live("wide", make_wide);
    live("unlike", make_unlike);
    live("slots", make_slots);
    live("generator", make_generator);
    live("weakref", make_weakref);
    objects_enable(&runtime, 1);
}

/* --- What a collection finds. --- */

static void garbage_list(void)
{
    struct list *made = have(list_new(&runtime, 0));

    must(list_append(&runtime, made, &made->object));
    drop(made);
}

static void garbage_tuple(void)
{
    struct list *made = have(list_new(&runtime, 0));
    struct object *item = &made->object, *tuple = have(tuple_of(&runtime, &item, 1));

    must(list_append(&runtime, made, tuple));
    drop(tuple);
    drop(made);
}

static void garbage_dict(void)
{
    struct object *made = have(dict_new(&runtime)), *key = number(1);

    must(dict_set(&runtime, made, key, made));
    drop(key);
    drop(made);
}

static void garbage_deque(void)
{
    struct object *made = have(deque_new(&runtime, DEQUE_UNBOUNDED));

    must(deque_append(&runtime, made, made));
    drop(made);
}

static void garbage_instance(void)
{
    struct object *made = have(instance_new(&runtime, &usual)), *name = have(str_of(&runtime, "x"));

    must(instance_set(&runtime, made, name, made));
    drop(name);
    drop(made);
}

static void hold_itself(struct instance_class *class)
{
    struct object *made = have(instance_new(&runtime, class));

    instance_set_slot(&runtime, made, 0, made);
    drop(made);
}

static void garbage_slots(void)
{
    hold_itself(&two_slots);
}

static void garbage_finalizer(void)
{
    hold_itself(&finalized);
}

static void add_weakref(struct list *list, struct object *to, weakref_callback *callback)
{
    struct object *reference = have(weakref_new(&runtime, to, callback));

    must(list_append(&runtime, list, reference));
    drop(reference);
}

static void garbage_weakref(void)
{
    struct object *made = have(instance_new(&runtime, &weak));
    struct list *list = have(list_new(&runtime, 3));

    must(list_append(&runtime, list, made));
    add_weakref(list, made, ignore);
    add_weakref(list, made, NULL);
    instance_set_slot(&runtime, made, 0, &list->object);
    drop(list);
    drop(made);
}

static void garbage_weak_list(void)
{
    struct list *made = have(list_new(&runtime, 2));

    add_weakref(made, target, ignore);
    add_weakref(made, target, NULL);
    must(list_append(&runtime, made, &made->object));
    drop(made);
}

static struct object *generator_in_its_list(void)
{
    struct list *held = have(list_new(&runtime, 0));
    struct object *made = have(generator_new(&runtime, &code));

    generator_locals(&runtime, made)[1] = &held->object;
    must(list_append(&runtime, held, made));
    return made;
}

static void garbage_generator(void)
{
    struct object *made = generator_in_its_list();

    drop(have(generator_next(&runtime, made)));
    drop(made);
}

static void garbage_unbegun(void)
{
    drop(generator_in_its_list());
}

/* The program empties gc.garbage: it opens the cycles, then drops what was in it. */
static size_t empty_garbage(void)
{
    struct list *garbage = (struct list *)objects_garbage(&runtime);
    size_t size = garbage ? garbage->size : 0;

    for (size_t i = 0; i < size; i++)
        instance_set_slot(&runtime, garbage->items[i], 0, NULL);
    if (garbage)
        garbage->object.type->clear(&runtime, &garbage->object);
    return size;
}

/* In a list of the program's, of which the interpreter knows. */
static void found_saved(void)
{
    objects_collect(&runtime, OLDEST);
    struct object *made = have(instance_new(&runtime, &saved));
    struct list *holder = have(list_new(&runtime, 1));
    must(list_append(&runtime, holder, made));
    instance_set_slot(&runtime, made, 0, &holder->object);
    drop(holder);
    drop(made);
    garbage_list();
    size_t first = objects_collect(&runtime, OLDEST);
    object_assign(&runtime, &saved_object, NULL);
    size_t second = objects_collect(&runtime, OLDEST);
    printf("found saved %zu %zu %zu\n", first, second, objects_collect(&runtime, OLDEST));
}

static void found(void)
{
    static const struct {
        const char *name;
        void (*make)(void);
    } kinds[] = {{"list", garbage_list},           {"tuple", garbage_tuple},
                 {"dict", garbage_dict},           {"deque", garbage_deque},
                 {"instance", garbage_instance},   {"slots", garbage_slots},
                 {"finalizer", garbage_finalizer}, {"weakref", garbage_weakref},
                 {"weak_list", garbage_weak_list}, {"generator", garbage_generator},
                 {"unbegun", garbage_unbegun}};

    objects_enable(&runtime, 0);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        objects_collect(&runtime, OLDEST);
        kinds[i].make();
        size_t unreachable = objects_collect(&runtime, OLDEST);
        printf("found %s %zu %zu\n", kinds[i].name, unreachable, empty_garbage());
    }
    if (runtime.profile->major > 2)
        found_saved();
    objects_enable(&runtime, 1);
}

/* --- The collector. --- */

static void keep(struct object **held, void *object)
{
    object_assign(&runtime, held, have(object));
}

static void keep_list(struct object **held, int64_t i)
{
    (void)i;
    keep(held, list_new(&runtime, 0));
}

static void keep_tuple(struct object **held, int64_t i)
{
    struct object *item = number(i);

    keep(held, tuple_of(&runtime, &item, 1));
    drop(item);
}

/* The inner one is made first. */
static void keep_dict_in_list(struct object **held, int64_t i)
{
    struct object *dict = have(dict_new(&runtime));
    struct list *list = have(list_new(&runtime, 1));

    must(list_append(&runtime, list, dict));
    drop(dict);
    keep(held, list);
    (void)i;
}

static void drop_cycle(struct object **held, int64_t i)
{
    struct list *list = have(list_new(&runtime, 1));

    must(list_append(&runtime, list, &list->object));
    drop(list);
    (void)held;
    (void)i;
}

static struct list *list_of_none(size_t size)
{
    struct list *list = have(list_new(&runtime, size));

    for (size_t i = 0; i < size; i++)
        must(list_append(&runtime, list, none));
    return list;
}

static struct list *spare_objects(void)
{
    struct list *spare = have(list_new(&runtime, 0));
    struct object *held = NULL;

    for (size_t i = 0; i < 200; i++) {
        keep_dict_in_list(&held, 0);
        must(list_append(&runtime, spare, held));
    }
    object_assign(&runtime, &held, NULL);
    return spare;
}

static void counts(const char *name, make *one)
{
    struct list *held = list_of_none(KEPT), *found = list_of_none(60), *spare = spare_objects();
    uint64_t now[GENERATIONS];

    one(&held->items[0], 0);
    objects_collect(&runtime, OLDEST);
    printf("counts %s", name);
    for (int64_t i = 0; i < KEPT; i++) {
        one(&held->items[i], i);
        objects_safe_point(&runtime);
        if (i % (KEPT / 20) != 777)
            continue;
        objects_get_count(&runtime, now);
        tell(3);
        printf(" %llu %llu %llu", (unsigned long long)now[0], (unsigned long long)now[1],
               (unsigned long long)now[2]);
    }
    printf("\n");
    drop(spare);
    drop(found);
    drop(held);
}

static void collections_of(const char *name, make *one)
{
    struct list *held = list_of_none(KEPT);
    uint64_t collections[GENERATIONS], collected[GENERATIONS];

    for (unsigned i = 0; i < GENERATIONS; i++) {
        collections[i] = objects_get_stats(&runtime, i).collections;
        collected[i] = objects_get_stats(&runtime, i).collected;
    }
    objects_collect(&runtime, OLDEST);
    for (int64_t i = 0; i < KEPT; i++) {
        one(&held->items[i], i);
        objects_safe_point(&runtime);
    }
    printf("collections %s", name);
    for (unsigned i = 0; i < GENERATIONS; i++)
        printf(" %llu",
               (unsigned long long)(objects_get_stats(&runtime, i).collections - collections[i]));
    for (unsigned i = 0; i < GENERATIONS; i++)
        printf(" %llu",
               (unsigned long long)(objects_get_stats(&runtime, i).collected - collected[i]));
    printf("\n");
    drop(held);
}

static void collector(size_t tracked)
{
    static const struct {
        const char *name;
        make *one;
    } kinds[] = {{"keep_list", keep_list},
                 {"keep_tuple", keep_tuple},
                 {"keep_dict_in_list", keep_dict_in_list},
                 {"drop_cycle", drop_cycle}};
    struct list *interpreter = have(list_new(&runtime, tracked));

    for (size_t i = 1; i < tracked; i++) {
        struct list *list = have(list_new(&runtime, 0));
        must(list_append(&runtime, interpreter, &list->object));
        drop(list);
    }
    objects_collect(&runtime, OLDEST);
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        counts(kinds[i].name, kinds[i].one);
        collections_of(kinds[i].name, kinds[i].one);
    }
    drop(interpreter);
}

/* --- The program. --- */

static void say_nothing(struct runtime *of, struct object *object)
{
    (void)of;
    (void)object;
}

static void save(struct runtime *of, struct object *object)
{
    (void)of;
    saved_object = object_keep(object);
}

static void begin(const struct profile *profile)
{
    must(runtime_init(&runtime, profile, &libc_ops, &libc_ops, &gauge));
    none = number(0);
    must(class_init(&runtime, &usual, "Usual", INSTANCE_USUAL, 0, NULL));
    must(class_init(&runtime, &wide, "Wide", INSTANCE_USUAL, 0, NULL));
    must(class_init(&runtime, &unlike, "Unlike", INSTANCE_USUAL, 0, NULL));
    must(class_init(&runtime, &saved, "Saved", 0, 1, save));
    must(class_init(&runtime, &two_slots, "TwoSlots", 0, 2, NULL));
    must(class_init(&runtime, &weak, "Weak", INSTANCE_HAS_WEAKREFS, 1, NULL));
    must(class_init(&runtime, &bare, "Bare", 0, 0, NULL));
    must(class_init(&runtime, &finalized, "Finalized", 0, 1, say_nothing));
    target = have(instance_new(&runtime, &weak));
    held_list = have(list_new(&runtime, 0));
    for (size_t i = 0; i < KEYS; i++) {
        char text[32];
        snprintf(text, sizeof text, "name of key %zu", i);
        keys[i] = have(str_of(&runtime, text));
    }
    for (size_t i = 0; i < OTHERS; i++)
        others[i] = number((int64_t)i * 1000);
}

static int end(void)
{
    for (size_t i = 0; i < KEYS; i++)
        drop(keys[i]);
    for (size_t i = 0; i < OTHERS; i++)
        drop(others[i]);
    drop(held_list);
    drop(target);
    objects_collect(&runtime, OLDEST);
    generator_code_finish(&runtime, &code);
    class_finish(&runtime, &usual);
    class_finish(&runtime, &wide);
    class_finish(&runtime, &unlike);
    drop(none);
    runtime_finish(&runtime);
    return gauge.live_bytes == 0 && gauge.object_bytes == 0 ? 0 : 1;
}

int main(int count, char **arguments)
{
    for (size_t i = 0; count > 3 && profile_names[i]; i++) {
        if (strcmp(arguments[1], profile_names[i]) != 0)
            continue;
        begin(&profiles[i]);
        sizes();
        all_growth();
        set_order();
        for (int argument = count - 1; argument >= 3; argument--) /* the first is used below */
            say_generator(arguments[argument]);
        all_live();
        found();
        collector(strtoul(arguments[2], NULL, 10));
        return end();
    }
    fprintf(stderr, "usage: objects_replay PROFILE TRACKED LOCALS:STACK...\n");
    return 2;
}
