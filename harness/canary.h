/*
 * The canary: three pieces of work that take the same time whenever they are done, unless something
 * else uses the machine. Leaves out what follows from a slow one (harness/dirty.h) and steal time,
 * which did not show the noise that this does. Miners took the bird for the same reason.
 */
#ifndef TIDEMARK_HARNESS_CANARY_H
#define TIDEMARK_HARNESS_CANARY_H

#include <stddef.h>
#include <stdint.h>

/* What `loop_ns` and `latency_ns` go through, and what `fault_ns` maps. */
enum { CANARY_BYTES = 32 << 20 };

/* Nanoseconds of one step of each piece, each the mean over some 5 to 20 ms of steps; above 0. */
struct canary_reading {
    double loop_ns;    /* a turn of a loop of integer operations, each waiting for the one before */
    double latency_ns; /* a load out of CANARY_BYTES that waits for the one before */
    double fault_ns;   /* the first touch of a small page, the kernel's fault included */
};

/* The pieces by number, for what treats them alike. */
enum { CANARY_PIECES = 3 };
double canary_piece(const struct canary_reading *reading, size_t piece);

/*
 * So many times its usual time make a piece slow. Undisturbed, loop and latency stay below 1.15
 * here; the first touch, which depends on what lies beneath the pages, reaches 1.4
 * (docs/method.md).
 */
double canary_slow_ratio(size_t piece);

/* The key of a piece in results/FORMAT.md: "loop_ns", "latency_ns" or "fault_ns". Thread-safe. */
const char *canary_piece_name(size_t piece);

struct canary {
    struct canary_line *lines; /* CANARY_BYTES, resident, not passed on to children */
    uint32_t at;               /* where the last chase ended */
};

/*
 * Takes the memory and does each piece once, so that the first reading is no colder than the next.
 * Costs some 100 ms. Returns 0, -ENOMEM, or -ENOTSUP in a build with a sanitizer, whose times are
 * the sanitizer's; canary_destroy either way.
 */
int canary_init(struct canary *canary);

/*
 * Does each piece once on core `cpu` (-1: on any) and fills `reading`. The calling thread's
 * affinity is as before afterwards. Takes some 40 ms on a quiet machine. Returns 0, or -ENOMEM with
 * `reading` untouched.
 */
int canary_sing(struct canary *canary, int cpu, struct canary_reading *reading);

void canary_destroy(struct canary *canary);

#endif
