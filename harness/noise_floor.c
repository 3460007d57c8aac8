/*
 * Ratios within pairs: what both halves of a round share, such as a machine that is slow meanwhile,
 * cancels. Leaves out differences: ratios compare rows of any size.
 */
#include "harness/noise_floor.h"

#include "harness/summary.h"

/* Below it a ratio of two amounts of memory says nothing: a page or two is much of them. */
enum { LEAST_BYTES = 1 << 20 };

/* A figure that is compared, and what each half of every pair has to have of it. */
struct measure {
    const char *key;
    double least;
};

static const struct measure measures[] = {
    {"wall_ns", 1},
    {"peak_bytes", LEAST_BYTES},
    {"retained_bytes", LEAST_BYTES},
};

static json_int_t index_of(const json_t *sample, const char *key)
{
    return json_integer_value(json_object_get(sample, key)); /* no repeat: of an earlier version */
}

/* The sample of the same round and repeat, or NULL. */
static const json_t *other_half(const struct noise_floor_side *side, const json_t *sample)
{
    for (size_t i = 0; i < side->count; i++) {
        if (index_of(side->samples[i], "round") == index_of(sample, "round") &&
            index_of(side->samples[i], "repeat") == index_of(sample, "repeat"))
            return side->samples[i];
    }
    return NULL;
}

/* Fills `ratios`, one a pair, and returns how many: 0 where a half has too little for a ratio,
 * since the other pairs alone would be a choice of samples. */
static size_t ratios_of(const struct noise_floor_side *control,
                        const struct noise_floor_side *reference, const struct measure *measure,
                        double *ratios)
{
    size_t count = 0;

    for (size_t i = 0; i < control->count; i++) {
        const json_t *half = other_half(reference, control->samples[i]);
        if (!half)
            continue;
        double above = json_number_value(json_object_get(control->samples[i], measure->key));
        double below = json_number_value(json_object_get(half, measure->key));
        if (above < measure->least || below < measure->least)
            return 0;
        ratios[count++] = above / below;
    }
    return count;
}

json_t *noise_floor_of(const struct noise_floor_side *control,
                       const struct noise_floor_side *reference, double *room)
{
    json_t *object = json_object();
    size_t pairs = 0;

    for (size_t i = 0; i < control->count; i++)
        pairs += other_half(reference, control->samples[i]) != NULL;
    json_object_set_new(object, "pairs", json_integer((json_int_t)pairs));
    for (size_t i = 0; i < sizeof measures / sizeof measures[0]; i++) {
        size_t count = ratios_of(control, reference, &measures[i], room);
        json_object_set_new(object, measures[i].key, summary_figure(room, count));
    }
    return object;
}
