/*
 * Key tables: see dict_keys.h. Leaves out lookups that run while another thread changes the table.
 * After CPython Objects/dictobject.c, 3.8, 3.11 and 3.13 (new_keys_object, free_keys_object,
 * dictkeys_get_index, find_empty_slot).
 */
#include "workloads/objects/dict_keys.h"

#include "workloads/objects/runtime.h"

#include <string.h>

_Static_assert(sizeof(struct dict_keys) == 32, "PyDictKeysObject without its indices");
_Static_assert(sizeof(struct dict_string_item) == 16, "PyDictUnicodeEntry");
_Static_assert(sizeof(struct dict_item) == 24, "PyDictKeyEntry");

enum { UNUSED = -1, REMOVED = -2 }; /* DKIX_EMPTY, DKIX_DUMMY */

const struct dict_keys_rule dict_keys_rule_3_8 = {.head_bytes = 40};
const struct dict_keys_rule dict_keys_rule_3_11 = {
    .head_bytes = 32, .short_items = 1, .counts_smallest_in = 1};

/* USABLE_FRACTION */
static int64_t usable_of(unsigned log2_size)
{
    return (int64_t)(((uint64_t)2 << log2_size) / 3);
}

static unsigned log2_index_bytes_of(unsigned log2_size)
{
    if (log2_size < 8)
        return log2_size;
    if (log2_size < 16)
        return log2_size + 1;
    return log2_size < 32 ? log2_size + 2 : log2_size + 3;
}

static size_t item_bytes_of(const struct dict_keys_rule *rule, int strings)
{
    return rule->short_items && strings ? sizeof(struct dict_string_item)
                                        : sizeof(struct dict_item);
}

static size_t block_bytes(size_t head_bytes, unsigned log2_size, size_t item_bytes)
{
    return head_bytes + ((size_t)1 << log2_index_bytes_of(log2_size)) +
           (size_t)usable_of(log2_size) * item_bytes;
}

size_t dict_keys_bytes(const struct dict_keys *keys)
{
    return block_bytes(keys->head_bytes, keys->log2_size, keys->item_bytes);
}

size_t dict_keys_room(const struct dict_keys *keys)
{
    return (size_t)usable_of(keys->log2_size);
}

/* Where the smallest size counts in whatever is wanted, 1 to 7 make a table of 16. */
unsigned dict_keys_log2(const struct dict_keys_rule *rule, size_t wanted)
{
    unsigned log2_size = DICT_KEYS_SMALLEST;

    if (rule->counts_smallest_in)
        wanted |= (size_t)1 << DICT_KEYS_SMALLEST;
    while ((size_t)1 << log2_size < wanted)
        log2_size++;
    return log2_size;
}

/* The small ones, of the smaller item where there are two. */
static int has_free_list(const struct runtime *runtime, unsigned log2_size, size_t item_bytes)
{
    return log2_size == DICT_KEYS_SMALLEST &&
           item_bytes == item_bytes_of(runtime->profile->dict_keys, 1);
}

/* A dead table is linked like a dead object, through its second word. */
struct dict_keys *dict_keys_new(struct runtime *runtime, unsigned log2_size, int strings)
{
    const struct dict_keys_rule *rule = runtime->profile->dict_keys;
    size_t item_bytes = item_bytes_of(rule, strings);
    size_t bytes = block_bytes(rule->head_bytes, log2_size, item_bytes);
    struct dict_keys *keys = NULL;

    if (has_free_list(runtime, log2_size, item_bytes))
        keys = (struct dict_keys *)free_list_pop(&runtime->dict_keys);
    if (!keys)
        keys = heap_malloc(&runtime->heap, HEAP_OBJECT, bytes);
    if (!keys)
        return NULL;
    *keys = (struct dict_keys){
        .references = 1,
        .log2_size = (uint8_t)log2_size,
        .log2_index_bytes = (uint8_t)log2_index_bytes_of(log2_size),
        .strings = (uint8_t)strings,
        .item_bytes = (uint8_t)item_bytes,
        .head_bytes = (uint8_t)rule->head_bytes,
        .usable = usable_of(log2_size),
    };
    memset(dict_keys_indices(keys), 0xFF, (size_t)1 << keys->log2_index_bytes);
    memset(dict_keys_items(keys), 0, dict_keys_room(keys) * item_bytes);
    return keys;
}

void dict_keys_drop(struct runtime *runtime, struct dict_keys *keys)
{
    if (--keys->references > 0)
        return;
    for (int64_t item = 0; item < keys->items; item++) {
        if (!*dict_keys_key(keys, item))
            continue;
        object_drop(runtime, *dict_keys_key(keys, item));
        if (*dict_keys_value(keys, item)) /* of a table that is shared they are elsewhere */
            object_drop(runtime, *dict_keys_value(keys, item));
    }
    dict_keys_free(runtime, keys);
}

void dict_keys_free(struct runtime *runtime, struct dict_keys *keys)
{
    size_t bytes = dict_keys_bytes(keys);

    if (has_free_list(runtime, keys->log2_size, keys->item_bytes) &&
        free_list_push(&runtime->dict_keys, (struct object *)keys,
                       runtime->profile->dict_free_most))
        return;
    heap_free(&runtime->heap, HEAP_OBJECT, keys, bytes);
}

void dict_keys_clear_free_list(struct runtime *runtime)
{
    const struct dict_keys_rule *rule = runtime->profile->dict_keys;
    struct object *keys;

    while ((keys = free_list_pop(&runtime->dict_keys)))
        heap_free(&runtime->heap, HEAP_OBJECT, keys,
                  block_bytes(rule->head_bytes, DICT_KEYS_SMALLEST, item_bytes_of(rule, 1)));
}

static int64_t get_index(const struct dict_keys *keys, size_t at)
{
    const void *indices = dict_keys_indices(keys);

    if (keys->log2_size < 8)
        return ((const int8_t *)indices)[at];
    if (keys->log2_size < 16)
        return ((const int16_t *)indices)[at];
    if (keys->log2_size < 32)
        return ((const int32_t *)indices)[at];
    return ((const int64_t *)indices)[at];
}

static void set_index(struct dict_keys *keys, size_t at, int64_t index)
{
    void *indices = dict_keys_indices(keys);

    if (keys->log2_size < 8)
        ((int8_t *)indices)[at] = (int8_t)index;
    else if (keys->log2_size < 16)
        ((int16_t *)indices)[at] = (int16_t)index;
    else if (keys->log2_size < 32)
        ((int32_t *)indices)[at] = (int32_t)index;
    else
        ((int64_t *)indices)[at] = index;
}

uint64_t dict_keys_hash(const struct dict_keys *keys, int64_t item)
{
    struct object *key = *dict_keys_key(keys, item);

    return dict_keys_has_hashes(keys) ? ((struct dict_item *)dict_keys_items(keys))[item].hash
                                      : key->type->hash(key);
}

static int item_is(const struct dict_keys *keys, int64_t item, struct object *key, uint64_t hash)
{
    struct object *found = *dict_keys_key(keys, item);

    if (found == key)
        return 1;
    return dict_keys_hash(keys, item) == hash && object_equal(found, key);
}

/* The place of that key's index, or that of an unused one. */
static size_t find_place(const struct dict_keys *keys, struct object *key, uint64_t hash)
{
    size_t mask = ((size_t)1 << keys->log2_size) - 1;
    size_t at = hash & mask;
    uint64_t perturb = hash;

    for (;;) {
        int64_t item = get_index(keys, at);
        if (item == UNUSED || (item >= 0 && item_is(keys, item, key, hash)))
            return at;
        perturb >>= 5;
        at = (at * 5 + perturb + 1) & mask;
    }
}

int64_t dict_keys_find(const struct dict_keys *keys, struct object *key, uint64_t hash)
{
    return get_index(keys, find_place(keys, key, hash));
}

/* find_empty_slot: a place that was used once does too. */
void dict_keys_add(struct dict_keys *keys, uint64_t hash, struct object *key, struct object *value)
{
    size_t mask = ((size_t)1 << keys->log2_size) - 1;
    size_t at = hash & mask;

    for (uint64_t perturb = hash; get_index(keys, at) >= 0;) {
        perturb >>= 5;
        at = (at * 5 + perturb + 1) & mask;
    }
    set_index(keys, at, keys->items);
    *dict_keys_key(keys, keys->items) = key;
    *dict_keys_value(keys, keys->items) = value;
    if (dict_keys_has_hashes(keys))
        ((struct dict_item *)dict_keys_items(keys))[keys->items].hash = hash;
    keys->items++;
    keys->usable--;
}

void dict_keys_remove(struct dict_keys *keys, uint64_t hash, int64_t item)
{
    set_index(keys, find_place(keys, *dict_keys_key(keys, item), hash), REMOVED);
    *dict_keys_key(keys, item) = NULL;
    *dict_keys_value(keys, item) = NULL;
}
