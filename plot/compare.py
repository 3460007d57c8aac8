#!/usr/bin/python3
"""
Is one run, or one allocator, better or worse than another? Prints a line for each comparison with its figures and a verdict;
what `tidemark compare` executes. It leaves out the statistics (inference.py), the rule (verdict.py) and reading (measured.py).
The idea of a verdict with "cannot tell" for CI is benchstat's and hyperfine's; the exit statuses are those of TOLD below.
"""
import argparse
import json
import math
import os
import re
import sys
from dataclasses import dataclass, field

import command
import inference
import measured
import verdict
import words
from checked import RunError
from verdict import UNKNOWN, WORSE

FORMAT = 1
# A Python that fails by itself exits with 1, which must not be taken for a verdict: `tidemark compare` takes 10 off.
TOLD = {"nothing worse": 10, WORSE: 11, "usage": 12, UNKNOWN: 13, "failed": 14}
TREND = 0.01           # p of a trend that is told
MANY_OUTLIERS = 0.1    # share of the values
WIDTH = {"rows": 34, "metric": 12}
APART = "ratio: of the medians, changed over baseline; p: Mann-Whitney"
AT_ONCE = "ratio: within rounds, whose rows ran at once (Hodges-Lehmann), changed over baseline; p: Wilcoxon's signed ranks"
COLOURS = {verdict.BETTER: "32", WORSE: "31", UNKNOWN: "33", verdict.SAME: "0"}
EXAMPLE = """example:
  plot/compare.py results/before results/after --metric time --metric peak --threshold 0.02"""


@dataclass
class Side:
    """A row of one run, and its values of one metric; None where it has none, `why` says why not."""
    run: str
    row: str
    values: measured.Values = None
    why: str = ""
    failed: list = field(default_factory=list)


@dataclass
class Comparison:
    """Two sides of one experiment in one metric, and what came of it."""
    title: str
    kind: object  # None of a micro-benchmark
    metric: measured.Metric
    baseline: Side
    changed: Side
    pairs: list = None
    at_once: bool = False
    floor: float = None
    difference: inference.Difference = None
    corrected: float = None
    told: verdict.Verdict = None
    notes: list = field(default_factory=list)


# --- what is compared -------------------------------------------------------------------------------------------------------

def compare(paths, metrics=(), rows=(), workloads=(), threshold=0.01):
    """(comparisons, warnings) of two runs, or of the rows of one. Raises RunError or command.Usage."""
    recordings = [measured.read(path) for path in paths]
    metrics = list(metrics) or [_usual_metric(recordings)]
    warnings = _check_runs(recordings) if len(recordings) == 2 else []
    for recording in recordings:
        if recording.machine.get("interrupted") or ("plan" in recording.machine and not recording.machine.get("finished")):
            warnings.append(f"{recording.path}: this run did not finish")
    comparisons = []
    for name in metrics:
        found = (_micro_comparisons(recordings, rows, warnings) if name == "micro"
                 else _cell_comparisons(recordings, measured.METRICS[name], rows, workloads))
        _judge(found, threshold)
        comparisons += found
    if not comparisons:
        raise command.Usage(_nothing(recordings, rows, workloads))
    return comparisons, list(dict.fromkeys(warnings))


def _usual_metric(recordings):
    if not all(recording.cells for recording in recordings):
        return "micro"
    return "cpu" if any(recording.at_once for recording in recordings) else "time"


def _check_runs(recordings):
    """Warnings on two runs. Raises RunError where they do not answer the same question."""
    first, second = recordings
    if first.is_file or second.is_file or not (first.cells or second.cells):
        return []
    differences = measured.differing_plans(first, second)
    if differences:
        shown = differences[:20] + ([f"and {len(differences) - 20} more"] if len(differences) > 20 else [])
        raise RunError(f"{first.path} and {second.path} are runs of different plans, whose figures say nothing of each other:\n  "
                       + "\n  ".join(shown))
    return ([f"different machines: {text}" for text in measured.differing_machines(first, second)]
            + [f"the row {text}" for text in measured.differing_versions(first, second)])


def _cell_comparisons(recordings, metric, rows, workloads):
    wanted = [_read_workload(text) for text in workloads]
    found = []
    kinds = dict.fromkeys(cell.kind for cell in recordings[0].cells if _is_wanted(cell.kind, wanted))
    for kind in kinds:
        for (first, one), (second, other) in _sides(recordings, kind, rows):
            floors = [_floor(recording, kind, metric) for recording in recordings]
            known = [floor for floor in floors if floor is not None]
            comparison = Comparison(kind.text, kind, metric, _side(first, one, metric), _side(second, other, metric),
                                    floor=max(known, default=None))
            if len(recordings) == 1 and comparison.baseline.values and comparison.changed.values:
                comparison.pairs = measured.pairs_of(comparison.baseline.values, comparison.changed.values)
                comparison.at_once = first.at_once
            found.append(comparison)
    return found


def _sides(recordings, kind, rows):
    """((recording, cell), (recording, cell)) to be compared in this experiment, the baseline first."""
    cells = [[cell for cell in recording.cells if cell.kind == kind and not cell.is_control] for recording in recordings]
    if len(recordings) == 2:
        others = {cell.label: cell for cell in cells[1]}
        return [((recordings[0], cell), (recordings[1], others[cell.label])) for cell in cells[0]
                if cell.label in others and (not rows or any(_has_name(cell, row) for row in rows))]
    named = [next((cell for cell in cells[0] if _has_name(cell, row)), None) for row in rows] if rows else cells[0]
    if not named or named[0] is None:
        return []
    return [((recordings[0], named[0]), (recordings[0], cell)) for cell in named[1:] if cell is not None and cell is not named[0]]


def _has_name(cell, row):
    """A comma of a row is escaped where rows are listed, and in the row as written."""
    return row in (cell.row, cell.label, _short(cell.row)) or row.replace("\\,", ",") == cell.row


def _short(row):
    """Its label where it has one, else without the folders of a library's path."""
    label = measured.LABEL.match(row)
    return label[1] if label else re.sub(r"(^|=|@)/[^+@]*/(?=[^+@/])", r"\1", row)


def _side(recording, cell, metric):
    values = measured.values_of(cell, metric)
    why = ""
    if values is None:
        why = (cell.not_available or (cell.failed[0] if cell.failed else "") if not cell.samples
               else f"not every sample has this figure ({metric.about})")
    return Side(recording.path, cell.row, values, words.plain(why or "it has no sample", 200), cell.failed)


def _floor(recording, kind, metric):
    """Of the controls of this workload on this host; None where the run has none with such values."""
    found = []
    for cell in recording.cells:
        if not cell.is_control or (cell.kind.workload, cell.kind.host) != (kind.workload, kind.host):
            continue
        twin = next((other for other in recording.cells if other.kind == cell.kind and other.row == cell.row and not other.is_control),
                    None)
        one, other = (measured.values_of(side, metric) if side else None for side in (twin, cell))
        if one and other:
            difference = _difference(one, other, measured.pairs_of(one, other), recording.at_once)
            found += [difference] if difference else []
    return verdict.noise_floor(found)


def _read_workload(text):
    """("bulk", {"n": "100"}) of bulk:n=100"""
    name, _, rest = text.partition(":")
    params = dict(part.partition("=")[::2] for part in rest.split(",") if part)
    return name, params


def _is_wanted(kind, wanted):
    params = json.loads(kind.params)
    return not wanted or any(kind.workload == name and all(value in (params.get(key), words.count(params.get(key, "")))
                                                           for key, value in asked.items()) for name, asked in wanted)


# --- micro-benchmarks -------------------------------------------------------------------------------------------------------

def _micro_comparisons(recordings, rows, warnings):
    for recording in recordings:
        if not recording.benchmarks:
            raise RunError(f"{recording.path}: it has no micro-benchmarks (tidemark micro -o writes them into micro/)")
    found = []
    for (first, one), (second, other) in _micro_sides(recordings, rows):
        names = [list(recording.benchmarks[row]) for recording, row in ((first, one), (second, other))]
        common = [name for name in names[0] if name in names[1]]
        alone = [sorted(set(here) - set(there)) for here, there in (names, reversed(names))]
        if one == other and (alone[0] or alone[1]):
            raise RunError(f"{first.path} and {second.path} hold different benchmarks of {words.plain(one)}, which were not measured "
                           "by the same plan:\n  " + "\n  ".join([f"only the first has {words.plain(name)}" for name in alone[0][:10]]
                                                                 + [f"only the second has {words.plain(name)}" for name in alone[1][:10]]))
        if not common:
            raise RunError(f"{first.path} and {second.path} have no benchmark in common")
        for side, left in zip((one, other), alone):
            if left:
                warnings.append(f"{len(left)} benchmarks of {words.plain(side)} alone are left out")
        warnings += _differing_contexts(first.contexts[one], second.contexts[other])
        for name in common:
            found.append(Comparison(words.plain(name), None, measured.MICRO, _micro_side(first, one, name),
                                    _micro_side(second, other, name)))
    return found


def _micro_sides(recordings, rows):
    if len(recordings) == 1:
        (recording,) = recordings
        named = list(rows) or list(recording.benchmarks)
        missing = [row for row in named if row not in recording.benchmarks]
        if missing:
            raise command.Usage(f"{recording.path} has no micro-benchmarks of {', '.join(map(words.plain, missing))}; it has "
                        + ", ".join(map(words.plain, recording.benchmarks)))
        return [((recording, named[0]), (recording, row)) for row in named[1:]]
    first, second = recordings
    if first.is_file and second.is_file:
        return [((first, next(iter(first.benchmarks))), (second, next(iter(second.benchmarks))))]
    named = [row for row in (second if first.is_file else first).benchmarks if not rows or row in rows]
    pairs = [row for row in named if row in first.benchmarks and row in second.benchmarks]
    if not pairs:
        raise RunError(f"{first.path} has micro-benchmarks of {', '.join(map(words.plain, first.benchmarks))}, and {second.path} of "
                       + ", ".join(map(words.plain, second.benchmarks)) + ": no row is in both")
    return [((first, row), (second, row)) for row in pairs]


def _micro_side(recording, row, name):
    numbers = recording.benchmarks[row][name]
    return Side(recording.path, row, measured.Values(numbers, [(index, 0) for index in range(len(numbers))]))


def _differing_contexts(one, other):
    found = []
    for name in ("host_name", "num_cpus", "mhz_per_cpu", "cpu_scaling_enabled", "library_build_type"):
        if one.get(name) != other.get(name):
            found.append(f"different machines: {name} is {words.plain(one.get(name))} and {words.plain(other.get(name))}")
    if "debug" in (one.get("library_build_type"), other.get("library_build_type")) and one.get("tidemark_row") is None:
        found.append("Google Benchmark was built as debug")
    return found


def _nothing(recordings, rows, workloads):
    recording = recordings[0]
    known_rows = dict.fromkeys(words.plain(_short(cell.row)) for cell in recording.cells if not cell.is_control)
    kinds = dict.fromkeys(words.plain(cell.kind.workload) for cell in recording.cells)
    if workloads or rows:
        return (f"nothing in {recording.path} is as asked for: it has the workloads {words.listing(kinds) or 'none'} and the rows "
                f"{words.listing(known_rows) or 'none'}")
    return f"{recording.path} has one row in each experiment: name a second run to compare it with"


# --- verdicts ---------------------------------------------------------------------------------------------------------------

def _difference(first, second, pairs, at_once):
    compute = inference.difference_at_once if at_once else inference.difference
    return compute(first.numbers, second.numbers, pairs)


def _judge(comparisons, threshold):
    """Fills in what follows from the values; the family of the correction is all that have values enough to be tested."""
    for one in comparisons:
        if one.baseline.values and one.changed.values:
            one.difference = _difference(one.baseline.values, one.changed.values, one.pairs, one.at_once)
    tested = [one for one in comparisons if one.difference and min(one.difference.counts) >= verdict.FEWEST]
    for one, corrected in zip(tested, inference.correct([one.difference.probability for one in tested])):
        one.corrected = corrected
    for one in comparisons:
        one.told = _verdict(one, threshold, len(tested))
        if one.difference:
            one.notes = _notes(one, threshold)


def _verdict(one, threshold, family):
    """A side that fails where the other does not is worse whatever the others took: they are the ones that did not fail."""
    failed = [len(side.failed) for side in (one.baseline, one.changed)]
    if failed[1] > 0 == failed[0] and one.baseline.values:
        return verdict.Verdict(WORSE, f"{failed[1]} of its samples failed ({words.plain(one.changed.failed[0], 160)})")
    if failed[0] > 0 == failed[1] and one.changed.values:
        return verdict.Verdict(verdict.BETTER, f"of the baseline {failed[0]} samples failed ({words.plain(one.baseline.failed[0], 160)})")
    if not one.difference:
        side = one.changed if one.baseline.values else one.baseline
        return verdict.Verdict(UNKNOWN, f"{words.plain(_short(side.row))}: {side.why}")
    return verdict.judge(one.difference, one.corrected, threshold, one.floor, one.metric.higher_is_better, family)


def _notes(one, threshold):
    """What a reader has to know of the samples before believing the line."""
    notes = []
    for name, side in (("baseline", one.baseline), ("changed", one.changed)):
        numbers = side.values.numbers
        course = inference.course(numbers)
        if side.values.instead:
            notes.append(f"{name}: {side.values.instead} of {len(numbers)} did not come so far within their rest, whose length they count")
        if one.told.word == verdict.SAME or one.at_once:
            continue
        if course.trend is not None and course.trend < TREND and abs(course.slope or 0) > threshold:
            notes.append(f"{name}: drifted by {words.percent_difference(course.slope)} from the first sample to the last (p {course.trend:.2g})")
        if course.autocorrelation is not None and len(numbers) >= 10 and course.autocorrelation > 2 / math.sqrt(len(numbers)):
            notes.append(f"{name}: samples resemble those before them (autocorrelation {course.autocorrelation:.2f}), "
                         "so that p and the interval are too sure")
        if len(course.outliers) > MANY_OUTLIERS * len(numbers):
            notes.append(f"{name}: {len(course.outliers)} of {len(numbers)} are outliers; all count")
    if one.at_once and one.metric.column == "wall_ns":
        notes.append("rows that ran at once took this time together: compare --metric cpu")
    if one.kind is None and min(one.difference.counts) < verdict.FEWEST:
        notes.append("repetitions: tidemark micro ... -- --benchmark_repetitions=20")
    return [note.replace(words.NARROW, " ") for note in notes]


def status_of(comparisons):
    found = {one.told.word for one in comparisons}
    return TOLD[WORSE] if WORSE in found else TOLD[UNKNOWN] if UNKNOWN in found else TOLD["nothing worse"]


# --- output -----------------------------------------------------------------------------------------------------------------

def write_value(value, metric):
    """At the figure's own unit."""
    text = {"ns": lambda: words.duration(value / 1e9), "B": lambda: words.memory(value / 1e6), "share": lambda: words.percent(value),
            "count": lambda: words.number(value, 0)}[metric.unit]()
    return text.replace(words.NARROW, " ")


def print_table(comparisons, warnings, threshold, colour, out):
    title, shown = None, 0
    for one in comparisons:
        if one.title != title:
            title = one.title
            print(f"{title}", file=out)
            print(f"  {'rows':{WIDTH['rows']}} {'metric':{WIDTH['metric']}} {'baseline':>10} {'changed':>10}  {'ratio':>6}"
                  f" {'95 % interval':>16} {'p (Holm)':>9} {'effect':>6}  verdict", file=out)
        print(_line(one, colour), file=out)
        for note in one.notes:
            print(f"      {note}", file=out)
        shown += 1
    counts = {word: sum(one.told.word == word for one in comparisons) for word in (verdict.BETTER, WORSE, verdict.SAME, UNKNOWN)}
    print("\n" + ", ".join(f"{count} {word}" for word, count in counts.items() if count)
          + f"; threshold {verdict.percent(threshold)}", file=out)
    print(f"{AT_ONCE if any(one.at_once for one in comparisons) else APART}, corrected for all lines of the metric; "
          "effect: chance that a changed value is the larger one", file=out)
    for warning in warnings:
        print(f"tidemark compare: {words.plain(warning, 400)}", file=sys.stderr)
    if any(one.kind is None for one in comparisons):
        print("tidemark compare: the repetitions of a micro-benchmark are of one process: what differs between processes is in no "
              "interval here", file=sys.stderr)


def _line(one, colour):
    rows = [words.plain(_short(side.row), WIDTH["rows"]) for side in (one.baseline, one.changed)]
    text = rows[0] if one.baseline.row == one.changed.row else words.plain(f"{rows[0]} → {rows[1]}", WIDTH["rows"])
    word = f"\033[{COLOURS[one.told.word]}m{one.told.word}\033[0m" if colour else one.told.word
    head = f"  {text:{WIDTH['rows']}} {one.metric.name:{WIDTH['metric']}}"
    if not one.difference:
        return f"{head} {'n/a':>10} {'n/a':>10}  {'n/a':>6} {'':16} {'':>9} {'':>6}  {word}: {one.told.reason}"
    medians = [write_value(inference.median(side.values.numbers).value, one.metric) for side in (one.baseline, one.changed)]
    ratio = one.difference.ratio
    interval = f"[{_ratio(ratio.low)}, {_ratio(ratio.high)}]" if ratio.known else "none"
    chance = "none" if one.corrected is None else "<0.0001" if one.corrected < 1e-4 else f"{one.corrected:.4f}" if one.corrected < 0.1 else f"{one.corrected:.2f}"
    return (f"{head} {medians[0]:>10} {medians[1]:>10}  {_ratio(ratio.value):>6} {interval:>16} {chance:>9} "
            f"{one.difference.superiority:6.2f}  {word}: {one.told.reason}")


def _ratio(value):
    return f"{value:.3f}" if value < 10 else f"{value:.3g}"


def as_json(comparisons, warnings, threshold):
    """The document of results/FORMAT.md, compare."""
    return {"format": FORMAT, "threshold": threshold, "confidence": inference.CONFIDENCE, "warnings": warnings,
            "verdict": {TOLD["nothing worse"]: "nothing worse", TOLD[WORSE]: WORSE, TOLD[UNKNOWN]: UNKNOWN}[status_of(comparisons)],
            "comparisons": [_entry(one) for one in comparisons]}


def _entry(one):
    kind = one.kind
    experiment = ({"benchmark": one.title} if kind is None else
                  {"workload": kind.workload, "params": json.loads(kind.params), "host": kind.host, "idle_ns": kind.idle_ns,
                   "return": kind.way.mode, "activity_ns": round(kind.way.activity_s * 1e9), "rebuild": kind.way.rebuild,
                   "thp": kind.way.thp})
    difference = one.difference
    return {"experiment": experiment, "metric": one.metric.name, "unit": one.metric.unit,
            "better": "higher" if one.metric.higher_is_better else "lower",
            "baseline": _side_entry(one.baseline), "changed": _side_entry(one.changed),
            "ratio": None if difference is None else _interval_entry(difference.ratio),
            "pairs": None if difference is None else difference.pairs, "at_once": one.at_once,
            "p": None if difference is None else difference.probability, "p_holm": one.corrected,
            "effect": None if difference is None else difference.superiority,
            "noise_floor": None if one.floor is None or not math.isfinite(one.floor) else one.floor,
            "detectable": None if difference is None else verdict.detectable(difference),
            "verdict": one.told.word, "reason": one.told.reason, "rounds": one.told.rounds, "notes": one.notes}


def _side_entry(side):
    entry = {"run": side.run, "row": side.row, "failed": len(side.failed), "samples": 0, "median": None, "course": None}
    if side.values:
        course = inference.course(side.values.numbers)
        entry.update(samples=len(side.values.numbers), median=_interval_entry(inference.median(side.values.numbers)),
                     course={"slope": course.slope, "trend_p": course.trend, "autocorrelation": course.autocorrelation,
                             "outliers": list(course.outliers)})
    return entry


def _interval_entry(interval):
    return {"value": interval.value, "low": interval.low, "high": interval.high}


def is_coloured(stream, environment):
    return stream.isatty() and not environment.get("NO_COLOR") and environment.get("TERM", "dumb") != "dumb"


def main():
    parser = argparse.ArgumentParser(description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="the baseline, and perhaps a second one: folders or files of Google Benchmark")
    parser.add_argument("--metric", action="append", default=[], choices=[*measured.METRICS, "micro"])
    parser.add_argument("--row", action="append", default=[], help="the baseline first")
    parser.add_argument("--workload", action="append", default=[])
    parser.add_argument("--threshold", type=float, default=0.01, help="a share")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    return command.run("compare", lambda: _answer(asked), TOLD["usage"], TOLD["failed"])


def _answer(asked):
    comparisons, warnings = compare(asked.runs, asked.metric, asked.row, asked.workload, asked.threshold)
    if asked.json:
        print(json.dumps(as_json(comparisons, warnings, asked.threshold), indent=2, allow_nan=False))
    else:
        print_table(comparisons, warnings, asked.threshold, is_coloured(sys.stdout, os.environ), sys.stdout)
    return status_of(comparisons)


if __name__ == "__main__":
    sys.exit(main())
