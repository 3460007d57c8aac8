/*
 * What a trace tells of a program: how much it asked for, in which sizes, for how long, and who
 * gave it back. Leaves out call sites (trace_sites.h), and text (trace_text.h).
 *
 * The lifetime of a block is what its thread asked for meanwhile, in bytes, which means the same on
 * a fast machine and a slow one (Barrett and Zorn, PLDI 1993); and in time, to a millisecond. That
 * of a block which another thread freed is known in time alone.
 *
 * A trace without times, as most imports are, has in place of time how many blocks the thread had
 * made: the curve begins with all threads, and lifetimes in time are not there.
 */
#ifndef TIDEMARK_HARNESS_TRACE_TRACE_SUMMARY_H
#define TIDEMARK_HARNESS_TRACE_TRACE_SUMMARY_H

#include "harness/latency_histogram.h"
#include "harness/trace/event_code.h"
#include "harness/trace/trace_index.h"
#include "harness/trace/trace_sites.h"

enum { TRACE_SIZE_CLASSES = EVENT_MOST_SIZE_BITS + 1, TRACE_CURVE_POINTS = 400 };

/* Sizes from 2^(n-1) to below 2^n; class 0 has the size 0. */
struct trace_size_class {
    uint64_t count, bytes;
};

struct trace_point {
    uint64_t at;         /* nanoseconds, or blocks made */
    uint64_t live_bytes; /* the most within what the point stands for */
    uint64_t live_blocks;
};

struct trace_summary {
    uint64_t calls[TRACE_KINDS];
    uint64_t asked_bytes;         /* of all blocks ever made */
    uint64_t made, ended, remote; /* blocks; remote: ended by another thread */
    uint64_t inherited;        /* frees of blocks from before a fork, which live on in the parent */
    uint64_t left, left_bytes; /* alive at the end */
    uint64_t peak_bytes, peak_blocks;
    uint64_t peak_at; /* of live bytes; to a millisecond, or a block, where there are threads */
    int peak_is_exact;
    int is_timeless;
    uint64_t curve_end; /* the duration, or the most blocks of a thread */
    uint64_t threads, processes;
    uint64_t duration_ns;
    struct trace_size_class sizes[TRACE_SIZE_CLASSES];
    struct latency_histogram size;          /* of each block that is made, in bytes */
    struct latency_histogram lifetime;      /* in bytes that the thread asked for */
    struct latency_histogram lifetime_time; /* in microseconds */
    struct trace_point curve[TRACE_CURVE_POINTS];
    size_t curve_points;
};

/*
 * Reads the trace once more, and counts by site (NULL: not). Returns 0, or a negative errno.
 * Memory: some 32 bytes for each block that is alive at once. `summary` is large: not for a stack.
 */
int trace_summary_make(struct trace_summary *summary, const struct trace_index *index,
                       struct trace_sites *sites, struct trace_reader *reader);

/* As `tidemark trace --json` prints it; the caller owns it. */
json_t *trace_summary_to_json(const struct trace_summary *summary, const struct trace_index *index);

#endif
