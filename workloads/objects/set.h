/*
 * Sets: references by value, in a table of hash and key whose first eight slots are in the object.
 * Leaves out frozenset and the operations on two sets. After CPython Objects/setobject.c, 2.7, 3.8,
 * 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_SET_H
#define TIDEMARK_WORKLOADS_OBJECTS_SET_H

#include "workloads/objects/object.h"

/* How a set's table is filled and searched. */
struct set_rule {
    /* Of slots used now or once, and the last slot: whether the table is to grow. */
    int (*is_full)(size_t fill, size_t mask);
    /* Slots that are looked at behind the first one, before the next one is computed. */
    size_t linear_probes;
    int reuses_last_dead; /* of the slots on a member's way where another was; else the first */
    size_t free_most;
};

extern const struct set_rule set_rule_2_7; /* to 3.4 */
extern const struct set_rule set_rule_3_7; /* and later */

/* A reference to an empty set, or NULL when memory ran out. */
struct object *set_new(struct runtime *runtime);

/*
 * set.add(key) with a new reference; the key's type has a hash (dict.h). Returns 0, or -ENOMEM with
 * the set's members as they were.
 */
int set_add(struct runtime *runtime, struct object *object, struct object *key);

/* Whether key is in the set. */
int set_contains(const struct runtime *runtime, const struct object *object, struct object *key);

/* set.remove(key). Returns 0, or -ENOENT. The table does not shrink. */
int set_remove(struct runtime *runtime, struct object *object, struct object *key);

/* set.clear(): also gives the table back. */
void set_clear(struct runtime *runtime, struct object *object);

size_t set_length(const struct object *object);

/* Walks the members as dict_next does: a borrowed reference each, in order of the table. */
int set_next(const struct object *object, size_t *position, struct object **key);

/* 2.7: frees the dead sets that wait to be used again. */
void sets_clear_free_list(struct runtime *runtime);

#endif
