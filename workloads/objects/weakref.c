/*
 * Weak references: see weakref.h. An object's list of them is doubly linked, the one without a
 * callback first. Leaves out subclasses of weakref.ref. After CPython Objects/weakrefobject.c
 * (new_weakref, insert_head, PyObject_ClearWeakRefs), Modules/gcmodule.c (handle_weakrefs).
 */
#include "workloads/objects/weakref.h"

#include "workloads/objects/runtime.h"

#include <assert.h>

struct weakref { /* PyWeakReference, 56 bytes on 2.7 and 3.8 */
    struct object object;
    struct object *target; /* NULL once that is gone */
    weakref_callback *callback;
    uint64_t hash;
    struct weakref *previous, *next; /* in the list of the target */
    void *call;                      /* 3.11 and later: vectorcall, 64 bytes in all */
};

_Static_assert(sizeof(struct weakref) == 64, "3.11's PyWeakReference");

static struct weakref **list_of(const struct object *object)
{
    return (struct weakref **)((uintptr_t)object + (uintptr_t)object->type->weak_list_offset);
}

static size_t weakref_bytes(const struct runtime *runtime, const struct object *object)
{
    (void)object;
    return runtime->profile->gc_head_bytes + runtime->profile->weakref_bytes;
}

/* clear_weakref: takes it off the target's list. The callback stays. */
static void forget(struct weakref *weakref)
{
    if (!weakref->target)
        return;
    struct weakref **list = list_of(weakref->target);
    if (*list == weakref)
        *list = weakref->next;
    if (weakref->previous)
        weakref->previous->next = weakref->next;
    if (weakref->next)
        weakref->next->previous = weakref->previous;
    weakref->target = NULL;
    weakref->previous = NULL;
    weakref->next = NULL;
}

static void weakref_dealloc(struct runtime *runtime, struct object *object)
{
    container_untrack(runtime, object);
    runtime_dropping(runtime, weakref_bytes(runtime, object), 1);
    forget((struct weakref *)object);
    container_free(runtime, object, runtime->profile->weakref_bytes);
}

/* The callback is a function of C: there is nothing to visit, but the collector knows the object.
 */
static void weakref_traverse(struct object *object, object_visitor *visit, void *argument)
{
    (void)object;
    (void)visit;
    (void)argument;
}

static void weakref_clear(struct runtime *runtime, struct object *object)
{
    (void)runtime;
    forget((struct weakref *)object);
}

static const struct object_type weakref_type = {
    .name = "weakref",
    .dealloc = weakref_dealloc,
    .bytes = weakref_bytes,
    .traverse = weakref_traverse,
    .clear = weakref_clear,
};

/* The one without a callback goes first, others behind it: the newest of them first. */
static void link_to_target(struct weakref *weakref)
{
    struct weakref **list = list_of(weakref->target);
    struct weakref *first = *list;

    if (weakref->callback && first && !first->callback) {
        weakref->previous = first;
        weakref->next = first->next;
        first->next = weakref;
    } else {
        weakref->next = first;
        *list = weakref;
    }
    if (weakref->next)
        weakref->next->previous = weakref;
}

struct object *weakref_new(struct runtime *runtime, struct object *object,
                           weakref_callback *callback)
{
    assert(object->type->weak_list_offset);
    struct weakref *first = *list_of(object);
    if (!callback && first && !first->callback)
        return object_keep(&first->object);
    struct object *new = container_alloc(runtime, runtime->profile->weakref_bytes);
    if (!new)
        return NULL;
    struct weakref *weakref = (struct weakref *)new;
    new->references = 1;
    new->type = &weakref_type;
    weakref->target = object;
    weakref->callback = callback;
    weakref->hash = 0;
    weakref->previous = NULL;
    weakref->next = NULL;
    link_to_target(weakref);
    runtime_made(runtime, weakref_bytes(runtime, new), 1);
    container_track(runtime, new);
    return new;
}

struct object *weakref_get(const struct object *weakref)
{
    struct object *target = ((const struct weakref *)weakref)->target;

    /* While its dealloc is under way the object has no references, and is gone for good. */
    return target && target->references > 0 ? object_keep(target) : NULL;
}

size_t weakref_count(const struct object *object)
{
    size_t count = 0;

    if (object->type->weak_list_offset)
        for (struct weakref *weakref = *list_of(object); weakref; weakref = weakref->next)
            count++;
    return count;
}

/*
 * All are cleared before the first callback runs, so that none can bring the object back. They wait
 * in a list of their own, each kept.
 */
void weakrefs_clear(struct runtime *runtime, struct object *object)
{
    struct weakref *waiting = NULL, **end = &waiting;
    struct weakref *weakref;

    while ((weakref = *list_of(object))) {
        int is_dying = weakref->object.references == 0; /* it waits in the trashcan */
        forget(weakref);
        if (!weakref->callback || is_dying)
            continue;
        object_keep(&weakref->object);
        *end = weakref;
        end = &weakref->next;
    }
    while ((weakref = waiting)) {
        waiting = weakref->next;
        weakref->next = NULL;
        weakref->callback(runtime, &weakref->object);
        object_drop(runtime, &weakref->object);
    }
}

/* Those with a callback that is to be called move to `called`, each kept. */
static void clear_list(struct runtime *runtime, struct object *object, struct gc_head *called)
{
    struct weakref *weakref;

    while ((weakref = *list_of(object))) {
        struct gc_head *head = head_of(runtime, &weakref->object);
        forget(weakref);
        if (!weakref->callback || is_collecting(head))
            continue;
        object_keep(&weakref->object);
        ring_move(head, called);
    }
}

size_t weakrefs_clear_unreachable(struct runtime *runtime, struct gc_head *aside,
                                  struct gc_head *older)
{
    struct gc_head called;
    size_t freed = 0;

    ring_init(&called);
    for (struct gc_head *head = next_of(aside); head != aside; head = next_of(head)) {
        struct object *object = object_of(runtime, head);
        if (object->type == &weakref_type)
            forget((struct weakref *)object); /* its callback is never to be called */
        if (object->type->weak_list_offset)
            clear_list(runtime, object, &called);
    }
    while (!ring_is_empty(&called)) {
        struct gc_head *head = next_of(&called);
        struct object *object = object_of(runtime, head);
        ((struct weakref *)object)->callback(runtime, object);
        object_drop(runtime, object);
        if (next_of(&called) == head)
            ring_move(head, older);
        else
            freed++;
    }
    return freed;
}
