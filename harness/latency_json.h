/*
 * A histogram of latencies as JSON (results/FORMAT.md, latency), in ticks as it was counted, with
 * its figures in nanoseconds. Leaves out the rest of a file (harness/latency_pass.c).
 */
#ifndef TIDEMARK_HARNESS_LATENCY_JSON_H
#define TIDEMARK_HARNESS_LATENCY_JSON_H

#include "harness/latency_histogram.h"

#include <jansson.h>

enum { LATENCY_JSON_ERROR_BYTES = 128 };

/* A quantile that files and tables have: "p99_9_ns", 999000 of a million. */
struct latency_quantile {
    const char *key;
    uint64_t parts;
};

enum { LATENCY_QUANTILES = 5 };

extern const struct latency_quantile latency_quantiles[LATENCY_QUANTILES];

/*
 * Reads `count`, `sum_ticks`, `least_ticks`, `most_ticks` and `buckets`, which may come from
 * anywhere, and holds them to each other. An empty histogram is refused. Returns 0, or -EINVAL with
 * a sentence in `error` (LATENCY_JSON_ERROR_BYTES) that begins with the field; `histogram` is then
 * undefined.
 */
int latency_json_read(const json_t *object, struct latency_histogram *histogram, char *error);

/* Adds the fields that latency_json_read reads to `object`. */
void latency_json_write(json_t *object, const struct latency_histogram *histogram);

/* Adds `mean_ns`, `least_ns`, the quantiles and `most_ns` of it to `object`. */
void latency_json_add_figures(json_t *object, const struct latency_histogram *histogram,
                              double tick_ns);

/* Whether the figures of `object` are those of the histogram, to a millionth. Returns 0, or -EINVAL
 * with a sentence in `error` (LATENCY_JSON_ERROR_BYTES) that begins with the field. */
int latency_json_check_figures(const json_t *object, const struct latency_histogram *histogram,
                               double tick_ns, char *error);

#endif
