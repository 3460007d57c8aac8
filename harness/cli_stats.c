/*
 * tidemark stats: what the census of a run tells, in the layout of sys._debugmallocstats(). Leaves
 * out the map of pools, which --json has whole and the report draws.
 */
#include "harness/cli.h"
#include "harness/grammar.h"
#include "harness/json_file.h"
#include "harness/pass_file.h"
#include "harness/row.h"
#include "harness/run_read.h"
#include "harness/stats_text.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct stats_options {
    const char *run;
    const char *workload, *row, *phase; /* NULL: all */
    int json;
};

static void set_once(struct argp_state *state, const char **option, const char *name,
                     const char *argument)
{
    if (*option)
        argp_error(state, "one %s at a time, not '%s' too", name, argument);
    *option = argument;
}

static error_t parse(int key, char *argument, struct argp_state *state)
{
    struct stats_options *options = state->input;

    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &options->run;
        return 0;
    case 'w':
        set_once(state, &options->workload, "workload", argument);
        return 0;
    case 'a':
        set_once(state, &options->row, "row", argument);
        return 0;
    case 'p':
        set_once(state, &options->phase, "phase", argument);
        return 0;
    case 'j':
        options->json = 1;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_table[] = {
    {"workload", 'w', "WORKLOAD", 0,
     "Of this workload alone: its name, or name:param=value,... as for tidemark run; parameters "
     "that are not named may have any value",
     0},
    {"allocator", 'a', "ROW", 0, "Of this row alone, as the plan has it", 0},
    {"phase", 'p', "NAME", 0, "At the end of this phase alone", 0},
    {"json", 'j', NULL, 0,
     "Print JSON, one object per cell, with every arena and pool (results/FORMAT.md, census)", 0},
    {0},
};

const struct argp cli_stats_parser = {
    .children = cli_run_argument,
    .options = option_table,
    .parser = parse,
    .args_doc = "RUN",
    .doc =
        "Print what the allocator of each cell held at the end of each phase, from the census of "
        "a run: size classes, arenas, and what the bytes of the arenas were used for, in the "
        "words and the layout of sys._debugmallocstats() of CPython 3.11. A cell without a "
        "census says why."
        "\vExample:\n"
        "  tidemark stats results/2026-01-31T120000Z-quick\n"
        "  tidemark stats results/2026-01-31T120000Z-quick -w del_collect:way=del \\\n"
        "      -a pymalloc --phase del\n\n"
        "Exit status: 0 printed; 1 the run or a census cannot be read, or there is none; 2 usage, "
        "or nothing in the run is as asked for.",
};

static int fail(const char *message)
{
    fprintf(stderr, "tidemark stats: %s\n", message);
    return CLI_FAILED;
}

/* --- Which cells. --- */

/* What the command line asks for; `words` are there unless it is any workload, or one by its name
 * as the run has it. */
struct filter {
    const struct stats_options *options;
    const struct workload_words *words;
};

/* Whether the cell has one of the values that were asked for of parameter `index`. */
static int has_value(const struct workload_words *words, size_t index, const json_t *params)
{
    const struct parameter *parameter = &words->workload->parameters[index];
    const char *has = json_text(params, parameter->name);
    char value[WORKLOAD_TEXT_BYTES];

    for (size_t i = 0; i < words->value_counts[index]; i++) {
        if (strcmp(parameter_format(parameter, words->values[index][i], value, sizeof value),
                   has) == 0)
            return 1;
    }
    return 0;
}

static int has_workload(const struct filter *filter, const json_t *cell)
{
    const struct workload_words *words = filter->words;
    const char *asked = filter->options->workload;

    if (!asked || strcmp(json_text(cell, "workload"), asked) == 0)
        return 1;
    if (!words || strcmp(json_text(cell, "workload"), words->workload->name) != 0)
        return 0;
    for (size_t i = 0; words->workload->parameters[i].name; i++) {
        if (grammar_names_parameter(asked, words->workload->parameters[i].name) &&
            !has_value(words, i, json_object_get(cell, "params")))
            return 0;
    }
    return 1;
}

/* By the row as the plan has it, or as tables show it. */
static int has_row(const struct filter *filter, const json_t *cell)
{
    const char *asked = filter->options->row, *row = json_text(cell, "allocator");
    char name[ROW_TEXT_BYTES];

    return !asked || strcmp(row, asked) == 0 || strcmp(row_short_name(row, name), asked) == 0;
}

/* A control is no cell of its own. */
static int is_asked(const struct filter *filter, const json_t *cell)
{
    return !json_is_true(json_object_get(cell, "control")) && has_workload(filter, cell) &&
           has_row(filter, cell);
}

static void format_params(const json_t *cell, char *text, size_t text_bytes)
{
    const char *name;
    json_t *value;
    size_t used = 0;

    text[0] = '\0';
    json_object_foreach(json_object_get(cell, "params"), name, value)
    {
        int wrote =
            snprintf(text + used, text_bytes - used, " %s=%s", name, json_string_value(value));
        if (wrote < 0 || (size_t)wrote >= text_bytes - used)
            return;
        used += (size_t)wrote;
    }
}

/* "bulk n=1000000 size=32, 500 ms idle, on pymalloc": `name` is returned. */
static const char *name_cell(const json_t *cell, char *name, size_t name_bytes)
{
    char params[256], idle[TEXT_NUMBER_BYTES];
    const json_int_t idle_ns = json_integer_value(json_object_get(cell, "idle_ns"));

    format_params(cell, params, sizeof params);
    text_format_duration(idle, (double)idle_ns);
    snprintf(name, name_bytes, "%.64s%s%s%s%s, on %.256s", json_text(cell, "workload"), params,
             idle_ns > 0 ? ", " : "", idle_ns > 0 ? idle : "", idle_ns > 0 ? " idle" : "",
             json_text(cell, "allocator"));
    return name;
}

/* --- Why there is no census. --- */

/* The allocator of this build that serves the row's objects, or NULL: a row is read by its words
 * alone, since a file that it names may come with the run. */
static const struct allocator *find_object_allocator(const char *row)
{
    const size_t label = strcspn(row, "=+@:,/\\");
    const char *component = row[label] == '=' && label > 0 ? row + label + 1 : row;
    char name[64];

    snprintf(name, sizeof name, "%.*s", (int)strcspn(component, "+@"), component);
    return allocator_find(name);
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

enum { REASON_BYTES = 640 };

static void explain(const struct run_content *run, size_t index, char *reason)
{
    const json_t *cell = json_array_get(json_object_get(run->plan, "cells"), index);
    const struct allocator *allocator = find_object_allocator(json_text(cell, "allocator"));

    if (!json_is_null(json_object_get(cell, "not_available")))
        snprintf(reason, REASON_BYTES, "n/a: %.512s", json_text(cell, "not_available"));
    else if (strcmp(json_text(cell, "host"), "objects") != 0)
        snprintf(reason, REASON_BYTES, "a real CPython (%.64s) is asked for none",
                 json_text(cell, "host"));
    else if (allocator && !(allocator->capabilities & ALLOCATOR_CENSUS))
        snprintf(reason, REASON_BYTES, "%s tells of no pools", allocator->name);
    else if (!pass_was_asked(run->plan, &census_pass))
        snprintf(reason, REASON_BYTES, "the run was made without");
    else if (!has_ok_sample(run->samples, index))
        snprintf(reason, REASON_BYTES, "no sample of it came to its end");
    else if (allocator)
        snprintf(reason, REASON_BYTES, "it is missing: tidemark run --resume takes it");
    else
        snprintf(reason, REASON_BYTES, "its allocator told of no pools");
    text_make_printable(reason);
}

/* --- Printing. --- */

struct printer {
    const struct stats_options *options;
    size_t cells, with_census, phases; /* that were asked for; with one; that were printed */
    json_t *phase_names;               /* keys: all that there are */
};

static int is_phase_asked(struct printer *printer, const json_t *phase)
{
    const char *name = json_text(phase, "name");

    json_object_set_new(printer->phase_names, name, json_null());
    return !printer->options->phase || strcmp(printer->options->phase, name) == 0;
}

static void print_phases(struct printer *printer, const char *name, const json_t *census)
{
    size_t i;
    const json_t *phase;

    json_array_foreach(json_object_get(census, "phases"), i, phase)
    {
        if (!is_phase_asked(printer, phase))
            continue;
        printf("%s%s (%s)\nphase %s: %" JSON_INTEGER_FORMAT
               " bytes in objects, %" JSON_INTEGER_FORMAT " live\n\n",
               printer->phases ? "\n" : "", name, json_text(census, "version"),
               json_text(phase, "name"), json_integer_value(json_object_get(phase, "object_bytes")),
               json_integer_value(json_object_get(phase, "live_bytes")));
        stats_text_print(stdout, phase);
        printer->phases++;
    }
}

/* The phases that are asked for, a new array. */
static json_t *choose_phases(struct printer *printer, const json_t *census)
{
    json_t *chosen = json_array();
    size_t i;
    json_t *phase;

    json_array_foreach(json_object_get(census, "phases"), i, phase)
    {
        if (!is_phase_asked(printer, phase))
            continue;
        json_array_append(chosen, phase);
        printer->phases++;
    }
    return chosen;
}

/* One line, since the pools of an arena are many numbers. */
static void print_json(struct printer *printer, size_t index, const json_t *cell,
                       const json_t *census, const char *reason)
{
    json_t *object = json_pack(
        "{s:I, s:O, s:O, s:O, s:O, s:O, s:O?, s:s?, s:o}", "cell", (json_int_t)index, "workload",
        json_object_get(cell, "workload"), "params", json_object_get(cell, "params"), "allocator",
        json_object_get(cell, "allocator"), "host", json_object_get(cell, "host"), "idle_ns",
        json_object_get(cell, "idle_ns"), "version", json_object_get(census, "version"), "reason",
        census ? NULL : reason, "phases", choose_phases(printer, census));

    fputs(printer->cells > 1 ? ",\n" : "[\n", stdout);
    json_dumpf(object, stdout, JSON_COMPACT);
    json_decref(object);
}

static int print_cell(struct printer *printer, const struct run_folder *folder,
                      const struct run_content *run, size_t index)
{
    const json_t *cell = json_array_get(json_object_get(run->plan, "cells"), index);
    char name[768], reason[REASON_BYTES], error[PASS_ERROR_BYTES], message[RUN_FOLDER_ERROR_BYTES];
    json_t *census = NULL;
    int failed = pass_file_read(folder->fd, &census_pass, index, &census, error);

    if (failed && failed != -ENOENT) {
        snprintf(message, sizeof message, "%.900s/%s", folder->path, error);
        return fail(message);
    }
    printer->cells++;
    printer->with_census += census != NULL;
    if (!census)
        explain(run, index, reason);
    name_cell(cell, name, sizeof name);
    if (printer->options->json)
        print_json(printer, index, cell, census, reason);
    else if (census)
        print_phases(printer, name, census);
    else
        fprintf(stderr, "tidemark stats: %s: no census: %s\n", name, reason);
    json_decref(census);
    return CLI_OK;
}

/* Words that were asked for and are nowhere, with those that are. */
static int refuse_cells(const struct run_content *run)
{
    const json_t *cells = json_object_get(run->plan, "cells"), *cell;
    char name[768];
    size_t i;

    fail("no cell of this run is as asked for; it has:");
    json_array_foreach(cells, i, cell)
    {
        if (!json_is_true(json_object_get(cell, "control")))
            fprintf(stderr, "  %s\n", name_cell(cell, name, sizeof name));
    }
    return CLI_USAGE;
}

static int refuse_phase(const struct printer *printer)
{
    const char *name;
    json_t *value;

    fprintf(stderr, "tidemark stats: no phase is called '%s'; there are:", printer->options->phase);
    json_object_foreach(printer->phase_names, name, value) fprintf(stderr, " %s", name);
    putc('\n', stderr);
    return CLI_USAGE;
}

static int print_cells(struct printer *printer, const struct filter *filter,
                       const struct run_folder *folder, const struct run_content *run)
{
    const json_t *cells = json_object_get(run->plan, "cells"), *cell;
    int status = CLI_OK;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        if (status == CLI_OK && is_asked(filter, cell))
            status = print_cell(printer, folder, run, i);
    }
    if (printer->options->json)
        fputs(printer->cells ? "\n]\n" : "[]\n", stdout);
    if (status != CLI_OK)
        return status;
    if (printer->cells == 0)
        return refuse_cells(run);
    if (printer->with_census > 0 && printer->phases == 0)
        return refuse_phase(printer);
    return printer->with_census > 0 ? CLI_OK : CLI_FAILED;
}

static int print_run(const struct filter *filter, const struct run_folder *folder)
{
    char error[RUN_FOLDER_ERROR_BYTES];
    struct run_content run;
    struct printer printer = {.options = filter->options};

    if (run_content_read(&run, folder, error) != 0)
        return fail(error);
    printer.phase_names = json_object();
    int status = print_cells(&printer, filter, folder, &run);
    json_decref(printer.phase_names);
    run_content_free(&run);
    return cli_finish("stats", status);
}

int cli_stats(int argc, char **argv)
{
    struct stats_options options = {0};
    struct workload_words words;
    struct filter filter = {.options = &options};
    struct run_folder folder;
    char error[RUN_FOLDER_ERROR_BYTES];

    argp_parse(&cli_stats_parser, argc, argv, 0, NULL, &options);
    if (options.workload) {
        if (grammar_parse_workload(&words, options.workload, SIZE_QUICK, error) != 0)
            return cli_usage_error("stats", error);
        filter.words = &words;
    }
    if (run_folder_open(&folder, options.run, error) != 0)
        return fail(error);
    int status = print_run(&filter, &folder);
    run_folder_close(&folder);
    return status;
}
