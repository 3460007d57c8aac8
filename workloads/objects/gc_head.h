/*
 * The collector's head in front of each container, and the rings that heads are linked into.
 * Leaves out what a collection does with them (unreachable.c, collector.c). After CPython 3.11
 * Include/internal/pycore_gc.h; 2.7 keeps its count in a field of its larger head instead.
 */
#ifndef TIDEMARK_WORKLOADS_OBJECTS_GC_HEAD_H
#define TIDEMARK_WORKLOADS_OBJECTS_GC_HEAD_H

#include <stddef.h>
#include <stdint.h>

/*
 * Lies in front of each container: 16 bytes, in a profile of 2.7 padded to 32. Both links carry
 * flags in their low bits, and during a collection `previous` holds a count of references instead;
 * that is why they are no pointers. Not tracked: next == 0.
 */
struct gc_head {
    uintptr_t next;
    uintptr_t previous;
};

/* Low bits of the links; heads are 16-byte aligned. */
#define NEXT_UNREACHABLE   ((uintptr_t)1) /* in next: moved aside, unreachable as far as is known */
#define PREVIOUS_FINALIZED ((uintptr_t)1) /* in previous: its finalizer was called; for good */
#define PREVIOUS_COLLECTING                                                                        \
    ((uintptr_t)2) /* in previous: belongs to this collection; above it the count, or the link */
#define PREVIOUS_FLAGS ((uintptr_t)3)
#define ONE_REFERENCE  ((uintptr_t)4)

static inline struct gc_head *next_of(const struct gc_head *head)
{
    return (struct gc_head *)(head->next & ~NEXT_UNREACHABLE);
}

static inline struct gc_head *previous_of(const struct gc_head *head)
{
    return (struct gc_head *)(head->previous & ~PREVIOUS_FLAGS);
}

/* The flags stay as they are. */
static inline void set_previous(struct gc_head *head, const struct gc_head *previous)
{
    head->previous = (head->previous & PREVIOUS_FLAGS) | (uintptr_t)previous;
}

static inline int is_tracked(const struct gc_head *head)
{
    return head->next != 0;
}

static inline int is_collecting(const struct gc_head *head)
{
    return (head->previous & PREVIOUS_COLLECTING) != 0;
}

static inline void ring_init(struct gc_head *ring)
{
    ring->next = (uintptr_t)ring;
    ring->previous = (uintptr_t)ring;
}

static inline int ring_is_empty(const struct gc_head *ring)
{
    return next_of(ring) == ring;
}

static inline void ring_append(struct gc_head *ring, struct gc_head *head)
{
    struct gc_head *last = previous_of(ring);

    set_previous(head, last);
    head->next = (uintptr_t)ring;
    last->next = (uintptr_t)head;
    ring->previous = (uintptr_t)head;
}

static inline void ring_remove(struct gc_head *head)
{
    struct gc_head *previous = previous_of(head);
    struct gc_head *next = next_of(head);

    previous->next = (uintptr_t)next;
    set_previous(next, previous);
}

static inline void ring_move(struct gc_head *head, struct gc_head *ring)
{
    ring_remove(head);
    ring_append(ring, head);
}

/* Appends all of `from`, which is empty afterwards. */
static inline void ring_merge(struct gc_head *from, struct gc_head *ring)
{
    if (!ring_is_empty(from)) {
        struct gc_head *first = next_of(from);
        struct gc_head *last = previous_of(from);
        struct gc_head *tail = previous_of(ring);
        tail->next = (uintptr_t)first;
        set_previous(first, tail);
        last->next = (uintptr_t)ring;
        set_previous(ring, last);
    }
    ring_init(from);
}

/* Walks the ring. */
static inline size_t ring_count(const struct gc_head *ring)
{
    size_t count = 0;

    for (const struct gc_head *head = next_of(ring); head != ring; head = next_of(head))
        count++;
    return count;
}

#endif
