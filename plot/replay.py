"""
Lays the replay in C over the real CPython: resident memory of `pymalloc` in both hosts, phase by phase.
It leaves out how long a phase takes: each is stretched to the same width, and its duration is written beneath it.
The reason: C and the interpreter take different times, and the question is how high memory stands, not when.
"""
import numpy

import run_folder
import style
import words

POINTS = 200    # per phase
LITTLE = 0.05   # share of the highest value below which a difference is given as a share of the highest
LEFTMOST = 0.1  # of the width: a label to the left of this place would lie on the axis


def find_pairs(run):
    """(experiment, replay cell, CPython cell) for every row that ran both in the object runtime and in a real interpreter."""
    return [(experiment, ours, real) for experiment in run.experiments if not experiment.long_idle
            for real in experiment.cells if real.host != "objects" and real.ran
            for ours in experiment.cells if ours.host == "objects" and ours.allocator == real.allocator and ours.ran]


def compare(ours, real):
    """(phase of ours, phase of real, difference, its share) by name, medians over the samples, in the order of ours."""
    theirs = {phase.name: phase for phase in real.median_phases()}
    highest_mb = max((phase.resident_mb for phase in theirs.values()), default=0)
    return [(phase, theirs[phase.name], *difference(phase.resident_mb, theirs[phase.name].resident_mb, highest_mb))
            for phase in ours.median_phases() if phase.name in theirs]


def difference(ours_mb, real_mb, highest_mb):
    """Replay less CPython, and as a share of CPython's value; where little is left of its highest, as a share of that."""
    off_mb = ours_mb - real_mb
    if highest_mb <= 0:
        share = "n/a"
    elif real_mb >= LITTLE * highest_mb:
        share = words.percent_difference(off_mb / real_mb)
    else:
        share = words.percent_difference(off_mb / highest_mb) + " of highest"
    return words.memory(off_mb, sign=True), share


def draw(run, experiment, ours, real, name):
    """Draws one pair. Returns the path of the PNG, or None when the two have no phase in common."""
    phases = compare(ours, real)
    if not phases:
        return None
    figure, (axis,) = style.make_panels(
        1, 1, 3.8, "The replay in C over the real " + real.host_version,
        words.experiment(experiment) + f". Row {words.plain(ours.allocator)} in both.",
        "Resident memory above each process's own baseline. Each phase is stretched to the same width, however long it takes; "
        "beneath it stand medians. Difference: in percent of CPython's value or, where less than 5 % of its highest value is "
        "left, of that highest value (h). The lines are one sample each (replay "
        f"{ours.representative().number}, {real.host_version} {real.representative().number}), the "
        "nearest to the median. " + style.machine_caption(run, [ours, real]), gap=0, left=2.15, head=0.45)
    figure.subplots_adjust(bottom=figure.subplotpars.bottom + 0.82 / figure.get_figheight())
    names = [phase.name for phase, *_ in phases]
    x, replayed = progress(run, ours, names)
    _, measured = progress(run, real, names)
    axis.plot(x, measured, color=style.ORANGE, linewidth=6.5, solid_capstyle="butt", clip_on=False)
    axis.plot(x, replayed, color=style.BLACK, linewidth=1.8, linestyle=(0, (4, 1.6)), clip_on=False)
    axis.set_xlim(0, len(names))
    axis.set_ylim(0, max(numpy.nanmax(replayed), numpy.nanmax(measured), 0.1) * 1.12)
    axis.set_ylabel("resident, MB above baseline")
    _label_line(axis, x, measured, real.host_version, (0.35, (34, -4)), "left")
    _label_line(axis, x, replayed, "replay in C", (0.6, (-12, 26)), "right")
    _draw_columns(axis, phases, real)
    return style.save(figure, run.folder, name)


def progress(run, cell, names):
    """Resident memory at evenly spaced shares of each phase, for the phases named; x counts phases."""
    sample = cell.representative()
    curve = run_folder.read_curve(run, sample)
    phases = {phase.name: phase for phase in sample.phases}
    share = numpy.linspace(0, 1, POINTS)
    parts = []
    for name in names:
        phase = phases[name]
        part = numpy.interp(phase.begin_s + share * (phase.end_s - phase.begin_s), curve.t_s, curve.resident_mb)
        part[-1] = phase.resident_mb
        parts.append(part)
    return numpy.concatenate([index + share for index in range(len(names))]), numpy.concatenate(parts)


def _label_line(axis, x, y, label, place, align):
    """Names a line with an arrow to where it has risen to a share of its highest value."""
    share, offset = place
    at = int(numpy.argmax(y >= share * numpy.nanmax(y)))
    if align == "right" and x[at] < LEFTMOST * x[-1]:  # there the axis has its own label
        offset, align = (-offset[0], offset[1]), "left"
    axis.annotate(label, (x[at], y[at]), xytext=offset, textcoords="offset points", ha=align, va="center", fontweight="bold",
                  bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5},
                  arrowprops=style.leader(relpos=(0.5, 0.5), shrinkB=1))


def _draw_columns(axis, phases, real):
    """Beneath each phase: both values at its end, their difference, both durations."""
    axis.set_xticks([])
    transform = axis.get_xaxis_transform()
    host = words.plain(real.host_version, 18)
    lines = [("at its end: replay", lambda a, b, *_: words.memory(a.resident_mb)),
             (f"at its end: {host}", lambda a, b, *_: words.memory(b.resident_mb)),
             ("difference", lambda a, b, off, share: off),
             ("in percent", lambda a, b, off, share: share.replace(" of highest", " (h)")),
             ("takes: replay", lambda a, b, *_: words.duration(a.wall_s)),
             (f"takes: {host}", lambda a, b, *_: words.duration(b.wall_s))]
    height = axis.get_position().height * axis.figure.get_figheight()
    for index, (label, write) in enumerate(lines):
        y = -(0.16 + 0.2 * index + (0.06 if index > 3 else 0)) / height
        style_of = {"fontsize": style.NORMAL, "va": "center", "transform": transform,
                    "fontweight": "bold" if label in ("difference", "in percent") else "normal"}
        axis.text(-0.012 * len(phases), y, label, ha="right", **style_of)
        for column, phase in enumerate(phases):
            axis.text(column + 0.5, y, write(*phase), ha="center", **style_of)
    for column, (ours, *_) in enumerate(phases):
        axis.text(column + 0.5, 1.02, words.plain(ours.name, 20), ha="center", va="bottom", transform=transform,
                  fontweight="bold")
        axis.axvline(column, color=style.FAINT, linewidth=0.8, linestyle=(0, (1, 2)))
