"""
`tidemark history`: keeps runs in an SQLite file and shows a figure over versions, with the points where it changed.
It leaves out the file (history_store.py), the method (change_points.py) and the picture (history_figure.py). Values are joined in one
series only where machine, experiment and row are the same; lines and steps are of medians of such a series alone.
"""
import argparse
import json
import math
import os
import re
import sys
from dataclasses import dataclass

sys.dont_write_bytecode = True

import change_points  # noqa: E402
import command  # noqa: E402
import history_store  # noqa: E402
import inference  # noqa: E402
import processes  # noqa: E402
import words  # noqa: E402
from advise import add_filter, read_filter  # noqa: E402
from checked import RunError  # noqa: E402

MOST_LABEL = 80
FORMS = (".png", ".svg")


@dataclass(frozen=True)
class Metric:
    """
    `read(figures)`: the value of a sample, or None. Steps are ratios where `is_ratio`, else differences; smaller ones than `least` (of
    a ratio: less 1) are not told. `write`, `write_step` are for a reader.
    """
    name: str
    title: str
    field: str
    read: object
    is_ratio: bool
    least: float
    scale: float
    unit: str
    write: object
    write_step: object


def _peak(figures):
    peak, baseline = figures["peak_bytes"], figures["baseline_bytes"]
    return None if peak is None or baseline is None else peak - baseline


METRICS = {metric.name: metric for metric in (
    Metric("time", "time", "time_ns", lambda figures: figures["wall_ns"], True, 0.01, 1e9, "seconds",
           lambda value: words.duration(value / 1e9), None),
    Metric("peak", "peak above the baseline", "peak_bytes", _peak, True, 0.01, 1e6, "MB", lambda value: words.memory(value / 1e6), None),
    Metric("retained", "retained at the end, above the baseline", "retained_bytes", lambda figures: figures["retained_bytes"], False, 1e6,
           1e6, "MB", lambda value: words.memory(value / 1e6), lambda value: words.memory(value / 1e6, sign=True)),
    Metric("given_back", "given back, of what could be", "return_ratio", lambda figures: figures["return_ratio"], False, 0.01, 0.01, "%",
           words.percent, lambda value: words.signed(value * 100) + f"{words.NARROW}points"),
)}


@dataclass
class Step:
    """A change of level between two points of a series; `size` is a ratio or a difference, with its bounds."""
    index: int
    size: float
    low: float
    high: float
    p: float


@dataclass
class Drawn:
    """A series as it is shown: points with values, an Interval for each, steps; `note`: what was left out, or ""."""
    series: object
    points: list
    medians: list
    steps: list
    is_ratio: bool
    note: str


# --- Series. ---------------------------------------------------------------------------------------------------------------

def evaluate(series, metric, by_version):
    """The Drawn of a series."""
    points = [point for point in series.points if point.values]
    if by_version:
        points.sort(key=lambda point: natural(point.label))  # stable: of equal versions in the order of time
    empty = len(series.points) - len(points)
    notes = [f"{words.amount(empty, 'run')} without a value"] if empty else []
    if len(points) > change_points.MOST:
        notes.append(f"the first {len(points) - change_points.MOST} of {len(points)} runs are left out")
        points = points[-change_points.MOST:]
    if len(points) < change_points.FEWEST:
        notes.append(f"no change can be told from fewer than {change_points.FEWEST} runs")
    medians = [inference.median(point.values) for point in points]
    figures = [median.value for median in medians]
    is_ratio = metric.is_ratio and all(figure > 0 for figure in figures)
    if is_ratio:
        steps = [Step(found.index, math.exp(found.step), math.exp(found.low), math.exp(found.high), found.p)
                 for found in change_points.find(list(map(math.log, figures)), math.log1p(metric.least))]
    else:
        least = metric.least if not metric.is_ratio else 0
        steps = [Step(found.index, found.step, found.low, found.high, found.p) for found in change_points.find(figures, least)]
    return Drawn(series, points, medians, steps, is_ratio, "; ".join(notes))


def natural(text):
    """A key by which 1.9 comes before 1.10."""
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in re.split(r"([0-9]+)", text) if part]


def name_panel(key):
    """Of a Series' key: the row, then the experiment."""
    workload, params, row, host, idle_ns, mode, activity_ns, _, thp = key
    parts = [words.workload(workload, json.loads(params)), f"host {words.plain(host)}" if host != "objects" else "",
             f"{words.duration(idle_ns / 1e9)} idle" if idle_ns else "", f"return {words.plain(mode)}" if mode != "stock" else "",
             f"active every {words.duration(activity_ns / 1e9)}" if activity_ns else "",
             f"THP {words.plain(thp)}" if thp != "system" else ""]
    return f"{words.plain(row)} · {', '.join(filter(None, parts))}"


def name_machine(number, facts):
    known = lambda name: words.plain("?" if facts.get(name) is None else facts[name], 60)
    return (f"machine {number}: {known('cpu')}, {known('cores')} cores, {known('memory_gib')} GiB, {known('kernel')}, THP {known('thp')}, "
            f"build {known('build_type')}")


def write_step(metric, drawn, step):
    """"+12.3 % [9.1, 15.6]" of a ratio, "+1.2 MB [0.9, 1.5]" of a difference."""
    if drawn.is_ratio:
        bounds = ", ".join(words.number((bound - 1) * 100, 1) for bound in (step.low, step.high))
        return f"{words.signed((step.size - 1) * 100)}{words.NARROW}% [{bounds}]"
    write = metric.write_step or (lambda value: words.signed(value / metric.scale) + words.NARROW + metric.unit)
    unit = write(step.size).rpartition(words.NARROW)[2]
    return f"{write(step.size)} [{', '.join(write(bound).removesuffix(words.NARROW + unit) for bound in (step.low, step.high))}]"


def shorten_labels(labels):
    """Labels without the words that all of them begin with: in a series of one allocator its name is told by its title."""
    labels = [words.plain(label, MOST_LABEL) for label in labels]
    split = [label.split(" ") for label in labels]
    common = os.path.commonprefix(split) if len(set(labels)) > 1 else []
    common = common[:min(len(parts) for parts in split) - 1] if split else []
    return [" ".join(parts[len(common):]) for parts in split]


# --- The commands. ---------------------------------------------------------------------------------------------------------

def add(options):
    if options.db is None:
        history_store.make_folder(_path(options))
    run = processes.read(options.run)
    run.refuse_at_once()
    if not run.finished:
        raise RunError(f"{options.run}: this run did not finish; finish it with: tidemark run --resume {options.run}")
    if not any(cell.good for cell in run.cells):
        raise RunError(f"{options.run}: no sample of it came to its end; there is nothing to keep")
    with history_store.opened(_path(options), write=True) as connection:
        number, is_new = history_store.add(connection, run, options.label)
    samples = words.amount(sum(len(cell.processes) for cell in run.cells), "sample")
    print(f"{_path(options)}: run {number}, {words.amount(len(run.cells), 'cell')}, {samples}" if is_new else
          f"{_path(options)}: this run is there as run {number}, and was left as it is")


def show_list(options):
    with history_store.opened(_path(options)) as connection:
        runs, machines = history_store.runs(connection), history_store.machines(connection)
    if options.json:
        _print_json({"format": 1, "machines": {str(number): facts for number, facts in machines.items()}, "runs": runs})
        return
    lines = [("run", "started", "name", "label", "cells", "samples", "machine")]
    lines += [(str(run["id"]), words.plain(run["started"] or "-", 20), words.plain(run["name"], 40), words.plain(run["label"] or "-", 40), str(run["cells"]),
               str(run["samples"]), str(run["machine"])) for run in runs]
    _print_columns(lines, right=(0, 4, 5, 6))
    for number, facts in machines.items():
        print(name_machine(number, facts))


def remove(options):
    number = options.run.isascii() and options.run.isdigit() and len(options.run) < 19 and int(options.run)
    if not number:
        raise command.Usage(f"'{words.plain(options.run)}' is no number of a run; `tidemark history list` shows them")
    with history_store.opened(_path(options), write=os.path.lexists(_path(options))) as connection:
        if not history_store.remove(connection, number):
            raise command.Usage(f"{_path(options)}: there is no run {number}")
    print(f"{_path(options)}: run {number} is gone")


def show(options):
    drawn, metric = _read_drawn(options)
    if options.json:
        _print_json({"format": 1, "metric": metric.field, "series": [_series_json(one) for one in drawn]})
        return
    for one in drawn:
        print(f"{name_panel(one.series.key)}\n  {metric.title}; {name_machine(one.series.machine_id, one.series.machine)}"
              + (f"; {one.note}" if one.note else ""))
        lines = [("run", "started", "version", "n", "median", "95 % interval", "")]
        steps = {step.index: step for step in one.steps}
        for index, (point, median) in enumerate(zip(one.points, one.medians)):
            bounds = f"[{metric.write(median.low)}, {metric.write(median.high)}]" if median.known else ""
            step = f"<- {write_step(metric, one, steps[index])}" if index in steps else ""
            lines.append((str(point.run), words.plain(point.started, 20), words.plain(point.label, MOST_LABEL), str(len(point.values)),
                          metric.write(median.value), bounds, step))
        _print_columns(lines, right=(0, 3, 4), indent="  ")
        print()


def plot(options):
    drawn, metric = _read_drawn(options)
    import history_figure  # pylint: disable=import-outside-toplevel  (matplotlib takes half a second, which the others need not wait)
    output = options.output or f"history-{re.sub(r'[^A-Za-z0-9._-]+', '-', options.workload)}-{metric.name}.png"
    try:
        history_figure.draw(drawn, metric, options.workload, os.path.abspath(output))
    except OSError as error:
        raise RunError(f"{output}: {error.strerror}") from None
    print(output)


def _read_drawn(options):
    metric, is_asked = METRICS[options.metric], read_filter(options)
    wanted = lambda workload, params, row: is_asked(workload, params) and (options.allocator is None or row == options.allocator)
    seen = set()

    def note(workload, params, row):
        seen.add(f"{workload} on {words.plain(row)}")
        return wanted(workload, params, row)
    with history_store.opened(_path(options)) as connection:
        series = history_store.read_series(connection, metric.read, note)
    drawn = [one for one in (evaluate(one, metric, options.order == "version") for one in series) if one.points]
    if not drawn:
        there = "; ".join(sorted(seen)[:40])
        raise command.Usage(f"{_path(options)}: nothing in it is as asked for" + (" and has such a figure" if series else "")
                    + f"; it has: {there or 'no run'}" + (" ..." if len(seen) > 40 else ""))
    return sorted(drawn, key=lambda one: (one.series.key[:3], one.series.key[3:], one.series.machine_id)), metric


def _series_json(one):
    key = dict(zip(history_store.SERIES_FIELDS, one.series.key))
    key["params"] = json.loads(key["params"])
    key["return"], key["rebuild"] = key.pop("return_mode"), bool(key["rebuild"])
    points = [{"run": point.run, "name": point.name, "started": point.started, "label": point.label, "values": point.values,
               "failed": point.bad, "median": median.value, "low": median.low, "high": median.high}
              for point, median in zip(one.points, one.medians)]
    steps = [{"at": step.index, "run": one.points[step.index].run, "ratio" if one.is_ratio else "difference": step.size, "low": step.low,
              "high": step.high, "p": step.p} for step in one.steps]
    return {**key, "machine": one.series.machine, "points": points, "changes": steps, "note": one.note or None}


def _print_json(value):
    json.dump(value, sys.stdout, indent=1)
    sys.stdout.write("\n")


def _print_columns(lines, right, indent=""):
    widths = [max(map(len, column)) for column in zip(*lines)]
    for line in lines:
        texts = [text.rjust(width) if place in right else text.ljust(width) for place, (text, width) in enumerate(zip(line, widths))]
        print((indent + "  ".join(texts)).rstrip())


def _path(options):
    return options.db if options.db is not None else history_store.default_path()


COMMANDS = {"add": add, "list": show_list, "remove": remove, "show": show, "plot": plot}


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="history.py", description=__doc__.strip().splitlines()[0])
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("run", nargs="?", help="of add: a run folder; of remove: a run's number")
    parser.add_argument("--db")
    parser.add_argument("--label")
    parser.add_argument("--allocator")
    parser.add_argument("--metric", choices=METRICS, default="time")
    parser.add_argument("--order", choices=("time", "version"), default="time")
    parser.add_argument("--output")
    parser.add_argument("--json", action="store_true")
    add_filter(parser)
    options = parser.parse_args(arguments)
    return command.run("history", lambda: COMMANDS[options.command](options) or 0)


if __name__ == "__main__":
    sys.exit(main())
