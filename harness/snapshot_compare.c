/*
 * Sites of two snapshots under the same texts, sorted, merged and sorted again: see
 * snapshot_compare.h. Texts and not numbers, so that two files can be compared. Leaves out any
 * threshold: what changed little is at the end.
 */
#define _GNU_SOURCE
#include "harness/snapshot_compare.h"

#include "harness/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { FRAME_HEAD = 2, CALL_FIELDS = 3, FUNCTION = 0, FILE_NAME = 1, LINE = 2 };
enum { SITE_FIELDS = 5, STACK = 0, DOMAIN = 1, LABEL = 2, COUNT = 3, BYTES = 4 };

static const char *const by_names[] = {[SNAPSHOT_BY_LINE] = "line",
                                       [SNAPSHOT_BY_STACK] = "stack",
                                       [SNAPSHOT_BY_TYPE] = "type",
                                       [SNAPSHOT_BY_DOMAIN] = "domain"};

const char *snapshot_by_name(enum snapshot_by by)
{
    return by_names[by];
}

int snapshot_by_parse(const char *text, enum snapshot_by *by)
{
    for (size_t i = 0; i < sizeof by_names / sizeof by_names[0]; i++) {
        if (strcmp(by_names[i], text) == 0) {
            *by = (enum snapshot_by)i;
            return 0;
        }
    }
    return -EINVAL;
}

/* --- Calls of a stack. --- */

/*
 * Code between a program and its allocator, which asks for memory on behalf of whoever called it: a
 * reader wants the line of that caller.
 */
static int is_in_between(const char *file)
{
    static const char *const files[] = {"workloads/objects/heap.h", "workloads/objects/heap.c",
                                        "workloads/objects/collector.c"};

    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (strcmp(file, files[i]) == 0)
            return 1;
    }
    return 0;
}

static const char *text_at(const json_t *array, size_t at)
{
    return json_string_value(json_array_get(array, at));
}

static json_int_t number_at(const json_t *array, size_t at)
{
    return json_integer_value(json_array_get(array, at));
}

/* "/usr/lib/libz.so.1.2.13" is "libz.so.1.2.13". */
static const char *module_of(const json_t *document, const json_t *frame)
{
    const json_int_t module = number_at(frame, 0);
    const char *path =
        module < 0
            ? "?"
            : text_at(json_array_get(json_object_get(document, "modules"), (size_t)module), 0);
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* The call that begins at `at` in `frame`, as a site: its line, or its function, or its offset. */
static int print_site(FILE *out, const json_t *document, const json_t *frame, size_t at)
{
    if (at >= json_array_size(frame))
        return fprintf(out, "%s+0x%" PRIx64, module_of(document, frame),
                       (uint64_t)number_at(frame, 1));
    if (text_at(frame, at + FILE_NAME)[0])
        return fprintf(out, "%s:%" JSON_INTEGER_FORMAT, text_at(frame, at + FILE_NAME),
                       number_at(frame, at + LINE));
    return fprintf(out, "%s:%s", module_of(document, frame), text_at(frame, at + FUNCTION));
}

static void print_call(FILE *out, const json_t *document, const json_t *frame, size_t at)
{
    print_site(out, document, frame, at);
    if (at < json_array_size(frame) && text_at(frame, at + FILE_NAME)[0] &&
        text_at(frame, at + FUNCTION)[0])
        fprintf(out, " %s", text_at(frame, at + FUNCTION));
}

struct stack_walk {
    const json_t *document, *stacks, *frames;
    json_int_t stack; /* 0: at the end */
};

static struct stack_walk walk(const json_t *document, json_int_t stack)
{
    return (struct stack_walk){.document = document,
                               .stacks = json_object_get(document, "stacks"),
                               .frames = json_object_get(document, "frames"),
                               .stack = stack};
}

/* The frame that the walk stands at; it then stands at the next one outwards. */
static const json_t *walk_out(struct stack_walk *at)
{
    const size_t pair = ((size_t)at->stack - 1) * 2;
    const json_t *frame = json_array_get(at->frames, (size_t)number_at(at->stacks, pair + 1));

    at->stack = number_at(at->stacks, pair);
    return frame;
}

static void print_line_of(FILE *out, const json_t *document, json_int_t stack)
{
    struct stack_walk at = walk(document, stack);

    while (at.stack) {
        const json_t *frame = walk_out(&at);
        size_t call = FRAME_HEAD;
        while (call < json_array_size(frame) && is_in_between(text_at(frame, call + FILE_NAME)))
            call += CALL_FIELDS;
        if (call < json_array_size(frame) || json_array_size(frame) == FRAME_HEAD || !at.stack) {
            print_site(out, document, frame, call);
            return;
        }
    }
    fputs("(unknown)", out);
}

static void print_stack_of(FILE *out, const json_t *document, json_int_t stack)
{
    struct stack_walk at = walk(document, stack);
    const char *between = "";

    while (at.stack) {
        const json_t *frame = walk_out(&at);
        size_t call = FRAME_HEAD;
        do {
            fputs(between, out);
            print_call(out, document, frame, call);
            between = "\n";
            call += CALL_FIELDS;
        } while (call < json_array_size(frame));
    }
    if (!between[0])
        fputs("(unknown)", out);
}

/* --- Rows. --- */

/* All but the ends of lines, which separate the calls of a stack. */
static void make_lines_printable(char *text)
{
    for (char *end = text; end; text = end ? end + 1 : NULL) {
        end = strchr(text, '\n');
        if (end)
            *end = '\0';
        text_make_printable(text);
        if (end)
            *end = '\n';
    }
}

/* A site's text in a grouping; the caller frees it. NULL without memory. */
static char *site_text(const json_t *document, const json_t *sites, size_t at, enum snapshot_by by)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);
    const json_int_t label = number_at(sites, at + LABEL);

    if (!out)
        return NULL;
    if (by == SNAPSHOT_BY_LINE)
        print_line_of(out, document, number_at(sites, at + STACK));
    else if (by == SNAPSHOT_BY_STACK)
        print_stack_of(out, document, number_at(sites, at + STACK));
    else if (by == SNAPSHOT_BY_TYPE)
        fputs(label ? text_at(json_object_get(document, "labels"), (size_t)label - 1) : "(storage)",
              out);
    else
        fputs(text_at(json_object_get(document, "domains"), (size_t)number_at(sites, at + DOMAIN)),
              out);
    if (fclose(out) != 0) {
        free(text);
        return NULL;
    }
    make_lines_printable(text); /* a document may come from anywhere */
    return text;
}

/* Returns 0 when the site is none of those that are asked for, 1, or -ENOMEM. */
static int is_asked(const struct snapshot_question *question, const json_t *document,
                    const json_t *sites, size_t at)
{
    if (!question->only)
        return 1;
    char *text = site_text(document, sites, at, question->only_by);
    if (!text)
        return -ENOMEM;
    const int is_it = strcmp(text, question->only) == 0;
    free(text);
    return is_it;
}

/* A row for each site of `place`, as growth, or as what `from` had when `is_from`. */
static int add_rows(const struct snapshot_question *question, const struct snapshot_place *place,
                    int is_from, struct snapshot_rows *rows)
{
    const json_t *sites = json_object_get(place->snapshot, "sites");

    for (size_t at = 0; at < json_array_size(sites); at += SITE_FIELDS) {
        const int64_t count = number_at(sites, at + COUNT), bytes = number_at(sites, at + BYTES);
        const int asked = is_asked(question, place->document, sites, at);
        if (asked <= 0) {
            if (asked < 0)
                return asked;
            continue;
        }
        struct snapshot_row *row = &rows->rows[rows->count];
        *row = (struct snapshot_row){.site = site_text(place->document, sites, at, question->by),
                                     .bytes = is_from ? 0 : bytes,
                                     .bytes_diff = is_from ? -bytes : bytes,
                                     .count = is_from ? 0 : count,
                                     .count_diff = is_from ? -count : count};
        if (!row->site)
            return -ENOMEM;
        rows->count++;
    }
    return 0;
}

static int compare_sites(const void *a, const void *b)
{
    return strcmp(((const struct snapshot_row *)a)->site, ((const struct snapshot_row *)b)->site);
}

/* Of rows sorted by site, those of the same site become one. */
static void merge_rows(struct snapshot_rows *rows)
{
    size_t kept = 0;

    for (size_t i = 0; i < rows->count; i++) {
        struct snapshot_row *last = kept ? &rows->rows[kept - 1] : NULL;
        const struct snapshot_row *row = &rows->rows[i];
        if (!last || strcmp(last->site, row->site) != 0) {
            rows->rows[kept++] = *row;
            continue;
        }
        last->bytes += row->bytes;
        last->bytes_diff += row->bytes_diff;
        last->count += row->count;
        last->count_diff += row->count_diff;
        free(row->site);
    }
    rows->count = kept;
}

static int descending(int64_t a, int64_t b)
{
    return (a < b) - (a > b);
}

/* CPython's Lib/tracemalloc.py, StatisticDiff._sort_key, reversed. */
static int compare_growth(const void *first, const void *second)
{
    const struct snapshot_row *a = first, *b = second;
    int order = descending(llabs(a->bytes_diff), llabs(b->bytes_diff));

    if (!order)
        order = descending(a->bytes, b->bytes);
    if (!order)
        order = descending(llabs(a->count_diff), llabs(b->count_diff));
    if (!order)
        order = descending(a->count, b->count);
    return order ? order : strcmp(a->site, b->site);
}

static size_t sites_of(const json_t *snapshot)
{
    return json_array_size(json_object_get(snapshot, "sites")) / SITE_FIELDS;
}

int snapshot_compare(const struct snapshot_question *question, struct snapshot_rows *rows)
{
    const size_t most = sites_of(question->from.snapshot) + sites_of(question->to.snapshot);
    struct snapshot_rows found = {.rows = calloc(most + 1, sizeof *found.rows)};
    int error = found.rows ? 0 : -ENOMEM;

    if (!error && question->from.snapshot)
        error = add_rows(question, &question->from, 1, &found);
    if (!error)
        error = add_rows(question, &question->to, 0, &found);
    if (error) {
        snapshot_rows_free(&found);
        return error;
    }
    qsort(found.rows, found.count, sizeof *found.rows, compare_sites);
    merge_rows(&found);
    qsort(found.rows, found.count, sizeof *found.rows, compare_growth);
    *rows = found;
    return 0;
}

void snapshot_rows_free(struct snapshot_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->rows[i].site);
    free(rows->rows);
    *rows = (struct snapshot_rows){.rows = NULL};
}

struct snapshot_total snapshot_sum(const json_t *snapshot)
{
    const json_t *sites = json_object_get(snapshot, "sites");
    struct snapshot_total total = {0};

    for (size_t at = 0; at < json_array_size(sites); at += SITE_FIELDS) {
        total.count += number_at(sites, at + COUNT);
        total.bytes += number_at(sites, at + BYTES);
    }
    return total;
}
