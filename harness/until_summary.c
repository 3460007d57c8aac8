/*
 * A row that did not reach the asked width at a bound is inconclusive, and is told as that: its
 * figures stand, but not for what was asked.
 */
#include "harness/until_summary.h"

#include "harness/until.h"

#include <math.h>

static json_int_t whole(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* As cell_may_go_on (harness/plan.h), of a plan.json. */
static int may_go_on(const json_t *cells, const json_t *planned)
{
    size_t i;
    const json_t *cell;

    if (json_is_string(json_object_get(planned, "not_available")))
        return 0;
    json_array_foreach(cells, i, cell)
    {
        if (whole(cell, "rounds") > whole(planned, "rounds"))
            return 0;
    }
    return 1;
}

double until_summary_took_ns(const json_t *samples)
{
    double took_ns = 0;
    size_t i;
    const json_t *sample;

    json_array_foreach(samples, i, sample) took_ns += (double)whole(sample, "took_ns");
    return took_ns;
}

/* Rounds that the samples are of: the last one is the most. */
static json_int_t count_rounds(const json_t *const *samples, size_t count)
{
    json_int_t last = -1;

    for (size_t i = 0; i < count; i++) {
        const json_int_t round = whole(samples[i], "round");
        last = round > last ? round : last;
    }
    return last < INT32_MAX ? last + 1 : last;
}

/* Sets the width of each metric, null without an interval. Returns 1 when all are narrow. */
static int set_widths(json_t *object, const json_t *summary, const json_t *until)
{
    const double share = json_number_value(json_object_get(until, "share"));
    json_t *widths = json_object();
    int is_narrow = 1;
    size_t i;
    const json_t *metric;

    json_array_foreach(json_object_get(until, "metrics"), i, metric)
    {
        const char *key = json_is_string(metric) ? json_string_value(metric) : "";
        const json_t *figure = json_object_get(summary, key);
        const json_t *low = json_object_get(figure, "low"), *high = json_object_get(figure, "high");
        const double width =
            json_is_number(low) && json_is_number(high)
                ? until_half_width(json_number_value(json_object_get(figure, "median")),
                                   json_number_value(low), json_number_value(high))
                : INFINITY;
        json_object_set_new(widths, key, isfinite(width) ? json_real(width) : json_null());
        is_narrow &= width <= share;
    }
    json_object_set_new(object, "half_widths", widths);
    return is_narrow;
}

void until_summary_add(json_t *summary, const json_t *plan, const json_t *planned,
                       const json_t *const *samples, size_t sample_count, double took_ns)
{
    const json_t *until = json_object_get(plan, "until");

    if (!until)
        return;
    if (!may_go_on(json_object_get(plan, "cells"), planned)) {
        json_object_set_new(summary, "until", json_null());
        return;
    }
    json_t *told = json_object();
    const int is_narrow = set_widths(told, summary, until);
    const json_int_t rounds = count_rounds(samples, sample_count);
    const char *cap = rounds >= whole(until, "most_rounds")        ? "rounds"
                      : took_ns >= (double)whole(until, "most_ns") ? "time"
                                                                   : NULL;
    json_object_set(told, "share", json_object_get(until, "share"));
    json_object_set_new(told, "reached", json_boolean(is_narrow));
    json_object_set_new(told, "cap", cap && !is_narrow ? json_string(cap) : json_null());
    json_object_set_new(summary, "until", told);
}

static const json_t *cap_of(const json_t *until)
{
    const json_t *cap = json_object_get(until, "cap");

    return json_is_string(cap) ? cap : NULL;
}

/* A row of which something was asked; a control only has the rounds of its experiment. */
static int is_asked(const json_t *cell)
{
    return json_is_object(json_object_get(cell, "until")) &&
           !json_is_true(json_object_get(cell, "control"));
}

void until_summary_print_row(FILE *out, const json_t *cell)
{
    const json_t *until = json_object_get(cell, "until"), *width;
    const char *key, *before = ":";

    if (!is_asked(cell) || json_is_true(json_object_get(until, "reached")))
        return;
    fputs(cap_of(until) ? "  inconclusive at the cap" : "  not narrow yet", out);
    json_object_foreach(json_object_get(until, "half_widths"), key, width)
    {
        if (!json_is_number(width))
            continue;
        fprintf(out, "%s %s +-%.2g %%", before, until_word_of(key), 100 * json_number_value(width));
        before = ",";
    }
}

void until_summary_print(FILE *out, const json_t *summary)
{
    size_t asked = 0, reached = 0, capped = 0, i;
    const json_t *cell, *share = NULL;

    json_array_foreach(summary, i, cell)
    {
        const json_t *until = json_object_get(cell, "until");
        if (!is_asked(cell))
            continue;
        share = json_object_get(until, "share");
        asked++;
        reached += json_is_true(json_object_get(until, "reached"));
        capped += cap_of(until) != NULL;
    }
    if (asked == 0)
        return;
    fprintf(out,
            "until %g %%: of %zu rows %zu have an interval whose half is at most that share of the "
            "median",
            100 * json_number_value(share), asked, reached);
    if (capped > 0)
        fprintf(out, "; %zu stopped at a bound, inconclusive", capped);
    fputs(".\n", out);
}
