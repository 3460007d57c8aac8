/*
 * Reads the files of the latency pass beside the plan. Leaves out controls, which have none.
 */
#include "harness/show_latency.h"

#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/latency_text.h"
#include "harness/pass_file.h"
#include "harness/row.h"
#include "harness/run_read.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static int fail(const char *message)
{
    fprintf(stderr, "tidemark show: %s\n", message);
    return CLI_FAILED;
}

static int has_ok_sample(const json_t *samples, size_t cell)
{
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample)
    {
        if (json_integer_value(json_object_get(sample, "cell")) == (json_int_t)cell &&
            strcmp(json_text(sample, "status"), "ok") == 0)
            return 1;
    }
    return 0;
}

/* Why that cell has no file. */
static const char *reason_of(const struct run_content *run, size_t index)
{
    const json_t *cell = json_array_get(json_object_get(run->plan, "cells"), index);

    if (!json_is_null(json_object_get(cell, "not_available")))
        return json_text(cell, "not_available");
    if (strcmp(json_text(cell, "host"), "objects") != 0)
        return "a real CPython calls its allocator by itself: it is asked for none";
    if (!pass_was_asked(run->plan, &latency_pass))
        return "the run was made without: tidemark run --passes latency";
    if (!has_ok_sample(run->samples, index))
        return "no sample of it came to its end";
    return "it is missing: tidemark run --resume takes it";
}

static void tell_reason(const struct run_content *run, size_t index)
{
    const json_t *cell = json_array_get(json_object_get(run->plan, "cells"), index);
    char text[1024], row[ROW_TEXT_BYTES];

    snprintf(text, sizeof text, "%.64s on %.256s: no latencies: %.512s",
             json_text(cell, "workload"), row_short_name(json_text(cell, "allocator"), row),
             reason_of(run, index));
    text_make_printable(text);
    fprintf(stderr, "tidemark show: %s\n", text);
}

/* Adds the cell with its file to `cells`, or says why not. Returns 0, or -1 with a message told. */
static int add_cell(json_t *cells, const struct run_folder *folder, const struct run_content *run,
                    size_t index)
{
    const json_t *cell = json_array_get(json_object_get(run->plan, "cells"), index);
    char error[PASS_ERROR_BYTES], message[RUN_FOLDER_ERROR_BYTES];
    json_t *latency = NULL;
    int failed = pass_file_read(folder->fd, &latency_pass, index, &latency, error);

    if (failed == -ENOENT) {
        tell_reason(run, index);
        return 0;
    }
    if (failed) {
        snprintf(message, sizeof message, "%.900s/%s", folder->path, error);
        fail(message);
        return -1;
    }
    json_array_append_new(
        cells, json_pack("{s:I, s:O, s:O, s:O, s:O, s:O, s:o}", "cell", (json_int_t)index,
                         "workload", json_object_get(cell, "workload"), "params",
                         json_object_get(cell, "params"), "allocator",
                         json_object_get(cell, "allocator"), "host", json_object_get(cell, "host"),
                         "idle_ns", json_object_get(cell, "idle_ns"), "latency", latency));
    return 0;
}

/* A new array of all cells that have latencies; NULL when a file of them cannot be read. */
static json_t *read_cells(const struct run_folder *folder, const struct run_content *run)
{
    json_t *cells = json_array();
    size_t i;
    const json_t *cell;

    json_array_foreach(json_object_get(run->plan, "cells"), i, cell)
    {
        if (json_is_true(json_object_get(cell, "control")))
            continue;
        if (add_cell(cells, folder, run, i) != 0) {
            json_decref(cells);
            return NULL;
        }
    }
    return cells;
}

static int print_run(const struct run_folder *folder, int as_json, int by_phase)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_content run;

    if (run_content_read(&run, folder, error) != 0)
        return fail(error);
    json_t *cells = read_cells(folder, &run);
    const int has_some = json_array_size(cells) > 0;
    if (as_json && cells) {
        json_dumpf(cells, stdout, JSON_COMPACT | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else if (has_some) {
        latency_text_print(stdout, cells, by_phase);
    }
    json_decref(cells);
    run_content_free(&run);
    return has_some ? CLI_OK : CLI_FAILED;
}

int show_latency(const char *path, int as_json, int by_phase)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder folder;

    if (run_folder_open(&folder, path, error) != 0)
        return fail(error);
    int status = print_run(&folder, as_json, by_phase);
    run_folder_close(&folder);
    return status;
}
