/*
 * Lists: a container of 40 bytes and an array of references that grows by CPython's rule.
 * Leaves out the sequence operations that no workload needs. After CPython Objects/listobject.c,
 * 2.7, 3.8, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_LIST_H
#define TIDEMARK_WORKLOADS_OBJECTS_LIST_H

#include "workloads/objects/free_list.h"
#include "workloads/objects/object.h"

struct list { /* PyListObject, 40 bytes */
    struct object object;
    size_t size;
    struct object **items;
    size_t allocated;
};

enum {
    LISTS_AT_START = 3,  /* a started 3.11 had 3 to 5 in its free list, 2.7 4, 3.13 8 to 10 */
    LIST_ROOM_BYTES = 80 /* head and object */
};

/* The runtime's lists beyond those that the program holds. */
struct list_store {
    struct free_list free;
    /* Those of the start: in memory that the interpreter had before the program. */
    _Alignas(16) unsigned char at_start[LISTS_AT_START][LIST_ROOM_BYTES];
};

/*
 * Puts the dead lists of an interpreter's start into the free list. Without them the first list of
 * a program would pin an arena that, in a real process, other objects pin as well.
 */
void lists_start(struct runtime *runtime);

/*
 * An empty list with storage for exactly `room` items: [], or what a slice is copied into. Returns
 * a reference, or NULL when memory ran out.
 */
struct list *list_new(struct runtime *runtime, size_t room);

/*
 * The list of the ints from 0 to n - 1, its storage made once: range(n) on 2.7, list(range(n)) on
 * 3.x, where 3.11 and 3.13 round an odd number of items up to even. `n` is at most 2**30, the bound
 * of int_new. Returns a reference, or NULL when memory ran out, with what was made until then
 * dropped. Costs n ints and n appends.
 */
struct list *list_of_range(struct runtime *runtime, uint64_t n);

/* Appends a new reference to `item`. Returns 0, or -ENOMEM with the list as it was. */
int list_append(struct runtime *runtime, struct list *list, struct object *item);

/*
 * list_resize of CPython: makes the list `size` > 0 long. It fills no slot that it adds and drops
 * nothing that it cuts off: both are the caller's to do, at once and before. Keeps the storage
 * while the new size fits it and is at least half of it. Returns 0 or -ENOMEM.
 */
int list_resize(struct runtime *runtime, struct list *list, size_t size);

/* Frees the dead lists, without storage, that wait to be used again. */
void lists_clear_free_list(struct runtime *runtime);

#endif
