/*
 * What every object begins with, and what a type has to provide.
 * Leaves out how objects are made, which is each type's own file, and the counting of them
 * (runtime.h). After CPython's Include/object.h: ob_refcnt and ob_type, 16 bytes, and PyTypeObject,
 * of which these are the slots that memory depends on.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_OBJECT_H
#define TIDEMARK_WORKLOADS_OBJECTS_OBJECT_H

#include <stddef.h>
#include <stdint.h>

struct object_type;
struct runtime;

struct object {
    uint64_t references;
    union {
        const struct object_type *type;
        struct object *next_free; /* a free list links its objects through the type field */
    };
};

typedef void object_visitor(struct object *child, void *argument);

/* When a collection may find out that no cycle runs through an object, and lets it out of sight. */
enum object_untracking {
    UNTRACKED_NEVER,
    UNTRACKED_BY_ANY_COLLECTION,  /* tuples */
    UNTRACKED_BY_FULL_COLLECTION, /* dicts */
};

/*
 * A type is one `const struct object_type` in a file of its own; a class of instances carries one.
 * The collector and the runtime know a type by this table alone.
 */
struct object_type {
    const char *name;
    /*
     * Required. Called when the last reference went: drops what the object holds and gives its
     * memory back.
     */
    void (*dealloc)(struct runtime *runtime, struct object *object);
    /* Required. sys.getsizeof: all that the object itself takes, the collector's head included. */
    size_t (*bytes)(const struct runtime *runtime, const struct object *object);
    /* Containers only, else NULL: calls `visit` once for each reference that the object holds. */
    void (*traverse)(struct object *object, object_visitor *visit, void *argument);
    /*
     * Drops every reference that the object holds and leaves it valid and empty. NULL: no cycle
     * runs through such objects alone.
     */
    void (*clear)(struct runtime *runtime, struct object *object);
    /* Keys of dicts and members of sets only, else NULL. Depends on the value, never on an address:
     * the order of objects in a table is the same on every allocator. A type may store it. */
    uint64_t (*hash)(struct object *object);
    /* Goes with `hash`; both objects are of this type. */
    int (*equal)(const struct object *object, const struct object *other);
    /* Goes with `untracking`: whether nothing that `object` holds may be tracked. */
    int (*may_untrack)(const struct runtime *runtime, const struct object *object);
    enum object_untracking untracking;
    /*
     * __del__, else NULL: called before the object is cleared; it may store references to the
     * object, which then lives on.
     */
    void (*finalize)(struct runtime *runtime, struct object *object);
    /* From the object to the head of its list of weak references; 0: it can have none. */
    ptrdiff_t weak_list_offset;
};

static inline int object_is_container(const struct object *object)
{
    return object->type->traverse != NULL;
}

static inline struct object *object_keep(struct object *object)
{
    object->references++;
    return object;
}

/*
 * Gives up one reference; `object` may not be NULL. The cost of the last one is unbounded: it drops
 * what the object holds. The depth of the stack is bounded (trashcan.h).
 */
static inline void object_drop(struct runtime *runtime, struct object *object)
{
    if (--object->references == 0)
        object->type->dealloc(runtime, object);
}

/*
 * Makes the variable at `name` hold `object`, whose reference it takes over (NULL: nothing), and
 * drops what it held before.
 */
static inline void object_assign(struct runtime *runtime, struct object **name,
                                 struct object *object)
{
    struct object *before = *name;

    *name = object;
    if (before)
        object_drop(runtime, before);
}

/* As keys compare: the same object, or the same type and value. 1 and 1.0 differ here. */
static inline int object_equal(const struct object *object, const struct object *other)
{
    return object == other || (object->type == other->type && object->type->equal &&
                               object->type->equal(object, other));
}

#endif
