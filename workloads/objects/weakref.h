/*
 * Weak references: they name an object and do not keep it. Leaves out proxies, and callbacks that
 * are objects: a callback is a C function, which nothing can make unreachable. After CPython
 * Objects/weakrefobject.c and Modules/gcmodule.c (handle_weakrefs), 2.7, 3.8, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_WEAKREF_H
#define TIDEMARK_WORKLOADS_OBJECTS_WEAKREF_H

#include "workloads/objects/gc_head.h"
#include "workloads/objects/object.h"

/* Called once the object is gone: `weakref` names nothing any more. It may make and drop objects.
 */
typedef void weakref_callback(struct runtime *runtime, struct object *weakref);

/*
 * weakref.ref(object, callback). The type of `object` allows for it: sets, deques, generators and
 * instances of classes that say so. Without a callback (NULL) the object's one weak reference of
 * that sort is returned again. Returns a reference, or NULL when memory ran out.
 */
struct object *weakref_new(struct runtime *runtime, struct object *object,
                           weakref_callback *callback);

/* A new reference to what `weakref` names, or NULL when that is gone. */
struct object *weakref_get(const struct object *weakref);

/* len(weakref.getweakrefs(object)). */
size_t weakref_count(const struct object *object);

/* For a dealloc: PyObject_ClearWeakRefs, with the callbacks, newest first. */
void weakrefs_clear(struct runtime *runtime, struct object *object);

/*
 * For the collector: clears the weak references to all that is in `aside`, then calls the callbacks
 * of those that are not in it themselves. Those move to `older`. Returns how many weak references
 * the callbacks made superfluous.
 */
size_t weakrefs_clear_unreachable(struct runtime *runtime, struct gc_head *aside,
                                  struct gc_head *older);

#endif
