"""
Draws memory over time, one panel per row on shared axes: object and live bytes as areas, resident memory as a line.
It leaves out what lies beneath (which page, which arena) and draws one sample per row, the one nearest to the row's median.
The idea of small multiples is Tufte's; the two floors beneath the curve are DESIGN.md's object and live bytes.
"""
import textwrap

import numpy

import curve_labels
import run_folder
import style
import words

COLUMNS = 2
HEADROOM = 1.24  # of the highest value, for the facts in a panel's corner
LABEL_WIDTH = 0.25  # of "keeps 123.4 MB", in parts of a panel
MOST_POINTS = 20000  # of a line: hundreds of thousands that all differ would take minutes to draw
TITLE_LETTERS = 54  # that a panel's width holds


def draw(run, experiment, name):
    """Draws the figure of one experiment. Returns the path of the PNG."""
    cells = sorted(experiment.cells, key=order)
    rows = -(-len(cells) // COLUMNS)
    columns = min(COLUMNS, len(cells))
    figure, axes = style.make_panels(rows, columns, 2.15, _title(experiment), _subtitle(experiment),
                                     _caption(run, experiment), sharex=True, sharey=True)
    curves = {id(cell): run_folder.read_curve(run, cell.representative()) for cell in cells if cell.ran}
    _set_limits(axes, curves.values())
    for axis, cell in zip(axes, cells):
        if cell.ran:
            _draw_cell(axis, cell, curves[id(cell)], experiment.long_idle)
            if cell is cells[0] and not experiment.long_idle:
                curve_labels.name_parts(axis, curves[id(cell)])
        else:
            _draw_missing(axis, cell)
    for axis in axes[len(cells):]:
        axis.set_axis_off()
    _label_axes(axes, len(cells), columns)
    return style.save(figure, run.folder, name)


def order(cell):
    """Most given back first, then those without a share, then those that did not run."""
    ratio = cell.return_ratio.median if cell.return_ratio else None
    return (not cell.ran, ratio is None, -(ratio or 0), cell.allocator)


def _title(experiment):
    if experiment.long_idle:
        return f"What comes back while idle for {words.duration(experiment.idle_s)} (n = {max(experiment.counts, default=0)})"
    return "How much memory goes back to the system"


def _subtitle(experiment):
    text = words.experiment(experiment)
    about = words.ABOUT.get(experiment.workload)
    return f"{text}\n{about}" if about else text


def _caption(run, experiment):
    hosted = any(cell.host != "objects" for cell in experiment.cells)
    return ("Blue line: resident memory above the process's own baseline (RSS). Strong grey: object bytes, what the program "
            "can still reach. Faint grey: live bytes, asked of the allocator and not freed. Yellow: the child was parked "
            "while its memory was read. "
            + ("Inside CPython object bytes are known only from phase to phase. " if hosted else "")
            + "Share given back: (peak − retained) / (peak − object bytes at the end), all above baseline; median of the "
            "row. Each panel draws one sample, the one nearest to its row's median. "
            + style.machine_caption(run, experiment.cells))


def _set_limits(axes, curves):
    curves = list(curves)
    highest = max([float(numpy.nanmax(curve.resident_mb)) for curve in curves]
                  + [float(numpy.nanmax(numpy.nan_to_num(curve.live_mb))) for curve in curves], default=1.0)
    longest = max((float(curve.t_s[-1]) for curve in curves), default=1.0)
    # A curve that falls shortly before its end would cross the label above it: that one stands after its end, and needs the room.
    wanted = [float(curve.t_s[-1]) / (1 - LABEL_WIDTH) for curve in curves if _falls_late(curve, longest, highest)]
    axes[0].set_xlim(0, max([longest * 1.005, *wanted]) or 1)
    axes[0].set_ylim(0, max(highest, 0.1) * HEADROOM)


def _falls_late(curve, longest, highest):
    """Whether the curve comes down by more than a label's height within a label's width before its end."""
    late = curve.resident_mb[curve.t_s >= curve.t_s[-1] - LABEL_WIDTH * longest]
    return float(late.max() - late[-1]) > 0.1 * highest


def _label_axes(axes, used, columns):
    for index, axis in enumerate(axes[:used]):
        if index % columns == 0:
            axis.set_ylabel("MB above baseline")
        if index + columns >= used:
            axis.tick_params(labelbottom=True)
            axis.set_xlabel("seconds since the first operation")


def _draw_missing(axis, cell):
    _set_title(axis, cell, " · n/a")
    reason = words.plain(cell.reason or "no sample was finished", 240)
    axis.text(0.5, 0.5, textwrap.fill(f"{cell.status}: {reason}" if cell.status != "ok" else reason, 52),
              transform=axis.transAxes, ha="center", va="center", color=style.FAINT)


def _draw_cell(axis, cell, curve, long_idle):
    sample = cell.representative()
    shown = _thin(curve)
    axis.fill_between(curve.t_s[shown], numpy.nan_to_num(curve.live_mb[shown]), color=style.LIVE_AREA, linewidth=0)
    axis.fill_between(curve.t_s[shown], numpy.nan_to_num(curve.object_mb[shown]), color=style.OBJECT_AREA, linewidth=0)
    for begin, end in curve_labels.find_stretches(curve.parked):
        axis.axvspan(curve.t_s[begin], curve.t_s[end], color=style.PARKED, alpha=0.75, linewidth=0, zorder=0.5)
    axis.plot(curve.t_s[shown], curve.resident_mb[shown], color=style.RESIDENT, linewidth=2.2, solid_joinstyle="round",
              clip_on=False)
    tail = f" · gives back {words.value(cell.return_ratio, words.percent_short)}"
    idle_mb = cell.given_back_while_idle_mb() if long_idle else None
    if idle_mb is not None:
        tail += f", {words.memory(idle_mb)} of it while idle" if idle_mb >= 0.05 else ", nothing of it while idle"
    _set_title(axis, cell, tail)
    curve_labels.draw_phases(axis, sample.phases)
    _draw_facts(axis, cell, sample, curve)


def _set_title(axis, cell, tail):
    axis.set_title(words.row(cell, max(TITLE_LETTERS - len(tail), 12)) + tail, loc="left", fontweight="bold", pad=21)


def _thin(curve):
    """Indices of the points that the eye needs: those where a value differs from its neighbour's, and both ends."""
    values = numpy.nan_to_num(numpy.stack([curve.resident_mb, curve.object_mb, curve.live_mb]))
    moves = numpy.any(numpy.diff(values, axis=1) != 0, axis=0)
    keep = numpy.ones(len(curve.t_s), bool)
    keep[1:-1] = moves[:-1] | moves[1:]
    return _thin_to_columns(curve, numpy.flatnonzero(keep))


def _thin_to_columns(curve, kept):
    """Of more points than a panel has columns of pixels by far: the ends and the extremes of each stretch of them."""
    if len(kept) <= MOST_POINTS:
        return kept
    stretches = numpy.array_split(kept, MOST_POINTS // 4)
    extremes = [(part[0], part[curve.resident_mb[part].argmin()], part[curve.resident_mb[part].argmax()], part[-1])
                for part in stretches]
    return numpy.unique(extremes)


def _draw_facts(axis, cell, sample, curve):
    """The sample drawn, in the corner; what it keeps, at the end of the line."""
    note = f"sample {sample.number}"
    if cell.status != "ok":
        note = textwrap.fill(f"{cell.count} ok; {cell.status}: {words.plain(cell.reason, 90)}", 44) + "\n" + note
    axis.text(0.995, 0.985, note, transform=axis.transAxes, ha="right", va="top", fontsize=style.SMALL, color=style.FAINT,
              bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.85, "pad": 1})
    right, top = axis.get_xlim()[1], axis.get_ylim()[1]
    beside = curve.t_s[-1] <= (1 - LABEL_WIDTH) * right  # there is room after the curve's end
    above = curve.resident_mb[-1:] if beside else curve.resident_mb[curve.t_s >= curve.t_s[-1] - LABEL_WIDTH * right]
    axis.annotate(f"keeps {words.memory(sample.retained_mb)}", (curve.t_s[-1], max(above.max(), 0)),
                  xytext=(5, 2) if beside else (-3, 4), textcoords="offset points", ha="left" if beside else "right",
                  va="bottom", color=style.RESIDENT, fontweight="bold", fontsize=style.NORMAL)
    peak = int(numpy.nanargmax(curve.resident_mb))
    if curve.resident_mb[peak] > max(0.1 * top, 1.02 * sample.retained_mb):
        at_edge = curve.t_s[peak] < 0.08 * right
        axis.annotate(words.memory(float(curve.resident_mb[peak])), (curve.t_s[peak], curve.resident_mb[peak]),
                      xytext=(5 if at_edge else 0, 3), textcoords="offset points", ha="left" if at_edge else "center",
                      va="bottom", color=style.RESIDENT, fontsize=style.SMALL)
