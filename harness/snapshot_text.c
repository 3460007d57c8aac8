/*
 * Lines like tracemalloc's: see snapshot_text.h. The formats are those of CPython 3.11's
 * Lib/tracemalloc.py (_format_size, Statistic.__str__, StatisticDiff.__str__). Leaves out source
 * text, which need not be there any more.
 */
#include "harness/snapshot_text.h"

#include "harness/json_file.h"
#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *snapshot_format_size(char *text, double bytes, int has_sign)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    enum { UNITS = sizeof units / sizeof units[0] };

    for (size_t unit = 0; unit < UNITS; unit++) {
        const int is_last = unit + 1 == UNITS;
        if (fabs(bytes) < 100 && unit > 0) {
            snprintf(text, SNAPSHOT_SIZE_BYTES, has_sign ? "%+.1f %s" : "%.1f %s", bytes,
                     units[unit]);
            return text;
        }
        if (fabs(bytes) < 10 * 1024 || is_last) {
            snprintf(text, SNAPSHOT_SIZE_BYTES, has_sign ? "%+.0f %s" : "%.0f %s", bytes,
                     units[unit]);
            return text;
        }
        bytes /= 1024;
    }
    return text;
}

static double average(const struct snapshot_row *row)
{
    return (double)row->bytes / (double)row->count;
}

static void print_figures(FILE *out, const struct snapshot_row *row, int has_diff)
{
    char size[SNAPSHOT_SIZE_BYTES];

    fprintf(out, "size=%s", snapshot_format_size(size, (double)row->bytes, 0));
    if (has_diff)
        fprintf(out, " (%s)", snapshot_format_size(size, (double)row->bytes_diff, 1));
    fprintf(out, ", count=%" PRId64, row->count);
    if (has_diff)
        fprintf(out, " (%+" PRId64 ")", row->count_diff);
    if (row->count)
        fprintf(out, ", average=%s", snapshot_format_size(size, average(row), 0));
    putc('\n', out);
}

/* Indented, each of its lines. */
static void print_lines(FILE *out, const char *text)
{
    while (*text) {
        const size_t length = strcspn(text, "\n");
        fprintf(out, "    %.*s\n", (int)length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_row(FILE *out, const struct snapshot_row *row, enum snapshot_by by, int has_diff)
{
    if (by != SNAPSHOT_BY_STACK)
        fprintf(out, "%s: ", row->site);
    print_figures(out, row, has_diff);
    if (by == SNAPSHOT_BY_STACK)
        print_lines(out, row->site);
}

/* --- The head. --- */

/* What came from a file steers no terminal. */
static const char *printable(const json_t *object, const char *key, char *text, size_t text_bytes)
{
    snprintf(text, text_bytes, "%s", json_text(object, key));
    text_make_printable(text);
    return text;
}

void snapshot_print_head(FILE *out, const json_t *document)
{
    const json_t *snapshots = json_object_get(document, "snapshots"), *snapshot;
    const int is_named = json_is_string(json_object_get(document, "symbols"));
    char size[SNAPSHOT_SIZE_BYTES], name[64], text[1024];
    json_int_t lost = 0;
    size_t i;

    fprintf(out, "%s\n", printable(document, "recorded", text, sizeof text));
    fprintf(out, "stacks by %s, ", printable(document, "unwinder", name, sizeof name));
    fprintf(out, "lines by %s\n",
            is_named ? printable(document, "symbols", name, sizeof name)
                     : "nothing: it was recorded without libdw");
    json_array_foreach(snapshots, i, snapshot)
    {
        const struct snapshot_total total = snapshot_sum(snapshot);
        fprintf(out, "  %-2zu %-14s %8.2f s  size=%s, count=%" PRId64 "\n", i + 1,
                printable(snapshot, "name", name, sizeof name),
                (double)json_integer_value(json_object_get(snapshot, "time_ns")) / 1e9,
                snapshot_format_size(size, (double)total.bytes, 0), total.count);
        lost = json_integer_value(json_object_get(snapshot, "lost"));
    }
    if (lost > 0)
        fprintf(out,
                "%" JSON_INTEGER_FORMAT " blocks are not in it: there was no memory to record "
                "them\n",
                lost);
}

/* --- The comparison. --- */

/* The stacks of the site that changed most, of which the first is printed. */
static int find_offender(const struct snapshot_question *question, const struct snapshot_rows *rows,
                         struct snapshot_rows *stacks)
{
    struct snapshot_question narrowed = *question;

    narrowed.only = rows->rows[0].site;
    narrowed.only_by = question->by;
    narrowed.by = SNAPSHOT_BY_STACK;
    return snapshot_compare(&narrowed, stacks);
}

static void print_offender(FILE *out, const struct snapshot_question *question,
                           const struct snapshot_rows *rows, const struct snapshot_rows *stacks)
{
    if (stacks->count == 1)
        fprintf(out, "\nThe biggest: %s, its only stack:\n  ", rows->rows[0].site);
    else
        fprintf(out, "\nThe biggest: %s, the most changed of its %zu stacks:\n  ",
                rows->rows[0].site, stacks->count);
    print_figures(out, &stacks->rows[0], question->from.snapshot != NULL);
    print_lines(out, stacks->rows[0].site);
}

static void print_title(FILE *out, const struct snapshot_question *question, size_t shown)
{
    char to[64], from[64];

    printable(question->to.snapshot, "name", to, sizeof to);
    if (question->from.snapshot)
        fprintf(out, "\nTop %zu by %s, what %s has more than %s:\n", shown,
                snapshot_by_name(question->by), to,
                printable(question->from.snapshot, "name", from, sizeof from));
    else
        fprintf(out, "\nTop %zu by %s at %s:\n", shown, snapshot_by_name(question->by), to);
}

static void print_others(FILE *out, const struct snapshot_rows *rows, size_t shown, int has_diff)
{
    struct snapshot_row others = {.bytes = 0}, total = {.bytes = 0};

    for (size_t i = 0; i < rows->count; i++) {
        struct snapshot_row *sums[] = {&total, &others};
        for (size_t sum = 0; sum < (i < shown ? 1u : 2u); sum++) {
            sums[sum]->bytes += rows->rows[i].bytes;
            sums[sum]->bytes_diff += rows->rows[i].bytes_diff;
            sums[sum]->count += rows->rows[i].count;
            sums[sum]->count_diff += rows->rows[i].count_diff;
        }
    }
    if (rows->count > shown) {
        fprintf(out, "%zu other: ", rows->count - shown);
        print_figures(out, &others, has_diff);
    }
    fputs("Total: ", out);
    print_figures(out, &total, has_diff);
}

int snapshot_print(FILE *out, const struct snapshot_question *question, size_t top)
{
    const int has_diff = question->from.snapshot != NULL;
    struct snapshot_rows rows, stacks = {.rows = NULL};
    int error = snapshot_compare(question, &rows);

    if (error)
        return error;
    const size_t shown = rows.count < top ? rows.count : top;
    print_title(out, question, shown);
    for (size_t i = 0; i < shown; i++)
        print_row(out, &rows.rows[i], question->by, has_diff);
    print_others(out, &rows, shown, has_diff);
    if (rows.count > 0 && question->by != SNAPSHOT_BY_STACK)
        error = find_offender(question, &rows, &stacks);
    if (!error && stacks.count > 0)
        print_offender(out, question, &rows, &stacks);
    snapshot_rows_free(&stacks);
    snapshot_rows_free(&rows);
    return error;
}

/* --- JSON. --- */

static json_t *site_to_json(const char *site, enum snapshot_by by)
{
    if (by != SNAPSHOT_BY_STACK)
        return json_string(site);
    json_t *lines = json_array();
    while (*site) {
        const size_t length = strcspn(site, "\n");
        json_array_append_new(lines, json_stringn(site, length));
        site += length + (site[length] == '\n');
    }
    return lines;
}

static json_t *row_to_json(const struct snapshot_row *row, enum snapshot_by by, int has_diff)
{
    json_t *object =
        json_pack("{s:o, s:I, s:I}", snapshot_by_name(by), site_to_json(row->site, by),
                  "size_bytes", (json_int_t)row->bytes, "count", (json_int_t)row->count);

    if (has_diff) {
        json_object_set_new(object, "size_diff_bytes", json_integer(row->bytes_diff));
        json_object_set_new(object, "count_diff", json_integer(row->count_diff));
    }
    return object;
}

static json_t *totals_to_json(const json_t *document)
{
    json_t *totals = json_array();
    size_t i;
    const json_t *snapshot;

    json_array_foreach(json_object_get(document, "snapshots"), i, snapshot)
    {
        const struct snapshot_total total = snapshot_sum(snapshot);
        json_array_append_new(totals,
                              json_pack("{s:O, s:O, s:O, s:O, s:I, s:I}", "name",
                                        json_object_get(snapshot, "name"), "time_ns",
                                        json_object_get(snapshot, "time_ns"), "lost",
                                        json_object_get(snapshot, "lost"), "live_bytes",
                                        json_object_get(snapshot, "live_bytes"), "size_bytes",
                                        (json_int_t)total.bytes, "count", (json_int_t)total.count));
    }
    return totals;
}

static json_t *rows_to_json(const struct snapshot_question *question,
                            const struct snapshot_rows *rows, size_t top)
{
    json_t *array = json_array();

    for (size_t i = 0; i < rows->count && i < top; i++)
        json_array_append_new(
            array, row_to_json(&rows->rows[i], question->by, question->from.snapshot != NULL));
    return array;
}

json_t *snapshot_to_json(const struct snapshot_question *question, size_t top)
{
    const json_t *document = question->to.document;
    struct snapshot_rows rows, stacks = {.rows = NULL};

    if (snapshot_compare(question, &rows) != 0)
        return NULL;
    json_t *object = json_pack(
        "{s:O, s:O, s:O?, s:o, s:O?, s:O, s:s, s:o}", "recorded",
        json_object_get(document, "recorded"), "unwinder", json_object_get(document, "unwinder"),
        "symbols", json_object_get(document, "symbols"), "snapshots", totals_to_json(document),
        "from", json_object_get(question->from.snapshot, "name"), "to",
        json_object_get(question->to.snapshot, "name"), "by", snapshot_by_name(question->by),
        "rows", rows_to_json(question, &rows, top));
    if (rows.count > 0 && find_offender(question, &rows, &stacks) == 0 && stacks.count > 0)
        json_object_set_new(
            object, "biggest",
            row_to_json(&stacks.rows[0], SNAPSHOT_BY_STACK, question->from.snapshot != NULL));
    snapshot_rows_free(&stacks);
    snapshot_rows_free(&rows);
    return object;
}
