"""
Draws the micro-benchmarks: nanoseconds per item by size, a line per row, from Google Benchmark's own JSON.
It leaves out its other counters; where repetitions were asked for it takes Google Benchmark's median, else the one value.
An item is what harness/micro.c counts: a pair of malloc and free, or a block of a region.
"""
import re

import matplotlib.ticker
import numpy

import style
import words
from checked import RunError

NAME = re.compile(r"^(?P<name>[^/]+)/(?P<size>\d+)(?:/.*)?$")
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
        row = str((record.get("context") or {}).get("tidemark_row") or file)
        medians = [entry for entry in entries if entry.get("aggregate_name") == "median"]
        for entry in medians or entries:
            match = NAME.match(str(entry.get("run_name") or entry.get("name", "")))
            if match and not entry.get("error_occurred"):
                found.setdefault(match["name"], {}).setdefault(row, {})[int(match["size"])] = _ns_per_item(entry, where)
    names = [name for name in ABOUT if name in found] + [name for name in found if name not in ABOUT]
    return {name: {row: sorted(points.items()) for row, points in found[name].items()} for name in names}


def _ns_per_item(entry, where):
    rate, time = entry.get("items_per_second"), entry.get("cpu_time", entry.get("real_time"))
    if isinstance(rate, (int, float)) and rate > 0:
        return 1e9 / rate
    if not isinstance(time, (int, float)):
        raise RunError(f"{where}: {entry.get('name')!r} has neither items_per_second nor a time")
    return time * UNIT_NS.get(entry.get("time_unit"), 1)


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
