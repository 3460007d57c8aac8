/*
 * Deques: a doubly linked chain of blocks of 62 or 64 items, filled from the middle, with at most
 * maxlen items. Leaves out rotation, slices of it and iteration while it changes. After CPython
 * Modules/_collectionsmodule.c of 2.7, 3.8, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_DEQUE_H
#define TIDEMARK_WORKLOADS_OBJECTS_DEQUE_H

#include "workloads/objects/object.h"

#include <stdint.h>

#define DEQUE_UNBOUNDED SIZE_MAX

enum { DEQUE_FREE_BLOCKS = 16 };

/* What a version makes of it. */
struct deque_rule {
    size_t block_items;
    size_t object_bytes;     /* without the head */
    size_t free_blocks_most; /* spare blocks that are kept */
    int shares_free_blocks;  /* by all deques together, for good; else by each for itself */
    int clears_item_by_item; /* else it is empty before the first item goes */
};

extern const struct deque_rule deque_rule_2_7;
extern const struct deque_rule deque_rule_3_8;
extern const struct deque_rule deque_rule_3_11;

struct deque_block;

/* Spare blocks, of a deque or of the runtime. */
struct deque_free_blocks {
    size_t count;
    struct deque_block *blocks[DEQUE_FREE_BLOCKS];
};

/*
 * An empty deque that holds at most `maxlen` items, or DEQUE_UNBOUNDED. It has its first block at
 * once. Returns a reference, or NULL when memory ran out.
 */
struct object *deque_new(struct runtime *runtime, size_t maxlen);

/*
 * Adds a new reference to `item` on the right or on the left, and drops one at the other end if
 * there are more than maxlen then. Returns 0, or -ENOMEM with the deque as it was.
 */
int deque_append(struct runtime *runtime, struct object *object, struct object *item);
int deque_append_left(struct runtime *runtime, struct object *object, struct object *item);

/* Takes an item off: its reference is the caller's. NULL when there is none. */
struct object *deque_pop(struct runtime *runtime, struct object *object);
struct object *deque_pop_left(struct runtime *runtime, struct object *object);

/* deque.clear(). Needs a block for a moment; goes item by item when there is no memory for it. */
void deque_clear(struct runtime *runtime, struct object *object);

size_t deque_length(const struct object *object);

/* To 3.8: gives back the spare blocks at the end of the runtime. */
void deques_finish(struct runtime *runtime);

#endif
