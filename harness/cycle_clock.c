/*
 * Calibration of the processor's counter. Leaves out drift after it: an invariant counter and
 * CLOCK_MONOTONIC_RAW, which nothing slews, come from one crystal.
 */
#define _GNU_SOURCE
#include "harness/cycle_clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

enum {
    CALIBRATION_NS = 20000000,
    ALIGNMENTS = 50, /* of which the tightest counts */
    OWN_READINGS = 100000,
};

/* The kernel leaves the counter for one of these where it found that it was not steady. */
static const char *const given_up[] = {"hpet", "acpi_pm", "jiffies", "refined-jiffies", "pit"};

int cycle_clock_is_trusted(int is_invariant, const char *source)
{
    for (size_t i = 0; i < sizeof given_up / sizeof given_up[0]; i++) {
        if (strcmp(source, given_up[i]) == 0)
            return 0;
    }
    return is_invariant;
}

/* By read(2): stdio would allocate. */
static void read_source(char *source)
{
    int fd = open("/sys/devices/system/clocksource/clocksource0/current_clocksource",
                  O_RDONLY | O_CLOEXEC);
    ssize_t got = fd >= 0 ? read(fd, source, CYCLE_CLOCK_SOURCE_BYTES - 1) : 0;

    if (fd >= 0)
        close(fd);
    source[got > 0 ? got : 0] = '\0';
    source[strcspn(source, "\n")] = '\0';
}

#if defined(__x86_64__)
static const char counter_name[] = "tsc";

/* rdtscp is there, and the counter has one rate in every P-, C- and T-state. */
static int counter_is_invariant(void)
{
    unsigned a, b, c, features, power;

    return __get_cpuid(0x80000001, &a, &b, &c, &features) && features & 1u << 27 &&
           __get_cpuid(0x80000007, &a, &b, &c, &power) && power & 1u << 8;
}
#elif defined(__aarch64__)
static const char counter_name[] = "cntvct";

static int counter_is_invariant(void)
{
    return 1;
}
#else
static const char counter_name[] = "";

static int counter_is_invariant(void)
{
    return 0;
}
#endif

/* The two clocks at one moment: `ticks` lies within `width_ticks` of `ns`. */
struct alignment {
    uint64_t ticks, ns, width_ticks;
};

static struct alignment align(const struct cycle_clock *clock)
{
    struct alignment best = {.width_ticks = UINT64_MAX};

    for (int i = 0; i < ALIGNMENTS; i++) {
        const uint64_t before = cycle_clock_begin(clock);
        const uint64_t ns = clock_ns(CLOCK_MONOTONIC_RAW);
        const uint64_t width_ticks = cycle_clock_between(before, cycle_clock_end(clock));
        if (width_ticks < best.width_ticks)
            best = (struct alignment){before + width_ticks / 2, ns, width_ticks};
    }
    return best;
}

static void calibrate(struct cycle_clock *clock)
{
    const struct alignment first = align(clock);
    struct alignment last;

    do
        last = align(clock);
    while (last.ns - first.ns < CALIBRATION_NS);
    clock->calibration_ticks = last.ticks - first.ticks;
    clock->calibration_ns = last.ns - first.ns;
    /* Half a width at either end, in ns, rounded up. */
    clock->calibration_error_ns =
        (uint64_t)((double)(first.width_ticks + last.width_ticks) / 2 *
                   (double)clock->calibration_ns / (double)clock->calibration_ticks) +
        1;
}

void cycle_clock_open(struct cycle_clock *clock)
{
    memset(clock, 0, sizeof *clock);
    read_source(clock->source);
    clock->uses_counter = cycle_clock_is_trusted(counter_is_invariant(), clock->source);
    clock->name = clock->uses_counter ? counter_name : "clock_gettime";
    calibrate(clock);
    for (int i = 0; i < OWN_READINGS; i++) {
        const uint64_t begin = cycle_clock_begin(clock);
        const uint64_t end = cycle_clock_end(clock);
        latency_histogram_add(&clock->own_ticks, cycle_clock_between(begin, end));
    }
}
