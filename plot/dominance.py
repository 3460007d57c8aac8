"""
Which rows are better than which in time, peak and retained memory at once, and how sure that is: dominance, fronts, geometric
means over experiments. Pure: arrays in, the same results out each time.
It leaves out reading (processes.py) and words (advice_words.py). A row dominates another when it is worse on no axis and better on
one at least (Pareto); that the answer has to have three values, as its intervals may not decide, is our own.
"""
import itertools
import math
from dataclasses import dataclass, field

import numpy

import inference

AXES = ("time", "peak", "retained")
MARGIN = 0.01    # a ratio nearer to 1 than this is no difference: nobody ships another allocator for it
FLOOR = 2**20    # bytes: an amount of memory below it counts as that much, so that next to nothing has no ratio
FEWEST = 6       # rounds from which on the range of as many ratios, the widest that there is, holds their median with 95 %
CERTAIN, MAY, NOT = "dominates", "may dominate", "does not dominate"
ON, MAYBE, OFF = "on", "maybe", "off"
MOST_ROWS = 64   # of a comparison: pairs grow as its square


@dataclass(frozen=True)
class Ratio:
    """One row's figure over another's, with the bounds that hold it; `sure`: with 95 %, else they are what was seen."""
    value: float
    low: float
    high: float
    sure: bool

    @property
    def better(self):
        """That of the first row is lower, by more than the margin, as far as the bounds go."""
        return self.high < 1 / (1 + MARGIN)

    @property
    def worse(self):
        return self.low > 1 + MARGIN

    @property
    def no_worse(self):
        return self.high <= 1 + MARGIN

    @property
    def alike(self):
        return self.no_worse and self.low >= 1 / (1 + MARGIN)

    def inverse(self):
        return Ratio(1 / self.value, 1 / self.high, 1 / self.low, self.sure)


@dataclass
class Comparison:
    """
    Rows beside each other. `middles[axis][row]`: a median in the axis's own unit, or a mean ratio to the best over experiments;
    `spans`: its bounds, (None, None) where there are too few rounds; `ratios[axis][row][other]`: a Ratio of row over other, None of a
    row over itself; `outcomes[row][other]`: CERTAIN, MAY or NOT; `front[row]`: ON, MAYBE or OFF; `share[row]`: of resamples in which
    it is on the front, None with too few rounds. `logs`: logarithms of the figures, memory at least FLOOR, [axis, row];
    `resamples`: of the same, [resample, axis, row]; None with too few rounds.
    """
    rows: list
    rounds: int
    middles: list
    spans: list
    ratios: list
    logs: numpy.ndarray
    outcomes: list = field(default_factory=list)
    front: list = field(default_factory=list)
    share: list = field(default_factory=list)
    resamples: numpy.ndarray = None

    @property
    def sure(self):
        return self.rounds >= FEWEST

    def dominators(self, row, outcome):
        """Indices of the rows of which that is the outcome over `row`."""
        return [other for other in range(len(self.rows)) if other != row and self.outcomes[other][row] == outcome]


def compare(rows, values):
    """The Comparison of one experiment. `values`: [axis, row, block], what one block measured side by side; times above 0."""
    measured = numpy.asarray(values, dtype=float)
    values, blocks = _raise_to_floor(measured), measured.shape[2]
    resamples = _medians_of_resamples(values, numpy.random.default_rng(inference.SEED)) if blocks >= FEWEST else None
    spans = [[_bounds(inference.median(row)) for row in axis] for axis in measured]
    ratios = [[[None if one == other else paired_ratio(axis[one], axis[other]) for other in range(len(rows))]
               for one in range(len(rows))] for axis in values]
    return _conclude(Comparison(list(rows), blocks, numpy.median(measured, axis=2).tolist(), spans, ratios,
                                numpy.log(numpy.median(values, axis=2)), resamples=resamples))


def mean_over(rows, experiments):
    """
    The Comparison of geometric means over experiments, each [axis, row, block] with the same rows: of each figure over the best of
    its experiment. Its intervals are those of a bootstrap over the blocks within each experiment: they speak of these experiments.
    """
    experiments = [_raise_to_floor(numpy.asarray(values, dtype=float)) for values in experiments]
    rounds = min(values.shape[2] for values in experiments)
    generator = numpy.random.default_rng(inference.SEED)
    logs = numpy.mean([_over_best(numpy.log(numpy.median(values, axis=2))) for values in experiments], axis=0)
    resamples = sum(_over_best(_medians_of_resamples(values, generator)) for values in experiments) / len(experiments)
    middles, sure = numpy.exp(logs), rounds >= FEWEST
    if not sure:
        resamples = None
    spans = [[_quantiles(numpy.exp(resamples[:, axis, row]), middles[axis, row]) if sure else (None, None)
              for row in range(len(rows))] for axis in range(len(AXES))]
    ratios = [[[None if one == other else _mean_ratio(logs[axis, one] - logs[axis, other],
                                                      None if not sure else resamples[:, axis, one] - resamples[:, axis, other],
                                                      [paired_ratio(values[axis, one], values[axis, other]) for values in experiments])
                for other in range(len(rows))] for one in range(len(rows))] for axis in range(len(AXES))]
    return _conclude(Comparison(list(rows), rounds, middles.tolist(), spans, ratios, logs, resamples=resamples))


def paired_ratio(one, other):
    """
    The median of the ratios within blocks, with its exact interval between two of them, which assumes no distribution; below six
    blocks the range of what was seen. A bootstrap of the medians' ratio holds it too rarely with few rounds (docs/advise.md).
    """
    ratios = one / other
    middle = inference.median(ratios)
    if middle.known:
        return Ratio(middle.value, middle.low, middle.high, True)
    return Ratio(middle.value, float(ratios.min()), float(ratios.max()), False)


def outcome(ratios, point):
    """
    Whether the first row dominates the second, by their Ratio on each axis. `point`: the sum of the logarithms of the figures' own
    ratios, below 0 where the first wins more than it loses: what may be lost within the margin must not outweigh what is won,
    else three rows could each dominate the next.
    """
    if any(ratio.worse for ratio in ratios) or all(ratio.low >= 1 / (1 + MARGIN) for ratio in ratios):
        return NOT
    if not all(ratio.sure for ratio in ratios):
        medians = [ratio.value for ratio in ratios]
        is_seen = all(value <= 1 + MARGIN for value in medians) and any(value < 1 / (1 + MARGIN) for value in medians)
        return MAY if is_seen and point < 0 else NOT
    if all(ratio.no_worse for ratio in ratios) and any(ratio.better for ratio in ratios) and point < 0:
        return CERTAIN
    return MAY


def front_of(logs):
    """
    Which rows no other dominates, by these figures alone; `logs`: logarithms, [resample, axis, row]. Returns booleans, [resample,
    row]. At least one is on every front: each that is dominated has one above it with a lower sum.
    """
    margin = math.log1p(MARGIN)
    front = numpy.ones((len(logs), logs.shape[2]), dtype=bool)
    for row in range(logs.shape[2]):  # one at a time: pairs of many rows, in each resample, are more than memory has room for
        beside = logs[:, :, row, None] - logs
        front &= ~((beside <= margin).all(axis=1) & (beside < -margin).any(axis=1) & (beside.sum(axis=1) < 0))
    return front


def choose_blocks(row_sets):
    """
    Which experiments are averaged together, and over which rows: [(indices of experiments, rows)], such that each of its rows is in
    each of its experiments. The largest such table is taken first, then that of what is left, until none has two of each; of tables of
    one size that of more experiments. `row_sets`: rows by experiment.
    """
    left = dict(enumerate(map(frozenset, row_sets)))
    chosen = []
    while True:
        tables = [([index for index, rows in left.items() if common <= rows], common) for common in _closed_sets(left.values())]
        tables = [table for table in tables if len(table[0]) > 1 and len(table[1]) > 1]
        if not tables:
            return chosen
        best = max(tables, key=lambda table: (len(table[0]) * len(table[1]), len(table[0]), -table[0][0]))
        chosen.append(best)
        left = {index: rows for index, rows in left.items() if index not in best[0]}


def order_front(comparison, weights):
    """
    The rows that are not certainly dominated by what the user is ready to trade: [(row, cost)], the least cost first, as logarithms
    over that of the first; `weights`: an exponent for each axis.
    """
    rows = [row for row in range(len(comparison.rows)) if comparison.front[row] != OFF]
    costs = _costs(comparison.logs, weights)
    rows.sort(key=lambda row: costs[row])
    return [(row, float(costs[row] - costs[rows[0]])) for row in rows]


@dataclass
class Stability:
    """Of an order: among `changes` of the weights, in how many it stays, and its first row does; of resamples, likewise."""
    changes: int
    same: int
    first: dict           # by row, in how many changes it is the first
    first_share: float    # of resamples in which the first row is the first of those on the front; None with too few rounds


def weigh_stability(comparison, weights, reach=0.2):
    """How the order of the front holds when each weight is less by `reach`, as it is, or more, in all combinations."""
    ordered = [row for row, _ in order_front(comparison, weights)]
    same, first, changes = 0, {}, 0
    for factors in itertools.product(*[(1 - reach, 1, 1 + reach) if weight > 0 else (1,) for weight in weights]):
        changed = [row for row, _ in order_front(comparison, [weight * factor for weight, factor in zip(weights, factors)])]
        changes += 1
        same += changed == ordered
        first[changed[0]] = first.get(changed[0], 0) + 1
    share = None
    if comparison.resamples is not None:
        costs = _costs(comparison.resamples, weights)[:, ordered]
        share = float((costs.argmin(axis=1) == 0).mean())
    return Stability(changes, same, first, share)


def rounds_to_tell(comparison, axis, one, other):
    """
    How many rounds would show the difference between two rows that was seen, in four of five runs; None where it is within the margin,
    or there are too few rounds to tell.
    """
    difference = abs(comparison.logs[axis, one] - comparison.logs[axis, other])
    if comparison.resamples is None or difference < math.log1p(MARGIN):
        return None
    error = float((comparison.resamples[:, axis, one] - comparison.resamples[:, axis, other]).std())
    # 1.96 + 0.84 standard errors: 5 % of false alarms, 80 % of power; an error falls as the root of the rounds.
    return max(FEWEST, math.ceil(comparison.rounds * (2.8 * error / difference)**2))


def _conclude(comparison):
    """Fills outcomes, front and share, from ratios and figures."""
    count = len(comparison.rows)
    sums = comparison.logs.sum(axis=0)
    comparison.outcomes = [[None if one == other else outcome([axis[one][other] for axis in comparison.ratios],
                                                              sums[one] - sums[other]) for other in range(count)]
                           for one in range(count)]
    comparison.front = [OFF if comparison.dominators(row, CERTAIN) else MAYBE if comparison.dominators(row, MAY) else ON
                        for row in range(count)]
    comparison.share = [None] * count if comparison.resamples is None else front_of(comparison.resamples).mean(axis=0).tolist()
    return comparison


def _raise_to_floor(values):
    raised = values.copy()
    raised[1:] = numpy.maximum(raised[1:], FLOOR)
    return raised


def _medians_of_resamples(values, generator):
    """Logarithms of medians, [resample, axis, row]: blocks are drawn whole, so that what a round does to all rows stays with them."""
    blocks = values.shape[2]
    drawn = generator.integers(0, blocks, (inference.RESAMPLES, blocks))
    medians = numpy.empty((inference.RESAMPLES, *values.shape[:2]))
    for axis, row in numpy.ndindex(values.shape[:2]):
        medians[:, axis, row] = numpy.median(values[axis, row][drawn], axis=1)
    return numpy.log(medians)


def _over_best(logs):
    return logs - logs.min(axis=-1, keepdims=True)


def _bounds(interval):
    return (interval.low, interval.high)


def _quantiles(values, middle):
    low, high = numpy.quantile(values, ((1 - inference.CONFIDENCE) / 2, (1 + inference.CONFIDENCE) / 2))
    return min(float(low), middle), max(float(high), middle)


def _mean_ratio(log, resampled, seen):
    """With too few rounds the bounds are the means of what was seen in each experiment."""
    value = math.exp(log)
    if resampled is not None:
        return Ratio(value, *_quantiles(numpy.exp(resampled), value), True)
    mean = lambda bounds: math.exp(sum(map(math.log, bounds)) / len(seen))
    low, high = mean([ratio.low for ratio in seen]), mean([ratio.high for ratio in seen])
    return Ratio(value, min(low, value), max(high, value), False)


def _costs(logs, weights):
    """The logarithm of the weighted geometric mean, [..., row]."""
    weights = numpy.asarray(weights, dtype=float)
    return numpy.tensordot(logs, weights / weights.sum(), axes=(-2, 0)) if logs.ndim > 2 else weights @ logs / weights.sum()


def _closed_sets(row_sets):
    """All intersections of the sets; no more than some thousand, of which the largest tables are the likeliest to be among them."""
    found = set(row_sets)
    added = found
    while added and len(found) < 4096:
        added = {one & other for one in added for other in row_sets} - found
        found |= added
    return found
