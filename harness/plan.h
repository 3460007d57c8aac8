/*
 * The plan of a run: cells, and the rounds that run each of them once in a new seeded order.
 * Leaves out processes and files, and reading a plan back (harness/plan_read.h). Randomised
 * complete blocks are Fisher's (1935); drift of the machine then falls on all alike. A/A controls
 * are those of online experiments (Kohavi et al., KDD 2012).
 */
#ifndef TIDEMARK_HARNESS_PLAN_H
#define TIDEMARK_HARNESS_PLAN_H

#include "harness/grammar.h"
#include "harness/host.h"
#include "harness/return_way.h"
#include "harness/row.h"
#include "harness/shard.h"
#include "harness/until.h"

#include <jansson.h>

enum {
    PLAN_ERROR_BYTES = 1280,
    PLAN_REASON_BYTES = 512,
    PLAN_MOST_ROUNDS = 1000,
    PLAN_CONTROL_ROUNDS = 6, /* the fewest that give a control an interval */
    PLAN_REPEATS = 2,        /* a round as planned, and once more where a sample of it was dirty */
};

/* As many as a reader takes: a run folder may come from anywhere. */
enum { PLAN_MOST_CELLS = 4096 };

struct cell {
    const struct workload *workload;
    uint64_t values[WORKLOAD_PARAMETERS];
    struct row row;
    struct host host;
    uint64_t idle_ns;
    struct return_way way;
    unsigned rounds;
    char prepared_file[64]; /* what the child reads for a parameter that is a file */
    char preload[1024];     /* of a program: libraries, separated by colons */
    int is_threaded;        /* 1: threads of that file's call the allocator */
    unsigned shard;         /* of the plan's, that measures it; 0: there are none */
    int is_control; /* the same again as an earlier cell: what differs between the two is noise */
    char not_available[PLAN_REASON_BYTES]; /* empty: it can run */
};

struct plan {
    char suite[32]; /* empty when the cells came from -w */
    uint64_t seed;
    uint64_t tick_ns;
    uint64_t timeout_ns;
    uint64_t memory_limit_bytes;
    uint64_t warm_up_bytes; /* touched before the first sample, as far as the machine has them */
    int repeat_dirty;       /* 1: what a dirty sample belongs to is run once more */
    int together;           /* 1: the rows of an experiment run at once, on one processor */
    double scale;           /* of parameters that scale (harness/scale.h); 0: as they are, as 1 */
    json_t *scale_notes;    /* owned: where a bound stopped that, as scale_words has it; or NULL */
    struct until until;     /* rounds beyond those of the cells; harness/until.h */
    unsigned passes;        /* after all rounds, of each cell that suits: a set (harness/pass.h) */
    struct shard shard;     /* which part of it this run measures */
    struct cell *cells;     /* owned; plan_free */
    size_t cell_count;
    struct trace_files
        *traces;      /* owned: those that cells replay (harness/trace_files.h); or NULL */
    json_t *settings; /* owned: what proof_of_plan was told of every tunable, by row; or NULL */
    json_t *tunables; /* owned: what proof_of_plan found, by row, as machine.json has it; or NULL */
};

/* What plan_add multiplies out. */
struct plan_request {
    const char *workload; /* with sweeps */
    const char *const *rows;
    size_t row_count;
    const char *host;
    int host_may_be_missing; /* 1: its cells are then n/a, with the reason; 0: that is an error */
    int once; /* 1: a cell that the plan has already stays as it is; 0: that is an error */
    enum workload_size size;
    uint64_t idle_ns;
    struct return_way way; /* a real CPython never rebuilds, whatever it says */
    unsigned rounds;
};

/*
 * Adds a cell for each combination of the swept values and the rows, and decides which are not
 * available. A cell that the plan already has is never added again: it would double its samples.
 * Returns 0, or a negative errno with a message in `error` (PLAN_ERROR_BYTES); the plan is then as
 * it was.
 */
int plan_add(struct plan *plan, const struct plan_request *request, char *error);

/*
 * Gives plain `pymalloc` the geometry of the cell's profile. Returns 0, or -EINVAL with a sentence
 * in `reason` (PLAN_REASON_BYTES) when the row names another one. plan_add has done it.
 */
int cell_choose_geometry(struct cell *cell, char *reason);

/*
 * Gives the row of a cell that is eager the tunables for it. Returns 0, or -EINVAL with a sentence
 * in `reason` (PLAN_REASON_BYTES) when there are none. plan_add has done it.
 */
int cell_apply_way(struct cell *cell, char *reason);

/* Makes the cells n/a that need the kernel's pressure, for `reason`. */
void plan_rule_out_pressure(struct plan *plan, const char *reason);

/* 1 when a cell that can run needs it. */
int plan_needs_pressure(const struct plan *plan);

/*
 * Adds an A/A control for each workload on each host: a cell like the first row that can run of
 * the first experiment that has at least two such rows there and PLAN_CONTROL_ROUNDS rounds. To be
 * called once, when all else is added. Returns 0, or -ENOMEM with the plan as it was.
 */
int plan_add_controls(struct plan *plan);

/*
 * Whether the two are compared: all but row and host is the same. Cells that differ only in the way
 * they give back are compared row by row (harness/return_table.h), not within one experiment: how
 * long they rest differs too.
 */
int plan_same_experiment(const struct cell *a, const struct cell *b);

/* The same on one host. */
int plan_same_host(const struct cell *a, const struct cell *b);

/* How many samples of the plan are taken at once, at most: those of its largest experiment on one
 * host; 1 of a plan whose rows take turns. O(cells^2). */
size_t plan_most_together(const struct plan *plan);

/* 1 when the sample's process calls the allocator itself, and can be asked to do more; 0 for a real
 * CPython and for any other program. */
int cell_calls_itself(const struct cell *cell);

/*
 * Fills `order` (room for cell_count) with the cells to run in `round`, shuffled by the plan's seed
 * and the round, and returns how many. The same plan gives the same order. `repeat` is 0 for the
 * round as planned; 1 gives another order, of which only what is queued is run (harness/tally.h).
 */
size_t plan_round(const struct plan *plan, unsigned round, unsigned repeat, size_t *order);

/*
 * The same of the rounds beyond the planned ones: all cells that can have them (cell_may_go_on), of
 * which only what was added is run.
 */
size_t plan_further_round(const struct plan *plan, unsigned round, unsigned repeat, size_t *order);

/*
 * 1 when rounds can be added to the cell: it can run, such rounds were asked for, and no other cell
 * has more. Those that have fewer, a suite's long rests, keep their own. O(cells).
 */
int cell_may_go_on(const struct plan *plan, const struct cell *cell);

/* Rounds of the cell that has most, and how many there can be with those that are added. */
unsigned plan_rounds(const struct plan *plan);
unsigned plan_most_rounds(const struct plan *plan);

/* Samples of the whole plan, without what may be added. */
size_t plan_samples(const struct plan *plan);

/* Cells that are controls. */
size_t plan_controls(const struct plan *plan);

/* The plan as results/FORMAT.md describes plan.json; the caller owns it. */
json_t *plan_to_json(const struct plan *plan);

/* "n=5000000,way=del", into `text`; returned. */
const char *cell_format_parameters(const struct cell *cell, char *text, size_t text_bytes);

void plan_free(struct plan *plan);

#endif
