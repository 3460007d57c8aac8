/*
 * One block for each workload and host, a line for each row and way. Leaves out what is zero
 * throughout: LazyFree has a line of its own only where there is some.
 */
#include "harness/return_table.h"

#include "harness/json_file.h"
#include "harness/moments.h"
#include "harness/return_way.h"
#include "harness/row.h"
#include "harness/text.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

enum { LONGEST_ROW = 44, WAY_WIDTH = 26 };

static const char *const group_keys[] = {"workload", "params", "host"};

static int is_same_group(const json_t *a, const json_t *b)
{
    for (size_t i = 0; i < sizeof group_keys / sizeof group_keys[0]; i++) {
        if (!json_equal(json_object_get(a, group_keys[i]), json_object_get(b, group_keys[i])))
            return 0;
    }
    return 1;
}

static json_t *line_of(const json_t *cell)
{
    static const char *const keys[] = {
        "workload",
        "params",
        "host",
        "allocator",
        "return",
        "activity_ns",
        "thp",
        "idle_ns",
        "status",
        "reason",
        "samples",
        "wall_ns",
        "minor_faults",
        "peak_bytes",
        "baseline_bytes",
        "retained_bytes",
        "return_ratio",
        "moments",
        "returnable_bytes",
        "watched_ns",
        "give_back_50_ns",
        "give_back_90_ns",
        "give_back_ns",
        "rebuild_ns",
        "rebuild_minor_faults",
        "beside_stock",
    };
    json_t *line = json_object();

    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
        json_object_set(line, keys[i], json_object_get(cell, keys[i]));
    return line;
}

static int is_control(const json_t *cell)
{
    return json_is_true(json_object_get(cell, "control"));
}

static int is_same_row(const json_t *a, const json_t *b)
{
    return is_same_group(a, b) &&
           json_equal(json_object_get(a, "allocator"), json_object_get(b, "allocator"));
}

typedef int is_alike(const json_t *a, const json_t *b);

/* Whether a cell before `index` is like it: that has then brought this one in. */
static int is_second(const json_t *summary, size_t index, is_alike *alike)
{
    const json_t *cell = json_array_get(summary, index);

    for (size_t i = 0; i < index; i++) {
        const json_t *before = json_array_get(summary, i);
        if (!is_control(before) && alike(before, cell))
            return 1;
    }
    return 0;
}

/* All ways of the row of cell `index`, in the order of the plan. */
static void add_row(json_t *table, const json_t *summary, size_t index)
{
    const json_t *cell = json_array_get(summary, index);

    for (size_t i = index; i < json_array_size(summary); i++) {
        const json_t *other = json_array_get(summary, i);
        if (!is_control(other) && is_same_row(cell, other))
            json_array_append_new(table, line_of(other));
    }
}

json_t *return_table(const json_t *summary)
{
    json_t *table = json_array();
    size_t i;
    const json_t *cell;

    json_array_foreach(summary, i, cell)
    {
        if (is_control(cell) || is_second(summary, i, is_same_group))
            continue;
        for (size_t j = i; j < json_array_size(summary); j++) {
            const json_t *other = json_array_get(summary, j);
            if (!is_control(other) && is_same_group(cell, other) &&
                !is_second(summary, j, is_same_row))
                add_row(table, summary, j);
        }
    }
    return table;
}

/* For people. */

static int has(const json_t *figure, const char *key)
{
    return json_is_number(json_object_get(figure, key));
}

static double part(const json_t *figure, const char *key)
{
    return json_number_value(json_object_get(figure, key));
}

static const json_t *moment_at(const json_t *line, size_t index)
{
    size_t i;
    const json_t *moment;

    json_array_foreach(json_object_get(line, "moments"), i, moment)
    {
        if (part(moment, "after_ns") == (double)moment_after_ns[index])
            return moment;
    }
    return NULL;
}

static const json_t *last_moment(const json_t *line)
{
    const json_t *moments = json_object_get(line, "moments");
    size_t count = json_array_size(moments);

    return count ? json_array_get(moments, count - 1) : NULL;
}

static struct return_way way_of(const json_t *line)
{
    struct return_way way = {0};
    double activity_ns = part(line, "activity_ns");

    return_mode_parse(json_text(line, "return"), &way.mode);
    return_thp_parse(json_text(line, "thp"), &way.thp);
    way.activity_ns = activity_ns > 0 ? (uint64_t)activity_ns : 0;
    return way;
}

/* "0.1 s": without the three digits of text_format_duration. */
static const char *moment_name(size_t index, char *text)
{
    snprintf(text, TEXT_NUMBER_BYTES, "%g s", (double)moment_after_ns[index] / 1e9);
    return text;
}

static void print_group(FILE *out, const json_t *line, int row_width)
{
    const char *name;
    json_t *value;
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, "\n%s", json_text(line, "workload"));
    json_object_foreach(json_object_get(line, "params"), name, value)
        fprintf(out, " %s=%s", name, json_string_value(value));
    fprintf(out, "  (host %s)\n  %-*s %-*s %9s ", json_text(line, "host"), row_width, "row",
            WAY_WIDTH, "return", "peak");
    for (size_t i = 0; i < MOMENTS; i++)
        fprintf(out, " %9s", moment_name(i, text));
    fprintf(out, " %9s %7s %9s %9s %9s %7s %9s %8s %9s %8s %7s\n", "end", "back", "50 %", "90 %",
            "MB*s", "time", "asking", "tables", "charge", "rebuild", "faults");
}

static void print_bytes(FILE *out, const json_t *figure, int width)
{
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, " %*s", width,
            has(figure, "median") ? text_format_bytes(text, part(figure, "median")) : "-");
}

static void print_duration(FILE *out, const json_t *figure, int width)
{
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, " %*s", width,
            has(figure, "median") ? text_format_duration(text, part(figure, "median")) : "-");
}

/* Null in a figure is a share that most samples never gave back. */
static void print_time_to(FILE *out, const json_t *figure)
{
    if (json_is_object(figure) && !has(figure, "median"))
        fprintf(out, " %9s", "never");
    else
        print_duration(out, figure, 9);
}

static void print_ratio(FILE *out, double above, double below, int width)
{
    char text[TEXT_NUMBER_BYTES];

    snprintf(text, sizeof text, "x%.2f", above / below);
    fprintf(out, " %*s", width, above > 0 && below > 0 ? text : "-");
}

/* What it costs to take the memory again, beside what it cost first. */
static void print_rebuild(FILE *out, const json_t *line)
{
    const json_t *time = json_object_get(line, "rebuild_ns");
    const json_t *faults = json_object_get(line, "rebuild_minor_faults");

    print_ratio(out, part(time, "median"), part(json_object_get(line, "wall_ns"), "median"), 8);
    print_ratio(out, part(faults, "median"), part(json_object_get(line, "minor_faults"), "median"),
                7);
}

static void print_figures(FILE *out, const json_t *line)
{
    const json_t *last = last_moment(line);
    const json_t *excess = json_object_get(last, "excess_byte_seconds");
    const json_t *ratio = json_object_get(line, "return_ratio");
    const json_t *beside = json_object_get(json_object_get(line, "beside_stock"), "wall_ns");

    print_bytes(out, json_object_get(line, "peak_bytes"), 9);
    fputc(' ', out);
    for (size_t i = 0; i < MOMENTS; i++)
        print_bytes(out, json_object_get(moment_at(line, i), "retained_bytes"), 9);
    print_bytes(out, json_object_get(line, "retained_bytes"), 9);
    if (has(ratio, "median"))
        fprintf(out, " %5.1f %%", 100 * part(ratio, "median"));
    else
        fprintf(out, " %7s", "-");
    print_time_to(out, json_object_get(line, "give_back_50_ns"));
    print_time_to(out, json_object_get(line, "give_back_90_ns"));
    if (has(excess, "median"))
        fprintf(out, " %9.1f", part(excess, "median") / 1e6);
    else
        fprintf(out, " %9s", "-");
    print_ratio(out, part(beside, "median"), 1, 7);
    print_duration(out, json_object_get(line, "give_back_ns"), 9);
    print_bytes(out, json_object_get(last, "page_table_bytes"), 8);
    print_bytes(out, json_object_get(last, "charge_bytes"), 9);
    print_rebuild(out, line);
}

/* What of it the kernel may take when it wants to. */
static void print_lazy(FILE *out, const json_t *line, int row_width)
{
    double most_bytes = 0;

    for (size_t i = 0; i < MOMENTS; i++)
        most_bytes =
            fmax(most_bytes, part(json_object_get(moment_at(line, i), "lazyfree_bytes"), "median"));
    if (most_bytes == 0)
        return;
    fprintf(out, "  %-*s %9s ", row_width + 1 + WAY_WIDTH, "  of it LazyFree", "");
    for (size_t i = 0; i < MOMENTS; i++)
        print_bytes(out, json_object_get(moment_at(line, i), "lazyfree_bytes"), 9);
    fputc('\n', out);
}

static void print_line(FILE *out, const json_t *line, int row_width)
{
    const struct return_way way = way_of(line);
    char name[ROW_TEXT_BYTES], text[RETURN_WAY_TEXT_BYTES], reason[1024];

    fprintf(out, "  %-*s %-*s", row_width, row_short_name(json_text(line, "allocator"), name),
            WAY_WIDTH, return_way_text(&way, text));
    if (has(json_object_get(line, "wall_ns"), "median"))
        print_figures(out, line);
    if (strcmp(json_text(line, "status"), "ok") != 0) {
        snprintf(reason, sizeof reason, "%s", json_text(line, "reason"));
        text_make_printable(reason);
        fprintf(out, " %s: %s", json_text(line, "status"), reason);
    }
    fputc('\n', out);
    print_lazy(out, line, row_width);
}

static int widest_row(const json_t *table)
{
    char name[ROW_TEXT_BYTES];
    size_t widest = strlen("row"), i;
    const json_t *line;

    json_array_foreach(table, i, line)
    {
        size_t length = strlen(row_short_name(json_text(line, "allocator"), name));
        widest = length > widest ? length : widest;
    }
    return widest > LONGEST_ROW ? LONGEST_ROW : (int)widest;
}

void return_table_print(FILE *out, const json_t *table)
{
    const int row_width = widest_row(table);
    const json_t *before = NULL, *line;
    size_t i;

    json_array_foreach(table, i, line)
    {
        if (!before || !is_same_group(before, line))
            print_group(out, line, row_width);
        print_line(out, line, row_width);
        before = line;
    }
    fputs(
        "\nMedians. 0 s to 30 s: resident above the process's own baseline, so long after the "
        "last free; - where the rest was shorter; end: after all, pressure included.\n"
        "back: share of the peak that had gone back at the end, above the objects that the program "
        "still holds.\n"
        "50 %, 90 %: when that share of what the allocator could have given back was gone; never "
        "means not until the end.\n"
        "MB*s: resident memory above baseline and live blocks, summed over time to the last "
        "moment shown.\n"
        "time: the program's own time beside that of the same row in stock; asking: what the "
        "purge, or the kernel's pressure, took.\n"
        "tables, charge: page tables, and all that the kernel charges to the sample's group, at "
        "the last moment shown.\n"
        "rebuild, faults: time and page faults of running once more, beside those of the first "
        "time.\n",
        out);
}
