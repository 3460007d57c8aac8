/*
 * The cycle collector: finds containers that only each other hold, and breaks them. Three
 * generations, a threshold for each, and the rule that spares the oldest until it has grown by a
 * quarter; as the gc module shows them. Leaves out gc.freeze, callbacks and debug flags. After
 * CPython Modules/gcmodule.c (2.7, 3.8, 3.11) and Python/gc.c (3.13).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_COLLECTOR_H
#define TIDEMARK_WORKLOADS_OBJECTS_COLLECTOR_H

#include "workloads/objects/gc_head.h"
#include "workloads/objects/object.h"

#include <stdatomic.h>

enum { GENERATIONS = 3, OLDEST = GENERATIONS - 1, SAFE_POINT_SLACK = 64 };

/* An entry of gc.get_stats(). */
struct collector_stats {
    uint64_t collections;
    uint64_t collected;     /* unreachable containers found, and weak references freed with them */
    uint64_t uncollectable; /* 2.7: what a finalizer keeps */
};

struct generation {
    struct gc_head tracked; /* the ring of its containers */
    uint64_t threshold;     /* 0 in the youngest: never of its own accord */
    /* Of the youngest: containers made less those freed. Of an older one: collections of the one
     * before it. Since its own last collection. */
    uint64_t count;
};

struct collector {
    struct generation generations[GENERATIONS];
    struct collector_stats stats[GENERATIONS];
    /* The 25 % rule: containers that a full collection left, and those that became old since. */
    uint64_t long_lived_total;
    uint64_t long_lived_pending;
    int enabled;
    int collecting;
    int due; /* profiles with collects_between: the next safe point collects */
    /* gc.garbage of 2.7, a list; NULL until the first finalizer in a cycle. */
    struct object *garbage;
    /* Garbage that the program declared and no collection has found yet. */
    uint64_t abandoned_bytes;
    /* 0 less what died since cycles began to be broken. */
    _Atomic uint64_t breaking_bytes;
};

/* `runtime` may not move afterwards: the rings go through it. */
void collector_init(struct runtime *runtime);

/* Drops gc.garbage. */
void collector_finish(struct runtime *runtime);

/*
 * Object memory for a container of `bytes` behind its head, not yet tracked, or NULL. Counts it;
 * the count may set off a collection, in which the program's objects can die, but never one that
 * something holds a reference to.
 */
struct object *container_alloc(struct runtime *runtime, size_t bytes);

/* The same, with `before_bytes` in front of the head, a multiple of 16. */
struct object *container_alloc_behind(struct runtime *runtime, size_t before_bytes, size_t bytes);

/* Gives back what container_alloc gave; `object` is not tracked. */
void container_free(struct runtime *runtime, struct object *object, size_t bytes);

void container_free_behind(struct runtime *runtime, struct object *object, size_t before_bytes,
                           size_t bytes);

/*
 * PyObject_GC_Resize: gives an untracked container room for `new_bytes`. Returns it at its new
 * place, or NULL with it as it was.
 */
struct object *container_resize(struct runtime *runtime, struct object *object, size_t old_bytes,
                                size_t new_bytes);

/* Makes the head of an object from a free list new. It was not freed and is not counted again. */
void container_renew(const struct runtime *runtime, struct object *object);

/* From now on collections look at `object`, which must be fit to be traversed. */
void container_track(struct runtime *runtime, struct object *object);

/* Takes `object` out of the collector's sight; nothing happens when it is not tracked. */
void container_untrack(struct runtime *runtime, struct object *object);

/* gc.is_tracked(). */
int object_is_tracked(const struct runtime *runtime, const struct object *object);

/*
 * _PyObject_GC_MAY_BE_TRACKED: whether something that holds `object` has to be tracked. Only of a
 * tuple is it known that it was looked at.
 */
int object_may_be_tracked(const struct runtime *runtime, const struct object *object);

/*
 * Before the object dies by its count: calls its finalizer, if it has one that is still to be
 * called. Returns 1 when the finalizer kept the object: it lives on, and nothing is to be freed.
 */
int object_finalize(struct runtime *runtime, struct object *object);

/*
 * gc.collect(generation), 0 to 2: frees the unreachable containers of that generation and all
 * younger ones, and all that only they hold; a full collection (OLDEST) then clears the free lists
 * that the profile says. Returns what gc.collect returns: the unreachable containers, those of 2.7
 * that a finalizer keeps included. Returns 0 at once when called from within a collection. Visits
 * every reference of the containers looked at twice, and of those unreachable four times; needs no
 * memory, but for gc.garbage on 2.7.
 */
size_t objects_collect(struct runtime *runtime, unsigned generation);

/*
 * Where CPython's byte code lets a pending collection run: as a loop turns and as a function
 * begins. Only the profiles with collects_between leave one pending. A program that says no safe
 * points has it SAFE_POINT_SLACK containers later.
 */
void objects_safe_point(struct runtime *runtime);

/* gc.enable() and gc.disable(). */
void objects_enable(struct runtime *runtime, int enabled);

/* gc.get_count() and gc.set_threshold(). */
void objects_get_count(const struct runtime *runtime, uint64_t counts[GENERATIONS]);
void objects_set_threshold(struct runtime *runtime, const uint64_t thresholds[GENERATIONS]);

/* gc.get_stats()[generation]. */
struct collector_stats objects_get_stats(const struct runtime *runtime, unsigned generation);

/*
 * gc.get_objects(): a new list of all tracked containers of one generation, or with GENERATIONS of
 * all, youngest first, but for the list itself. Returns a reference, or NULL when memory ran out.
 */
struct object *objects_get_objects(struct runtime *runtime, unsigned generation);

/* gc.garbage: a list that the runtime keeps, or NULL when there never was any. */
struct object *objects_garbage(const struct runtime *runtime);

/*
 * The program has just dropped its last name for `bytes` of objects that hold each other: they are
 * not reachable any more, though nobody but a collection can find out. Takes them from the gauge's
 * object_bytes at once; the collection that frees them will not do so again.
 */
void objects_abandon(struct runtime *runtime, uint64_t bytes);

#endif
