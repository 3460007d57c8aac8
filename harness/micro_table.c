/*
 * A line per benchmark, a column per row. Leaves out sorting: Google Benchmark's order is by kind
 * and size.
 */
#include "harness/micro_table.h"

#include "harness/json_file.h"
#include "harness/text.h"

#include <math.h>
#include <string.h>

/* Of repetitions only the median counts; without them there is one line. */
static int is_shown(const json_t *benchmark)
{
    const char *aggregate = json_text(benchmark, "aggregate_name");

    if (strcmp(json_text(benchmark, "run_type"), "aggregate") == 0)
        return strcmp(aggregate, "median") == 0;
    return json_integer_value(json_object_get(benchmark, "repetitions")) <= 1;
}

/* The benchmark `name` (run_name: without "_median") in one row's result, or NULL. */
static const json_t *find(const json_t *result, const char *name)
{
    size_t i;
    const json_t *benchmark;

    json_array_foreach(json_object_get(result, "benchmarks"), i, benchmark)
    {
        if (is_shown(benchmark) && strcmp(json_text(benchmark, "run_name"), name) == 0)
            return benchmark;
    }
    return NULL;
}

static void print_cell(FILE *out, const json_t *benchmark, int width)
{
    double per_second = json_number_value(json_object_get(benchmark, "items_per_second"));
    double each_ns = 1e9 / per_second;

    if (per_second > 0 && isfinite(each_ns))
        fprintf(out, " %*.2f", width, each_ns);
    else
        fprintf(out, " %*s", width, "n/a");
}

/* Wide enough for a row's name, never narrower than a figure. */
static int width_of(const char *row)
{
    enum { FIGURE_WIDTH = 10 };
    size_t length = strlen(row);

    return length < FIGURE_WIDTH ? FIGURE_WIDTH : (int)length;
}

/* 1 when an earlier row has shown this benchmark. */
static int shown_before(json_t *results, const char *until, const char *name)
{
    const char *row;
    json_t *result;

    json_object_foreach(results, row, result)
    {
        if (strcmp(row, until) == 0)
            return 0;
        if (find(result, name))
            return 1;
    }
    return 0;
}

static void print_line(FILE *out, json_t *results, const char *name)
{
    const char *row;
    char shown[128];
    json_t *result;

    snprintf(shown, sizeof shown, "%s", name);
    text_make_printable(shown);
    fprintf(out, "%-16s", shown);
    json_object_foreach(results, row, result) print_cell(out, find(result, name), width_of(row));
    fputc('\n', out);
}

void micro_table_print(FILE *out, json_t *results)
{
    const char *row;
    json_t *result;
    size_t i;
    const json_t *benchmark;

    if (json_object_size(results) > 0)
        fprintf(out, "%-16s", "ns per item");
    json_object_foreach(results, row, result) fprintf(out, " %*s", width_of(row), row);
    fputc('\n', out);
    json_object_foreach(results, row, result)
    {
        json_array_foreach(json_object_get(result, "benchmarks"), i, benchmark)
        {
            const char *name = json_text(benchmark, "run_name");
            if (is_shown(benchmark) && !shown_before(results, row, name))
                print_line(out, results, name);
        }
    }
}
