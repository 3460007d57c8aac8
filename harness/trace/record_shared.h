/*
 * The memory that `tidemark record` shares with the programs it records: chunks that threads fill
 * with words, one each, and that the collector reads and gives back. Leaves out what becomes of
 * them (record_collect.h). Words lie in memory of the collector's from the moment that they are
 * written: a program that is killed loses at most the event that it was about.
 *
 * A chunk has one writer, its thread, and one reader. A first word that is not zero is written: it
 * is stored last (release), behind a zero where the next event will begin, so that the reader needs
 * no counter, and a thread that is killed half way leaves no half event. Taking a chunk is a
 * compare-and-swap, once in some thousand events; nothing else is shared on the way.
 */
#ifndef TIDEMARK_HARNESS_TRACE_RECORD_SHARED_H
#define TIDEMARK_HARNESS_TRACE_RECORD_SHARED_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define RECORD_VARIABLE "TIDEMARK_RECORD" /* the file, in the environment */

enum {
    RECORD_LAYOUT = 3,
    RECORD_CHUNK_BYTES = 1 << 16,
    RECORD_CHUNK_HEAD_BYTES = 64,
    RECORD_CHUNK_WORDS = (RECORD_CHUNK_BYTES - RECORD_CHUNK_HEAD_BYTES) / 8,
    RECORD_MOST_CHUNKS = 1 << 16, /* 4 GiB of addresses; pages are taken as they are written */
    /* Chunks there may be beside one for each thread that holds one. A thread that finds none waits
       for the collector: a trace has no holes. */
    RECORD_BACKLOG_CHUNKS = 1 << 12,
    RECORD_MOST_PROCESSES = 1 << 16,
    RECORD_NAME_BYTES = 64,
    RECORD_NO_CHUNK = 0, /* chunks are counted from 1 */
};

enum { RECORD_WITH_TIMES = 1, RECORD_WITH_STACKS = 2 };

/* --- Words. --- */

/*
 * The first word of an event: kind in 4 bits, a size in 15 (or RECORD_SIZE_FOLLOWS), and an address
 * of 48 bits without its lowest 3, which are 0 in every block. What may follow, in this order: the
 * size, the alignment, the stack, and in a chunk that is stamped the stamp.
 */
enum record_kind {
    RECORD_NOTHING, /* not written yet */
    RECORD_MALLOC,
    RECORD_CALLOC,
    RECORD_ALIGNED,
    RECORD_MOVE,  /* before realloc: the block that may end */
    RECORD_MOVED, /* after it: the new one, at address 0 when there is none, of the size asked for
                   */
    RECORD_FREE,
    /* Without address, size and stack; what follows is in brackets, before the stamp. */
    RECORD_FORK, /* [process]: this process's blocks are also those of that one from here on */
    /* Without stamp either. */
    RECORD_TIME,  /* [nanoseconds since the beginning] */
    RECORD_START, /* [thread]: it is about to be started */
    RECORD_NODE,  /* [number, parent, address]: a node of this process's tree of stacks */
    RECORD_KINDS
};

enum {
    RECORD_KIND_BITS = 4,
    RECORD_SIZE_BITS = 15,
    RECORD_SIZE_FOLLOWS = (1 << RECORD_SIZE_BITS) - 1,
    RECORD_ADDRESS_SHIFT = RECORD_KIND_BITS + RECORD_SIZE_BITS,
    RECORD_ADDRESS_LOW_BITS = 3,
    RECORD_MOST_WORDS = 5, /* of an event */
};

static inline uint64_t record_word(enum record_kind kind, uint64_t size, uintptr_t address)
{
    return (uint64_t)kind | size << RECORD_KIND_BITS |
           (uint64_t)(address >> RECORD_ADDRESS_LOW_BITS) << RECORD_ADDRESS_SHIFT;
}

/* --- Chunks. --- */

enum record_closed {
    RECORD_OPEN,
    RECORD_CLOSED, /* its thread goes on in another one */
    RECORD_ENDED,  /* its thread ends; what it frees even later is in another one all the same */
};

struct record_chunk {
    _Alignas(RECORD_CHUNK_HEAD_BYTES) _Atomic uint32_t next; /* in the list that it is in */
    _Atomic uint32_t is_closed;                              /* enum record_closed */
    uint32_t process, thread;
    uint32_t serial;     /* of this thread's chunks, from 0 */
    uint32_t is_stamped; /* each event has the processor's counter */
    int32_t tid;         /* of the thread, in its process's namespace */
    _Alignas(RECORD_CHUNK_HEAD_BYTES) _Atomic uint64_t words[RECORD_CHUNK_WORDS];
};

/* --- Processes. --- */

/* Written by the process itself, `is_known` last; `is_looked_at` by the collector. */
struct record_process {
    _Atomic uint32_t is_known;
    _Atomic uint32_t is_looked_at; /* with stacks: the collector knows what it has mapped */
    int32_t pid;
    uint64_t pid_namespace; /* that the pid is of: the inode of /proc/self/ns/pid; 0: not known */
    uint32_t parent;   /* the process that it was forked from, counted from 1; 0: a program began */
    uint32_t is_image; /* 1: a program began here; 0: a fork of one */
    char name[RECORD_NAME_BYTES];
};

/* --- All of it. --- */

struct record_shared {
    uint32_t layout;
    uint32_t with;            /* RECORD_WITH_... */
    _Atomic uint32_t is_over; /* nothing is recorded any more */
    /* Nanoseconds since the beginning, set by the collector about once a millisecond: telling the
       time costs one load. Where it stands still for long the collector is gone. */
    _Alignas(64) _Atomic uint64_t clock_ns;
    /* Heads of lists: the number of a chunk in the lower half, above it a count that makes each
       change another one. */
    _Alignas(64) _Atomic uint64_t free_chunks;
    _Alignas(64) _Atomic uint64_t opened_chunks; /* taken, and not yet met by the collector */
    _Alignas(64) _Atomic uint32_t made_chunks;
    _Atomic uint32_t returned;  /* a futex: raised when chunks were given back */
    _Atomic uint32_t waiting;   /* threads that wait on it */
    _Atomic uint32_t threads;   /* numbers given out so far; counted from 1 */
    _Atomic uint32_t writers;   /* threads that hold a chunk */
    _Atomic uint32_t processes; /* numbers given out so far; counted from 1 */
    _Atomic uint64_t lost;      /* programs that could not begin */
    _Atomic uint64_t missed;    /* calls of signal handlers beyond those that there is room for */
    struct record_process process[RECORD_MOST_PROCESSES];
    struct record_chunk chunk[RECORD_MOST_CHUNKS];
};

/* --- Lists of chunks, by numbers from 1. All are lock-free and thread-safe. --- */

static inline struct record_chunk *record_chunk_at(struct record_shared *shared, uint32_t number)
{
    return &shared->chunk[number - 1];
}

static inline void record_push(struct record_shared *shared, _Atomic uint64_t *list,
                               uint32_t number)
{
    uint64_t head = atomic_load_explicit(list, memory_order_relaxed), changed;

    do {
        atomic_store_explicit(&record_chunk_at(shared, number)->next, (uint32_t)head,
                              memory_order_relaxed);
        changed = ((head >> 32) + 1) << 32 | number;
    } while (!atomic_compare_exchange_weak_explicit(list, &head, changed, memory_order_release,
                                                    memory_order_relaxed));
}

/* RECORD_NO_CHUNK when the list is empty. */
static inline uint32_t record_pop(struct record_shared *shared, _Atomic uint64_t *list)
{
    uint64_t head = atomic_load_explicit(list, memory_order_acquire), changed;

    do {
        if ((uint32_t)head == RECORD_NO_CHUNK)
            return RECORD_NO_CHUNK;
        const uint32_t next = atomic_load_explicit(&record_chunk_at(shared, (uint32_t)head)->next,
                                                   memory_order_relaxed);
        changed = ((head >> 32) + 1) << 32 | next;
    } while (!atomic_compare_exchange_weak_explicit(list, &head, changed, memory_order_acquire,
                                                    memory_order_acquire));
    return (uint32_t)head;
}

/* The whole list, emptied; its chunks follow each other by `next`. */
static inline uint32_t record_pop_all(_Atomic uint64_t *list)
{
    uint64_t head = atomic_load_explicit(list, memory_order_relaxed);

    while (!atomic_compare_exchange_weak_explicit(list, &head, ((head >> 32) + 1) << 32,
                                                  memory_order_acquire, memory_order_relaxed))
        continue;
    return (uint32_t)head;
}

/* The counter that stamps are of, which both sides read. */
static inline uint64_t record_read_counter(void)
{
#if defined(__x86_64__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
#endif
}

#endif
