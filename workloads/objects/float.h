/*
 * Floats: 24 bytes, from blocks on 2.7 and from the object allocator, with a free list, on 3.x.
 * Leaves out arithmetic. After CPython Objects/floatobject.c, 2.7, 3.8, 3.11 and 3.13
 * (PyFloat_FromDouble, PyFloat_MAXFREELIST).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_FLOAT_H
#define TIDEMARK_WORKLOADS_OBJECTS_FLOAT_H

#include "workloads/objects/free_list.h"
#include "workloads/objects/number_blocks.h"

/* The runtime's floats beyond those that the program holds. */
struct float_store {
    struct number_blocks blocks; /* 2.7 */
    struct free_list free;       /* 3.x */
};

/* A reference to a float of that value, or NULL when memory ran out. None is shared. */
struct object *float_new(struct runtime *runtime, double value);

double float_value(const struct object *object);

/* Frees what waits to be used again; on 2.7 each block without a live float. */
void floats_clear_free_list(struct runtime *runtime);

#endif
