"""
Draws how many pools and arenas the surviving blocks hold, against how many survive: `bulk` keeps each by chance, 1 in k.
It leaves out which blocks these are (address_map.py). Measured dots stand beside the closed form: of `blocks` blocks one at
least survives with 1 − (1 − 1/k)^blocks, and their number is binomial. A single block keeps its pool, and a pool its arena.
"""
import collections
import math
from dataclasses import dataclass

import matplotlib.ticker
import numpy

import census
import style
import words

MOST_SIZES = 4    # of blocks, in a figure
MOST_ROWS = 6     # of allocators; the histograms have fewer
MOST_LINES = 8    # of histograms in a figure
HISTOGRAMS = 3    # values of k with a histogram
MOST_BINS = 24    # of a histogram
WIDE_SD = 4       # standard deviations of the binomial to either side that a histogram holds at least
LINES = ("-", (0, (5, 2)), (0, (1.5, 1.5)), (0, (6, 2, 1.5, 2)))
MOST_BLOCKS = 2**18  # of an arena with a histogram: 1 MiB has 65,536 of the smallest


@dataclass
class Point:
    """One cell: shares of the pools and arenas before the frees that hold a block after them; blocks of a pool, an arena."""
    census: object
    row: str
    size: int
    k: int
    pools: float
    arenas: float
    blocks_per_pool: int
    blocks_per_arena: int


@dataclass
class Series:
    """Cells that differ by size, row and k alone, with what they share; `left_out`: what the figures do not hold."""
    params: dict
    way: object
    points: list
    left_out: list

    @property
    def name(self):
        return words.with_way(words.workload("bulk", self.params), self.way)

    @property
    def sizes(self):
        return sorted({point.size for point in self.points})

    @property
    def rows(self):
        return list(dict.fromkeys(point.row for point in self.points))

    def of(self, **wanted):
        """The points that have these values, by k."""
        points = [point for point in self.points if all(getattr(point, name) == value for name, value in wanted.items())]
        return sorted(points, key=lambda point: point.k)


def predict(k, blocks):
    """Probability that of so many blocks, each kept 1 in k, at least one is kept."""
    return -math.expm1(blocks * math.log1p(-1 / k))


def binomial(blocks, k):
    """Probability of 0, 1 ... `blocks` kept blocks."""
    log = math.lgamma
    kept, lost = -math.log(k), math.log1p(-1 / k)
    return [math.exp(log(blocks + 1) - log(i + 1) - log(blocks - i + 1) + i * kept + (blocks - i) * lost)
            for i in range(blocks + 1)]


def find_series(run):
    """The Series of a run: those with at least two different k."""
    groups = {}
    for one in run.censuses:
        point = _measure(one)
        if point:
            rest = {name: text for name, text in one.cell.params.items() if name not in ("keep", "size")}
            key = (words.parameters(rest), one.cell.idle_s, one.cell.way)
            groups.setdefault(key, (rest, one.cell.way, []))[2].append(point)
    return [_limit(*group) for group in groups.values() if len({point.k for point in group[2]}) > 1]


def _limit(params, way, points):
    """The sizes and rows with the most points; a figure that held any number of them could not be read."""
    sizes, rows = ([value for value, _ in collections.Counter(values).most_common()]
                   for values in ([point.size for point in points], [point.row for point in points]))
    left_out = [*map("blocks of {} bytes".format, sizes[MOST_SIZES:]), *map(words.plain, rows[MOST_ROWS:])]
    kept = [point for point in points if point.size in sizes[:MOST_SIZES] and point.row in rows[:MOST_ROWS]]
    return Series(params, way, kept, left_out)


def _measure(one):
    """The Point of a cell of `bulk` that keeps blocks by chance and has freed some; None for any other."""
    params = one.cell.params
    if one.cell.workload != "bulk" or one.cell.host != "objects" or one.freeing is None:
        return None
    size, k = (int(params[name]) if _is_amount(params.get(name)) else 0 for name in ("size", "keep"))
    if k < 2 or not one.before.pools_in_use:
        return None
    return Point(one, one.cell.allocator, size, k, one.after.pools_in_use / one.before.pools_in_use,
                 one.after.arenas_in_use / one.before.arenas_in_use, one.before.blocks_per_pool,
                 one.before.blocks_per_pool * one.before.pools_per_arena)


def _is_amount(text):
    return isinstance(text, str) and text.isascii() and text.isdigit() and len(text) < 10


def say(series, size, row):
    """"1 in 1,000 objects of 32 bytes kept 40 % of the pools and all arenas in place; the closed form says 40 % and all"."""
    point = series.of(size=size, row=row)[-1]
    pools, arenas = predict(point.k, point.blocks_per_pool), predict(point.k, point.blocks_per_arena)
    return (f"{_say_kept(point)}; the closed form says {_share(pools)} and {_share(arenas)}")


def _say_kept(point):
    return (f"1 in {words.number(point.k, 0)} blocks of {point.size} bytes kept {_share(point.pools)} of the pools and "
            f"{_share(point.arenas)} of the arenas in place")


def _share(ratio):
    return "all" if ratio > 0.9995 else "none" if ratio == 0 else words.percent_small(ratio)


def find_furthest(series, name, blocks):
    """The Point whose share called `name` is furthest from the closed form of so many blocks, and by how much."""
    off = lambda point: abs(getattr(point, name) - predict(point.k, getattr(point, blocks)))
    point = max(series.points, key=off)
    return point, off(point)


def draw_shares(run, series, name):
    """Draws the shares of pools and arenas, a pair of panels per size. Returns the path of the PNG."""
    point = max(series.points, key=lambda point: (point.k, -point.size, point.blocks_per_pool))
    figure, axes = style.make_panels(
        len(series.sizes), 2, 2.6, f"{_say_kept(point)} ({words.plain(point.row, 24)})",
        f"{series.name}. Each block survives the frees by chance, 1 in k. A dot is measured; "
        "the line is 1 − (1 − 1/k)^blocks, the chance that of so many blocks one survives.",
        "Of the pools and arenas in use before the phase that frees, those that still hold a block after it. The "
        "closed form takes each of them for full before the frees: those at the edge, filled last, are not. An arena that "
        "stays without a block is not counted; from 3.9 on one such arena is kept. An arena has one pool fewer where it "
        "does not begin at a pool: the line is that of the process with the largest k. "
        + (f"Left out: {words.listing(series.left_out)}. " if series.left_out else "")
        + "Each dot is one process of its own, not timed. " + _name_machine(run, series), gap=0.85, sharex=True, sharey=True,
        left=0.8, head=0.5)
    figure.subplots_adjust(right=1 - 2.1 / style.WIDTH, wspace=0.72)
    for index, (size, axis) in enumerate((size, axis) for size, pair in zip(series.sizes, zip(axes[::2], axes[1::2]))
                                         for axis in pair):
        what, blocks = (("pools", "blocks_per_pool"), ("arenas", "blocks_per_arena"))[index % 2]
        _draw_shares(axis, series, size, what, blocks)
        axis.set_title(f"Blocks of {size} bytes: {what} that stay", loc="left", fontweight="bold")
    for axis in axes[-2:]:
        axis.set_xlabel("k, logarithmic: one block in k survives")
    return style.save(figure, run.folder, name)


def _name_machine(run, series):
    return style.machine_caption(run, [point.census.cell for point in series.points], count=False)


def _draw_shares(axis, series, size, what, blocks):
    ks = [point.k for point in series.points]
    grid = numpy.geomspace(min(ks) / 1.15, max(ks) * 1.25, 200)
    grid = grid[grid > 1.01]
    ends = []
    for index, row in enumerate(series.rows):
        points = series.of(size=size, row=row)
        if not points:
            continue
        colour, marker = style.row_look(index)
        line = [100 * predict(k, getattr(points[-1], blocks)) for k in grid]
        axis.plot(grid, line, color=colour, linewidth=1.3, linestyle=LINES[index % len(LINES)])
        axis.plot([point.k for point in points], [100 * getattr(point, what) for point in points], marker, color=colour,
                  markersize=6.5, markeredgecolor="white", markeredgewidth=0.7, zorder=3, clip_on=False)
        ends.append((line[-1], f"{words.plain(row, 16)}: {words.number(getattr(points[-1], blocks), 0)} blocks"))
    axis.set_xscale("log")
    axis.set_xlim(grid[0], grid[-1])
    axis.set_ylim(0, 104)
    axis.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axis.xaxis.set_major_formatter(lambda value, _: words.count(f"{value:.0f}"))
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}" + words.NARROW + "%")
    axis.tick_params(labelbottom=True, labelleft=True)
    axis.grid(axis="y", color=style.LIVE_AREA, linewidth=0.6)
    _label_ends(axis, ends, grid[-1])


def _label_ends(axis, ends, x):
    """At the right ends of the lines, spread apart: the row, and of how many blocks one is enough."""
    step = 0.19 / (axis.get_position().height * axis.figure.get_figheight())
    ends.sort()
    top = axis.get_ylim()[1]
    for (y, text), height in zip(ends, style.spread([y / top for y, _ in ends], [step] * len(ends), -0.1, 1.1)):
        axis.annotate(text, (x, y), xytext=(1.05, height), textcoords=axis.transAxes, va="center", fontsize=style.SMALL,
                      arrowprops=style.leader(shrinkB=0))


def find_histograms(series):
    """The Points of each size and row that get a histogram: the smallest k, the largest, and one between."""
    lines = [series.of(size=size, row=row) for size in series.sizes for row in series.rows]
    lines = [[point for point in line if point.blocks_per_arena <= MOST_BLOCKS] for line in lines]
    places = lambda count: sorted({0, count // 2, count - 1})
    return [[line[place] for place in places(len(line))] for line in lines if line][:MOST_LINES]


def say_held(series):
    """"2 of 1,953 blocks or fewer hold half of the arenas that stay": the most telling panel in words."""
    last = [line[-1] for line in find_histograms(series)]
    point = max(last, key=lambda point: (point.k, point.size, point.blocks_per_arena))
    kept = count_kept(point)
    where = f"{words.plain(point.row, 16)}, {point.size} bytes, 1 in {words.number(point.k, 0)}"
    if not kept.any():
        return f"No arena stays that was full ({where})"
    few = int(numpy.quantile(kept[kept > 0], 0.5, method="lower"))
    return (f"{words.number(few, 0)} of {words.number(point.blocks_per_arena, 0)} blocks or fewer hold half of the arenas "
            f"that stay ({where})")


def draw_histograms(run, series, name):
    """Draws how many blocks an arena keeps, a panel per Point of find_histograms. Returns the path of the PNG."""
    lines = find_histograms(series)
    figure, axes = style.make_panels(
        len(lines), HISTOGRAMS, 1.35, say_held(series),
        f"{series.name}. Grey: arenas by their blocks in use after the frees, measured. Dots: the "
        "binomial distribution of the blocks of an arena, each kept 1 in k.",
        "Only arenas are shown whose every block was in use before the frees, those that went back as 0; n is their number. "
        "Of each size and row the smallest k, the largest, and one between; each panel is one process, not timed. "
        + _name_machine(run, series), gap=0.72, left=0.8,
        head=0.5)
    figure.subplots_adjust(wspace=0.2)
    for line, row in zip(lines, (axes[first:] for first in range(0, len(axes), HISTOGRAMS))):
        for axis, point in zip(row, line):
            _draw_histogram(axis, point)
        for axis in row[len(line):HISTOGRAMS]:
            axis.set_axis_off()
        row[0].set_ylabel("share of arenas")
    for axis in axes[-HISTOGRAMS:]:
        axis.set_xlabel("blocks in use in an arena")
    return style.save(figure, run.folder, name)


def count_kept(point):
    """Blocks in use after the frees of each arena that was full before them; 0 of those that are gone."""
    phases = census.read_phases(point.census)
    before, after = phases[point.census.freeing - 1], phases[point.census.freeing]
    in_use = before.blocks_in_use.sum(axis=1)
    full = ((before.fill == 1).sum(axis=1) == point.census.before.pools_per_arena) & (in_use == point.blocks_per_arena)
    kept = dict(zip(after.bases.tolist(), after.blocks_in_use.sum(axis=1).tolist()))
    return numpy.array([kept.get(base, 0) for base in before.bases[full].tolist()], int)


def bin_counts(kept, blocks, k):
    """(edges, share of the arenas, share that the binomial has) in bins of whole numbers, all of one width."""
    middle, spread = blocks / k, WIDE_SD * math.sqrt(blocks * (1 - 1 / k) / k)
    first = max(int(min(kept.min(), middle - spread)), 0)
    last = max(int(kept.max()), min(int(middle + spread) + 1, blocks))
    bins = min(MOST_BINS, 4 + int(2 * math.sqrt(len(kept))))
    width = -(-(last - first + 1) // bins)
    edges = numpy.arange(first, last + width + 1, width)
    below = numpy.concatenate([[0], numpy.cumsum(binomial(blocks, k))])  # probability of less than 0, 1 ... blocks
    return edges, numpy.histogram(kept, edges - 0.5)[0] / len(kept), numpy.diff(below[numpy.minimum(edges, blocks + 1)])


def _draw_histogram(axis, point):
    kept = count_kept(point)
    axis.set_title(f"{words.plain(point.row, 18)} · {point.size} B · 1 in {words.number(point.k, 0)} · n = "
                   f"{words.number(len(kept), 0)}", loc="left", fontweight="bold", fontsize=style.SMALL)
    if not len(kept):
        axis.text(0.5, 0.5, "no arena was full", transform=axis.transAxes, ha="center", color=style.FAINT)
        axis.set_yticks([])
        return
    edges, shares, chances = bin_counts(kept, point.blocks_per_arena, point.k)
    middles = (edges[:-1] + edges[1:] - 1) / 2
    axis.bar(middles, 100 * shares, width=0.9 * (edges[1] - edges[0]), color=style.OBJECT_AREA)
    axis.plot(middles, 100 * chances, "o-", color=style.RESIDENT, markersize=3.2, linewidth=0.8)
    axis.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(4, integer=True))
    axis.xaxis.set_major_formatter(lambda value, _: words.number(value, 0))
    axis.yaxis.set_major_locator(matplotlib.ticker.MaxNLocator(3))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}" + words.NARROW + "%")
