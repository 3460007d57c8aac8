/*
 * Eight heights: those that Unicode has block elements for (U+2581 to U+2588). Leaves out a scale:
 * the figures stand beside it.
 */
#include "harness/sparkline.h"

#include <string.h>

enum { STEPS = 8 };

static const char *const blocks[STEPS] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
static const char *const ascii[STEPS] = {".", ":", "-", "=", "+", "*", "#", "@"};

static void halve(struct sparkline_curve *curve)
{
    for (size_t i = 0; 2 * i < curve->used; i++) {
        const uint64_t first = curve->most[2 * i];
        const uint64_t second = 2 * i + 1 < curve->used ? curve->most[2 * i + 1] : 0;
        curve->most[i] = first > second ? first : second;
    }
    curve->used = (curve->used + 1) / 2;
    curve->fresh = (curve->fresh + 1) / 2;
    curve->bucket_ns *= 2;
}

void sparkline_add(struct sparkline_curve *curve, uint64_t t_ns, uint64_t value)
{
    /* Beyond that a doubled stretch would be no number: some 146 years. */
    while (t_ns / curve->bucket_ns >= SPARKLINE_BUCKETS && curve->bucket_ns < UINT64_MAX / 4)
        halve(curve);
    uint64_t bucket = t_ns / curve->bucket_ns;
    bucket = bucket < SPARKLINE_BUCKETS ? bucket : SPARKLINE_BUCKETS - 1;
    for (; curve->used <= bucket; curve->used++)
        curve->most[curve->used] = curve->used ? curve->most[curve->used - 1] : 0;
    /* What was carried over gives way to the first value of the stretch. */
    if (value > curve->most[bucket] || curve->fresh != bucket + 1)
        curve->most[bucket] = value;
    curve->fresh = bucket + 1;
}

static uint64_t largest(const uint64_t *values, size_t count)
{
    uint64_t most = 0;

    for (size_t i = 0; i < count; i++)
        most = values[i] > most ? values[i] : most;
    return most;
}

/* To the nearest step; all of them are at the bottom where there is nothing at all. */
static size_t step_of(uint64_t value, uint64_t most)
{
    return most == 0 ? 0 : (size_t)((double)value / (double)most * (STEPS - 1) + 0.5);
}

size_t sparkline_draw(char *text, const uint64_t *values, size_t count, size_t columns, int is_utf8)
{
    const size_t drawn = count < columns ? count : columns;
    const uint64_t most = largest(values, count);
    char *at = text;

    for (size_t column = 0; column < drawn; column++) {
        const size_t from = column * count / drawn, until = (column + 1) * count / drawn;
        const size_t step = step_of(largest(values + from, until - from), most);
        const char *cell = is_utf8 ? blocks[step] : ascii[step];
        const size_t length = strlen(cell);
        memcpy(at, cell, length);
        at += length;
    }
    *at = '\0';
    return drawn;
}
