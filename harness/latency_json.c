/*
 * Buckets to JSON and back. Leaves out empty buckets, of which most are.
 */
#include "harness/latency_json.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

/* Of one bucket: no run has so many operations, and no sum of all buckets wraps. */
#define MOST_COUNT (UINT64_C(1) << 50)
#define EXACTNESS  1e-6

const struct latency_quantile latency_quantiles[LATENCY_QUANTILES] = {
    {"p50_ns", 500000},   {"p90_ns", 900000},    {"p99_ns", 990000},
    {"p99_9_ns", 999000}, {"p99_99_ns", 999900},
};

static int refuse(char *error, const char *what)
{
    snprintf(error, LATENCY_JSON_ERROR_BYTES, "%s", what);
    return -EINVAL;
}

static int read_whole(const json_t *object, const char *key, uint64_t *number, char *error)
{
    const json_t *value = json_object_get(object, key);

    if (!json_is_integer(value) || json_integer_value(value) < 0) {
        snprintf(error, LATENCY_JSON_ERROR_BYTES, "%s: wanted a whole number, not negative", key);
        return -EINVAL;
    }
    *number = (uint64_t)json_integer_value(value);
    return 0;
}

/* One pair of `buckets`: its least value, and how many there are. `next` is the first bucket that
 * may follow. */
static int read_bucket(const json_t *buckets, size_t place, size_t *next,
                       struct latency_histogram *histogram)
{
    const json_t *least = json_array_get(buckets, place);
    const json_t *count = json_array_get(buckets, place + 1);

    if (!json_is_integer(least) || json_integer_value(least) < 0 || !json_is_integer(count) ||
        json_integer_value(count) < 1 || (uint64_t)json_integer_value(count) > MOST_COUNT)
        return -EINVAL;
    const uint64_t value = (uint64_t)json_integer_value(least);
    const size_t bucket = latency_bucket_of(value);
    if (bucket < *next || latency_bucket_least(bucket) != value)
        return -EINVAL;
    histogram->buckets[bucket] = (uint64_t)json_integer_value(count);
    *next = bucket + 1;
    return 0;
}

static int read_buckets(const json_t *buckets, struct latency_histogram *histogram, char *error)
{
    size_t next = 0;

    if (!json_is_array(buckets) || json_array_size(buckets) == 0 || json_array_size(buckets) % 2)
        return refuse(error, "buckets: wanted an array of pairs");
    for (size_t i = 0; i < json_array_size(buckets); i += 2) {
        if (read_bucket(buckets, i, &next, histogram) != 0) {
            snprintf(error, LATENCY_JSON_ERROR_BYTES,
                     "buckets[%zu]: wanted the least value of a bucket above the one before, and "
                     "how many there are",
                     i);
            return -EINVAL;
        }
    }
    return 0;
}

/* What the buckets say of the count, the sum and the extremes. */
static int check_sums(const struct latency_histogram *histogram, char *error)
{
    uint64_t count = 0;
    double least_sum = 0, most_sum = 0;

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        const double here = (double)histogram->buckets[i];
        count += histogram->buckets[i];
        least_sum += here * (double)latency_bucket_least(i);
        most_sum += here * fmin((double)latency_bucket_most(i), (double)histogram->most);
    }
    if (count != histogram->count)
        return refuse(error, "count: it is not the sum of its buckets");
    if (histogram->least > histogram->most ||
        histogram->buckets[latency_bucket_of(histogram->least)] == 0 ||
        histogram->buckets[latency_bucket_of(histogram->most)] == 0)
        return refuse(error, "least_ticks: it and most_ticks lie in no bucket that has values");
    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (histogram->buckets[i] &&
            (i < latency_bucket_of(histogram->least) || i > latency_bucket_of(histogram->most)))
            return refuse(error, "least_ticks: a bucket lies outside of it and most_ticks");
    }
    /* A double holds 53 bits of these. */
    if ((double)histogram->sum < least_sum * (1 - EXACTNESS) ||
        (double)histogram->sum > most_sum * (1 + EXACTNESS))
        return refuse(error, "sum_ticks: its buckets cannot add up to it");
    return 0;
}

int latency_json_read(const json_t *object, struct latency_histogram *histogram, char *error)
{
    memset(histogram, 0, sizeof *histogram);
    if (read_whole(object, "count", &histogram->count, error) != 0 ||
        read_whole(object, "sum_ticks", &histogram->sum, error) != 0 ||
        read_whole(object, "least_ticks", &histogram->least, error) != 0 ||
        read_whole(object, "most_ticks", &histogram->most, error) != 0 ||
        read_buckets(json_object_get(object, "buckets"), histogram, error) != 0)
        return -EINVAL;
    return check_sums(histogram, error);
}

void latency_json_write(json_t *object, const struct latency_histogram *histogram)
{
    json_t *buckets = json_array();

    for (size_t i = 0; i < LATENCY_BUCKETS; i++) {
        if (histogram->buckets[i] == 0)
            continue;
        json_array_append_new(buckets, json_integer((json_int_t)latency_bucket_least(i)));
        json_array_append_new(buckets, json_integer((json_int_t)histogram->buckets[i]));
    }
    json_object_set_new(object, "count", json_integer((json_int_t)histogram->count));
    json_object_set_new(object, "sum_ticks", json_integer((json_int_t)histogram->sum));
    json_object_set_new(object, "least_ticks", json_integer((json_int_t)histogram->least));
    json_object_set_new(object, "most_ticks", json_integer((json_int_t)histogram->most));
    json_object_set_new(object, "buckets", buckets);
}

enum { FIGURES = LATENCY_QUANTILES + 3 };

struct figure {
    const char *key;
    double ns;
};

static void work_out(const struct latency_histogram *histogram, double tick_ns,
                     struct figure figures[FIGURES])
{
    figures[0] =
        (struct figure){"mean_ns", (double)histogram->sum / (double)histogram->count * tick_ns};
    figures[1] = (struct figure){"least_ns", (double)histogram->least * tick_ns};
    figures[2] = (struct figure){"most_ns", (double)histogram->most * tick_ns};
    for (size_t i = 0; i < LATENCY_QUANTILES; i++) {
        const struct latency_quantile *quantile = &latency_quantiles[i];
        figures[i + 3] = (struct figure){
            quantile->key,
            (double)latency_histogram_quantile(histogram, quantile->parts) * tick_ns};
    }
}

void latency_json_add_figures(json_t *object, const struct latency_histogram *histogram,
                              double tick_ns)
{
    struct figure figures[FIGURES];

    work_out(histogram, tick_ns, figures);
    for (size_t i = 0; i < FIGURES; i++)
        json_object_set_new(object, figures[i].key, json_real(figures[i].ns));
}

int latency_json_check_figures(const json_t *object, const struct latency_histogram *histogram,
                               double tick_ns, char *error)
{
    struct figure figures[FIGURES];

    work_out(histogram, tick_ns, figures);
    for (size_t i = 0; i < FIGURES; i++) {
        const json_t *value = json_object_get(object, figures[i].key);
        const double off = fabs(json_number_value(value) - figures[i].ns);
        if (!json_is_number(value) || off > figures[i].ns * EXACTNESS) {
            snprintf(error, LATENCY_JSON_ERROR_BYTES, "%s: its buckets say %.6g", figures[i].key,
                     figures[i].ns);
            return -EINVAL;
        }
    }
    return 0;
}
