/*
 * One thread of a program of a fit's shape: which kinds of blocks it makes, and its calls. Leaves
 * out reading a fit (fit_compile.c), and what other threads do.
 */
#ifndef TIDEMARK_HARNESS_TRACE_FIT_THREAD_H
#define TIDEMARK_HARNESS_TRACE_FIT_THREAD_H

#include "harness/trace/trace_fit.h"

#define FIT_NEVER UINT32_MAX

/* Blocks that are alike. */
struct fit_kind {
    uint32_t stretch; /* in which they are made */
    uint32_t end;     /* in which they end: its own, a later one, or FIT_NEVER */
    unsigned life;    /* their class of lifetimes, where it is its own */
    unsigned from;    /* 0: malloc makes them; else a move, of a block of the class before this */
    int is_moved;     /* a move ends them, in their stretch of the end */
    uint64_t bytes, count; /* of each; how many, at least 1 */
};

/* What was made. */
struct fit_made {
    uint64_t words, slots;
    uint64_t operations, ends; /* a move is one operation, and ends a block */
};

struct fit_thread {
    struct fit_kind *kinds; /* in the order of fit_kind_order */
    size_t count;
    uint32_t stretches;
    unsigned last[FIT_STRETCHES]; /* the class of the last block of each stretch */
    uint64_t blocks, words;
    uint64_t most_slots; /* no more blocks are alive at once */
};

/* What is made in a stretch: by malloc or by a move, and ends in it or stays. */
enum fit_sort { FIT_PASSES, FIT_STAYS, FIT_MOVES_PASS, FIT_MOVES_STAY, FIT_SORTS };

/* Thread-safe, as all here. */
enum fit_sort fit_kind_sort(const struct fit_kind *kind);

/* For qsort: by stretch, sort and size. */
int fit_kind_order(const void *a, const void *b);

/* Bytes that fit_thread_make takes while it runs. */
uint64_t fit_thread_memory(const struct fit_thread *thread);

/*
 * Makes the thread's calls, at most `thread->words` words. The same for one `seed`. What is alive
 * where a stretch ends is what the kinds say, to the byte, and within a stretch it is never more
 * than at one of its two ends, as far as the kinds can be so ordered: those of a trace always can.
 * Returns 0 or -ENOMEM. Thread-safe. Some 100 ns a block.
 */
int fit_thread_make(const struct fit_thread *thread, uint64_t seed, uint64_t *words,
                    struct fit_made *made);

#endif
