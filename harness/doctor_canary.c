/*
 * How steady the machine is at work: the canary, many times in a row. Leaves out the work itself
 * (harness/canary.h), which the runner does before each sample. A build with a sanitizer has none:
 * its times are the sanitizer's.
 */
#define _GNU_SOURCE
#include "harness/doctor.h"

#include "harness/canary.h"
#include "harness/clock.h"
#include "harness/machine.h"
#include "harness/text.h"

#include <errno.h>

enum { ROUNDS = 20, LEAST_ROUNDS = 6 };

/* Rounds end here when the machine is so slow that 20 would take longer. */
#define CANARY_LONGEST_NS (3 * (uint64_t)CLOCK_SECOND_NS / 2)

struct song {
    double values[CANARY_PIECES][ROUNDS];
    size_t rounds;
};

/* On the core where a sample would run. Returns 0 or a negative errno of canary.h. */
static int sing(struct song *song)
{
    struct canary canary;
    struct canary_reading reading;
    int child_cpu, sampler_cpu;
    int failed = canary_init(&canary);
    uint64_t began_ns = clock_monotonic_ns();

    machine_choose_cpus(&child_cpu, &sampler_cpu);
    song->rounds = 0;
    while (!failed && song->rounds < ROUNDS &&
           (song->rounds < LEAST_ROUNDS || clock_monotonic_ns() - began_ns < CANARY_LONGEST_NS)) {
        failed = canary_sing(&canary, child_cpu, &reading);
        for (size_t piece = 0; !failed && piece < CANARY_PIECES; piece++)
            song->values[piece][song->rounds] = canary_piece(&reading, piece);
        song->rounds += !failed;
    }
    canary_destroy(&canary);
    return failed;
}

static void add_spread(struct doctor *doctor, struct song *song, size_t piece)
{
    static const struct {
        const char *name, *what;
    } pieces[CANARY_PIECES] = {
        {"steady integer loop", "for a turn of dependent integer operations"},
        {"steady memory latency", "for a dependent load out of 32 MiB"},
        {"steady first touch", "for the first touch of a page, over 32 MiB"},
    };
    char median[TEXT_NUMBER_BYTES];
    struct doctor_spread spread = doctor_spread(song->values[piece], song->rounds);

    doctor_add(doctor, spread.largest_ratio > canary_slow_ratio(piece) ? DOCTOR_WARN : DOCTOR_OK,
               pieces[piece].name,
               "Something else uses this machine: end it, or come back at a quieter time. Believe "
               "differences of time only from many rounds, and figures of memory as before.",
               "median %s %s, the slowest of %zu took %.2f times that",
               text_format_duration(median, spread.median), pieces[piece].what, song->rounds,
               spread.largest_ratio);
}

int doctor_check_canary(struct doctor *doctor)
{
    static struct song song;
    int failed = sing(&song);

    if (failed == -ENOTSUP)
        doctor_add(doctor, DOCTOR_NOT_AVAILABLE, "steadiness", "Ask a release build.",
                   "times of a build with a sanitizer say nothing of the machine");
    else if (failed)
        doctor_add(doctor, DOCTOR_WARN, "steadiness", "Free some memory: the canary takes 64 MiB.",
                   "there is no memory for the canary");
    for (size_t piece = 0; !failed && piece < CANARY_PIECES; piece++)
        add_spread(doctor, &song, piece);
    return 0;
}
