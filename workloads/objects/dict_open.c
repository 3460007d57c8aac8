/*
 * Dicts of 2.7: one table of hash, key and value, open addressing, the first eight slots in the
 * object itself. Leaves out the shortcut for tables whose keys are strings: it saves time, not
 * memory. After CPython 2.7 Objects/dictobject.c (lookdict, insertdict, dictresize, PyDict_Clear,
 * dict_dealloc); 3.0 to 3.5 are alike.
 */
#include "workloads/objects/dict.h"

#include "workloads/objects/runtime.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

enum { SMALL_SLOTS = 8 }; /* PyDict_MINSIZE */

struct slot { /* PyDictEntry */
    uint64_t hash;
    struct object *key; /* NULL: never used; &dead_key: used once */
    struct object *value;
};

struct dict { /* PyDictObject, 248 bytes */
    struct object object;
    size_t fill; /* slots used now or once */
    size_t used;
    size_t mask;
    struct slot *table;
    void *lookup; /* in CPython the function that looks up */
    struct slot small[SMALL_SLOTS];
};

_Static_assert(sizeof(struct slot) == 24, "2.7's PyDictEntry");
_Static_assert(sizeof(struct dict) == 248, "2.7's PyDictObject");

static struct object dead_key;

static size_t table_bytes(const struct dict *dict)
{
    return dict->table == dict->small ? 0 : (dict->mask + 1) * sizeof(struct slot);
}

static size_t open_bytes(const struct runtime *runtime, const struct object *object)
{
    const struct dict *dict = (const struct dict *)object;

    return runtime->profile->gc_head_bytes + sizeof *dict + table_bytes(dict);
}

static int slot_is_live(const struct slot *slot)
{
    return slot->key && slot->key != &dead_key;
}

static void make_small(struct dict *dict)
{
    memset(dict->small, 0, sizeof dict->small);
    dict->table = dict->small;
    dict->mask = SMALL_SLOTS - 1;
    dict->fill = 0;
    dict->used = 0;
}

/* lookdict: the slot of that key, or the one where it would go: the first dead one on the way. */
static struct slot *find_slot(const struct dict *dict, struct object *key, uint64_t hash)
{
    struct slot *dead = NULL;
    uint64_t at = hash;

    for (uint64_t perturb = hash;; at = at * 5 + perturb + 1, perturb >>= 5) {
        struct slot *slot = &dict->table[at & dict->mask];
        if (!slot->key)
            return dead ? dead : slot;
        if (slot->key == &dead_key) {
            if (!dead)
                dead = slot;
        } else if (slot->key == key || (slot->hash == hash && object_equal(slot->key, key))) {
            return slot;
        }
    }
}

/* insertdict_clean: no key is equal and none is dead. */
static void move_slot(struct dict *dict, const struct slot *from)
{
    uint64_t at = from->hash;
    uint64_t perturb = from->hash;

    while (dict->table[at & dict->mask].key) {
        at = at * 5 + perturb + 1;
        perturb >>= 5;
    }
    dict->table[at & dict->mask] = *from;
    dict->fill++;
    dict->used++;
}

/* The next table for `wanted` items, which it is larger than; the dict's own when that is enough.
 */
static struct slot *new_table(struct runtime *runtime, struct dict *dict, size_t wanted,
                              size_t *slots)
{
    *slots = SMALL_SLOTS;
    while (*slots <= wanted)
        *slots <<= 1;
    if (*slots == SMALL_SLOTS)
        return dict->small;
    struct slot *table =
        heap_malloc(&runtime->heap, runtime->profile->mem_domain, *slots * sizeof(struct slot));
    observed_storage(table, "dict table");
    return table;
}

static void free_table(struct runtime *runtime, struct slot *table, size_t bytes)
{
    if (bytes > 0)
        heap_free(&runtime->heap, runtime->profile->mem_domain, table, bytes);
}

/* dictresize: also sweeps out the dead. Returns 0 or -ENOMEM. */
static int resize(struct runtime *runtime, struct dict *dict, size_t wanted)
{
    struct slot copy[SMALL_SLOTS];
    struct slot *old = dict->table;
    size_t old_bytes = table_bytes(dict), old_slots = dict->mask + 1, slots;
    struct slot *table = new_table(runtime, dict, wanted, &slots);

    if (!table)
        return -ENOMEM;
    if (old_bytes == 0)
        old = memcpy(copy, dict->small, sizeof copy);
    make_small(dict);
    memset(table, 0, slots * sizeof *table);
    dict->table = table;
    dict->mask = slots - 1;
    for (size_t i = 0; i < old_slots; i++)
        if (slot_is_live(&old[i]))
            move_slot(dict, &old[i]);
    runtime_resized(runtime, old_bytes, table_bytes(dict));
    free_table(runtime, old, old_bytes);
    return 0;
}

static void kill_slot(struct runtime *runtime, struct dict *dict, struct slot *slot)
{
    struct object *key = slot->key, *value = slot->value;

    slot->key = &dead_key;
    slot->value = NULL;
    dict->used--;
    object_drop(runtime, value);
    object_drop(runtime, key);
}

static int open_set(struct runtime *runtime, struct object *object, struct object *key,
                    struct object *value)
{
    struct dict *dict = (struct dict *)object;
    uint64_t hash = key->type->hash(key);
    struct slot *slot = find_slot(dict, key, hash);

    dict_maintain_tracking(runtime, object, key, value);
    if (slot_is_live(slot)) {
        object_assign(runtime, &slot->value, object_keep(value));
        return 0;
    }
    dict->fill += !slot->key;
    dict->used++;
    *slot = (struct slot){.hash = hash, .key = object_keep(key), .value = object_keep(value)};
    if (dict->fill * 3 < (dict->mask + 1) * 2)
        return 0;
    if (resize(runtime, dict, dict->used * (dict->used > 50000 ? 2 : 4)) == 0)
        return 0;
    kill_slot(runtime, dict, slot); /* CPython leaves it there and raises MemoryError */
    return -ENOMEM;
}

static struct object *open_get(const struct object *object, struct object *key)
{
    return find_slot((const struct dict *)object, key, key->type->hash(key))->value;
}

static int open_delete(struct runtime *runtime, struct object *object, struct object *key)
{
    struct dict *dict = (struct dict *)object;
    struct slot *slot = find_slot(dict, key, key->type->hash(key));

    if (!slot_is_live(slot))
        return -ENOENT;
    kill_slot(runtime, dict, slot);
    return 0;
}

static void drop_slots(struct runtime *runtime, const struct slot *table, size_t slots)
{
    for (size_t i = 0; i < slots; i++)
        if (slot_is_live(&table[i])) {
            object_drop(runtime, table[i].key);
            object_drop(runtime, table[i].value);
        }
}

/* The dict is empty before the first item goes: that drop may lead back to it. */
static void open_clear(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;
    struct slot copy[SMALL_SLOTS];
    struct slot *table = dict->table;
    size_t bytes = table_bytes(dict), slots = dict->mask + 1;

    if (bytes == 0)
        table = memcpy(copy, dict->small, sizeof copy);
    make_small(dict);
    gauge_subtract(runtime->dying_bytes, bytes);
    drop_slots(runtime, table, slots);
    free_table(runtime, table, bytes);
}

static size_t open_length(const struct object *object)
{
    return ((const struct dict *)object)->used;
}

static int open_next(const struct object *object, size_t *position, struct object **key,
                     struct object **value)
{
    const struct dict *dict = (const struct dict *)object;
    size_t at = *position;

    while (at <= dict->mask && !slot_is_live(&dict->table[at]))
        at++;
    if (at > dict->mask)
        return 0;
    *key = dict->table[at].key;
    *value = dict->table[at].value;
    *position = at + 1;
    return 1;
}

static void open_dealloc(struct runtime *runtime, struct object *object)
{
    struct dict *dict = (struct dict *)object;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    runtime_dropping(runtime, open_bytes(runtime, object), dict->used);
    drop_slots(runtime, dict->table, dict->mask + 1);
    free_table(runtime, dict->table, table_bytes(dict));
    if (!free_list_push(&runtime->dicts, object, runtime->profile->dict_free_most))
        container_free(runtime, object, sizeof *dict);
    runtime_leave(runtime);
}

static void open_traverse(struct object *object, object_visitor *visit, void *argument)
{
    size_t position = 0;
    struct object *key, *value;

    while (open_next(object, &position, &key, &value)) {
        visit(key, argument);
        visit(value, argument);
    }
}

static int open_may_untrack(const struct runtime *runtime, const struct object *object)
{
    size_t position = 0;
    struct object *key, *value;

    while (open_next(object, &position, &key, &value))
        if (object_may_be_tracked(runtime, key) || object_may_be_tracked(runtime, value))
            return 0;
    return 1;
}

static const struct object_type open_type = {
    .name = "dict",
    .dealloc = open_dealloc,
    .bytes = open_bytes,
    .traverse = open_traverse,
    .clear = open_clear,
    .may_untrack = open_may_untrack,
    .untracking = UNTRACKED_BY_FULL_COLLECTION,
};

/* Not tracked until something is in it that may be. */
static struct object *open_new(struct runtime *runtime)
{
    struct object *object = free_list_pop(&runtime->dicts);

    if (object)
        container_renew(runtime, object);
    else
        object = container_alloc(runtime, sizeof(struct dict));
    if (!object)
        return NULL;
    object->references = 1;
    object->type = &open_type;
    make_small((struct dict *)object);
    runtime_made(runtime, open_bytes(runtime, object), 0);
    observed_object(runtime, object);
    return object;
}

static void open_clear_free_lists(struct runtime *runtime)
{
    struct object *object;

    while ((object = free_list_pop(&runtime->dicts)))
        container_free(runtime, object, sizeof(struct dict));
}

const struct dict_layout dict_open = {
    .new = open_new,
    .set = open_set,
    .get = open_get,
    .delete = open_delete,
    .clear = open_clear,
    .length = open_length,
    .next = open_next,
    .clear_free_lists = open_clear_free_lists,
};
