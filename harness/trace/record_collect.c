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
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    TICK_NS = 1000000,
    LOOK_EVERY_NS = 100000000, /* for processes that have ended */
    SCAN_EVERY_NS = 5000000,
};

static const uint64_t silent_ns = UINT64_C(10000000000); /* of a fork */

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
    if (source && source->writer)
        event_writer_free(source->writer);
    if (source)
        free(source->writer);
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

static uint64_t own_namespace(void)
{
    struct stat status;

    return stat("/proc/self/ns/pid", &status) == 0 ? (uint64_t)status.st_ino : 0;
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
    made->pid_namespace = own_namespace();
    made->ns_per_tick = 1; /* until the clock was looked at twice */
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
    free(collector->living);
    free(collector->turns);
    section_writer_free(&collector->sections);
    free(collector->nodes);
    record_forget_modules(collector);
    free(collector);
}

/* --- Processes that end. --- */

/* A process in another namespace cannot be asked for: it ends with the recording. */
static int can_be_asked(const struct record_collector *collector,
                        const struct record_process *entry)
{
    return atomic_load(&entry->is_known) && entry->pid_namespace == collector->pid_namespace &&
           entry->pid_namespace != 0;
}

static int has_ended(const struct record_collector *collector, const struct record_member *member)
{
    const struct record_process *entry = record_entry(collector, member);

    return can_be_asked(collector, entry) && kill(entry->pid, 0) != 0 && errno == ESRCH;
}

int record_end_member(struct record_collector *collector, struct record_member *member)
{
    int error = member->is_known ? record_drain(collector, member, UINT64_MAX, 1) : 0;

    for (size_t i = 0; i < member->count; i++) {
        struct record_source *source = collector->sources[member->sources[i]];
        source->is_active = 0;
        if (!error)
            error = record_put_away(collector, source);
        while (source->first != RECORD_NO_CHUNK)
            record_give_back(collector, source);
    }
    member->count = 0;
    block_map_free(member->blocks);
    member->blocks = NULL;
    member->is_over = 1;
    return error;
}

/* A fork that never said a word, because it failed or was stopped, holds its parent's blocks. */
static void drop_silent(struct record_collector *collector, struct record_member *member,
                        uint64_t now_ns)
{
    if (!member->is_named_by_fork || atomic_load(&record_entry(collector, member)->is_known) ||
        now_ns - member->forked_ns < silent_ns)
        return;
    block_map_free(member->blocks);
    member->blocks = NULL;
    member->is_named_by_fork = 0;
    member->is_over = 1;
}

/* Chunks of threads that ended without saying so: what they freed after their last destructor. */
static void close_dead(const struct record_collector *collector, const struct record_member *member)
{
    const struct record_process *entry = record_entry(collector, member);

    for (size_t i = 0; i < member->count; i++) {
        const struct record_source *source = collector->sources[member->sources[i]];
        if (source->first == RECORD_NO_CHUNK)
            continue;
        struct record_chunk *chunk = record_chunk_at(collector->shared, source->first);
        if (atomic_load(&chunk->is_closed) == RECORD_OPEN &&
            syscall(SYS_tgkill, entry->pid, chunk->tid, 0) != 0 && errno == ESRCH)
            atomic_store(&chunk->is_closed, RECORD_ENDED);
    }
}

static void forget_those_that_are_over(struct record_collector *collector)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < collector->living_count; i++)
        if (!collector->members[collector->living[i]]->is_over)
            collector->living[kept++] = collector->living[i];
    collector->living_count = kept;
}

static int look_for_ends(struct record_collector *collector)
{
    const uint64_t now_ns = clock_monotonic_ns();
    int error = 0;

    if (now_ns - collector->looked_ns < LOOK_EVERY_NS)
        return 0;
    collector->looked_ns = now_ns;
    for (uint32_t i = 0; i < collector->living_count && !error; i++) {
        struct record_member *member = collector->members[collector->living[i]];
        drop_silent(collector, member, now_ns);
        if (member->is_over)
            continue;
        if (!has_ended(collector, member)) {
            if (can_be_asked(collector, record_entry(collector, member)))
                close_dead(collector, member);
            continue;
        }
        /* What it wrote last may be in chunks that were not met before. */
        error = record_meet_chunks(collector);
        if (!error && !member->is_over)
            error = record_end_member(collector, member);
    }
    forget_those_that_are_over(collector);
    return error;
}

/* --- All processes. --- */

static int drain(struct record_collector *collector, int is_last)
{
    /* Before chunks are met: what is not younger is there then. */
    const uint64_t horizon = is_last ? UINT64_MAX : record_read_counter();
    int error = record_meet_chunks(collector);

    for (uint32_t i = 0; i < collector->living_count && !error; i++) {
        struct record_member *member = collector->members[collector->living[i]];
        if (!member->is_over && is_last)
            error = record_end_member(collector, member);
        else if (!member->is_over && member->is_known)
            error = record_drain(collector, member, horizon, 0);
    }
    forget_those_that_are_over(collector);
    record_wake(collector);
    return error;
}

/* A chunk that is being written is left alone for some milliseconds: looking at it takes its line
 * from who writes. */
static int is_worth_it(struct record_collector *collector)
{
    const uint64_t now_ns = clock_monotonic_ns();

    if ((uint32_t)atomic_load(&collector->shared->opened_chunks) == RECORD_NO_CHUNK &&
        now_ns - collector->scanned_ns < SCAN_EVERY_NS)
        return 0;
    collector->scanned_ns = now_ns;
    return 1;
}

int64_t record_collector_step(struct record_collector *collector)
{
    const uint64_t taken = collector->taken;
    int error = collector->error;

    record_tell_time(collector);
    if (!error)
        error = record_look_at_modules(collector);
    if (!error && is_worth_it(collector))
        error = drain(collector, 0);
    if (!error)
        error = look_for_ends(collector);
    if (error && !collector->error) {
        collector->error = error;
        atomic_store(&collector->shared->is_over, 1);
    }
    return error ? error : (int64_t)(collector->taken - taken);
}

int record_collector_end(struct record_collector *collector, struct record_counts *counts)
{
    const uint32_t processes = atomic_load(&collector->shared->processes);

    atomic_store(&collector->shared->is_over, 1);
    if (!collector->error)
        collector->error = drain(collector, 1);
    if (!collector->error)
        collector->error = record_flush_nodes(collector);
    if (!collector->error)
        collector->error = section_writer_flush(&collector->sections);
    collector->counts.lost = atomic_load(&collector->shared->lost);
    collector->counts.missed = atomic_load(&collector->shared->missed);
    collector->counts.unnumbered =
        processes > RECORD_MOST_PROCESSES ? processes - RECORD_MOST_PROCESSES : 0;
    *counts = collector->counts;
    return collector->error;
}
