/*
 * A median with its interval: see overhead_figure.h.
 */
#include "harness/overhead_figure.h"

#include "harness/statistics.h"

static json_t *real_or_null(int is_there, double value)
{
    return is_there ? json_real(value) : json_null();
}

json_t *overhead_figure_to_json(const struct overhead_figure *figure, double *values, size_t count)
{
    const struct median_interval interval = statistics_median(values, count);

    return json_pack("{s:s, s:s, s:s, s:f, s:i, s:o, s:o, s:o, s:b}", "name", figure->name,
                     "summary", figure->summary, "unit", figure->unit, "median", interval.median,
                     "n", (int)count, "low", real_or_null(interval.has_interval, interval.low),
                     "high", real_or_null(interval.has_interval, interval.high), "aim",
                     real_or_null(figure->aim > 0, figure->aim), "aim_is_least", figure->is_least);
}
