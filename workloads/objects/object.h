/*
 * What every object begins with, and what a type has to provide.
 * Leaves out how objects are made, which is each type's own file, and the counting of them
 * (runtime.h). After CPython's Include/object.h: ob_refcnt and ob_type, 16 bytes.
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
        struct object *next_free; /* 2.7 links its free ints through the type field */
    };
};

typedef void object_visitor(struct object *child, void *argument);

/* A type is one `const struct object_type` in a file of its own. */
struct object_type {
    const char *name;
    /*
     * Required. Called when the last reference went: drops what the object holds and gives its
     * memory back.
     */
    void (*dealloc)(struct runtime *runtime, struct object *object);
    /* Containers only, else NULL: calls `visit` once for each reference that the object holds. */
    void (*traverse)(struct object *object, object_visitor *visit, void *argument);
    /*
     * Drops every reference that the object holds and leaves it valid and empty. NULL: no cycle
     * runs through such objects alone.
     */
    void (*clear)(struct runtime *runtime, struct object *object);
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
 * what the object holds.
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

#endif
