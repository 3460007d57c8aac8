/*
 * The memory, the clock and the processes: see record_collect.h. Leaves out a merge of processes:
 * none of them frees another's blocks, but for those that it got by a fork, which are known by
 * then.
 */
#define _GNU_SOURCE
#include "harness/trace/record_state.h"

#include "harness/clock.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    TICK_NS = 1000000,
    LOOK_EVERY_NS = 100000000, /* for processes that have ended */
};

/* --- Time. --- */

/* The rate is that since the beginning: the longer, the better it is known. */
void record_tell_time(struct record_collector *collector)
{
    const uint64_t passed_ns = clock_monotonic_ns() - collector->began_ns;
    const uint64_t ticks = record_read_counter() - collector->began_ticks;

    if (ticks > 0)
        collector->ns_per_tick = (double)passed_ns / (double)ticks;
    if (passed_ns - atomic_load_explicit(&collector->shared->clock_ns, memory_order_relaxed) >=
        TICK_NS)
        atomic_store_explicit(&collector->shared->clock_ns, passed_ns, memory_order_relaxed);
}

uint64_t record_time_of_stamp(const struct record_collector *collector, uint64_t stamp)
{
    return stamp > collector->began_ticks
               ? (uint64_t)((double)(stamp - collector->began_ticks) * collector->ns_per_tick)
               : 0;
}

/* --- Making and giving back. --- */

static void free_source(struct record_source *source)
{
    if (!source)
        return;
    event_writer_free(&source->writer);
    free(source->later);
    free(source);
}

static void free_member(struct record_member *member)
{
    if (!member)
        return;
    block_map_free(member->blocks);
    free(member->sources);
    free(member);
}

int record_collector_make(struct record_collector **collector, struct trace_writer *writer,
                          unsigned with)
{
    struct record_collector *made = calloc(1, sizeof *made);
    int error = 0;

    if (!made)
        return -ENOMEM;
    made->writer = writer;
    made->with = with;
    made->nodes = malloc(RECORD_NODES_BYTES);
    made->fd = memfd_create("tidemark-record", MFD_CLOEXEC);
    if (made->fd < 0 || ftruncate(made->fd, sizeof(struct record_shared)) != 0)
        error = -errno;
    void *pages = error ? MAP_FAILED
                        : mmap(NULL, sizeof(struct record_shared), PROT_READ | PROT_WRITE,
                               MAP_SHARED | MAP_NORESERVE, made->fd, 0);
    if (!error && pages == MAP_FAILED)
        error = -errno;
    if (!error)
        made->shared = pages;
    if (!error && !made->nodes)
        error = -ENOMEM;
    if (!error)
        error = section_writer_init(&made->sections, writer);
    if (error) {
        record_collector_free(made);
        return error;
    }
    snprintf(made->path, sizeof made->path, "/proc/%d/fd/%d", (int)getpid(), made->fd);
    made->shared->layout = RECORD_LAYOUT;
    made->shared->with = with;
    atomic_store(&made->shared->collector, (int32_t)getpid());
    made->began_ns = clock_monotonic_ns();
    made->began_ticks = record_read_counter();
    *collector = made;
    return 0;
}

const char *record_collector_path(const struct record_collector *collector)
{
    return collector->path;
}

void record_collector_free(struct record_collector *collector)
{
    for (uint32_t i = 0; i < collector->source_room; i++)
        free_source(collector->sources[i]);
    for (uint32_t i = 0; i < collector->member_room; i++)
        free_member(collector->members[i]);
    if (collector->shared)
        munmap(collector->shared, sizeof *collector->shared);
    if (collector->fd >= 0)
        close(collector->fd);
    free(collector->sources);
    free(collector->members);
    free(collector->started);
    free(collector->turns);
    section_writer_free(&collector->sections);
    free(collector->nodes);
    free(collector);
}

/* --- All processes. --- */

static int has_ended(const struct record_member *member)
{
    return member->pid == 0 || (kill(member->pid, 0) != 0 && errno == ESRCH);
}

/* Writes what is left of a process, and gives back what it held. */
static int end_member(struct record_collector *collector, struct record_member *member)
{
    int error = record_drain(collector, member, UINT64_MAX, 1);

    for (size_t i = 0; i < member->count; i++) {
        struct record_source *source = collector->sources[member->sources[i]];
        if (!error)
            error = record_flush(collector, source);
        if (source->chunk)
            record_give_back(collector, source);
        event_writer_free(&source->writer);
    }
    block_map_free(member->blocks);
    member->blocks = NULL;
    member->is_over = 1;
    return error;
}

static int end_those_that_ended(struct record_collector *collector)
{
    const uint64_t now_ns = clock_monotonic_ns();
    int error = 0;

    if (now_ns - collector->looked_ns < LOOK_EVERY_NS)
        return 0;
    collector->looked_ns = now_ns;
    for (uint32_t i = 1; !error && i < collector->member_room; i++) {
        struct record_member *member = collector->members[i];
        if (!member || !member->is_known || member->is_over || !has_ended(member))
            continue;
        /* What it wrote last may be in chunks that were not met before. */
        error = record_meet_chunks(collector);
        if (!error)
            error = end_member(collector, member);
    }
    return error;
}

static int drain(struct record_collector *collector, int is_last)
{
    const uint64_t horizon = is_last ? UINT64_MAX : record_read_counter();
    int error = record_meet_chunks(collector);

    for (uint32_t i = 1; !error && i < collector->member_room; i++) {
        struct record_member *member = collector->members[i];
        if (member && member->is_known && !member->is_over)
            error = is_last ? end_member(collector, member)
                            : record_drain(collector, member, horizon, 0);
    }
    return error;
}

int64_t record_collector_step(struct record_collector *collector)
{
    const uint64_t taken = collector->taken;
    int error = collector->error;

    record_tell_time(collector);
    if (!error)
        error = drain(collector, 0);
    if (!error)
        error = end_those_that_ended(collector);
    if (error && !collector->error) {
        collector->error = error;
        atomic_store(&collector->shared->is_over, 1);
    }
    return error ? error : (int64_t)(collector->taken - taken);
}

int record_collector_end(struct record_collector *collector, struct record_counts *counts)
{
    atomic_store(&collector->shared->is_over, 1);
    if (!collector->error)
        collector->error = drain(collector, 1);
    if (!collector->error)
        collector->error = section_writer_flush(&collector->sections);
    if (!collector->error)
        collector->error = record_flush_nodes(collector);
    collector->counts.lost = atomic_load(&collector->shared->lost);
    *counts = collector->counts;
    return collector->error;
}
