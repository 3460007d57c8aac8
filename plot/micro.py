"""
Draws the micro-benchmarks: nanoseconds per item by size, a line per row, from Google Benchmark's own JSON.
It leaves out its other counters; where repetitions were asked for it takes Google Benchmark's median, else the one value.
An item is what harness/micro.c counts: a pair of malloc and free, or a block of a region.
"""
import math
import re
import reprlib

import matplotlib.ticker
import numpy

import style
import words
from checked import NUMBER, RunError

NAME = re.compile(r"^(?P<name>[^/]+)/(?P<size>\d{1,15})(?:/.*)?$", re.ASCII)
SHORTEST_NS, LONGEST_NS = 1e-3, 1e12  # of an item: what is beyond is no time of one
MOST_PANELS = 20
UNIT_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}
ABOUT = {"pair": "pair: malloc, write one word, free, beside one live block",
         "stack": "stack: 1,000 of malloc and write, then 1,000 of free, last in first out",
         "region": "region: 1,000 blocks taken and written, then one reset"}


def read_lines(run):
    """{benchmark: {row: [(size in bytes, ns per item)]}}, sizes ascending; benchmarks without a size are left out."""
    found = {}
    for file, record in run.micro.items():
        where = f"{run.folder}/micro/{file}.json"
        entries = record.get("benchmarks")
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            raise RunError(f"{where}: 'benchmarks' is no array of objects")
        context = record.get("context")
        row = str(context.get("tidemark_row") or file) if isinstance(context, dict) else file
        medians = [entry for entry in entries if entry.get("aggregate_name") == "median"]
        for entry in medians or entries:
            match = NAME.match(str(entry.get("run_name") or entry.get("name", "")))
            if match and int(match["size"]) and not entry.get("error_occurred"):
                found.setdefault(match["name"], {}).setdefault(row, {})[int(match["size"])] = _ns_per_item(entry, where)
    if len(found) > MOST_PANELS:
        raise RunError(f"{run.folder}/micro: {len(found)} different benchmarks; a figure holds {MOST_PANELS}")
    names = [name for name in ABOUT if name in found] + [name for name in found if name not in ABOUT]
    return {name: {row: sorted(points.items()) for row, points in found[name].items()} for name in names}


def _ns_per_item(entry, where):
    rate, time = entry.get("items_per_second"), entry.get("cpu_time", entry.get("real_time"))
    if isinstance(rate, NUMBER) and rate > 0:
        ns = 1e9 / rate if rate > 1e-9 else math.inf
    elif isinstance(time, NUMBER):
        ns = time * UNIT_NS.get(str(entry.get("time_unit")), 1)
    else:
        raise RunError(f"{where}: {reprlib.repr(entry.get('name'))} has neither items_per_second nor a time")
    if not SHORTEST_NS <= ns <= LONGEST_NS:
        raise RunError(f"{where}: {reprlib.repr(entry.get('name'))} takes {ns:g} ns, which is no time of an item")
    return ns


def draw(run, lines, name):
    """Draws one panel per benchmark. Returns the path of the PNG."""
    figure, axes = style.make_panels(
        len(lines), 1, 3.4, "Time of one item by size", "Google Benchmark, each row in its own process. Lower is better.",
        "Best case: one thread, a warm cache. CPU time; both axes logarithmic. The row null is the floor: what the loop and "
        "the calls cost by themselves. " + style.machine_caption(run), gap=0.9, head=0.4)
    figure.subplots_adjust(right=1 - 2.6 / style.WIDTH)
    rows = list(dict.fromkeys(row for benchmark in lines.values() for row in benchmark))
    for axis, (benchmark, points) in zip(axes, lines.items()):
        _draw_panel(axis, benchmark, points, rows)
    return style.save(figure, run.folder, name)


def _draw_panel(axis, benchmark, lines, rows):
    for row, points in lines.items():
        sizes, times = zip(*points)
        colour, marker = style.row_look(rows.index(row))
        axis.plot(sizes, times, color=colour, marker=marker, markersize=4.5, linewidth=1.4)
    axis.set_xscale("log", base=2)
    axis.set_yscale("log")
    axis.set_title(words.plain(ABOUT.get(benchmark, benchmark), 80), loc="left", fontweight="bold")
    axis.set_xlabel("size")
    axis.set_ylabel("nanoseconds per item")
    axis.xaxis.set_major_formatter(lambda value, _: _size(value))
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axis.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.grid(axis="y", color=style.LIVE_AREA, linewidth=0.6)
    _label_ends(axis, lines)


def _size(value):
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:g} {unit}"
    return f"{value:g} B"


def _label_ends(axis, lines):
    """Row names at the right ends of the lines, spread apart, each with a thin line to its own."""
    ends = sorted(((points[-1], row) for row, points in lines.items()), key=lambda end: end[0][1])
    low, high = numpy.log10(axis.get_ylim())
    heights = [(numpy.log10(time) - low) / (high - low) for (_, time), _ in ends]
    step = 0.19 / (axis.get_position().height * axis.figure.get_figheight())
    for (point, row), height in zip(ends, style.spread(heights, [step] * len(heights), -0.1, 1.1)):
        axis.annotate(words.plain(row, 30), point, xytext=(1.03, height), textcoords=axis.transAxes, va="center",
                      arrowprops=style.leader())
