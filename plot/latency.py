"""
Draws how long the calls of each row took, by percentile, from the latency pass: a panel per operation, a line per row.
It leaves out phases and sizes, which the files have (latency/NNNNNN.json.gz of results/FORMAT.md), and adds the buckets up.
The axis of nines is that of HdrHistogram's plots (Gil Tene): each step to the right is a tenth of the calls before it.
"""
import math
import os
from dataclasses import dataclass

import matplotlib.ticker
import numpy

import ledger
import style
import words
from checked import NUMBER, RunError, get, get_flag, read_json, read_packed

EXACT, STEPS, MOST_BITS = 64, 32, 36  # of the buckets: harness/latency_histogram.h
MOST_PHASES = 16                      # PAGE_PHASES of harness/page.h
MOST_COUNT = 2**50                    # of a bucket; no sum of them wraps
MOST_PANELS = 6                       # operations of a figure: those that took the most time
MOST_SLOWEST = 32                     # LATENCY_MOST_SLOWEST of harness/latency_operation.h
MOST_TAGGED = 10                      # rows of a panel with room for a second line
NS = 1e-9
LAYERS = {"object": "", "raw": "raw "}
OPERATIONS = ("malloc", "calloc", "realloc", "aligned_alloc", "free", "region_create", "region_alloc", "region_reset",
              "region_destroy")


@dataclass
class Slow:
    """One of the slowest calls: page faults, and system calls by name; each None where that is not known."""
    seconds: float
    faults: int
    system_calls: dict

    @property
    def tags(self):
        """"206 µs: 1 munmap, 31 faults"; empty where nothing is known to have happened."""
        told = [f"{words.number(count, 0)} {call}" for call, count in (self.system_calls or {}).items()]
        told += [words.amount(self.faults, "fault")] if self.faults else []
        return f"{words.duration(self.seconds)}: {', '.join(told)}" if told else ""


@dataclass
class Times:
    """
    Calls of one kind: `seconds` ascend, one value for each bucket that has any, and `counts` beside; `most` is exact;
    `slowest` is the slowest that kept its processor, None where all that were kept lost it.
    """
    seconds: numpy.ndarray
    counts: numpy.ndarray
    most: float
    slowest: object = None

    @property
    def calls(self):
        return int(self.counts.sum())

    @property
    def total(self):
        return float((self.seconds * self.counts).sum())

    def quantile(self, share):
        """The value of the bucket that this share of all calls does not pass."""
        rank = max(1, math.ceil(round(share * self.calls, 6)))
        if rank >= self.calls:
            return self.most
        return float(min(self.seconds[numpy.searchsorted(numpy.cumsum(self.counts), rank)], self.most))


@dataclass
class Latency:
    """
    The calls of a cell by operation ("malloc", "raw free"), over all phases; `own` is the clock's own cost, `trap` the seconds
    that counting adds to each system call, None where they were not counted.
    """
    cell: object
    clock: str
    own: Times
    operations: dict
    trap: float = None


def read_latencies(run):
    """A Latency for each cell that has a file; a run without the pass has none. Raises RunError."""
    found = []
    for cell in (cell for experiment in run.experiments for cell in experiment.cells):
        path = os.path.join(run.folder, "latency", f"{cell.index:06d}.json.gz")
        if os.path.lexists(path):
            found.append(_read_file(path, cell))
    return found


def _read_file(path, cell):
    record = read_json(path, dict, read_packed)
    if get(record, "format", int, path) != 1:
        raise RunError(f"{path}: 'format' is {record['format']!r}; this program reads 1")
    if get(record, "cell", int, path) != cell.index:
        raise RunError(f"{path}: 'cell' is {record['cell']!r}, wanted {cell.index}, as the file is called")
    clock = get(record, "clock", dict, path)
    tick_s = get(clock, "tick_ns", NUMBER, f"{path}: clock", least=0) * NS
    if not 0 < tick_s < 1e-3:
        raise RunError(f"{path}: clock: 'tick_ns' is {clock['tick_ns']!r}, wanted more than 0 and less than a million")
    phases = get(record, "phases", list, path)
    if not 0 < len(phases) <= MOST_PHASES:
        raise RunError(f"{path}: 'phases' has {len(phases)}, wanted 1 to {MOST_PHASES}")
    sums, slowest = {}, {}
    for place, phase in enumerate(phases):
        _add_phase(sums, slowest, tick_s, phase, f"{path}: phase {place}")
    own = _read_histogram(get(clock, "own", dict, f"{path}: clock"), f"{path}: clock: own")
    return Latency(cell, get(clock, "name", str, f"{path}: clock"), _times(*own, tick_s),
                   {name: _times(*found, tick_s, slowest.get(name)) for name, found in sums.items()}, _read_trap(record, path))


def _read_trap(record, path):
    """Files of earlier versions have no such field."""
    if not get_flag(record, "system_calls", path):
        return None
    plain, trapped = (get(record, name, int, path, least=0) * NS for name in ("plain_call_ns", "trapped_call_ns"))
    return max(trapped - plain, 0)


def _add_phase(sums, slowest, tick_s, phase, where):
    for place, record in enumerate(get(phase, "operations", list, where)):
        here = f"{where}: operation {place}"
        layer, operation = (get(record, name, str, here) for name in ("layer", "operation"))
        if layer not in LAYERS or operation not in OPERATIONS:
            raise RunError(f"{here}: no operation is called {words.plain(operation)} of layer {words.plain(layer)}")
        name = LAYERS[layer] + operation
        buckets, most = _read_histogram(record, here)
        kept = [*_read_slowest(record, most, tick_s, here), *([slowest[name]] if name in slowest else [])]
        if kept:
            slowest[name] = max(kept, key=lambda slow: slow.seconds)
        before, most_before = sums.get(name, ({}, 0))
        sums[name] = ({least: buckets.get(least, 0) + before.get(least, 0)
                                            for least in buckets.keys() | before.keys()}, max(most, most_before))


def _read_slowest(record, most, tick_s, where):
    """Those of the slowest calls that kept their processor, as far as that is known."""
    slowest = get(record, "slowest", list, where)
    if len(slowest) > MOST_SLOWEST:
        raise RunError(f"{where}: 'slowest' has {len(slowest)}, wanted at most {MOST_SLOWEST}")
    for place, slow in enumerate(slowest):
        here = f"{where}: slowest {place}"
        ticks = get(slow, "ticks", int, here, least=0)
        if ticks > most:
            raise RunError(f"{here}: 'ticks' is {ticks}, more than 'most_ticks', {most}")
        faults, preemptions = (get(slow, name, int, here, optional=True, least=0) for name in ("page_faults", "preemptions"))
        calls = _read_calls(slow, here)
        if not preemptions:
            yield Slow(ticks * tick_s, faults, calls)


def _read_calls(slow, where):
    """Files of earlier versions have none."""
    calls = get(slow, "system_calls", dict, where, optional=True) if "system_calls" in slow else None
    for call in calls or {}:
        if call not in ledger.CALLS:
            raise RunError(f"{where}: 'system_calls' has {call[:32]!r}, wanted {', '.join(ledger.CALLS)}")
        if get(calls, call, int, f"{where}: system_calls", least=1) > MOST_COUNT:
            raise RunError(f"{where}: system_calls: '{call}' is {calls[call]}, wanted no more than 2**50")
    return calls


def _read_histogram(record, where):
    """({least value of a bucket: how many}, largest value), in ticks."""
    flat = get(record, "buckets", list, where)
    count, most = (get(record, name, int, where, least=0) for name in ("count", "most_ticks"))
    if not flat or len(flat) % 2 or not set(map(type, flat)) <= {int}:
        raise RunError(f"{where}: 'buckets' are no pairs of whole numbers")
    buckets = dict(zip(flat[::2], flat[1::2]))
    if len(buckets) != len(flat) // 2 or not all(_is_bucket(least) for least in buckets):
        raise RunError(f"{where}: 'buckets': a least value stands twice, or is of no bucket")
    if not all(0 < number <= MOST_COUNT for number in buckets.values()) or sum(buckets.values()) != count:
        raise RunError(f"{where}: 'count' is {count}, which is not what its buckets add up to")
    if not max(buckets) <= most <= max(buckets) + _width(max(buckets)):
        raise RunError(f"{where}: 'most_ticks' is {most}, which is not in the last bucket")
    return buckets, most


def _width(least):
    return math.inf if least >> MOST_BITS else 1 if least < EXACT else 2 ** (least.bit_length() - 6)


def _is_bucket(least):
    return least == 2**MOST_BITS or (0 <= least < 2**MOST_BITS and least % _width(least) == 0)


def _times(buckets, most, tick_s, slowest=None):
    least = sorted(buckets)
    middles = [most if value >> MOST_BITS else value + (_width(value) - 1) / 2 for value in least]
    return Times(numpy.array(middles) * tick_s, numpy.array([buckets[value] for value in least], numpy.int64), most * tick_s,
                 slowest)


def choose(latencies):
    """The operations of a figure, as they are called in a program: those that took the most time of all rows."""
    totals = {}
    for one in latencies:
        for name, times in one.operations.items():
            totals[name] = totals.get(name, 0) + times.total
    kept = sorted(totals, key=totals.get, reverse=True)[:MOST_PANELS]
    order = [layer + operation for layer in LAYERS.values() for operation in OPERATIONS]
    return sorted(kept, key=order.index)


def say(latencies, name):
    """"malloc: p99.9 1.5 µs on glibc, 700 ns on jemalloc": for those who cannot see the figure."""
    told = [f"{words.duration(one.operations[name].quantile(0.999))} on {words.row(one.cell)}"
            + _say_slowest(one.operations[name]) for one in latencies if name in one.operations]
    return f"{name}: p99.9 {', '.join(told)}"


def _say_slowest(times):
    tags = times.slowest.tags if times.slowest else ""
    return f" (slowest {tags})" if tags else ""


def _caption_slowest(latencies):
    traps = [one.trap for one in latencies if one.trap is not None]
    tagged = any(_say_slowest(times) for one in latencies for times in one.operations.values())
    text = "Beneath the names: the slowest call that kept its processor, and what happened in it. " if tagged else ""
    if traps:
        text += f"To be counted, each system call took up to {words.duration(max(traps))} longer, which is in the times. "
    return text


def draw(run, experiment, latencies, name):
    """Draws one experiment. Returns the path of the PNG."""
    names = choose(latencies)
    figure, axes = style.make_panels(
        len(names), 1, 3.1, "How long each call took", words.experiment(experiment) + "\n"
        "Each call timed by itself, in a further child of each row. To the right the slower ones: at 99.9 % stands what one call "
        "in a thousand takes or passes. Lower is better; both axes logarithmic.",
        f"The dashed line is the clock's own cost ({words.plain(latencies[0].clock)}), which each call carries and nothing is "
        "subtracted of. One child a row: the far right is that of one day, and on a busy machine the time that others took. "
        + _caption_slowest(latencies) + style.machine_caption(run, [one.cell for one in latencies], count=False), gap=0.75, head=0.4)
    figure.subplots_adjust(right=1 - 2.4 / style.WIDTH)
    rows = [one.cell for one in latencies]
    for axis, operation in zip(axes, names):
        _draw_panel(axis, operation, latencies, rows)
    return style.save(figure, run.folder, name)


def nines(times):
    """Where each value begins and ends on the axis of nines, and the values; the last ends at all calls but one."""
    before = numpy.concatenate(([0], numpy.cumsum(times.counts)[:-1]))
    return -numpy.log10(1 - before / times.calls), numpy.minimum(times.seconds, times.most)


def _draw_panel(axis, operation, latencies, rows):
    ends = []
    widest = max(math.log10(one.operations[operation].calls) for one in latencies if operation in one.operations)
    for one in latencies:
        times = one.operations.get(operation)
        if times is None:
            continue
        places, seconds = nines(times)
        end = max(math.log10(times.calls), 0.31)
        colour, marker = style.row_look(rows.index(one.cell))
        axis.step([*places, end], [*seconds, times.most], where="post", color=colour, linewidth=1.4)
        axis.plot(end, times.most, color=colour, marker=marker, markersize=5)
        ends.append((end, times.most, words.row(one.cell, 28), times.slowest.tags if times.slowest else ""))
    places, seconds = nines(latencies[0].own)
    shown = places <= widest
    axis.step(places[shown], seconds[shown], where="post", color=style.FAINT, linewidth=1, linestyle="--")
    axis.annotate("the clock", (places[shown][-1], seconds[shown][-1]), xytext=(4, 0), textcoords="offset points",
                  color=style.FAINT, fontsize=style.SMALL, va="center")
    _dress(axis, operation, latencies, widest)
    _label_ends(axis, ends)


def _dress(axis, operation, latencies, widest):
    axis.set_yscale("log")
    axis.set_xlim(0, max(widest, 1) * 1.02)
    marks = [0, math.log10(2), *range(1, int(max(widest, 1)) + 1)]
    axis.set_xticks(marks, [_percentile(mark) for mark in marks])
    axis.set_xlabel("calls that took no longer")
    axis.yaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: words.duration(value)))
    axis.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.grid(color=style.LIVE_AREA, linewidth=0.6)
    found = [(one.operations[operation].quantile(0.999), one.cell) for one in latencies if operation in one.operations]
    best, worst = min(found, key=lambda pair: pair[0]), max(found, key=lambda pair: pair[0])
    title = f"{operation} · 99.9 %: {words.duration(best[0])} {words.row(best[1], 24)}"
    if len(found) > 1:
        title += f" to {words.duration(worst[0])} {words.row(worst[1], 24)}"
    axis.set_title(title, loc="left", fontweight="bold")


def _percentile(nines):
    """0 %, 50 %, 90 %, 99 %, 99.9 % ..."""
    digits = max(0, round(nines) - 2) if nines >= 1 else 0
    return f"{100 * (1 - 10 ** -nines):.{digits}f}{words.NARROW}%"


def _label_ends(axis, ends):
    """Row names at the right, spread apart, each with a thin line to the slowest call of its own."""
    ends = sorted(ends, key=lambda end: end[1])
    low, high = numpy.log10(axis.get_ylim())
    heights = [(math.log10(max(seconds, NS)) - low) / (high - low) for _, seconds, *_ in ends]
    line = 0.19 / (axis.get_position().height * axis.figure.get_figheight())
    texts = [f"{name}\n{words.plain(tags, 36)}" if tags and len(ends) <= MOST_TAGGED else name for *_, name, tags in ends]
    middles = style.spread(heights, [line * (1 + text.count("\n")) for text in texts], -0.1, 1.1)
    for (place, seconds, *_), text, height in zip(ends, texts, middles):
        axis.annotate(text, (place, seconds), xytext=(1.03, height), textcoords=axis.transAxes, va="center",
                      arrowprops=style.leader())
