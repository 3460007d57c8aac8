/*
 * Plans: sweeps multiplied out, capabilities checked before anything runs, rounds shuffled.
 * Leaves out what of it is done (harness/tally.h).
 */
#define _GNU_SOURCE
#include "harness/plan.h"

#include "harness/trace_files.h"

#include "harness/geometry.h"
#include "harness/pass.h"
#include "harness/run_folder.h"
#include "harness/scale.h"
#include "workloads/random.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *cell_profile(const struct cell *cell)
{
    const struct parameter *parameters = cell->workload->parameters;

    for (size_t i = 0; parameters[i].name; i++) {
        if (strcmp(parameters[i].name, "profile") == 0)
            return parameters[i].choices[cell->values[i]];
    }
    return NULL;
}

static int lacks(struct cell *cell, const struct allocator *allocator, unsigned capabilities,
                 unsigned needs)
{
    char names[128];
    unsigned missing = needs & ~capabilities;

    if (!missing)
        return 0;
    snprintf(cell->not_available, sizeof cell->not_available, "%s has no %s, which %s needs",
             allocator->name, allocator_capability_names(missing, names, sizeof names),
             cell->workload->name);
    return 1;
}

int cell_choose_geometry(struct cell *cell, char *reason)
{
    return geometry_choose(&cell->row, cell_profile(cell), reason);
}

/* What is beneath a pool allocator serves its large blocks, from whichever thread asks. */
static unsigned raw_needs(const struct workload *workload, unsigned object_needs)
{
    return workload->raw_needs | (object_needs & ALLOCATOR_THREADS);
}

int cell_apply_way(struct cell *cell, char *reason)
{
    char error[ROW_ERROR_BYTES];
    int failed = cell->way.mode == RETURN_EAGER ? row_make_eager(&cell->row, error) : 0;

    if (failed == -ENOENT)
        snprintf(reason, PLAN_REASON_BYTES, "%s has no tunables that make it give back sooner",
                 cell->row.text);
    else if (failed)
        snprintf(reason, PLAN_REASON_BYTES, "its eager tunables: %.400s", error);
    return failed ? -EINVAL : 0;
}

int cell_calls_itself(const struct cell *cell)
{
    return host_is_objects(&cell->host) && !cell->workload->is_program;
}

/* A sentence in `not_available` when the row cannot give back in the cell's way. */
static void check_way(struct cell *cell)
{
    const char *who = cell->workload->is_program ? "program" : "real CPython";
    const struct return_way *way = &cell->way;
    const struct allocator *object = cell->row.object.allocator;
    const unsigned one = ALLOCATOR_MALLOC | ALLOCATOR_FREE;
    const char *lack = NULL;
    char enabled[RETURN_REASON_BYTES], reason[RETURN_REASON_BYTES];

    if (way->mode == RETURN_PURGE && cell_calls_itself(cell) &&
        !((object->capabilities | row_raw_capabilities(&cell->row)) & ALLOCATOR_PURGE))
        lack = "has no purge: there is no call that makes it give back";
    else if (way->mode > RETURN_EAGER && !cell_calls_itself(cell))
        lack = "is not asked to give back by a";
    else if (way->activity_ns > 0 && !cell_calls_itself(cell))
        lack = "is not used while it rests by a";
    else if (way->activity_ns > 0 && (object->capabilities & one) != one)
        lack = "has no single block to take and free at a tick";
    if (lack)
        snprintf(cell->not_available, sizeof cell->not_available, "%s %s%s%s", cell->row.text, lack,
                 cell_calls_itself(cell) ? "" : " ", cell_calls_itself(cell) ? "" : who);
    else if (!return_thp_is_available(way->thp, return_thp_read(enabled), reason))
        snprintf(cell->not_available, sizeof cell->not_available, "%s", reason);
}

/* Whether a collector would find all that the workload holds, with the choices of these needs. */
static int is_reachable(const struct workload *workload, unsigned object_needs)
{
    return workload->is_reachable ||
           (workload->has_reachable_regions && (object_needs & ALLOCATOR_REGIONS));
}

static void decide_availability(struct cell *cell)
{
    if (!cell->not_available[0])
        cell_choose_geometry(cell, cell->not_available);
    if (!cell->not_available[0] && cell->row.not_available[0])
        snprintf(cell->not_available, sizeof cell->not_available, "%s", cell->row.not_available);
    if (!cell->not_available[0])
        cell_apply_way(cell, cell->not_available);
    if (!cell->not_available[0])
        check_way(cell);

    const struct allocator *object = cell->row.object.allocator;
    const struct allocator *raw = cell->row.raw.allocator ? cell->row.raw.allocator : object;
    unsigned object_needs = workload_object_needs(cell->workload, cell->values);

    if (cell->not_available[0])
        return;
    if (lacks(cell, object, object->capabilities, object_needs) ||
        lacks(cell, raw, row_raw_capabilities(&cell->row), raw_needs(cell->workload, object_needs)))
        return;
    if (raw->capabilities & ALLOCATOR_COLLECTED && !is_reachable(cell->workload, object_needs)) {
        snprintf(cell->not_available, sizeof cell->not_available,
                 "%s would collect blocks that %s keeps where no collector looks", raw->name,
                 cell->workload->name);
        return;
    }
    if (host_is_objects(&cell->host))
        return;
    if (!cell->workload->python_script)
        snprintf(cell->not_available, sizeof cell->not_available,
                 "%s has no script for a real CPython", cell->workload->name);
    else
        host_python_conflict(&cell->host, &cell->row, cell_profile(cell), cell->not_available);
}

/* Counts through the swept values as an odometer does; returns 0 when it has turned over. */
static int next_combination(const struct workload_words *words, size_t *at)
{
    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        if (++at[i] < words->value_counts[i])
            return 1;
        at[i] = 0;
    }
    return 0;
}

int plan_same_experiment(const struct cell *a, const struct cell *b)
{
    return a->workload == b->workload && a->idle_ns == b->idle_ns &&
           memcmp(a->values, b->values, sizeof a->values) == 0 &&
           return_way_is_same(&a->way, &b->way);
}

int plan_same_host(const struct cell *a, const struct cell *b)
{
    return strcmp(a->host.text, b->host.text) == 0;
}

/* A control is the same again on purpose; a second one would be of no use. */
static int is_same(const struct cell *a, const struct cell *b)
{
    return plan_same_experiment(a, b) && plan_same_host(a, b) &&
           strcmp(a->row.text, b->row.text) == 0 && a->is_control == b->is_control;
}

/* Its room doubles: it is a power of two. */
static int is_full(const struct plan *plan)
{
    return (plan->cell_count & (plan->cell_count - 1)) == 0;
}

static int append_cell(struct plan *plan, const struct cell *cell)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        if (is_same(&plan->cells[i], cell))
            return -EEXIST;
    }
    if (plan->cell_count == PLAN_MOST_CELLS)
        return -E2BIG;
    if (is_full(plan)) {
        struct cell *grown =
            reallocarray(plan->cells, plan->cell_count ? 2 * plan->cell_count : 1, sizeof *cell);
        if (!grown)
            return -ENOMEM;
        plan->cells = grown;
    }
    plan->cells[plan->cell_count++] = *cell;
    return 0;
}

/* One combination of values on every row: rows that are compared stand together. */
static int add_combination(struct plan *plan, const struct plan_request *request,
                           const struct cell *model, const struct row *rows)
{
    for (size_t i = 0; i < request->row_count; i++) {
        struct cell cell = *model;
        cell.row = rows[i];
        decide_availability(&cell);
        int error = append_cell(plan, &cell);
        if (error && !(error == -EEXIST && request->once))
            return error;
    }
    return 0;
}

static int add_combinations(struct plan *plan, const struct plan_request *request,
                            const struct workload_words *words, const struct cell *model,
                            const struct row *rows)
{
    size_t at[WORKLOAD_PARAMETERS] = {0};
    int error;

    do {
        struct cell cell = *model;
        for (size_t i = 0; words->workload->parameters[i].name; i++)
            cell.values[i] = words->values[i][at[i]];
        error = add_combination(plan, request, &cell, rows);
    } while (!error && next_combination(words, at));
    return error;
}

static int parse_rows(const struct plan_request *request, struct row *rows, char *error)
{
    for (size_t i = 0; i < request->row_count; i++) {
        if (row_parse(&rows[i], request->rows[i], error) != 0)
            return -EINVAL;
    }
    return 0;
}

static int resolve_host(struct cell *model, const struct plan_request *request, char *error)
{
    int failed = host_resolve(&model->host, request->host, error);

    if (failed != -ENOENT || !request->host_may_be_missing)
        return failed;
    snprintf(model->host.text, sizeof model->host.text, "%s", request->host);
    snprintf(model->not_available, sizeof model->not_available, "there is no %s here",
             request->host);
    return 0;
}

/* When that was asked for. */
static int scale_values(struct plan *plan, struct workload_words *words)
{
    if (plan->scale == 0 || plan->scale == 1)
        return 0;
    if (!plan->scale_notes)
        plan->scale_notes = json_array();
    if (!plan->scale_notes)
        return -ENOMEM;
    scale_words(words, plan->scale, plan->scale_notes);
    return 0;
}

int plan_add(struct plan *plan, const struct plan_request *request, char *error)
{
    struct workload_words words;
    size_t count_before = plan->cell_count;
    struct cell model = {
        .idle_ns = request->idle_ns, .way = request->way, .rounds = request->rounds};
    struct row *rows = calloc(request->row_count + 1, sizeof *rows);
    int failed = rows ? 0 : -ENOMEM;

    if (!failed)
        failed = grammar_parse_workload(&words, request->workload, request->size, error);
    if (!failed)
        failed = scale_values(plan, &words);
    if (!failed)
        failed = resolve_host(&model, request, error);
    if (!failed)
        failed = parse_rows(request, rows, error);
    if (!failed) {
        model.workload = words.workload;
        model.way.rebuilds = model.way.rebuilds && cell_calls_itself(&model);
        if (words.workload->is_program)
            model.idle_ns = 0; /* nothing of it is there any more */
        failed = add_combinations(plan, request, &words, &model, rows);
    }
    free(rows);
    if (failed)
        plan->cell_count = count_before;
    if (failed == -ENOMEM)
        snprintf(error, PLAN_ERROR_BYTES, "not enough memory for the plan");
    if (failed == -E2BIG)
        snprintf(error, PLAN_ERROR_BYTES, "%.300s: a plan has at most %d cells", request->workload,
                 PLAN_MOST_CELLS);
    if (failed == -EEXIST)
        snprintf(error, PLAN_ERROR_BYTES,
                 "%.300s on %.100s: the same row, value, host or way to give back is given twice",
                 request->workload, request->host);
    return failed;
}

int plan_needs_pressure(const struct plan *plan)
{
    int needs = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        needs |= plan->cells[i].way.mode == RETURN_PRESSURE && !plan->cells[i].not_available[0];
    return needs;
}

void plan_rule_out_pressure(struct plan *plan, const char *reason)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct cell *cell = &plan->cells[i];
        if (cell->way.mode == RETURN_PRESSURE && !cell->not_available[0])
            snprintf(cell->not_available, sizeof cell->not_available,
                     "pressure needs a memory group of the sample's own: %.400s", reason);
    }
}

/* How many cells can run beside it, itself among them. */
static size_t count_beside(const struct plan *plan, const struct cell *cell)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *other = &plan->cells[i];
        count += plan_same_experiment(other, cell) && plan_same_host(other, cell) &&
                 !other->not_available[0];
    }
    return count;
}

size_t plan_most_together(const struct plan *plan)
{
    size_t most = 1;

    for (size_t i = 0; plan->together && i < plan->cell_count; i++) {
        const size_t beside = count_beside(plan, &plan->cells[i]);
        most = beside > most ? beside : most;
    }
    return most;
}

/* At least two rows that can run beside each other, and rounds enough for an interval. */
static int can_be_controlled(const struct plan *plan, const struct cell *cell)
{
    size_t rows = 0;

    if (cell->not_available[0] ||
        (cell->rounds < PLAN_CONTROL_ROUNDS && !cell_may_go_on(plan, cell)))
        return 0;
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *other = &plan->cells[i];
        rows += plan_same_experiment(other, cell) && plan_same_host(other, cell) &&
                !other->not_available[0] && !other->is_control;
    }
    return rows >= 2;
}

static int has_control(const struct plan *plan, const struct cell *cell)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *other = &plan->cells[i];
        if (other->is_control && other->workload == cell->workload && plan_same_host(other, cell))
            return 1;
    }
    return 0;
}

int plan_add_controls(struct plan *plan)
{
    const size_t count_before = plan->cell_count;

    for (size_t i = 0; i < count_before; i++) {
        struct cell control = plan->cells[i];
        if (!can_be_controlled(plan, &control) || has_control(plan, &control))
            continue;
        control.is_control = 1;
        int failed = append_cell(plan, &control);
        if (failed) {
            plan->cell_count = count_before;
            return failed;
        }
    }
    return 0;
}

/* Fisher and Yates; each round and repeat has a stream of its own. */
static void shuffle(const struct plan *plan, unsigned round, unsigned repeat, size_t *order,
                    size_t count)
{
    uint64_t state = plan->seed + 0x632be59bd9b4e019u * (round + 1 + PLAN_MOST_ROUNDS * repeat);

    for (size_t i = count; i > 1; i--) {
        size_t j = (size_t)(random_next(&state) % i);
        size_t swapped = order[i - 1];
        order[i - 1] = order[j];
        order[j] = swapped;
    }
}

size_t plan_round(const struct plan *plan, unsigned round, unsigned repeat, size_t *order)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        if (!plan->cells[i].not_available[0] && plan->cells[i].rounds > round)
            order[count++] = i;
    }
    shuffle(plan, round, repeat, order, count);
    return count;
}

/* The planned rounds that a cell has which may go on; 0: none may. */
static unsigned rounds_to_go_on(const struct plan *plan)
{
    return plan->until.share > 0 ? plan_rounds(plan) : 0;
}

int cell_may_go_on(const struct plan *plan, const struct cell *cell)
{
    return plan->until.share > 0 && !cell->not_available[0] && cell->rounds == plan_rounds(plan);
}

size_t plan_further_round(const struct plan *plan, unsigned round, unsigned repeat, size_t *order)
{
    const unsigned planned = rounds_to_go_on(plan);
    size_t count = 0;

    if (planned == 0 || round < planned || round >= plan_most_rounds(plan))
        return 0;
    for (size_t i = 0; i < plan->cell_count; i++) {
        if (!plan->cells[i].not_available[0] && plan->cells[i].rounds == planned)
            order[count++] = i;
    }
    shuffle(plan, round, repeat, order, count);
    return count;
}

unsigned plan_rounds(const struct plan *plan)
{
    unsigned most = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        if (plan->cells[i].rounds > most)
            most = plan->cells[i].rounds;
    }
    return most;
}

unsigned plan_most_rounds(const struct plan *plan)
{
    const unsigned planned = plan_rounds(plan);

    return plan->until.share > 0 && plan->until.most_rounds > planned ? plan->until.most_rounds
                                                                      : planned;
}

size_t plan_samples(const struct plan *plan)
{
    size_t samples = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        samples += plan->cells[i].not_available[0] ? 0 : plan->cells[i].rounds;
    return samples;
}

size_t plan_controls(const struct plan *plan)
{
    size_t controls = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        controls += plan->cells[i].is_control != 0;
    return controls;
}

static json_t *parameters_to_json(const struct cell *cell)
{
    json_t *params = json_object();
    char text[WORKLOAD_TEXT_BYTES];

    for (size_t i = 0; cell->workload->parameters[i].name; i++)
        json_object_set_new(params, cell->workload->parameters[i].name,
                            json_string(parameter_format(&cell->workload->parameters[i],
                                                         cell->values[i], text, sizeof text)));
    return params;
}

static json_t *cell_to_json(const struct cell *cell)
{
    return json_pack("{s:s, s:o, s:s, s:s, s:I, s:s, s:I, s:b, s:s, s:i, s:b, s:s?}", "workload",
                     cell->workload->name, "params", parameters_to_json(cell), "allocator",
                     cell->row.text, "host", cell->host.text, "idle_ns", (json_int_t)cell->idle_ns,
                     "return", return_mode_name(cell->way.mode), "activity_ns",
                     (json_int_t)cell->way.activity_ns, "rebuild", cell->way.rebuilds, "thp",
                     return_thp_name(cell->way.thp), "rounds", (int)cell->rounds, "control",
                     cell->is_control, "not_available",
                     cell->not_available[0] ? cell->not_available : NULL);
}

static json_t *order_to_json(const struct plan *plan)
{
    json_t *rounds = json_array();
    size_t *order = calloc(plan->cell_count ? plan->cell_count : 1, sizeof *order);

    for (unsigned round = 0; order && round < plan_rounds(plan); round++) {
        json_t *cells = json_array();
        size_t count = plan_round(plan, round, 0, order);
        for (size_t i = 0; i < count; i++)
            json_array_append_new(cells, json_integer((json_int_t)order[i]));
        json_array_append_new(rounds, cells);
    }
    free(order);
    return rounds;
}

static json_t *passes_to_json(const struct plan *plan)
{
    json_t *names = json_array();

    for (size_t i = 0; i < pass_registry_count; i++) {
        if (plan->passes & pass_bit(pass_registry[i]))
            json_array_append_new(names, json_string(pass_registry[i]->name));
    }
    return names;
}

static json_t *scale_notes_to_json(const struct plan *plan)
{
    return plan->scale_notes ? json_incref(plan->scale_notes) : json_array();
}

json_t *plan_to_json(const struct plan *plan)
{
    json_t *cells = json_array();

    for (size_t i = 0; i < plan->cell_count; i++)
        json_array_append_new(cells, cell_to_json(&plan->cells[i]));
    json_t *json = json_pack(
        "{s:i, s:s?, s:f, s:o, s:I, s:I, s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "format",
        RUN_FOLDER_FORMAT, "suite", plan->suite[0] ? plan->suite : NULL, "scale",
        plan->scale == 0 ? 1.0 : plan->scale, "scale_notes", scale_notes_to_json(plan), "seed",
        (json_int_t)plan->seed, "tick_ns", (json_int_t)plan->tick_ns, "timeout_ns",
        (json_int_t)plan->timeout_ns, "memory_limit_bytes", (json_int_t)plan->memory_limit_bytes,
        "warm_up_bytes", (json_int_t)plan->warm_up_bytes, "repeat_dirty", plan->repeat_dirty,
        "passes", passes_to_json(plan), "cells", cells, "order", order_to_json(plan));
    if (plan->together)
        json_object_set_new(json, "together", json_true());
    if (plan->until.share > 0)
        json_object_set_new(json, "until", until_to_json(&plan->until));
    shard_to_json(plan, json);
    return json;
}

const char *cell_format_parameters(const struct cell *cell, char *text, size_t text_bytes)
{
    char value[WORKLOAD_TEXT_BYTES];
    size_t used = 0;

    if (text_bytes)
        text[0] = '\0';
    for (size_t i = 0; cell->workload->parameters[i].name && used < text_bytes; i++) {
        const struct parameter *parameter = &cell->workload->parameters[i];
        parameter_format(parameter, cell->values[i], value, sizeof value);
        used += (size_t)snprintf(text + used, text_bytes - used, "%s%s=%s", i ? "," : "",
                                 parameter->name, value);
    }
    return text;
}

void plan_free(struct plan *plan)
{
    trace_files_close(plan->traces);
    plan->traces = NULL;
    free(plan->cells);
    plan->cells = NULL;
    plan->cell_count = 0;
    json_decref(plan->tunables);
    plan->tunables = NULL;
    json_decref(plan->settings);
    plan->settings = NULL;
    json_decref(plan->scale_notes);
    plan->scale_notes = NULL;
}
