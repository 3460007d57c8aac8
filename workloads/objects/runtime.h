/*
 * The object runtime: a program's reference-counted objects, with the sizes and habits of one
 * CPython, over the allocators of a row. Leaves out the interpreter: no names, no byte code, no
 * frames but those of generators; a workload keeps its own references, as a program's names would.
 * Each type is a file of its own (int.c, list.c); what differs between versions is a row of the
 * table of profiles (profile.h).
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_RUNTIME_H
#define TIDEMARK_WORKLOADS_OBJECTS_RUNTIME_H

#include "workloads/objects/bytes.h"
#include "workloads/objects/collector.h"
#include "workloads/objects/deque.h"
#include "workloads/objects/dict.h"
#include "workloads/objects/float.h"
#include "workloads/objects/free_list.h"
#include "workloads/objects/generator.h"
#include "workloads/objects/heap.h"
#include "workloads/objects/instance.h"
#include "workloads/objects/int.h"
#include "workloads/objects/intern.h"
#include "workloads/objects/list.h"
#include "workloads/objects/object.h"
#include "workloads/objects/observed.h"
#include "workloads/objects/profile.h"
#include "workloads/objects/set.h"
#include "workloads/objects/str.h"
#include "workloads/objects/trashcan.h"
#include "workloads/objects/tuple.h"
#include "workloads/objects/weakref.h"
#include "workloads/workload.h"

/* One thread at a time. Owned by the caller, who may not move it between init and finish. */
struct runtime {
    struct heap heap;
    const struct profile *profile;
    /* Whence the size of a dying object is taken: the gauge's object_bytes; but see collector.c. */
    _Atomic uint64_t *dying_bytes;
    struct trashcan trashcan;
    struct collector collector;
    /* What each type keeps beyond the objects that the program holds. */
    struct int_store ints;
    struct float_store floats;
    struct bytes_store bytes;
    struct str_store strs;
    struct object *interned; /* a dict, or NULL before the first string is */
    struct tuple_store tuples;
    struct list_store lists;
    struct free_list dicts;
    struct free_list sets;                 /* 2.7 */
    struct deque_free_blocks deque_blocks; /* to 3.8 */
    struct free_list frames;               /* to 3.8 */
    struct free_list dict_keys;            /* 3.x: small tables whose keys are strings */
};

/*
 * Starts a runtime: makes the shared small ints. The allocators and the gauge outlive it. Returns
 * 0, or -ENOMEM with nothing left allocated. A runtime has some 45 KB of its own memory, for what
 * is static in an interpreter; on 2.7 the start takes seven blocks of malloc.
 */
int runtime_init(struct runtime *runtime, const struct profile *profile,
                 const struct allocator_ops *object, const struct allocator_ops *raw,
                 struct workload_gauge *gauge);

/* Collects, then gives back what the runtime itself holds; what the caller still holds stays. */
void runtime_finish(struct runtime *runtime);

/* Clears the free lists that a full collection clears. */
void runtime_clear_free_lists(struct runtime *runtime);

static inline struct gc_head *head_of(const struct runtime *runtime, const struct object *object)
{
    return (struct gc_head *)((uintptr_t)object - runtime->profile->gc_head_bytes);
}

static inline struct object *object_of(const struct runtime *runtime, const struct gc_head *head)
{
    return (struct object *)((uintptr_t)head + runtime->profile->gc_head_bytes);
}

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
 * do with addresses. Some 1 ns each, no locked instruction. What was made is also shown
 * (observed.h), which in a measured program is nothing.
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

/* A live object became larger, or smaller. */
static inline void runtime_resized(struct runtime *runtime, size_t old_bytes, size_t new_bytes)
{
    /* Not from dying_bytes: the object lives. Wraps when it shrinks. */
    gauge_add(&runtime->heap.gauge->object_bytes, new_bytes - old_bytes);
}

/*
 * A container's dealloc begins with this, having untracked `object`, and returns at once when it
 * says 0: it is called again when the stack has unwound. Otherwise it ends with runtime_leave.
 */
static inline int runtime_enter(struct runtime *runtime, struct object *object)
{
    if (runtime->trashcan.depth >= runtime->profile->trashcan.depth) {
        trashcan_defer(runtime, object);
        return 0;
    }
    runtime->trashcan.depth++;
    return 1;
}

static inline void runtime_leave(struct runtime *runtime)
{
    runtime->trashcan.depth--;
    if (runtime->trashcan.chain && runtime->trashcan.depth < runtime->profile->trashcan.unwind)
        trashcan_empty(runtime);
}

#endif
