/*
 * Medians over samples, where one that never gave back counts as longer than any that did. Leaves
 * out ratios to other cells (harness/summary.c).
 */
#include "harness/return_summary.h"

#include "harness/moments.h"
#include "harness/returned.h"
#include "harness/statistics.h"
#include "harness/summary.h"

#include <math.h>

struct good {
    const json_t *const *samples;
    size_t count;
    double *room;
};

static const json_t *moment_of(const json_t *sample, uint64_t after_ns)
{
    size_t i;
    const json_t *moment;

    json_array_foreach(json_object_get(sample, "moments"), i, moment)
    {
        const json_t *after = json_object_get(moment, "after_ns");
        if (json_is_integer(after) && json_integer_value(after) == (json_int_t)after_ns)
            return moment;
    }
    return NULL;
}

/* Of one field of one moment, less what `base` of the sample is, unless that is NULL. */
static json_t *figure_at(const struct good *good, uint64_t after_ns, const char *key,
                         const char *base)
{
    size_t count = 0;

    for (size_t i = 0; i < good->count; i++) {
        const json_t *value = json_object_get(moment_of(good->samples[i], after_ns), key);
        const json_t *less = base ? json_object_get(good->samples[i], base) : NULL;
        if (json_is_number(value))
            good->room[count++] = json_number_value(value) - json_number_value(less);
    }
    return summary_figure(good->room, count);
}

static json_t *moments(const struct good *good)
{
    static const char *const keys[] = {"lazyfree_bytes", "anon_huge_bytes", "page_table_bytes",
                                       "charge_bytes", "excess_byte_seconds"};
    json_t *all = json_array();

    for (size_t i = 0; i < MOMENTS; i++) {
        json_t *retained = figure_at(good, moment_after_ns[i], "rss_bytes", "baseline_bytes");
        if (json_is_null(retained))
            continue;
        json_t *moment = json_object();
        json_object_set_new(moment, "after_ns", json_integer((json_int_t)moment_after_ns[i]));
        json_object_set_new(moment, "retained_bytes", retained);
        for (size_t j = 0; j < sizeof keys / sizeof keys[0]; j++)
            json_object_set_new(moment, keys[j],
                                figure_at(good, moment_after_ns[i], keys[j], NULL));
        json_array_append_new(all, moment);
    }
    return all;
}

static json_t *figure(const struct good *good, const char *key)
{
    size_t count = 0;

    for (size_t i = 0; i < good->count; i++) {
        const json_t *value = json_object_get(good->samples[i], key);
        if (json_is_number(value))
            good->room[count++] = json_number_value(value);
    }
    return summary_figure(good->room, count);
}

static json_t *finite(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* When a share had gone back, over the samples of which so much could go that it says something. */
static json_t *time_to(const struct good *good, const char *key)
{
    size_t count = 0, reached = 0;

    for (size_t i = 0; i < good->count; i++) {
        const json_t *returnable = json_object_get(good->samples[i], "returnable_bytes");
        const json_t *time = json_object_get(good->samples[i], key);
        if (!json_is_number(returnable) || json_number_value(returnable) < RETURNED_LEAST_BYTES)
            continue;
        reached += json_is_number(time);
        good->room[count++] = json_is_number(time) ? json_number_value(time) : INFINITY;
    }
    if (count == 0)
        return json_null();
    struct median_interval interval = statistics_median(good->room, count);
    json_t *object = json_object();
    json_object_set_new(object, "median", finite(interval.median));
    json_object_set_new(object, "low", interval.has_interval ? finite(interval.low) : json_null());
    json_object_set_new(object, "high",
                        interval.has_interval ? finite(interval.high) : json_null());
    json_object_set_new(object, "reached", json_integer((json_int_t)reached));
    json_object_set_new(object, "of", json_integer((json_int_t)count));
    return object;
}

void return_summary_add(json_t *cell, const json_t *const *samples, size_t count, double *room)
{
    static const char *const figures[] = {"returnable_bytes", "watched_ns", "give_back_ns",
                                          "rebuild_ns", "rebuild_minor_faults"};
    const struct good good = {samples, count, room};

    json_object_set_new(cell, "moments", moments(&good));
    for (size_t i = 0; i < sizeof figures / sizeof figures[0]; i++)
        json_object_set_new(cell, figures[i], figure(&good, figures[i]));
    json_object_set_new(cell, "give_back_50_ns", time_to(&good, "give_back_50_ns"));
    json_object_set_new(cell, "give_back_90_ns", time_to(&good, "give_back_90_ns"));
}
