/*
 * The object runtime: a program's reference-counted objects, with the sizes and habits of one
 * CPython, over the allocators of a row. Leaves out the interpreter: no frames, no names, no byte
 * code; a workload keeps its own references, as a program's names would. Each type is a file of its
 * own (int.c, list.c); what differs between versions is a row of the table of profiles.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_RUNTIME_H
#define TIDEMARK_WORKLOADS_OBJECTS_RUNTIME_H

#include "workloads/objects/collector.h"
#include "workloads/objects/heap.h"
#include "workloads/objects/int.h"
#include "workloads/objects/object.h"
#include "workloads/workload.h"

enum int_source {
    /* Blocks of 41 from malloc, and a free list that only a full collection gives back. */
    INT_FROM_BLOCKS,
    /* The object allocator, one by one. */
    INT_FROM_OBJECT,
};

/* What one version of CPython does. */
struct profile {
    const char *name;
    /* Of the language: in 2, range(n) is a list and the variable of a comprehension outlives it. */
    int major;
    size_t gc_head_bytes;
    enum int_source int_source;
    size_t int_bytes;            /* sys.getsizeof */
    enum heap_domain mem_domain; /* where PyMem_Malloc, and so a list's storage, comes from */
    size_t list_room_multiple;   /* a list of known length gets its length rounded up to this */
    int list_room_zeroed;        /* PyList_New clears the slots that it makes */
    size_t (*list_growth)(size_t size, size_t new_size); /* items to make room for */
};

/* The profiles, and their names in the same order as the choices of a parameter. */
extern const struct profile profiles[];
extern const char *const profile_names[]; /* NULL-terminated */

/* One thread at a time. Owned by the caller, who may not move it between init and finish. */
struct runtime {
    struct heap heap;
    const struct profile *profile;
    /* Whence the size of a dying object is taken: the gauge's object_bytes; but see collector.c. */
    _Atomic uint64_t *dying_bytes;
    struct int_store ints;
    struct collector collector;
};

/*
 * Starts a runtime: makes the shared small ints. The allocators and the gauge outlive it. Returns
 * 0, or -ENOMEM with nothing left allocated. Costs some 10 KB of the runtime's own memory, and
 * on 2.7 seven blocks of malloc.
 */
int runtime_init(struct runtime *runtime, const struct profile *profile,
                 const struct allocator_ops *object, const struct allocator_ops *raw,
                 struct workload_gauge *gauge);

/* Collects, then gives back what the runtime itself holds; what the caller still holds stays. */
void runtime_finish(struct runtime *runtime);

/* Clears the free lists that a full collection clears. */
void runtime_clear_free_lists(struct runtime *runtime);

/* Folds one operation into the checksum; the product is off the chain from one to the next. */
static inline void runtime_note(struct runtime *runtime, uint64_t mark)
{
    struct workload_gauge *gauge = runtime->heap.gauge;
    uint64_t sum = atomic_load_explicit(&gauge->checksum, memory_order_relaxed);

    sum = (sum << 5 | sum >> 59) + mark * UINT64_C(0x9E3779B97F4A7C15);
    atomic_store_explicit(&gauge->checksum, sum, memory_order_relaxed);
    gauge_add(&gauge->operations, 1);
}

/*
 * Every type calls these when it has made an object, or is about to free one: `bytes` as
 * sys.getsizeof counts them, `mark` a number that tells this object from others and has nothing to
 * do with addresses. Some 1 ns each, no locked instruction.
 */
static inline void runtime_made(struct runtime *runtime, size_t bytes, uint64_t mark)
{
    gauge_add(&runtime->heap.gauge->object_bytes, bytes);
    runtime_note(runtime, mark << 1);
}

static inline void runtime_dropping(struct runtime *runtime, size_t bytes, uint64_t mark)
{
    gauge_subtract(runtime->dying_bytes, bytes);
    runtime_note(runtime, mark << 1 | 1);
}

#endif
