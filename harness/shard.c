/*
 * Cells to shards. Leaves out times that were measured: the first machine knows none.
 */
#include "harness/shard.h"

#include "harness/json_file.h"
#include "harness/plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SAMPLE_NS UINT64_C(1000000000) /* beyond its idle time */
/* More than --idle takes. With it no sum of costs wraps. */
#define MOST_IDLE_NS UINT64_C(1000000000000)

int shard_parse(const char *text, struct shard *shard)
{
    unsigned long numbers[2];
    char *end;

    for (size_t i = 0; i < 2; i++) {
        /* No sign and no blank, which strtoul would take. */
        if (*text < '0' || *text > '9')
            return -EINVAL;
        numbers[i] = strtoul(text, &end, 10);
        if (numbers[i] < 1 || numbers[i] > SHARDS_MOST || *end != (i == 0 ? '/' : '\0'))
            return -EINVAL;
        text = end + 1;
    }
    if (numbers[0] > numbers[1])
        return -EINVAL;
    shard->index = (unsigned)numbers[0];
    shard->count = (unsigned)numbers[1];
    return 0;
}

/* --- Sharing out. --- */

struct unit {
    size_t first_cell;
    uint64_t cost_ns;
};

static int is_same_unit(const struct cell *a, const struct cell *b)
{
    return a->workload == b->workload && memcmp(a->values, b->values, sizeof a->values) == 0;
}

static uint64_t cost_of(const struct plan *plan, const struct cell *cell)
{
    const uint64_t idle_ns = cell->idle_ns < MOST_IDLE_NS ? cell->idle_ns : MOST_IDLE_NS;
    uint64_t passes = 0;

    if (cell->not_available[0])
        return 0;
    for (unsigned set = cell->is_control ? 0 : plan->passes; set; set &= set - 1)
        passes++;
    return cell->rounds * (SAMPLE_NS + idle_ns) + passes * SAMPLE_NS;
}

static size_t unit_of(const struct plan *plan, const struct unit *units, size_t count, size_t cell)
{
    size_t i = 0;

    while (i < count && !is_same_unit(&plan->cells[units[i].first_cell], &plan->cells[cell]))
        i++;
    return i;
}

/* Fills `units`, in the order of the plan, and the unit of each cell. Returns how many. */
static size_t find_units(const struct plan *plan, struct unit *units, size_t *of_cell)
{
    size_t count = 0;

    for (size_t i = 0; i < plan->cell_count; i++) {
        of_cell[i] = unit_of(plan, units, count, i);
        if (of_cell[i] == count)
            units[count++] = (struct unit){.first_cell = i};
        units[of_cell[i]].cost_ns += cost_of(plan, &plan->cells[i]);
    }
    return count;
}

/* The unit that costs most of those without a shard, the first of equals; `count` when all have
 * one. */
static size_t next_unit(const struct unit *units, const unsigned *shards, size_t count)
{
    size_t most = count;

    for (size_t i = 0; i < count; i++) {
        if (shards[i] == 0 && (most == count || units[i].cost_ns > units[most].cost_ns))
            most = i;
    }
    return most;
}

static void choose_shards(const struct unit *units, unsigned *shards, size_t unit_count,
                          uint64_t *loads_ns, unsigned shard_count)
{
    for (size_t unit; (unit = next_unit(units, shards, unit_count)) < unit_count;) {
        unsigned least = 0;
        for (unsigned i = 1; i < shard_count; i++)
            least = loads_ns[i] < loads_ns[least] ? i : least;
        shards[unit] = least + 1;
        loads_ns[least] += units[unit].cost_ns;
    }
}

int shard_share_out(struct plan *plan)
{
    const unsigned shard_count = plan->shard.count;
    struct unit *units = calloc(plan->cell_count + 1, sizeof *units);
    size_t *of_cell = calloc(plan->cell_count + 1, sizeof *of_cell);
    unsigned *shards = calloc(plan->cell_count + 1, sizeof *shards);
    uint64_t *loads_ns = calloc(shard_count + 1u, sizeof *loads_ns);
    const int failed = units && of_cell && shards && loads_ns ? 0 : -ENOMEM;

    if (!failed && shard_count > 0) {
        const size_t count = find_units(plan, units, of_cell);
        choose_shards(units, shards, count, loads_ns, shard_count);
        for (size_t i = 0; i < plan->cell_count; i++)
            plan->cells[i].shard = shards[of_cell[i]];
    }
    free(units);
    free(of_cell);
    free(shards);
    free(loads_ns);
    return failed;
}

/* --- What a shard has. --- */

int shard_has(const struct plan *plan, size_t cell)
{
    return plan->shard.count == 0 || plan->cells[cell].shard == plan->shard.index;
}

static int is_of(const struct cell *cell, unsigned index)
{
    return !cell->not_available[0] && (index == 0 || cell->shard == index);
}

size_t shard_samples(const struct plan *plan, unsigned index)
{
    size_t samples = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        samples += is_of(&plan->cells[i], index) ? plan->cells[i].rounds : 0;
    return samples;
}

/* The first cell of its unit that can be measured. */
static int is_first(const struct plan *plan, size_t cell)
{
    for (size_t i = 0; i < cell; i++) {
        if (!plan->cells[i].not_available[0] && is_same_unit(&plan->cells[i], &plan->cells[cell]))
            return 0;
    }
    return 1;
}

size_t shard_units(const struct plan *plan, unsigned index)
{
    size_t units = 0;

    for (size_t i = 0; i < plan->cell_count; i++)
        units += is_of(&plan->cells[i], index) && is_first(plan, i);
    return units;
}

/* --- plan.json. --- */

void shard_to_json(const struct plan *plan, json_t *json)
{
    const struct shard *shard = &plan->shard;
    json_t *cells = json_object_get(json, "cells"), *cell;
    size_t i;

    if (shard->count == 0)
        return;
    json_object_set_new(json, "shard",
                        json_pack("{s:i, s:i, s:b}", "index", (int)shard->index, "count",
                                  (int)shard->count, "limit_is_default", shard->limit_is_default));
    json_array_foreach(cells, i, cell)
        json_object_set_new(cell, "shard", json_integer(plan->cells[i].shard));
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

static int holds(const json_t *numbers, json_int_t wanted)
{
    size_t i;
    const json_t *number;

    json_array_foreach(numbers, i, number)
    {
        if (json_is_integer(number) && json_integer_value(number) == wanted)
            return 1;
    }
    return 0;
}

int shard_is_here(const json_t *plan, const json_t *cell)
{
    const json_t *shard = json_object_get(plan, "shard"),
                 *merged = json_object_get(shard, "merged");
    const json_int_t of_cell = number_of(cell, "shard");

    if (!json_is_object(shard))
        return 1;
    return merged ? holds(merged, of_cell) : number_of(shard, "index") == of_cell;
}

int shard_say_elsewhere(const json_t *plan, const json_t *cell, char *text)
{
    const json_t *shard = json_object_get(plan, "shard");

    if (shard_is_here(plan, cell))
        return 0;
    snprintf(text, SHARD_TEXT_BYTES,
             "not measured here: shard %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT " %s",
             number_of(cell, "shard"), number_of(shard, "count"),
             json_object_get(shard, "merged") ? "was not merged" : "has it");
    return 1;
}
