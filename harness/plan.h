/*
 * The plan of a run: cells, and the rounds that run each of them once in a new seeded order.
 * Leaves out processes and files, and reading a plan back (harness/plan_read.h). Randomised
 * complete blocks are Fisher's (1935); drift of the machine then falls on all alike.
 */
#ifndef TIDEMARK_HARNESS_PLAN_H
#define TIDEMARK_HARNESS_PLAN_H

#include "harness/grammar.h"
#include "harness/host.h"
#include "harness/row.h"

#include <jansson.h>

enum { PLAN_ERROR_BYTES = 768, PLAN_REASON_BYTES = 512, PLAN_MOST_ROUNDS = 1000 };

/* As many as a reader takes: a run folder may come from anywhere. */
enum { PLAN_MOST_CELLS = 4096 };

struct cell {
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS];
    struct row row;
    struct host host;
    uint64_t idle_ns;
    unsigned rounds;
    char not_available[PLAN_REASON_BYTES]; /* empty: it can run */
};

struct plan {
    char suite[32]; /* empty when the cells came from -w */
    uint64_t seed;
    uint64_t tick_ns;
    uint64_t timeout_ns;
    uint64_t memory_limit_bytes;
    struct cell *cells; /* owned; plan_free */
    size_t cell_count;
};

/* What plan_add multiplies out. */
struct plan_request {
    const char *workload; /* with sweeps */
    const char *const *rows;
    size_t row_count;
    const char *host;
    int host_may_be_missing; /* 1: its cells are then n/a, with the reason; 0: that is an error */
    enum workload_size size;
    uint64_t idle_ns;
    unsigned rounds;
};

/*
 * Adds a cell for each combination of the swept values and the rows, and decides which are not
 * available. A cell that the plan already has is an error: it would double its samples. Returns 0,
 * or a negative errno with a message in `error` (PLAN_ERROR_BYTES); the plan is then as it was.
 */
int plan_add(struct plan *plan, const struct plan_request *request, char *error);

/*
 * Fills `order` (room for cell_count) with the cells to run in `round`, shuffled by the plan's seed
 * and the round, and returns how many. The same plan gives the same order.
 */
size_t plan_round(const struct plan *plan, unsigned round, size_t *order);

/* Rounds of the cell that has most; samples of the whole plan. */
unsigned plan_rounds(const struct plan *plan);
size_t plan_samples(const struct plan *plan);

/* The plan as results/FORMAT.md describes plan.json; the caller owns it. */
json_t *plan_to_json(const struct plan *plan);

/* "n=5000000,way=del", into `text`; returned. */
const char *cell_format_parameters(const struct cell *cell, char *text, size_t text_bytes);

void plan_free(struct plan *plan);

#endif
