/*
 * What of a plan is done and what is left: the (cell, round, repeat) triples that have a sample,
 * what is queued once more, and the cells that are given up. Leaves out the samples themselves
 * (harness/run_folder.h). A fresh run starts with nothing done, a resumed one with what its
 * samples.jsonl holds.
 *
 * What is queued follows from the stored samples alone: where a sample of a round as planned is
 * dirty, that round of its whole experiment, which is what is compared, is run once more after all
 * planned rounds. A repeat queues nothing, dirty or not. So do the rounds that are added to the
 * planned ones (harness/until.h).
 */
#ifndef TIDEMARK_HARNESS_TALLY_H
#define TIDEMARK_HARNESS_TALLY_H

#include "harness/dirty.h"
#include "harness/plan.h"
#include "harness/sample.h"

enum { TALLY_ERROR_BYTES = 256 };

struct tally_cell {
    double seconds;      /* that its last sample took; 0: not yet run */
    unsigned runs_left;  /* repeats that are queued included */
    unsigned limits_hit; /* samples that ran into a limit */
    unsigned rounds;     /* planned, and added since */
    size_t experiment;   /* its first cell; that of a cell itself where no round is ever added */
    size_t dirty;        /* samples */
    int wants_round;     /* of the first cell of an experiment: tally_add_rounds */
    int given_up;        /* no further sample is taken; another shard's is so from the start */
    int has_ok;          /* a sample came to its end */
    double *figures[UNTIL_METRICS]; /* owned: of each sample that came to its end, in no order */
    size_t figure_count, figure_room;
};

struct tally {
    const struct plan *plan; /* borrowed */
    struct tally_cell *cells;
    unsigned char *marks; /* round by round, one for each cell; tally.c */
    struct canary_history canaries;
    size_t stored;    /* samples; the number of the next one */
    uint64_t took_ns; /* all samples together, as far as it is known */
    int failures;     /* 1: a sample crashed, hung or broke a limit */
};

/* What a tally needs to know of a sample. */
struct tally_sample {
    size_t cell;
    unsigned round;
    unsigned repeat; /* 0, or 1 when the round was run once more */
    enum sample_status status;
    double seconds;
    uint64_t took_ns; /* with its canary; 0: not known */
    int has_figures;
    double figures[UNTIL_METRICS];
    int has_canary;
    struct canary_reading canary;
    int is_dirty;
};

/* Nothing is done. Returns 0 or -ENOMEM; tally_free either way. */
int tally_init(struct tally *tally, const struct plan *plan);

/* The figures of a sample from its record, and how long it took. */
void tally_read_figures(struct tally_sample *sample, const json_t *record);

/* 1 when this sample is still to be taken. */
int tally_is_left(const struct tally *tally, size_t cell, unsigned round, unsigned repeat);

/* 1 when the canary, read before the next sample, makes it dirty. */
int tally_is_dirty(struct tally *tally, const struct canary_reading *canary);

/*
 * Counts a sample that was stored, keeps its canary and queues what it asks for. What is missing
 * stays missing, and a cell that has run into a limit twice would do so again, each time at the
 * cost of the whole limit: such a cell is given up, its repeats included. Returns 0 or -ENOMEM.
 */
int tally_add(struct tally *tally, const struct tally_sample *sample);

/*
 * When nothing is left: adds a round to each experiment of which a row's interval is not as narrow
 * as the plan asks, unless a bound is reached. All its rows get it, and its control, but for those
 * of which no sample ever came to its end. Whether an experiment gets one follows from its stored
 * samples, and the bound on time from all of them. Returns how many samples were added.
 * O(cells + samples log samples).
 */
size_t tally_add_rounds(struct tally *tally);

/* The widest of the intervals that are to be narrow, as until_half_width has it, of the rows that
 * may still get a round; `cell` is set to its cell. 0 where there is none. */
double tally_widest(const struct tally *tally, size_t *cell);

/* Rounds of the cell that has most, with those added. */
unsigned tally_rounds(const struct tally *tally);

/*
 * Counts the stored samples, in their order. Returns 0, or -ENOMEM or -EINVAL with a message in
 * `error` (TALLY_ERROR_BYTES), which names the line when one does not fit the plan, is there twice,
 * or is a repeat that nothing asked for. A round beyond the planned ones fits where the plan asks
 * for such and it is the next of its cell.
 */
int tally_add_stored(struct tally *tally, const json_t *samples, char *error);

/* Samples still to be taken, repeats that are queued included, and the seconds that they are
 * guessed to take: as long as the last one of their cell, or a second beyond the idle time of a
 * cell that has not run. */
size_t tally_left(const struct tally *tally);
size_t tally_repeats_left(const struct tally *tally); /* of them, those that are queued */
double tally_seconds_left(const struct tally *tally);

void tally_free(struct tally *tally);

#endif
