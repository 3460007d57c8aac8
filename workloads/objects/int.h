/*
 * Ints as CPythons make them: 2.7 from blocks of its own and an unbounded free list, 3.x from the
 * object allocator. Leaves out values of 2**30 and more in size, which no workload here has. After
 * CPython 2.7 Objects/intobject.c, 3.8 (_PyLong_New), 3.11 and 3.13 (_PyLong_FromMedium)
 * Objects/longobject.c.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_INT_H
#define TIDEMARK_WORKLOADS_OBJECTS_INT_H

#include "workloads/objects/number_blocks.h"
#include "workloads/objects/object.h"

enum {
    /* NSMALLNEGINTS, NSMALLPOSINTS: one object each for the whole process. */
    INT_SMALLEST_SHARED = -5,
    INT_LARGEST_SHARED = 256,
    INT_SHARED = INT_LARGEST_SHARED - INT_SMALLEST_SHARED + 1,
};

/*
 * 3.x's PyLongObject: sys.getsizeof says 28, as 3.8 asks for; sizeof, which later versions ask for,
 * is 32.
 */
struct long_int {
    struct object object;
    int64_t digit_count; /* negative for a negative value; 3.12 keeps the sign elsewhere in it */
    uint32_t digit;
};

/* The runtime's ints beyond those that the program holds. */
struct int_store {
    struct number_blocks blocks; /* 2.7 */
    struct object *shared[INT_SHARED];
    /* 3.x: they are part of the interpreter, not of the heap. */
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

/* PyInt_ClearFreeList of 2.7: see number_blocks_clear. */
void ints_clear_free_list(struct runtime *runtime);

#endif
