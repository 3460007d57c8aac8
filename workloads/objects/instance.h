/*
 * Instances of classes that a program defines: with attributes in a dict (2.7), in a dict that
 * shares its keys (3.8) or in values whose names the class shares (3.11, 3.13), or with slots; with
 * weak references and __del__ where the class says so. Leaves out the class as an object,
 * inheritance and methods: a class is a struct of the workload's. After CPython
 * Objects/typeobject.c and Objects/dictobject.c, 2.7, 3.8, 3.11 and 3.13.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_INSTANCE_H
#define TIDEMARK_WORKLOADS_OBJECTS_INSTANCE_H

#include "workloads/objects/dict_keys.h"
#include "workloads/objects/object.h"

/* Where the attributes of an instance without slots are. */
enum instance_layout {
    INSTANCE_DICT,          /* 2.7: in a dict of its own, made with the first one */
    INSTANCE_SPLIT_DICT,    /* 3.8: the same, but for the keys, which the class shares */
    INSTANCE_VALUES,        /* 3.11: in a block of its own, made with the instance */
    INSTANCE_INLINE_VALUES, /* 3.13: behind the instance, in its block */
};

enum instance_features {
    INSTANCE_HAS_ATTRIBUTES = 1, /* any names; not together with slots */
    INSTANCE_HAS_WEAKREFS = 2,
    INSTANCE_USUAL = INSTANCE_HAS_ATTRIBUTES | INSTANCE_HAS_WEAKREFS, /* class A(object): pass */
};

/* Of the caller's, who writes nothing in it; outlives the instances. */
struct instance_class {
    struct object_type type;
    size_t slots;
    size_t before_bytes, basic_bytes; /* in front of the head, and from the object on */
    ptrdiff_t dict_offset, values_offset;
    struct dict_keys *names; /* 3.x: of the attributes, in the order in which they were first set;
                              * 3.8: NULL once an instance went its own way */
};

/*
 * Makes a class whose instances have those features, or that many slots (__slots__; then at most
 * INSTANCE_HAS_WEAKREFS besides), and __del__ if `finalize` is no NULL. With neither they are no
 * containers on 2.7; on 3.x all are. Returns 0 or -ENOMEM. A class with attributes takes 168
 * bytes of object memory for their names on 3.8, 768 on 3.11 and 3.13.
 */
int class_init(struct runtime *runtime, struct instance_class *class, const char *name,
               unsigned features, size_t slots,
               void (*finalize)(struct runtime *runtime, struct object *object));

/* Gives back what class_init took; no instance is left. */
void class_finish(struct runtime *runtime, struct instance_class *class);

/*
 * A reference to an instance without attributes, its slots empty, or NULL when memory ran out. On
 * 3.11 and 3.13 the room for values begins at 29 or 30 and shrinks by one with each instance, down
 * to one more than there are names, as CPython's does.
 */
struct object *instance_new(struct runtime *runtime, struct instance_class *class);

/*
 * object.name = value with a new reference; `name` is a string. Returns 0, or -ENOMEM with the
 * instance as it was. With more than some thirty names of a class, 3.11 and 3.13 make a dict. On
 * 3.8 instances share their keys while they get the same names in the same order, and no more than
 * the first one got before there was a second.
 */
int instance_set(struct runtime *runtime, struct object *object, struct object *name,
                 struct object *value);

/* A borrowed reference to that attribute, or NULL. */
struct object *instance_get(const struct runtime *runtime, const struct object *object,
                            struct object *name);

/* Puts a new reference to `value` (NULL: none) into a slot, and drops what was in it. */
void instance_set_slot(struct runtime *runtime, struct object *object, size_t slot,
                       struct object *value);

/* A borrowed reference, or NULL. */
struct object *instance_get_slot(const struct object *object, size_t slot);

#endif
