/*
 * Dicts of 3.x: an object of 48 bytes and a key table, none while it is empty; on 3.8 those of
 * instances are split, the table shared with others of their class and the values apart. Leaves out
 * split dicts of later versions, whose instances need none: instance.c. After CPython
 * Objects/dictobject.c, 3.8, 3.11 and 3.13 (insertdict, insert_to_emptydict, insertion_resize,
 * dictresize, delitem_common, dict_dealloc, make_keys_shared).
 */
#include "workloads/objects/dict.h"
#include "workloads/objects/dict_keys.h"
#include "workloads/objects/runtime.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

struct dict { /* PyDictObject */
    struct object object;
    size_t used;
    uint64_t version;       /* CPython's caches use it */
    struct dict_keys *keys; /* NULL: the one that all empty dicts share */
    struct object **values; /* of a split dict, NULL where nothing was set; else NULL itself */
};

_Static_assert(sizeof(struct dict) == 48, "3.x's PyDictObject");

static size_t values_bytes(const struct dict_keys *keys)
{
    return dict_keys_room(keys) * sizeof(struct object *);
}

/* What is the dict's own beside the object: a table that is shared is its class's. */
static size_t content_bytes(const struct dict *dict)
{
    if (dict->values)
        return values_bytes(dict->keys);
    return dict->keys ? dict_keys_bytes(dict->keys) : 0;
}

static struct object **value_of(const struct dict *dict, int64_t item)
{
    return dict->values ? &dict->values[item] : dict_keys_value(dict->keys, item);
}

static size_t compact_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct dict *dict = (const struct dict *)object;

    return runtime->profile->gc_head_bytes + sizeof *dict + content_bytes(dict);
}

/* The items move in their order, without the gaps. */
static void move_items(struct dict_keys *to, const struct dict_keys *from)
{
    for (int64_t item = 0; item < from->items; item++)
        if (*dict_keys_key(from, item))
            dict_keys_add(to, dict_keys_hash(from, item), *dict_keys_key(from, item),
                          *dict_keys_value(from, item));
}

static void free_values(struct runtime *runtime, struct object **values,
                        const struct dict_keys *keys)
{
    heap_free(&runtime->heap, runtime->profile->mem_domain, values, values_bytes(keys));
}

/* A split dict becomes a combined one: with keys of its own, and its values in their table. */
static void join(struct runtime *runtime, struct dict *dict, struct dict_keys *to)
{
    for (int64_t item = 0; item < dict->keys->items; item++)
        if (dict->values[item])
            dict_keys_add(to, dict_keys_hash(dict->keys, item),
                          object_keep(*dict_keys_key(dict->keys, item)), dict->values[item]);
    free_values(runtime, dict->values, dict->keys);
    dict->values = NULL;
    dict_keys_drop(runtime, dict->keys);
}

/* dictresize: a table for `wanted` indices, or the first one. Returns 0 or -ENOMEM. */
static int resize(struct runtime *runtime, struct dict *dict, size_t wanted, int strings)
{
    unsigned log2_size = dict_keys_log2(runtime->profile->dict_keys, wanted);
    struct dict_keys *keys = dict_keys_new(runtime, log2_size, strings);

    if (!keys)
        return -ENOMEM;
    runtime_resized(runtime, content_bytes(dict), dict_keys_bytes(keys));
    if (dict->keys && dict->values) {
        join(runtime, dict, keys);
    } else if (dict->keys) {
        move_items(keys, dict->keys);
        dict_keys_free(runtime, dict->keys);
    }
    dict->keys = keys;
    return 0;
}

/* insertion_resize */
static int grow(struct runtime *runtime, struct dict *dict, int strings)
{
    return resize(runtime, dict, dict->used * 3, strings);
}

/*
 * When the first key comes that is no string: 3.11 makes a table with hashes, 3.8's has them.
 */
static int make_fit(struct runtime *runtime, struct dict *dict, const struct object *key)
{
    int is_string = object_is_str(key);

    assert(!dict->values || is_string); /* names of attributes */
    if (!dict->keys)
        return grow(runtime, dict, is_string);
    if (!dict->keys->strings || is_string)
        return 0;
    if (!dict_keys_has_hashes(dict->keys))
        return grow(runtime, dict, 0);
    dict->keys->strings = 0;
    return 0;
}

/* A split dict is filled in the order of the names that it shares, or not at all. */
static int is_out_of_order(const struct dict *dict, int64_t item)
{
    if (!dict->values || (item >= 0 && dict->values[item]))
        return 0;
    return (item >= 0 ? item : dict->keys->items) != (int64_t)dict->used;
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
    if (is_out_of_order(dict, item)) {
        if (grow(runtime, dict, 1) != 0)
            return -ENOMEM;
        item = -1;
    }
    if (item >= 0) {
        dict->used += !*value_of(dict, item);
        object_assign(runtime, value_of(dict, item), object_keep(value));
        return 0;
    }
    if (dict->keys->usable <= 0 && grow(runtime, dict, dict->keys->strings) != 0)
        return -ENOMEM;
    dict_keys_add(dict->keys, hash, object_keep(key), NULL);
    *value_of(dict, dict->keys->items - 1) = object_keep(value);
    dict->used++;
    return 0;
}

static struct object *compact_get(const struct object *object, struct object *key)
{
    const struct dict *dict = (const struct dict *)object;

    if (!dict->keys)
        return NULL;
    int64_t item = dict_keys_find(dict->keys, key, key->type->hash(key));
    return item < 0 ? NULL : *value_of(dict, item);
}

static int compact_delete(struct runtime *runtime, struct object *object, struct object *key)
{
    struct dict *dict = (struct dict *)object;
    uint64_t hash = key->type->hash(key);
    int64_t item = dict->keys ? dict_keys_find(dict->keys, key, hash) : -1;

    if (item < 0)
        return -ENOENT;
    assert(!dict->values); /* nothing deletes an attribute */
    struct object *old_key = *dict_keys_key(dict->keys, item);
    struct object *old_value = *dict_keys_value(dict->keys, item);
    dict_keys_remove(dict->keys, hash, item);
    dict->used--;
    object_drop(runtime, old_key);
    object_drop(runtime, old_value);
    return 0;
}

/* What a dict held: the values first where they are apart. */
static void drop_content(struct runtime *runtime, struct dict_keys *keys, struct object **values)
{
    for (int64_t item = 0; values && item < keys->items; item++)
        object_assign(runtime, &values[item], NULL);
    if (values)
        free_values(runtime, values, keys);
    if (keys)
        dict_keys_drop(runtime, keys);
}

/* The dict is empty before the first item goes: that drop may lead back to it. */
static void compact_clear(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;
    struct dict_keys *keys = dict->keys;
    struct object **values = dict->values;

    gauge_subtract(runtime->dying_bytes, content_bytes(dict));
    dict->keys = NULL;
    dict->values = NULL;
    dict->used = 0;
    drop_content(runtime, keys, values);
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

    while (item < items && !*value_of(dict, item))
        item++;
    if (item >= items)
        return 0;
    *key = *dict_keys_key(dict->keys, item);
    *value = *value_of(dict, item);
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
    drop_content(runtime, dict->keys, dict->values);
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
    if (grow(runtime, dict, 1) != 0) {
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

/* new_dict_with_shared_keys */
struct object *dict_sharing(struct runtime *runtime, struct dict_keys *names)
{
    size_t bytes = values_bytes(names);
    struct object **values = heap_malloc(&runtime->heap, runtime->profile->mem_domain, bytes);
    struct object *object = values ? compact_new(runtime) : NULL;
    struct dict *dict = (struct dict *)object;

    if (!object) {
        if (values)
            free_values(runtime, values, names);
        return NULL;
    }
    memset(values, 0, bytes);
    observed_storage(values, "dict values");
    names->references++;
    dict->keys = names;
    dict->values = values;
    runtime_resized(runtime, 0, bytes);
    return object;
}

int dict_shares(const struct object *object, const struct dict_keys *names)
{
    const struct dict *dict = (const struct dict *)object;

    return dict->values && dict->keys == names;
}

int dict_is_split(const struct runtime *runtime, const struct object *object)
{
    return runtime->profile->instance == INSTANCE_SPLIT_DICT &&
           ((const struct dict *)object)->values != NULL;
}

/* make_keys_shared: no item was deleted, so that each value has the place of its key. */
struct dict_keys *dict_share_keys(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;
    size_t bytes = values_bytes(dict->keys);
    struct object **values = heap_malloc(&runtime->heap, runtime->profile->mem_domain, bytes);

    if (!values)
        return NULL;
    memset(values, 0, bytes);
    for (int64_t item = 0; item < dict->keys->items; item++) {
        values[item] = *dict_keys_value(dict->keys, item);
        *dict_keys_value(dict->keys, item) = NULL;
    }
    runtime_resized(runtime, dict_keys_bytes(dict->keys), bytes);
    dict->values = values;
    dict->keys->references++;
    return dict->keys;
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
