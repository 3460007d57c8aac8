/*
 * Rounds beyond the planned ones, as `tidemark run --until` asks for them: what is asked, and when
 * an interval is narrow. Leaves out the count of what is done (harness/tally.h) and the running of
 * it (harness/runner.h).
 *
 * It is fixed-width sequential estimation (Chow & Robbins, Annals of Mathematical Statistics 36,
 * 1965) with the order-statistic interval of the median: the rule looks at the width alone, never
 * at a comparison. What that does to the 95 % is in docs/method.md.
 */
#ifndef TIDEMARK_HARNESS_UNTIL_H
#define TIDEMARK_HARNESS_UNTIL_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

/* Figures of a sample whose interval can be asked to be narrow. */
enum until_metric { UNTIL_TIME, UNTIL_PEAK, UNTIL_RETAINED, UNTIL_METRICS };

enum {
    UNTIL_LEAST_ROUNDS = 6, /* with fewer there is no interval (harness/statistics.h) */
    UNTIL_USUAL_ROUNDS = 60,
    UNTIL_WORDS_BYTES = 64,
    UNTIL_ERROR_BYTES = 128,
};

struct until {
    double share;         /* of the median, that half an interval may be; 0: nothing is asked for */
    unsigned metrics;     /* a set of 1 << enum until_metric */
    unsigned most_rounds; /* of an experiment, the planned ones included */
    uint64_t most_ns;     /* that all samples of the run take: beyond it no round is added */
};

/* The key of the metric in samples.jsonl and summary.json: "wall_ns". Thread-safe. */
const char *until_metric_key(enum until_metric metric);

/* What --until-of calls the metric of that key: "time"; "?" for another key. Thread-safe. */
const char *until_word_of(const char *key);

/* Reads "2%" or "0.5%", from 0.01 % to 50 %. Returns 0, or -EINVAL with `share` untouched.
 * Thread-safe. */
int until_parse_share(const char *text, double *share);

/* Reads "time,peak". Returns 0, or -EINVAL with a sentence in `error` (UNTIL_ERROR_BYTES) that
 * names the word and those that there are. Thread-safe. */
int until_parse_metrics(const char *text, unsigned *metrics, char *error);

/* "time and peak", into `words` (UNTIL_WORDS_BYTES); returned. Thread-safe. */
const char *until_words(unsigned metrics, char *words);

/*
 * Half of the interval from `low` to `high`, as a share of the median's size; 0 of an interval
 * without width, infinite of one around 0.
 */
double until_half_width(double median, double low, double high);

/* The same of the 95 % interval of the values' median, which it sorts; infinite where they have
 * none. O(n log n). */
double until_half_width_of(double *values, size_t count);

/* The field `until` of plan.json, a new object. */
json_t *until_to_json(const struct until *until);

/* The same back. Returns 0, or -EINVAL with the name of the field that does not fit in `field`, an
 * array of UNTIL_WORDS_BYTES; `until` is then untouched. */
int until_from_json(struct until *until, const json_t *json, char *field);

#endif
