"""
Direct labels of a panel with a memory curve: phase names above it, the names of line and areas inside it.
It leaves out the curve itself, which is memory_return.py's. Labels are moved apart; a thin line leads to what each one names.
"""
import itertools

import numpy

import style
import words

LINE, UPPER = 0.13, 0.8  # height of a line of text and place of the upper one, as shares of a panel
RIGHTMOST = 0.66         # left end of the widest text that still fits


def draw_phases(axis, phases):
    """Phase names above the panel, pushed apart where phases are short, each with a thin line to its middle."""
    for phase in phases[1:]:
        axis.axvline(phase.begin_s, color=style.FAINT, linewidth=0.7, linestyle=(0, (1, 2)), ymax=1 / 1.04)
    transform = axis.get_xaxis_transform()
    left, right = axis.get_xlim()
    texts = [axis.text(0, 1.045, words.plain(phase.name, 14), transform=transform, ha="center", va="bottom",
                       fontsize=style.SMALL, color=style.INK) for phase in phases]
    middles = [(phase.begin_s + phase.end_s) / 2 for phase in phases]
    per_pixel = (right - left) / axis.get_window_extent().width
    widths = [(style.text_box(axis, text).width + 9) * per_pixel for text in texts]
    for text, middle, at in zip(texts, middles, style.spread(middles, widths, left, right)):
        text.set_x(at)
        axis.plot([at, middle], [1.04, 1.0], transform=transform, color=style.FAINT, linewidth=0.6, clip_on=False)


def name_parts(axis, curve):
    """Names line and areas in the free part of one panel, each with a line to what it names."""
    right, top = axis.get_xlim()[1], axis.get_ylim()[1]
    points = [(label, t_s / right, mb / top) for label, t_s, mb in _find_parts(curve, right, top)]
    x, first = _find_room(curve.t_s / right, curve.resident_mb / top, max(point[1] for point in points), len(points))
    slots = [first - LINE * index for index in range(len(points))]
    best = min(itertools.permutations(points), key=lambda order: _count_crossings(order, x, slots))
    for (label, t, mb), y in zip(best, slots):
        axis.annotate(label, (t, mb), xycoords="axes fraction", xytext=(x, y), textcoords="axes fraction", va="center",
                      fontsize=style.SMALL, arrowprops=style.leader(color=style.INK, shrinkB=0))


def _find_room(t, resident, edge, lines):
    """Where a block of text lines keeps clear of the curve: its left end and its first line, as shares of the panel."""
    for x in numpy.arange(min(edge + 0.1, RIGHTMOST), RIGHTMOST + 0.01, 0.04):
        beyond = resident[t >= x - 0.02]
        if not len(beyond) or beyond.max() < UPPER - LINE * lines:
            return x, UPPER
        if beyond.min() > LINE * (lines + 1):
            return x, beyond.min() - 0.16
    return RIGHTMOST, UPPER


def _find_parts(curve, right, top):
    """(label, seconds, MB): a point on the line and one inside each area that is large enough to be seen."""
    objects, live, resident = (numpy.nan_to_num(mb) for mb in (curve.object_mb, curve.live_mb, curve.resident_mb))
    half = int(numpy.searchsorted(curve.t_s, 0.5 * right))
    high = min(0.75 * resident.max(), resident.max())
    at = min(int(numpy.flatnonzero(resident >= high)[-1]), half)
    parts = [("resident", curve.t_s[at], resident[at])]
    for label, upper, lower in (("object bytes", objects, 0 * objects), ("live bytes without objects", live, objects)):
        thickness = upper - lower
        if thickness.max() > 0.05 * top:
            begin, end = find_stretches(thickness >= 0.75 * thickness.max())[-1]
            at = min((begin + end) // 2, half)
            parts.append((label, curve.t_s[at], lower[at] + 0.45 * thickness[at]))
    return parts


def _count_crossings(points, x, slots):
    """How many pairs of lines from the points to (x, slot) cross."""
    def height(point, slot, at):
        return point[2] + (slot - point[2]) * (at - point[1]) / (x - point[1])
    pairs = itertools.combinations(zip(points, slots), 2)
    return sum(height(a, high, max(a[1], b[1])) < height(b, low, max(a[1], b[1])) for (a, high), (b, low) in pairs)


def find_stretches(flags):
    """First and last index of each run of true flags."""
    edges = numpy.flatnonzero(numpy.diff(numpy.concatenate([[0], flags.astype(int), [0]])))
    return [(begin, min(end, len(flags) - 1)) for begin, end in zip(edges[::2], edges[1::2])]
