"""
Draws a figure over versions, a panel for each row and experiment: a dot per sample, the median of each run with its interval, the levels
between change points, and each change with its size. Lines join medians of one machine alone.
It leaves out what is in a series and where it changed (history.py).
"""
import os

import numpy

import history
import style
import words
from checked import RunError

MOST_PANELS = 24
MOST_TICKS = 56        # labels beneath a panel; of more runs some go without
MOST_TICK_LETTERS = 24
SLANT = 0.052          # inches up for each letter of a slanted label
MOST_TITLE = 120
CHANGE_LINES = 3       # above a panel, of sizes of changes
LINE_POINTS = 10
DOTS_WIDTH = 0.30      # of a run's place, to either side
PANEL = 2.5


def draw(drawn, metric, workload, path):
    """Writes the picture of these history.Drawn, sorted by panel, to `path`, .png or .svg. Raises RunError, OSError."""
    panels = {}
    for one in drawn:
        panels.setdefault(one.series.key, []).append(one)
    if len(panels) > MOST_PANELS:
        raise RunError(f"{len(panels)} panels are more than one picture holds ({MOST_PANELS}); name an allocator (-a), or values of parameters")
    machines = {one.series.machine_id: one.series.machine for one in drawn}
    looks = {number: style.row_look(index) for index, number in enumerate(machines)}
    ticks = {key: _ticks(series) for key, series in panels.items()}
    longest = max((len(label) for _, labels in ticks.values() for label in labels), default=0)
    steps = sum(len(one.steps) for one in drawn)
    figure, axes = style.make_panels(
        len(panels), 1, PANEL, f"{words.plain(workload)}: {metric.title}, over versions",
        f"A panel per row and experiment; runs from left to right. {words.amount(steps, 'change')} of level"
        + (": the dashed lines, with size and 95 % interval." if steps else "."),
        "Faint: one sample each. Solid: the median of a run, its bar the 95 % interval by order statistics, from six samples on. Lines join "
        "medians of one machine; a thick line is a level between changes. Changes: circular binary segmentation of the medians, p < 0.05 "
        "for each series; two runs at least make a level. The axis need not begin at zero. "
        + "; ".join(history.name_machine(number, facts) for number, facts in machines.items()) + ".",
        gap=0.9 + SLANT * longest, left=0.85)
    for axis, (key, series) in zip(axes, panels.items()):
        _draw_panel(axis, key, series, metric, looks, ticks[key], len(machines) > 1)
    # Labels of the last panel need as much room as those between panels have.
    _make_room(figure, SLANT * longest)
    _save(figure, path)


def _ticks(series):
    """The runs of a panel in its order, and a label for each."""
    runs = _order(series)
    return runs, [words.plain(label, MOST_TICK_LETTERS) for label in history.shorten_labels([label for _, label in runs])]


def _order(series):
    """(run, label) of all series of a panel: where several machines take turns, their runs stand in the order of each, side by side."""
    if len(series) == 1:
        return [(point.run, point.label) for point in series[0].points]
    points = [point for one in series for point in one.points]
    # A stable order that each of the series agrees with: by time, unless they were ordered by version.
    by_version = any([point.started for point in one.points] != sorted(point.started for point in one.points) for one in series)
    points.sort(key=lambda point: (history.natural(point.label) if by_version else [], point.started, point.run))
    return [(point.run, point.label) for point in points]


def _draw_panel(axis, key, series, metric, looks, ticks, has_several):
    runs, labels = ticks
    places = {run: place for place, (run, _) in enumerate(runs)}
    for one in series:
        _draw_series(axis, one, metric, looks[one.series.machine_id], places, has_several)
    _set_limits(axis, series, metric, len(runs), has_several)
    without = _write_changes(axis, series, metric, places)
    _write_ticks(axis, labels, {places[one.points[step.index].run] for one in series for step in one.steps})
    notes = "; ".join(filter(None, (*dict.fromkeys(one.note for one in series), without and
                                    f"no room for the size of {words.amount(without, 'change')}: `tidemark history show` has it")))
    notes = f"  ({words.plain(notes, 90)})" if notes else ""
    axis.set_title(words.plain(history.name_panel(key), MOST_TITLE - len(notes)) + notes, loc="left", fontweight="bold",
                   pad=4 + LINE_POINTS * CHANGE_LINES)
    axis.set_ylabel(metric.unit)


def _draw_series(axis, one, metric, look, places, has_several):
    colour, marker = look
    xs = [places[point.run] for point in one.points]
    middles = [median.value / metric.scale for median in one.medians]
    for x, point in zip(xs, one.points):
        spread = numpy.linspace(-DOTS_WIDTH, DOTS_WIDTH, len(point.values)) if len(point.values) > 1 else numpy.zeros(1)
        axis.plot(x + spread, numpy.array(point.values) / metric.scale, ".", color=colour, alpha=0.3, markersize=4.5, markeredgewidth=0,
                  zorder=2)
    axis.plot(xs, middles, color=colour, linewidth=0.9, zorder=3)
    known = [(x, middle, median) for x, middle, median in zip(xs, middles, one.medians) if median.known]
    if known:
        axis.errorbar([x for x, *_ in known], [middle for _, middle, _ in known],
                      yerr=numpy.transpose([(middle - median.low / metric.scale, median.high / metric.scale - middle)
                                            for _, middle, median in known]).clip(min=0),
                      fmt="none", ecolor=colour, elinewidth=1.3, capsize=2.5, zorder=4)
    axis.plot(xs, middles, marker, color=colour, markersize=6 if len(xs) < 80 else 4, markeredgecolor="white", markeredgewidth=0.7, zorder=5)
    edges = [0, *(step.index for step in one.steps), len(xs)]
    for begin, end in zip(edges, edges[1:]) if one.steps else ():
        level = numpy.exp(numpy.mean(numpy.log(middles[begin:end]))) if one.is_ratio else numpy.mean(middles[begin:end])
        axis.plot([xs[begin] - 0.4, xs[end - 1] + 0.4], [level, level], color=colour, linewidth=3.2, alpha=0.35, solid_capstyle="butt", zorder=1)
    if has_several:
        axis.annotate(f"machine {one.series.machine_id}", (xs[-1], middles[-1]), xytext=(8, 0), textcoords="offset points", va="center",
                      fontsize=style.SMALL, color=colour)


def _set_limits(axis, series, metric, count, has_several):
    """What is nearly the same in all runs is not blown up: the axis spans 2 % of the figure at least."""
    values = [value / metric.scale for one in series for point in one.points for value in point.values]
    low, high = min(values), max(values)
    margin = max(0.08 * (high - low), 0.01 * max(abs(low), abs(high)) - (high - low) / 2) or 1
    axis.set_ylim(low - margin, high + margin)
    right = max(count - 0.3, 1.7)
    axis.set_xlim(-0.7, right + (0.08 * (right + 0.7) if has_several else 0))  # room for the names of machines
    axis.grid(axis="y", color="#e4e4e4", linewidth=0.7, zorder=0)
    axis.set_axisbelow(True)


def _write_changes(axis, series, metric, places):
    """
    A dashed line before the first run of each level; its size above the panel, in the lowest line that is free there. Returns how many
    found no place.
    """
    changes = sorted((places[one.points[step.index].run], history.write_step(metric, one, step)) for one in series for step in one.steps)
    ends = [-1.0] * CHANGE_LINES  # pixels, of what is written in each line
    without = 0
    for place, text in changes:
        axis.axvline(place - 0.5, color=style.INK, linewidth=1, linestyle=(0, (4, 2)), zorder=3)
        written = axis.annotate(text, (place - 0.5, 1), xycoords=("data", "axes fraction"), xytext=(0, 2), textcoords="offset points",
                                ha="center", va="bottom", fontsize=style.SMALL, color=style.INK, zorder=6)
        _keep_inside(axis, written, style.text_box(axis, written))
        box = style.text_box(axis, written)
        line = next((line for line, end in enumerate(ends) if box.x0 > end), None)
        if line is None:
            written.remove()
            without += 1
            continue
        written.set_position((written.get_position()[0], 2 + LINE_POINTS * line))
        ends[line] = box.x1 + 6
    return without


def _keep_inside(axis, text, box):
    frame = axis.get_window_extent()
    shift = max(frame.x0 - box.x0, 0) - max(box.x1 - frame.x1, 0)
    if shift:
        x, y = text.get_position()
        text.set_position((x + shift * 72 / axis.figure.dpi, y))


def _write_ticks(axis, labels, wanted):
    """Of runs of one version that follow each other the first is labelled; where there are too many, those of changes and some others."""
    first = [place for place, label in enumerate(labels) if place == 0 or label != labels[place - 1]]
    if len(first) > MOST_TICKS:
        begins = {max(place for place in first if place <= one) for one in wanted}
        gap = -(-len(labels) // MOST_TICKS)  # runs; nearer labels would be written over each other
        shown = []
        for place in (*sorted(begins), first[0], first[-1], *first):
            if all(abs(place - other) >= gap for other in shown):
                shown.append(place)
        first = sorted(shown)
    axis.set_xticks(first, [labels[place] for place in first], rotation=45, ha="right", rotation_mode="anchor",
                    fontsize=style.SMALL if len(first) <= 40 else style.SMALL - 1.5)
    axis.set_xticks(range(len(labels)), minor=True)
    axis.tick_params(axis="x", which="minor", length=2, color="#bbbbbb")


def _make_room(figure, inches):
    """Higher by so much, all of it beneath the panels and above the caption."""
    width, height = figure.get_size_inches()
    higher = height + inches
    caption = figure.texts[-1]
    for axis in figure.axes:
        box = axis.get_position()
        axis.set_position([box.x0, (box.y0 * height + inches) / higher, box.width, box.height * height / higher])
    for text in figure.texts:
        x, y = text.get_position()
        if text is not caption:
            text.set_position((x, (y * height + inches) / higher))
        else:
            text.set_position((x, y * height / higher))
    figure.set_size_inches(width, higher)
    if higher * style.DOTS > style.MOST_PIXELS:
        raise RunError("the panels are more than one picture holds; name an allocator (-a), or values of parameters")


def _save(figure, path):
    form, metadata = ("svg", {"Date": None}) if path.endswith(".svg") else ("png", None)
    try:
        style.write_file(path, lambda temporary: figure.savefig(temporary, dpi=style.DOTS, format=form, metadata=metadata))
    finally:
        style.discard()
