/*
 * The mark phase: see unreachable.h. It copies each count of references into the head, takes away
 * those that come from other containers of the ring, moves what is left with none aside, and brings
 * back what a live one reaches. Leaves out the rest of a collection. After CPython 3.11
 * Modules/gcmodule.c (update_refs, subtract_refs, move_unreachable), 2.7 (move_finalizers).
 */
#include "workloads/objects/unreachable.h"

#include "workloads/objects/runtime.h"

struct mark {
    struct runtime *runtime;
    struct gc_head *ring; /* where the visitor moves heads to */
};

static uintptr_t references_of(const struct gc_head *head)
{
    return head->previous / ONE_REFERENCE;
}

/* Also the mark of this collection. */
static void set_references(struct gc_head *head, uintptr_t references)
{
    uintptr_t finalized = head->previous & PREVIOUS_FINALIZED;

    head->previous = references * ONE_REFERENCE | PREVIOUS_COLLECTING | finalized;
}

/* update_refs. From here until move_unreachable the ring is linked in one direction only. */
static void copy_references(struct runtime *runtime, struct gc_head *young)
{
    for (struct gc_head *head = next_of(young); head != young; head = next_of(head))
        set_references(head, object_of(runtime, head)->references);
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

/* What remains of a count comes from outside: the program's names, and older containers. */
static void subtract_internal(struct runtime *runtime, struct gc_head *young)
{
    for (struct gc_head *head = next_of(young); head != young; head = next_of(head)) {
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
    struct mark *mark = argument;

    if (!object_is_container(child))
        return;
    struct gc_head *head = head_of(mark->runtime, child);
    if (!is_collecting(head))
        return;
    if (head->next & NEXT_UNREACHABLE) {
        struct gc_head *previous = previous_of(head);
        struct gc_head *next = next_of(head);
        previous->next = head->next; /* with the flag that all of that ring carry */
        set_previous(next, previous);
        ring_append(mark->ring, head);
        set_references(head, 1);
    } else if (references_of(head) == 0) {
        set_references(head, 1);
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
    head->previous = (uintptr_t)last | PREVIOUS_COLLECTING | (head->previous & PREVIOUS_FINALIZED);
    head->next = (uintptr_t)aside | NEXT_UNREACHABLE;
    aside->previous = (uintptr_t)head;
}

/*
 * Goes once through the ring, which grows behind the walk as heads come back, and links it in both
 * directions again.
 */
static void move_unreachable(struct runtime *runtime, struct gc_head *young, struct gc_head *aside)
{
    struct mark mark = {.runtime = runtime, .ring = young};
    struct gc_head *previous = young;
    struct gc_head *head;

    while ((head = next_of(previous)) != young) {
        if (references_of(head) == 0) {
            previous->next = head->next;
            move_aside(aside, head);
            continue;
        }
        struct object *object = object_of(runtime, head);
        object->type->traverse(object, visit_reachable, &mark);
        head->previous = (uintptr_t)previous | (head->previous & PREVIOUS_FINALIZED);
        previous = head;
    }
    young->previous = (uintptr_t)previous;
}

void unreachable_find(struct runtime *runtime, struct gc_head *young, struct gc_head *aside)
{
    copy_references(runtime, young);
    subtract_internal(runtime, young);
    move_unreachable(runtime, young, aside);
    /* From now on the ring is like any other, but for the mark. */
    aside->next &= ~NEXT_UNREACHABLE;
    for (struct gc_head *head = next_of(aside); head != aside; head = next_of(head))
        head->next &= ~NEXT_UNREACHABLE;
}

void unreachable_settle(struct gc_head *aside)
{
    for (struct gc_head *head = next_of(aside); head != aside; head = next_of(head))
        head->previous &= ~PREVIOUS_COLLECTING;
}

static void spare(struct gc_head *head, struct gc_head *finalizers)
{
    head->previous &= ~PREVIOUS_COLLECTING;
    ring_move(head, finalizers);
}

static void visit_spare(struct object *child, void *argument)
{
    struct mark *mark = argument;

    if (object_is_container(child) && is_collecting(head_of(mark->runtime, child)))
        spare(head_of(mark->runtime, child), mark->ring);
}

void unreachable_spare_finalizers(struct runtime *runtime, struct gc_head *aside,
                                  struct gc_head *finalizers)
{
    struct mark mark = {.runtime = runtime, .ring = finalizers};
    struct gc_head *next;

    for (struct gc_head *head = next_of(aside); head != aside; head = next) {
        next = next_of(head);
        if (object_of(runtime, head)->type->finalize)
            spare(head, finalizers);
    }
    /* The ring grows behind the walk. */
    for (struct gc_head *head = next_of(finalizers); head != finalizers; head = next_of(head)) {
        struct object *object = object_of(runtime, head);
        object->type->traverse(object, visit_spare, &mark);
    }
}
