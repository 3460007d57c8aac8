/*
 * Tuples: a container of 24 bytes and its items in one block, with a free list for each short
 * length, and no place in the collector's sight once it is seen to hold nothing that matters.
 * Leaves out slices. After CPython Objects/tupleobject.c, 2.7, 3.8, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_TUPLE_H
#define TIDEMARK_WORKLOADS_OBJECTS_TUPLE_H

#include "workloads/objects/free_list.h"
#include "workloads/objects/gc_head.h"

struct tuple { /* PyTupleObject */
    struct object object;
    size_t size;
    struct object *items[];
};

enum { TUPLE_FREE_LENGTHS = 21 }; /* 0 to 20; the profile says up to which */

/* The runtime's tuples beyond those that the program holds. */
struct tuple_store {
    struct free_list free[TUPLE_FREE_LENGTHS]; /* by length, from 1 */
    struct object *empty;                      /* shared by all; NULL until it is asked for */
    /* 3.x: the empty one is part of the interpreter, not of the heap, with its head in front. */
    _Alignas(16) unsigned char static_empty[48];
};

/*
 * A tuple of that many items, each NULL: the caller stores references into `items`, before anything
 * else happens. Length 0: the shared one. Returns a reference, or NULL when memory ran out.
 */
struct tuple *tuple_new(struct runtime *runtime, size_t size);

/* A tuple of new references to those items. */
struct tuple *tuple_of(struct runtime *runtime, struct object *const *items, size_t size);

/* Frees the dead tuples that wait to be used again, of every length. */
void tuples_clear_free_lists(struct runtime *runtime);

/* Gives back the empty one. */
void tuples_finish(struct runtime *runtime);

#endif
