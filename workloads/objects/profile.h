/*
 * What one version of CPython does: its sizes, its rules of growth, its free lists and when a
 * collection happens, as a table. Leaves out what all profiles have in common, which is the types'
 * own (int.c, list.c, ...). The facts and their sources are in profile.c.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_PROFILE_H
#define TIDEMARK_WORKLOADS_OBJECTS_PROFILE_H

#include "workloads/objects/collector.h"
#include "workloads/objects/deque.h"
#include "workloads/objects/dict.h"
#include "workloads/objects/generator.h"
#include "workloads/objects/heap.h"
#include "workloads/objects/instance.h"
#include "workloads/objects/set.h"
#include "workloads/objects/trashcan.h"

enum number_source {
    /* Blocks of 41 from malloc, and a free list that only a full collection gives back. */
    NUMBER_FROM_BLOCKS,
    /* The object allocator, one by one. */
    NUMBER_FROM_OBJECT,
};

typedef void free_list_clear(struct runtime *runtime);

enum { PROFILE_CLEARED = 6 }; /* free lists that a full collection may clear, and a NULL */

struct profile {
    const char *name;
    /* Of the language: in 2, range(n) is a list and the variable of a comprehension outlives it. */
    int major;
    enum heap_domain mem_domain; /* where PyMem_Malloc, and so a list's storage, comes from */

    /* The collector. */
    size_t gc_head_bytes;
    uint64_t thresholds[GENERATIONS];
    int collects_between; /* a count over its threshold asks for a collection between instructions
                           */
    int finalizers_block; /* a finalizer keeps its cycle from being collected */
    int resurrection_spares_all; /* one that a finalizer made reachable keeps all the others */
    struct trashcan_limits trashcan;

    /* Ints and floats. */
    enum number_source number_source;
    size_t int_bytes;       /* sys.getsizeof */
    size_t int_block_bytes; /* what one asks the object allocator for; 2.7 has blocks of 41 */

    /* Strings: what stands before the characters. */
    size_t str_ascii_head_bytes;
    size_t str_wide_head_bytes;
    int joins_blocks; /* output of unknown size grows in blocks, else in one that doubles */

    /* Lists. */
    size_t list_room_multiple; /* list(range(n)) has room for n rounded up to this */
    int list_room_zeroed;      /* PyList_New clears the slots that it makes */
    size_t (*list_growth)(size_t size, size_t new_size); /* items to make room for */

    const struct dict_layout *dict;
    const struct dict_keys_rule *dict_keys; /* 3.x */
    const struct set_rule *set;
    const struct deque_rule *deque;
    enum instance_layout instance;
    const struct generator_layout *generator;
    size_t generator_bytes;       /* without head; a frame within without its locals and stack */
    size_t frame_bytes;           /* of a frame that is an object: without head, locals and stack */
    int generator_closes_unbegun; /* a collection closes one with its frame within that has not
                                     begun */
    size_t weakref_bytes;         /* without the head */

    /* Free lists: how many each keeps at most. */
    size_t float_free_most;
    size_t tuple_free_most; /* of each length */
    size_t tuple_free_longest;
    size_t list_free_most;
    size_t frame_free_most;
    size_t dict_free_most; /* and as many key tables */

    /* In this order, by a full collection; at the end of the runtime all are. */
    free_list_clear *cleared_by_collection[PROFILE_CLEARED];
};

/* The profiles, and their names in the same order as the choices of a parameter. */
extern const struct profile profiles[];
extern const char *const profile_names[]; /* NULL-terminated */

#endif
