/*
 * The number of samples below the median is Binomial(n, 1/2), whatever their distribution: that is
 * the whole method.
 */
#include "harness/statistics.h"

#include <math.h>
#include <stdlib.h>

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

long statistics_interval_rank(size_t count)
{
    const double outside = 0.05;
    double n = (double)count;
    double below = 0; /* P(B < k), B ~ Binomial(n, 1/2) */
    long rank = -1;

    /* Leaving k out at each end keeps 1 - 2 P(B <= k): take the largest k that stays above 95 %. */
    for (size_t k = 0; 2 * k + 1 < count; k++) {
        double kk = (double)k;
        below += exp(lgamma(n + 1) - lgamma(kk + 1) - lgamma(n - kk + 1) - n * log(2));
        if (2 * below > outside)
            break;
        rank = (long)k;
    }
    return rank;
}

struct median_interval statistics_median(double *values, size_t count)
{
    long rank = statistics_interval_rank(count);
    struct median_interval result = {.has_interval = rank >= 0};

    qsort(values, count, sizeof *values, ascending);
    /* Halved before they are added: the sum may be more than a double holds. */
    result.median =
        count % 2 ? values[count / 2] : values[count / 2 - 1] / 2 + values[count / 2] / 2;
    if (result.has_interval) {
        result.low = values[rank];
        result.high = values[count - 1 - (size_t)rank];
    }
    return result;
}
