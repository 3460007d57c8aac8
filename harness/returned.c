/*
 * Sums over ticks. Leaves out any fit: a curve of steps has no half-life.
 */
#include "harness/returned.h"

#include <errno.h>

/* The first tick after `from_ns`; their count where there is none. */
static size_t next_tick(const struct returned_curve *curve)
{
    size_t next = 0;

    while (next < curve->count && curve->ticks[next].t_ns <= curve->from_ns)
        next++;
    return next;
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
    if ((double)curve->first_bytes <= level) {
        *after_ns = 0;
        return 0;
    }
    for (size_t i = next_tick(curve); i < curve->count; i++) {
        const uint64_t t_ns = curve->ticks[i].t_ns;
        if (t_ns > curve->until_ns)
            break;
        if ((double)above_baseline(curve, i) > level)
            continue;
        *after_ns = t_ns - curve->from_ns;
        return 0;
    }
    return -ETIME;
}

static double excess(int64_t resident_bytes, int64_t live_bytes)
{
    return resident_bytes > live_bytes ? (double)(resident_bytes - live_bytes) : 0;
}

/* The area beneath the line from (t0, y0) to (t1, y1), as far as `to`. */
static double area(double t0, double t1, double y0, double y1, double to)
{
    const double end = t1 < to ? t1 : to;

    if (end <= t0)
        return 0;
    const double at_end = y0 + (y1 - y0) / (t1 - t0) * (end - t0);
    return (y0 + at_end) / 2 * (end - t0);
}

int returned_excess(const struct returned_curve *curve, uint64_t duration_ns, double *byte_seconds)
{
    double t = (double)curve->from_ns, y = excess(curve->first_bytes, curve->first_live_bytes);
    const double to = t + (double)duration_ns;
    double sum = 0;

    if (curve->count == 0 || curve->from_ns + duration_ns > curve->until_ns)
        return -ENODATA;
    for (size_t i = next_tick(curve); i < curve->count && t < to; i++) {
        const double next_t = (double)curve->ticks[i].t_ns;
        const double next_y = excess(above_baseline(curve, i), (int64_t)curve->ticks[i].live_bytes);
        sum += area(t, next_t, y, next_y, to);
        t = next_t;
        y = next_y;
    }
    /* Up to a tick's length may be missing at the end. */
    if (t < to)
        sum += y * (to - t);
    *byte_seconds = sum / 1e9;
    return 0;
}
