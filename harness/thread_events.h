/*
 * What the kernel did to the calling thread, told apart to the moment: page faults, the processor
 * taken away, mappings made. The kernel writes a record of each into a ring that the thread has
 * mapped (perf_event_open, software events with a period of 1), so that looking whether there was
 * one is a load from memory and no system call. Leaves out what has no record: munmap, madvise,
 * and interrupts. Needs no privilege up to perf_event_paranoid 2; containers often forbid it.
 */
#ifndef TIDEMARK_HARNESS_THREAD_EVENTS_H
#define TIDEMARK_HARNESS_THREAD_EVENTS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

struct thread_event_ring {
    int fd;
    void *pages;            /* the kernel's head of the ring, then its records; NULL when closed */
    _Atomic uint64_t *head; /* bytes written since it was opened: only ever more */
};

struct thread_events {
    struct thread_event_ring faults, rest;
};

/* How far the kernel had written at one moment. */
struct thread_events_mark {
    uint64_t faults, rest;
};

struct thread_event_counts {
    uint64_t page_faults; /* in user mode, minor and major */
    uint64_t switches;    /* how often the thread lost its processor, ... */
    uint64_t preemptions; /* ... and of these, how often against its will */
    uint64_t mappings;    /* by mmap, by brk upwards, and by mprotect */
    int lost; /* 1: more records than the ring holds: all but page_faults are unknown, and 0 */
};

/*
 * Starts to record for the calling thread alone. Returns 0, or a negative errno with `events`
 * closed: every mark is then equal. Two descriptors and 20 KiB of locked memory; some 20 µs.
 */
int thread_events_open(struct thread_events *events);

/* Thread-safe; a closed one is left alone. */
void thread_events_close(struct thread_events *events);

/* By the thread that opened it. */
static inline struct thread_events_mark thread_events_now(const struct thread_events *events)
{
    struct thread_events_mark mark = {0, 0};

    if (__builtin_expect(events->faults.pages != NULL, 1)) {
        mark.faults = atomic_load_explicit(events->faults.head, memory_order_acquire);
        mark.rest = atomic_load_explicit(events->rest.head, memory_order_acquire);
    }
    return mark;
}

/* What happened between two marks, by the thread that opened it, before 8 KiB more were recorded.
 */
void thread_events_between(const struct thread_events *events, struct thread_events_mark from,
                           struct thread_events_mark to, struct thread_event_counts *counts);

#endif
