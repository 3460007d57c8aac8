"""
Where a series of figures changed its level: steps, each with its size and interval. Pure and deterministic.
It leaves out what the figures are and which of them may stand in one series (history.py). Method: circular binary segmentation
(Olshen, Venkatraman, Lucito and Wigler, Biostatistics 5, 2004), which also finds a level that came and went again; how likely its
statistic is in noise is simulated, as permutations of a few figures can't be rare; of many they have to be so too.
"""
import functools
import math
from dataclasses import dataclass

import numpy
import scipy  # scipy.stats is read when it is first used: it takes a second

import inference

ALPHA = 0.05        # of a series without a step, the share in which one is found
MANY = 20           # figures from which on permutations of them are asked as well
ALPHA_OF_MANY = 0.1 # their share: with any noise, however long its tails, no more series have a step that is none
SHORTEST = 2        # figures of a level: one by itself may be its session's
FEWEST = 2 * SHORTEST
MOST = 300          # figures of a series: the work grows as their square
SIMULATIONS = 999
ROUNDING = 1e-9     # of the largest figure: differences below it are none


@dataclass(frozen=True)
class Change:
    """A new level begins at `index`; `step`: how far above the old one, with the bounds that hold it with 95 %."""
    index: int
    step: float
    low: float
    high: float
    p: float


def find(values, least=0.0):
    """
    The Changes of a series of finite figures, in order, at least `least` in size. At most MOST figures; none below FEWEST. Equal noise
    on all levels is assumed; so is that figures do not hang together, which a machine that drifts makes false.
    """
    values = numpy.asarray(values, dtype=float)
    if len(values) > MOST:
        raise ValueError(f"{len(values)} figures; at most {MOST}")
    cuts = _prune(values, sorted(_split(values, 0)), least)
    return [_measure(values, cuts, cut) for cut in cuts]


def _split(values, offset):
    """The indices at which levels begin, within this stretch."""
    count = len(values)
    centred = values - values.mean() if count else values
    total = float(centred @ centred)
    if count < FEWEST or total <= count * (ROUNDING * float(numpy.abs(values).max()))**2:
        return []
    starts, ends = _arcs(count)
    shares = _shares(centred[None, :], starts, ends)[0]
    best = int(shares.argmax())
    if _p_of(_null(count), float(shares[best])) >= ALPHA:
        return []
    if count >= MANY and _p_of(_permute(centred, starts, ends), float(shares[best])) >= ALPHA_OF_MANY:
        return []
    cuts = [int(cut) for cut in (starts[best], ends[best]) if 0 < cut < count]
    edges = [0, *cuts, count]
    found = [offset + cut for cut in cuts]
    for begin, end in zip(edges, edges[1:]):
        found += _split(values[begin:end], offset + begin)
    return found


@functools.lru_cache(maxsize=None)
def _arcs(count):
    """All stretches [start, end) that may be a level within or at an end of so many figures: no part is shorter than SHORTEST."""
    starts, ends = numpy.triu_indices(count + 1, SHORTEST)
    lengths = ends - starts
    may_stand = lambda length: (length == 0) | (length >= SHORTEST)
    # What ends at the last figure parts the series as what begins at the first does: once is enough.
    kept = (count - lengths >= SHORTEST) & may_stand(starts) & may_stand(count - ends) & (ends < count)
    return starts[kept], ends[kept]


def _shares(centred, starts, ends):
    """Of the sum of squares, the share that goes with each stretch's own level; [series, stretch]."""
    sums = numpy.concatenate([numpy.zeros((len(centred), 1)), numpy.cumsum(centred, axis=1)], axis=1)
    count, lengths = centred.shape[1], ends - starts
    between = (sums[:, ends] - sums[:, starts])**2 * (count / (lengths * (count - lengths)))
    return between / (centred**2).sum(axis=1, keepdims=True)


@functools.lru_cache(maxsize=None)
def _null(count):
    """The largest share in normal noise of so many figures, sorted. It hangs on no level and no spread."""
    generator = numpy.random.default_rng(inference.SEED + count)
    return _largest(lambda many: generator.normal(size=(many, count)), *_arcs(count))


def _permute(centred, starts, ends):
    """The same of these figures in other orders."""
    generator = numpy.random.default_rng(inference.SEED)
    return _largest(lambda many: generator.permuted(numpy.tile(centred, (many, 1)), axis=1), starts, ends)


def _largest(draw, starts, ends):
    largest = []
    step = max(1, 2**22 // len(starts))  # so many at a time as memory has room for
    for begin in range(0, SIMULATIONS, step):
        noise = draw(min(step, SIMULATIONS - begin))
        largest.append(_shares(noise - noise.mean(axis=1, keepdims=True), starts, ends).max(axis=1))
    return numpy.sort(numpy.concatenate(largest))


def _p_of(null, share):
    """The share of the null that is as large; what differs by rounding is as large."""
    return (1 + len(null) - int(numpy.searchsorted(null, share * (1 - ROUNDING)))) / (1 + len(null))


def _prune(values, cuts, least):
    """Leaves out the least certain, one at a time, until each step is one beside the levels on both sides of it."""
    while cuts:
        changes = [_measure(values, cuts, cut) for cut in cuts]
        weak = [change for change in changes if change.p >= ALPHA or abs(change.step) < least]
        if not weak:
            break
        cuts = [cut for cut in cuts if cut != max(weak, key=lambda change: (change.p, -abs(change.step))).index]
    return cuts


def _measure(values, cuts, cut):
    """The Change at one of the cuts: Student's t, with the spread within all levels."""
    edges = [0, *cuts, len(values)]
    levels = [values[begin:end] for begin, end in zip(edges, edges[1:])]
    place = edges.index(cut)
    before, after = levels[place - 1], levels[place]
    freedom = len(values) - len(levels)
    spread = math.sqrt(sum(float(((level - level.mean())**2).sum()) for level in levels) / freedom)
    error = spread * math.sqrt(1 / len(before) + 1 / len(after))
    step = float(after.mean() - before.mean())
    if error <= ROUNDING * float(numpy.abs(values).max()):
        return Change(cut, step, step, step, 0.0 if step else 1.0)
    reach = float(scipy.stats.t.ppf((1 + inference.CONFIDENCE) / 2, freedom)) * error
    return Change(cut, step, step - reach, step + reach, float(2 * scipy.stats.t.sf(abs(step) / error, freedom)))
