/*
 * Blocks of columns, then sentences. Leaves out colours and widths of terminals.
 */
#include "harness/fidelity_table.h"

#include "harness/json_file.h"
#include "harness/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { CELL_BYTES = 32, LINE_COLUMNS = 116 };

/* --- Numbers. --- */

/* "-1,234,567", or "-" where there is none; `sign` puts a plus before what is above zero. */
static const char *format_kb(char *text, const json_t *kb, int sign)
{
    char digits[CELL_BYTES];
    size_t used = 0;

    if (!json_is_number(kb)) {
        snprintf(text, CELL_BYTES, "-");
        return text;
    }
    const double value = json_number_value(kb);
    const int length = snprintf(digits, sizeof digits, "%.0f", fabs(round(value)));
    if (round(value) != 0 && (value < 0 || sign))
        text[used++] = value < 0 ? '-' : '+';
    for (int i = 0; i < length && used < CELL_BYTES - 2; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            text[used++] = ',';
        text[used++] = digits[i];
    }
    text[used] = '\0';
    return text;
}

static const char *format_ratio(char *text, const json_t *ratio)
{
    if (json_is_number(ratio))
        snprintf(text, CELL_BYTES, "%.4f", json_number_value(ratio));
    else
        snprintf(text, CELL_BYTES, "-");
    return text;
}

static const char *format_share(char *text, const json_t *share)
{
    if (json_is_number(share))
        snprintf(text, CELL_BYTES, "%.1f %%", 100 * json_number_value(share));
    else
        snprintf(text, CELL_BYTES, "-");
    return text;
}

/* --- Words. --- */

/* Some are a child's or a library's own: colours, cursor movements. */
static void print_word(FILE *out, const json_t *object, const char *key)
{
    char text[1024];

    snprintf(text, sizeof text, "%s", json_text(object, key));
    text_make_printable(text);
    fputs(text, out);
}

/* A sentence broken at blanks, its lines after `indent` blanks. */
static void print_wrapped(FILE *out, const char *sentence, int indent)
{
    int column = indent;

    fprintf(out, "%*s", indent, "");
    for (const char *at = sentence; *at;) {
        int length = (int)strcspn(at, " ");
        if (column > indent && column + 1 + length > LINE_COLUMNS) {
            fprintf(out, "\n%*s", indent, "");
            column = indent;
        } else if (column > indent) {
            putc(' ', out);
            column++;
        }
        fprintf(out, "%.*s", length, at);
        column += length;
        at += length;
        at += strspn(at, " ");
    }
    putc('\n', out);
}

/* --- Experiments. --- */

static const char *verdict_words(const json_t *line)
{
    const char *verdict = json_text(line, "verdict");

    if (strcmp(verdict, "explained") == 0)
        return "outside, explained";
    if (strcmp(verdict, "missing") == 0)
        return "OUTSIDE: the run has no such phase";
    return strcmp(verdict, "outside") == 0 ? "OUTSIDE" : verdict;
}

static void print_line(FILE *out, const json_t *line)
{
    char real[CELL_BYTES], replay[CELL_BYTES], difference[CELL_BYTES], ratio[CELL_BYTES],
        bound[CELL_BYTES];

    fprintf(out, "  %-12s %12s %12s %12s %9s %10s   %s\n", json_text(line, "phase"),
            format_kb(real, json_object_get(line, "real_kb"), 0),
            format_kb(replay, json_object_get(line, "replay_kb"), 0),
            format_kb(difference, json_object_get(line, "difference_kb"), 1),
            format_ratio(ratio, json_object_get(line, "ratio")),
            format_kb(bound, json_object_get(line, "bound_kb"), 0), verdict_words(line));
}

static void print_reasons(FILE *out, const json_t *experiment)
{
    const json_t *line;
    const char *told = "";
    char sentence[2048];
    size_t i;

    json_array_foreach(json_object_get(experiment, "phases"), i, line)
    {
        const char *reason = json_text(line, "reason");
        if (!*reason || strcmp(reason, told) == 0)
            continue;
        snprintf(sentence, sizeof sentence, "%s: %s", json_text(line, "phase"), reason);
        print_wrapped(out, sentence, 2);
        told = reason;
    }
    if (*json_text(experiment, "note")) {
        snprintf(sentence, sizeof sentence, "Note: %s", json_text(experiment, "note"));
        print_wrapped(out, sentence, 2);
    }
}

static void print_real(FILE *out, const json_t *experiment)
{
    const json_t *real = json_object_get(experiment, "real");
    const int is_measured = strcmp(json_text(real, "source"), "recorded") != 0;
    char start[CELL_BYTES];

    fputs("  real    ", out);
    print_word(out, real, "version");
    if (is_measured)
        fputs(", measured here", out);
    else
        fprintf(out, ", recorded: %s", json_text(real, "platform"));
    fprintf(out, "; start %s kB\n", format_kb(start, json_object_get(real, "start_kb"), 0));
}

static void print_table(FILE *out, const json_t *experiment)
{
    const json_t *share = json_object_get(experiment, "given_back");
    const char *base = json_text(experiment, "base");
    char above[64], real[CELL_BYTES], replay[CELL_BYTES];
    const json_t *line;
    size_t i;

    print_real(out, experiment);
    snprintf(above, sizeof above, "above %s", base);
    fprintf(out, "  %-12s %12s %12s %12s %9s %10s   verdict\n", above, "real kB", "replay kB",
            "difference", "ratio", "bound");
    json_array_foreach(json_object_get(experiment, "phases"), i, line) print_line(out, line);
    if (json_is_number(json_object_get(share, "real")))
        fprintf(out, "  %-12s %12s %12s\n", "given back",
                format_share(real, json_object_get(share, "real")),
                format_share(replay, json_object_get(share, "replay")));
    print_reasons(out, experiment);
}

static void print_experiment(FILE *out, const json_t *experiment)
{
    const char *status = json_text(experiment, "status");

    if (strcmp(status, "absent") == 0)
        return;
    fprintf(out, "%s: %s\n  replay  %s on %s\n", json_text(experiment, "name"),
            json_text(experiment, "title"), json_text(experiment, "workload"),
            json_text(experiment, "row"));
    if (strcmp(status, "ok") == 0) {
        print_table(out, experiment);
    } else {
        fprintf(out, "  not compared, %s: ", status);
        print_word(out, experiment, "reason");
        putc('\n', out);
    }
    putc('\n', out);
}

/* --- What was published, and what is left out. --- */

static void print_figure(FILE *out, const json_t *figure)
{
    char published[CELL_BYTES], beside[CELL_BYTES];
    const char *experiment = json_text(figure, "experiment");

    fprintf(out, "  %-32s %12s", json_text(figure, "what"),
            format_kb(published, json_object_get(figure, "published_kb"), 0));
    if (*experiment)
        fprintf(out, " %12s   replay of %s, %s\n",
                format_kb(beside, json_object_get(figure, "replay_kb"), 0), experiment,
                json_text(figure, "phase"));
    else
        fprintf(out, " %12s   recorded: %s\n",
                format_kb(beside, json_object_get(figure, "recorded_kb"), 0),
                json_text(figure, "recorded_on"));
}

static void print_article(FILE *out, const json_t *article)
{
    const json_t *figure, *holds;
    char sentence[2048];
    size_t i;

    fprintf(out, "%s, %s\n", json_text(article, "article"), json_text(article, "platform"));
    snprintf(sentence, sizeof sentence, "Claim: %s", json_text(article, "claim"));
    print_wrapped(out, sentence, 2);
    fprintf(out, "  %-32s %12s %12s\n", "resident", "published kB", "beside it");
    json_array_foreach(json_object_get(article, "figures"), i, figure) print_figure(out, figure);
    print_wrapped(out, json_text(article, "why"), 2);
    json_array_foreach(json_object_get(article, "holds"), i, holds)
    {
        snprintf(sentence, sizeof sentence, "%s: %s: %s", json_text(holds, "version"),
                 json_is_true(json_object_get(holds, "holds")) ? "holds" : "does not hold",
                 json_text(holds, "why"));
        print_wrapped(out, sentence, 4);
    }
    putc('\n', out);
}

static void print_excluded(FILE *out, const json_t *report)
{
    const json_t *excluded = json_object_get(report, "not_compared"), *entry;
    char sentence[2048];
    size_t i;

    if (json_array_size(excluded) > 0)
        fputs("Recorded, and not compared:\n", out);
    json_array_foreach(excluded, i, entry)
    {
        snprintf(sentence, sizeof sentence, "%s: %s", json_text(entry, "program"),
                 json_text(entry, "why"));
        print_wrapped(out, sentence, 2);
    }
    if (json_array_size(excluded) > 0)
        putc('\n', out);
}

static json_int_t count_of(const json_t *report, const char *name)
{
    return json_integer_value(json_object_get(json_object_get(report, "counts"), name));
}

static void print_counts(FILE *out, const json_t *report)
{
    fprintf(out,
            "%" JSON_INTEGER_FORMAT " experiments compared, %" JSON_INTEGER_FORMAT
            " not in this run, %" JSON_INTEGER_FORMAT " n/a, %" JSON_INTEGER_FORMAT " failed\n",
            count_of(report, "compared"), count_of(report, "absent"), count_of(report, "n/a"),
            count_of(report, "failed"));
    fprintf(out,
            "figures: %" JSON_INTEGER_FORMAT " within their bound, %" JSON_INTEGER_FORMAT
            " outside and explained, %" JSON_INTEGER_FORMAT
            " without a bound, %" JSON_INTEGER_FORMAT " outside\n",
            count_of(report, "within"), count_of(report, "explained"), count_of(report, "no bound"),
            count_of(report, "outside") + count_of(report, "missing"));
}

void fidelity_table_print(FILE *out, const json_t *report)
{
    const json_t *element;
    size_t i;

    json_array_foreach(json_object_get(report, "experiments"), i, element)
        print_experiment(out, element);
    json_array_foreach(json_object_get(report, "published"), i, element)
        print_article(out, element);
    print_excluded(out, report);
    print_counts(out, report);
}
