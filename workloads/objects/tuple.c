/*
 * Tuples: see tuple.h. Items are dropped from last to first. Leaves out the sequence operations.
 * After CPython Objects/tupleobject.c (PyTuple_New, tupledealloc, _PyTuple_MaybeUntrack), 2.7, 3.8,
 * 3.11 and 3.13.
 */
#include "workloads/objects/tuple.h"

#include "workloads/objects/runtime.h"

#include <stdint.h>
#include <string.h>

_Static_assert(sizeof(struct tuple) == 24, "PyTupleObject");

static size_t block_bytes(size_t size)
{
    return sizeof(struct tuple) + size * sizeof(struct object *);
}

static size_t tuple_bytes(const struct runtime *runtime, const struct object *object)
{
    return runtime->profile->gc_head_bytes + block_bytes(((const struct tuple *)object)->size);
}

static int has_free_list(const struct runtime *runtime, size_t size)
{
    return size > 0 && size <= runtime->profile->tuple_free_longest;
}

static void tuple_dealloc(struct runtime *runtime, struct object *object)
{
    struct tuple *tuple = (struct tuple *)object;
    size_t size = tuple->size;

    container_untrack(runtime, object);
    if (!runtime_enter(runtime, object))
        return;
    runtime_dropping(runtime, tuple_bytes(runtime, object), size);
    for (size_t i = size; i-- > 0;)
        if (tuple->items[i])
            object_drop(runtime, tuple->items[i]);
    if (!has_free_list(runtime, size) ||
        !free_list_push(&runtime->tuples.free[size], object, runtime->profile->tuple_free_most))
        container_free(runtime, object, block_bytes(size));
    runtime_leave(runtime);
}

static void tuple_traverse(struct object *object, object_visitor *visit, void *argument)
{
    struct tuple *tuple = (struct tuple *)object;

    for (size_t i = tuple->size; i-- > 0;)
        if (tuple->items[i])
            visit(tuple->items[i], argument);
}

/* A tuple that is not filled yet stays in sight. */
static int tuple_may_untrack(const struct runtime *runtime, const struct object *object)
{
    const struct tuple *tuple = (const struct tuple *)object;

    for (size_t i = 0; i < tuple->size; i++)
        if (!tuple->items[i] || object_may_be_tracked(runtime, tuple->items[i]))
            return 0;
    return 1;
}

/* FNV-1a over the items' hashes; all of them have one. */
static uint64_t tuple_hash(struct object *object)
{
    struct tuple *tuple = (struct tuple *)object;
    uint64_t hash = UINT64_C(0xCBF29CE484222325);

    for (size_t i = 0; i < tuple->size; i++)
        hash = (hash ^ tuple->items[i]->type->hash(tuple->items[i])) * UINT64_C(0x100000001B3);
    return hash;
}

static int tuple_equal(const struct object *object, const struct object *other)
{
    const struct tuple *tuple = (const struct tuple *)object;
    const struct tuple *second = (const struct tuple *)other;

    if (tuple->size != second->size)
        return 0;
    for (size_t i = 0; i < tuple->size; i++)
        if (!object_equal(tuple->items[i], second->items[i]))
            return 0;
    return 1;
}

static const struct object_type tuple_type = {
    .name = "tuple",
    .dealloc = tuple_dealloc,
    .bytes = tuple_bytes,
    .traverse = tuple_traverse,
    .hash = tuple_hash,
    .equal = tuple_equal,
    .may_untrack = tuple_may_untrack,
    .untracking = UNTRACKED_BY_ANY_COLLECTION,
};

/* From the free list of its length or made, its head new. */
static struct object *take_tuple(struct runtime *runtime, size_t size)
{
    struct object *object = NULL;

    if (has_free_list(runtime, size))
        object = free_list_pop(&runtime->tuples.free[size]);
    if (!object)
        return container_alloc(runtime, block_bytes(size));
    container_renew(runtime, object);
    return object;
}

static void tuple_write(struct object *object, size_t size)
{
    struct tuple *tuple = (struct tuple *)object;

    object->references = 1;
    object->type = &tuple_type;
    tuple->size = size;
    memset(tuple->items, 0, size * sizeof(struct object *));
}

/* The runtime's own, not the program's: it is not counted among its objects. */
static struct tuple *empty_tuple(struct runtime *runtime)
{
    struct tuple_store *store = &runtime->tuples;

    if (!store->empty && runtime->profile->major > 2)
        store->empty = object_of(runtime, (struct gc_head *)(void *)store->static_empty);
    else if (!store->empty)
        store->empty = container_alloc(runtime, sizeof(struct tuple));
    else
        return (struct tuple *)object_keep(store->empty);
    if (!store->empty)
        return NULL;
    tuple_write(store->empty, 0);
    return (struct tuple *)object_keep(store->empty);
}

struct tuple *tuple_new(struct runtime *runtime, size_t size)
{
    if (size == 0)
        return empty_tuple(runtime);
    if (size > SIZE_MAX / 2 / sizeof(struct object *))
        return NULL;
    struct object *object = take_tuple(runtime, size);
    if (!object)
        return NULL;
    tuple_write(object, size);
    runtime_made(runtime, tuple_bytes(runtime, object), size);
    container_track(runtime, object);
    return (struct tuple *)object;
}

struct tuple *tuple_of(struct runtime *runtime, struct object *const *items, size_t size)
{
    struct tuple *tuple = tuple_new(runtime, size);

    for (size_t i = 0; tuple && i < size; i++)
        tuple->items[i] = object_keep(items[i]);
    return tuple;
}

void tuples_clear_free_lists(struct runtime *runtime)
{
    for (size_t size = 1; size < TUPLE_FREE_LENGTHS; size++) {
        struct object *object;
        while ((object = free_list_pop(&runtime->tuples.free[size])))
            container_free(runtime, object, block_bytes(size));
    }
}

void tuples_finish(struct runtime *runtime)
{
    struct tuple_store *store = &runtime->tuples;

    tuples_clear_free_lists(runtime);
    if (store->empty && runtime->profile->major == 2)
        container_free(runtime, store->empty, sizeof(struct tuple));
    store->empty = NULL;
}
