/*
 * The table of profiles. Leaves out versions between the four: 3.6, 3.7, 3.9, 3.10 and 3.12 differ
 * from their neighbours in what is named in the types' own files. The facts are of CPython 2.7.18,
 * 3.8.18, 3.11 and 3.13.0, of the files named at each field; what sys.getsizeof shows was read from
 * those four.
 */
#include "workloads/objects/profile.h"

#include "workloads/objects/runtime.h"

/* list_resize of 2.7 (to 3.8 it is the same), Objects/listobject.c. */
static size_t list_growth_2_7(size_t size, size_t new_size)
{
    (void)size;
    return new_size + (new_size >> 3) + (new_size < 9 ? 3 : 6);
}

/*
 * list_resize of 3.9 and later: no room to spare when one step goes further than the spare room
 * would.
 */
static size_t list_growth_3_9(size_t size, size_t new_size)
{
    size_t room = (new_size + (new_size >> 3) + 6) & ~(size_t)3;

    if (new_size > size && new_size - size > room - new_size)
        room = (new_size + 3) & ~(size_t)3;
    return room;
}

const struct profile profiles[] = {
    {
        .name = "2.7",
        .major = 2,
        .mem_domain = HEAP_RAW,              /* Include/pymem.h: PyMem_MALLOC is malloc */
        .gc_head_bytes = 32,                 /* Include/objimpl.h: a long double in the union */
        .thresholds = {700, 10, 10},         /* Modules/gcmodule.c */
        .finalizers_block = 1,               /* Modules/gcmodule.c, has_finalizer */
        .trashcan = {50, 1},                 /* Include/object.h, PyTrash_UNWIND_LEVEL */
        .number_source = NUMBER_FROM_BLOCKS, /* Objects/intobject.c, Objects/floatobject.c */
        .int_bytes = 24,
        .str_ascii_head_bytes = 36, /* Objects/stringobject.c: the offset of ob_sval */
        .list_room_multiple = 1,
        .list_room_zeroed = 1,
        .list_growth = list_growth_2_7,
        .dict = &dict_open,   /* Objects/dictobject.c */
        .set = &set_rule_2_7, /* Objects/setobject.c */
        .deque = &deque_rule_2_7,
        .instance = INSTANCE_DICT,
        .generator = &generator_with_frame,
        .generator_bytes = 48, /* Include/genobject.h */
        .frame_bytes = 376,    /* Include/frameobject.h */
        .weakref_bytes = 56,   /* Include/weakrefobject.h */
        .tuple_free_most =
            2000, /* Objects/tupleobject.c, PyTuple_MAXFREELIST, PyTuple_MAXSAVESIZE */
        .tuple_free_longest = 19,
        .list_free_most = 80,   /* Objects/listobject.c, PyList_MAXFREELIST */
        .frame_free_most = 200, /* Objects/frameobject.c, PyFrame_MAXFREELIST */
        .dict_free_most = 80,   /* Objects/dictobject.c, PyDict_MAXFREELIST */
        /* Modules/gcmodule.c, clear_freelists; not those of lists, dicts and sets. */
        .cleared_by_collection = {frames_clear_free_list, tuples_clear_free_lists,
                                  ints_clear_free_list, floats_clear_free_list},
    },
    {
        .name = "3.8",
        .major = 3,
        .mem_domain = HEAP_OBJECT,    /* Objects/obmalloc.c, from 3.6 */
        .gc_head_bytes = 16,          /* Include/internal/pycore_gc.h, from 3.8 */
        .thresholds = {700, 10, 10},  /* Include/internal/pycore_pymem.h, Modules/gcmodule.c */
        .resurrection_spares_all = 1, /* Modules/gcmodule.c, check_garbage */
        .trashcan = {50, 1},          /* Include/cpython/object.h, PyTrash_UNWIND_LEVEL */
        .number_source = NUMBER_FROM_OBJECT,
        .int_bytes = 28,
        .int_block_bytes = 28, /* Objects/longobject.c, _PyLong_New: to the last digit */
        .str_ascii_head_bytes = 48,
        .str_wide_head_bytes = 72,
        .list_room_multiple = 1, /* Objects/listobject.c, list_preallocate_exact */
        .list_room_zeroed = 0,
        .list_growth = list_growth_2_7,
        .dict = &dict_compact,
        .dict_keys = &dict_keys_rule_3_8, /* Objects/dict-common.h */
        .set = &set_rule_3_7,
        .deque = &deque_rule_3_8,
        .instance = INSTANCE_SPLIT_DICT,
        .generator = &generator_with_frame,
        .generator_bytes = 96, /* Include/genobject.h */
        .frame_bytes = 360,    /* Include/frameobject.h */
        .weakref_bytes = 56,
        .float_free_most = 100,  /* Objects/floatobject.c, PyFloat_MAXFREELIST */
        .tuple_free_most = 2000, /* Objects/tupleobject.c, PyTuple_MAXFREELIST */
        .tuple_free_longest = 19,
        .list_free_most = 80,   /* Objects/listobject.c, PyList_MAXFREELIST */
        .frame_free_most = 200, /* Objects/frameobject.c, PyFrame_MAXFREELIST */
        .dict_free_most = 80,   /* Objects/dictobject.c, PyDict_MAXFREELIST */
        /* Modules/gcmodule.c, clear_freelists; from 3.3 also those of lists and dicts. */
        .cleared_by_collection = {frames_clear_free_list, tuples_clear_free_lists,
                                  floats_clear_free_list, lists_clear_free_list,
                                  dicts_clear_free_lists},
    },
    {
        .name = "3.11",
        .major = 3,
        .mem_domain = HEAP_OBJECT,   /* Objects/obmalloc.c, from 3.6 */
        .gc_head_bytes = 16,         /* Include/internal/pycore_gc.h */
        .thresholds = {700, 10, 10}, /* Modules/gcmodule.c */
        .trashcan = {50, 1},         /* Objects/object.c, _PyTrash_UNWIND_LEVEL */
        .number_source = NUMBER_FROM_OBJECT,
        .int_bytes = 28,
        .int_block_bytes = 32, /* Objects/longobject.c, _PyLong_FromMedium: sizeof(PyLongObject) */
        .str_ascii_head_bytes = 48, /* Include/cpython/unicodeobject.h: PyASCIIObject */
        .str_wide_head_bytes = 72,  /* and PyCompactUnicodeObject */
        .joins_blocks = 1,          /* Include/internal/pycore_blocks_output_buffer.h, from 3.10 */
        .list_room_multiple = 2,    /* Objects/listobject.c, list_preallocate_exact */
        .list_room_zeroed = 0,
        .list_growth = list_growth_3_9,
        .dict = &dict_compact,
        .dict_keys = &dict_keys_rule_3_11, /* Include/internal/pycore_dict.h */
        .set = &set_rule_3_7,
        .deque = &deque_rule_3_11,
        .instance = INSTANCE_VALUES,
        .generator = &generator_inline_frame,
        .generator_closes_unbegun = 1, /* Objects/genobject.c, gen_close */
        .generator_bytes = 152,  /* Include/cpython/genobject.h, Include/internal/pycore_frame.h */
        .weakref_bytes = 64,     /* Include/cpython/weakrefobject.h: with vectorcall */
        .float_free_most = 100,  /* Include/internal/pycore_floatobject.h */
        .tuple_free_most = 2000, /* Include/internal/pycore_tuple.h */
        .tuple_free_longest = 20,
        .list_free_most = 80, /* Include/internal/pycore_list.h */
        .dict_free_most = 80, /* Include/internal/pycore_dict.h */
        /* Modules/gcmodule.c, clear_freelists. */
        .cleared_by_collection = {tuples_clear_free_lists, floats_clear_free_list,
                                  lists_clear_free_list, dicts_clear_free_lists},
    },
    {
        .name = "3.13",
        .major = 3,
        .mem_domain = HEAP_OBJECT,
        .gc_head_bytes = 16,
        .thresholds = {2000, 10, 10}, /* Include/internal/pycore_runtime_init.h */
        .collects_between = 1,        /* Python/gc.c, _Py_ScheduleGC; from 3.12 */
        /* Include/cpython/object.h: Py_C_RECURSION_LIMIT of 10,000, less the headroom of 50 once
         * and twice. */
        .trashcan = {9950, 9900},
        .number_source = NUMBER_FROM_OBJECT,
        .int_bytes = 28,
        .int_block_bytes = 32,
        .str_ascii_head_bytes = 40, /* from 3.12 without wstr */
        .str_wide_head_bytes = 56,
        .joins_blocks = 1,
        .list_room_multiple = 2,
        .list_room_zeroed = 0,
        .list_growth = list_growth_3_9,
        .dict = &dict_compact,
        .dict_keys = &dict_keys_rule_3_11,
        .set = &set_rule_3_7,
        .deque = &deque_rule_3_11,
        .instance = INSTANCE_INLINE_VALUES,
        .generator = &generator_inline_frame,
        .generator_bytes = 144,
        .weakref_bytes = 64,    /* Include/cpython/weakrefobject.h: with vectorcall */
        .float_free_most = 100, /* Include/internal/pycore_freelist.h */
        .tuple_free_most = 2000,
        .tuple_free_longest = 20,
        .list_free_most = 80,
        .dict_free_most = 80,
        /* Objects/object.c, _PyObject_ClearFreeLists. */
        .cleared_by_collection = {floats_clear_free_list, tuples_clear_free_lists,
                                  lists_clear_free_list, dicts_clear_free_lists},
    },
};

const char *const profile_names[] = {"2.7", "3.8", "3.11", "3.13", NULL};
