"""
Draws time against retained memory, a panel per experiment: a dot per sample, the median with its interval, the Pareto front.
It leaves out cells inside a real interpreter, whose time is the interpreter's, and the single samples of the long idle.
"""
import itertools
import math
import textwrap

import matplotlib.ticker
import numpy

import style
import words

COLUMNS = 2
MOST_PANELS = 12  # of one figure
WIDE = 20  # ratio of the slowest to the fastest row from which on the time axis is logarithmic


def candidates(run):
    """Experiments with at least two rows to compare, each with its comparable cells."""
    pairs = [(experiment, [cell for cell in experiment.cells if cell.host == "objects"])
             for experiment in run.experiments if not experiment.long_idle]
    return [(experiment, cells) for experiment, cells in pairs
            if sum(cell.ran and cell.wall_s is not None for cell in cells) > 1]


def parts(pairs):
    """Pairs for one figure each, so that none is longer than a person scrolls."""
    return [pairs[at:at + MOST_PANELS] for at in range(0, len(pairs), MOST_PANELS)]


def draw(run, pairs, name):
    """Draws one panel per (experiment, cells). Returns the path of the PNG."""
    columns = min(COLUMNS, len(pairs))
    drawn = [cell for _, cells in pairs for cell in cells]
    figure, axes = style.make_panels(
        -(-len(pairs) // columns), columns, 3.1, "Time against retained memory",
        "Down and to the left is better. The stepped line is the Pareto front: no row is both faster and keeps less than a row "
        "on it.",
        "Faint: one sample each. Solid: the median; the bars are its 95 % interval by order statistics, drawn from six samples "
        f"on. Time is the sum over all phases but {words.rest_phases(run)}, park time excluded. Retained is resident memory at "
        "the end of the last phase, above baseline. " + _say_left_out(run, pairs) + style.machine_caption(run, drawn), gap=0.95,
        head=0.55)
    looks = _assign_looks(pairs)
    for axis, (experiment, cells) in zip(axes, pairs):
        _draw_panel(axis, experiment, cells, looks)
    for axis in axes[len(pairs):]:
        axis.set_axis_off()
    for axis in axes[:len(pairs):columns]:
        axis.set_ylabel("retained, MB above baseline")
    return style.save(figure, run.folder, name)


def pareto_front(points):
    """The points (time, memory) that no other point beats in both, by time; lower is better."""
    front = []
    for time, memory in sorted(points):
        if not front or memory < front[-1][1]:
            front.append((time, memory))
    return front


def _say_left_out(run, pairs):
    """The rows that a panel should have and has not, with the reason; that interpreters are left out, if there are any."""
    missing = [f"{words.plain(cell.allocator)} ({words.plain(cell.reason or cell.status, 120)})"
               for _, cells in pairs for cell in cells if not cell.ran]
    text = f"n/a: {'; '.join(dict.fromkeys(missing))}. " if missing else ""
    if any(cell.host != "objects" for experiment in run.experiments for cell in experiment.cells):
        text += "Cells in a real CPython are left out: their time is the interpreter's. "
    return text


def _assign_looks(pairs):
    """Colour and marker by row, the same in every panel."""
    rows = list(dict.fromkeys(cell.allocator for _, cells in pairs for cell in cells))
    return {row: style.row_look(index) for index, row in enumerate(rows)}


def _draw_panel(axis, experiment, cells, looks):
    shown = [cell for cell in cells if cell.ran and cell.wall_s is not None]
    points = [(cell.wall_s.median, cell.retained_mb.median) for cell in shown]
    _set_limits(axis, shown)
    front = pareto_front(points)
    right, top = axis.get_xlim()[1], axis.get_ylim()[1]
    xs, ys = zip(*front)
    corners = numpy.repeat([xs[0], *xs, right], 2)[1:], numpy.repeat([top, *ys, ys[-1]], 2)[:-1]
    axis.plot(*corners, color=style.FAINT, linewidth=1, linestyle=(0, (5, 2)), zorder=1)
    for cell in shown:
        _draw_cell(axis, cell, *looks[cell.allocator])
    _place_labels(axis, shown, corners)
    axis.set_title("\n".join(textwrap.wrap(words.experiment(experiment), 52)), loc="left",
                   fontweight="bold")
    axis.set_xlabel("seconds" + (", logarithmic" if axis.get_xscale() == "log" else ""))


def _set_limits(axis, cells):
    times = [sample.wall_s for cell in cells for sample in cell.good]
    kept = [sample.retained_mb for cell in cells for sample in cell.good]
    if min(times) > 0 and max(times) / min(times) > WIDE:
        axis.set_xscale("log")
        axis.set_xlim(min(times) / 1.6, max(times) * 2.2)
        axis.xaxis.set_major_locator(matplotlib.ticker.LogLocator(subs=(1, 2, 5)))
        axis.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
        axis.xaxis.set_minor_locator(matplotlib.ticker.NullLocator())
    else:
        axis.set_xlim(0, max(times) * 1.45 or 1)
    axis.set_ylim(min(0, min(kept) * 1.1), max(max(kept), 0.1) * 1.18)


def _draw_cell(axis, cell, colour, marker):
    axis.plot([sample.wall_s for sample in cell.good], [sample.retained_mb for sample in cell.good], marker, color=colour,
              alpha=0.3, markersize=4.5, markeredgewidth=0, clip_on=False)
    x, y = cell.wall_s, cell.retained_mb
    errors = {"xerr": _reach(x), "yerr": _reach(y)}
    axis.errorbar(x.median, y.median, fmt=marker, color=colour, ecolor=colour, markersize=7, markeredgecolor="white",
                  capsize=3, elinewidth=1.3, zorder=3, clip_on=False, **errors)


def _reach(figure):
    if figure.low is None:
        return None
    return [[max(figure.median - figure.low, 0)], [max(figure.high - figure.median, 0)]]


def _place_labels(axis, cells, front):
    """Each row's name beside its median, at the nearest of 40 places that is free of points, lines, labels and the frame."""
    to_pixels = axis.transData.transform
    blocks = [to_pixels((sample.wall_s, sample.retained_mb)) for cell in cells for sample in cell.good]
    blocks += _along(to_pixels(numpy.transpose(front)))
    labels = []
    for cell in sorted(cells, key=lambda cell: -cell.retained_mb.median):
        point = to_pixels((cell.wall_s.median, cell.retained_mb.median))
        best = None
        for distance, angle in itertools.product((11, 19, 30, 44, 60), (0, 30, -30, 60, -60, 180, 150, -150)):
            text = _write_label(axis, cell, distance, angle, leader=False)
            box = style.text_box(axis, text).padded(2)
            text.remove()
            leader = _along([point, (box.x0 if abs(angle) < 90 else box.x1, (box.y0 + box.y1) / 2)])
            cost = _count_hits(box, leader, labels, blocks, axis.get_window_extent())
            if best is None or cost < best[0]:
                best = (cost, distance, angle, box, leader)
            if cost == 0:
                break
        _, distance, angle, box, leader = best
        _write_label(axis, cell, distance, angle, leader=distance > 11)
        labels.append(box)
        blocks += leader


def _write_label(axis, cell, distance, angle, leader):
    offset = (distance * math.cos(math.radians(angle)), distance * math.sin(math.radians(angle)))
    line = style.leader(relpos=(0 if abs(angle) < 90 else 1, 0.5), shrinkB=4) if leader else None
    return axis.annotate(words.plain(cell.allocator, 34), (cell.wall_s.median, cell.retained_mb.median), xytext=offset,
                         textcoords="offset points", ha="left" if abs(angle) < 90 else "right", va="center",
                         fontsize=style.NORMAL, arrowprops=line)


def _along(corners):
    """Points every few pixels along a line through the corners."""
    points = []
    for (x0, y0), (x1, y1) in zip(corners, corners[1:]):
        steps = max(2, int(math.hypot(x1 - x0, y1 - y0) / 5))
        points += zip(numpy.linspace(x0, x1, steps), numpy.linspace(y0, y1, steps))
    return points


def _count_hits(box, leader, labels, blocks, frame):
    """How bad a place is: a label over a label is worst, then one outside the frame, then one on a point or a line."""
    outside = box.x0 < frame.x0 or box.x1 > frame.x1 + 20 or box.y0 < frame.y0 or box.y1 > frame.y1
    return (100 * sum(box.overlaps(other) for other in labels) + 50 * outside + sum(box.contains(x, y) for x, y in blocks)
            + sum(other.contains(x, y) for other in labels for x, y in leader))
