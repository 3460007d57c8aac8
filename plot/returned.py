"""
Draws how much memory goes back, how soon, and in which way: a line of small panels per row, a column per way; and its price.
It leaves out the way up, which memory_return.py has, and spread: a panel draws one sample, its dots are medians of all.
Small multiples are Tufte's; the axis is logarithmic from 10 ms on, since allocators differ in whether they wait at all, for
milliseconds or for ten seconds. Prices are dots on a common scale (Cleveland, "The Elements of Graphing Data", 1985).
"""
import re
import textwrap
from dataclasses import dataclass

import matplotlib.patches
import matplotlib.ticker
import numpy

import given_back
import model
import run_folder
import style
import words

MOST_GROUPS = 24     # of a run that are drawn; the others are in the table of cells
MOST_ROWS = 24       # of one figure
MOST_WAYS = 7
MOST_LANES = 70      # of the figure of prices: a row has one for each way
ROW_HEIGHT, LANE_HEIGHT = 0.58, 0.17  # inches
PANEL, STRIP = 0.62, 0.3  # of a row's height: the curve, the words above it
LINEAR_S = 0.01      # the axis is linear below
POINTS = 320         # of a curve, evenly along the axis
LAZY = "#9cc3dc"     # lighter than style.RESIDENT, in greyscale too
WATCHED = "#ededed"
LETTERS = 24         # of a line of a row's name
SMALL = 7.5


@dataclass(frozen=True)
class Column:
    """A way and how long it rests after the last free."""
    way: model.Way
    idle_s: float


@dataclass
class Group:
    """A workload with its parameters: of each row the cell of each Column, None without one. Most given back first."""
    workload: str
    params: dict
    columns: list
    rows: list

    @property
    def name(self):
        return words.workload(self.workload, self.params)

    @property
    def cells(self):
        return [cell for row in self.rows for cell in row.cells if cell]


@dataclass
class Row:
    name: str
    cells: list

    def kept(self):
        """Mean of the shares kept, over all points of all its cells: what the rows are sorted by."""
        shares = [point.kept for cell in self.cells if cell and cell.ran for point in given_back.points(cell)]
        return sum(shares) / len(shares) if shares else 2.0


def find_groups(run):
    """The Groups of a run in which something is done about memory after the last free, or time is given; drawn or not."""
    found = {}
    for experiment in run.experiments:
        found.setdefault(words.workload(experiment.workload, experiment.params), []).append(experiment)
    return [group for group in map(_make_group, found.values()) if any(map(_is_told, group.cells))]


def _is_told(cell):
    return cell.way.mode != "stock" and cell.ran and bool(given_back.points(cell))


def _make_group(experiments):
    columns, rows = [], {}
    for experiment in sorted(experiments, key=_is_hosted):
        column = Column(experiment.way, experiment.idle_s)
        if _is_hosted(experiment):  # an interpreter does not build anew: its column is that of the others
            column = next((other for other in columns if _is_alike(other, column)), column)
        if column not in columns:
            columns.append(column)
        for cell in experiment.cells:
            rows.setdefault((cell.allocator, cell.host), {})[column] = cell
    lines = [Row(words.row(next(iter(cells.values())), 66), [cells.get(column) for column in columns])
             for cells in rows.values()]
    lines.sort(key=lambda row: (row.kept(), row.name))
    return Group(experiments[0].workload, experiments[0].params, columns, lines)


def _is_hosted(experiment):
    return all(cell.host != "objects" for cell in experiment.cells)


def _is_alike(a, b):
    names = ("mode", "activity_s", "thp")
    return a.idle_s == b.idle_s and all(getattr(a.way, name) == getattr(b.way, name) for name in names)


def parts(group, most_rows=MOST_ROWS):
    """The group in parts that a figure holds, each a Group."""
    cut = lambda items, most: [slice(at, at + most) for at in range(0, len(items), most)]
    return [Group(group.workload, group.params, group.columns[across],
                  [Row(row.name, row.cells[across]) for row in group.rows[down]])
            for down in cut(group.rows, most_rows) for across in cut(group.columns, MOST_WAYS)]


def name_column(column):
    """"idle, active every 100 ms (30 s)"."""
    return f"{words.way_short(column.way)} ({words.duration(column.idle_s)})"


def say(group):
    """For those who cannot see the figure."""
    def told(row):
        return ", ".join(f"{words.way_short(column.way)} keeps {words.percent_short(_end(cell))}"
                         for column, cell in zip(group.columns, row.cells) if _end(cell) is not None)
    return "; ".join(f"{row.name}: {told(row)}" for row in group.rows)


def _end(cell):
    """The share kept after all; None where it can't be told."""
    found = given_back.points(cell) if cell and cell.ran else []
    return found[-1].kept if found else None


# --- how soon

def draw(run, group, name):
    """Draws one part of a group. Returns the path of the PNG."""
    headings = [_heading(column) for column in group.columns]
    subtitle = (group.name + "\nDark: still resident of what could go back, from the last free on. Bold: the share kept at "
                "the end; beside it when nine tenths had gone.")
    figure, axes = style.make_panels(
        1, len(group.columns), ROW_HEIGHT * len(group.rows), "How much goes back to the system, and how soon", subtitle,
        _caption(run, group), left=_margin(_fold_names(group)), head=0.72 + 0.155 * max(map(len, headings)))
    figure.subplots_adjust(wspace=0.09)
    longest = max((cell_points[-1].after_s for cell in group.cells if cell.ran
                   for cell_points in [given_back.points(cell)] if cell_points), default=1.0)
    for index, axis in enumerate(axes):
        _dress(axis, len(group.rows), longest)
        _write_heading(axis, headings[index], max(map(len, headings)))
        for place, row in enumerate(group.rows):
            _draw_cell(run, axis, place, row.cells[index])
    _name_rows(axes[0], group)
    _draw_legend(figure, sum(len(textwrap.wrap(part, 156)) for part in subtitle.splitlines()))
    return style.save(figure, run.folder, name)


def _heading(column):
    """Lines above a column, the first one bold."""
    mode, *more = words.way_short(column.way).split(", ")
    return [mode, *(line for part in more for line in textwrap.wrap(part, 20)), f"rests {words.duration(column.idle_s)}"]


def _write_heading(axis, lines, most):
    place = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "top"}
    axis.annotate(lines[0], (0, 1), xytext=(0, 9 + 11 * most), fontweight="bold", **place)
    axis.annotate("\n".join(lines[1:]), (0, 1), xytext=(0, 9 + 11 * most - 14), fontsize=SMALL, color=style.FAINT,
                  linespacing=1.25, **place)


def _fold(name):
    """A row's name in at most three lines, broken where it has a tunable or another allocator."""
    lines = [""]
    for piece in re.split(r"(?=[+@])", name):
        if len(lines[-1] + piece) > LETTERS and lines[-1] and len(lines) < 3:
            lines.append("")
        lines[-1] += piece
    return "\n".join(words.plain(line, LETTERS + 4) for line in lines)


def _fold_names(group):
    return [line for row in group.rows for line in _fold(row.name).splitlines()]


def _margin(names):
    """Inches for the longest of the names."""
    return 0.35 + 0.086 * max(map(len, names), default=0)


def _caption(run, group):
    missing = [f"{row.name}, {words.way_short(column.way)}: {words.plain(cell.reason or cell.status, 110)}"
               for row in group.rows for column, cell in zip(group.columns, row.cells) if cell and not cell.ran]
    return ("Height: (resident − live) / (peak − live), live being what the program still holds at the end. Each "
            "panel draws one sample, the nearest to its row's median; dots are medians over all, 0, 0.1, 1, 10 and 30 s "
            "after the last free and at the end of what was done then. Freed lazily (MADV_FREE): resident until the system is "
            "short of memory; known at the dots. White: nobody looked any more. “> 30 s”: not nine tenths until then. "
            + (f"n/a: {'; '.join(missing)}. " if missing else "") + style.machine_caption(run, group.cells))


def _dress(axis, rows, longest):
    axis.set_xscale("symlog", linthresh=LINEAR_S, linscale=0.45)
    axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    axis.set_xlim(0, longest * 1.12)
    marks = [at_ns / given_back.SECOND for at_ns in given_back.MOMENTS_NS]
    axis.set_xticks([mark for mark in marks if mark <= longest * 1.1],
                    [f"{mark:g}" for mark in marks if mark <= longest * 1.1], fontsize=SMALL)
    axis.set_xlabel("s after the last free", fontsize=SMALL)
    axis.set_ylim(rows, 0)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def _draw_cell(run, axis, place, cell):
    if cell is None or not cell.ran:
        _write(axis, place, "" if cell is None else "n/a", style.FAINT)
        return
    found = given_back.points(cell)
    if not found:
        _write(axis, place, "too little to tell", style.FAINT)
        return
    foot = place + STRIP + PANEL
    at = lambda share: foot - PANEL * share
    seconds, kept, lazy = _read_shares(run, axis, cell)
    axis.fill_between(seconds, at(1), foot, color=WATCHED, linewidth=0)
    axis.fill_between(seconds, at(kept - lazy), foot, color=style.RESIDENT, linewidth=0)
    if lazy.max() > 0.005:
        axis.fill_between(seconds, at(kept), at(kept - lazy), facecolor=LAZY, edgecolor="white", hatch="/////", linewidth=0)
        axis.plot(seconds, at(kept), color=style.RESIDENT, linewidth=1.0, linestyle=(0, (2, 1)))
    axis.plot([seconds[0], seconds[-1]], [foot, foot], color=style.INK, linewidth=0.7)
    axis.plot([point.after_s for point in found], [at(point.kept) for point in found], "o", color=style.INK, markersize=3.2,
              markeredgecolor="white", markeredgewidth=0.5, clip_on=False, zorder=4)
    _write(axis, place, words.percent_short(found[-1].kept), style.INK, "bold")
    _write(axis, place, _say_ninety(cell, found[-1].after_s), style.FAINT, at=1.0)


def _write(axis, place, text, colour, weight="normal", at=0.0):
    axis.text(at, place + STRIP - 0.07, text, transform=axis.get_yaxis_transform(), ha="right" if at else "left",
              va="bottom", fontsize=SMALL, color=colour, fontweight=weight)


def _say_ninety(cell, watched_s):
    """"12 ms"; "> 30 s" where nine tenths had not gone when the last one looked."""
    reach = cell.prices.ninety
    if not reach:
        return ""
    if reach.median_s is None:
        return ">" + words.NARROW + words.duration(float(f"{watched_s:.2g}"))
    return "at once" if reach.median_s < 0.001 else words.duration(reach.median_s)


def _read_shares(run, axis, cell):
    """Seconds after the last free, evenly along the axis; the shares kept then, and freed lazily, of one sample."""
    middle = cell.retained_mb.median
    sample = min((one for one in cell.good if one.going), key=lambda one: abs(one.retained_mb - middle))
    going = sample.going
    curve = run_folder.read_curve(run, sample)
    end = max(going.moments[-1].after_s, LINEAR_S)
    scale = axis.xaxis.get_transform()
    low, high = scale.transform(numpy.array([0, end]))
    seconds = scale.inverted().transform(numpy.linspace(low, high, POINTS))
    kept = going.kept(numpy.interp(seconds, curve.t_s - going.last_free_s, curve.resident_mb))
    known = [moment for moment in going.moments if moment.lazy_mb is not None]
    lazy = numpy.interp(seconds, [moment.after_s for moment in known], [going.lazy(moment.lazy_mb) for moment in known]) \
        if known else numpy.zeros(POINTS)
    return seconds, kept, numpy.minimum(lazy, kept)


def _name_rows(axis, group):
    for place, row in enumerate(group.rows):
        axis.text(-0.08, place + STRIP + PANEL / 2, _fold(row.name), transform=axis.get_yaxis_transform(), ha="right",
                  va="center", fontweight="bold")


def _draw_legend(figure, lines):
    handles = [matplotlib.patches.Patch(color=style.RESIDENT, label="kept"),
               matplotlib.patches.Patch(facecolor=LAZY, edgecolor="white", hatch="/////", label="kept, but freed lazily"),
               matplotlib.patches.Patch(color=WATCHED, label="given back")]
    figure.legend(handles=handles, loc="upper left", ncols=3, frameon=False, fontsize=style.NORMAL, handlelength=1.4,
                  bbox_to_anchor=(0.08 / style.WIDTH, 1 - (0.44 + 0.2 * lines) / figure.get_figheight()))


# --- at what price

def has_prices(group):
    return any(cell.prices.beside_stock or cell.prices.asking_s or cell.prices.rebuild_s for cell in group.cells if cell.ran)


def price_parts(group):
    """Parts for the figure of prices, whose rows have a lane for each way."""
    return parts(group, max(1, MOST_LANES // min(len(group.columns), MOST_WAYS)))


def rebuild_ratio(cell):
    """Time to take the memory again, over the time of the first time; None where it was not run."""
    figure = cell.prices.rebuild_s
    return figure.median / cell.wall_s.median if figure and cell.wall_s and cell.wall_s.median > 0 else None


def _median(figure):
    return None if figure is None else figure.median


PRICES = (("kept at the end, MB", lambda cell: max(cell.retained_mb.median, 0), lambda value: words.number(value)),
          ("time over stock's", lambda cell: _median(cell.prices.beside_stock), lambda value: f"{value:.2f}"),
          ("asking took", lambda cell: _median(cell.prices.asking_s), words.duration),
          ("again over first time", rebuild_ratio, lambda value: f"{value:.2f}"))


def draw_prices(run, group, name):
    """Draws memory kept beside what it cost, for one part of a group. Returns the path of the PNG."""
    lanes = [(row, index) for row in group.rows for index, cell in enumerate(row.cells) if cell and cell.ran]
    ways = _name_ways(group.columns)
    figure, axes = style.make_panels(
        1, len(PRICES), LANE_HEIGHT * (len(lanes) + 0.45 * len(group.rows)) + 0.3,
        "What giving back costs, beside what it leaves",
        group.name + "\nTo the left is better. A dot per row and way: what it keeps, and what that took.",
        "Medians. Time is that of the program itself, the median ratio to the same row in stock in the same round: without "
        "what was done after the last free. Asking: the phase `purge` or `pressure`. Again: the workload once more in the "
        "same process, over its first time there, at the dashed line as long. Blank: the way has no such price. "
        + style.machine_caption(run, [row.cells[index] for row, index in lanes]),
        left=_margin(_fold_names(group)) + 0.9 * _margin(ways), head=0.4)
    places = _places(group, lanes)
    for axis, (title, figure_of, write) in zip(axes, PRICES):
        dots = [(place, index, figure_of(row.cells[index])) for place, (row, index) in zip(places, lanes)]
        _draw_price(axis, title, dots, write)
        axis.set_ylim(max(places, default=0) + 0.8, -0.8)
    _name_lanes(axes[0], lanes, places, ways)
    return style.save(figure, run.folder, name)


def _name_ways(columns):
    """As short as tells them apart."""
    short = [words.way_short(column.way) for column in columns]
    return short if len(set(short)) == len(short) else list(map(name_column, columns))


def _places(group, lanes):
    """Heights of the lanes, with some room between two rows."""
    order = {id(row): index for index, row in enumerate(group.rows)}
    return [place + 0.45 * order[id(row)] for place, (row, _) in enumerate(lanes)]


def _draw_price(axis, title, dots, write):
    known = [value for _, _, value in dots if value is not None]
    largest, smallest = max(known, default=0), min((value for value in known if value > 0), default=0)
    is_log = write is words.duration and 0 < smallest * 20 < largest
    if is_log:
        axis.set_xscale("log")
        axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda value, _: words.duration(value)))
        axis.xaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.set_xlim(smallest / 2 if is_log else 0, largest * (30 if is_log else 1.4) or 1)
    if write is words.duration and not is_log:
        axis.xaxis.set_major_formatter(matplotlib.ticker.FuncFormatter(lambda at, _: words.duration(at) if at else "0"))
    axis.xaxis.set_major_locator(matplotlib.ticker.LogLocator(numticks=4) if is_log else matplotlib.ticker.MaxNLocator(4))
    for place, index, value in dots:
        if value is not None:
            colour, marker = style.row_look(index)
            axis.plot(value, place, marker, color=colour, markersize=5.5, markeredgecolor="white", clip_on=False, zorder=3)
            axis.annotate(write(value), (value, place), xytext=(6, 0), textcoords="offset points", va="center",
                          fontsize=SMALL, zorder=2,
                          bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5})
    axis.hlines([place for place, _, _ in dots], *axis.get_xlim(), color=WATCHED, linewidth=0.7, zorder=0)
    if "over" in title and known:
        axis.axvline(1, color=style.FAINT, linewidth=0.9, linestyle=(0, (3, 2)), zorder=1)
    axis.set_title(title, loc="left", fontweight="bold", fontsize=style.NORMAL)
    axis.set_yticks([])
    axis.spines["left"].set_visible(False)


def _name_lanes(axis, lanes, places, ways):
    width = 0.9 * _margin(ways) * 72
    for (row, index), place, before in zip(lanes, places, [None, *lanes]):
        where = {"xy": (0, place), "xycoords": axis.get_yaxis_transform(), "textcoords": "offset points", "ha": "right"}
        axis.annotate(ways[index], xytext=(-6, 0), va="center", fontsize=style.SMALL,
                      color=style.row_look(index)[0], **where)
        if before is None or before[0] is not row:
            axis.annotate(_fold(row.name), xytext=(-width, 6), va="top", fontweight="bold", **where)
