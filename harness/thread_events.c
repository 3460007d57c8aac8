/*
 * Two rings: one of page faults alone, whose records are all 8 bytes, so that a number of them
 * needs no reading and cannot be lost; one of what has to be read. Leaves out the time stamps and
 * addresses that the kernel could add. After perf_event_open(2).
 */
#define _GNU_SOURCE
#include "harness/thread_events.h"

#include <errno.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    RING_PAGE_BYTES = 4096,
    FAULT_RECORD_BYTES = sizeof(struct perf_event_header),
    FAULT_PAGES = 1, /* nobody reads them */
    REST_PAGES = 2,  /* some 170 mappings, or 1,000 switches */
    REST_BYTES = REST_PAGES * RING_PAGE_BYTES,
    WAKE_UP_NEVER = 1 << 30,
};

static int open_ring(struct thread_event_ring *ring, struct perf_event_attr *attributes,
                     size_t pages)
{
    attributes->size = sizeof *attributes;
    attributes->type = PERF_TYPE_SOFTWARE;
    attributes->exclude_kernel = 1;
    attributes->exclude_hv = 1;
    attributes->watermark = 1;
    attributes->wakeup_watermark = WAKE_UP_NEVER;
    /* NOLINTNEXTLINE(cppcoreguidelines-narrowing-conversions): a descriptor or -1 */
    ring->fd = (int)syscall(SYS_perf_event_open, attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (ring->fd < 0)
        return -errno;
    /* Read-only: the kernel goes round without waiting for a reader. */
    void *mapped = mmap(NULL, (1 + pages) * RING_PAGE_BYTES, PROT_READ, MAP_SHARED, ring->fd, 0);
    if (mapped == MAP_FAILED) {
        int error = -errno;
        close(ring->fd);
        return error;
    }
    ring->pages = mapped;
    ring->head = (_Atomic uint64_t *)&((struct perf_event_mmap_page *)mapped)->data_head;
    return 0;
}

static void close_ring(struct thread_event_ring *ring, size_t pages)
{
    if (!ring->pages)
        return;
    munmap(ring->pages, (1 + pages) * RING_PAGE_BYTES);
    close(ring->fd);
    ring->pages = NULL;
}

int thread_events_open(struct thread_events *events)
{
    struct perf_event_attr faults = {.config = PERF_COUNT_SW_PAGE_FAULTS, .sample_period = 1};
    struct perf_event_attr rest = {
        .config = PERF_COUNT_SW_DUMMY, .context_switch = 1, .mmap = 1, .mmap_data = 1};

    memset(events, 0, sizeof *events);
    int error = open_ring(&events->faults, &faults, FAULT_PAGES);
    if (error)
        return error;
    error = open_ring(&events->rest, &rest, REST_PAGES);
    if (error)
        close_ring(&events->faults, FAULT_PAGES);
    return error;
}

void thread_events_close(struct thread_events *events)
{
    close_ring(&events->faults, FAULT_PAGES);
    close_ring(&events->rest, REST_PAGES);
}

/* A mapping's record has the length of what it has become one with, and so says no size. */
static void count_record(const struct perf_event_header *header, struct thread_event_counts *counts)
{
    const int is_switch_out =
        header->type == PERF_RECORD_SWITCH && header->misc & PERF_RECORD_MISC_SWITCH_OUT;

    counts->mappings += header->type == PERF_RECORD_MMAP;
    counts->switches += (uint64_t)is_switch_out;
    counts->preemptions += is_switch_out && header->misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT;
}

/* The header of the record at a place of the ring. Records are of whole 8 bytes, as is the ring: a
 * header never lies across its end. */
static struct perf_event_header header_at(const struct thread_event_ring *ring, uint64_t place)
{
    struct perf_event_header header;

    memcpy(&header, (const char *)ring->pages + RING_PAGE_BYTES + place % REST_BYTES,
           sizeof header);
    return header;
}

void thread_events_between(const struct thread_events *events, struct thread_events_mark from,
                           struct thread_events_mark to, struct thread_event_counts *counts)
{
    struct perf_event_header header;

    *counts =
        (struct thread_event_counts){.page_faults = (to.faults - from.faults) / FAULT_RECORD_BYTES,
                                     .lost = to.rest - from.rest > REST_BYTES};
    if (counts->lost)
        return;
    for (uint64_t at = from.rest; at < to.rest; at += header.size) {
        header = header_at(&events->rest, at);
        if (header.size < sizeof header)
            return; /* no record: the kernel writes none such */
        count_record(&header, counts);
    }
}
