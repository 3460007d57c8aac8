/*
 * Counts of a run. Leaves out why a sample failed: only its status and whether it was dirty decide
 * what is still run.
 */
#include "harness/tally.h"

#include "harness/json_file.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LIMITS_HIT = 2 };

/* Of one cell in one round. DONE of repeat r is DONE << r. */
enum mark { DONE = 1, REPEAT_DONE = DONE << 1, QUEUED = 4 };

int tally_init(struct tally *tally, const struct plan *plan)
{
    *tally = (struct tally){.plan = plan};
    tally->cells = calloc(plan->cell_count + 1, sizeof *tally->cells);
    tally->marks = calloc(plan_rounds(plan) + 1, plan->cell_count + 1);
    if (!tally->cells || !tally->marks)
        return -ENOMEM;
    for (size_t i = 0; i < plan->cell_count; i++)
        tally->cells[i].runs_left = plan->cells[i].not_available[0] ? 0 : plan->cells[i].rounds;
    return 0;
}

static unsigned char *mark_of(const struct tally *tally, size_t cell, unsigned round)
{
    return &tally->marks[round * tally->plan->cell_count + cell];
}

int tally_is_left(const struct tally *tally, size_t cell, unsigned round, unsigned repeat)
{
    const unsigned char mark = *mark_of(tally, cell, round);

    return !tally->cells[cell].given_up && (repeat == 0 || mark & QUEUED) &&
           !(mark & DONE << repeat);
}

int tally_is_dirty(struct tally *tally, const struct canary_reading *canary)
{
    return canary_history_is_dirty(&tally->canaries, canary);
}

/* Queues the round of the whole experiment, once. O(cells). */
static void queue_repeat(struct tally *tally, size_t of_cell, unsigned round)
{
    const struct plan *plan = tally->plan;

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *cell = &plan->cells[i];
        if (!plan_same_experiment(cell, &plan->cells[of_cell]) || cell->not_available[0] ||
            cell->rounds <= round || *mark_of(tally, i, round) & QUEUED)
            continue;
        *mark_of(tally, i, round) |= QUEUED;
        tally->cells[i].runs_left++;
    }
}

static void count_status(struct tally *tally, struct tally_cell *cell, enum sample_status status)
{
    cell->has_ok |= status == SAMPLE_OK;
    cell->limits_hit += status == SAMPLE_TIMEOUT || status == SAMPLE_OOM;
    if (status == SAMPLE_NOT_AVAILABLE || cell->limits_hit >= MOST_LIMITS_HIT)
        cell->given_up = 1;
    if (status != SAMPLE_OK && status != SAMPLE_NOT_AVAILABLE)
        tally->failures = 1;
}

int tally_add(struct tally *tally, const struct tally_sample *sample)
{
    struct tally_cell *cell = &tally->cells[sample->cell];

    if (sample->has_canary && canary_history_add(&tally->canaries, &sample->canary) != 0)
        return -ENOMEM;
    *mark_of(tally, sample->cell, sample->round) |= (unsigned char)(DONE << sample->repeat);
    tally->stored++;
    cell->seconds = sample->seconds;
    cell->runs_left--;
    count_status(tally, cell, sample->status);
    if (sample->is_dirty && sample->repeat == 0 && tally->plan->repeat_dirty)
        queue_repeat(tally, sample->cell, sample->round);
    return 0;
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

/* Which of the plan's samples it is; NULL, or what is wrong with it. */
static const char *read_place(const struct tally *tally, const json_t *sample,
                              struct tally_sample *read)
{
    const struct plan *plan = tally->plan;
    json_int_t cell = index_of(sample, "cell"), round = index_of(sample, "round");
    json_int_t repeat = json_object_get(sample, "repeat") ? index_of(sample, "repeat") : 0;

    if (index_of(sample, "sample") != (json_int_t)tally->stored)
        return "its number is not its place";
    if (cell < 0 || (size_t)cell >= plan->cell_count)
        return "no cell of the plan";
    if (plan->cells[cell].not_available[0])
        return "a cell that the plan rules out";
    if (round < 0 || round >= (json_int_t)plan->cells[cell].rounds)
        return "no round of its cell";
    if (repeat < 0 || repeat >= PLAN_REPEATS)
        return "its repeat is neither 0 nor 1";
    const unsigned char mark = *mark_of(tally, (size_t)cell, (unsigned)round);
    if (mark & DONE << repeat)
        return "its cell and round are there twice";
    if (repeat && !(mark & QUEUED))
        return "a repeat that no dirty sample before it asks for";
    *read = (struct tally_sample){
        .cell = (size_t)cell, .round = (unsigned)round, .repeat = (unsigned)repeat};
    return NULL;
}

/* The canary of a sample, which may have none; NULL, or what is wrong with it. */
static const char *read_canary(const json_t *sample, struct tally_sample *read)
{
    const json_t *canary = json_object_get(sample, "canary");
    double pieces[CANARY_PIECES];

    read->is_dirty = json_is_true(json_object_get(sample, "dirty"));
    if (!canary || json_is_null(canary))
        return NULL;
    for (size_t piece = 0; piece < CANARY_PIECES; piece++) {
        pieces[piece] = json_number_value(json_object_get(canary, canary_piece_name(piece)));
        if (pieces[piece] <= 0)
            return "its canary lacks a piece";
    }
    read->has_canary = 1;
    read->canary = (struct canary_reading){pieces[0], pieces[1], pieces[2]};
    return NULL;
}

/* NULL when it fits the plan, else what is wrong with it. */
static const char *read_sample(const struct tally *tally, const json_t *sample,
                               struct tally_sample *read)
{
    const char *wrong = read_place(tally, sample, read);

    if (wrong)
        return wrong;
    if (status_of(sample, &read->status) != 0)
        return "no status that a sample has";
    read->seconds = seconds_of(sample);
    return read_canary(sample, read);
}

int tally_add_stored(struct tally *tally, const json_t *samples, char *error)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        struct tally_sample read;
        const char *wrong = read_sample(tally, sample, &read);
        if (!wrong && tally_add(tally, &read) != 0) {
            snprintf(error, TALLY_ERROR_BYTES, "not enough memory for %zu samples", i + 1);
            return -ENOMEM;
        }
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

size_t tally_repeats_left(const struct tally *tally)
{
    size_t left = 0;

    for (unsigned round = 0; round < plan_rounds(tally->plan); round++) {
        for (size_t i = 0; i < tally->plan->cell_count; i++)
            left += tally_is_left(tally, i, round, 1) != 0;
    }
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
    free(tally->marks);
    canary_history_free(&tally->canaries);
    tally->cells = NULL;
    tally->marks = NULL;
}
