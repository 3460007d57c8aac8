/*
 * Ints as two CPythons make them: 2.7 from blocks of its own and an unbounded free list, 3.11 from
 * the object allocator. Leaves out values of 2**30 and more in size, which no workload here has.
 * After CPython 2.7 Objects/intobject.c (PyIntBlock, PyInt_ClearFreeList) and 3.11
 * Objects/longobject.c (_PyLong_FromMedium).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_INT_H
#define TIDEMARK_WORKLOADS_OBJECTS_INT_H

#include "workloads/objects/object.h"

enum {
    /* NSMALLNEGINTS, NSMALLPOSINTS: one object each for the whole process. */
    INT_SMALLEST_SHARED = -5,
    INT_LARGEST_SHARED = 256,
    INT_SHARED = INT_LARGEST_SHARED - INT_SMALLEST_SHARED + 1,
    INTS_PER_BLOCK = 41, /* (1000 - 8) / 24 */
};

struct block_int { /* 2.7's PyIntObject, 24 bytes */
    struct object object;
    int64_t value;
};

struct int_block { /* 2.7's PyIntBlock, 992 bytes, from malloc */
    struct int_block *next;
    struct block_int ints[INTS_PER_BLOCK];
};

/* 3.11's PyLongObject: sys.getsizeof says 28, but sizeof, which is asked for, is 32. */
struct long_int {
    struct object object;
    int64_t digit_count; /* negative for a negative value */
    uint32_t digit;
};

/* The runtime's ints beyond those that the program holds. */
struct int_store {
    /* 2.7: newest first, until a collection turns the order of those that it keeps. */
    struct int_block *blocks;
    /* 2.7: the last one dropped is the first one reused. */
    struct object *free;
    struct object *shared[INT_SHARED];
    /* 3.11: they are part of the interpreter, not of the heap. */
    struct long_int static_ints[INT_SHARED];
};

/*
 * Makes the shared ints; on 2.7 they take 7 blocks, with 25 free slots left. Returns 0 or -ENOMEM,
 * with nothing left allocated.
 */
int ints_init(struct runtime *runtime);

/* Gives back the shared ints and every block without a live int. */
void ints_finish(struct runtime *runtime);

/* A reference to an int of that value, -2**30 < value < 2**30, or NULL when memory ran out. */
struct object *int_new(struct runtime *runtime, int64_t value);

int64_t int_value(const struct object *object);

/*
 * PyInt_ClearFreeList: frees each block without a live int and links the dead ints of the others
 * anew. Walks every block; does nothing on 3.11.
 */
void ints_clear_free_list(struct runtime *runtime);

#endif
