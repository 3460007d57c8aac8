/*
 * One block per experiment, one per row in it, a line per call and kind. Leaves out what happened
 * outside phases but for its sum: --json has it.
 */
#include "harness/ledger_text.h"

#include "harness/json_file.h"
#include "harness/ledger_calls.h"
#include "harness/row.h"
#include "harness/table.h"
#include "harness/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CALL_WIDTH = 30, SIGNED_BYTES = TEXT_NUMBER_BYTES + 1 };

/* Sums of numbers that are below 2^50 each (harness/ledger_check.c). */
struct sums {
    int64_t count, failed, net_bytes, time_ns, longest_ns;
};

static int64_t number_in(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* "12.6 MB", or kB below one. */
static const char *format_bytes(char *text, double bytes)
{
    if (bytes >= 1e6)
        return text_format_bytes(text, bytes);
    snprintf(text, TEXT_NUMBER_BYTES, bytes > 0 ? "%.1f kB" : "0", bytes / 1e3);
    return text;
}

/* "+12.6 MB", "-4.1 kB", "0". */
static const char *format_signed(char *text, int64_t bytes)
{
    text[0] = bytes < 0 ? '-' : '+';
    format_bytes(text + (bytes != 0), bytes < 0 ? -(double)bytes : (double)bytes);
    return text;
}

static void add(struct sums *sums, const json_t *line)
{
    const int64_t longest_ns = number_in(line, "longest_ns");

    sums->count += number_in(line, "count");
    sums->failed += number_in(line, "failed");
    sums->net_bytes += number_in(line, "net_bytes");
    sums->time_ns += number_in(line, "time_ns");
    sums->longest_ns = longest_ns > sums->longest_ns ? longest_ns : sums->longest_ns;
}

/* What a call was about. mremap's has two sizes, and what has no bytes has none. */
static void print_bytes(FILE *out, const json_t *line)
{
    char bytes[TEXT_NUMBER_BYTES];

    fprintf(out, " %10s", line ? format_bytes(bytes, (double)number_in(line, "bytes")) : "");
}

static void print_columns(FILE *out, const char *name, const struct sums *sums, const json_t *line)
{
    char net[SIGNED_BYTES], time[TEXT_NUMBER_BYTES], longest[TEXT_NUMBER_BYTES];

    fprintf(out, " %-*s %9" PRId64, CALL_WIDTH, name, sums->count);
    if (sums->failed > 0)
        fprintf(out, " %7" PRId64, sums->failed);
    else
        fprintf(out, " %7s", "-");
    print_bytes(out, line);
    fprintf(out, " %10s %9s %9s", format_signed(net, sums->net_bytes),
            text_format_duration(time, (double)sums->time_ns),
            text_format_duration(longest, (double)sums->longest_ns));
}

static int rank_of(const json_t *line)
{
    int call = 0;

    while (call < LEDGER_CALLS &&
           strcmp(ledger_call_name((enum ledger_call)call), json_text(line, "call")) != 0)
        call++;
    return call;
}

static int compare_lines(const void *left, const void *right)
{
    const json_t *a = *(json_t *const *)left, *b = *(json_t *const *)right;
    const int by_call = rank_of(a) - rank_of(b);

    return by_call ? by_call : strcmp(json_text(a, "kind"), json_text(b, "kind"));
}

/* The lines in the order of their names, borrowed; free() them. NULL without memory. */
static json_t **sort_lines(const json_t *calls)
{
    const size_t count = json_array_size(calls);
    json_t **lines = malloc((count + 1) * sizeof(json_t *));

    for (size_t i = 0; lines && i < count; i++)
        lines[i] = json_array_get(calls, i);
    if (lines)
        qsort(lines, count, sizeof(json_t *), compare_lines);
    return lines;
}

static void print_line(FILE *out, const json_t *line)
{
    char name[LEDGER_KIND_BYTES + 32], old[TEXT_NUMBER_BYTES];
    struct sums sums = {0};

    snprintf(name, sizeof name, "%.31s %.95s", json_text(line, "call"), json_text(line, "kind"));
    add(&sums, line);
    fputs("               ", out);
    print_columns(out, name, &sums, line);
    if (strcmp(json_text(line, "call"), "mremap") == 0)
        fprintf(out, "  from %s", format_bytes(old, (double)number_in(line, "old_bytes")));
    fputc('\n', out);
}

static struct sums sum_of(const json_t *calls)
{
    struct sums sums = {0};
    const json_t *line;
    size_t i;

    json_array_foreach(calls, i, line) add(&sums, line);
    return sums;
}

/* A line with the sum of calls outside phases. */
static void print_outside(FILE *out, const char *what, const json_t *calls)
{
    const struct sums sums = sum_of(calls);
    char name[64];

    if (sums.count == 0)
        return;
    snprintf(name, sizeof name, "(%.60s)", what);
    fprintf(out, "    %-*s", CALL_WIDTH + 11, name);
    fprintf(out, " %9" PRId64 "\n", sums.count);
}

/* The kernel's own figure, where the calls do not come to the same. */
static void print_difference(FILE *out, const json_t *phase, int64_t net_bytes)
{
    const int64_t grown =
        number_in(phase, "mapped_end_bytes") - number_in(phase, "mapped_begin_bytes");
    char text[SIGNED_BYTES];

    if (grown != net_bytes)
        fprintf(out, "                the kernel's figure for this phase is %s\n",
                format_signed(text, grown));
}

static void print_phase(FILE *out, const json_t *phase)
{
    const json_t *calls = json_object_get(phase, "calls");
    const struct sums sums = sum_of(calls);
    json_t **lines = sort_lines(calls);
    char before[32];

    snprintf(before, sizeof before, "before %.23s", json_text(phase, "name"));
    print_outside(out, before, json_object_get(phase, "before"));
    fprintf(out, "    %-10s", json_text(phase, "name"));
    print_columns(out, "all", &sums, NULL);
    fputc('\n', out);
    for (size_t i = 0; lines && i < json_array_size(calls); i++)
        print_line(out, lines[i]);
    free(lines);
    print_difference(out, phase, sums.net_bytes);
}

static void print_headings(FILE *out, const json_t *cell, int width)
{
    (void)cell, (void)width;
    fprintf(out, "    %-10s %-*s %9s %7s %10s %10s %9s %9s\n", "phase", CALL_WIDTH, "call", "calls",
            "failed", "bytes", "net", "time", "longest");
}

static void print_row(FILE *out, const json_t *cell, int width, const char *name)
{
    const json_t *ledger = json_object_get(cell, "ledger"), *phase;
    char clock[TEXT_NUMBER_BYTES], empty[TEXT_NUMBER_BYTES];
    size_t i;

    (void)width;
    fprintf(out, "  %s  (a call that does nothing: %s, of it the clock %s)\n", name,
            text_format_duration(empty, (double)number_in(ledger, "empty_call_ns")),
            text_format_duration(clock, (double)number_in(ledger, "clock_ns")));
    print_outside(out, "opening the row", json_object_get(ledger, "opening"));
    json_array_foreach(json_object_get(ledger, "phases"), i, phase) print_phase(out, phase);
}

void ledger_text_print(FILE *out, const json_t *cells, int by_phase)
{
    (void)by_phase;
    table_print_blocks(out, cells, print_headings, print_row);
    fputs("\nOf one child of each cell that was not measured. bytes: what the calls were about, in "
          "whole pages.\n"
          "net: by how much they changed what is mapped, against the kernel's VmSize. time: of the "
          "calls alone.\n",
          out);
}
