/*
 * Counts of a run. Leaves out why a sample failed: only its status and whether it was dirty decide
 * what is still run.
 */
#define _GNU_SOURCE
#include "harness/tally.h"

#include "harness/json_file.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_LIMITS_HIT = 2 };

/* Of one cell in one round. DONE of repeat r is DONE << r. */
enum mark { DONE = 1, REPEAT_DONE = DONE << 1, QUEUED = 4 };

/* The first cell of its experiment. O(cells). */
static size_t find_experiment(const struct plan *plan, size_t cell)
{
    size_t first = 0;

    while (first < cell && !plan_same_experiment(&plan->cells[first], &plan->cells[cell]))
        first++;
    return first;
}

int tally_init(struct tally *tally, const struct plan *plan)
{
    *tally = (struct tally){.plan = plan};
    tally->cells = calloc(plan->cell_count + 1, sizeof *tally->cells);
    tally->marks = calloc(plan_most_rounds(plan) + 1, plan->cell_count + 1);
    if (!tally->cells || !tally->marks)
        return -ENOMEM;
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct tally_cell *cell = &tally->cells[i];
        cell->rounds = plan->cells[i].rounds;
        cell->runs_left = plan->cells[i].not_available[0] || !shard_has(plan, i) ? 0 : cell->rounds;
        cell->given_up = !shard_has(plan, i);
        cell->experiment = plan->until.share > 0 ? find_experiment(plan, i) : i;
    }
    return 0;
}

static unsigned char *mark_of(const struct tally *tally, size_t cell, unsigned round)
{
    return &tally->marks[round * tally->plan->cell_count + cell];
}

int tally_is_left(const struct tally *tally, size_t cell, unsigned round, unsigned repeat)
{
    const unsigned char mark = *mark_of(tally, cell, round);

    return round < tally->cells[cell].rounds && !tally->cells[cell].given_up &&
           (repeat == 0 || mark & QUEUED) && !(mark & DONE << repeat);
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
            tally->cells[i].rounds <= round || *mark_of(tally, i, round) & QUEUED)
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

/* Room for the figures of one more sample. Returns 0 or -ENOMEM. */
static int make_room(struct tally_cell *cell)
{
    const size_t room = cell->figure_room ? 2 * cell->figure_room : 8;

    if (cell->figure_count < cell->figure_room)
        return 0;
    for (size_t metric = 0; metric < UNTIL_METRICS; metric++) {
        double *grown = reallocarray(cell->figures[metric], room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        cell->figures[metric] = grown;
    }
    cell->figure_room = room;
    return 0;
}

static void add_figures(struct tally_cell *cell, const struct tally_sample *sample)
{
    if (!sample->has_figures || sample->status != SAMPLE_OK)
        return;
    for (size_t metric = 0; metric < UNTIL_METRICS; metric++)
        cell->figures[metric][cell->figure_count] = sample->figures[metric];
    cell->figure_count++;
}

static void add_time(struct tally *tally, uint64_t took_ns)
{
    tally->took_ns = took_ns < UINT64_MAX - tally->took_ns ? tally->took_ns + took_ns : UINT64_MAX;
}

int tally_add(struct tally *tally, const struct tally_sample *sample)
{
    struct tally_cell *cell = &tally->cells[sample->cell];

    if (make_room(cell) != 0)
        return -ENOMEM;
    if (sample->has_canary && canary_history_add(&tally->canaries, &sample->canary) != 0)
        return -ENOMEM;
    *mark_of(tally, sample->cell, sample->round) |= (unsigned char)(DONE << sample->repeat);
    tally->stored++;
    cell->seconds = sample->seconds;
    cell->runs_left--;
    cell->dirty += sample->is_dirty != 0;
    add_figures(cell, sample);
    add_time(tally, sample->took_ns);
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

void tally_read_figures(struct tally_sample *sample, const json_t *record)
{
    const json_int_t took_ns = json_integer_value(json_object_get(record, "took_ns"));

    sample->took_ns = took_ns > 0 ? (uint64_t)took_ns : 0;
    sample->has_figures = 1;
    for (size_t metric = 0; metric < UNTIL_METRICS; metric++) {
        const json_t *value = json_object_get(record, until_metric_key((enum until_metric)metric));
        sample->has_figures &= json_is_number(value);
        sample->figures[metric] = json_number_value(value);
    }
}

/* From the baseline to the end of the last phase, of an earlier version, which does not say how
 * long a sample took with all that is around it. */
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
    if (!shard_has(plan, (size_t)cell))
        return "a cell that another shard has";
    if (round < 0 || round >= (json_int_t)tally->cells[cell].rounds)
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
    tally_read_figures(read, sample);
    read->seconds = read->took_ns > 0 ? (double)read->took_ns / 1e9 : seconds_of(sample);
    return read_canary(sample, read);
}

/* --- Rounds beyond the planned ones. --- */

/* 1 when a further round would run the cell. */
static int goes_on(const struct tally *tally, size_t cell)
{
    const struct tally_cell *counted = &tally->cells[cell];

    return cell_may_go_on(tally->plan, &tally->plan->cells[cell]) && counted->has_ok &&
           !counted->given_up;
}

/* Of the metrics that are to be narrow, the widest. */
static double width_of(const struct tally *tally, size_t cell)
{
    struct tally_cell *counted = &tally->cells[cell];
    double widest = 0;

    for (size_t metric = 0; metric < UNTIL_METRICS; metric++) {
        if (tally->plan->until.metrics & 1u << metric)
            widest =
                fmax(widest, until_half_width_of(counted->figures[metric], counted->figure_count));
    }
    return widest;
}

/* 1 when it is a row whose interval is not narrow; a control is none. */
static int is_wide(const struct tally *tally, size_t cell)
{
    return goes_on(tally, cell) && !tally->plan->cells[cell].is_control &&
           width_of(tally, cell) > tally->plan->until.share;
}

static void extend(struct tally_cell *cell)
{
    cell->rounds++;
    cell->runs_left++;
}

/* Of the experiment's cells that go on, the most. */
static unsigned rounds_of(const struct tally *tally, size_t experiment)
{
    unsigned most = 0;

    for (size_t i = experiment; i < tally->plan->cell_count; i++) {
        const struct tally_cell *cell = &tally->cells[i];
        if (cell->experiment == experiment && cell->rounds > most && goes_on(tally, i))
            most = cell->rounds;
    }
    return most;
}

/* Gives this round to each cell of the experiment that goes on and has all rounds before it.
 * Returns the samples of it. */
static size_t add_round(struct tally *tally, size_t experiment, unsigned round)
{
    size_t added = 0;

    for (size_t i = experiment; i < tally->plan->cell_count; i++) {
        struct tally_cell *cell = &tally->cells[i];
        if (cell->experiment != experiment || cell->rounds != round || !goes_on(tally, i))
            continue;
        extend(cell);
        added++;
    }
    return added;
}

size_t tally_add_rounds(struct tally *tally)
{
    const struct plan *plan = tally->plan;
    size_t added = 0;

    if (plan->until.share <= 0 || tally_left(tally) > 0 || tally->took_ns >= plan->until.most_ns)
        return 0;
    for (size_t i = 0; i < plan->cell_count; i++)
        tally->cells[i].wants_round = 0;
    for (size_t i = 0; i < plan->cell_count; i++)
        tally->cells[tally->cells[i].experiment].wants_round |= is_wide(tally, i);
    for (size_t i = 0; i < plan->cell_count; i++) {
        const unsigned rounds = tally->cells[i].wants_round ? rounds_of(tally, i) : 0;
        if (rounds > 0 && rounds < plan->until.most_rounds)
            added += add_round(tally, i, rounds);
    }
    return added;
}

double tally_widest(const struct tally *tally, size_t *cell)
{
    double widest = 0;

    for (size_t i = 0; i < tally->plan->cell_count; i++) {
        const double width = is_wide(tally, i) ? width_of(tally, i) : 0;
        if (width <= widest)
            continue;
        widest = width;
        *cell = i;
    }
    return widest;
}

unsigned tally_rounds(const struct tally *tally)
{
    unsigned most = 0;

    for (size_t i = 0; i < tally->plan->cell_count; i++)
        most = tally->cells[i].rounds > most ? tally->cells[i].rounds : most;
    return most;
}

/*
 * A stored round that was added: what was there before asked for it, and perhaps for rounds of
 * other experiments with it. Where it does not any more it is taken all the same, as the end of a
 * run may have marked samples since (harness/program_exits.h).
 */
static void follow_round(struct tally *tally, const json_t *sample)
{
    const json_int_t index = index_of(sample, "cell"), round = index_of(sample, "round");
    const struct plan *plan = tally->plan;

    if (index < 0 || (size_t)index >= plan->cell_count || round < 0 ||
        round >= (json_int_t)plan_most_rounds(plan))
        return;
    struct tally_cell *cell = &tally->cells[index];
    if (round != (json_int_t)cell->rounds || !cell_may_go_on(plan, &plan->cells[index]))
        return;
    tally_add_rounds(tally);
    if (round == (json_int_t)cell->rounds)
        add_round(tally, cell->experiment, cell->rounds);
    if (round == (json_int_t)cell->rounds)
        extend(cell);
}

int tally_add_stored(struct tally *tally, const json_t *samples, char *error)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        struct tally_sample read;
        follow_round(tally, sample);
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

    for (unsigned round = 0; round < tally_rounds(tally); round++) {
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
    for (size_t i = 0; tally->cells && i < tally->plan->cell_count; i++) {
        for (size_t metric = 0; metric < UNTIL_METRICS; metric++)
            free(tally->cells[i].figures[metric]);
    }
    free(tally->cells);
    free(tally->marks);
    canary_history_free(&tally->canaries);
    tally->cells = NULL;
    tally->marks = NULL;
}
