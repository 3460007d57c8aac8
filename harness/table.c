/*
 * One block per experiment, one line per row; noise beneath them all. Leaves out figures that need
 * a sentence to be read: the report has those.
 */
#include "harness/table.h"

#include "harness/json_file.h"
#include "harness/return_way.h"
#include "harness/row.h"
#include "harness/text.h"
#include "harness/until_summary.h"

#include <math.h>
#include <string.h>

enum { LONGEST_ROW = 50, PHASE_WIDTH = 19, TIME_AND_GAP = 11 };

static int has(const json_t *figure, const char *key)
{
    return json_is_number(json_object_get(figure, key));
}

static double part(const json_t *figure, const char *key)
{
    return json_number_value(json_object_get(figure, key));
}

/* Whether the last part of each path tells all rows apart. */
static int can_be_short(const json_t *summary)
{
    char name[ROW_TEXT_BYTES];
    json_t *known = json_object();
    int can = 1;
    size_t i;
    const json_t *cell;

    json_array_foreach(summary, i, cell)
    {
        json_t *row = json_object_get(cell, "allocator");
        row_short_name(json_text(cell, "allocator"), name);
        can &= !json_object_get(known, name) || json_equal(json_object_get(known, name), row);
        json_object_set(known, name, row);
    }
    json_decref(known);
    return can;
}

/* How the table names the row of a cell. `name` holds ROW_TEXT_BYTES; returned. */
static const char *row_name(const json_t *cell, int is_short, char *name)
{
    if (is_short)
        return row_short_name(json_text(cell, "allocator"), name);
    snprintf(name, ROW_TEXT_BYTES, "%s", json_text(cell, "allocator"));
    return name;
}

int table_same_experiment(const json_t *a, const json_t *b)
{
    static const char *const keys[] = {"workload", "params",      "host", "idle_ns",
                                       "return",   "activity_ns", "thp",  "rebuild"};

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        const json_t *of_a = json_object_get(a, keys[i]), *of_b = json_object_get(b, keys[i]);
        if (of_a != of_b && !json_equal(of_a, of_b))
            return 0;
    }
    return 1;
}

/* How it gives back, where that is not as it comes. */
static void print_way(FILE *out, const json_t *cell)
{
    const double activity_ns = part(cell, "activity_ns");
    const struct return_way usual = {0};
    struct return_way way = {.activity_ns = activity_ns > 0 ? (uint64_t)activity_ns : 0};
    char text[RETURN_WAY_TEXT_BYTES];

    return_mode_parse(json_text(cell, "return"), &way.mode);
    return_thp_parse(json_text(cell, "thp"), &way.thp);
    if (!return_way_is_same(&way, &usual))
        fprintf(out, ", return %s", return_way_text(&way, text));
}

void table_print_experiment(FILE *out, const json_t *cell)
{
    const double idle_ns = json_number_value(json_object_get(cell, "idle_ns"));
    char idle[TEXT_NUMBER_BYTES];
    const char *name;
    json_t *value;

    fprintf(out, "\n%s", json_text(cell, "workload"));
    json_object_foreach(json_object_get(cell, "params"), name, value)
        fprintf(out, " %s=%s", name, json_string_value(value));
    fprintf(out, "  (host %s, %s idle at the end", json_text(cell, "host"),
            idle_ns > 0 ? text_format_duration(idle, idle_ns) : "not");
    print_way(out, cell);
    fputs(")\n", out);
}

static void print_headings(FILE *out, const json_t *cell, int row_width)
{
    (void)cell;
    fprintf(out, "  %-*s %9s %-19s %10s %10s %11s %10s %3s\n", row_width, "row", "time",
            "  95 % interval", "peak", "retained", "given back", "of freed", "n");
}

static void print_interval(FILE *out, const json_t *wall)
{
    char low[TEXT_NUMBER_BYTES], high[TEXT_NUMBER_BYTES], both[2 * TEXT_NUMBER_BYTES + 8];

    if (!has(wall, "low")) {
        fprintf(out, " %-19s", "  -");
        return;
    }
    snprintf(both, sizeof both, "[%s, %s]", text_format_duration(low, part(wall, "low")),
             text_format_duration(high, part(wall, "high")));
    fprintf(out, " %-19s", both);
}

static void print_bytes(FILE *out, const json_t *figure)
{
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, " %10s",
            has(figure, "median") ? text_format_bytes(text, part(figure, "median")) : "n/a");
}

static void print_ratio(FILE *out, const json_t *figure, int width)
{
    if (has(figure, "median"))
        fprintf(out, " %*.1f %%", width - 2, 100 * part(figure, "median"));
    else
        fprintf(out, " %*s", width, "n/a");
}

/* A reason may be what a child said last on stderr: colours, cursor movements. */
static void print_reason(FILE *out, const json_t *cell)
{
    char reason[1024];

    snprintf(reason, sizeof reason, "%s", json_text(cell, "reason"));
    text_make_printable(reason);
    fprintf(out, " %s: %s", json_text(cell, "status"), reason);
}

static void print_cell(FILE *out, const json_t *cell, int row_width, const char *name)
{
    char text[TEXT_NUMBER_BYTES];
    const json_t *wall = json_object_get(cell, "wall_ns");

    fprintf(out, "  %-*s", row_width, name);
    if (has(wall, "median")) {
        fprintf(out, " %9s", text_format_duration(text, part(wall, "median")));
        print_interval(out, wall);
        print_bytes(out, json_object_get(cell, "peak_bytes"));
        print_bytes(out, json_object_get(cell, "retained_bytes"));
        print_ratio(out, json_object_get(cell, "return_ratio"), 11);
        print_ratio(out, json_object_get(cell, "return_ratio_live"), 10);
        fprintf(out, " %3lld", (long long)json_integer_value(json_object_get(cell, "samples")));
        until_summary_print_row(out, cell);
    }
    if (strcmp(json_text(cell, "status"), "ok") != 0)
        print_reason(out, cell);
    fputc('\n', out);
}

/* Right-aligned; a name that is longer than the column is cut. */
static void print_phase_names(FILE *out, const json_t *cell, int row_width)
{
    size_t i;
    const json_t *phase;

    fprintf(out, "  %-*s", row_width, "row");
    json_array_foreach(json_object_get(cell, "phases"), i, phase)
        fprintf(out, "  %*.*s", PHASE_WIDTH, PHASE_WIDTH, json_text(phase, "name"));
    fputc('\n', out);
}

/* The part of what is resident that the kernel may take when it wants to, if there is any. */
static void print_lazy(FILE *out, const json_t *cell, int row_width)
{
    char bytes[TEXT_NUMBER_BYTES];
    double most_bytes = 0;
    size_t i;
    const json_t *phase;

    json_array_foreach(json_object_get(cell, "phases"), i, phase) most_bytes =
        fmax(most_bytes, part(phase, "lazyfree_bytes"));
    if (most_bytes == 0)
        return;
    fprintf(out, "  %-*s", row_width, "  of it LazyFree");
    json_array_foreach(json_object_get(cell, "phases"), i, phase)
        fprintf(out, "%*s%10s", i > 0 ? TIME_AND_GAP : 2, "",
                text_format_bytes(bytes, part(phase, "lazyfree_bytes")));
    fputc('\n', out);
}

/* What is resident at the end of each phase above the baseline, and what the phase took. */
static void print_cell_phases(FILE *out, const json_t *cell, int row_width, const char *name)
{
    char bytes[TEXT_NUMBER_BYTES], time[TEXT_NUMBER_BYTES];
    const double baseline_bytes = part(json_object_get(cell, "baseline_bytes"), "median");
    size_t i;
    const json_t *phase;

    fprintf(out, "  %-*s", row_width, name);
    json_array_foreach(json_object_get(cell, "phases"), i, phase)
    {
        double above_bytes = part(phase, "rss_bytes") - baseline_bytes;
        fprintf(out, "  %10s %8s", text_format_bytes(bytes, above_bytes > 0 ? above_bytes : 0),
                text_format_duration(time, part(phase, "wall_ns")));
    }
    if (strcmp(json_text(cell, "status"), "ok") != 0)
        print_reason(out, cell);
    fputc('\n', out);
    print_lazy(out, cell, row_width);
}

static int widest_row(const json_t *summary, int is_short)
{
    char name[ROW_TEXT_BYTES];
    size_t widest = 3, i;
    const json_t *cell;

    json_array_foreach(summary, i, cell)
    {
        size_t length = strlen(row_name(cell, is_short, name));
        widest = length > widest ? length : widest;
    }
    return widest > LONGEST_ROW ? LONGEST_ROW : (int)widest;
}

static int is_control(const json_t *cell)
{
    return json_is_true(json_object_get(cell, "control"));
}

/* "time x1.003 [0.981, 1.032]" */
static void print_floor(FILE *out, const char *name, const json_t *figure)
{
    if (!has(figure, "median")) {
        fprintf(out, "%s n/a", name);
        return;
    }
    fprintf(out, "%s x%.3f", name, part(figure, "median"));
    if (has(figure, "low"))
        fprintf(out, " [%.3f, %.3f]", part(figure, "low"), part(figure, "high"));
}

static void print_control(FILE *out, const json_t *cell, int is_short)
{
    char name[ROW_TEXT_BYTES];
    const json_t *floor = json_object_get(cell, "noise_floor");

    fprintf(out,
            "A/A: %s against itself in %s (host %s, %lld pairs): ", row_name(cell, is_short, name),
            json_text(cell, "workload"), json_text(cell, "host"),
            (long long)json_integer_value(json_object_get(floor, "pairs")));
    print_floor(out, "time", json_object_get(floor, "wall_ns"));
    print_floor(out, ", peak", json_object_get(floor, "peak_bytes"));
    print_floor(out, ", retained", json_object_get(floor, "retained_bytes"));
    fputc('\n', out);
}

static size_t sum(const json_t *summary, const char *key)
{
    json_int_t total = 0;
    size_t i;
    const json_t *cell;

    json_array_foreach(summary, i, cell) total += json_integer_value(json_object_get(cell, key));
    return (size_t)total;
}

/* 1 when the samples say whether they are dirty: those of earlier versions do not. */
static int knows_dirty(const json_t *summary)
{
    size_t i;
    const json_t *cell;

    json_array_foreach(summary, i, cell)
    {
        if (json_is_integer(json_object_get(cell, "dirty")))
            return 1;
    }
    return 0;
}

static void print_steadiness(FILE *out, const json_t *summary, int is_short)
{
    size_t controls = 0, i;
    const json_t *cell;

    if (knows_dirty(summary))
        fputc('\n', out);
    json_array_foreach(summary, i, cell)
    {
        if (!is_control(cell) || !json_is_object(json_object_get(cell, "noise_floor")))
            continue;
        print_control(out, cell, is_short);
        controls++;
    }
    if (controls > 0)
        fputs("     Differences smaller than this can't be told from noise in this run.\n", out);
    if (!knows_dirty(summary))
        return;
    fprintf(out, "dirty samples, before which something else used the machine: %zu;",
            sum(summary, "dirty"));
    fprintf(out, " samples taken once more for them: %zu\n", sum(summary, "repeats"));
}

void table_print_blocks(FILE *out, const json_t *summary, table_columns *columns, table_row *row)
{
    const int is_short = can_be_short(summary);
    const int row_width = widest_row(summary, is_short);
    char name[ROW_TEXT_BYTES];
    const json_t *before = NULL, *cell;
    size_t i;

    json_array_foreach(summary, i, cell)
    {
        if (is_control(cell))
            continue;
        if (!before || !table_same_experiment(before, cell)) {
            table_print_experiment(out, cell);
            columns(out, cell, row_width);
        }
        row(out, cell, row_width, row_name(cell, is_short, name));
        before = cell;
    }
}

void table_print_phases(FILE *out, const json_t *summary)
{
    table_print_blocks(out, summary, print_phase_names, print_cell_phases);
    fputs("\nOf each phase: what is resident at its end above the process's own baseline, and how "
          "long it took; medians.\n",
          out);
}

void table_print(FILE *out, const json_t *summary)
{
    table_print_blocks(out, summary, print_headings, print_cell);
    fputs("\npeak is absolute; retained is above the process's own baseline, at the end of the "
          "last phase.\n"
          "given back: share of the peak that went back, against the objects that the program "
          "still holds;\n"
          "of freed: the same against what the allocator was still asked to keep.\n"
          "Both are n/a where less than 1 MiB could have come back.\n",
          out);
    print_steadiness(out, summary, can_be_short(summary));
    until_summary_print(out, summary);
}
