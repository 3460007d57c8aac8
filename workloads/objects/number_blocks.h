/*
 * 2.7's store of ints, and another one of floats: blocks of 41 from malloc and an unbounded free
 * list, that only a full collection gives back. Leaves out the numbers themselves (int.c, float.c).
 * After CPython 2.7 Objects/intobject.c and Objects/floatobject.c (PyIntBlock, fill_free_list,
 * PyInt_ClearFreeList), which are alike.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_NUMBER_BLOCKS_H
#define TIDEMARK_WORKLOADS_OBJECTS_NUMBER_BLOCKS_H

#include "workloads/objects/object.h"

enum { NUMBERS_PER_BLOCK = 41 }; /* (1000 - 8) / 24 */

struct block_number { /* 2.7's PyIntObject or PyFloatObject, 24 bytes */
    struct object object;
    union {
        int64_t integer;
        double real;
    };
};

struct number_block { /* 2.7's PyIntBlock, 992 bytes, from malloc */
    struct number_block *next;
    struct block_number numbers[NUMBERS_PER_BLOCK];
};

struct number_blocks {
    /* Newest first, until a collection turns the order of those that it keeps. */
    struct number_block *blocks;
    /* The last one dropped is the first one reused. */
    struct object *free;
};

/* One more block, for an empty free list. Returns 0 or -ENOMEM. */
int number_blocks_fill(struct runtime *runtime, struct number_blocks *store);

/* A slot without count, type and value, or NULL when memory ran out. */
static inline struct object *number_blocks_take(struct runtime *runtime,
                                                struct number_blocks *store)
{
    if (!store->free && number_blocks_fill(runtime, store) != 0)
        return NULL;
    struct object *object = store->free;
    store->free = object->next_free;
    return object;
}

static inline void number_blocks_give(struct number_blocks *store, struct object *object)
{
    object->next_free = store->free;
    store->free = object;
}

/*
 * PyInt_ClearFreeList: frees each block without a live number, which is one of `type`, and links
 * the dead ones of the others anew. Walks every block.
 */
void number_blocks_clear(struct runtime *runtime, struct number_blocks *store,
                         const struct object_type *type);

#endif
