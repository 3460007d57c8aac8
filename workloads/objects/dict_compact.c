/*
 * Dicts of 3.x: an object of 48 bytes and a key table, none while it is empty. Leaves out the split
 * form, in which instances share their keys: instance.c has it. After CPython Objects/dictobject.c,
 * 3.11 and 3.13 (insertdict, insert_to_emptydict, insertion_resize, dictresize, delitem_common,
 * dict_dealloc).
 */
#include "workloads/objects/dict.h"
#include "workloads/objects/dict_keys.h"
#include "workloads/objects/runtime.h"

#include <errno.h>
#include <stdint.h>

struct dict { /* PyDictObject */
    struct object object;
    size_t used;
    uint64_t version;       /* CPython's caches use it */
    struct dict_keys *keys; /* NULL: the one that all empty dicts share */
    void *values;           /* of the split form, not used here */
};

_Static_assert(sizeof(struct dict) == 48, "3.x's PyDictObject");

static size_t keys_bytes(const struct dict_keys *keys)
{
    return keys ? dict_keys_bytes(keys) : 0;
}

static size_t compact_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct dict *dict = (const struct dict *)object;

    return runtime->profile->gc_head_bytes + sizeof *dict + keys_bytes(dict->keys);
}

static uint64_t item_hash(const struct dict_keys *keys, int64_t item)
{
    struct object *key = *dict_keys_key(keys, item);

    return keys->strings ? key->type->hash(key)
                         : ((struct dict_item *)dict_keys_items(keys))[item].hash;
}

/* The items move in their order, without the gaps. */
static void move_items(struct dict_keys *to, const struct dict_keys *from)
{
    for (int64_t item = 0; item < from->items; item++)
        if (*dict_keys_key(from, item))
            dict_keys_add(to, item_hash(from, item), *dict_keys_key(from, item),
                          *dict_keys_value(from, item));
}

/*
 * insertion_resize: a table of three times the items, or the first one. Returns 0 or -ENOMEM.
 */
static int resize(struct runtime *runtime, struct dict *dict, int strings)
{
    struct dict_keys *old = dict->keys;
    struct dict_keys *keys = dict_keys_new(runtime, dict_keys_log2(dict->used * 3), strings);

    if (!keys)
        return -ENOMEM;
    runtime_resized(runtime, keys_bytes(old), dict_keys_bytes(keys));
    dict->keys = keys;
    if (old) {
        move_items(keys, old);
        dict_keys_free(runtime, old);
    }
    return 0;
}

/* The table changes its form when the first key comes that is no string. */
static int make_fit(struct runtime *runtime, struct dict *dict, const struct object *key)
{
    int is_string = object_is_str(key);

    if (!dict->keys)
        return resize(runtime, dict, is_string);
    if (dict->keys->strings && !is_string)
        return resize(runtime, dict, 0);
    return 0;
}

static int compact_set(struct runtime *runtime, struct object *object, struct object *key,
                       struct object *value)
{
    struct dict *dict = (struct dict *)object;
    uint64_t hash = key->type->hash(key);
    int error = make_fit(runtime, dict, key);

    if (error)
        return error;
    int64_t item = dict_keys_find(dict->keys, key, hash);
    dict_maintain_tracking(runtime, object, key, value);
    if (item >= 0) {
        object_assign(runtime, dict_keys_value(dict->keys, item), object_keep(value));
        return 0;
    }
    if (dict->keys->usable <= 0 && resize(runtime, dict, dict->keys->strings) != 0)
        return -ENOMEM;
    dict_keys_add(dict->keys, hash, object_keep(key), object_keep(value));
    dict->used++;
    return 0;
}

static struct object *compact_get(const struct object *object, struct object *key)
{
    const struct dict *dict = (const struct dict *)object;

    if (!dict->keys)
        return NULL;
    int64_t item = dict_keys_find(dict->keys, key, key->type->hash(key));
    return item < 0 ? NULL : *dict_keys_value(dict->keys, item);
}

static int compact_delete(struct runtime *runtime, struct object *object, struct object *key)
{
    struct dict *dict = (struct dict *)object;
    uint64_t hash = key->type->hash(key);
    int64_t item = dict->keys ? dict_keys_find(dict->keys, key, hash) : -1;

    if (item < 0)
        return -ENOENT;
    struct object *old_key = *dict_keys_key(dict->keys, item);
    struct object *old_value = *dict_keys_value(dict->keys, item);
    dict_keys_remove(dict->keys, hash, item);
    dict->used--;
    object_drop(runtime, old_key);
    object_drop(runtime, old_value);
    return 0;
}

/* dictkeys_decref: the items in their order, then the table. */
static void drop_keys(struct runtime *runtime, struct dict_keys *keys)
{
    if (!keys)
        return;
    for (int64_t item = 0; item < keys->items; item++)
        if (*dict_keys_key(keys, item)) {
            object_drop(runtime, *dict_keys_key(keys, item));
            object_drop(runtime, *dict_keys_value(keys, item));
        }
    dict_keys_free(runtime, keys);
}

/* The dict is empty before the first item goes: that drop may lead back to it. */
static void compact_clear(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;
    struct dict_keys *keys = dict->keys;

    dict->keys = NULL;
    dict->used = 0;
    gauge_subtract(runtime->dying_bytes, keys_bytes(keys));
    drop_keys(runtime, keys);
}

static size_t compact_length(const struct object *object)
{
    return ((const struct dict *)object)->used;
}

static int compact_next(const struct object *object, size_t *position, struct object **key,
                        struct object **value)
{
    const struct dict *dict = (const struct dict *)object;
    int64_t items = dict->keys ? dict->keys->items : 0;
    int64_t item = (int64_t)*position;

    while (item < items && !*dict_keys_key(dict->keys, item))
        item++;
    if (item >= items)
        return 0;
    *key = *dict_keys_key(dict->keys, item);
    *value = *dict_keys_value(dict->keys, item);
    *position = (size_t)item + 1;
    return 1;
}

static void compact_dealloc(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    runtime_dropping(runtime, compact_bytes(runtime, object), dict->used);
    drop_keys(runtime, dict->keys);
    if (!free_list_push(&runtime->dicts, object, runtime->profile->dict_free_most))
        container_free(runtime, object, sizeof *dict);
    runtime_leave(runtime);
}

/* Keys that are strings lead nowhere. */
static void compact_traverse(struct object *object, object_visitor *visit, void *argument)
{
    const struct dict *dict = (const struct dict *)object;
    struct object *key, *value;
    size_t position = 0;

    while (compact_next(object, &position, &key, &value)) {
        if (!dict->keys->strings)
            visit(key, argument);
        visit(value, argument);
    }
}

static int compact_may_untrack(const struct runtime *runtime, const struct object *object)
{
    struct object *key, *value;
    size_t position = 0;

    while (compact_next(object, &position, &key, &value))
        if (object_may_be_tracked(runtime, key) || object_may_be_tracked(runtime, value))
            return 0;
    return 1;
}

static const struct object_type compact_type = {
    .name = "dict",
    .dealloc = compact_dealloc,
    .bytes = compact_bytes,
    .traverse = compact_traverse,
    .clear = compact_clear,
    .may_untrack = compact_may_untrack,
    .untracking = UNTRACKED_BY_FULL_COLLECTION,
};

/* Not tracked until something is in it that may be. */
static struct object *compact_new(struct runtime *runtime)
{
    struct object *object = free_list_pop(&runtime->dicts);

    if (object)
        container_renew(runtime, object);
    else
        object = container_alloc(runtime, sizeof(struct dict));
    if (!object)
        return NULL;
    *(struct dict *)object = (struct dict){.object = {.references = 1, .type = &compact_type}};
    runtime_made(runtime, compact_bytes(runtime, object), 0);
    observed_object(runtime, object);
    return object;
}

/* How many are set. */
static size_t count_values(struct object *const *values, size_t room)
{
    size_t count = 0;

    for (size_t i = 0; i < room; i++)
        count += values[i] != NULL;
    return count;
}

/* As make_dict_from_instance_attributes and the growth that follows at once. */
struct object *dict_of_values(struct runtime *runtime, const struct dict_keys *names,
                              struct object **values, size_t room)
{
    struct object *object = compact_new(runtime);
    struct dict *dict = (struct dict *)object;

    if (!object)
        return NULL;
    dict->used = count_values(values, room);
    if (resize(runtime, dict, 1) != 0) {
        dict->used = 0;
        object_drop(runtime, object);
        return NULL;
    }
    for (size_t i = 0; i < room; i++) {
        if (!values[i])
            continue;
        struct object *name = object_keep(*dict_keys_key(names, (int64_t)i));
        dict_maintain_tracking(runtime, object, name, values[i]);
        dict_keys_add(dict->keys, name->type->hash(name), name, values[i]);
        values[i] = NULL;
    }
    return object;
}

static void compact_clear_free_lists(struct runtime *runtime)
{
    struct object *object;

    while ((object = free_list_pop(&runtime->dicts)))
        container_free(runtime, object, sizeof(struct dict));
    dict_keys_clear_free_list(runtime);
}

const struct dict_layout dict_compact = {
    .new = compact_new,
    .set = compact_set,
    .get = compact_get,
    .delete = compact_delete,
    .clear = compact_clear,
    .length = compact_length,
    .next = compact_next,
    .clear_free_lists = compact_clear_free_lists,
};
