/*
 * The key table of a compact dict: a table of small indices, and the items in the order in which
 * they came, in one block. A class shares one among its instances, with the values elsewhere.
 * Leaves out who owns it: dict_compact.c and instance.c. After CPython
 * Include/internal/pycore_dict.h and Objects/dictobject.c, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_DICT_KEYS_H
#define TIDEMARK_WORKLOADS_OBJECTS_DICT_KEYS_H

#include "workloads/objects/object.h"

enum { DICT_KEYS_SMALLEST = 3 /* PyDict_LOG_MINSIZE: eight indices, five items */ };

struct dict_keys {       /* PyDictKeysObject */
    uint64_t references; /* always 1 here: a class owns its own */
    uint8_t log2_size;   /* of the table of indices */
    uint8_t log2_index_bytes;
    uint8_t strings;  /* every key is a string: items of 16 bytes, else 24 with the hash */
    uint32_t version; /* CPython's caches use it */
    int64_t usable;   /* items that still fit */
    int64_t items;    /* used now or once */
    unsigned char indices[];
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

/* An empty table of 1 << log2_size indices, from the free list if it is a small one of strings. */
struct dict_keys *dict_keys_new(struct runtime *runtime, unsigned log2_size, int strings);

/* Gives the table back; what its items hold is the caller's affair. */
void dict_keys_free(struct runtime *runtime, struct dict_keys *keys);

/* What was asked for, and sys.getsizeof counts. */
size_t dict_keys_bytes(const struct dict_keys *keys);

/* calculate_log2_keysize: the table for that many indices, 8 for none. */
unsigned dict_keys_log2(size_t wanted);

/* The item of that key, or -1. */
int64_t dict_keys_find(const struct dict_keys *keys, struct object *key, uint64_t hash);

/* Adds an item with the caller's references; `usable` is not 0 and the key is not there. */
void dict_keys_add(struct dict_keys *keys, uint64_t hash, struct object *key, struct object *value);

/* Takes the key, which is in item `item`, out of the table of indices, and empties the item. */
void dict_keys_remove(struct dict_keys *keys, uint64_t hash, int64_t item);

static inline void *dict_keys_items(const struct dict_keys *keys)
{
    return (void *)((uintptr_t)keys->indices + ((uintptr_t)1 << keys->log2_index_bytes));
}

static inline struct object **dict_keys_key(const struct dict_keys *keys, int64_t item)
{
    if (keys->strings)
        return &((struct dict_string_item *)dict_keys_items(keys))[item].key;
    return &((struct dict_item *)dict_keys_items(keys))[item].key;
}

static inline struct object **dict_keys_value(const struct dict_keys *keys, int64_t item)
{
    return dict_keys_key(keys, item) + 1;
}

/* Frees the dead tables that wait to be used again. */
void dict_keys_clear_free_list(struct runtime *runtime);

#endif
