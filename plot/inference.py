"""
What the values of processes allow one to say: medians, ratios, tests, and whether samples drifted. Every function takes plain
sequences of one number per process, in the order they were measured where that matters, and is pure: equal input, equal output.
It leaves out which values are compared and what follows from it (verdict.py), and pooled iterations: a process is the sample.
Tests, bootstrap and distributions are SciPy's; what follows here is the choice among them, and its reasons (docs/method.md).
"""
import functools
import math
import warnings
from dataclasses import dataclass

import numpy
import scipy  # scipy.stats is read when it is first used: it takes a second

CONFIDENCE = 0.95
RESAMPLES = 4999   # of a bootstrap: its 2.5 % point is then the 125th value, which moves by some 4 % of the interval's width
SEED = 20260131    # so that the same samples always have the same interval
MOST_RESAMPLED = 2**21  # numbers of a bootstrap in memory at a time
MOST_RANKED = 200  # pairs up to which the distribution of the rank sum is counted out; from some 1,000 on it overflows
MOST_EXACT = 40    # values of both groups up to which the distribution of U is counted out; SciPy takes seconds for 80
FENCE = 1.5        # interquartile ranges beyond a quartile (Tukey, Exploratory Data Analysis, 1977)


@dataclass(frozen=True)
class Interval:
    """A figure, and the bounds that hold it with 95 % confidence; None where too few samples have any."""
    value: float
    low: float = None
    high: float = None

    @property
    def known(self):
        return self.low is not None

    @property
    def width(self):
        """Of half the interval, as a share of the figure; None without one."""
        if not self.known or self.value == 0:
            return None
        return (self.high - self.low) / 2 / abs(self.value)


@dataclass(frozen=True)
class Difference:
    """Two groups of values beside each other: the second over the first."""
    ratio: Interval      # of the medians
    probability: float   # p of Mann-Whitney's U, two-sided; None where a group is empty
    superiority: float   # chance that a value of the second is above one of the first, ties counted half (Vargha and Delaney's A)
    pairs: int           # that were drawn together in the bootstrap; 0: each group by itself
    counts: tuple = None # of values in each
    at_once: bool = False  # the pairs were measured at the same time: all of this is of them, see difference_at_once

    def least_probability(self, count):
        """The smallest p that its test can reach with so many values on each side."""
        return least_probability_at_once(count) if self.at_once else least_probability(count, count)


@dataclass(frozen=True)
class Course:
    """How the values of one cell moved while they were measured."""
    slope: float            # change from the first to the last, as a share of the median (Theil-Sen); None below 4 values
    trend: float            # p of Kendall's tau of the values against their order; None below 4 values
    autocorrelation: float  # of each value with the next; None below 4 values, and where all are equal
    outliers: tuple         # indices of values beyond Tukey's fences: named, never dropped


def median(values):
    """
    The median with its exact interval between two order statistics, which assumes no distribution (Conover, Practical
    Nonparametric Statistics, 3.2). None has one below six values: that of five, their extremes, has 93.75 %. None without a value.
    """
    values = numpy.sort(numpy.asarray(values, dtype=float))
    count = len(values)
    if not count:
        return None
    rank = _interval_rank(count)
    if rank is None:
        return Interval(_median(values))
    return Interval(_median(values), values[rank].item(), values[count - 1 - rank].item())


def difference(first, second, pairs=None, resamples=RESAMPLES):
    """
    The medians' ratio, second over first, with its interval (bootstrap, BCa: Efron 1987, but see _ratio), and a test. `pairs`: (index in first, index
    in second) of values that were measured side by side. Where they are all values, they are drawn together, so that what both
    halves share cancels; the test takes no notice of them. None where a group is empty or the first one's median is not above 0.
    """
    first, second = numpy.asarray(first, dtype=float), numpy.asarray(second, dtype=float)
    if not len(first) or not len(second) or not _median(first) > 0:
        return None
    together = pairs is not None and len(pairs) == len(first) == len(second)
    if together:
        first, second = first[[one for one, _ in pairs]], second[[other for _, other in pairs]]
    above = _mann_whitney(first, second)
    return Difference(_ratio(first, second, together, resamples), above.pvalue.item(), above.statistic.item() / (len(first) * len(second)),
                      len(pairs) if together else 0, (len(first), len(second)))


def difference_at_once(first, second, pairs):
    """
    The same of values that were measured at the same time, in pairs: what the machine did meets both alike, and only the ratio within
    a pair says something. `ratio` is that of Hodges and Lehmann, the median of the means of two logarithms of such ratios, with
    the bounds that invert Wilcoxon's signed-rank test (Hollander and Wolfe, Nonparametric Statistical Methods, 3.1 to 3.3), which gives
    p; `superiority` the share of pairs in which the second is larger. Values are above 0. None without a pair.
    """
    if not pairs:
        return None
    first, second = (numpy.asarray(values, dtype=float)[list(indices)] for values, indices in zip((first, second), zip(*pairs)))
    logs = numpy.log(second / first)
    one, other = numpy.triu_indices(len(logs))
    means = numpy.sort((logs[one] + logs[other]) / 2)
    value, rank = math.exp(_median(means)), _signed_rank(len(logs))
    ratio = Interval(value) if rank is None else Interval(value, math.exp(means[rank]), math.exp(means[-1 - rank]))
    above = (numpy.count_nonzero(logs > 0) + numpy.count_nonzero(logs == 0) / 2) / len(logs)
    return Difference(ratio, _wilcoxon(logs), float(above), len(pairs), (len(logs), len(logs)), at_once=True)


def probability(first, second):
    """p of Mann-Whitney's U alone, two-sided, for groups that are not empty."""
    return float(_mann_whitney(numpy.asarray(first, dtype=float), numpy.asarray(second, dtype=float)).pvalue)


def correct(probabilities):
    """p after Holm's correction for all of them, in their order (Holm, Scandinavian Journal of Statistics 6, 1979)."""
    order = sorted(range(len(probabilities)), key=probabilities.__getitem__)
    corrected, largest = [None] * len(order), 0.0
    for place, index in enumerate(order):
        largest = max(largest, min(1.0, probabilities[index] * (len(order) - place)))
        corrected[index] = largest
    return corrected


def course(values):
    """What the order of the values shows: a machine that drifts, and samples that are not independent of each other."""
    values = numpy.asarray(values, dtype=float)
    outliers = _outliers(values)
    if len(values) < 4:
        return Course(None, None, None, outliers)
    if numpy.ptp(values) == 0:
        return Course(0.0, 1.0, None, outliers)
    order = numpy.arange(len(values))
    middle = _median(values)
    slope = scipy.stats.theilslopes(values, order).slope * (len(values) - 1) / middle if middle else None
    return Course(None if slope is None else float(slope), scipy.stats.kendalltau(order, values).pvalue.item(), _autocorrelation(values),
                  outliers)


def least_probability(first, second):
    """The smallest p that Mann-Whitney's U can reach with so many values on each side: that of groups which do not overlap."""
    return min(1.0, 2 / math.comb(first + second, first))


def least_probability_at_once(count):
    """The same of Wilcoxon's signed-rank test of so many pairs: that of pairs which all point one way."""
    return min(1.0, 2.0**(1 - count))


@functools.lru_cache
def _signed_rank(count):
    """
    How many means to leave out at each end, as _interval_rank: by the distribution of the rank sum without a difference, exact for
    as many pairs as MOST_RANKED, else normal.
    """
    if count > MOST_RANKED:
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        return int(count * (count + 1) / 4 + scipy.stats.norm.ppf((1 - CONFIDENCE) / 2) * spread)
    ways = numpy.ones(1)
    for rank in range(1, count + 1):
        ways = numpy.concatenate((ways, numpy.zeros(rank))) + numpy.concatenate((numpy.zeros(rank), ways))
    tail = numpy.cumsum(ways / ways.sum())
    rank = int(numpy.searchsorted(tail, (1 - CONFIDENCE) / 2, side="right")) - 1
    return rank if rank >= 0 else None


def _wilcoxon(logs):
    """p of the signed-rank test, two-sided; exact without ties where SciPy counts it out."""
    if not numpy.any(logs):
        return 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of few values, or of ties, which it then approximates
        return float(scipy.stats.wilcoxon(logs).pvalue)


def _interval_rank(count):
    """How many values to leave out at each end: the most that keep 95 %; None where no pair does."""
    rank = int(scipy.stats.binom.ppf((1 - CONFIDENCE) / 2, count, 0.5)) - 1
    # ppf gives the first k with P(B <= k) of 2.5 % or more; where that is met exactly k itself will do.
    if 2 * scipy.stats.binom.cdf(rank + 1, count, 0.5) <= 1 - CONFIDENCE:
        rank += 1
    return rank if rank >= 0 else None


def _mann_whitney(first, second):
    """How often a value of the second is above one of the first, and p: exact without ties where that is quick, else normal."""
    count = len(first) + len(second)
    ties = len(numpy.unique(numpy.concatenate((first, second)))) < count
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # all values equal: a division by their spread, and p = 1
        found = scipy.stats.mannwhitneyu(second, first, alternative="two-sided", method="asymptotic" if ties or count > MOST_EXACT else "exact")
    if not math.isfinite(found.pvalue):
        return _Test(found.statistic, numpy.float64(1.0))
    return found


def _median(values):
    return float(numpy.median(values))


def _ratio(first, second, together, resamples):
    def ratio_of(one, other, axis=-1):
        return numpy.median(other, axis=axis) / numpy.median(one, axis=axis)

    value = float(ratio_of(first, second))
    if min(len(first), len(second)) < 4:
        return Interval(value)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # SciPy warns of values that are all equal, of which more below
        found = scipy.stats.bootstrap((first, second), ratio_of, paired=together, vectorized=True, n_resamples=resamples,
                                method="BCa", random_state=SEED, batch=max(1, MOST_RESAMPLED // len(first)))
    # BCa corrects by what happens to the figure without each value in turn, which for a median of few is too much: by itself it held
    # 90 % of six pairs (tests/inference_test.py). So it is never narrower than the plain percentiles, which held 95. Where memory is
    # the same to the byte it has no bounds at all.
    plain = numpy.quantile(found.bootstrap_distribution, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    bounds = [value, *plain, *found.confidence_interval]
    if not numpy.isfinite(plain).all():
        return Interval(value)
    return Interval(value, float(numpy.nanmin(bounds)), float(numpy.nanmax(bounds)))


@dataclass(frozen=True)
class _Test:
    statistic: float
    pvalue: float


def _autocorrelation(values):
    centred = values - values.mean()
    return float((centred[1:] * centred[:-1]).sum() / (centred**2).sum())


def _outliers(values):
    if len(values) < 4:
        return ()
    low, high = numpy.quantile(values, (0.25, 0.75))
    reach = FENCE * (high - low)
    return tuple(int(index) for index in numpy.flatnonzero((values < low - reach) | (values > high + reach)))
