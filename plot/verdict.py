"""
From a difference to a word: better, worse, same within the threshold, or cannot tell, with a reason and what it would take.
It leaves out the statistics (inference.py) and where values come from (measured.py). The rule and its reasons: docs/method.md.
"""
import math
from dataclasses import dataclass

import scipy  # scipy.stats is read when it is first used: it takes a second

import inference

BETTER, WORSE, SAME, UNKNOWN = "better", "worse", "same", "cannot tell"
LEVEL = 0.05
FEWEST = 6          # values on a side: below it a median has no interval
MOST_ROUNDS = 1000  # of a plan


@dataclass(frozen=True)
class Verdict:
    """`word` is one of the four. `rounds`: of how many the question could be told, None where it is, or where none would do."""
    word: str
    reason: str
    rounds: int = None


def noise_floor(differences):
    """
    How far identical cells of the run came out apart, as a factor of 1 or more; None without a control. Where an A/A difference
    has an interval that leaves 1 out, the machine makes differences where there are none: then it is as far as that interval goes.
    """
    factors = []
    for difference in differences:
        ratio = difference.ratio
        bounds = [ratio.value]
        if ratio.known and not ratio.low <= 1 <= ratio.high:
            bounds += [ratio.low, ratio.high]
        factors += [max(bound, 1 / bound) if bound > 0 else math.inf for bound in bounds]
    return max(factors, default=None)


def judge(difference, corrected, threshold, floor=None, higher_is_better=False, family=1):
    """
    `corrected` is p after Holm's correction in a family of that many comparisons; `threshold` a share, 0.01; `floor` a factor, as
    noise_floor() has it. Pure.
    """
    ratio, count = difference.ratio, min(difference.counts)
    if count < FEWEST or not ratio.known:
        return Verdict(UNKNOWN, f"{count} value{'s' if count > 1 else ''} on a side: an interval takes {FEWEST}", FEWEST)
    limit = 1 + threshold
    if 1 / limit <= ratio.low and ratio.high <= limit:
        return Verdict(SAME, f"within {percent(threshold)} either way")
    beyond = not 1 / limit <= ratio.value <= limit
    apart = not ratio.low <= 1 <= ratio.high
    above_floor = floor is None or max(ratio.value, 1 / ratio.value if ratio.value > 0 else math.inf) > floor
    if beyond and apart and corrected < LEVEL and above_floor:
        word = BETTER if (ratio.value > 1) == higher_is_better else WORSE
        return Verdict(word, change(ratio.value))
    if beyond and apart and corrected < LEVEL:
        return Verdict(UNKNOWN, f"{change(ratio.value)}, but two identical cells of this run differ by {percent(floor - 1)}")
    return Verdict(UNKNOWN, *_missing(difference, corrected, threshold, family))


def change(ratio):
    """"3.4 % more" of a ratio; a factor from 2 on."""
    if ratio >= 2:
        return f"{ratio:.3g} times"
    return f"{percent(abs(ratio - 1))} {'more' if ratio > 1 else 'less'}"


def percent(share):
    """Two digits that count, of small shares."""
    return f"{share * 100:.3g} %" if share * 100 < 100 else f"{share * 100:.0f} %"


def _missing(difference, corrected, threshold, family):
    """Why nothing can be told, and of how many rounds it could, if the spread stays: an interval narrows with their root."""
    rounds, why = _rounds_for_interval(difference, threshold), "its interval has in it both no difference and more than the threshold"
    ratio, least = difference.ratio, _rounds_for_test(difference, family)
    if not ratio.low <= 1 <= ratio.high:
        why = f"it may be less than the threshold of {percent(threshold)}"
        if corrected >= LEVEL:
            why = f"p is {corrected:.2g}" + (f" with {family} comparisons" if family > 1 else "")
            least = max(least, _rounds_for_level(difference, family))
    rounds = None if rounds is None else max(rounds, least, min(difference.counts) + 1)
    if rounds is None or rounds > MOST_ROUNDS:
        return f"{why}; no run has rounds enough: it is too near to the threshold, or too noisy", None
    return f"{why}; some {rounds} rounds would tell", rounds


def _rounds_for_interval(difference, threshold):
    """Until the interval leaves out 1 or lies within the threshold, whichever comes first and is what it points to."""
    ratio = difference.ratio
    if ratio.low <= 0 or ratio.value <= 0:
        return None
    half = (math.log(ratio.high) - math.log(ratio.low)) / 2
    away, limit = abs(math.log(ratio.value)), math.log1p(threshold)
    # Beyond the threshold it has to leave out 1; within, to keep within; near to it either takes for ever.
    room = away if away > limit else limit - away
    if room <= 0 or half / room > 1e3:
        return None
    return math.ceil(min(difference.counts) * (half / room) ** 2)


def _rounds_for_level(difference, family):
    """Until p is low enough, if the effect stays: the square of its place in the normal distribution grows with the rounds."""
    here, wanted = (scipy.stats.norm.isf(min(p, 0.99) / 2) for p in (difference.probability, LEVEL / family))
    return math.ceil(min(difference.counts) * min(1e3, wanted / here) ** 2)


def _rounds_for_test(difference, family):
    """The fewest whose least p survives a correction for the family."""
    count = FEWEST
    while difference.least_probability(count) * family >= LEVEL:
        count += 1
    return count


def detectable(difference):
    """The smallest true difference that this many rounds of this spread would show more often than not; None without interval."""
    ratio = difference.ratio
    if not ratio.known or ratio.low <= 0:
        return None
    return math.expm1((math.log(ratio.high) - math.log(ratio.low)) / 2)
