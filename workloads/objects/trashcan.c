/*
 * The trashcan: see trashcan.h. Leaves out types without a collector's head: nothing nests through
 * them. In CPython deques and generators have no trashcan and overflow the stack; here all
 * containers have it.
 */
#include "workloads/objects/trashcan.h"

#include "workloads/objects/runtime.h"

void trashcan_defer(struct runtime *runtime, struct object *object)
{
    /* The object is not tracked: its head is free. */
    head_of(runtime, object)->previous = (uintptr_t)runtime->trashcan.chain;
    runtime->trashcan.chain = object;
}

/* One level deeper, so that the deallocations called from here leave the chain to this loop. */
void trashcan_empty(struct runtime *runtime)
{
    struct trashcan *trashcan = &runtime->trashcan;

    trashcan->depth++;
    while (trashcan->chain) {
        struct object *object = trashcan->chain;
        struct gc_head *head = head_of(runtime, object);
        trashcan->chain = (struct object *)head->previous;
        head->previous = 0;
        object->type->dealloc(runtime, object);
    }
    trashcan->depth--;
}
