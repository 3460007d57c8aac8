/*
 * Dicts: references by key, in the table of 2.7 or the compact one of 3.x, each with CPython's
 * sizes and growth. Leaves out views, presized dicts, copies, and 1 == 1.0 as keys. After CPython
 * Objects/dictobject.c, 2.7, 3.8, 3.11 and 3.13; the layouts are dict_open.c and dict_compact.c.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_DICT_H
#define TIDEMARK_WORKLOADS_OBJECTS_DICT_H

#include "workloads/objects/object.h"

struct dict; /* an object; what it looks like depends on the profile */

/*
 * What a layout does; the profile names it. Each as the function below. `get` and `next` neither
 * count nor make.
 */
struct dict_layout {
    struct object *(*new)(struct runtime *runtime);
    int (*set)(struct runtime *runtime, struct object *dict, struct object *key,
               struct object *value);
    struct object *(*get)(const struct object *dict, struct object *key);
    int (*delete)(struct runtime *runtime, struct object *dict, struct object *key);
    void (*clear)(struct runtime *runtime, struct object *dict);
    size_t (*length)(const struct object *dict);
    int (*next)(const struct object *dict, size_t *position, struct object **key,
                struct object **value);
    void (*clear_free_lists)(struct runtime *runtime);
};

extern const struct dict_layout dict_open;    /* 2.7, to 3.5 */
extern const struct dict_layout dict_compact; /* from 3.6; see dict_keys_rule for what changed */

/* {}: a reference to an empty dict, or NULL when memory ran out. (dict() of 3.8 has a table.) */
struct object *dict_new(struct runtime *runtime);

/*
 * dict[key] = value, with new references to both; a key that is there stays. The key's type has a
 * hash: ints, floats, strings, bytes and tuples of those. Returns 0, or -ENOMEM with the dict's
 * items as they were. Costs a lookup, and now and then a table of up to three times the items.
 */
int dict_set(struct runtime *runtime, struct object *dict, struct object *key,
             struct object *value);

/* A borrowed reference to the value of that key, or NULL. */
struct object *dict_get(const struct runtime *runtime, const struct object *dict,
                        struct object *key);

/* del dict[key]. Returns 0, or -ENOENT. The table does not shrink. */
int dict_delete(struct runtime *runtime, struct object *dict, struct object *key);

/* dict.clear(): also gives the table back. */
void dict_clear(struct runtime *runtime, struct object *dict);

size_t dict_length(const struct runtime *runtime, const struct object *dict);

/*
 * Walks the items: from *position == 0, while it returns 1. In order of insertion on 3.x, in that
 * of the table on 2.7. The references are borrowed; the dict may not change on the way, but for
 * new values of old keys.
 */
int dict_next(const struct runtime *runtime, const struct object *dict, size_t *position,
              struct object **key, struct object **value);

/* Frees the dead dicts and key tables that wait to be used again. */
void dicts_clear_free_lists(struct runtime *runtime);

struct dict_keys;

/*
 * 3.11 and 3.13: a dict of the names in `names` and the values of an instance, of which there are
 * `room`, NULL where an attribute was not set. It takes over the references to the values, with
 * room for as many again. Returns a reference, or NULL with the values still the caller's.
 */
struct object *dict_of_values(struct runtime *runtime, const struct dict_keys *names,
                              struct object **values, size_t room);

/*
 * 3.8: an empty dict of an instance, which shares the table `names` with others of its class, and
 * has room for as many values as the table has for names. Returns a reference, or NULL.
 */
struct object *dict_sharing(struct runtime *runtime, struct dict_keys *names);

/* Whether the dict still shares that table: it has one of its own once a name does not fit in. */
int dict_shares(const struct object *object, const struct dict_keys *names);

/* Whether the dict's keys are held by a table that it shares with others, not by itself. Of 3.8's
 * dicts; 0 of all others. */
int dict_is_split(const struct runtime *runtime, const struct object *object);

/*
 * Splits a dict that no longer shared, so that others can share its table. Returns a reference to
 * the table, or NULL with the dict as it was when memory ran out.
 */
struct dict_keys *dict_share_keys(struct runtime *runtime, struct object *object);

/* For the layouts, as MAINTAIN_TRACKING: a dict is tracked from the first item that may be. */
void dict_maintain_tracking(struct runtime *runtime, struct object *dict, const struct object *key,
                            const struct object *value);

#endif
