/*
 * The thread that reads a child's memory from outside, on a fixed tick, and never stops it.
 * Leaves out costly figures (harness/procfs.h says which) and files: ticks stay in memory until the
 * sample has ended.
 */
#ifndef TIDEMARK_HARNESS_SAMPLER_H
#define TIDEMARK_HARNESS_SAMPLER_H

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
    size_t late;      /* more than one tick after their time */
    uint64_t tick_ns; /* doubled, and each second tick dropped, when the ring is full */
    uint64_t started_ns;
    uint64_t memory_limit_bytes;
    int cpu; /* that the thread is pinned to, or -1 */
    _Atomic int stop;
    _Atomic int over_limit; /* 1: it killed the child */
    int is_fifo;            /* 1: SCHED_FIFO was granted */
    const struct spawned *child;
    pthread_t thread;
};

/* Maps the ring. Returns 0 or -ENOMEM. sampler_destroy undoes it. */
int sampler_init(struct sampler *sampler);

/*
 * Starts to read `child` each `tick_ns`; time 0 is now. A child above `memory_limit_bytes` resident
 * is killed. Pinned to `cpu` unless it is -1. Returns 0 or a negative errno. One sample at a time.
 */
int sampler_start(struct sampler *sampler, const struct spawned *child, uint64_t tick_ns,
                  uint64_t memory_limit_bytes, int cpu);

/* Ends the thread; ticks may be read afterwards. */
void sampler_stop(struct sampler *sampler);

void sampler_destroy(struct sampler *sampler);

#endif
