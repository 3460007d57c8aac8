/*
 * Sums over ticks. Leaves out any fit: a curve of steps has no half-life.
 */
#include "harness/returned.h"

#include <errno.h>

/* The last tick at or before `from_ns`, or the first there is. */
static size_t first_tick(const struct returned_curve *curve)
{
    size_t first = 0;

    while (first + 1 < curve->count && curve->ticks[first + 1].t_ns <= curve->from_ns)
        first++;
    return first;
}

static int64_t above_baseline(const struct returned_curve *curve, size_t tick)
{
    return (int64_t)curve->ticks[tick].rss_bytes - curve->baseline_bytes;
}

int returned_time(const struct returned_curve *curve, double share, uint64_t *after_ns)
{
    const int64_t could_go = curve->peak_bytes - curve->floor_bytes;
    const double level = (double)curve->peak_bytes - share * (double)could_go;

    if (could_go < RETURNED_LEAST_BYTES || curve->count == 0)
        return -ENODATA;
    for (size_t i = first_tick(curve); i < curve->count; i++) {
        uint64_t t_ns = curve->ticks[i].t_ns;
        if (t_ns > curve->until_ns)
            break;
        if ((double)above_baseline(curve, i) > level)
            continue;
        *after_ns = t_ns > curve->from_ns ? t_ns - curve->from_ns : 0;
        return 0;
    }
    return -ETIME;
}

static double excess_at(const struct returned_curve *curve, size_t tick)
{
    int64_t excess = above_baseline(curve, tick) - (int64_t)curve->ticks[tick].live_bytes;

    return excess > 0 ? (double)excess : 0;
}

/* The area of one stretch between two ticks, of which only what lies between `from` and `to`
 * counts. */
static double area(double t0, double t1, double y0, double y1, double from, double to)
{
    const double begin = t0 > from ? t0 : from, end = t1 < to ? t1 : to;

    if (end <= begin || t1 <= t0)
        return 0;
    const double slope = (y1 - y0) / (t1 - t0);
    const double at_begin = y0 + slope * (begin - t0), at_end = y0 + slope * (end - t0);
    return (at_begin + at_end) / 2 * (end - begin);
}

int returned_excess(const struct returned_curve *curve, uint64_t duration_ns, double *byte_seconds)
{
    const double from = (double)curve->from_ns, to = from + (double)duration_ns;
    double sum = 0;

    if (curve->count == 0 || curve->from_ns + duration_ns > curve->until_ns)
        return -ENODATA;
    size_t i = first_tick(curve);
    for (; i + 1 < curve->count && (double)curve->ticks[i].t_ns < to; i++)
        sum += area((double)curve->ticks[i].t_ns, (double)curve->ticks[i + 1].t_ns,
                    excess_at(curve, i), excess_at(curve, i + 1), from, to);
    /* Up to a tick's length may be missing at the end. */
    if ((double)curve->ticks[i].t_ns < to)
        sum += excess_at(curve, i) *
               (to - ((double)curve->ticks[i].t_ns > from ? (double)curve->ticks[i].t_ns : from));
    *byte_seconds = sum / 1e9;
    return 0;
}
