/*
 * One pread of statm, four loads of the page and some stores a tick; no allocation, no lock, no
 * formatted output. Beneath a tree it is a pread for each process, and now and then a scan and a
 * check of it, which open files, allocate and format. Leaves out busy waiting: it would take a core
 * from the child on a small machine.
 */
#define _GNU_SOURCE
#include "harness/sampler.h"

#include "harness/clock.h"
#include "harness/procfs.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <time.h>

static void sleep_until(uint64_t at_ns)
{
    struct timespec at = {.tv_sec = (time_t)(at_ns / CLOCK_SECOND_NS),
                          .tv_nsec = (long)(at_ns % CLOCK_SECOND_NS)};

    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
        continue;
}

/* What another thread reads meanwhile, after the counter of thinnings that it was stored behind.
 * Both are plain stores on x86. */
static void store_view(struct tick *tick, uint64_t t_ns, uint64_t rss_bytes)
{
    __atomic_store_n(&tick->t_ns, t_ns, __ATOMIC_RELEASE);
    __atomic_store_n(&tick->rss_bytes, rss_bytes, __ATOMIC_RELEASE);
}

/* Halves what is kept, so that a long sample costs a coarser curve and never memory: O(count), once
 * a ring. */
static void thin(struct sampler *sampler)
{
    atomic_fetch_add(&sampler->thinned, 1);
    for (size_t i = 0; 2 * i < sampler->count; i++) {
        struct tick tick = sampler->ticks[2 * i];
        store_view(&sampler->ticks[i], tick.t_ns, tick.rss_bytes);
        sampler->ticks[i].object_bytes = tick.object_bytes;
        sampler->ticks[i].live_bytes = tick.live_bytes;
        sampler->ticks[i].phase = tick.phase;
        sampler->ticks[i].parked = tick.parked;
    }
    sampler->count = (sampler->count + 1) / 2;
    sampler->tick_ns *= 2;
    atomic_store(&sampler->seen, sampler->count);
    atomic_fetch_add(&sampler->thinned, 1);
}

/* New processes are looked for less often than memory is, but for the first: a scan costs some 20
 * us a process. Returns -ESRCH when the child has ended; what else goes wrong is kept. */
static int scan_tree(struct sampler *sampler, uint64_t now_ns)
{
    enum { SCAN_NS = 4000000 };

    if (sampler->tree->count > 0 && now_ns - sampler->scanned_ns < SCAN_NS)
        return 0;
    sampler->scanned_ns = now_ns;
    const int error = process_tree_scan(sampler->tree);
    if (error == -ESRCH || error == -ENOENT)
        return -ESRCH;
    if (error && !atomic_load(&sampler->tree_error))
        atomic_store(&sampler->tree_error, error);
    return 0;
}

static void check_tree(struct sampler *sampler, uint64_t now_ns, struct tree_memory *memory)
{
    struct memory_rollup rollup;

    process_tree_rollup(sampler->tree, &rollup);
    sampler->checked_ns = clock_monotonic_ns();
    sampler->check_cost_ns = sampler->checked_ns - now_ns;
    process_tree_read(sampler->tree, memory);
}

static int read_tree(struct sampler *sampler, uint64_t *rss_bytes)
{
    enum { CHECK_SHARE = 50 }; /* of the time goes by for each of checks */
    const uint64_t now_ns = clock_monotonic_ns();
    struct tree_memory memory;

    if (scan_tree(sampler, now_ns) != 0)
        return -ESRCH;
    process_tree_read(sampler->tree, &memory);
    if (process_tree_is_in_doubt(&memory) &&
        (now_ns - sampler->checked_ns >= CHECK_SHARE * sampler->check_cost_ns ||
         memory.resident_bytes > sampler->memory_limit_bytes))
        check_tree(sampler, now_ns, &memory);
    *rss_bytes = memory.resident_bytes;
    if (!sampler->tree->has_program)
        return 0; /* the child's own fork, for a moment */
    if (memory.processes > 0)
        atomic_store(&sampler->last_bytes, memory.resident_bytes);
    if (memory.resident_bytes > atomic_load(&sampler->peak_bytes))
        atomic_store(&sampler->peak_bytes, memory.resident_bytes);
    return 0;
}

/* Of a tree the child last: until then what leaves its group comes back to the child, which does
 * not go on meanwhile. */
static void kill_child(struct sampler *sampler)
{
    atomic_store(&sampler->over_limit, 1);
    if (sampler->tree) {
        kill(sampler->child->pid, SIGSTOP);
        process_tree_kill(sampler->tree);
    }
    spawn_kill(sampler->child);
}

static int take_tick(struct sampler *sampler)
{
    const struct workload_gauge *gauge = &sampler->child->page->gauge;
    struct tick *tick = &sampler->ticks[sampler->count];
    uint64_t rss_bytes;

    const int error = sampler->tree ? read_tree(sampler, &rss_bytes)
                                    : procfs_read_statm(sampler->child->statm_fd, &rss_bytes);
    if (error)
        return -ESRCH;
    store_view(tick, clock_monotonic_ns() - sampler->started_ns, rss_bytes);
    tick->object_bytes = atomic_load_explicit(&gauge->object_bytes, memory_order_relaxed);
    tick->live_bytes = atomic_load_explicit(&gauge->live_bytes, memory_order_relaxed);
    tick->phase = atomic_load_explicit(&gauge->phase, memory_order_relaxed);
    tick->parked = atomic_load_explicit(&gauge->parked, memory_order_relaxed);
    sampler->count++;
    atomic_store_explicit(&sampler->seen, sampler->count, memory_order_release);
    if (tick->rss_bytes > sampler->memory_limit_bytes && !atomic_load(&sampler->over_limit))
        kill_child(sampler);
    return 0;
}

static void *sample_until_stopped(void *argument)
{
    struct sampler *sampler = argument;
    uint64_t due_ns = sampler->started_ns;

    for (;;) {
        uint64_t now = clock_monotonic_ns();
        due_ns += sampler->tick_ns;
        if (now > due_ns) {
            sampler->late++;
            due_ns = now; /* a missed tick is not made up for: the curve holds the times that were
                             read */
        }
        sleep_until(due_ns);
        if (atomic_load_explicit(&sampler->stop, memory_order_relaxed))
            break;
        if (sampler->count == SAMPLER_MOST_TICKS)
            thin(sampler);
        if (take_tick(sampler) != 0)
            break; /* the child has ended */
    }
    return NULL;
}

static void prefer_punctual(struct sampler *sampler, pthread_attr_t *attributes)
{
    struct sched_param priority = {.sched_priority = 1};

    if (sampler->cpu >= 0) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)sampler->cpu, &set);
        pthread_attr_setaffinity_np(attributes, sizeof set, &set);
    }
    pthread_attr_setinheritsched(attributes, PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(attributes, SCHED_FIFO);
    pthread_attr_setschedparam(attributes, &priority);
}

int sampler_init(struct sampler *sampler)
{
    void *ticks = mmap(NULL, SAMPLER_MOST_TICKS * sizeof(struct tick), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

    if (ticks == MAP_FAILED)
        return -ENOMEM;
    *sampler = (struct sampler){.ticks = ticks, .cpu = -1};
    return 0;
}

int sampler_start(struct sampler *sampler, const struct spawned *child, uint64_t tick_ns,
                  uint64_t memory_limit_bytes, struct process_tree *tree, int cpu)
{
    pthread_attr_t attributes;

    sampler->count = 0;
    atomic_store(&sampler->seen, 0);
    atomic_store(&sampler->thinned, 0);
    sampler->late = 0;
    sampler->tick_ns = tick_ns;
    sampler->memory_limit_bytes = memory_limit_bytes;
    sampler->cpu = cpu;
    sampler->child = child;
    sampler->tree = tree;
    sampler->scanned_ns = 0;
    sampler->checked_ns = 0;
    sampler->check_cost_ns = 0;
    atomic_store(&sampler->peak_bytes, 0);
    atomic_store(&sampler->last_bytes, 0);
    atomic_store(&sampler->stop, 0);
    atomic_store(&sampler->over_limit, 0);
    atomic_store(&sampler->tree_error, 0);
    sampler->started_ns = clock_monotonic_ns();
    take_tick(sampler); /* a child that has ended is found again by the thread */

    pthread_attr_init(&attributes);
    prefer_punctual(sampler, &attributes);
    int error = pthread_create(&sampler->thread, &attributes, sample_until_stopped, sampler);
    sampler->is_fifo = error == 0;
    if (error == EPERM) {
        pthread_attr_setinheritsched(&attributes, PTHREAD_INHERIT_SCHED);
        error = pthread_create(&sampler->thread, &attributes, sample_until_stopped, sampler);
    }
    pthread_attr_destroy(&attributes);
    return -error;
}

uint64_t sampler_take_peak(struct sampler *sampler)
{
    return atomic_exchange(&sampler->peak_bytes, 0);
}

uint64_t sampler_last_held(const struct sampler *sampler)
{
    return atomic_load(&sampler->last_bytes);
}

int sampler_tree_error(const struct sampler *sampler)
{
    return atomic_load(&sampler->tree_error);
}

size_t sampler_glance(const struct sampler *sampler, struct sampler_cursor *cursor,
                      struct sampler_view *views, size_t most)
{
    const unsigned thinned = atomic_load(&sampler->thinned);
    const size_t seen = atomic_load_explicit(&sampler->seen, memory_order_acquire);
    size_t next = cursor->next, count = 0;

    if (thinned % 2 != 0)
        return 0;
    /* Two steps of the counter halve the places of all that was read before. */
    for (unsigned at = cursor->thinned; at != thinned; at += 2)
        next = (next + 1) / 2;
    for (; next + count < seen && count < most; count++) {
        const struct tick *tick = &sampler->ticks[next + count];
        views[count].t_ns = __atomic_load_n(&tick->t_ns, __ATOMIC_ACQUIRE);
        views[count].rss_bytes = __atomic_load_n(&tick->rss_bytes, __ATOMIC_ACQUIRE);
    }
    if (atomic_load(&sampler->thinned) != thinned)
        return 0; /* thinned meanwhile: what was copied is of no one time */
    *cursor = (struct sampler_cursor){.next = next + count, .thinned = thinned};
    return count;
}

void sampler_stop(struct sampler *sampler)
{
    atomic_store(&sampler->stop, 1);
    pthread_join(sampler->thread, NULL);
}

void sampler_destroy(struct sampler *sampler)
{
    munmap(sampler->ticks, SAMPLER_MOST_TICKS * sizeof(struct tick));
}
