/*
 * The canary: three pieces of work that should take the same time whenever they are done. Where one
 * does not, something else uses the machine. Leaves out steal time, which did not show the noise
 * that this does. A build with a sanitizer has none: its times are the sanitizer's.
 */
#define _GNU_SOURCE
#include "harness/doctor.h"

#ifdef TIDEMARK_SANITIZED

int doctor_check_canary(struct doctor *doctor)
{
    doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "steadiness", "Ask a release build.",
               "times of a build with -fsanitize=%s say nothing of the machine",
               TIDEMARK_SANITIZED);
    return 0;
}

#else

#include "harness/clock.h"
#include "harness/machine.h"
#include "harness/text.h"

#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    ROUNDS = 20,
    LEAST_ROUNDS = 6,
    LOOP_TURNS = 6000000, /* some 15 ms */
    CHASE_STEPS = 150000, /* some 15 ms at 100 ns */
    CANARY_BYTES = 32 << 20,
    LINE_BYTES = 64,
    LINES = CANARY_BYTES / LINE_BYTES,
};

/* Rounds end here when the machine is so slow that 20 would take longer. */
#define CANARY_LONGEST_NS (3 * (uint64_t)CLOCK_SECOND_NS / 2)

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
    return (double)(clock_monotonic_ns() - began_ns);
}

struct line {
    uint32_t next;
    char padding[LINE_BYTES - sizeof(uint32_t)];
};

/* One cycle through all lines, in an order that no prefetcher foresees (Sattolo 1986). */
static void link_lines(struct line *lines)
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

/* For one step; goes on where the last call ended, so that the caches hold nothing of use. */
static double chase_ns(const struct line *lines, uint32_t *at)
{
    uint64_t began_ns = clock_monotonic_ns();

    for (int i = 0; i < CHASE_STEPS; i++)
        *at = lines[*at].next;
    sink = *at;
    return (double)(clock_monotonic_ns() - began_ns) / CHASE_STEPS;
}

/* For one small page; 0 when there is no memory. */
static double first_touch_ns(void)
{
    const size_t page_bytes = (size_t)sysconf(_SC_PAGESIZE);
    const size_t pages = CANARY_BYTES / page_bytes;
    char *map =
        mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (map == MAP_FAILED)
        return 0;
    madvise(map, CANARY_BYTES, MADV_NOHUGEPAGE);
    uint64_t began_ns = clock_monotonic_ns();
    for (size_t page = 0; page < pages; page++)
        *(volatile char *)(map + page * page_bytes) = 1;
    uint64_t took_ns = clock_monotonic_ns() - began_ns;
    munmap(map, CANARY_BYTES);
    return (double)took_ns / (double)pages;
}

struct canary {
    double loop_ns[ROUNDS], chase_ns[ROUNDS], touch_ns[ROUNDS];
    size_t rounds;
};

/* One round more than is kept comes first: it fetches the code, the core's speed and the pages. */
static int sing(struct canary *canary)
{
    uint32_t at = 0;
    struct line *lines =
        mmap(NULL, CANARY_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    canary->rounds = 0;
    if (lines == MAP_FAILED)
        return -1;
    link_lines(lines);
    loop_ns();
    chase_ns(lines, &at);
    first_touch_ns();
    uint64_t began_ns = clock_monotonic_ns();
    while (canary->rounds < ROUNDS &&
           (canary->rounds < LEAST_ROUNDS || clock_monotonic_ns() - began_ns < CANARY_LONGEST_NS)) {
        canary->loop_ns[canary->rounds] = loop_ns();
        canary->chase_ns[canary->rounds] = chase_ns(lines, &at);
        canary->touch_ns[canary->rounds] = first_touch_ns();
        if (canary->touch_ns[canary->rounds++] <= 0)
            break;
    }
    munmap(lines, CANARY_BYTES);
    return canary->touch_ns[canary->rounds - 1] <= 0 ? -1 : 0;
}

static void add_spread(struct doctor *doctor, const char *name, double *values, size_t count,
                       const char *what)
{
    char median[TEXT_NUMBER_BYTES];
    struct doctor_spread spread = doctor_spread(values, count);

    doctor_add(doctor, spread.largest_ratio > DOCTOR_STEADY_RATIO ? DOCTOR_WARN : DOCTOR_OK, name,
               "Something else uses this machine: end it, or come back at a quieter time. Believe "
               "differences of time only from many rounds, and figures of memory as before.",
               "median %s %s, the slowest of %zu took %.2f times that",
               text_format_duration(median, spread.median), what, count, spread.largest_ratio);
}

int doctor_check_canary(struct doctor *doctor)
{
    static struct canary canary;
    int child_cpu, sampler_cpu;
    cpu_set_t before, one;

    /* On the core where a sample would run. */
    machine_choose_cpus(&child_cpu, &sampler_cpu);
    CPU_ZERO(&before);
    sched_getaffinity(0, sizeof before, &before);
    CPU_ZERO(&one);
    if (child_cpu >= 0) {
        CPU_SET((size_t)child_cpu, &one);
        sched_setaffinity(0, sizeof one, &one);
    }
    int error = sing(&canary);
    sched_setaffinity(0, sizeof before, &before);
    if (error) {
        doctor_add(doctor, DOCTOR_WARN, "steadiness", "Free some memory: the canary takes 64 MiB.",
                   "there is no memory for the canary");
        return 0;
    }
    add_spread(doctor, "steady integer loop", canary.loop_ns, canary.rounds,
               "for 6 million dependent turns");
    add_spread(doctor, "steady memory latency", canary.chase_ns, canary.rounds,
               "for a dependent load out of 32 MiB");
    add_spread(doctor, "steady first touch", canary.touch_ns, canary.rounds,
               "for the first touch of a page, over 32 MiB");
    return 0;
}

#endif
