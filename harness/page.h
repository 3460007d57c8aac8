/*
 * The one small page that the harness and its child share (a memfd, mapped by both), and the two
 * pipes beside it. It leaves out everything of variable length; what does not fit is cut. The child
 * writes, the parent reads, except after a park. A child in another language writes the same bytes:
 * every field has a fixed width and place (tests/page_test.c).
 *
 * Parking: the child stamps the phase, sets gauge.parked to 1, writes one byte to the park pipe and
 * reads one byte from the go pipe; then it sets parked to 0. The byte written says what it waits
 * for. When either end dies the other reads end of file.
 *
 * - 'R' ready: the allocator is open. The parent reads statm.
 * - 'T' touched: PAGE_STEP_BYTES more are resident than at 'R'. The parent reads statm; the
 *   difference is statm's error.
 * - 'B' baseline: next is the first operation. The parent reads the costly figures, pins the child
 *   and starts to sample.
 * - 'P' phase end.
 * - 'E' end, of a program: the parent ends what it has left behind, before the child, to which all
 *   of it comes back, ends too. Nothing is measured any more.
 * - 'Q' pressure, within the phase of that name and with gauge.parked left at 0: the parent has the
 *   kernel take from the child's memory group what it can get. Only where the command asked for it.
 *
 * A child of a pass has a fourth descriptor, a file of its own: at each phase's end, before it
 * parks, it writes there what it has looked at (harness/child_pass.h).
 *
 * A host that cannot touch memory to order (a real CPython) starts at 'B'.
 */
#ifndef TIDEMARK_HARNESS_PAGE_H
#define TIDEMARK_HARNESS_PAGE_H

#include "workloads/workload.h"

#include <stdint.h>

enum {
    PAGE_BYTES = 4096,
    PAGE_PHASES = 16,
    PAGE_STEP_BYTES = 1 << 20,
    PAGE_LAYOUT = 1,

    /* Descriptors that every child is started with; a child in another language finds their numbers
       in the environment. */
    PAGE_FD = 3, /* TIDEMARK_PAGE_FD */
    PARK_FD = 4, /* TIDEMARK_PARK_FD */
    GO_FD = 5,   /* TIDEMARK_GO_FD */
    PASS_FD = 6, /* only with --pass */
};

enum park_reason {
    PARK_READY = 'R',
    PARK_TOUCHED = 'T',
    PARK_BASELINE = 'B',
    PARK_PHASE = 'P',
    PARK_END = 'E',
    PARK_PRESSURE = 'Q',
};

enum page_status {
    PAGE_RUNNING = 0,       /* a child that ends in this state did not finish */
    PAGE_DONE = 1,          /* the workload returned 0 */
    PAGE_NOT_AVAILABLE = 2, /* `reason` says what is missing */
    PAGE_FAILED = 3,        /* `reason` says what went wrong */
};

/*
 * Cumulative counters of the process are taken at both ends, so a phase holds differences. Where it
 * runs a program they are those of the programs that it has waited for, which are in the last phase
 * whenever they were spent; and a phase begins where the one before has ended, since a program runs
 * on while the child is parked.
 */
struct page_phase {
    char name[24];
    uint64_t begin_ns; /* CLOCK_MONOTONIC */
    uint64_t end_ns;
    uint64_t cpu_ns; /* CLOCK_PROCESS_CPUTIME_ID; of a program getrusage */
    uint64_t operations;
    uint64_t minor_faults; /* getrusage */
    uint64_t major_faults;
    uint64_t voluntary_switches;
    uint64_t involuntary_switches;
    uint64_t object_bytes; /* at the end */
    uint64_t live_bytes;
    uint64_t freed; /* 1 when a block was given back to an allocator in this phase */
};

struct page {
    struct workload_gauge gauge; /* offset 0, one cache line */
    uint32_t layout;             /* PAGE_LAYOUT, written by the parent */
    uint32_t status;             /* enum page_status */
    uint32_t phase_count;        /* phases ended */
    uint32_t reserved;
    char version[192];
    char object_provider[192];
    char raw_provider[192];
    char reason[192];
    struct page_phase phases[PAGE_PHASES];
    /* Where it runs a program: the most that one process of those that were waited for has had
     * resident, from the fork of the child on (ru_maxrss of getrusage). */
    uint64_t program_peak_bytes;
};

_Static_assert(sizeof(struct workload_gauge) == 64, "the gauge fills one cache line");
_Static_assert(sizeof(struct page) <= PAGE_BYTES, "the page is one page");

#endif
