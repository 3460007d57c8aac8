"""
Says in a paragraph what to ship: which row for which aim, by how much, how sure that is, what the others are worth, and what to
measure next. Every number and verdict is that of a Comparison (dominance.py).
It leaves out tables (advise.py). There is no order of the three axes here: which of them matters is the reader's to say.
"""
import dominance
import words
from dominance import AXES, CERTAIN, MARGIN, MAY, MAYBE, OFF

AIMS = ("time", "the peak", "giving back")
VERBS = (("takes", "longer", "as long"), ("needs", "more", "as much"), ("keeps", "more", "as much"))
MOST_NAMED = 3      # rows that cannot be told from the best; the table has them all
CLAIM = 20          # rounds that a claim takes (docs/method.md)
MOST_ROUNDS = 200   # beyond it a difference is not worth the time of showing it


def write_value(axis, value):
    """A median in the unit of its axis."""
    return words.duration(value / 1e9) if AXES[axis] == "time" else words.memory(value / 1e6)


def write_ratio(value):
    return f"{value:.2f}" if value < 9.995 else f"{value:.1f}" if value < 99.95 else words.number(value, 0)


def write_more(ratio, axis):
    """How much more of the axis the first row takes: "takes 31 % [20, 42] longer"; a range that was only seen says so."""
    verb, more, as_much = VERBS[axis]
    if ratio.value < 1.95:
        digits = 1 if abs(ratio.value - 1) < 0.0995 else 0
        share = lambda value: words.number((value - 1) * 100, digits)
        return f"{verb} {share(ratio.value)}{words.NARROW}% {_bounds(ratio, share)} {more}"
    return f"{verb} {write_ratio(ratio.value)} {_bounds(ratio, write_ratio)} times {as_much}"


def _bounds(ratio, write):
    if ratio.sure:
        return f"[{write(ratio.low)}, {write(ratio.high)}]"
    return f"[seen: {write(ratio.low)} to {write(ratio.high)}]"


def paragraph(subject, comparison, next_step, amounts=None, noise=None):
    """
    The paragraph. `subject` names what was compared; `next_step`: a sentence, or ""; `amounts[axis][row]`: medians to be named beside
    ratios of memory, None where the figures are means over experiments; `noise`: the Ratio of times of a row that was measured twice,
    or None.
    """
    names = [f"{words.plain(row)}" for row in comparison.rows]
    chosen = _choose(comparison)
    sentences = [_say_choice(axes, level, comparison, names, amounts) for axes, level in chosen]
    sentences.append(_say_dominated(comparison, names))
    sentences.append(_say_certainty(comparison))
    sentences.append(_say_noise(noise))
    sentences.append(next_step)
    return f"{subject}: " + " ".join(filter(None, sentences))


def level_of(comparison, axis):
    """The row that is best on the axis, then those that are not clearly worse than it, by their figures."""
    order = _order(comparison, axis)
    return [order[0], *(row for row in order[1:] if not comparison.ratios[axis][row][order[0]].worse)]


def open_question(comparison):
    """
    (axis, best row, other row) of the first axis on which some row is neither worse than the best nor alike, the nearest of them; None
    where each axis is decided.
    """
    for axis in range(len(AXES)):
        best, *others = level_of(comparison, axis)
        for row in others:
            if not comparison.ratios[axis][row][best].alike:
                return axis, best, row
    return None


def _order(comparison, axis):
    return sorted(range(len(comparison.rows)), key=lambda row: comparison.middles[axis][row])


def _choose(comparison):
    """[(axes, level)]: axes with the same rows to choose from stand together."""
    chosen = []
    for axis in range(len(AXES)):
        level = level_of(comparison, axis)
        same = next((axes for axes, rows in chosen if set(rows) == set(level)), None)
        if same:
            same.append(axis)
        else:
            chosen.append(([axis], level))
    return chosen


def _say_choice(axes, level, comparison, names, amounts):
    aims = words.listing([AIMS[axis] for axis in axes]).replace(" and ", " or ")
    everything = len(axes) == len(AXES)
    if len(level) == len(names):
        return (f"No row is clearly worse than another in {words.listing([AIMS[axis] for axis in axes])}: "
                + _say_doubts(axes, comparison, names) + ".")
    among = " or ".join(filter(None, (", ".join(names[row] for row in level[:-1]), names[level[-1]])))
    head = f"Whatever matters, ship {among}" if everything else f"If {aims} matters, ship {among}"
    gains = _say_gains(axes, level, comparison, names, amounts)
    if len(level) > 1:
        return f"{head}: {_say_doubts(axes, comparison, names)}; {gains}."
    return f"{head}: {gains}{'' if everything else _say_price(axes, level[0], comparison, names)}."


def _say_doubts(axes, comparison, names):
    """Of rows that are on a level: what is alike, what cannot be told."""
    parts = []
    for axis in axes:
        best, *others = level_of(comparison, axis)
        alike = [row for row in others if comparison.ratios[axis][row][best].alike]
        open_rows = [row for row in others if row not in alike]
        aim = AIMS[axis]
        if alike and not open_rows:
            parts.append(f"in {aim} they are alike within {MARGIN * 100:.0f}{words.NARROW}%")
        elif open_rows:
            told = [f"{names[row]} ({write_ratio(ratio.value)} {_bounds(ratio, write_ratio)} times that)"
                    for row in open_rows[:MOST_NAMED] for ratio in [comparison.ratios[axis][row][best]]]
            more = len(open_rows) - MOST_NAMED
            told += [words.amount(more, "other")] if more > 0 else []
            parts.append(f"in {aim} {names[best]} is ahead, but {words.listing(told)} cannot be told from it")
    return ", ".join(parts)


def _say_gains(axes, level, comparison, names, amounts):
    """Of each axis the first row that is clearly worse than the best, and by how much."""
    gains = {}
    for axis in axes:
        best = level_of(comparison, axis)[0]
        row = next(row for row in _order(comparison, axis) if row not in level)
        gain = write_more(comparison.ratios[axis][row][best], axis)
        if amounts is not None and AXES[axis] != "time":
            where = " at the peak" if AXES[axis] == "peak" else ""
            gain = (f"{VERBS[axis][0]} {write_value(axis, amounts[axis][row])}{where} to {names[best]}'s "
                    f"{write_value(axis, amounts[axis][best])}")
        gains.setdefault(row, []).append(gain)
    return "; ".join(f"{names[row]}, the next, {words.listing(told)}" for row, told in gains.items())


def _say_price(axes, row, comparison, names):
    """What the choice costs on the other axes, against the best there."""
    prices = []
    for axis in range(len(AXES)):
        best = level_of(comparison, axis)[0]
        if axis not in axes and best != row and comparison.ratios[axis][row][best].worse:
            where = " at the peak" if AXES[axis] == "peak" else ""
            prices.append(f"{write_more(comparison.ratios[axis][row][best], axis)}{where} than {names[best]}"
                          .replace("as long than", "as long as").replace("as much than", "as much as")
                          .replace("as much at the peak than", "as much at the peak as"))
    return f"; its price: it {', and '.join(prices)}" if prices else ""


def _say_dominated(comparison, names):
    sentences = []
    off = [row for row in range(len(names)) if comparison.front[row] == OFF]
    by = {}
    for row in off:
        dominators = comparison.dominators(row, CERTAIN)
        by.setdefault(min(dominators, key=lambda other: sum(comparison.middles[axis][other] > comparison.middles[axis][row]
                                                            for axis in range(len(AXES)))), []).append(row)
    if off:
        sentences.append("Nothing speaks for " + words.listing(
            f"{words.listing(names[row] for row in rows)} beside {names[other]}" for other, rows in by.items())
            + ", which is worse on no axis and better on one at least.")
    doubts = []
    for row in range(len(names)):
        # Of two that may each dominate the other, one is enough to be named.
        others = [other for other in comparison.dominators(row, MAY) if comparison.outcomes[row][other] != MAY or other < row]
        if comparison.front[row] == MAYBE and others:
            doubts.append(f"{names[row]} beside {words.listing(names[other] for other in others)}")
    if doubts:
        sentences.append(f"Whether there is a reason for {words.listing(doubts)} cannot be told yet.")
    return " ".join(sentences)


def _say_certainty(comparison):
    if comparison.sure:
        return (f"Brackets are 95{words.NARROW}% intervals from {comparison.rounds} rounds, each by itself: of this machine and these "
                "workloads.")
    rounds = "1 round" if comparison.rounds == 1 else f"{comparison.rounds} rounds"
    return (f"From {rounds} none of this is certain, and no row is called dominated: it takes {dominance.FEWEST} for an interval of "
            f"95{words.NARROW}%, and {CLAIM} for a claim.")


def _say_noise(noise):
    """Only where it tells more than the intervals do."""
    if noise is None or 1 / (1 + MARGIN) <= noise.value <= 1 + MARGIN:
        return ""
    share = words.number(abs(noise.value - 1) * 100, 1)
    return f"One row, measured twice, differed from itself by {share}{words.NARROW}% in time: smaller differences are noise."


def say_next(comparison, workload_of=lambda axis, one, other: ""):
    """
    What to measure next. `workload_of(axis, one, other)`: the name of the experiment to run again, or "".
    """
    question = open_question(comparison)
    if question is None:
        if not comparison.sure:
            return f"Next: the same with `--rounds {CLAIM}`."
        return "Next: a workload of your own (`tidemark exec`, `tidemark record`), since more rounds of this one will not change the choice."
    axis, best, other = question
    rows = f"{words.plain(comparison.rows[best])} and {words.plain(comparison.rows[other])}"
    what = f" of {workload_of(axis, best, other)}" if workload_of(axis, best, other) else ""
    wanted = dominance.rounds_to_tell(comparison, axis, best, other)
    if not comparison.sure:
        return f"Next: `--rounds {CLAIM}`{what}, above all to tell {rows} apart in {AIMS[axis]}."
    if wanted is None or wanted > MOST_ROUNDS:
        return f"Next: {rows} are too near to each other in {AIMS[axis]} for more rounds{what} to be worth it; decide by the other two."
    wanted = max(wanted, comparison.rounds + 2)
    return f"Next: some {wanted} rounds{what} would tell {rows} apart in {AIMS[axis]}, if the difference is what it seems."
