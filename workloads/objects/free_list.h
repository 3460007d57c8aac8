/*
 * A free list of objects of one size: the last one dropped is the first one reused.
 * Leaves out who empties it, which the profile says (profile.h), and the freeing itself, which is
 * the type's. CPython keeps most of its lists as arrays; linking them through the dead objects
 * hands out the same objects in the same order.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_FREE_LIST_H
#define TIDEMARK_WORKLOADS_OBJECTS_FREE_LIST_H

#include "workloads/objects/object.h"
#include "workloads/objects/observed.h"

struct free_list {
    struct object *first;
    size_t count;
};

/* Keeps `object`, dead and untracked, unless `most` are kept already. Returns whether it did. */
static inline int free_list_push(struct free_list *list, struct object *object, size_t most)
{
    if (list->count >= most)
        return 0;
    observed_kept(object);
    object->next_free = list->first;
    list->first = object;
    list->count++;
    return 1;
}

/* The object kept last, or NULL. Its type field is to be written anew. */
static inline struct object *free_list_pop(struct free_list *list)
{
    struct object *object = list->first;

    if (object) {
        list->first = object->next_free;
        list->count--;
    }
    return object;
}

#endif
