/*
 * Start and end of a runtime. Leaves out all that a type keeps: each type's own file starts and
 * finishes it. What differs between versions is in profile.c.
 */
#include "workloads/objects/runtime.h"

int runtime_init(struct runtime *runtime, const struct profile *profile,
                 const struct allocator_ops *object, const struct allocator_ops *raw,
                 struct workload_gauge *gauge)
{
    *runtime = (struct runtime){
        .heap = {.domains = {[HEAP_OBJECT] = object, [HEAP_RAW] = raw}, .gauge = gauge},
        .profile = profile,
        .dying_bytes = &gauge->object_bytes,
    };
    collector_init(runtime);
    return ints_init(runtime);
}

/* All that any profile has, the list of blocks last. */
static free_list_clear *const cleared_at_end[] = {
    tuples_finish,          lists_clear_free_list, dicts_clear_free_lists, sets_clear_free_list,
    frames_clear_free_list, deques_finish,         floats_clear_free_list, ints_finish};

void runtime_finish(struct runtime *runtime)
{
    objects_collect(runtime, OLDEST);
    collector_finish(runtime);
    intern_finish(runtime);
    for (size_t i = 0; i < sizeof cleared_at_end / sizeof cleared_at_end[0]; i++)
        cleared_at_end[i](runtime);
}

void runtime_clear_free_lists(struct runtime *runtime)
{
    free_list_clear *const *clear = runtime->profile->cleared_by_collection;

    for (size_t i = 0; i < PROFILE_CLEARED && clear[i]; i++)
        clear[i](runtime);
}
