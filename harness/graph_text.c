/*
 * Tables and sentences of object graphs: see graph_text.h. Leaves out what JSON has in full: types
 * of a phase beside a picture, more sizes of cycles than a reader compares.
 */
#include "harness/graph_text.h"

#include "harness/json_file.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char *graph_format_count(uint64_t count, char *text)
{
    char digits[GRAPH_COUNT_BYTES];
    size_t length = (size_t)snprintf(digits, sizeof digits, "%" PRIu64, count);
    char *at = text;

    for (size_t i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            *at++ = ',';
        *at++ = digits[i];
    }
    *at = '\0';
    return text;
}

static int64_t number(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* --- Phases. --- */

static void print_phases(FILE *out, const json_t *phases, const char *drawn)
{
    char objects[GRAPH_COUNT_BYTES], dead[GRAPH_COUNT_BYTES], cyclic[GRAPH_COUNT_BYTES],
        bytes[GRAPH_COUNT_BYTES];
    const json_t *phase;
    size_t i;

    fprintf(out, "%-20s %13s %15s %13s %13s\n", "at the end of", "objects", "bytes", "unreachable",
            "in cycles");
    json_array_foreach(phases, i, phase)
    {
        const json_t *cycles = json_object_get(phase, "cycles");
        fprintf(out, "%-20s %13s %15s %13s %13s%s\n", json_text(phase, "name"),
                graph_format_count((uint64_t)number(phase, "objects"), objects),
                graph_format_count((uint64_t)number(phase, "bytes"), bytes),
                graph_format_count((uint64_t)number(phase, "unreachable_objects"), dead),
                graph_format_count((uint64_t)number(cycles, "objects"), cyclic),
                strcmp(json_text(phase, "name"), drawn) == 0 ? "  <- this one" : "");
    }
}

static const json_t *find_phase(const json_t *phases, const char *name)
{
    const json_t *phase;
    size_t i;

    json_array_foreach(phases, i, phase)
    {
        if (strcmp(json_text(phase, "name"), name) == 0)
            return phase;
    }
    return NULL;
}

/* "12 groups of 10 objects that all lead to each other, 12 of them unreachable". */
static void print_sizes(FILE *out, const json_t *cycles)
{
    enum { MOST_LINES = 6 };
    char count[GRAPH_COUNT_BYTES], objects[GRAPH_COUNT_BYTES], dead[GRAPH_COUNT_BYTES];
    const json_t *size;
    size_t i;

    json_array_foreach(json_object_get(cycles, "sizes"), i, size)
    {
        if (i == MOST_LINES)
            break;
        fprintf(out, "%s group%s of %s object%s, %s of them unreachable\n",
                graph_format_count((uint64_t)number(size, "count"), count),
                number(size, "count") == 1 ? "" : "s",
                graph_format_count((uint64_t)number(size, "objects"), objects),
                number(size, "objects") == 1 ? " that holds itself"
                                             : "s that all lead to each other",
                graph_format_count((uint64_t)number(size, "unreachable"), dead));
    }
    int64_t more = number(cycles, "size_count") - MOST_LINES;
    if (more > 0)
        fprintf(out, "and groups of %s more sizes\n", graph_format_count((uint64_t)more, count));
    if (number(cycles, "count") == 0)
        fputs("no cycles\n", out);
}

/* --- Why an object is there. --- */

static void print_object(FILE *out, const json_t *object)
{
    const char *value = json_text(object, "value");

    fprintf(out, "%s #%" PRId64 "%s%s%s", json_text(object, "type"), number(object, "index"),
            value[0] ? " (" : "", value, value[0] ? ")" : "");
}

/* A line for each object, with what it calls the next. */
static void print_path(FILE *out, const json_t *path)
{
    const json_t *steps = json_object_get(path, "steps"), *step;
    const int64_t left_out = number(path, "left_out");
    const size_t half = json_array_size(steps) / 2;
    char count[GRAPH_COUNT_BYTES];
    size_t i;

    json_array_foreach(steps, i, step)
    {
        if (left_out > 0 && i == half)
            fprintf(out, "  … %s more\n", graph_format_count((uint64_t)left_out, count));
        fputs("  ", out);
        print_object(out, step);
        if (json_text(step, "name")[0])
            fprintf(out, " %s ->", json_text(step, "name"));
        putc('\n', out);
    }
}

/* The cycle ends where it began. */
static void print_round(FILE *out, const json_t *round)
{
    print_path(out, round);
    fputs("  ", out);
    print_object(out, json_array_get(json_object_get(round, "steps"), 0));
    putc('\n', out);
}

static void print_why(FILE *out, const json_t *picture)
{
    const json_t *object = json_array_get(json_object_get(picture, "nodes"), 0);
    const json_t *way = json_object_get(picture, "way"), *round = json_object_get(picture, "round");
    const int has_way = number(way, "length") > 0;
    const int has_round = number(round, "length") > 0;

    fputs("Why is ", out);
    print_object(out, object);
    fprintf(out, " there? (%s)\n", json_text(picture, "chosen_by"));
    if (json_is_true(json_object_get(object, "shared"))) {
        fputs("It is the interpreter's own.\n", out);
    } else if (has_way && json_is_true(json_object_get(object, "reachable"))) {
        const json_t *first = json_array_get(json_object_get(way, "steps"), 0);
        fprintf(out, "%s leads to it:\n",
                json_is_true(json_object_get(first, "garbage")) ? "gc.garbage"
                                                                : "A name of the program");
        print_path(out, way);
        if (has_round) {
            fputs("and it leads back to itself:\n", out);
            print_round(out, round);
        }
    } else if (has_round) {
        fprintf(out, "No name leads to it. A cycle keeps it%s:\n",
                number(way, "length") > 1 ? ", which leads to it" : "");
        print_round(out, round);
        if (number(way, "length") > 1)
            print_path(out, way);
    } else {
        fputs("Nothing that can be seen holds it.\n", out);
    }
}

void graph_text_print(FILE *out, const json_t *record)
{
    const json_t *picture = json_object_get(record, "picture");
    const json_t *phases = json_object_get(record, "phases");
    const char *name = json_text(picture, "phase");
    char drawn[GRAPH_COUNT_BYTES], left_out[GRAPH_COUNT_BYTES];

    print_phases(out, phases, name);
    fprintf(out, "\nAt the end of %s:\n", name);
    print_sizes(out, json_object_get(find_phase(phases, name), "cycles"));
    putc('\n', out);
    print_why(out, picture);
    fprintf(out, "\nDrawn: %s objects; left out: %s\n",
            graph_format_count(json_array_size(json_object_get(picture, "nodes")), drawn),
            graph_format_count((uint64_t)number(picture, "left_out"), left_out));
}

/* --- Growth. --- */

/* One type over the phases that are shown. */
struct line {
    const char *type;
    int64_t growth; /* from the first to the last */
    int64_t most;   /* at any */
};

static const json_t *find_type(const json_t *phase, const char *name)
{
    const json_t *type;
    size_t i;

    json_array_foreach(json_object_get(phase, "types"), i, type)
    {
        if (strcmp(json_text(type, "name"), name) == 0)
            return type;
    }
    return NULL;
}

static int compare_lines(const void *a, const void *b)
{
    const struct line *first = a, *second = b;

    if (first->growth != second->growth)
        return first->growth < second->growth ? 1 : -1;
    if (first->most != second->most)
        return first->most < second->most ? 1 : -1;
    return strcmp(first->type, second->type);
}

/* The types of all phases, largest growth first; the caller frees them. */
static struct line *sort_types(const json_t *phases, size_t *count)
{
    const json_t *last = json_array_get(phases, json_array_size(phases) - 1);
    json_t *names = json_object(), *value;
    const json_t *phase, *type;
    const char *name;
    size_t i, j;

    json_array_foreach(phases, i, phase)
    {
        json_array_foreach(json_object_get(phase, "types"), j, type)
            json_object_set_new(names, json_text(type, "name"), json_null());
    }
    struct line *lines = calloc(json_object_size(names) + 1, sizeof *lines);
    *count = 0;
    json_object_foreach(names, name, value)
    {
        if (!lines)
            break;
        struct line line = {.growth = number(find_type(last, name), "count") -
                                      number(find_type(json_array_get(phases, 0), name), "count")};
        json_array_foreach(phases, i, phase)
        {
            type = find_type(phase, name);
            if (type)
                line.type = json_text(type, "name");
            if (number(type, "count") > line.most)
                line.most = number(type, "count");
        }
        lines[(*count)++] = line;
    }
    json_decref(names);
    if (lines)
        qsort(lines, *count, sizeof *lines, compare_lines);
    return lines;
}

/* "+12", "-3" or "+0", with commas. */
static const char *format_growth(int64_t growth, char *text)
{
    text[0] = growth < 0 ? '-' : '+';
    graph_format_count((uint64_t)(growth < 0 ? -growth : growth), text + 1);
    return text;
}

/* Of a real CPython a count may be below that at the start. */
static const char *format_signed(int64_t count, char *text)
{
    return count < 0 ? format_growth(count, text) : graph_format_count((uint64_t)count, text);
}

static void print_pair(FILE *out, int64_t count, int64_t before, int has_before, int width)
{
    char text[GRAPH_COUNT_BYTES + 1], growth[GRAPH_COUNT_BYTES + 1];

    fprintf(out, " %*s", width, format_signed(count, text));
    if (has_before)
        fprintf(out, " %*s", width, format_growth(count - before, growth));
}

static void print_head(FILE *out, const json_t *phases)
{
    const json_t *phase;
    size_t i;

    fprintf(out, "%-12s", "type");
    json_array_foreach(phases, i, phase)
    {
        /* Beside its growth, which has no head of its own. */
        fprintf(out, i > 0 ? " %23.23s" : " %11.11s", json_text(phase, "name"));
    }
    putc('\n', out);
}

static void print_columns(FILE *out, const json_t *phases, const char *type, const char *key)
{
    int64_t before = 0;
    const json_t *phase;
    size_t i;

    json_array_foreach(phases, i, phase)
    {
        int64_t count = type ? number(find_type(phase, type), "count") : number(phase, key);
        print_pair(out, count, before, i > 0, 11);
        before = count;
    }
    putc('\n', out);
}

static void print_all(FILE *out, const json_t *phases)
{
    size_t count;
    struct line *lines = sort_types(phases, &count);

    print_head(out, phases);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%-12s", lines[i].type);
        print_columns(out, phases, lines[i].type, NULL);
    }
    fprintf(out, "%-12s", "all");
    print_columns(out, phases, NULL, "objects");
    fprintf(out, "%-12s", "bytes");
    print_columns(out, phases, NULL, "bytes");
    /* A real CPython does not tell. */
    if (json_object_get(json_array_get(phases, 0), "unreachable_objects")) {
        fprintf(out, "%-12s", "unreachable");
        print_columns(out, phases, NULL, "unreachable_objects");
    }
    free(lines);
}

static void print_two(FILE *out, const json_t *phases)
{
    const json_t *from = json_array_get(phases, 0), *to = json_array_get(phases, 1);
    size_t count;
    struct line *lines = sort_types(phases, &count);

    fprintf(out, "%-12s %11.11s %11.11s %11s %15s %15s\n", "type", json_text(from, "name"),
            json_text(to, "name"), "growth", "bytes", "growth");
    for (size_t i = 0; i < count; i++) {
        const json_t *before = find_type(from, lines[i].type),
                     *after = find_type(to, lines[i].type);
        fprintf(out, "%-12s", lines[i].type);
        print_pair(out, number(before, "count"), 0, 0, 11);
        print_pair(out, number(after, "count"), number(before, "count"), 1, 11);
        print_pair(out, number(after, "bytes"), number(before, "bytes"), 1, 15);
        putc('\n', out);
    }
    free(lines);
}

void graph_growth_print(FILE *out, const json_t *phases, const char *from, const char *to)
{
    if (!from || !to) {
        print_all(out, phases);
        return;
    }
    json_t *two = json_pack("[O, O]", find_phase(phases, from), find_phase(phases, to));
    print_two(out, two);
    json_decref(two);
}
