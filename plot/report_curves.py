"""
Makes the data of the report's curves: of each row of an experiment memory over time, its phases, what was read at their ends.
It leaves out looks (templates/report_curves.js). Lines have fewer points than were measured: how far they may be off is told.
"""
import numpy

import memory_return
import report_pack
import run_folder
import words
from report_pack import short

MOST_POINTS, TOLERANCE = 500, 0.002       # of a line of the sample that stands for its row; the share of the highest value
MOST_OTHER_POINTS, OTHER_TOLERANCE = 120, 0.008  # of a line of another sample
MOST_OTHERS = 1600                        # such samples of a run: beyond, the page would pass its 5 MB
STEPS = 20000                             # of the axes: finer than any screen


def has_room(run):
    """Whether all samples of the run fit, and not only the one that stands for its row."""
    return sum(len(cell.good) for experiment in run.experiments for cell in experiment.cells) <= MOST_OTHERS


def read_curves(run, experiment, looks, all_samples):
    """The data of one experiment, None where nothing ran. `looks` has the number of each row's look."""
    cells = sorted(experiment.cells, key=memory_return.order)
    if not any(cell.ran for cell in cells):
        return None
    curves = {id(cell): run_folder.read_curve(run, cell.representative()) for cell in cells if cell.ran}
    highest = max([0.1, *(float(numpy.nanmax(numpy.concatenate([curve.resident_mb, curve.live_mb])))
                          for curve in curves.values())])
    longest = max(float(curve.t_s[-1]) for curve in curves.values()) or 1.0
    page = _Page(report_pack.unit(longest, STEPS), report_pack.unit(highest, STEPS), highest)
    rows = [_read_row(run, cell, curves.get(id(cell)), looks, page, all_samples) for cell in cells]
    return {"tUnit": page.t_unit, "mbUnit": page.mb_unit, "longest": short(longest, 6), "highest": short(highest, 6), "rows": rows,
            "error": short(page.off + page.mb_unit / 2, 2), "errorOthers": short(page.off_others + page.mb_unit / 2, 2),
            "allSamples": all_samples}


class _Page:
    """The units of one experiment, and how far lines are off at most, in MB."""

    def __init__(self, t_unit, mb_unit, highest):
        self.t_unit, self.mb_unit, self.highest = t_unit, mb_unit, highest
        self.off = self.off_others = 0.0

    def line(self, curve, mb, keep=()):
        """The line of the sample that stands for its row."""
        line, off = self._line(curve.t_s, mb, keep, MOST_POINTS, TOLERANCE)
        self.off = max(self.off, off)
        return line

    def other(self, curve, keep):
        line, off = self._line(curve.t_s, curve.resident_mb, keep, MOST_OTHER_POINTS, OTHER_TOLERANCE)
        self.off_others = max(self.off_others, off)
        return line

    def _line(self, t_s, mb, keep, most, tolerance):
        known = numpy.flatnonzero(~numpy.isnan(mb))
        if len(known) < 1:
            return None, 0.0
        places = {int(at) for at in numpy.searchsorted(known, keep) if at < len(known)}
        kept, off = report_pack.thin(t_s[known], mb[known], places, most, tolerance * self.highest)
        at = known[kept]
        return [report_pack.steps(t_s[at], self.t_unit), report_pack.steps(mb[at], self.mb_unit)], off


def _edges(curve):
    """Where a park begins and ends: these points are in every line as they were read."""
    return numpy.flatnonzero(numpy.diff(curve.parked, prepend=False) | numpy.diff(curve.parked, append=False)).tolist()


def _read_row(run, cell, curve, looks, page, all_samples):
    row = {"name": words.row(cell), "look": looks[words.row(cell)], "cell": cell.index}
    if curve is None:
        return {**row, "reason": f"{cell.status}: {words.plain(cell.reason or 'no sample was finished', 240)}"}
    sample = cell.representative()
    edges = _edges(curve)
    row.update(sample=sample.number, back=words.value(cell.return_ratio, words.percent_short),
               resident=page.line(curve, curve.resident_mb, edges), live=page.line(curve, curve.live_mb),
               objects=page.line(curve, curve.object_mb),
               phases=[_read_phase(sample, phase) for phase in sample.phases])
    if all_samples:
        row["others"] = [_read_other(run, other, page) for other in cell.good if other is not sample]
    if cell.status != "ok":
        row["reason"] = f"{cell.count} ok; {cell.status}: {words.plain(cell.reason, 200)}"
    return row


def _read_phase(sample, phase):
    """Its name, begin and end, then resident, USS and LazyFree at its end; USS above that of the baseline."""
    return [words.plain(phase.name, 24), short(phase.begin_s, 7), short(phase.end_s, 7), short(phase.resident_mb, 6),
            short(phase.uss_mb, 6), short(phase.lazy_mb, 6), short(phase.live_mb, 6), short(phase.object_mb, 6)]


def _read_other(run, sample, page):
    curve = run_folder.read_curve(run, sample)
    return [sample.number, *page.other(curve, _edges(curve))]
