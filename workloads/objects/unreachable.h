/*
 * The mark phase of a collection: which containers of a ring are held by each other alone.
 * Leaves out generations and what becomes of those found (collector.c). After CPython 3.11
 * Modules/gcmodule.c (deduce_unreachable).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_UNREACHABLE_H
#define TIDEMARK_WORKLOADS_OBJECTS_UNREACHABLE_H

#include "workloads/objects/gc_head.h"
#include "workloads/objects/object.h"

/*
 * Moves the containers of `young` that nothing outside of it leads to into `aside`, an empty ring.
 * Those moved keep PREVIOUS_COLLECTING until unreachable_settle(). Visits each reference twice.
 */
void unreachable_find(struct runtime *runtime, struct gc_head *young, struct gc_head *aside);

/* Takes the mark of this collection off all that are in `aside`. */
void unreachable_settle(struct gc_head *aside);

/*
 * Moves what has a finalizer in `aside`, and all of `aside` that those lead to, into `finalizers`,
 * an empty ring, their mark taken off: 2.7 does not collect them.
 */
void unreachable_spare_finalizers(struct runtime *runtime, struct gc_head *aside,
                                  struct gc_head *finalizers);

#endif
