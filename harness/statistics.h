/*
 * Medians with exact intervals. Leaves out tests of significance and any distribution's shape:
 * memory figures have none to assume.
 */
#ifndef TIDEMARK_HARNESS_STATISTICS_H
#define TIDEMARK_HARNESS_STATISTICS_H

#include <stddef.h>

/*
 * The median, and the narrowest pair of order statistics that holds it with at least 95 % (Conover,
 * Practical Nonparametric Statistics, 3.2). `has_interval` is 0 below six samples, where no pair
 * does: with five, the extremes hold it with 93.75 %.
 */
struct median_interval {
    double median;
    double low, high;
    int has_interval;
};

/* Sorts `values`. `count` is at least 1. An even count's median is the mean of the middle two. O(n
 * log n). */
struct median_interval statistics_median(double *values, size_t count);

/*
 * How many samples to leave out at each end for the 95 % interval of the median; -1 when there is
 * none. Exact binomial sum in double, good to thousands of samples.
 */
long statistics_interval_rank(size_t count);

#endif
