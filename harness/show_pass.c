/*
 * Reads the files of a pass beside the plan. Leaves out controls, which have none.
 */
#include "harness/show_pass.h"

#include "harness/cli.h"
#include "harness/json_file.h"
#include "harness/pass_file.h"
#include "harness/row.h"
#include "harness/run_read.h"
#include "harness/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { REASON_BYTES = 512 };

/* What is shown, and of which run. */
struct shown {
    const struct pass_view *view;
    const struct run_folder *folder;
    struct run_content run;
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark show: %s\n", message);
    return CLI_FAILED;
}

static const json_t *cell_at(const struct shown *shown, size_t index)
{
    return json_array_get(json_object_get(shown->run.plan, "cells"), index);
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
static const char *reason_of(const struct shown *shown, size_t index, char *text)
{
    const json_t *cell = cell_at(shown, index);
    const char *name = shown->view->pass->name;

    if (!json_is_null(json_object_get(cell, "not_available")))
        snprintf(text, REASON_BYTES, "%.400s", json_text(cell, "not_available"));
    else if (strcmp(json_text(cell, "host"), "objects") != 0)
        snprintf(text, REASON_BYTES, "a real CPython (%.64s) is asked for none",
                 json_text(cell, "host"));
    else if (!pass_was_asked(shown->run.plan, shown->view->pass))
        snprintf(text, REASON_BYTES, "the run was made without: tidemark run --passes %s", name);
    else if (!has_ok_sample(shown->run.samples, index))
        snprintf(text, REASON_BYTES, "no sample of it came to its end");
    else
        snprintf(text, REASON_BYTES,
                 "the pass %s suits no such cell, or its child failed, which tidemark run --resume "
                 "tells",
                 name);
    return text;
}

static void tell_reason(const struct shown *shown, size_t index)
{
    const json_t *cell = cell_at(shown, index);
    char text[1024], row[ROW_TEXT_BYTES], reason[REASON_BYTES];

    snprintf(text, sizeof text, "%.64s on %.256s: no %.32s: %.500s", json_text(cell, "workload"),
             row_short_name(json_text(cell, "allocator"), row), shown->view->what,
             reason_of(shown, index, reason));
    text_make_printable(text);
    fprintf(stderr, "tidemark show: %s\n", text);
}

/* What names a cell and its experiment, with the file; the caller owns it. Takes over `file`. */
static json_t *cell_with_file(const json_t *cell, size_t index, const struct pass *pass,
                              json_t *file)
{
    static const char *const names[] = {"workload", "params", "allocator",   "host",   "idle_ns",
                                        "return",   "thp",    "activity_ns", "rebuild"};
    json_t *shown = json_pack("{s:I, s:o}", "cell", (json_int_t)index, pass->name, file);

    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        json_t *value = json_object_get(cell, names[i]);
        if (value) /* older runs have no ways */
            json_object_set(shown, names[i], value);
    }
    return shown;
}

/* Adds the cell with its file to `cells`, or says why not. Returns 0, or -1 with a message told. */
static int add_cell(json_t *cells, const struct shown *shown, size_t index)
{
    const struct pass *pass = shown->view->pass;
    char error[PASS_ERROR_BYTES], message[RUN_FOLDER_ERROR_BYTES];
    json_t *file = NULL;
    const int failed = pass_file_read(shown->folder->fd, pass, index, &file, error);

    if (failed == -ENOENT) {
        tell_reason(shown, index);
        return 0;
    }
    if (failed) {
        snprintf(message, sizeof message, "%.900s/%s", shown->folder->path, error);
        fail(message);
        return -1;
    }
    json_array_append_new(cells, cell_with_file(cell_at(shown, index), index, pass, file));
    return 0;
}

/* A new array of all cells that have one; NULL when a file of them cannot be read. */
static json_t *read_cells(const struct shown *shown)
{
    json_t *cells = json_array();
    size_t i;
    const json_t *cell;

    json_array_foreach(json_object_get(shown->run.plan, "cells"), i, cell)
    {
        if (json_is_true(json_object_get(cell, "control")))
            continue;
        if (add_cell(cells, shown, i) != 0) {
            json_decref(cells);
            return NULL;
        }
    }
    return cells;
}

static int print_run(struct shown *shown, int as_json, int by_phase)
{
    char error[RUN_FOLDER_ERROR_BYTES];

    if (run_content_read(&shown->run, shown->folder, error) != 0)
        return fail(error);
    json_t *cells = read_cells(shown);
    const int has_some = json_array_size(cells) > 0;
    if (as_json && cells) {
        json_dumpf(cells, stdout, JSON_INDENT(2) | JSON_REAL_PRECISION(12));
        putchar('\n');
    } else if (has_some) {
        shown->view->print(stdout, cells, by_phase);
    }
    json_decref(cells);
    run_content_free(&shown->run);
    return has_some ? CLI_OK : CLI_FAILED;
}

int show_pass(const struct pass_view *view, const char *path, int as_json, int by_phase)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_folder folder;

    if (run_folder_open(&folder, path, error) != 0)
        return fail(error);
    struct shown shown = {.view = view, .folder = &folder};
    const int status = print_run(&shown, as_json, by_phase);
    run_folder_close(&folder);
    return status;
}
