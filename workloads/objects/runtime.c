/*
 * The table of profiles, and start and end of a runtime.
 * Leaves out versions between the two: 3.6 to 3.10 differ from 3.11 in what no workload here has
 * yet. The facts are of CPython 2.7.18 and 3.11, Objects/listobject.c, Objects/intobject.c,
 * Objects/longobject.c, Modules/gcmodule.c.
 */
#include "workloads/objects/runtime.h"

/* list_resize of 2.7 (to 3.8 it is the same). */
static size_t list_growth_2_7(size_t size, size_t new_size)
{
    (void)size;
    return new_size + (new_size >> 3) + (new_size < 9 ? 3 : 6);
}

/*
 * list_resize of 3.9 and later: no room to spare when one step goes further than the spare room
 * would.
 */
static size_t list_growth_3_11(size_t size, size_t new_size)
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
        .gc_head_bytes = 32,
        .int_source = INT_FROM_BLOCKS,
        .int_bytes = 24,
        .mem_domain = HEAP_RAW,
        .list_room_multiple = 1,
        .list_room_zeroed = 1,
        .list_growth = list_growth_2_7,
    },
    {
        .name = "3.11",
        .major = 3,
        .gc_head_bytes = 16,
        .int_source = INT_FROM_OBJECT,
        .int_bytes = 28,
        .mem_domain = HEAP_OBJECT,
        .list_room_multiple = 2,
        .list_room_zeroed = 0,
        .list_growth = list_growth_3_11,
    },
};

const char *const profile_names[] = {"2.7", "3.11", NULL};

int runtime_init(struct runtime *runtime, const struct profile *profile,
                 const struct allocator_ops *object, const struct allocator_ops *raw,
                 struct workload_gauge *gauge)
{
    runtime->heap.domains[HEAP_OBJECT] = object;
    runtime->heap.domains[HEAP_RAW] = raw;
    runtime->heap.gauge = gauge;
    runtime->profile = profile;
    runtime->dying_bytes = &gauge->object_bytes;
    collector_init(runtime);
    return ints_init(runtime);
}

void runtime_finish(struct runtime *runtime)
{
    objects_collect(runtime);
    ints_finish(runtime);
}

void runtime_clear_free_lists(struct runtime *runtime)
{
    ints_clear_free_list(runtime);
}
