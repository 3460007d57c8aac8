/*
 * Counts of a run. Leaves out why a sample failed: only its status decides what is still run.
 */
#include "harness/tally.h"

#include "harness/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LIMITS_HIT = 2 };

int tally_init(struct tally *tally, const struct plan *plan)
{
    *tally = (struct tally){.plan = plan};
    tally->cells = calloc(plan->cell_count + 1, sizeof *tally->cells);
    tally->done = calloc(plan_rounds(plan) + 1, plan->cell_count + 1);
    if (!tally->cells || !tally->done)
        return -ENOMEM;
    for (size_t i = 0; i < plan->cell_count; i++)
        tally->cells[i].runs_left = plan->cells[i].not_available[0] ? 0 : plan->cells[i].rounds;
    return 0;
}

static unsigned char *mark_of(const struct tally *tally, size_t cell, unsigned round)
{
    return &tally->done[round * tally->plan->cell_count + cell];
}

int tally_is_left(const struct tally *tally, size_t cell, unsigned round)
{
    return !tally->cells[cell].given_up && !*mark_of(tally, cell, round);
}

void tally_add(struct tally *tally, size_t cell, unsigned round, enum sample_status status,
               double seconds)
{
    struct tally_cell *counted = &tally->cells[cell];

    *mark_of(tally, cell, round) = 1;
    tally->stored++;
    counted->seconds = seconds;
    counted->runs_left--;
    counted->limits_hit += status == SAMPLE_TIMEOUT || status == SAMPLE_OOM;
    if (status == SAMPLE_NOT_AVAILABLE || counted->limits_hit >= MOST_LIMITS_HIT)
        counted->given_up = 1;
    if (status != SAMPLE_OK && status != SAMPLE_NOT_AVAILABLE)
        tally->failures = 1;
}

/* Returns 0 or -EINVAL: no result has that name. */
static int status_of(const json_t *sample, enum sample_status *status)
{
    for (int i = SAMPLE_OK; i < SAMPLE_INTERRUPTED; i++) {
        if (strcmp(json_text(sample, "status"), sample_status_name((enum sample_status)i)) != 0)
            continue;
        *status = (enum sample_status)i;
        return 0;
    }
    return -EINVAL;
}

/* From the baseline to the end of the last phase: its start-up is left out. */
static double seconds_of(const json_t *sample)
{
    const json_t *phases = json_object_get(sample, "phases");
    size_t count = json_array_size(phases);
    const json_t *last = count ? json_array_get(phases, count - 1) : NULL;

    return json_number_value(json_object_get(last, "end_ns")) / 1e9;
}

/* The whole number under `key`, or -1, which no field here can be. */
static json_int_t index_of(const json_t *sample, const char *key)
{
    const json_t *value = json_object_get(sample, key);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* NULL when it was counted, else what is wrong with it. */
static const char *add_one(struct tally *tally, const json_t *sample)
{
    const struct plan *plan = tally->plan;
    json_int_t cell = index_of(sample, "cell"), round = index_of(sample, "round");
    enum sample_status status;

    if (index_of(sample, "sample") != (json_int_t)tally->stored)
        return "its number is not its place";
    if (cell < 0 || (size_t)cell >= plan->cell_count)
        return "no cell of the plan";
    if (plan->cells[cell].not_available[0])
        return "a cell that the plan rules out";
    if (round < 0 || round >= (json_int_t)plan->cells[cell].rounds)
        return "no round of its cell";
    if (*mark_of(tally, (size_t)cell, (unsigned)round))
        return "its cell and round are there twice";
    if (status_of(sample, &status) != 0)
        return "no status that a sample has";
    tally_add(tally, (size_t)cell, (unsigned)round, status, seconds_of(sample));
    return NULL;
}

int tally_add_stored(struct tally *tally, const json_t *samples, char *error)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        const char *wrong = add_one(tally, sample);
        if (!wrong)
            continue;
        snprintf(error, TALLY_ERROR_BYTES, "samples.jsonl:%zu: %s", i + 1, wrong);
        return -EINVAL;
    }
    return 0;
}

size_t tally_left(const struct tally *tally)
{
    size_t left = 0;

    for (size_t i = 0; i < tally->plan->cell_count; i++)
        left += tally->cells[i].given_up ? 0 : tally->cells[i].runs_left;
    return left;
}

double tally_seconds_left(const struct tally *tally)
{
    double left = 0;

    for (size_t i = 0; i < tally->plan->cell_count; i++) {
        const struct tally_cell *cell = &tally->cells[i];
        double each =
            cell->seconds > 0 ? cell->seconds : 1 + (double)tally->plan->cells[i].idle_ns / 1e9;
        left += cell->given_up ? 0 : each * cell->runs_left;
    }
    return left;
}

void tally_free(struct tally *tally)
{
    free(tally->cells);
    free(tally->done);
    tally->cells = NULL;
    tally->done = NULL;
}
