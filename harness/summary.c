/*
 * From samples to cells. Leaves nothing out silently: a cell with a failed sample carries that
 * sample's status and reason.
 */
#include "harness/summary.h"

#include "harness/noise_floor.h"
#include "harness/return_summary.h"
#include "harness/return_way.h"
#include "harness/shard.h"
#include "harness/statistics.h"
#include "harness/until_summary.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The samples, those of a cell together and in their order. */
struct grouped {
    const json_t **samples;
    size_t *starts; /* of each cell, and the end of the last one */
};

/* The samples of one cell that are ok, and the first that is not. */
struct cell_samples {
    const json_t **ok;
    size_t ok_count;
    const json_t *failed;
    const json_t *any;
    double *values;     /* room for ok_count */
    const json_t *plan; /* whole */
    size_t dirty, repeats;
    int knows_dirty; /* 0: of an earlier version, which took no canary */
};

json_t *summary_figure(double *values, size_t count)
{
    if (count == 0)
        return json_null();
    struct median_interval interval = statistics_median(values, count);
    json_t *object = json_object();
    json_object_set_new(object, "median", json_real(interval.median));
    json_object_set_new(object, "low",
                        interval.has_interval ? json_real(interval.low) : json_null());
    json_object_set_new(object, "high",
                        interval.has_interval ? json_real(interval.high) : json_null());
    return object;
}

/* Of one field over the good samples of a cell; null when no sample has it. */
static json_t *figure(const struct cell_samples *cell, const char *key)
{
    size_t count = 0;

    for (size_t i = 0; i < cell->ok_count; i++) {
        const json_t *value = json_object_get(cell->ok[i], key);
        if (json_is_number(value))
            cell->values[count++] = json_number_value(value);
    }
    return summary_figure(cell->values, count);
}

static const json_t *phase_of(const json_t *sample, size_t index)
{
    return json_array_get(json_object_get(sample, "phases"), index);
}

static json_t *phase_median(const struct cell_samples *cell, size_t index, const char *key)
{
    size_t count = 0;

    for (size_t i = 0; i < cell->ok_count; i++) {
        const json_t *value = json_object_get(phase_of(cell->ok[i], index), key);
        if (json_is_number(value))
            cell->values[count++] = json_number_value(value);
    }
    return count ? json_real(statistics_median(cell->values, count).median) : json_null();
}

static json_t *phases(const struct cell_samples *cell, int knows_return)
{
    static const char *const keys[] = {"wall_ns",         "rss_bytes",       "uss_bytes",
                                       "lazyfree_bytes",  "object_bytes",    "live_bytes",
                                       "anon_huge_bytes", "page_table_bytes"};
    enum { KEYS = sizeof keys / sizeof keys[0], KEYS_OF_EARLIER = 6 };
    const size_t key_count = knows_return ? KEYS : KEYS_OF_EARLIER;
    json_t *all = json_array();
    size_t count = cell->ok_count ? json_array_size(json_object_get(cell->ok[0], "phases")) : 0;

    for (size_t index = 0; index < count; index++) {
        json_t *phase = json_object();
        json_object_set(phase, "name", json_object_get(phase_of(cell->ok[0], index), "name"));
        for (size_t i = 0; i < key_count; i++)
            json_object_set_new(phase, keys[i], phase_median(cell, index, keys[i]));
        json_array_append_new(all, phase);
    }
    return all;
}

/* Without its sign; the least number there is has no positive one, and becomes the largest. */
static json_int_t size_of(json_int_t number)
{
    return number >= 0 ? number : number == INT64_MIN ? INT64_MAX : -number;
}

/* The largest size of statm's error, either way; null when no sample measured it. */
static json_t *worst_statm_error(const struct cell_samples *cell)
{
    json_int_t worst = -1;

    for (size_t i = 0; i < cell->ok_count; i++) {
        const json_t *value = json_object_get(cell->ok[i], "statm_error_bytes");
        if (json_is_integer(value) && size_of(json_integer_value(value)) > worst)
            worst = size_of(json_integer_value(value));
    }
    return worst < 0 ? json_null() : json_integer(worst);
}

static void copy(json_t *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);

    if (value)
        json_object_set(to, key, value);
    else
        json_object_set_new(to, key, json_null());
}

static void set_status(json_t *object, const json_t *planned, const struct cell_samples *cell)
{
    const json_t *not_available = json_object_get(planned, "not_available");
    char elsewhere[SHARD_TEXT_BYTES];

    if (json_is_string(not_available)) {
        json_object_set_new(object, "status", json_string("n/a"));
        json_object_set(object, "reason", json_object_get(planned, "not_available"));
    } else if (cell->failed) {
        copy(object, cell->failed, "status");
        copy(object, cell->failed, "reason");
    } else if (cell->ok_count == 0 && shard_say_elsewhere(cell->plan, planned, elsewhere)) {
        json_object_set_new(object, "status", json_string("n/a"));
        json_object_set_new(object, "reason", json_string(elsewhere));
    } else if (cell->ok_count == 0) {
        json_object_set_new(object, "status", json_string("n/a"));
        json_object_set_new(object, "reason", json_string("not measured: the run ended before it"));
    } else {
        json_object_set_new(object, "status", json_string("ok"));
        json_object_set_new(object, "reason", json_null());
    }
}

/* What tells one cell from another, but for a control's being one. The first ones and the last
 * are also those of cells that only give back in another mode. */
static const char *const identity[] = {"workload", "params", "allocator",   "host",
                                       "thp",      "return", "activity_ns", "idle_ns"};
enum { IDENTITY = sizeof identity / sizeof identity[0], IDENTITY_OF_ROW = 5 };

/* A plan of an earlier version does not say how its cells give back: the summary is then as it was.
 */
static int knows_return(const json_t *planned)
{
    return json_object_get(planned, "return") != NULL;
}

static void copy_return(json_t *object, const json_t *planned)
{
    static const char *const keys[] = {"return", "activity_ns", "rebuild", "thp"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        copy(object, planned, keys[i]);
}

static int is_control(const json_t *planned)
{
    return json_is_true(json_object_get(planned, "control"));
}

static json_t *summarise(const json_t *planned, const struct cell_samples *cell)
{
    static const char *const figures[] = {"wall_ns",
                                          "cpu_ns",
                                          "peak_bytes",
                                          "retained_bytes",
                                          "baseline_bytes",
                                          "live_peak_bytes",
                                          "return_ratio",
                                          "return_ratio_live",
                                          "since_last_free_ns",
                                          "minor_faults"};
    static const char *const always[] = {"workload", "params", "allocator", "host", "idle_ns"};
    json_t *object = json_object();
    json_t *curves = json_array();

    for (size_t i = 0; i < sizeof always / sizeof always[0]; i++)
        copy(object, planned, always[i]);
    if (knows_return(planned))
        copy_return(object, planned);
    copy(object, cell->any, "version");
    copy(object, cell->any, "providers");
    set_status(object, planned, cell);
    json_object_set_new(object, "control", json_boolean(is_control(planned)));
    json_object_set_new(object, "samples", json_integer((json_int_t)cell->ok_count));
    json_object_set_new(object, "dirty",
                        cell->knows_dirty ? json_integer((json_int_t)cell->dirty) : json_null());
    json_object_set_new(object, "repeats", json_integer((json_int_t)cell->repeats));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(object, figures[i], figure(cell, figures[i]));
    json_object_set_new(object, "statm_error_bytes", worst_statm_error(cell));
    json_object_set_new(object, "phases", phases(cell, knows_return(planned)));
    for (size_t i = 0; i < cell->ok_count; i++)
        json_array_append(curves, json_object_get(cell->ok[i], "sample"));
    json_object_set_new(object, "curves", curves);
    json_object_set_new(object, "noise_floor", json_null());
    if (knows_return(planned)) {
        return_summary_add(object, cell->ok, cell->ok_count, cell->values);
        json_object_set_new(object, "beside_stock", json_null());
    }
    return object;
}

static size_t cell_of(const json_t *sample)
{
    return (size_t)json_integer_value(json_object_get(sample, "cell"));
}

/* A counting sort: the cost is that of samples and cells, never of their product. Returns 0 or
 * -ENOMEM; grouped_free either way. */
static int grouped_init(struct grouped *grouped, const json_t *samples, size_t cells)
{
    size_t i;
    const json_t *sample;

    /* NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers */
    grouped->samples = calloc(json_array_size(samples) + 1, sizeof *grouped->samples);
    grouped->starts = calloc(cells + 2, sizeof *grouped->starts);
    if (!grouped->samples || !grouped->starts)
        return -ENOMEM;
    /* Counts stand two places further on, so that filling the groups leaves each at its start. */
    json_array_foreach(samples, i, sample) grouped->starts[cell_of(sample) + 2]++;
    for (size_t cell = 2; cell < cells + 2; cell++)
        grouped->starts[cell] += grouped->starts[cell - 1];
    json_array_foreach(samples, i, sample)
        grouped->samples[grouped->starts[cell_of(sample) + 1]++] = sample;
    return 0;
}

static void grouped_free(struct grouped *grouped)
{
    free(grouped->samples);
    free(grouped->starts);
}

static void collect(struct cell_samples *cell, const struct grouped *grouped, size_t index)
{
    cell->ok_count = cell->dirty = cell->repeats = 0;
    cell->knows_dirty = 0;
    cell->failed = cell->any = NULL;
    for (size_t i = grouped->starts[index]; i < grouped->starts[index + 1]; i++) {
        const json_t *sample = grouped->samples[i];
        const char *status = json_string_value(json_object_get(sample, "status"));
        cell->dirty += json_is_true(json_object_get(sample, "dirty"));
        cell->knows_dirty |= json_is_boolean(json_object_get(sample, "dirty"));
        cell->repeats += json_integer_value(json_object_get(sample, "repeat")) > 0;
        if (!cell->any || (status && strcmp(status, "ok") == 0 && cell->ok_count == 0))
            cell->any = sample;
        if (status && strcmp(status, "ok") == 0)
            cell->ok[cell->ok_count++] = sample;
        else if (!cell->failed)
            cell->failed = sample;
    }
}

static int check(const json_t *cells, const json_t *samples, char *error)
{
    size_t i;
    const json_t *sample;

    if (!json_is_array(cells)) {
        snprintf(error, SUMMARY_ERROR_BYTES, "plan.json has no array called cells");
        return -1;
    }
    json_array_foreach(samples, i, sample)
    {
        const json_t *cell = json_object_get(sample, "cell");
        if (json_is_integer(cell) && json_integer_value(cell) >= 0 &&
            (size_t)json_integer_value(cell) < json_array_size(cells))
            continue;
        snprintf(error, SUMMARY_ERROR_BYTES, "samples.jsonl:%zu: no cell of the plan", i + 1);
        return -1;
    }
    return 0;
}

/* 1 when the first `count` fields of their identity are equal. */
static int is_same(const json_t *a, const json_t *b, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const json_t *of_a = json_object_get(a, identity[i]),
                     *of_b = json_object_get(b, identity[i]);
        if (of_a != of_b && !json_equal(of_a, of_b))
            return 0;
    }
    return 1;
}

/* The cell that a control repeats; the number of cells when there is none. */
static size_t reference_of(const json_t *cells, const json_t *control)
{
    size_t index;
    const json_t *cell;

    json_array_foreach(cells, index, cell)
    {
        if (!is_control(cell) && is_same(cell, control, IDENTITY))
            break;
    }
    return index;
}

static int is_stock(const json_t *cell)
{
    const char *mode = json_string_value(json_object_get(cell, "return"));

    return !mode || strcmp(mode, return_mode_name(RETURN_STOCK)) == 0;
}

/* The same row and experiment in stock; the number of cells when there is none. */
static size_t stock_of(const json_t *cells, const json_t *other)
{
    size_t index;
    const json_t *cell;

    json_array_foreach(cells, index, cell)
    {
        if (!is_control(cell) && is_stock(cell) && is_same(cell, other, IDENTITY_OF_ROW))
            break;
    }
    return index;
}

/* Compares a cell, already in `summary`, with the cell `repeated`, pair by pair, under `key`. */
static int set_beside(json_t *summary, const struct grouped *grouped,
                      const struct cell_samples *control, size_t index, size_t repeated,
                      const char *key)
{
    struct cell_samples reference = {0};

    size_t room = grouped->starts[repeated + 1] - grouped->starts[repeated] + 1;
    /* NOLINTNEXTLINE(bugprone-sizeof-expression): of pointers */
    reference.ok = calloc(room, sizeof *reference.ok);
    if (!reference.ok)
        return -1;
    collect(&reference, grouped, repeated);
    const struct noise_floor_side sides[] = {{control->ok, control->ok_count},
                                             {reference.ok, reference.ok_count}};
    json_object_set_new(json_array_get(summary, index), key,
                        noise_floor_of(&sides[0], &sides[1], control->values));
    free(reference.ok);
    return 0;
}

/* A control beside what it repeats, and another way to give back beside stock. */
static int set_ratios(json_t *summary, const json_t *cells, const struct grouped *grouped,
                      const struct cell_samples *cell, size_t index)
{
    const json_t *planned = json_array_get(cells, index);

    if (is_control(planned))
        return set_beside(summary, grouped, cell, index, reference_of(cells, planned),
                          "noise_floor");
    if (is_stock(planned) || stock_of(cells, planned) == json_array_size(cells))
        return 0;
    return set_beside(summary, grouped, cell, index, stock_of(cells, planned), "beside_stock");
}

json_t *summary_of_run(const json_t *plan, const json_t *samples, char *error)
{
    const json_t *cells = json_object_get(plan, "cells");
    size_t room = json_array_size(samples) + 1;
    const double took_ns = until_summary_took_ns(samples);
    struct cell_samples cell = {.plan = plan};
    struct grouped grouped = {0};
    json_t *summary = NULL;
    size_t index;
    const json_t *planned;

    if (check(cells, samples, error) != 0)
        return NULL;
    cell.ok = calloc(room, sizeof *cell.ok); /* NOLINT(bugprone-sizeof-expression): of pointers */
    cell.values = calloc(room, sizeof *cell.values);
    if (!cell.ok || !cell.values || grouped_init(&grouped, samples, json_array_size(cells)) != 0) {
        snprintf(error, SUMMARY_ERROR_BYTES, "not enough memory for %zu samples", room);
        goto out;
    }
    summary = json_array();
    json_array_foreach(cells, index, planned)
    {
        collect(&cell, &grouped, index);
        json_array_append_new(summary, summarise(planned, &cell));
        until_summary_add(json_array_get(summary, index), plan, planned,
                          grouped.samples + grouped.starts[index],
                          grouped.starts[index + 1] - grouped.starts[index], took_ns);
        if (set_ratios(summary, cells, &grouped, &cell, index) != 0) {
            snprintf(error, SUMMARY_ERROR_BYTES, "not enough memory for %zu samples", room);
            json_decref(summary);
            summary = NULL;
            break;
        }
    }
out:
    free(cell.ok);
    free(cell.values);
    grouped_free(&grouped);
    return summary;
}
