/*
 * The trashcan: what bounds the stack when the last reference to a deep structure goes. Beyond a
 * depth the dead containers wait in a chain, and are freed when the stack has unwound. Leaves out
 * any memory of its own: the chain goes through the heads. After CPython Include/object.h and
 * Objects/object.c (_PyTrash_thread_deposit_object, _PyTrash_thread_destroy_chain).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_TRASHCAN_H
#define TIDEMARK_WORKLOADS_OBJECTS_TRASHCAN_H

#include "workloads/objects/object.h"

/* What a profile says of it: PyTrash_UNWIND_LEVEL, from 3.12 Py_TRASHCAN_HEADROOM. */
struct trashcan_limits {
    unsigned depth;  /* at this depth of deallocations within each other an object waits */
    unsigned unwind; /* one that ends at less than this frees those that wait; 1: at the foot */
};

struct trashcan {
    struct object *chain; /* dead containers, the last one first */
    unsigned depth;       /* deallocations under way, one within the other */
};

/* The parts of runtime_enter and runtime_leave (runtime.h) that are not on every object's path. */
void trashcan_defer(struct runtime *runtime, struct object *object);
void trashcan_empty(struct runtime *runtime);

#endif
