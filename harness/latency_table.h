/*
 * What is kept of each timed operation: for each layer, operation and size class a histogram, and
 * for each layer and operation the slowest few with what the kernel did meanwhile, and how many
 * system calls were made in all of them. A thread has a
 * table of its own, so that no two threads write to one line; tables of threads that have ended
 * serve later ones. Leaves out clocks (harness/cycle_clock.h) and where it all goes
 * (harness/latency_child.c).
 */
#ifndef TIDEMARK_HARNESS_LATENCY_TABLE_H
#define TIDEMARK_HARNESS_LATENCY_TABLE_H

#include "harness/latency_histogram.h"
#include "harness/latency_operation.h"
#include "harness/ledger_trap.h"
#include "harness/thread_events.h"

enum { LATENCY_THREADS = 256 /* that may call at once; of more nothing is recorded */ };

/* One finished call. */
struct latency_call {
    uint64_t ticks;
    uint64_t begin_ticks; /* the clock's own reading */
    uint64_t size_bytes;  /* as asked for; 0 of an operation that has none, and of free */
    unsigned size_class;
};

struct latency_slow {
    struct latency_call call;
    unsigned thread; /* a number of its own for each thread that called, from 0 */
    struct thread_event_counts events;
    struct ledger_thread system_calls; /* made in it; none where they are not trapped */
};

/* What had happened to a thread at one moment. */
struct latency_mark {
    struct thread_events_mark events;
    struct ledger_thread system_calls;
};

/* The slowest calls of one kind, in no order. */
struct latency_slowest {
    unsigned count;
    uint64_t least_ticks; /* what a call has to pass to be kept: 0 until all places are taken */
    struct latency_slow calls[LATENCY_SLOWEST];
};

/* One operation of one layer. */
struct latency_spot {
    uint32_t classes; /* bit i: histogram i has values */
    struct latency_slowest undisturbed, preempted;
    uint64_t faulted_count, faulted_ticks; /* operations with a page fault, and their time */
    uint64_t trapped_count;                /* operations with a system call, ... */
    uint64_t system_calls[LEDGER_CALLS];   /* ... and those in them */
};

/* Some 3 MiB of address space, of which a page of 4 KiB is taken when it is first written to. */
struct latency_table {
    struct latency_table *next; /* of the free ones */
    unsigned thread;            /* whose it is */
    struct thread_events events;
    const struct ledger_thread *system_calls; /* of that thread, so far */
    struct latency_spot spots[LATENCY_SPOTS];
    struct latency_histogram histograms[LATENCY_SPOTS][LATENCY_CLASSES];
};

/* A table for the calling thread, with its events open where the kernel grants them. NULL when all
 * are taken, or without memory. Thread-safe; some 30 µs. */
struct latency_table *latency_table_take(void);

/* The thread that has it ends: another may take it, with all that is in it. Thread-safe. */
void latency_table_give_back(struct latency_table *table);

/* Keeps a call that may be among the slowest, and what happened between the marks. By the thread
 * that has the table. */
void latency_table_keep(struct latency_table *table, unsigned spot_index,
                        const struct latency_call *call, const struct latency_mark *before,
                        const struct latency_mark *after);

/* Adds the system calls between two marks to the spot. */
void latency_table_add_system_calls(struct latency_spot *spot, const struct latency_mark *before,
                                    const struct latency_mark *after);

/* Now, of the calling thread, which has the table. */
static inline struct latency_mark latency_table_mark(const struct latency_table *table)
{
    return (struct latency_mark){.events = thread_events_now(&table->events),
                                 .system_calls = *table->system_calls};
}

/* One finished call; `before` is the mark right before it. By the thread that has the table. */
static inline void latency_table_add(struct latency_table *table, unsigned spot_index,
                                     const struct latency_call *call,
                                     const struct latency_mark *before)
{
    const struct latency_mark after = latency_table_mark(table);
    struct latency_spot *spot = &table->spots[spot_index];

    latency_histogram_add(&table->histograms[spot_index][call->size_class], call->ticks);
    spot->classes |= UINT32_C(1) << call->size_class;
    if (__builtin_expect(after.events.faults != before->events.faults, 0)) {
        spot->faulted_count++;
        spot->faulted_ticks += call->ticks;
    }
    if (__builtin_expect(after.system_calls.all != before->system_calls.all, 0))
        latency_table_add_system_calls(spot, before, &after);
    if (__builtin_expect(call->ticks > spot->undisturbed.least_ticks, 0))
        latency_table_keep(table, spot_index, call, before, &after);
}

/* --- All tables together, while no other thread calls. --- */

/* Empties them. */
void latency_tables_reset(void);

/* The spot of all threads. */
void latency_tables_spot(unsigned spot_index, struct latency_spot *spot);

/* All that are kept of a spot, the slowest first, into `calls`. Returns how many. */
unsigned latency_spot_sort(const struct latency_spot *spot,
                           struct latency_slow calls[LATENCY_MOST_SLOWEST]);

/* The histogram of all threads. */
void latency_tables_histogram(unsigned spot_index, unsigned size_class,
                              struct latency_histogram *histogram);

#endif
