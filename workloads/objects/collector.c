/*
 * The cycle collector: see collector.h. A collection merges a generation with the younger ones,
 * finds what is unreachable (unreachable.c), moves the rest on, calls finalizers, looks again at
 * what those may have brought back, and clears what is left. After CPython 3.11
 * Modules/gcmodule.c (gc_collect_main); what 2.7 and 3.8 do otherwise is a field of the profile.
 */
#include "workloads/objects/collector.h"

#include "workloads/objects/list.h"
#include "workloads/objects/runtime.h"
#include "workloads/objects/unreachable.h"

#include <assert.h>

void collector_init(struct runtime *runtime)
{
    struct collector *collector = &runtime->collector;

    *collector = (struct collector){.enabled = 1};
    for (unsigned i = 0; i < GENERATIONS; i++) {
        ring_init(&collector->generations[i].tracked);
        collector->generations[i].threshold = runtime->profile->thresholds[i];
    }
}

void collector_finish(struct runtime *runtime)
{
    object_assign(runtime, &runtime->collector.garbage, NULL);
}

/* --- When a collection happens. --- */

static size_t collect(struct runtime *runtime, unsigned generation);

/*
 * collect_generations: the oldest whose count is over its threshold. The oldest of all is spared
 * until what became old since its last collection is a quarter of what that one left.
 */
static void collect_what_is_due(struct runtime *runtime)
{
    struct collector *collector = &runtime->collector;

    for (unsigned i = GENERATIONS; i-- > 0;) {
        if (collector->generations[i].count <= collector->generations[i].threshold)
            continue;
        if (i == OLDEST && collector->long_lived_pending < collector->long_lived_total / 4)
            continue;
        collect(runtime, i);
        return;
    }
}

/* The youngest's count is over its threshold. */
static void count_is_over(struct runtime *runtime)
{
    struct collector *collector = &runtime->collector;

    if (!collector->enabled || !collector->generations[0].threshold || collector->collecting)
        return;
    collector->due = runtime->profile->collects_between;
    if (!collector->due)
        collect_what_is_due(runtime);
    else if (collector->generations[0].count >
             collector->generations[0].threshold + SAFE_POINT_SLACK)
        objects_safe_point(runtime);
}

void objects_safe_point(struct runtime *runtime)
{
    struct collector *collector = &runtime->collector;

    if (!collector->due || collector->collecting)
        return;
    collector->due = 0;
    if (collector->enabled)
        collect_what_is_due(runtime);
}

/* --- Containers. --- */

struct object *container_alloc_behind(struct runtime *runtime, size_t before_bytes, size_t bytes)
{
    struct generation *youngest = &runtime->collector.generations[0];
    size_t head_bytes = runtime->profile->gc_head_bytes;

    char *block = heap_malloc(&runtime->heap, HEAP_OBJECT, before_bytes + head_bytes + bytes);
    if (!block)
        return NULL;
    struct object *object = (struct object *)(void *)(block + before_bytes + head_bytes);
    container_renew(runtime, object);
    if (++youngest->count > youngest->threshold)
        count_is_over(runtime);
    return object;
}

struct object *container_alloc(struct runtime *runtime, size_t bytes)
{
    return container_alloc_behind(runtime, 0, bytes);
}

void container_free_behind(struct runtime *runtime, struct object *object, size_t before_bytes,
                           size_t bytes)
{
    struct generation *youngest = &runtime->collector.generations[0];
    size_t front_bytes = before_bytes + runtime->profile->gc_head_bytes;

    if (youngest->count > 0)
        youngest->count--;
    heap_free(&runtime->heap, HEAP_OBJECT, (char *)object - front_bytes, front_bytes + bytes);
}

void container_free(struct runtime *runtime, struct object *object, size_t bytes)
{
    container_free_behind(runtime, object, 0, bytes);
}

struct object *container_resize(struct runtime *runtime, struct object *object, size_t old_bytes,
                                size_t new_bytes)
{
    size_t head_bytes = runtime->profile->gc_head_bytes;
    char *block = heap_realloc(&runtime->heap, HEAP_OBJECT, (char *)object - head_bytes,
                               head_bytes + old_bytes, head_bytes + new_bytes);

    return block ? (struct object *)(void *)(block + head_bytes) : NULL;
}

void container_renew(const struct runtime *runtime, struct object *object)
{
    struct gc_head *head = head_of(runtime, object);

    head->next = 0;
    head->previous = 0;
}

void container_track(struct runtime *runtime, struct object *object)
{
    ring_append(&runtime->collector.generations[0].tracked, head_of(runtime, object));
}

void container_untrack(struct runtime *runtime, struct object *object)
{
    struct gc_head *head = head_of(runtime, object);

    if (!is_tracked(head))
        return;
    ring_remove(head);
    head->next = 0;
    head->previous &= PREVIOUS_FINALIZED;
}

int object_is_tracked(const struct runtime *runtime, const struct object *object)
{
    return object_is_container(object) && is_tracked(head_of(runtime, object));
}

int object_may_be_tracked(const struct runtime *runtime, const struct object *object)
{
    return object_is_container(object) &&
           (object->type->untracking != UNTRACKED_BY_ANY_COLLECTION ||
            is_tracked(head_of(runtime, object)));
}

/* untrack_tuples and untrack_dicts: of what survived, in its order. */
static void untrack(struct runtime *runtime, struct gc_head *ring, enum object_untracking when)
{
    struct gc_head *next;

    for (struct gc_head *head = next_of(ring); head != ring; head = next) {
        struct object *object = object_of(runtime, head);
        next = next_of(head);
        if (object->type->untracking == when && object->type->may_untrack(runtime, object))
            container_untrack(runtime, object);
    }
}

/* --- Finalizers. --- */

/* With a reference of its own, so that the finalizer may drop what it likes. */
static void call_finalizer(struct runtime *runtime, struct object *object)
{
    head_of(runtime, object)->previous |= PREVIOUS_FINALIZED;
    object->type->finalize(runtime, object);
}

static int is_to_be_finalized(const struct runtime *runtime, const struct object *object)
{
    if (!object->type->finalize)
        return 0;
    if (!object_is_container(object) || runtime->profile->finalizers_block)
        return 1; /* each time that it dies */
    return !(head_of(runtime, object)->previous & PREVIOUS_FINALIZED);
}

int object_finalize(struct runtime *runtime, struct object *object)
{
    if (!is_to_be_finalized(runtime, object))
        return 0;
    object->references = 1;
    if (object_is_container(object))
        call_finalizer(runtime, object);
    else
        object->type->finalize(runtime, object);
    return --object->references > 0;
}

/* finalize_garbage: any of them may call back the life of others, or end it. */
static void finalize_all(struct runtime *runtime, struct gc_head *aside)
{
    struct gc_head seen;

    ring_init(&seen);
    while (!ring_is_empty(aside)) {
        struct gc_head *head = next_of(aside);
        struct object *object = object_of(runtime, head);
        ring_move(head, &seen);
        if (!is_to_be_finalized(runtime, object))
            continue;
        object_keep(object);
        call_finalizer(runtime, object);
        object_drop(runtime, object);
    }
    ring_merge(&seen, aside);
}

/*
 * handle_resurrected_objects: what a finalizer made reachable, and all that it leads to, goes to
 * the older generation; on 3.8 (check_garbage) all the others with it.
 */
static void return_resurrected(struct runtime *runtime, struct gc_head *aside,
                               struct gc_head *older)
{
    struct gc_head still;

    ring_init(&still);
    unreachable_settle(aside);
    unreachable_find(runtime, aside, &still);
    if (runtime->profile->resurrection_spares_all && !ring_is_empty(aside)) {
        unreachable_settle(&still);
        ring_merge(&still, aside);
    }
    ring_merge(aside, older);
    ring_merge(&still, aside);
}

/* handle_finalizers of 2.7. What does not fit is lost from sight, not from memory, as in CPython.
 */
static void keep_as_garbage(struct runtime *runtime, struct gc_head *finalizers,
                            struct gc_head *older)
{
    struct collector *collector = &runtime->collector;

    if (!collector->garbage && !ring_is_empty(finalizers))
        collector->garbage = (struct object *)list_new(runtime, 0);
    for (struct gc_head *head = next_of(finalizers); collector->garbage && head != finalizers;
         head = next_of(head)) {
        struct object *object = object_of(runtime, head);
        if (object->type->finalize &&
            list_append(runtime, (struct list *)collector->garbage, object) != 0)
            break;
    }
    ring_merge(finalizers, older);
}

/* --- A collection. --- */

/*
 * delete_garbage: clearing one container drops others, which leave the ring as they die. What had
 * nothing to clear moves on: what holds it will drop it.
 */
static void clear_all(struct runtime *runtime, struct gc_head *aside, struct gc_head *older)
{
    for (struct gc_head *head; (head = next_of(aside)) != aside;) {
        struct object *object = object_keep(object_of(runtime, head));
        if (object->type->clear)
            object->type->clear(runtime, object);
        object_drop(runtime, object);
        if (next_of(aside) == head)
            ring_move(head, older);
    }
}

/*
 * What dies here was unreachable before: if the program declared it (objects_abandon) it is gone
 * from object_bytes already; the rest is taken from it at the end. Returns how many were
 * unreachable.
 */
static size_t break_cycles(struct runtime *runtime, struct gc_head *aside, struct gc_head *older)
{
    struct collector *collector = &runtime->collector;
    struct workload_gauge *gauge = runtime->heap.gauge;
    size_t unreachable = 0;

    atomic_store_explicit(&collector->breaking_bytes, 0, memory_order_relaxed);
    runtime->dying_bytes = &collector->breaking_bytes;
    unreachable += weakrefs_clear_unreachable(runtime, aside, older);
    if (!runtime->profile->finalizers_block) {
        finalize_all(runtime, aside);
        return_resurrected(runtime, aside, older);
    }
    unreachable += ring_count(aside);
    unreachable_settle(aside);
    clear_all(runtime, aside, older);
    runtime->dying_bytes = &gauge->object_bytes;

    uint64_t died = -atomic_load_explicit(&collector->breaking_bytes, memory_order_relaxed);
    uint64_t declared = died < collector->abandoned_bytes ? died : collector->abandoned_bytes;
    collector->abandoned_bytes -= declared;
    gauge_subtract(&gauge->object_bytes, died - declared);
    return unreachable;
}

/* The ring of `generation` with all younger ones in it, their counts begun anew. */
static struct gc_head *merge_younger(struct collector *collector, unsigned generation)
{
    struct gc_head *young = &collector->generations[generation].tracked;

    if (generation < OLDEST)
        collector->generations[generation + 1].count++;
    for (unsigned i = 0; i <= generation; i++)
        collector->generations[i].count = 0;
    for (unsigned i = 0; i < generation; i++)
        ring_merge(&collector->generations[i].tracked, young);
    return young;
}

/* Where what survived goes: returns that ring. */
static struct gc_head *move_survivors(struct runtime *runtime, unsigned generation)
{
    struct collector *collector = &runtime->collector;
    struct gc_head *young = &collector->generations[generation].tracked;

    untrack(runtime, young, UNTRACKED_BY_ANY_COLLECTION);
    if (generation == OLDEST) {
        untrack(runtime, young, UNTRACKED_BY_FULL_COLLECTION);
        collector->long_lived_pending = 0;
        collector->long_lived_total = ring_count(young);
        return young;
    }
    if (generation == OLDEST - 1)
        collector->long_lived_pending += ring_count(young);
    struct gc_head *older = &collector->generations[generation + 1].tracked;
    ring_merge(young, older);
    return older;
}

static size_t collect(struct runtime *runtime, unsigned generation)
{
    struct collector *collector = &runtime->collector;
    struct collector_stats *stats = &collector->stats[generation];
    struct gc_head aside, finalizers;
    size_t uncollectable = 0;

    collector->collecting = 1;
    ring_init(&aside);
    ring_init(&finalizers);
    unreachable_find(runtime, merge_younger(collector, generation), &aside);
    struct gc_head *older = move_survivors(runtime, generation);
    if (runtime->profile->finalizers_block) {
        unreachable_spare_finalizers(runtime, &aside, &finalizers);
        uncollectable = ring_count(&finalizers);
    }
    size_t unreachable = break_cycles(runtime, &aside, older);
    keep_as_garbage(runtime, &finalizers, older);
    if (generation == OLDEST)
        runtime_clear_free_lists(runtime);
    stats->collections++;
    stats->collected += unreachable;
    stats->uncollectable += uncollectable;
    collector->collecting = 0;
    return unreachable + uncollectable;
}

/* --- As the gc module has it. --- */

size_t objects_collect(struct runtime *runtime, unsigned generation)
{
    assert(generation < GENERATIONS);
    return runtime->collector.collecting ? 0 : collect(runtime, generation);
}

void objects_enable(struct runtime *runtime, int enabled)
{
    runtime->collector.enabled = enabled;
}

void objects_get_count(const struct runtime *runtime, uint64_t counts[GENERATIONS])
{
    for (unsigned i = 0; i < GENERATIONS; i++)
        counts[i] = runtime->collector.generations[i].count;
}

void objects_set_threshold(struct runtime *runtime, const uint64_t thresholds[GENERATIONS])
{
    for (unsigned i = 0; i < GENERATIONS; i++)
        runtime->collector.generations[i].threshold = thresholds[i];
}

struct collector_stats objects_get_stats(const struct runtime *runtime, unsigned generation)
{
    assert(generation < GENERATIONS);
    return runtime->collector.stats[generation];
}

struct object *objects_get_objects(struct runtime *runtime, unsigned generation)
{
    struct list *list = list_new(runtime, 0);
    unsigned first = generation < GENERATIONS ? generation : 0;
    unsigned last = generation < GENERATIONS ? generation : OLDEST;

    for (unsigned i = first; list && i <= last; i++) {
        struct gc_head *ring = &runtime->collector.generations[i].tracked;
        for (struct gc_head *head = next_of(ring); head != ring; head = next_of(head)) {
            struct object *object = object_of(runtime, head);
            if (object == &list->object || list_append(runtime, list, object) == 0)
                continue;
            object_drop(runtime, &list->object);
            return NULL;
        }
    }
    return (struct object *)list;
}

struct object *objects_garbage(const struct runtime *runtime)
{
    return runtime->collector.garbage;
}

void objects_abandon(struct runtime *runtime, uint64_t bytes)
{
    runtime->collector.abandoned_bytes += bytes;
    gauge_subtract(&runtime->heap.gauge->object_bytes, bytes);
}
