"""
The values of a run's cells, a number per process, for every figure that runs are compared by (METRICS); and of Google
Benchmark's JSON, a number per repetition. They come from processes.py and checked.py.
It leaves out what follows from them (inference.py, verdict.py). Odd input is a RunError that names the file and the line.
"""
import json
import os
import re
import reprlib
from dataclasses import dataclass, field

import processes
from checked import MIB, RunError, get, read_json
from google_benchmark import ns_per_item
from run_folder import MOST_MICRO
from words import duration, parameters, plain, way_short

MOST_VALUES = 2000   # of a benchmark
LABEL = re.compile(r"([^=+@:,/\\]+)=", re.ASCII)
MILLISECOND = 10**6


@dataclass(frozen=True)
class Metric:
    """
    A figure of a sample. Ratios need something to divide by: what is less than `least` counts as `least`. `instead` is what a
    sample counts that has no value, as it did not come so far.
    """
    name: str
    column: str
    unit: str     # ns, B, a share, or a count
    least: float
    about: str
    higher_is_better: bool = False
    instead: str = None


METRICS = {metric.name: metric for metric in (
    Metric("time", "wall_ns", "ns", 1, "the sum of all phases but waiting"),
    Metric("cpu", "cpu_ns", "ns", 1, "processor time of the same phases"),
    Metric("peak", "peak_bytes", "B", MIB, "the high-water mark of resident memory"),
    Metric("retained", "retained_bytes", "B", MIB, "resident memory at the end, above the baseline"),
    Metric("given-back", "return_ratio", "share", 0.01, "the share of the peak that went back", True),
    Metric("of-freed", "return_ratio_live", "share", 0.01, "the same of what the allocator was asked to free", True),
    Metric("give-back-50", "give_back_50_ns", "ns", MILLISECOND, "until half had gone back", False, "watched_ns"),
    Metric("give-back-90", "give_back_90_ns", "ns", MILLISECOND, "until nine tenths had gone back", False, "watched_ns"),
    Metric("rebuild", "rebuild_ns", "ns", 1, "time of the phase `rebuild`"),
    Metric("faults", "minor_faults", "count", 1, "page faults"),
)}
MICRO = Metric("micro", "", "ns", 1e-3, "an item of a micro-benchmark")
RETURNABLE = "returnable_bytes"  # below 1 MiB nothing is said of when it went back


@dataclass(frozen=True)
class Kind:
    """An experiment on one host: what is compared is equal in all of this."""
    workload: str
    params: str  # as JSON
    host: str
    idle_ns: int
    way: object

    @property
    def text(self):
        given = {name: plain(value) for name, value in json.loads(self.params).items()}
        behind = [f"host {plain(self.host)}"] if self.host != "objects" else []
        behind += [f"{duration(self.idle_ns / 1e9)} idle"] if self.idle_ns else []
        behind += [f"return {way_short(self.way)}"] if self.way.mode != "stock" or self.way.thp != "system" else []
        text = " ".join([plain(self.workload), *parameters(given).split(", ")] if given else [plain(self.workload)])
        return f"{text}  ({', '.join(behind)})" if behind else text


@dataclass
class Cell:
    """
    A row of an experiment: `samples` are the processes that came to their end, `failed` has the reasons of those that did not,
    n/a apart.
    """
    kind: Kind
    row: str
    is_control: bool
    samples: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    not_available: str = None
    at_once: bool = False  # as processes.Measured

    @property
    def label(self):
        """What the row is called: its label where it has one, else all of it."""
        found = LABEL.match(self.row)
        return found[1] if found else self.row


@dataclass
class Values:
    """A number per process, in the order measured, each with the place that pairs it with another row's."""
    numbers: list
    places: list
    instead: int = 0  # how many of them did not come so far, and count as long as they were watched


@dataclass
class Recording:
    """A run, or files of Google Benchmark: `benchmarks` by row, each {name: [ns of an item]}."""
    path: str
    plan: dict
    machine: dict
    cells: list
    benchmarks: dict
    contexts: dict
    is_file: bool = False
    at_once: bool = False  # as processes.Measured

    @property
    def name(self):
        return os.path.basename(os.path.abspath(self.path))


def read(path):
    """A run folder, or a file of Google Benchmark's JSON. Raises RunError."""
    return _read_folder(path) if os.path.isdir(path) else _read_file(path)


def values_of(cell, metric):
    """The values of all samples, at least the metric's least; None where one has none: the others alone would be a choice."""
    found, instead = [], 0
    for sample in cell.samples:
        number = sample.figures.get(metric.column)
        if number is None and metric.instead and (sample.figures.get(RETURNABLE) or 0) >= MIB:
            number, instead = sample.figures.get(metric.instead), instead + 1
        if number is None:
            return None
        found.append(max(number, metric.least))
    # What ran at once began at once; what is left of a round that was killed, and what was measured later in its stead, did not.
    places = [(sample.block, sample.started) if cell.at_once else sample.block for sample in cell.samples]
    return Values(found, places, instead) if found else None


def pairs_of(first, second):
    """Indices of values that were measured in the same round."""
    at = {place: index for index, place in enumerate(first.places)}
    return [(at[place], index) for index, place in enumerate(second.places) if place in at]


# --- differences between two runs -------------------------------------------------------------------------------------------

PLANNED = ("scale", "seed", "tick_ns", "warm_up_bytes", "repeat_dirty", "together")
USUAL = {"scale": 1, "warm_up_bytes": 0, "repeat_dirty": False, "together": False}
FACTS = ("cpu", "cores", "memory_bytes", "kernel", "libc", "governor", "thp", "overcommit_memory", "build_type", "programs")


def differing_plans(first, second):
    """
    A sentence for each difference that makes two runs answers to different questions; empty where there is none. Limits,
    passes after the rounds and the number of rounds are none.
    """
    found = []
    for name in PLANNED:
        one, other = (recording.plan.get(name, USUAL.get(name)) for recording in (first, second))
        if one != other:
            found.append(f"{name} is {reprlib.repr(one)} in the first and {reprlib.repr(other)} in the second")
    cells = [{(cell.kind, cell.label): None for cell in recording.cells if not cell.is_control} for recording in (first, second)]
    for here, there, where in ((*cells, "first"), (*reversed(cells), "second")):
        found += [f"only the {where} has {kind.text} on {plain(row)}" for kind, row in here if (kind, row) not in there]
    return found


def differing_machines(first, second):
    """A sentence for each fact that bears on figures, and differs or is not known."""
    found = []
    for name in FACTS:
        one, other = (recording.machine.get(name) for recording in (first, second))
        if one is None and other is None:
            continue
        if one != other:
            found.append("the measuring programs are not the same build" if name == "programs"
                         else f"{name} is {reprlib.repr(one)} and {reprlib.repr(other)}")
    return found


def differing_versions(first, second):
    """The same for what the rows loaded: it may be what is compared."""
    one, other = (recording.machine.get("libraries") or {} for recording in (first, second))
    return [f"{plain(row)} is {plain(_last(one[row]), 90)} and {plain(_last(other[row]), 90)}"
            for row in one if row in other and _last(one[row]) != _last(other[row])]


def _last(version):
    return version[-1] if isinstance(version, list) and version else version


# --- reading ----------------------------------------------------------------------------------------------------------------

def _read_folder(folder):
    run = processes.read(folder)
    machine_path = os.path.join(folder, "machine.json")
    get(run.machine, "libraries", dict, machine_path) if run.machine.get("libraries") is not None else None
    benchmarks, contexts = _read_micro(os.path.join(folder, "micro"))
    return Recording(folder, run.plan, run.machine, [_cell_of(cell, run.at_once) for cell in run.cells], benchmarks, contexts, at_once=run.at_once)


def _cell_of(cell, at_once):
    kind = Kind(cell.workload, json.dumps(cell.params), cell.host, cell.idle_ns, cell.way)
    ended = [process for process in cell.processes if process.status != "ok"]
    missing = next((process.reason or "not available" for process in ended if process.status == "n/a"), None)
    failed = [": ".join(filter(None, (plain(process.status), process.reason))) for process in ended if process.status != "n/a"]
    return Cell(kind, cell.allocator, cell.control, cell.good, failed, cell.not_available or missing, at_once)


def _read_micro(folder):
    if not os.path.isdir(folder):
        return {}, {}
    names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    if len(names) > MOST_MICRO:
        raise RunError(f"{folder}: more than {MOST_MICRO} files")
    found, contexts = {}, {}
    for name in names:
        recording = _read_file(os.path.join(folder, name))
        found.update(recording.benchmarks)
        contexts.update(recording.contexts)
    return found, contexts


def _read_file(path):
    record = read_json(path, dict)
    if not isinstance(record.get("benchmarks"), list):
        raise RunError(f"{path}: it is neither a run folder nor JSON of Google Benchmark (it has no array 'benchmarks')")
    context = record["context"] if isinstance(record.get("context"), dict) else {}
    row = plain(context.get("tidemark_row") or os.path.basename(path).removesuffix(".json"), 120)
    return Recording(path, {}, {}, [], {row: _read_repetitions(record["benchmarks"], path)}, {row: context}, True)


def _read_repetitions(entries, path):
    """{name: [ns of an item, a repetition]}. Aggregates are left out: their spread cannot be had back from them."""
    found, aggregated = {}, False
    for index, entry in enumerate(entries):
        where = f"{path}: benchmark {index}"
        name = get(entry, "run_name" if "run_name" in entry else "name", str, where)
        if entry.get("error_occurred"):
            continue
        if entry.get("run_type", "iteration") != "iteration" or "aggregate_name" in entry:
            aggregated = True
            continue
        found.setdefault(name, []).append(ns_per_item(entry, where))
        if len(found[name]) > MOST_VALUES:
            raise RunError(f"{where}: {reprlib.repr(name)} has more than {MOST_VALUES} repetitions")
    if not found and aggregated:
        raise RunError(f"{path}: it has aggregates alone, whose repetitions are lost: measure again without "
                       "--benchmark_report_aggregates_only, as tidemark micro ... -- --benchmark_repetitions=20 does")
    return found
