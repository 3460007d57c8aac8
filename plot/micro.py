"""
Draws the micro-benchmarks: nanoseconds per item by size or threads, a panel per kind, a line per row, from Google Benchmark's
own JSON. It leaves out its other counters; where repetitions were asked for it takes Google Benchmark's median, else the one
value. An item is what harness/micro_words.c says of the theme: a malloc and a free, or a block of a region.
"""
import math
import re
import reprlib

import matplotlib.lines
import matplotlib.ticker

import style
import words
from checked import RunError
from google_benchmark import ns_per_item

PLACE = re.compile(r"/(?:size:|to:)?(?P<number>\d{1,15})(?P<unit>KiB|MiB)?(?=/|$)", re.ASCII)
THREADS = re.compile(r"/real_time/threads:(?P<number>\d{1,6})$", re.ASCII)
MOST_PANELS = 60
COLUMNS = 3
BYTES = {None: 1, "KiB": 2**10, "MiB": 2**20}
THEMES = ("pair", "stack", "aligned", "calloc", "realloc_grow", "batch", "threads", "remote", "region")  # stack: in older runs


def place(name):
    """(panel, what its x axis is, x) of a benchmark: its threads, else its size or the end of its growth, else the one point."""
    threads = THREADS.search(name)
    if threads:
        return name[:threads.start()], "threads", int(threads["number"])
    found = PLACE.search(name)
    if found and int(found["number"]):
        return name[:found.start()] + name[found.end():], "size", int(found["number"]) * BYTES[found["unit"]]
    return name, "", 1


def _rank(panel):
    theme = panel.split("/")[0]
    return THEMES.index(theme) if theme in THEMES else len(THEMES)


def read_lines(run):
    """{panel: {row: [(size in bytes or number of threads, ns per item)]}}, the points ascending."""
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
            name = str(entry.get("run_name") or entry.get("name", ""))
            if name and not entry.get("error_occurred"):
                panel, _, x = place(name)
                found.setdefault(panel, {}).setdefault(row, {})[x] = ns_per_item(entry, where)
    if len(found) > MOST_PANELS:
        raise RunError(f"{run.folder}/micro: {len(found)} different benchmarks; a figure holds {MOST_PANELS}")
    return {panel: {row: sorted(points.items()) for row, points in found[panel].items()} for panel in sorted(found, key=_rank)}


def draw(run, lines, name):
    """Draws one small panel per kind of benchmark, and a key of the rows. Returns the path of the PNG."""
    rows = list(dict.fromkeys(row for benchmark in lines.values() for row in benchmark))
    key_columns = 4
    key_height = 0.25 * math.ceil(len(rows) / key_columns) + 0.15
    figure, axes = style.make_panels(
        math.ceil(len(lines) / COLUMNS), COLUMNS, 1.9, "Time of one item",
        "Nanoseconds per item by Google Benchmark, each row in its own process. Lower is better.",
        "Best case: a warm cache and nothing else to do. CPU time, but of threads and remote the clock on the wall; time axes "
        "logarithmic. The row null is the floor: what the loop and the calls cost by themselves. "
        + style.machine_caption(run), gap=0.75, head=0.4 + key_height)
    for axis, (panel, points) in zip(axes, lines.items()):
        _draw_panel(axis, panel, points, rows)
    for axis in axes[len(lines):]:
        axis.set_axis_off()
    height = figure.get_figheight()
    handles = [matplotlib.lines.Line2D([], [], color=colour, marker=marker, markersize=4.5, linewidth=1.4)
               for colour, marker in (style.row_look(index) for index in range(len(rows)))]
    figure.legend(handles, [words.plain(row, 40) for row in rows], loc="upper left", ncols=key_columns, frameon=False,
                  bbox_to_anchor=(0.1 / style.WIDTH, 1 - 0.62 / height), fontsize=style.NORMAL, borderaxespad=0)
    return style.save(figure, run.folder, name)


def _draw_panel(axis, panel, lines, rows):
    for row, points in lines.items():
        places, times = zip(*points)
        colour, marker = style.row_look(rows.index(row))
        # Where there is a single place the rows stand beside each other, so that none hides another.
        shown = [rows.index(row)] if _is_single(lines) else places
        axis.plot(shown, times, color=colour, marker=marker, markersize=4, linewidth=1.2)
    axis.set_yscale("log")
    axis.set_title(words.plain(panel, 46), loc="left", fontweight="bold", fontsize=style.NORMAL)
    axis.yaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
    axis.yaxis.set_major_formatter(lambda value, _: f"{value:g}" if value < 1e5 else f"{value:.0e}")
    axis.yaxis.set_minor_formatter(matplotlib.ticker.NullFormatter())
    axis.tick_params(labelsize=7)
    axis.grid(axis="y", color=style.LIVE_AREA, linewidth=0.6)
    is_threads = panel.split("/")[0] in ("threads", "remote")
    if _is_single(lines):
        places = {x for points in lines.values() for x, _ in points}
        axis.set_xlim(-1, len(rows))
        axis.set_xticks([])
        axis.set_xlabel("" if places == {1} else f"at {_place(places.pop(), is_threads)}", fontsize=style.SMALL)
        return
    axis.set_xscale("log", base=2)
    axis.set_xlabel("threads" if is_threads else "size", fontsize=style.SMALL)
    axis.xaxis.set_major_locator(matplotlib.ticker.LogLocator(base=2, numticks=7))
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}" if is_threads else _size(value))


def _is_single(lines):
    return len({x for points in lines.values() for x, _ in points}) == 1


def _place(value, is_threads):
    return f"{value} threads" if is_threads else _size(value)


def _size(value):
    for factor, unit in ((2**20, "MiB"), (2**10, "KiB")):
        if value >= factor:
            return f"{value / factor:g} {unit}"
    return f"{value:g} B"
