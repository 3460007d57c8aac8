/*
 * Where a sample is taken: what it is of, a sampler and a sample of its own; and several of them at
 * once, on one processor. What others do to the machine then meets all alike, within the
 * milliseconds that the kernel gives each in turn. Leaves out which samples, and what becomes of
 * them (harness/runner.h). The idea is that of duet benchmarking (Bulej et al., ICPE 2020), which
 * gives each of two a processor of its own.
 */
#ifndef TIDEMARK_HARNESS_SEAT_H
#define TIDEMARK_HARNESS_SEAT_H

#include "harness/meeting.h"
#include "harness/sample.h"
#include "harness/tally.h"

#include <pthread.h>

enum { SEAT_NAME_BYTES = 512, SEAT_STARTED_BYTES = 32 };

struct seat {
    const struct cell *cell;
    struct tally_sample taken;
    uint64_t seed;
    char name[SEAT_NAME_BYTES], started[SEAT_STARTED_BYTES];
    struct sample_settings settings;
    struct sampler sampler;
    struct sample sample;
    int failed; /* as sample_run returned */
    pthread_t thread;
    int has_thread;
    struct attendance attendance;
};

/* Seats with their samplers; owned, seats_free() gives them back. NULL without memory. */
struct seat *seats_make(size_t count);
void seats_free(struct seat *seats, size_t count);

/*
 * Takes a sample in each of `count` seats, whose `cell`, `seed` and `settings` are set but for what
 * is the seat's own. More than one begin and go on together: each waits at its baseline until
 * the others are there, or have failed. Returns when all have ended; `failed` and `sample` of each
 * say how.
 */
void seats_run(struct seat *seats, size_t count);

#endif
