/*
 * The cycle collector: see collector.h. One ring of tracked containers; a collection copies each
 * count of references into the head, takes away those that come from other containers, moves what
 * is left with none aside, brings back what a live one reaches, and clears the rest. Leaves out
 * what CPython does for finalizers and weak references. After CPython 3.11 Modules/gcmodule.c.
 */
#include "workloads/objects/collector.h"

#include "workloads/objects/runtime.h"

/* Low bits of the links; heads are 16-byte aligned. */
#define NEXT_UNREACHABLE ((uintptr_t)1) /* in next: moved aside, unreachable as far as is known */
#define PREVIOUS_COLLECTING                                                                        \
    ((uintptr_t)2) /* in previous: belongs to this collection; above it the count, or the link */
#define PREVIOUS_FLAGS ((uintptr_t)3)
#define ONE_REFERENCE  ((uintptr_t)4)

static struct gc_head *head_of(const struct runtime *runtime, struct object *object)
{
    return (struct gc_head *)(void *)((char *)object - runtime->profile->gc_head_bytes);
}

static struct object *object_of(const struct runtime *runtime, struct gc_head *head)
{
    return (struct object *)(void *)((char *)head + runtime->profile->gc_head_bytes);
}

static struct gc_head *next_of(const struct gc_head *head)
{
    return (struct gc_head *)(head->next & ~NEXT_UNREACHABLE);
}

static struct gc_head *previous_of(const struct gc_head *head)
{
    return (struct gc_head *)(head->previous & ~PREVIOUS_FLAGS);
}

static void set_previous(struct gc_head *head, const struct gc_head *previous)
{
    head->previous = (head->previous & PREVIOUS_FLAGS) | (uintptr_t)previous;
}

static int is_collecting(const struct gc_head *head)
{
    return (head->previous & PREVIOUS_COLLECTING) != 0;
}

static uintptr_t references_of(const struct gc_head *head)
{
    return head->previous / ONE_REFERENCE;
}

static void ring_init(struct gc_head *ring)
{
    ring->next = (uintptr_t)ring;
    ring->previous = (uintptr_t)ring;
}

static void ring_append(struct gc_head *ring, struct gc_head *head)
{
    struct gc_head *last = previous_of(ring);

    set_previous(head, last);
    head->next = (uintptr_t)ring;
    last->next = (uintptr_t)head;
    ring->previous = (uintptr_t)head;
}

static void ring_remove(struct gc_head *head)
{
    struct gc_head *previous = previous_of(head);
    struct gc_head *next = next_of(head);

    previous->next = (uintptr_t)next;
    set_previous(next, previous);
}

void collector_init(struct runtime *runtime)
{
    ring_init(&runtime->collector.tracked);
    runtime->collector.abandoned_bytes = 0;
}

struct object *container_alloc(struct runtime *runtime, size_t bytes)
{
    size_t head_bytes = runtime->profile->gc_head_bytes;
    struct gc_head *head = heap_malloc(&runtime->heap, HEAP_OBJECT, head_bytes + bytes);

    if (!head)
        return NULL;
    head->next = 0;
    head->previous = 0;
    return object_of(runtime, head);
}

void container_free(struct runtime *runtime, struct object *object, size_t bytes)
{
    size_t head_bytes = runtime->profile->gc_head_bytes;

    heap_free(&runtime->heap, HEAP_OBJECT, head_of(runtime, object), head_bytes + bytes);
}

void container_track(struct runtime *runtime, struct object *object)
{
    ring_append(&runtime->collector.tracked, head_of(runtime, object));
}

void container_untrack(struct runtime *runtime, struct object *object)
{
    struct gc_head *head = head_of(runtime, object);

    if (head->next == 0)
        return;
    ring_remove(head);
    head->next = 0;
    head->previous = 0;
}

/* update_refs. From here until move_unreachable the ring is linked in one direction only. */
static void copy_references(struct runtime *runtime)
{
    struct gc_head *ring = &runtime->collector.tracked;

    for (struct gc_head *head = next_of(ring); head != ring; head = next_of(head))
        head->previous = object_of(runtime, head)->references * ONE_REFERENCE | PREVIOUS_COLLECTING;
}

static void visit_subtract(struct object *child, void *argument)
{
    const struct runtime *runtime = argument;

    if (!object_is_container(child))
        return;
    struct gc_head *head = head_of(runtime, child);
    if (is_collecting(head))
        head->previous -= ONE_REFERENCE;
}

/* What remains of a count comes from outside: the program's names. */
static void subtract_internal(struct runtime *runtime)
{
    struct gc_head *ring = &runtime->collector.tracked;

    for (struct gc_head *head = next_of(ring); head != ring; head = next_of(head)) {
        struct object *object = object_of(runtime, head);
        object->type->traverse(object, visit_subtract, runtime);
    }
}

/*
 * Called for what a reachable container holds: it is reachable too, whether it is still to come or
 * was moved aside already.
 */
static void visit_reachable(struct object *child, void *argument)
{
    struct runtime *runtime = argument;

    if (!object_is_container(child))
        return;
    struct gc_head *head = head_of(runtime, child);
    if (!is_collecting(head))
        return;
    if (head->next & NEXT_UNREACHABLE) {
        struct gc_head *previous = previous_of(head);
        struct gc_head *next = next_of(head);
        previous->next = head->next; /* with the flag that all of that ring carry */
        set_previous(next, previous);
        ring_append(&runtime->collector.tracked, head);
        head->previous = ONE_REFERENCE | PREVIOUS_COLLECTING;
    } else if (references_of(head) == 0) {
        head->previous = ONE_REFERENCE | PREVIOUS_COLLECTING;
    }
}

/*
 * Appends to `aside`, which keeps its links in both directions; each next in that ring carries the
 * flag, by which visit_reachable knows where a head is.
 */
static void move_aside(struct gc_head *aside, struct gc_head *head)
{
    struct gc_head *last = previous_of(aside);

    last->next = (uintptr_t)head | NEXT_UNREACHABLE;
    head->previous = (uintptr_t)last | PREVIOUS_COLLECTING;
    head->next = (uintptr_t)aside | NEXT_UNREACHABLE;
    aside->previous = (uintptr_t)head;
}

/*
 * Goes once through the ring, which grows behind the walk as heads come back, and links it in both
 * directions again.
 */
static void move_unreachable(struct runtime *runtime, struct gc_head *aside)
{
    struct gc_head *ring = &runtime->collector.tracked;
    struct gc_head *previous = ring;
    struct gc_head *head;

    while ((head = next_of(previous)) != ring) {
        if (references_of(head) == 0) {
            previous->next = head->next;
            move_aside(aside, head);
            continue;
        }
        struct object *object = object_of(runtime, head);
        object->type->traverse(object, visit_reachable, runtime);
        head->previous = (uintptr_t)previous;
        previous = head;
    }
    ring->previous = (uintptr_t)previous;
}

/* Takes the flags off, so that the ring is like any other. Returns how many it holds. */
static size_t settle(struct gc_head *aside)
{
    size_t count = 0;

    aside->next &= ~NEXT_UNREACHABLE;
    for (struct gc_head *head = next_of(aside); head != aside; head = next_of(head)) {
        head->next &= ~NEXT_UNREACHABLE;
        head->previous &= ~PREVIOUS_FLAGS;
        count++;
    }
    return count;
}

/*
 * delete_garbage: clearing one container drops others, which leave the ring as they die. What dies
 * here was unreachable before: if the program declared it (objects_abandon) it is gone from
 * object_bytes already; the rest is taken from it at the end.
 */
static void break_cycles(struct runtime *runtime, struct gc_head *aside)
{
    struct collector *collector = &runtime->collector;
    struct workload_gauge *gauge = runtime->heap.gauge;

    atomic_store_explicit(&collector->breaking_bytes, 0, memory_order_relaxed);
    runtime->dying_bytes = &collector->breaking_bytes;
    for (struct gc_head *head; (head = next_of(aside)) != aside;) {
        struct object *object = object_keep(object_of(runtime, head));
        if (object->type->clear)
            object->type->clear(runtime, object);
        object_drop(runtime, object);
        if (next_of(aside) == head) { /* it had nothing to clear: what holds it will drop it */
            ring_remove(head);
            ring_append(&collector->tracked, head);
        }
    }
    runtime->dying_bytes = &gauge->object_bytes;

    uint64_t died = -atomic_load_explicit(&collector->breaking_bytes, memory_order_relaxed);
    uint64_t declared = died < collector->abandoned_bytes ? died : collector->abandoned_bytes;
    collector->abandoned_bytes -= declared;
    gauge_subtract(&gauge->object_bytes, died - declared);
}

size_t objects_collect(struct runtime *runtime)
{
    struct gc_head aside;

    ring_init(&aside);
    copy_references(runtime);
    subtract_internal(runtime);
    move_unreachable(runtime, &aside);
    size_t unreachable = settle(&aside);
    break_cycles(runtime, &aside);
    runtime_clear_free_lists(runtime);
    return unreachable;
}

void objects_abandon(struct runtime *runtime, uint64_t bytes)
{
    runtime->collector.abandoned_bytes += bytes;
    gauge_subtract(&runtime->heap.gauge->object_bytes, bytes);
}
