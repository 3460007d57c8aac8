/*
 * The key table of a compact dict: a table of small indices, and the items in the order in which
 * they came, in one block. A class shares one among its instances, with the values elsewhere.
 * Leaves out who owns it: dict_compact.c and instance.c. After CPython Objects/dictobject.c, 3.8,
 * 3.11 and 3.13, Objects/dict-common.h (3.8), Include/internal/pycore_dict.h.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_DICT_KEYS_H
#define TIDEMARK_WORKLOADS_OBJECTS_DICT_KEYS_H

#include "workloads/objects/object.h"

enum { DICT_KEYS_SMALLEST = 3 /* PyDict_LOG_MINSIZE: eight indices, five items */ };

/* What a version makes of it. */
struct dict_keys_rule {
    size_t head_bytes;      /* PyDictKeysObject without its indices */
    int short_items;        /* an item has no hash while every key is a string, which has its own */
    int counts_smallest_in; /* the smallest size is one of the bits of what is wanted */
};

extern const struct dict_keys_rule dict_keys_rule_3_8;
extern const struct dict_keys_rule dict_keys_rule_3_11;

struct dict_keys {       /* PyDictKeysObject, which has more in as many bytes, or 40 */
    uint64_t references; /* 1, but for a table that 3.8's instances share: theirs, their class's */
    uint8_t log2_size;   /* of the table of indices */
    uint8_t log2_index_bytes;
    uint8_t strings;    /* every key is a string */
    uint8_t item_bytes; /* 24 with the hash, 16 without */
    uint8_t head_bytes; /* the indices begin there */
    int64_t usable;     /* items that still fit */
    int64_t items;      /* used now or once */
};

struct dict_string_item { /* PyDictUnicodeEntry; key NULL: deleted */
    struct object *key;
    struct object *value;
};

struct dict_item { /* PyDictKeyEntry */
    uint64_t hash;
    struct object *key;
    struct object *value;
};

/*
 * An empty table of 1 << log2_size indices, from the free list if it is a small one; with short
 * items only if it is one of strings.
 */
struct dict_keys *dict_keys_new(struct runtime *runtime, unsigned log2_size, int strings);

/* dictkeys_decref: with the last reference its items go, in their order, and the table. */
void dict_keys_drop(struct runtime *runtime, struct dict_keys *keys);

/* Gives the table back; what its items hold is the caller's affair. */
void dict_keys_free(struct runtime *runtime, struct dict_keys *keys);

/* What was asked for, and sys.getsizeof counts. */
size_t dict_keys_bytes(const struct dict_keys *keys);

/* The table for that many indices, 8 for none: dictresize, from 3.9 calculate_log2_keysize. */
unsigned dict_keys_log2(const struct dict_keys_rule *rule, size_t wanted);

/* How many items an empty one takes. */
size_t dict_keys_room(const struct dict_keys *keys);

/* The item of that key, or -1. */
int64_t dict_keys_find(const struct dict_keys *keys, struct object *key, uint64_t hash);

/* The hash of the key in that item. */
uint64_t dict_keys_hash(const struct dict_keys *keys, int64_t item);

/* Adds an item with the caller's references; `usable` is not 0 and the key is not there. */
void dict_keys_add(struct dict_keys *keys, uint64_t hash, struct object *key, struct object *value);

/* Takes the key, which is in item `item`, out of the table of indices, and empties the item. */
void dict_keys_remove(struct dict_keys *keys, uint64_t hash, int64_t item);

static inline void *dict_keys_indices(const struct dict_keys *keys)
{
    return (void *)((uintptr_t)keys + keys->head_bytes);
}

static inline void *dict_keys_items(const struct dict_keys *keys)
{
    return (void *)((uintptr_t)dict_keys_indices(keys) + ((uintptr_t)1 << keys->log2_index_bytes));
}

static inline int dict_keys_has_hashes(const struct dict_keys *keys)
{
    return keys->item_bytes == sizeof(struct dict_item);
}

static inline struct object **dict_keys_key(const struct dict_keys *keys, int64_t item)
{
    if (dict_keys_has_hashes(keys))
        return &((struct dict_item *)dict_keys_items(keys))[item].key;
    return &((struct dict_string_item *)dict_keys_items(keys))[item].key;
}

static inline struct object **dict_keys_value(const struct dict_keys *keys, int64_t item)
{
    return dict_keys_key(keys, item) + 1;
}

/* Frees the dead tables that wait to be used again. */
void dict_keys_clear_free_list(struct runtime *runtime);

#endif
