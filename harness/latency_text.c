/*
 * One block per experiment, one line per row and operation. Leaves out sizes and all but the
 * slowest of an operation: --json has them.
 */
#include "harness/latency_text.h"

#include "harness/json_file.h"
#include "harness/latency_json.h"
#include "harness/latency_operation.h"
#include "harness/row.h"
#include "harness/table.h"
#include "harness/text.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

enum { NAME_BYTES = ROW_TEXT_BYTES + 64, OPERATION_WIDTH = 18 };

/* What is printed of one operation: of one phase, or of all. */
struct line {
    struct latency_histogram histogram;
    const json_t *slowest; /* that kept the processor as long as it wanted it, or NULL */
    const char *phase;     /* that it was in */
    double faulted_ns;
    int knows_faults;
};

static uint64_t whole(const json_t *object, const char *key)
{
    return (uint64_t)json_integer_value(json_object_get(object, key));
}

static double tick_of(const json_t *latency)
{
    return json_number_value(json_object_get(json_object_get(latency, "clock"), "tick_ns"));
}

static int is_of(const json_t *operation, unsigned spot)
{
    return strcmp(json_text(operation, "layer"), latency_layer_name(spot / LATENCY_OPERATIONS)) ==
               0 &&
           strcmp(json_text(operation, "operation"),
                  latency_operation_name(spot % LATENCY_OPERATIONS)) == 0;
}

/* The slowest that was not preempted, as far as that is known; NULL when all that were kept were.
 */
static const json_t *slowest_of(const json_t *operation)
{
    size_t i;
    const json_t *slow;

    json_array_foreach(json_object_get(operation, "slowest"), i, slow)
    {
        if (whole(slow, "preemptions") == 0)
            return slow;
    }
    return NULL;
}

static void add_operation(struct line *line, const json_t *operation, const char *phase)
{
    static struct latency_histogram one;
    char error[LATENCY_JSON_ERROR_BYTES];
    const json_t *slowest = slowest_of(operation);

    if (latency_json_read(operation, &one, error) != 0)
        return; /* the file was checked: it cannot be */
    latency_histogram_merge(&line->histogram, &one);
    line->knows_faults = json_is_integer(json_object_get(operation, "faulted_count"));
    line->faulted_ns += json_number_value(json_object_get(operation, "faulted_ns"));
    if (slowest && (!line->slowest || whole(slowest, "ticks") > whole(line->slowest, "ticks"))) {
        line->slowest = slowest;
        line->phase = phase;
    }
}

/* Of one phase, or of all where `wanted` is NULL. Returns how many operations there were. */
static uint64_t collect(struct line *line, const json_t *latency, const json_t *wanted,
                        unsigned spot)
{
    size_t i, j;
    const json_t *phase, *operation;

    memset(line, 0, sizeof *line);
    json_array_foreach(json_object_get(latency, "phases"), i, phase)
    {
        if (wanted && wanted != phase)
            continue;
        json_array_foreach(json_object_get(phase, "operations"), j, operation)
        {
            if (is_of(operation, spot))
                add_operation(line, operation, json_text(phase, "name"));
        }
    }
    return line->histogram.count;
}

/* The time of all operations of a phase, or of all phases: what shares are of. */
static double whole_ticks(const json_t *latency, const json_t *wanted)
{
    static struct line line;
    double ticks = 0;

    for (unsigned spot = 0; spot < LATENCY_SPOTS; spot++) {
        if (collect(&line, latency, wanted, spot) > 0)
            ticks += (double)line.histogram.sum;
    }
    return ticks;
}

static void print_time(FILE *out, double ns)
{
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, " %9s", text_format_duration(text, ns));
}

static void print_count(FILE *out, const json_t *slow, const char *key, const char *one,
                        const char *more, int *is_first)
{
    const uint64_t count = whole(slow, key);

    if (count == 0)
        return;
    fprintf(out, "%s%" PRIu64 " %s", *is_first ? "" : ", ", count, count == 1 ? one : more);
    *is_first = 0;
}

static void print_size(FILE *out, const json_t *slow)
{
    const json_t *size = json_object_get(slow, "size_bytes");
    const json_t *most = json_object_get(slow, "most_bytes");

    if (json_is_integer(size))
        fprintf(out, "%" JSON_INTEGER_FORMAT " B, ", json_integer_value(size));
    else if (json_is_integer(most))
        fprintf(out, "up to %" JSON_INTEGER_FORMAT " B, ", json_integer_value(most));
}

/* By name, where they were counted: then they say more than the mappings do. */
static void print_calls(FILE *out, const json_t *slow, int *is_first)
{
    json_t *calls = json_object_get(slow, "system_calls"), *count;
    const char *name;

    if (!json_is_object(calls)) {
        print_count(out, slow, "mappings", "mapping", "mappings", is_first);
        return;
    }
    json_object_foreach(calls, name, count) print_count(out, calls, name, name, name, is_first);
}

/* "12.3 us  32 B, in build: 3 page faults, 1 munmap" */
static void print_slowest(FILE *out, const struct line *line)
{
    const json_t *slow = line->slowest;
    int is_first = 1;

    if (!slow)
        return;
    print_time(out, json_number_value(json_object_get(slow, "ns")));
    fputs("  ", out);
    print_size(out, slow);
    fprintf(out, "in %s: ", line->phase);
    print_count(out, slow, "page_faults", "page fault", "page faults", &is_first);
    print_calls(out, slow, &is_first);
    print_count(out, slow, "switches", "switch", "switches", &is_first);
    if (is_first)
        fputs(line->knows_faults ? "nothing known" : "not known", out);
}

static void print_line(FILE *out, const struct line *line, double tick_ns, double all_ticks)
{
    static const uint64_t parts[] = {500000, 990000, 999000};
    const double sum = (double)line->histogram.sum;

    fprintf(out, " %11" PRIu64 " %6.1f %%", line->histogram.count,
            all_ticks > 0 ? 100 * sum / all_ticks : 0);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        print_time(out, (double)latency_histogram_quantile(&line->histogram, parts[i]) * tick_ns);
    print_time(out, (double)line->histogram.most * tick_ns);
    if (line->knows_faults)
        fprintf(out, " %6.1f %%", sum > 0 ? 100 * line->faulted_ns / (sum * tick_ns) : 0);
    else
        fprintf(out, " %8s", "n/a");
    print_slowest(out, line);
    fputc('\n', out);
}

static void print_operations(FILE *out, const json_t *latency, const json_t *phase,
                             const char *name, int width)
{
    static struct line line;
    const double all_ticks = whole_ticks(latency, phase);
    char operation[64];

    for (unsigned spot = 0; spot < LATENCY_SPOTS; spot++) {
        if (collect(&line, latency, phase, spot) == 0)
            continue;
        snprintf(operation, sizeof operation, "%s%s",
                 spot / LATENCY_OPERATIONS == LATENCY_RAW ? "raw " : "",
                 latency_operation_name(spot % LATENCY_OPERATIONS));
        fprintf(out, "  %-*s %-*s", width, name, OPERATION_WIDTH, operation);
        print_line(out, &line, tick_of(latency), all_ticks);
        name = ""; /* once is enough */
    }
}

static const char *row_of(const json_t *cell, const json_t *phase, char *name)
{
    char row[ROW_TEXT_BYTES];

    row_short_name(json_text(cell, "allocator"), row);
    snprintf(name, NAME_BYTES, "%s%s%s", row, phase ? ", " : "",
             phase ? json_text(phase, "name") : "");
    return name;
}

static void print_cell(FILE *out, const json_t *cell, int by_phase, int width)
{
    const json_t *latency = json_object_get(cell, "latency"), *phase;
    char name[NAME_BYTES];
    size_t i;

    if (!by_phase) {
        print_operations(out, latency, NULL, row_of(cell, NULL, name), width);
        return;
    }
    json_array_foreach(json_object_get(latency, "phases"), i, phase)
        print_operations(out, latency, phase, row_of(cell, phase, name), width);
}

static int widest_name(const json_t *cells, int by_phase)
{
    const json_t *cell, *phase;
    char name[NAME_BYTES];
    size_t widest = 3, i, j;

    json_array_foreach(cells, i, cell)
    {
        const json_t *latency = json_object_get(cell, "latency");
        json_array_foreach(json_object_get(latency, "phases"), j, phase)
        {
            const size_t length = strlen(row_of(cell, by_phase ? phase : NULL, name));
            widest = length > widest ? length : widest;
        }
    }
    return (int)widest;
}

static void print_headings(FILE *out, int width)
{
    fprintf(out, "  %-*s %-*s %11s %8s %9s %9s %9s %9s %8s %9s  %s\n", width, "row",
            OPERATION_WIDTH, "operation", "calls", "share", "p50", "p99", "p99.9", "max", "faults",
            "slowest", "that kept its processor: its size, where, what the kernel did in it");
}

/* What the clock adds: of the cell in which it was the most. */
static void print_clock(FILE *out, const json_t *cells)
{
    char own[TEXT_NUMBER_BYTES], cost[TEXT_NUMBER_BYTES];
    const json_t *cell, *worst = NULL;
    double most_ns = -1;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        const json_t *clock = json_object_get(json_object_get(cell, "latency"), "clock");
        const double p50_ns =
            json_number_value(json_object_get(json_object_get(clock, "own"), "p50_ns"));
        worst = p50_ns > most_ns ? clock : worst;
        most_ns = p50_ns > most_ns ? p50_ns : most_ns;
    }
    fprintf(out,
            "\ncalls timed one by one by %s, in a pass of their own; of each figure %s are the "
            "clock's own,\nand a timed call takes %s longer than another. share: of the time of "
            "all timed calls;\nfaults: share of the operation's time in calls with a page fault "
            "in them; raw: what the\nworkload asks of the allocator beneath.\n",
            json_text(worst, "name"), text_format_duration(own, most_ns),
            text_format_duration(cost, json_number_value(json_object_get(worst, "call_cost_ns"))));
}

/* The share of a cell's calls that had a system call in them. */
static double trapped_share(const json_t *latency)
{
    double trapped = 0, all = 0;
    const json_t *phase, *operation;
    size_t i, j;

    json_array_foreach(json_object_get(latency, "phases"), i, phase)
    {
        json_array_foreach(json_object_get(phase, "operations"), j, operation)
        {
            trapped += (double)whole(operation, "trapped_count");
            all += (double)whole(operation, "count");
        }
    }
    return all > 0 ? trapped / all : 0;
}

/* What counting system calls adds, and to how many: each of the cell in which it was the most. */
static void print_trap(FILE *out, const json_t *cells)
{
    char text[TEXT_NUMBER_BYTES];
    double most_ns = -1, most_share = 0;
    const json_t *cell;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        const json_t *latency = json_object_get(cell, "latency");
        if (!json_is_true(json_object_get(latency, "system_calls")))
            continue;
        most_ns = fmax(most_ns, (double)whole(latency, "trapped_call_ns") -
                                    (double)whole(latency, "plain_call_ns"));
        most_share = fmax(most_share, trapped_share(latency));
    }
    if (most_ns >= 0)
        fprintf(
            out,
            "system calls (mmap, munmap, brk, mprotect and the like) are trapped to be counted: "
            "each took up to\n%s longer for it, which is in these times; of a row's calls at "
            "most %.2g %% had any.\n",
            text_format_duration(text, most_ns), 100 * most_share);
}

/* Calls that are in no figure: of threads beyond the most that a child has tables for. */
static void print_unrecorded(FILE *out, const json_t *cells)
{
    char name[NAME_BYTES];
    size_t i, j;
    const json_t *cell, *phase;

    json_array_foreach(cells, i, cell)
    {
        uint64_t calls = 0;
        json_array_foreach(json_object_get(json_object_get(cell, "latency"), "phases"), j, phase)
            calls += whole(phase, "unrecorded");
        if (calls > 0)
            fprintf(out,
                    "%s on %s: %" PRIu64 " calls are in no figure: there was no room for their "
                    "threads\n",
                    json_text(cell, "workload"), row_of(cell, NULL, name), calls);
    }
}

/* Why the kernel told nothing, where it did not: of the first such cell. */
static void print_missing(FILE *out, const json_t *cells)
{
    size_t i;
    const json_t *cell;

    json_array_foreach(cells, i, cell)
    {
        const json_t *latency = json_object_get(cell, "latency");
        if (json_is_true(json_object_get(latency, "events")))
            continue;
        fprintf(out, "page faults and switches are not known: perf_event_open: %s\n",
                json_text(latency, "no_events_because"));
        return;
    }
}

static void print_untrapped(FILE *out, const json_t *cells)
{
    size_t i;
    const json_t *cell;

    json_array_foreach(cells, i, cell)
    {
        const json_t *latency = json_object_get(cell, "latency");
        if (!json_is_false(json_object_get(latency, "system_calls")))
            continue;
        fprintf(out, "system calls are not counted: %s\n",
                json_text(latency, "no_system_calls_because"));
        return;
    }
}

void latency_text_print(FILE *out, const json_t *cells, int by_phase)
{
    const int width = widest_name(cells, by_phase);
    const json_t *before = NULL, *cell;
    size_t i;

    json_array_foreach(cells, i, cell)
    {
        if (!before || !table_same_experiment(before, cell)) {
            table_print_experiment(out, cell);
            print_headings(out, width);
        }
        print_cell(out, cell, by_phase, width);
        before = cell;
    }
    print_clock(out, cells);
    print_trap(out, cells);
    print_unrecorded(out, cells);
    print_missing(out, cells);
    print_untrapped(out, cells);
}
