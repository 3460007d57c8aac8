/*
 * The cycle collector: finds containers that only each other hold, and breaks them.
 * Leaves out generations and their thresholds (a collection is always full and always asked for),
 * finalizers and weak references. After CPython 3.11 Modules/gcmodule.c; 2.7's finds the same
 * objects and keeps its count in a field of its larger head.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_COLLECTOR_H
#define TIDEMARK_WORKLOADS_OBJECTS_COLLECTOR_H

#include "workloads/objects/object.h"

#include <stdatomic.h>

/*
 * Lies in front of each container: 16 bytes, in a profile of 2.7 padded to 32. Both links carry
 * flags in their low bits, and during a collection `previous` holds a count of references instead;
 * that is why they are no pointers. Not tracked: next == 0.
 */
struct gc_head {
    uintptr_t next;
    uintptr_t previous;
};

struct collector {
    /* The ring of all tracked containers. */
    struct gc_head tracked;
    /* Garbage that the program declared and no collection has found yet. */
    uint64_t abandoned_bytes;
    /* 0 less what died since cycles began to be broken. */
    _Atomic uint64_t breaking_bytes;
};

/* `runtime` may not move afterwards: the ring goes through it. */
void collector_init(struct runtime *runtime);

/* Object memory for a container of `bytes` behind its head, not yet tracked, or NULL. */
struct object *container_alloc(struct runtime *runtime, size_t bytes);

/* Gives back what container_alloc gave; `object` is not tracked. */
void container_free(struct runtime *runtime, struct object *object, size_t bytes);

/* From now on collections look at `object`, which must be fit to be traversed. */
void container_track(struct runtime *runtime, struct object *object);

/* Takes `object` out of the collector's sight; nothing happens when it is not tracked. */
void container_untrack(struct runtime *runtime, struct object *object);

/*
 * A full collection, gc.collect(): frees the containers that are unreachable and all that only they
 * hold, then clears the free lists that generation 2 clears. Returns the number of unreachable
 * containers. Visits every reference of every tracked container twice; needs no memory.
 */
size_t objects_collect(struct runtime *runtime);

/*
 * The program has just dropped its last name for `bytes` of objects that hold each other: they are
 * not reachable any more, though nobody but a collection can find out. Takes them from the gauge's
 * object_bytes at once; the collection that frees them will not do so again.
 */
void objects_abandon(struct runtime *runtime, uint64_t bytes);

#endif
