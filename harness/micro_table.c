/*
 * Prints the table from an index of the results: theme, benchmark, row. Leaves out what Google
 * Benchmark computed beside medians.
 */
#include "harness/micro_table.h"

#include "harness/json_file.h"
#include "harness/micro_words.h"
#include "harness/text.h"

#include <math.h>
#include <string.h>

enum { NAME_BYTES = 128, NAME_WIDTH = 40, TIME_WIDTH = 10, RATIO_WIDTH = 8 };

/* Of repetitions only the median counts; without them there is one line. */
static int is_shown(const json_t *benchmark)
{
    const char *aggregate = json_text(benchmark, "aggregate_name");

    if (json_is_true(json_object_get(benchmark, "error_occurred")))
        return 1;
    if (strcmp(json_text(benchmark, "run_type"), "aggregate") == 0)
        return strcmp(aggregate, "median") == 0;
    return json_integer_value(json_object_get(benchmark, "repetitions")) <= 1;
}

/* The object under the first `length` bytes of `key`, made where there is none; borrowed, or NULL
 * without memory. */
static json_t *enter(json_t *object, const char *key, size_t length)
{
    json_t *found = json_object_getn(object, key, length);

    if (!found && json_object_setn_new(object, key, length, json_object()) == 0)
        found = json_object_getn(object, key, length);
    return found;
}

/* The first of its name (run_name: without "_median") in a row stands for it. */
static void add(json_t *index, const char *row, json_t *benchmark)
{
    const char *name = json_text(benchmark, "run_name");

    if (*name == '\0') /* a failed one has a name only */
        name = json_text(benchmark, "name");
    json_t *lines = enter(index, name, micro_words_theme_length(name));
    json_t *line = lines ? enter(lines, name, strlen(name)) : NULL;
    if (line && !json_object_get(line, row))
        json_object_set(line, row, benchmark);
}

/* {theme: {benchmark: {row: Google Benchmark's object}}}, each in the order in which it first came.
 */
static json_t *index_results(json_t *results)
{
    json_t *index = json_object();
    const char *row;
    json_t *result;
    size_t i;
    json_t *benchmark;

    for (i = 0; i < micro_words_count; i++)
        json_object_set_new(index, micro_words[i].theme, json_object());
    json_object_foreach(results, row, result)
    {
        json_array_foreach(json_object_get(result, "benchmarks"), i, benchmark)
        {
            if (is_shown(benchmark))
                add(index, row, benchmark);
        }
    }
    return index;
}

/* Nanoseconds of an item; 0 where there is no such figure. */
static double each_ns(const json_t *benchmark)
{
    double per_second = json_number_value(json_object_get(benchmark, "items_per_second"));
    double ns = 1e9 / per_second;

    return per_second > 0 && isfinite(ns) ? ns : 0;
}

/* The first row has no ratio: its column is as much narrower. */
static int width_of(const char *row, int is_first)
{
    int figures = is_first ? TIME_WIDTH : TIME_WIDTH + RATIO_WIDTH;
    size_t length = strlen(row);

    return length < (size_t)figures ? figures : (int)length;
}

/* A cell without ratio leaves its room to `*pending`, for the next cell: no line ends in spaces. */
static void print_cell(FILE *out, const json_t *benchmark, double first_ns, int width, int *pending)
{
    const double ns = each_ns(benchmark);

    if (ns > 0)
        fprintf(out, " %*.2f", width + *pending, ns);
    else
        fprintf(out, " %*s", width + *pending,
                json_is_true(json_object_get(benchmark, "error_occurred")) ? "failed" : "n/a");
    *pending = 0;
    if (ns > 0 && first_ns > 0 && ns / first_ns < 99999)
        fprintf(out, " %*.2fx", RATIO_WIDTH - 2, ns / first_ns);
    else
        *pending = RATIO_WIDTH;
}

static void print_name(FILE *out, const char *name, int width)
{
    char shown[NAME_BYTES];

    snprintf(shown, sizeof shown, "%s", name);
    text_make_printable(shown);
    fprintf(out, "%-*s", width, shown);
}

static void print_line(FILE *out, json_t *results, const char *name, const json_t *line)
{
    const char *row;
    const json_t *result;
    double first_ns = 0;
    int is_first = 1, pending = 0;

    print_name(out, name, NAME_WIDTH);
    json_object_foreach(results, row, result)
    {
        const json_t *benchmark = json_object_get(line, row);
        const int width = width_of(row, is_first);

        print_cell(out, benchmark, first_ns, is_first ? width : width - RATIO_WIDTH, &pending);
        if (is_first) {
            first_ns = each_ns(benchmark);
            pending = 0; /* the first row's column has no room for one */
        }
        is_first = 0;
    }
    fputc('\n', out);
}

static void print_head(FILE *out, json_t *results)
{
    const char *row;
    const json_t *result;
    int is_first = 1;

    fprintf(out, "%-*s", NAME_WIDTH,
            json_object_size(results) > 1 ? "ns per item, and times the first" : "ns per item");
    json_object_foreach(results, row, result)
    {
        fprintf(out, " %*s", width_of(row, is_first), row);
        is_first = 0;
    }
    fputc('\n', out);
}

static void print_theme(FILE *out, json_t *results, const char *theme, json_t *lines)
{
    const struct micro_words *words = micro_words_find(theme);
    const char *name;
    const json_t *line;

    if (json_object_size(lines) == 0)
        return;
    fputc('\n', out);
    print_name(out, theme, 0);
    if (words)
        fprintf(out, ": %s; an item is %s", words->summary, words->item);
    fputc('\n', out);
    json_object_foreach(lines, name, line) print_line(out, results, name, line);
}

/* Why a row has no figure for a theme that another one has. */
static void print_reasons(FILE *out, json_t *results, json_t *index)
{
    const char *theme, *row;
    json_t *lines, *result;
    char key[NAME_BYTES], reason[2 * NAME_BYTES];

    json_object_foreach(index, theme, lines)
    {
        if (json_object_size(lines) == 0)
            continue;
        json_object_foreach(results, row, result)
        {
            snprintf(key, sizeof key, "tidemark_na_%s", theme);
            snprintf(reason, sizeof reason, "%s",
                     json_text(json_object_get(result, "context"), key));
            if (!reason[0])
                continue;
            text_make_printable(reason);
            fprintf(out, "n/a: %s: ", row);
            print_name(out, theme, 0);
            fprintf(out, " (%s)\n", reason);
        }
    }
}

static void print_failures(FILE *out, json_t *line, const char *name)
{
    const char *row;
    json_t *benchmark;
    char reason[2 * NAME_BYTES];

    json_object_foreach(line, row, benchmark)
    {
        if (!json_is_true(json_object_get(benchmark, "error_occurred")))
            continue;
        snprintf(reason, sizeof reason, "%s", json_text(benchmark, "error_message"));
        text_make_printable(reason);
        fprintf(out, "failed: %s: ", row);
        print_name(out, name, 0);
        fprintf(out, " (%s)\n", reason);
    }
}

/* What a loop that freed all left resident, where that is a matter of size. */
static void print_kept(FILE *out, json_t *line, const char *name)
{
    const double least_bytes = 1 << 20;
    const char *row;
    json_t *benchmark;
    char bytes[TEXT_NUMBER_BYTES];

    json_object_foreach(line, row, benchmark)
    {
        double kept = json_number_value(json_object_get(benchmark, "rss_bytes"));

        if (!(kept >= least_bytes))
            continue;
        fprintf(out, "kept: %s: ", row);
        print_name(out, name, 0);
        fprintf(out, " (%s more resident after the loop than before it)\n",
                text_format_bytes(bytes, kept));
    }
}

void micro_table_print(FILE *out, json_t *results)
{
    json_t *index = index_results(results);
    const char *theme, *name;
    json_t *lines, *line;

    if (json_object_size(results) > 0)
        print_head(out, results);
    json_object_foreach(index, theme, lines) print_theme(out, results, theme, lines);
    fputc('\n', out);
    print_reasons(out, results, index);
    json_object_foreach(index, theme, lines)
    {
        json_object_foreach(lines, name, line)
        {
            print_failures(out, line, name);
            print_kept(out, line, name);
        }
    }
    json_decref(index);
}
