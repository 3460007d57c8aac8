/*
 * The thread that reads a child's memory from outside, on a fixed tick, and never stops it.
 * Leaves out costly figures (harness/procfs.h says which) and files: ticks stay in memory until the
 * sample has ended.
 */
#ifndef TIDEMARK_HARNESS_SAMPLER_H
#define TIDEMARK_HARNESS_SAMPLER_H

#include "harness/process_tree.h"
#include "harness/spawn.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct tick {
    uint64_t t_ns; /* when it was really read, since the baseline */
    uint64_t rss_bytes;
    uint64_t object_bytes;
    uint64_t live_bytes;
    uint32_t phase;
    uint32_t parked;
};

enum { SAMPLER_MOST_TICKS = 1 << 18 };

struct sampler {
    struct tick *ticks; /* SAMPLER_MOST_TICKS of them, prefaulted, kept from sample to sample */
    size_t count;
    _Atomic size_t seen;      /* of them, those that another thread may read: sampler_glance */
    _Atomic unsigned thinned; /* odd while each second tick is dropped */
    size_t late;              /* more than one tick after their time */
    uint64_t tick_ns;         /* doubled, and each second tick dropped, when the ring is full */
    uint64_t started_ns;
    uint64_t memory_limit_bytes;
    int cpu; /* that the thread is pinned to, or -1 */
    _Atomic int stop;
    _Atomic int over_limit; /* 1: it killed the child */
    _Atomic int tree_error; /* a negative errno: it could not look at the whole tree */
    int is_fifo;            /* 1: SCHED_FIFO was granted */
    const struct spawned *child;
    struct process_tree *tree;   /* beneath the child, when that is what is measured; else NULL */
    uint64_t scanned_ns;         /* when it was looked through last */
    uint64_t checked_ns;         /* when what its processes share was looked at last */
    uint64_t check_cost_ns;      /* and how long that took */
    _Atomic uint64_t peak_bytes; /* of the tree, since sampler_take_peak */
    _Atomic uint64_t last_bytes; /* of the tree, when something in it ran last */
    pthread_t thread;
};

/* Maps the ring. Returns 0 or -ENOMEM. sampler_destroy undoes it. */
int sampler_init(struct sampler *sampler);

/*
 * Starts to read `child` each `tick_ns`; time 0 is now, and the first tick is taken before this
 * returns: a child that is over before the thread gets a processor has a curve too. A child above
 * `memory_limit_bytes` resident is killed. `tree`: it is what is measured, all processes beneath
 * the child, and is this thread's until sampler_stop; NULL: the child is. While forks of it may
 * share pages it is checked, which costs some 10 ms a GB, for at most a fiftieth of the time
 * (process_tree_rollup), and once more before it is killed. Pinned to `cpu` unless it is -1.
 * Returns 0 or a negative errno. One sample at a time.
 */
int sampler_start(struct sampler *sampler, const struct spawned *child, uint64_t tick_ns,
                  uint64_t memory_limit_bytes, struct process_tree *tree, int cpu);

/* The most that the tree held at a tick since this was called last; 0 without a tree. */
uint64_t sampler_take_peak(struct sampler *sampler);

/* What the tree held at the last tick at which something in it ran; 0 where nothing ever did. */
uint64_t sampler_last_held(const struct sampler *sampler);

/* 0, or the negative errno of the first scan that had to leave processes out. */
int sampler_tree_error(const struct sampler *sampler);

/* How far a reader has come, while the sampler goes on. All zero is the beginning. */
struct sampler_cursor {
    size_t next;
    unsigned thinned;
};

/* A tick, as far as it is looked at before the sample has ended. */
struct sampler_view {
    uint64_t t_ns;
    uint64_t rss_bytes;
};

/*
 * Copies up to `most` of the ticks since `cursor` into `views` and moves it on; returns how many.
 * For one thread beside the sampler's, which waits for nothing: it stores the count once more a
 * tick. 0 where the ring is being thinned just now.
 */
size_t sampler_glance(const struct sampler *sampler, struct sampler_cursor *cursor,
                      struct sampler_view *views, size_t most);

/* Ends the thread; ticks may be read afterwards. */
void sampler_stop(struct sampler *sampler);

void sampler_destroy(struct sampler *sampler);

#endif
