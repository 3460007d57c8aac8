/*
 * Sentences about shards. Leaves out reasons of single cells (harness/shard.h).
 */
#include "harness/shard_text.h"

#include "harness/json_file.h"
#include "harness/run_folder.h"
#include "harness/text.h"

#include <inttypes.h>
#include <string.h>

enum { FACT_BYTES = 160 };

void shard_parse_option(struct argp_state *state, const char *argument, struct shard *shard)
{
    if (shard_parse(argument, shard) != 0)
        argp_error(state, "--shard: '%s' is no part I/N, with 1 <= I <= N <= %d (written 2/5)",
                   argument, SHARDS_MOST);
}

static json_int_t number_of(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* Cells that can be measured, and of them those that are measured here. */
static size_t count_cells(const json_t *plan, size_t *here)
{
    size_t all = 0, i;
    const json_t *cell;

    *here = 0;
    json_array_foreach(json_object_get(plan, "cells"), i, cell)
    {
        if (json_is_string(json_object_get(cell, "not_available")))
            continue;
        all++;
        *here += (size_t)shard_is_here(plan, cell);
    }
    return all;
}

static void print_shard(FILE *out, const json_t *plan, const json_t *shard)
{
    size_t here;
    const size_t all = count_cells(plan, &here);

    fprintf(out,
            "\nshard %" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT
            ": %zu of %zu cells are measured here. Other shards have the rest: "
            "`tidemark merge` joins them.\n",
            number_of(shard, "index"), number_of(shard, "count"), here, all);
}

/* A fact of a machine.json, which may be anything. Returned. */
static const char *fact_of(const json_t *machine, const char *key, char *text)
{
    const char *fact = json_text(machine, key);

    snprintf(text, FACT_BYTES, "%.150s", fact[0] ? fact : "not known");
    text_make_printable(text);
    return text;
}

/* "  1: node7, Intel ..., 2 cores, 8.4 GB, Linux 6.1.0; shards 1, 3" */
static void print_machine(FILE *out, const json_t *shards, json_int_t number)
{
    char name[FACT_BYTES], cpu[FACT_BYTES], kernel[FACT_BYTES], memory[TEXT_NUMBER_BYTES];
    const char *before = "; shards ";
    const json_t *shard;
    int is_named = 0;
    size_t i;

    json_array_foreach(shards, i, shard)
    {
        if (number_of(shard, "machine") != number)
            continue;
        if (!is_named)
            fprintf(out,
                    "  %" JSON_INTEGER_FORMAT ": %s, %s, %" JSON_INTEGER_FORMAT " cores, %s, %s",
                    number, fact_of(shard, "host_name", name), fact_of(shard, "cpu", cpu),
                    number_of(shard, "cores"),
                    text_format_bytes(memory, (double)number_of(shard, "memory_bytes")),
                    fact_of(shard, "kernel", kernel));
        is_named = 1;
        fprintf(out, "%s%" JSON_INTEGER_FORMAT, before, number_of(shard, "shard"));
        before = ", ";
    }
    if (is_named)
        fputc('\n', out);
}

static void print_merged(FILE *out, const json_t *shard, const json_t *machine)
{
    const json_t *shards = json_object_get(machine, "shards");
    const json_int_t machines = number_of(machine, "machines");

    fprintf(out,
            "\nmeasured on %" JSON_INTEGER_FORMAT " machine%s, %zu of %" JSON_INTEGER_FORMAT
            " shards merged:\n",
            machines, machines == 1 ? "" : "s", json_array_size(shards), number_of(shard, "count"));
    for (json_int_t number = 1; number <= machines && number <= SHARDS_MOST; number++)
        print_machine(out, shards, number);
    if (machines > 1)
        fputs("All cells of one workload with the same parameters are of one machine. Between "
              "experiments of\ndifferent shards, times and amounts differ by their machines too: "
              "compare ratios.\n",
              out);
}

void shard_print_run(FILE *out, const json_t *plan, const json_t *machine)
{
    const json_t *shard = json_object_get(plan, "shard");

    if (!json_is_object(shard))
        return;
    if (json_object_get(shard, "merged"))
        print_merged(out, shard, machine);
    else
        print_shard(out, plan, shard);
}

void shard_print_folder(FILE *out, const char *path)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder folder;

    if (run_folder_open(&folder, path, error) != 0)
        return;
    json_t *plan = json_file_read(folder.fd, "plan.json", error);
    json_t *machine = json_file_read(folder.fd, "machine.json", error);
    if (plan && machine)
        shard_print_run(out, plan, machine);
    json_decref(plan);
    json_decref(machine);
    run_folder_close(&folder);
}

void shard_print_plan(FILE *out, const struct plan *plan)
{
    const struct shard *shard = &plan->shard;

    if (shard->count == 0)
        return;
    fprintf(out,
            "shard %u of %u: %zu of %zu samples; what is compared stays together, in %zu of "
            "%zu units\n",
            shard->index, shard->count, shard_samples(plan, shard->index), shard_samples(plan, 0),
            shard_units(plan, shard->index), shard_units(plan, 0));
}

void shard_tell_empty(const struct plan *plan)
{
    const struct shard *shard = &plan->shard;

    if (shard->count > 0 && shard_samples(plan, shard->index) == 0)
        fprintf(stderr,
                "tidemark run: shard %u of %u is empty: the plan has %zu units of what is compared "
                "to share out, and nothing is left to measure here\n",
                shard->index, shard->count, shard_units(plan, 0));
}
