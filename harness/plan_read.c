/*
 * plan.json back to a plan, field by field. Leaves out repair: what does not fit is named and
 * refused, because samples of two different plans in one folder would be compared as one.
 */
#include "harness/plan_read.h"

#include "harness/json_file.h"
#include "harness/pass.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An object of plan.json and where it stands there, for messages: "" or "cells[3].". */
struct place {
    const json_t *object;
    char where[32];
    char *error;
};

__attribute__((format(printf, 2, 3))) static int refuse(const struct place *place,
                                                        const char *format, ...)
{
    va_list words;
    int used = snprintf(place->error, PLAN_ERROR_BYTES, "plan.json: %s", place->where);

    va_start(words, format);
    vsnprintf(place->error + used, PLAN_ERROR_BYTES - (size_t)used, format, words);
    va_end(words);
    text_make_printable(place->error);
    return -EINVAL;
}

static int find(const struct place *place, const char *key, const json_t **value)
{
    *value = json_object_get(place->object, key);
    return *value ? 0 : refuse(place, "%s is missing", key);
}

static int read_number(const struct place *place, const char *key, uint64_t minimum,
                       uint64_t maximum, uint64_t *number)
{
    const json_t *value;

    if (find(place, key, &value) != 0)
        return -EINVAL;
    if (!json_is_integer(value))
        return refuse(place, "%s is no whole number", key);
    json_int_t read = json_integer_value(value);
    if (read < 0 || (uint64_t)read < minimum || (uint64_t)read > maximum)
        return refuse(place, "%s is %" JSON_INTEGER_FORMAT ", not between %" PRIu64 " and %" PRIu64,
                      key, read, minimum, maximum);
    *number = (uint64_t)read;
    return 0;
}

/* Absent in a plan of an earlier version: no. */
static int read_flag(const struct place *place, const char *key, int *flag)
{
    const json_t *value = json_object_get(place->object, key);

    if (value && !json_is_boolean(value))
        return refuse(place, "%s is neither true nor false", key);
    *flag = json_is_true(value);
    return 0;
}

/* Earlier versions said of the one pass that they had whether they took it; the first had none. */
static int read_passes(const struct place *place, unsigned *passes)
{
    const json_t *names = json_object_get(place->object, "passes"), *name;
    int census = 0;
    size_t i;

    if (read_flag(place, "census", &census) != 0)
        return -EINVAL;
    *passes = census ? pass_bit(&census_pass) : 0;
    if (names && !json_is_array(names))
        return refuse(place, "passes is no array");
    json_array_foreach(names, i, name)
    {
        const struct pass *pass = json_is_string(name) ? pass_find(json_string_value(name)) : NULL;
        if (!pass)
            return refuse(place, "passes[%zu] is no pass of this version", i);
        *passes |= pass_bit(pass);
    }
    return 0;
}

/* Earlier versions had none: their sizes were as written. */
static int read_scale(const struct place *place, double *scale)
{
    const json_t *value = json_object_get(place->object, "scale");

    if (value && !(json_is_number(value) && json_number_value(value) > 0))
        return refuse(place, "scale is no number above 0");
    *scale = value ? json_number_value(value) : 1;
    return 0;
}

/* Absent where no further rounds were asked for. */
static int read_until(const struct place *place, struct until *until)
{
    const json_t *json = json_object_get(place->object, "until");
    char field[UNTIL_WORDS_BYTES];

    if (json && until_from_json(until, json, field) != 0)
        return refuse(place, "until.%s does not fit", field);
    return 0;
}

static int read_text(const struct place *place, const char *key, const char **text)
{
    const json_t *value;

    if (find(place, key, &value) != 0)
        return -EINVAL;
    *text = json_string_value(value);
    return *text ? 0 : refuse(place, "%s is no string", key);
}

/* A string that fits, or null, which is an empty one here. */
static int read_text_or_null(const struct place *place, const char *key, char *text,
                             size_t text_bytes)
{
    const json_t *value;
    const char *read = "";

    if (find(place, key, &value) != 0)
        return -EINVAL;
    if (!json_is_null(value) && !(read = json_string_value(value)))
        return refuse(place, "%s is neither a string nor null", key);
    if (strlen(read) >= text_bytes)
        return refuse(place, "%s is longer than %zu bytes", key, text_bytes - 1);
    snprintf(text, text_bytes, "%s", read);
    return 0;
}

static int read_array(const struct place *place, const char *key, const json_t **array)
{
    if (find(place, key, array) != 0)
        return -EINVAL;
    return json_is_array(*array) ? 0 : refuse(place, "%s is no array", key);
}

static int read_workload(const struct place *place, struct cell *cell)
{
    const char *name;

    if (read_text(place, "workload", &name) != 0)
        return -EINVAL;
    cell->workload = workload_find(name);
    return cell->workload ? 0 : refuse(place, "workload: none is called '%.64s'", name);
}

static int read_parameter(const struct place *params, const struct parameter *parameter,
                          uint64_t *value)
{
    const char *text;

    if (read_text(params, parameter->name, &text) != 0)
        return -EINVAL;
    if (parameter_parse(parameter, text, value) != 0)
        return refuse(params, "%s does not take the value '%.64s'", parameter->name, text);
    return 0;
}

static int has_parameter(const struct workload *workload, const char *name)
{
    for (size_t i = 0; workload->parameters[i].name; i++) {
        if (strcmp(workload->parameters[i].name, name) == 0)
            return 1;
    }
    return 0;
}

/* Every parameter of the workload, and no other. */
static int read_parameters(const struct place *place, struct cell *cell)
{
    json_t *object = json_object_get(place->object, "params");
    struct place params = {.object = object, .error = place->error};
    const char *name;
    json_t *value;

    if (!json_is_object(object))
        return refuse(place, object ? "params is no object" : "params is missing");
    snprintf(params.where, sizeof params.where, "%.20sparams.", place->where);
    for (size_t i = 0; cell->workload->parameters[i].name; i++) {
        if (read_parameter(&params, &cell->workload->parameters[i], &cell->values[i]) != 0)
            return -EINVAL;
    }
    json_object_foreach(object, name, value)
    {
        if (!has_parameter(cell->workload, name))
            return refuse(&params, "%.64s: %s has no such parameter", name, cell->workload->name);
    }
    return 0;
}

static int read_row(const struct place *place, struct cell *cell)
{
    char what[ROW_ERROR_BYTES], conflict[PLAN_REASON_BYTES];
    const char *text;

    if (read_text(place, "allocator", &text) != 0)
        return -EINVAL;
    if (row_parse(&cell->row, text, what) != 0)
        return refuse(place, "allocator: %s", what);
    cell_choose_geometry(cell, conflict); /* a cell that conflicts is n/a in the plan */
    return 0;
}

/*
 * Looks a host up once for all of its cells, which `before` holds `count` of. A cell that the plan
 * rules out never runs, so that its interpreter need not be here.
 */
static int read_host(const struct place *place, struct cell *cell, const struct cell *before,
                     size_t count)
{
    char what[HOST_ERROR_BYTES];
    const char *text;

    if (read_text(place, "host", &text) != 0)
        return -EINVAL;
    if (strlen(text) >= sizeof cell->host.text)
        return refuse(place, "host is longer than %zu bytes", sizeof cell->host.text - 1);
    for (size_t i = count; i > 0; i--) {
        const struct host *known = &before[i - 1].host;
        if (strcmp(known->text, text) == 0 && (known->path[0] || host_is_objects(known))) {
            cell->host = *known;
            return 0;
        }
    }
    if (host_resolve(&cell->host, text, what) == 0)
        return 0;
    if (!cell->not_available[0])
        return refuse(place, "host: %s", what);
    snprintf(cell->host.text, sizeof cell->host.text, "%s", text);
    return 0;
}

/* A word; absent in a plan of an earlier version, which means `absent`. */
static int read_choice(const struct place *place, const char *key, const char *absent,
                       const char **text)
{
    *text = absent;
    return json_object_get(place->object, key) ? read_text(place, key, text) : 0;
}

static int read_way(const struct place *place, struct cell *cell)
{
    char reason[PLAN_REASON_BYTES];
    const char *mode, *thp;

    if (read_choice(place, "return", return_mode_name(RETURN_STOCK), &mode) != 0 ||
        read_choice(place, "thp", return_thp_name(RETURN_THP_SYSTEM), &thp) != 0 ||
        read_flag(place, "rebuild", &cell->way.rebuilds) != 0 ||
        (json_object_get(place->object, "activity_ns") &&
         read_number(place, "activity_ns", 0, INT64_MAX, &cell->way.activity_ns) != 0))
        return -EINVAL;
    if (return_mode_parse(mode, &cell->way.mode) != 0)
        return refuse(place, "return is '%.64s', no mode", mode);
    if (return_thp_parse(thp, &cell->way.thp) != 0)
        return refuse(place, "thp is '%.64s', neither system nor on nor off", thp);
    cell_apply_way(cell, reason); /* a row that cannot be eager is n/a in the plan */
    return 0;
}

static int read_cell(const struct place *place, struct cell *cells, size_t index)
{
    struct cell *cell = &cells[index];
    uint64_t rounds = 0;

    if (!json_is_object(place->object))
        return refuse(place, "is no object");
    if (read_workload(place, cell) != 0 || read_parameters(place, cell) != 0 ||
        read_row(place, cell) != 0 || read_way(place, cell) != 0 ||
        read_text_or_null(place, "not_available", cell->not_available,
                          sizeof cell->not_available) != 0 ||
        read_host(place, cell, cells, index) != 0 ||
        read_number(place, "idle_ns", 0, INT64_MAX, &cell->idle_ns) != 0 ||
        read_number(place, "rounds", 1, PLAN_MOST_ROUNDS, &rounds) != 0 ||
        read_flag(place, "control", &cell->is_control) != 0)
        return -EINVAL;
    cell->rounds = (unsigned)rounds;
    return 0;
}

static int read_cells(const struct place *place, struct plan *plan)
{
    const json_t *cells;

    if (read_array(place, "cells", &cells) != 0)
        return -EINVAL;
    if (json_array_size(cells) == 0)
        return refuse(place, "cells is empty: there is nothing to run");
    if (json_array_size(cells) > PLAN_MOST_CELLS)
        return refuse(place, "cells has more than %d", PLAN_MOST_CELLS);
    plan->cells = calloc(json_array_size(cells), sizeof *plan->cells);
    if (!plan->cells)
        return -ENOMEM;
    for (; plan->cell_count < json_array_size(cells); plan->cell_count++) {
        struct place at = {.object = json_array_get(cells, plan->cell_count),
                           .error = place->error};
        snprintf(at.where, sizeof at.where, "cells[%zu].", plan->cell_count);
        if (read_cell(&at, plan->cells, plan->cell_count) != 0)
            return -EINVAL;
    }
    return 0;
}

/* Which shard has each cell: what the plan gives, or samples of two machines would be compared. */
static int check_shards(const struct place *place, struct plan *plan)
{
    const json_t *cells = json_object_get(place->object, "cells");

    if (shard_share_out(plan) != 0)
        return -ENOMEM;
    for (size_t i = 0; i < plan->cell_count; i++) {
        struct place at = {.object = json_array_get(cells, i), .error = place->error};
        uint64_t shard = 0;
        snprintf(at.where, sizeof at.where, "cells[%zu].", i);
        if (read_number(&at, "shard", 1, SHARDS_MOST, &shard) != 0)
            return -EINVAL;
        if (shard != plan->cells[i].shard)
            return refuse(&at, "shard is %" PRIu64 ", and the plan gives %u", shard,
                          plan->cells[i].shard);
    }
    return 0;
}

/* Absent: the run measures the whole plan. */
static int read_shard(const struct place *place, struct plan *plan)
{
    struct place at = {.object = json_object_get(place->object, "shard"),
                       .where = "shard.",
                       .error = place->error};
    uint64_t index = 0, count = 0;

    if (!at.object)
        return 0;
    if (!json_is_object(at.object))
        return refuse(place, "shard is no object");
    if (json_object_get(at.object, "merged"))
        return refuse(place, "shard: this run was merged: finish its shards, and merge them again");
    if (read_number(&at, "count", 1, SHARDS_MOST, &count) != 0 ||
        read_number(&at, "index", 1, count, &index) != 0 ||
        read_flag(&at, "limit_is_default", &plan->shard.limit_is_default) != 0)
        return -EINVAL;
    plan->shard.index = (unsigned)index;
    plan->shard.count = (unsigned)count;
    return check_shards(place, plan);
}

static size_t stored_samples(const json_t *order)
{
    size_t count = 0, i;
    const json_t *round;

    json_array_foreach(order, i, round) count += json_array_size(round);
    return count;
}

static int check_order(const struct place *place, const struct plan *plan)
{
    const json_t *stored;

    if (read_array(place, "order", &stored) != 0)
        return -EINVAL;
    /* First by size: many rounds are a line in the cells and gigabytes in the order. */
    json_t *again = stored_samples(stored) == plan_samples(plan) ? plan_to_json(plan) : NULL;
    int is_same = json_equal(json_object_get(again, "order"), stored);
    json_decref(again);
    return is_same ? 0
                   : refuse(place, "order is not what its seed and cells give: the plan has been "
                                   "changed since, or another version of tidemark wrote it");
}

static int read_plan(const struct place *place, struct plan *plan)
{
    if (!json_is_object(place->object))
        return refuse(place, "it is no object");
    if (read_text_or_null(place, "suite", plan->suite, sizeof plan->suite) != 0 ||
        read_scale(place, &plan->scale) != 0 ||
        read_number(place, "seed", 0, INT64_MAX, &plan->seed) != 0)
        return -EINVAL;
    /* The cells first: those of `tidemark micro` are none, and its limits are 0. */
    int failed = read_cells(place, plan);
    if (failed)
        return failed;
    if (read_number(place, "tick_ns", 1, INT64_MAX, &plan->tick_ns) != 0 ||
        read_number(place, "timeout_ns", 1, INT64_MAX, &plan->timeout_ns) != 0 ||
        read_number(place, "memory_limit_bytes", 1, INT64_MAX, &plan->memory_limit_bytes) != 0 ||
        read_flag(place, "repeat_dirty", &plan->repeat_dirty) != 0 ||
        read_flag(place, "together", &plan->together) != 0 ||
        read_passes(place, &plan->passes) != 0 || read_until(place, &plan->until) != 0 ||
        (json_object_get(place->object, "warm_up_bytes") &&
         read_number(place, "warm_up_bytes", 0, INT64_MAX, &plan->warm_up_bytes) != 0))
        return -EINVAL;
    failed = read_shard(place, plan);
    return failed ? failed : check_order(place, plan);
}

int plan_from_json(struct plan *plan, const json_t *json, char *error)
{
    struct place place = {.object = json, .error = error};
    struct plan read = {0};
    int failed = read_plan(&place, &read);

    if (failed == -ENOMEM)
        snprintf(error, PLAN_ERROR_BYTES, "not enough memory for the plan");
    if (failed)
        plan_free(&read);
    else
        *plan = read;
    return failed;
}
