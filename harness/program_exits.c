/*
 * Stored samples against the first of their experiment: see program_exits.h. Leaves out files.
 */
#include "harness/program_exits.h"

#include "harness/json_file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 512 };

static const struct cell *cell_of(const struct plan *plan, const json_t *sample)
{
    return &plan->cells[json_integer_value(json_object_get(sample, "cell"))];
}

/* Of a program that came to its end. */
static int is_good(const json_t *sample)
{
    return strcmp(json_text(sample, "status"), "ok") == 0 &&
           json_is_integer(json_object_get(sample, "exit_status"));
}

static json_int_t exit_status(const json_t *sample)
{
    return json_integer_value(json_object_get(sample, "exit_status"));
}

static const json_t *first_good(const struct plan *plan, const json_t *samples,
                                const struct cell *cell)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        if (cell_of(plan, sample) == cell && is_good(sample))
            return sample;
    }
    return NULL;
}

/* What all of this cell's experiment are held against, or NULL. */
static const json_t *find_expected(const struct plan *plan, const json_t *samples,
                                   const struct cell *cell, int is_complete)
{
    for (size_t i = 0; i < plan->cell_count; i++) {
        const struct cell *other = &plan->cells[i];
        if (other->not_available[0] || !plan_same_experiment(other, cell))
            continue;
        const json_t *found = first_good(plan, samples, other);
        if (found || !is_complete)
            return found;
    }
    return NULL;
}

/* A sample that is not ok speaks of no end (results/FORMAT.md). */
static void take_figures(json_t *sample)
{
    static const char *const figures[] = {"peak_bytes",        "retained_bytes",
                                          "live_peak_bytes",   "return_ratio",
                                          "return_ratio_live", "since_last_free_ns"};

    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(sample, figures[i], json_null());
}

static void mark(const struct plan *plan, json_t *sample, const json_t *expected, json_t *reasons)
{
    char reason[REASON_BYTES];

    snprintf(reason, sizeof reason,
             "on %.180s the program ended with status %" JSON_INTEGER_FORMAT
             ", on %.180s with %" JSON_INTEGER_FORMAT,
             cell_of(plan, sample)->row.text, exit_status(sample),
             cell_of(plan, expected)->row.text, exit_status(expected));
    json_object_set_new(sample, "status", json_string("exit"));
    json_object_set_new(sample, "reason", json_string(reason));
    take_figures(sample);
    json_array_append_new(reasons, json_string(reason));
}

static size_t mark_cell(const struct plan *plan, json_t *samples, const struct cell *cell,
                        int is_complete, json_t *reasons)
{
    const json_t *expected = find_expected(plan, samples, cell, is_complete);
    size_t marked = 0, i;
    json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        if (!expected || cell_of(plan, sample) != cell || !is_good(sample) ||
            exit_status(sample) == exit_status(expected))
            continue;
        mark(plan, sample, expected, reasons);
        marked++;
    }
    return marked;
}

size_t program_exits_mark(const struct plan *plan, json_t *samples, int is_complete,
                          json_t *reasons)
{
    size_t marked = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        if (plan->cells[i].workload->is_program)
            marked += mark_cell(plan, samples, &plan->cells[i], is_complete, reasons);
    return marked;
}
