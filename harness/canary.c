/*
 * Fixed amounts of work rather than fixed times: what is read is how long they take. Leaves out
 * huge pages, which would make latency and faults depend on a setting of the machine.
 */
#define _GNU_SOURCE
#include "harness/canary.h"

#include <errno.h>

double canary_piece(const struct canary_reading *reading, size_t piece)
{
    const double pieces[CANARY_PIECES] = {reading->loop_ns, reading->latency_ns, reading->fault_ns};

    return pieces[piece];
}

double canary_slow_ratio(size_t piece)
{
    static const double ratios[CANARY_PIECES] = {1.3, 1.3, 1.5};

    return ratios[piece];
}

const char *canary_piece_name(size_t piece)
{
    static const char *const names[CANARY_PIECES] = {"loop_ns", "latency_ns", "fault_ns"};

    return names[piece];
}

#ifdef TIDEMARK_SANITIZED

int canary_init(struct canary *canary)
{
    *canary = (struct canary){0};
    return -ENOTSUP;
}

int canary_sing(struct canary *canary, int cpu, struct canary_reading *reading)
{
    (void)canary;
    (void)cpu;
    (void)reading;
    return -ENOTSUP;
}

void canary_destroy(struct canary *canary)
{
    (void)canary;
}

#else

#include "harness/clock.h"

#include <sched.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    LOOP_TURNS = 8000000, /* some 15 ms */
    CHASE_STEPS = 150000, /* some 15 ms at 100 ns */
    LINE_BYTES = 64,
    LINES = CANARY_BYTES / LINE_BYTES,
};

/* Marsaglia, "Xorshift RNGs", 2003: each turn waits for the one before. */
static uint64_t xorshift(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

static volatile uint64_t sink; /* so that no work can be left out */

static double loop_ns(void)
{
    uint64_t x = 88172645463325252u;
    uint64_t began_ns = clock_monotonic_ns();

    for (int i = 0; i < LOOP_TURNS; i++)
        x = xorshift(x);
    sink = x;
    return (double)(clock_monotonic_ns() - began_ns) / LOOP_TURNS;
}

struct canary_line {
    uint32_t next;
    char padding[LINE_BYTES - sizeof(uint32_t)];
};

/* One cycle through all lines, in an order that no prefetcher foresees (Sattolo 1986). */
static void link_lines(struct canary_line *lines)
{
    uint64_t x = 88172645463325252u;

    for (uint32_t i = 0; i < LINES; i++)
        lines[i].next = i;
    for (uint32_t i = LINES - 1; i > 0; i--) {
        x = xorshift(x);
        uint32_t j = (uint32_t)(x % i);
        uint32_t next = lines[i].next;
        lines[i].next = lines[j].next;
        lines[j].next = next;
    }
}

/* Goes on where the last call ended, so that the caches hold nothing of use. */
static double latency_ns(struct canary *canary)
{
    uint32_t at = canary->at;
    uint64_t began_ns = clock_monotonic_ns();

    for (int i = 0; i < CHASE_STEPS; i++)
        at = canary->lines[at].next;
    sink = canary->at = at;
    return (double)(clock_monotonic_ns() - began_ns) / CHASE_STEPS;
}

/* NULL without memory. Small pages, whatever the machine's setting. */
static char *map_small_pages(void)
{
    void *map =
        mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED)
        return NULL;
    madvise(map, CANARY_BYTES, MADV_NOHUGEPAGE);
    return map;
}

/* 0 without memory. Maps anew each time: the first touch is what is measured. */
static double fault_ns(void)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = CANARY_BYTES / page_bytes;
    char *map = map_small_pages();

    if (!map)
        return 0;
    uint64_t began_ns = clock_monotonic_ns();
    for (size_t page = 0; page < pages; page++)
        *(volatile char *)(map + page * page_bytes) = 1;
    uint64_t took_ns = clock_monotonic_ns() - began_ns;
    munmap(map, CANARY_BYTES);
    return (double)took_ns / (double)pages;
}

int canary_init(struct canary *canary)
{
    struct canary_reading discarded;

    *canary = (struct canary){.lines = (struct canary_line *)(void *)map_small_pages()};
    if (!canary->lines)
        return -ENOMEM;
    /* A fork for each sample: the child must not get page tables of it to tear down. */
    madvise(canary->lines, CANARY_BYTES, MADV_DONTFORK);
    link_lines(canary->lines);
    return canary_sing(canary, -1, &discarded);
}

int canary_sing(struct canary *canary, int cpu, struct canary_reading *reading)
{
    struct canary_reading taken;
    cpu_set_t before, one;

    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&one);
    if (cpu >= 0) {
        CPU_SET((size_t)cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    taken.loop_ns = loop_ns();
    taken.latency_ns = latency_ns(canary);
    taken.fault_ns = fault_ns();
    if (cpu >= 0)
        sched_setaffinity(0, sizeof before, &before);
    if (taken.fault_ns <= 0)
        return -ENOMEM;
    *reading = taken;
    return 0;
}

void canary_destroy(struct canary *canary)
{
    if (canary->lines)
        munmap(canary->lines, CANARY_BYTES);
    canary->lines = NULL;
}

#endif
