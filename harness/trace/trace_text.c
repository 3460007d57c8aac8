/*
 * Some forty lines: see trace_text.h. Leaves out colour: bars are characters.
 */
#include "harness/trace/trace_text.h"

#include "harness/text.h"

#include <string.h>

enum { BAR = 40, CURVE_ROWS = 12, SITE_CALLS = 8, MOST_PROCESSES = 12 };

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));

    return text ? text : "?";
}

/* "24 B", "318 kB", "12.3 MB": a block's lifetime may be any of them. */
static const char *format_size(char *text, double bytes)
{
    if (bytes < 10e3)
        snprintf(text, TEXT_NUMBER_BYTES, "%.0f B", bytes);
    else if (bytes < 1e6)
        snprintf(text, TEXT_NUMBER_BYTES, "%.0f kB", bytes / 1e3);
    else
        text_format_bytes(text, bytes);
    return text;
}

static double share(uint64_t part, uint64_t all)
{
    return all ? 100.0 * (double)part / (double)all : 0;
}

/* "12 ms", or where there are no times "1204 blocks". */
static const char *format_place(char *text, const struct trace_summary *s, uint64_t at)
{
    if (!s->is_timeless)
        return text_format_duration(text, (double)at);
    snprintf(text, TEXT_NUMBER_BYTES, "%llu block%s", (unsigned long long)at, at == 1 ? "" : "s");
    return text;
}

static void print_head(FILE *out, const char *path, uint64_t bytes, const char *damage,
                       const struct trace_index *index)
{
    char size[TEXT_NUMBER_BYTES], took[TEXT_NUMBER_BYTES], command[512], row[256];

    snprintf(command, sizeof command, "%s", text_of(index->about, "command"));
    text_make_printable(command);
    snprintf(row, sizeof row, "%s", text_of(index->about, "malloc"));
    text_make_printable(row);
    fprintf(out, "%s: %s, on %s malloc\n", path, command, row);
    fprintf(out, "%s, %.2f bytes an event; %s%s%s%s\n\n", format_size(size, (double)bytes),
            index->events ? (double)bytes / (double)index->events : 0.0,
            index->last_ns ? "recorded over " : "without times",
            index->last_ns ? text_format_duration(took, (double)index->last_ns) : "",
            damage ? "; " : "", damage ? damage : "");
}

/* Those of most events first, of as many the first: the one after `at`, or the first of all where
 * it is process_room, which is also what stands for none. */
static uint32_t next_process(const struct trace_index *index, uint32_t at)
{
    const uint32_t none = index->process_room;
    uint32_t best = none;

    for (uint32_t i = 0; i < none; i++) {
        const uint64_t events = index->processes[i].events;
        const int is_after = at == none || events < index->processes[at].events ||
                             (events == index->processes[at].events && i > at);
        if (events > 0 && is_after && (best == none || events > index->processes[best].events))
            best = i;
    }
    return best;
}

static void print_processes(FILE *out, const struct trace_index *index)
{
    uint64_t processes = 0, events = 0;
    uint32_t at = index->process_room, shown = 0;
    char name[64];

    for (uint32_t i = 0; i < index->process_room; i++)
        processes += index->processes[i].events > 0;
    if (processes < 2)
        return;
    fprintf(out, "  %-8s %-24s %14s\n", "process", "program", "events");
    while (shown < MOST_PROCESSES && (at = next_process(index, at)) != index->process_room) {
        const struct trace_process *process = &index->processes[at];
        snprintf(name, sizeof name, "%s", process->name);
        text_make_printable(name);
        fprintf(out, "  %-8u %-24.24s %14llu%s\n", at, name, (unsigned long long)process->events,
                process->parent ? "  (forked)" : "");
        events += process->events;
        shown++;
    }
    if (processes > shown)
        fprintf(out, "  %-8s %-24s %14llu\n", "", "all others",
                (unsigned long long)(index->events - events));
    putc('\n', out);
}

static void print_counts(FILE *out, const struct trace_summary *s)
{
    static const char *const names[TRACE_KINDS] = {
        [TRACE_MALLOC] = "malloc",   [TRACE_CALLOC] = "calloc", [TRACE_ALIGNED] = "aligned",
        [TRACE_REALLOC] = "realloc", [TRACE_FREE] = "free",     [TRACE_START] = "thread starts"};
    char number[TEXT_NUMBER_BYTES], at[TEXT_NUMBER_BYTES];

    for (size_t i = 0; i < TRACE_KINDS; i++)
        if (s->calls[i])
            fprintf(out, "  %-14s %14llu\n", names[i], (unsigned long long)s->calls[i]);
    fprintf(out, "  %-14s %14llu\n", "threads", (unsigned long long)s->threads);
    fprintf(out, "  %-14s %14llu  %.1f %% of all that were freed\n", "remote frees",
            (unsigned long long)s->remote, share(s->remote, s->ended));
    fprintf(out, "  %-14s %14s  in %llu blocks\n", "asked for",
            format_size(number, (double)s->asked_bytes), (unsigned long long)s->made);
    fprintf(out, "  %-14s %14s  in %llu blocks, after %s%s\n", "most alive",
            format_size(number, (double)s->peak_bytes), (unsigned long long)s->peak_blocks,
            format_place(at, s, s->peak_at),
            s->peak_is_exact ? ""
            : s->is_timeless ? " of each thread"
                             : " (to a millisecond)");
    fprintf(out, "  %-14s %14s  in %llu blocks\n\n", "never freed",
            format_size(number, (double)s->left_bytes), (unsigned long long)s->left);
}

static void print_bar(FILE *out, uint64_t part, uint64_t most)
{
    const uint64_t length = most ? (BAR * part + most / 2) / most : 0;

    for (uint64_t i = 0; i < length; i++)
        putc('#', out);
    putc('\n', out);
}

static void print_sizes(FILE *out, const struct trace_summary *s)
{
    char range[64], bytes[TEXT_NUMBER_BYTES];
    uint64_t most = 0;

    for (size_t i = 0; i < TRACE_SIZE_CLASSES; i++)
        most = s->sizes[i].count > most ? s->sizes[i].count : most;
    fprintf(out, "  %-22s %14s %7s %12s\n", "size in bytes", "blocks", "%", "bytes");
    for (size_t i = 0; i < TRACE_SIZE_CLASSES; i++) {
        if (!s->sizes[i].count)
            continue;
        if (i < 2)
            snprintf(range, sizeof range, "%zu", i);
        else
            snprintf(range, sizeof range, "%llu to %llu", 1ull << (i - 1), (1ull << i) - 1);
        fprintf(out, "  %-22s %14llu %6.1f%% %12s  ", range, (unsigned long long)s->sizes[i].count,
                share(s->sizes[i].count, s->made), format_size(bytes, (double)s->sizes[i].bytes));
        print_bar(out, s->sizes[i].count, most);
    }
    putc('\n', out);
}

static void print_lifetimes(FILE *out, const struct trace_summary *s)
{
    static const uint64_t parts[] = {100000, 500000, 900000, 990000};
    char text[TEXT_NUMBER_BYTES];

    fprintf(out, "  %-30s %10s %10s %10s %10s %10s\n", "lifetime of a block", "p10", "p50", "p90",
            "p99", "most");
    fprintf(out, "  %-30s", "in bytes its thread asked for");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        fprintf(out, " %10s",
                format_size(text, (double)latency_histogram_quantile(&s->lifetime, parts[i])));
    fprintf(out, " %10s\n", format_size(text, (double)s->lifetime.most));
    if (s->is_timeless) {
        putc('\n', out);
        return;
    }
    fprintf(out, "  %-30s", "in time");
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        fprintf(out, " %10s",
                text_format_duration(
                    text, 1e3 * (double)latency_histogram_quantile(&s->lifetime_time, parts[i])));
    fprintf(out, " %10s\n\n", text_format_duration(text, 1e3 * (double)s->lifetime_time.most));
}

static void print_curve(FILE *out, const struct trace_summary *s)
{
    const size_t each = (s->curve_points + CURVE_ROWS - 1) / CURVE_ROWS;
    char at[TEXT_NUMBER_BYTES], bytes[TEXT_NUMBER_BYTES];

    fprintf(out, "  %-14s %14s\n", "after", "alive");
    for (size_t i = 0; i < s->curve_points; i += each) {
        uint64_t most = 0;
        for (size_t j = i; j < i + each && j < s->curve_points; j++)
            most = s->curve[j].live_bytes > most ? s->curve[j].live_bytes : most;
        fprintf(out, "  %-14s %14s  ", format_place(at, s, s->curve[i].at),
                format_size(bytes, (double)most));
        print_bar(out, most, s->peak_bytes);
    }
}

void trace_text_print(FILE *out, const char *path, uint64_t bytes, const char *damage,
                      const struct trace_index *index, const struct trace_summary *summary)
{
    print_head(out, path, bytes, damage, index);
    print_processes(out, index);
    print_counts(out, summary);
    print_sizes(out, summary);
    print_lifetimes(out, summary);
    print_curve(out, summary);
}

/* --- Call sites. --- */

static void print_site(FILE *out, const struct trace_summary *summary, const json_t *site)
{
    const json_t *stack = json_object_get(site, "stack");
    const json_int_t bytes = json_integer_value(json_object_get(site, "bytes"));
    const json_int_t left = json_integer_value(json_object_get(site, "left_blocks"));
    char asked[TEXT_NUMBER_BYTES], kept[TEXT_NUMBER_BYTES], call[512];

    fprintf(out, "  %12s %6.1f%%  in %lld blocks", format_size(asked, (double)bytes),
            share((uint64_t)bytes, summary->asked_bytes),
            (long long)json_integer_value(json_object_get(site, "blocks")));
    if (left > 0)
        fprintf(out, "; never freed: %s in %lld",
                format_size(kept, (double)json_integer_value(json_object_get(site, "left_bytes"))),
                (long long)left);
    putc('\n', out);
    for (size_t i = 0; i < json_array_size(stack) && i < SITE_CALLS; i++) {
        snprintf(call, sizeof call, "%s", json_string_value(json_array_get(stack, i)));
        text_make_printable(call);
        fprintf(out, "      %s\n", call);
    }
    if (json_array_size(stack) > SITE_CALLS)
        fprintf(out, "      ... and %zu more\n", json_array_size(stack) - SITE_CALLS);
}

void trace_text_print_sites(FILE *out, const struct trace_summary *summary, const json_t *sites)
{
    size_t i;
    const json_t *site;

    if (json_array_size(sites) > 0)
        fputs("\n  by where it was asked for, the innermost call first\n", out);
    json_array_foreach(sites, i, site) print_site(out, summary, site);
}
