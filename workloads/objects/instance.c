/*
 * Instances: see instance.h. Leaves out deleting an attribute, and __dict__, which would make a
 * dict of the values. After CPython 2.7, 3.8, 3.11 and 3.13: Objects/typeobject.c
 * (PyType_GenericAlloc, subtype_dealloc, subtype_clear), Objects/dictobject.c
 * (_PyObjectDict_SetItem of 3.8, init_inline_values, _PyInlineValuesSize,
 * _PyObject_StoreInstanceAttribute, make_dict_from_instance_attributes).
 */
#include "workloads/objects/instance.h"

#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

enum {
    NAMES_LOG2 = 6,  /* NEXT_LOG2_SHARED_KEYS_MAX_SIZE */
    NAMES_MOST = 30, /* SHARED_KEYS_MAX_SIZE */
};

struct weakref;

/* PyDictValues: a head of eight bytes or more, and the values at its end. */
struct values {
    uint8_t room;  /* values */
    uint8_t valid; /* 3.13: 0 once a dict has taken their place */
};

static const struct instance_class *class_of(const struct object *object)
{
    return (const struct instance_class *)object->type;
}

static void *field_at(const struct object *object, ptrdiff_t offset)
{
    return (void *)((uintptr_t)object + (uintptr_t)offset);
}

static struct object **dict_of(const struct object *object)
{
    return field_at(object, class_of(object)->dict_offset);
}

static struct object **slot_of(const struct object *object, size_t slot)
{
    return (struct object **)field_at(object, sizeof *object) + slot;
}

/* --- Values. --- */

static size_t round_up(size_t bytes)
{
    return (bytes + 7) & ~(size_t)7;
}

/* With one byte for each value, to tell the order in which they were set, and two or eight more. */
static size_t values_bytes(enum instance_layout layout, size_t room)
{
    size_t head_bytes = layout == INSTANCE_VALUES ? round_up(room + 2) : round_up(room) + 8;

    return head_bytes + room * sizeof(struct object *);
}

/* NULL: a dict has their place, or there never were any. */
static struct values *values_of(const struct object *object)
{
    const struct instance_class *class = class_of(object);

    if (!class->values_offset)
        return NULL;
    struct values *values = field_at(object, class->values_offset);
    if (class->values_offset < 0) /* 3.11: a pointer in front */
        return *(struct values **)(void *)values;
    return values->valid ? values : NULL;
}

static struct object **value_at(const struct instance_class *class, struct values *values,
                                size_t index)
{
    enum instance_layout layout =
        class->values_offset < 0 ? INSTANCE_VALUES : INSTANCE_INLINE_VALUES;
    size_t bytes = values_bytes(layout, values->room);

    return (struct object **)((uintptr_t)values + bytes) - values->room + index;
}

/* shared_keys_usable_size */
static size_t room_of(const struct instance_class *class)
{
    return (size_t)(class->names->items + class->names->usable);
}

/* Each instance leaves less room for names to come: most classes have few. */
static void shrink_room(struct instance_class *class)
{
    if (class->names->usable > 1)
        class->names->usable--;
}

static void values_init(struct values *values, size_t room, size_t bytes)
{
    memset(values, 0, bytes);
    values->room = (uint8_t)room;
    values->valid = 1;
}

static size_t inline_bytes(const struct runtime *runtime, const struct instance_class *class)
{
    if (!class->names || runtime->profile->instance != INSTANCE_INLINE_VALUES)
        return 0;
    return values_bytes(INSTANCE_INLINE_VALUES, room_of(class));
}

/* How much behind the instance is its values', whether they hold or not. */
static size_t inline_bytes_of(const struct runtime *runtime, const struct object *object)
{
    const struct instance_class *class = class_of(object);

    if (!class->names || runtime->profile->instance != INSTANCE_INLINE_VALUES)
        return 0;
    const struct values *values = field_at(object, class->values_offset);
    return values_bytes(INSTANCE_INLINE_VALUES, values->room);
}

/* 3.11: the block of its own that the values have. */
static size_t apart_bytes_of(const struct runtime *runtime, const struct object *object)
{
    const struct values *values = values_of(object);

    if (!values || runtime->profile->instance != INSTANCE_VALUES)
        return 0;
    return values_bytes(INSTANCE_VALUES, values->room);
}

static void free_apart(struct runtime *runtime, struct object *object)
{
    struct values **values = field_at(object, class_of(object)->values_offset);

    heap_free(&runtime->heap, runtime->profile->mem_domain, *values,
              apart_bytes_of(runtime, object));
    *values = NULL;
}

/* --- The type. --- */

/* sys.getsizeof leaves values out, in a block of their own and inline alike. */
static size_t instance_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct instance_class *class = class_of(object);
    size_t head_bytes = class->type.traverse ? runtime->profile->gc_head_bytes : 0;

    return class->before_bytes + head_bytes + class->basic_bytes;
}

/* What the gauge counts: the values are the program's too. */
static size_t reachable_bytes(const struct runtime *runtime, const struct object *object)
{
    return instance_bytes(runtime, object) + inline_bytes_of(runtime, object) +
           apart_bytes_of(runtime, object);
}

static void visit_values(const struct object *object, object_visitor *visit, void *argument)
{
    const struct instance_class *class = class_of(object);
    struct values *values = values_of(object);

    for (size_t i = 0; values && i < (size_t) class->names->items && i < values->room; i++)
        if (*value_at(class, values, i))
            visit(*value_at(class, values, i), argument);
}

static void instance_traverse(struct object *object, object_visitor *visit, void *argument)
{
    const struct instance_class *class = class_of(object);

    for (size_t i = 0; i < class->slots; i++)
        if (*slot_of(object, i))
            visit(*slot_of(object, i), argument);
    visit_values(object, visit, argument);
    if (class->dict_offset && *dict_of(object))
        visit(*dict_of(object), argument);
}

static void drop_values(struct runtime *runtime, struct object *object)
{
    const struct instance_class *class = class_of(object);
    struct values *values = values_of(object);

    for (size_t i = 0; values && i < values->room; i++)
        object_assign(runtime, value_at(class, values, i), NULL);
}

/* subtype_clear: the slots, then the attributes. */
static void instance_clear(struct runtime *runtime, struct object *object)
{
    const struct instance_class *class = class_of(object);

    for (size_t i = 0; i < class->slots; i++)
        object_assign(runtime, slot_of(object, i), NULL);
    drop_values(runtime, object);
    if (class->dict_offset)
        object_assign(runtime, dict_of(object), NULL);
}

/* 2.7 clears weak references before it calls __del__, 3.x after. Returns 1 if the object lives on.
 */
static int say_goodbye(struct runtime *runtime, struct object *object)
{
    struct weakref **weakrefs = NULL;

    if (object->type->weak_list_offset)
        weakrefs = field_at(object, object->type->weak_list_offset);
    if (weakrefs && *weakrefs && runtime->profile->finalizers_block)
        weakrefs_clear(runtime, object);
    if (object->type->finalize) {
        container_track(runtime, object);
        if (object_finalize(runtime, object))
            return 1;
        container_untrack(runtime, object);
    }
    if (weakrefs && *weakrefs)
        weakrefs_clear(runtime, object);
    return 0;
}

static void instance_dealloc(struct runtime *runtime, struct object *object)
{
    const struct instance_class *class = class_of(object);

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    if (!say_goodbye(runtime, object)) {
        runtime_dropping(runtime, reachable_bytes(runtime, object), class->slots);
        instance_clear(runtime, object);
        size_t behind_bytes = inline_bytes_of(runtime, object);
        if (apart_bytes_of(runtime, object))
            free_apart(runtime, object);
        container_free_behind(runtime, object, class->before_bytes,
                              class->basic_bytes + behind_bytes);
    }
    runtime_leave(runtime);
}

/* 2.7: a class without anything. On 3.x its instances are containers all the same. */
static void bare_dealloc(struct runtime *runtime, struct object *object)
{
    if (object_finalize(runtime, object))
        return;
    runtime_dropping(runtime, instance_bytes(runtime, object), 0);
    heap_free(&runtime->heap, HEAP_OBJECT, object, class_of(object)->basic_bytes);
}

/* --- Classes. --- */

/* The object, its slots, then what the version has in the object: all that is not in front. */
static void lay_out_2_7(struct instance_class *class, unsigned features)
{
    class->basic_bytes = sizeof(struct object) + class->slots * sizeof(struct object *);
    if (features & INSTANCE_HAS_ATTRIBUTES) {
        class->dict_offset = (ptrdiff_t) class->basic_bytes;
        class->basic_bytes += sizeof(void *);
    }
    if (features & INSTANCE_HAS_WEAKREFS) {
        class->type.weak_list_offset = (ptrdiff_t) class->basic_bytes;
        class->basic_bytes += sizeof(void *);
    }
}

/* 3.11: values, dict and the head in front; weak references behind. */
static void lay_out_3_11(struct instance_class *class, unsigned features)
{
    lay_out_2_7(class, features & INSTANCE_HAS_WEAKREFS);
    if (features & INSTANCE_HAS_ATTRIBUTES) {
        class->before_bytes = 2 * sizeof(void *);
        class->values_offset = -4 * (ptrdiff_t)sizeof(void *);
        class->dict_offset = -3 * (ptrdiff_t)sizeof(void *);
    }
}

/* 3.12 and later: weak references, dict and the head in front; 3.13 has the values behind. */
static void lay_out_3_13(struct instance_class *class, unsigned features)
{
    lay_out_2_7(class, 0);
    if (features)
        class->before_bytes = 2 * sizeof(void *);
    if (features & INSTANCE_HAS_WEAKREFS)
        class->type.weak_list_offset = -4 * (ptrdiff_t)sizeof(void *);
    if (features & INSTANCE_HAS_ATTRIBUTES) {
        class->values_offset = (ptrdiff_t) class->basic_bytes;
        class->dict_offset = -3 * (ptrdiff_t)sizeof(void *);
    }
}

static void lay_out(enum instance_layout layout, struct instance_class *class, unsigned features)
{
    switch (layout) {
    case INSTANCE_DICT:
    case INSTANCE_SPLIT_DICT:
        lay_out_2_7(class, features);
        break;
    case INSTANCE_VALUES:
        lay_out_3_11(class, features);
        break;
    case INSTANCE_INLINE_VALUES:
        lay_out_3_13(class, features);
        break;
    }
}

static const struct object_type container_type = {
    .dealloc = instance_dealloc,
    .bytes = instance_bytes,
    .traverse = instance_traverse,
    .clear = instance_clear,
};

static const struct object_type bare_type = {.dealloc = bare_dealloc, .bytes = instance_bytes};

/* _PyDict_NewKeysForClass. Returns 0 or -ENOMEM. */
static int make_names(struct runtime *runtime, struct dict_keys **names)
{
    int is_small = runtime->profile->instance == INSTANCE_SPLIT_DICT;
    struct dict_keys *keys = dict_keys_new(runtime, is_small ? DICT_KEYS_SMALLEST : NAMES_LOG2, 1);

    if (!keys)
        return -ENOMEM;
    if (!is_small)
        keys->usable = NAMES_MOST;
    *names = keys;
    return 0;
}

int class_init(struct runtime *runtime, struct instance_class *class, const char *name,
               unsigned features, size_t slots,
               void (*finalize)(struct runtime *runtime, struct object *object))
{
    enum instance_layout layout = runtime->profile->instance;
    struct dict_keys *names = NULL;

    assert(slots == 0 || !(features & INSTANCE_HAS_ATTRIBUTES));
    if (layout != INSTANCE_DICT && features & INSTANCE_HAS_ATTRIBUTES &&
        make_names(runtime, &names) != 0)
        return -ENOMEM;
    *class = (struct instance_class){.slots = slots, .names = names};
    class->type = slots || features || layout != INSTANCE_DICT ? container_type : bare_type;
    class->type.name = name;
    class->type.finalize = finalize;
    lay_out(layout, class, features);
    return 0;
}

void class_finish(struct runtime *runtime, struct instance_class *class)
{
    if (class->names)
        dict_keys_drop(runtime, class->names);
    class->names = NULL;
}

/* --- Making one. --- */

/* PyType_GenericAlloc: all zero, and tracked. */
static struct object *new_container(struct runtime *runtime, struct instance_class *class)
{
    size_t behind_bytes = inline_bytes(runtime, class);
    size_t bytes = class->basic_bytes + behind_bytes;
    struct object *object = container_alloc_behind(runtime, class->before_bytes, bytes);

    if (!object)
        return NULL;
    memset(object, 0, bytes);
    memset((char *)head_of(runtime, object) - class->before_bytes, 0, class->before_bytes);
    object->references = 1;
    object->type = &class->type;
    if (behind_bytes > 0) {
        values_init(field_at(object, class->values_offset), room_of(class), behind_bytes);
        shrink_room(class);
    }
    return object;
}

/* 3.11: the block of values, whose room is what is left after this instance has taken its share. */
static int add_values(struct runtime *runtime, struct instance_class *class, struct object *object)
{
    if (!class->names || runtime->profile->instance != INSTANCE_VALUES)
        return 0;
    shrink_room(class);
    size_t bytes = values_bytes(INSTANCE_VALUES, room_of(class));
    struct values *values = heap_malloc(&runtime->heap, runtime->profile->mem_domain, bytes);
    if (!values)
        return -ENOMEM;
    values_init(values, room_of(class), bytes);
    *(struct values **)field_at(object, class->values_offset) = values;
    return 0;
}

static struct object *new_bare(struct runtime *runtime, struct instance_class *class)
{
    struct object *object = heap_malloc(&runtime->heap, HEAP_OBJECT, class->basic_bytes);

    if (object) {
        object->references = 1;
        object->type = &class->type;
        runtime_made(runtime, instance_bytes(runtime, object), 0);
    }
    return object;
}

struct object *instance_new(struct runtime *runtime, struct instance_class *class)
{
    if (!class->type.traverse)
        return new_bare(runtime, class);
    struct object *object = new_container(runtime, class);
    if (!object)
        return NULL;
    if (add_values(runtime, class, object) != 0) {
        container_free_behind(runtime, object, class->before_bytes, class->basic_bytes);
        return NULL;
    }
    runtime_made(runtime, reachable_bytes(runtime, object), class->slots);
    container_track(runtime, object);
    return object;
}

/* --- Attributes. --- */

/* The index of that name in the class, a new one if need be; -1 when there is no room for it. */
static int64_t index_of(const struct instance_class *class, struct object *name)
{
    uint64_t hash = name->type->hash(name);
    int64_t index = dict_keys_find(class->names, name, hash);

    if (index >= 0 || class->names->usable <= 0)
        return index;
    dict_keys_add(class->names, hash, object_keep(name), NULL);
    return class->names->items - 1;
}

/* More names than a class shares: the instance gets a dict with all that it has. */
static int make_dict(struct runtime *runtime, struct object *object)
{
    const struct instance_class *class = class_of(object);
    struct values *values = values_of(object);
    size_t apart_bytes = apart_bytes_of(runtime, object);
    struct object *dict =
        dict_of_values(runtime, class->names, value_at(class, values, 0), values->room);

    if (!dict)
        return -ENOMEM;
    *dict_of(object) = dict;
    values->valid = 0;
    if (apart_bytes > 0) {
        runtime_resized(runtime, apart_bytes, 0);
        free_apart(runtime, object);
    }
    return 0;
}

/*
 * 3.8: the dict went its own way. If no other shares the class's table, its own takes that place;
 * else later instances share nothing. CPython fails where there is no memory to share it.
 */
static void replace_names(struct runtime *runtime, struct instance_class *class,
                          struct object *dict)
{
    struct dict_keys *old = class->names;

    class->names = old->references == 1 ? dict_share_keys(runtime, dict) : NULL;
    dict_keys_drop(runtime, old);
}

static int set_in_dict(struct runtime *runtime, struct object *object, struct object *name,
                       struct object *value)
{
    struct object **dict = dict_of(object);
    /* Only 3.8's is changed: a class is its caller's, and not constant. */
    struct instance_class *class = (struct instance_class *)(uintptr_t)object->type;
    int may_share = runtime->profile->instance == INSTANCE_SPLIT_DICT && class->names;

    if (!*dict)
        *dict = may_share ? dict_sharing(runtime, class->names) : dict_new(runtime);
    if (!*dict)
        return -ENOMEM;
    int did_share = may_share && dict_shares(*dict, class->names);
    int error = dict_set(runtime, *dict, name, value);
    if (did_share && !dict_shares(*dict, class->names))
        replace_names(runtime, class, *dict);
    return error;
}

int instance_set(struct runtime *runtime, struct object *object, struct object *name,
                 struct object *value)
{
    const struct instance_class *class = class_of(object);
    struct values *values = values_of(object);

    assert(class->dict_offset && object_is_str(name));
    if (!values)
        return set_in_dict(runtime, object, name, value);
    int64_t index = index_of(class, name);
    if (index < 0) {
        int error = make_dict(runtime, object);
        return error ? error : set_in_dict(runtime, object, name, value);
    }
    object_assign(runtime, value_at(class, values, (size_t)index), object_keep(value));
    return 0;
}

struct object *instance_get(const struct runtime *runtime, const struct object *object,
                            struct object *name)
{
    const struct instance_class *class = class_of(object);
    struct values *values = values_of(object);

    if (!values)
        return *dict_of(object) ? dict_get(runtime, *dict_of(object), name) : NULL;
    int64_t index = dict_keys_find(class->names, name, name->type->hash(name));
    return index < 0 ? NULL : *value_at(class, values, (size_t)index);
}

void instance_set_slot(struct runtime *runtime, struct object *object, size_t slot,
                       struct object *value)
{
    assert(slot < class_of(object)->slots);
    object_assign(runtime, slot_of(object, slot), value ? object_keep(value) : NULL);
}

struct object *instance_get_slot(const struct object *object, size_t slot)
{
    assert(slot < class_of(object)->slots);
    return *slot_of(object, slot);
}
