/*
 * Shares, metrics and widths. A share is kept in whole millionths, so that what plan.json says is
 * what was asked for, to the last bit: a resumed run comes to the same decisions.
 */
#include "harness/until.h"

#include "harness/statistics.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_ROUNDS = 1000 }; /* as many as a plan has: PLAN_MOST_ROUNDS */

static const double millionths = 1e6, least_share = 1e-4, most_share = 0.5;

static const struct {
    const char *word, *key;
} metrics_known[UNTIL_METRICS] = {
    [UNTIL_TIME] = {"time", "wall_ns"},
    [UNTIL_PEAK] = {"peak", "peak_bytes"},
    [UNTIL_RETAINED] = {"retained", "retained_bytes"},
};

const char *until_metric_key(enum until_metric metric)
{
    return metrics_known[metric].key;
}

static double whole_millionths(double share)
{
    return round(share * millionths) / millionths;
}

static int is_share(double share)
{
    return share >= least_share && share <= most_share;
}

int until_parse_share(const char *text, double *share)
{
    char *end;
    const size_t length = strspn(text, "0123456789.");

    /* Neither signs nor exponents nor what strtod(3) takes besides. */
    if (length == 0 || strcmp(text + length, "%") != 0)
        return -EINVAL;
    const double read = whole_millionths(strtod(text, &end) / 100);
    if (*end != '%' || !is_share(read))
        return -EINVAL;
    *share = read;
    return 0;
}

/* UNTIL_METRICS where there is none of that name. */
static size_t metric_of(const char *word, size_t length, int is_key)
{
    size_t metric = 0;

    for (; metric < UNTIL_METRICS; metric++) {
        const char *known = is_key ? metrics_known[metric].key : metrics_known[metric].word;
        if (strlen(known) == length && strncmp(known, word, length) == 0)
            break;
    }
    return metric;
}

const char *until_word_of(const char *key)
{
    const size_t metric = metric_of(key, strlen(key), 1);

    return metric < UNTIL_METRICS ? metrics_known[metric].word : "?";
}

int until_parse_metrics(const char *text, unsigned *metrics, char *error)
{
    unsigned read = 0;

    for (;;) {
        const size_t length = strcspn(text, ",");
        const size_t metric = metric_of(text, length, 0);
        if (metric == UNTIL_METRICS) {
            snprintf(error, UNTIL_ERROR_BYTES, "'%.*s' is neither time nor peak nor retained",
                     length < 32 ? (int)length : 32, text);
            return -EINVAL;
        }
        read |= 1u << metric;
        if (!text[length])
            break;
        text += length + 1;
    }
    *metrics = read;
    return 0;
}

const char *until_words(unsigned metrics, char *words)
{
    size_t used = 0;

    words[0] = '\0';
    for (size_t metric = 0; metric < UNTIL_METRICS; metric++) {
        const unsigned later = metrics >> (metric + 1);
        if (metrics & 1u << metric)
            used += (size_t)snprintf(words + used, UNTIL_WORDS_BYTES - used, "%s%s",
                                     used == 0 ? ""
                                     : later   ? ", "
                                               : " and ",
                                     metrics_known[metric].word);
    }
    return words;
}

double until_half_width(double median, double low, double high)
{
    const double half = high / 2 - low / 2;

    if (half == 0)
        return 0;
    return median == 0 ? INFINITY : half / fabs(median);
}

double until_half_width_of(double *values, size_t count)
{
    if (count == 0)
        return INFINITY;
    const struct median_interval interval = statistics_median(values, count);
    return interval.has_interval ? until_half_width(interval.median, interval.low, interval.high)
                                 : INFINITY;
}

json_t *until_to_json(const struct until *until)
{
    json_t *metrics = json_array();

    for (size_t metric = 0; metric < UNTIL_METRICS; metric++) {
        if (until->metrics & 1u << metric)
            json_array_append_new(metrics, json_string(metrics_known[metric].key));
    }
    return json_pack("{s:f, s:o, s:i, s:I}", "share", until->share, "metrics", metrics,
                     "most_rounds", (int)until->most_rounds, "most_ns", (json_int_t)until->most_ns);
}

static int refuse(char *field, const char *name)
{
    snprintf(field, UNTIL_WORDS_BYTES, "%s", name);
    return -EINVAL;
}

/* Returns 0 or -EINVAL. */
static int read_metrics(const json_t *names, unsigned *metrics)
{
    const json_t *name;
    size_t i;
    unsigned read = 0;

    json_array_foreach(names, i, name)
    {
        const char *key = json_is_string(name) ? json_string_value(name) : "";
        const size_t metric = metric_of(key, strlen(key), 1);
        if (metric == UNTIL_METRICS)
            return -EINVAL;
        read |= 1u << metric;
    }
    *metrics = read;
    return read ? 0 : -EINVAL;
}

int until_from_json(struct until *until, const json_t *json, char *field)
{
    const json_t *rounds = json_object_get(json, "most_rounds");
    const json_t *time_ns = json_object_get(json, "most_ns");
    struct until read = {.share =
                             whole_millionths(json_number_value(json_object_get(json, "share")))};

    if (!is_share(read.share))
        return refuse(field, "share");
    if (read_metrics(json_object_get(json, "metrics"), &read.metrics) != 0)
        return refuse(field, "metrics");
    if (!json_is_integer(rounds) || json_integer_value(rounds) < UNTIL_LEAST_ROUNDS ||
        json_integer_value(rounds) > MOST_ROUNDS)
        return refuse(field, "most_rounds");
    if (!json_is_integer(time_ns) || json_integer_value(time_ns) < 0)
        return refuse(field, "most_ns");
    read.most_rounds = (unsigned)json_integer_value(rounds);
    read.most_ns = (uint64_t)json_integer_value(time_ns);
    *until = read;
    return 0;
}
