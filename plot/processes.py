"""
Reads what each process of a run measured, cell by cell and round by round, from plan.json, samples.jsonl and machine.json alone:
no summary is needed, so that nothing is written to a run folder that is only looked at.
It leaves out curves and phases (run_folder.py), and what follows from the values (dominance.py, history.py).
"""
import hashlib
import json
import os
from dataclasses import dataclass, field

import run_folder
import words
from checked import NUMBER, RunError, get, get_flag, read_bytes, read_json, read_lines
from checked import MOST_BYTES, MOST_LINES_BYTES
from model import Way

# Of a process, as samples.jsonl has them; None unless it came to its end, or where it has no such figure. FIGURES are those that a
# history keeps: other programs read them there by name.
FIGURES = ("wall_ns", "cpu_ns", "baseline_bytes", "peak_bytes", "retained_bytes", "return_ratio", "return_ratio_live")
ALL_FIGURES = (*FIGURES, "returnable_bytes", "give_back_50_ns", "give_back_90_ns", "watched_ns", "rebuild_ns", "minor_faults")
MOST_SAMPLES = 2000  # of a cell: as many rounds as a plan may have, each run once more
OWN = "tidemark-child"  # the provider of what an allocator of tidemark's own serves


@dataclass
class Process:
    """One sample: `figures` by name as ALL_FIGURES has them. A block is what was measured side by side: a round, or its repeat."""
    number: int
    block: tuple
    status: str
    reason: str
    dirty: bool
    started: str
    version: str
    own: bool
    figures: dict

    @property
    def peak_above_bytes(self):
        """The peak above the baseline; None without one."""
        peak, baseline = self.figures["peak_bytes"], self.figures["baseline_bytes"]
        return None if peak is None or baseline is None else peak - baseline


@dataclass
class MeasuredCell:
    """`row` is the allocator as tables call it, `allocator` as the plan has it."""
    index: int
    workload: str
    params: dict
    allocator: str
    row: str
    host: str
    idle_ns: int
    way: Way
    control: bool
    not_available: str
    processes: list = field(default_factory=list)

    @property
    def good(self):
        return [process for process in self.processes if process.status == "ok"]

    @property
    def key(self):
        """What is equal in cells that may be compared: an experiment on one host."""
        return (self.workload, json.dumps(self.params, sort_keys=True), self.host, self.idle_ns, self.way)

    @property
    def trouble(self):
        """Why the row is in no comparison, for a reader; None where all of its processes came to their end."""
        bad = [process for process in self.processes if process.status != "ok"]
        if self.not_available is not None:
            return self.not_available
        if bad:
            which = "" if len(bad) == len(self.processes) else f"{len(bad)} of {len(self.processes)} samples: "
            return which + (bad[0].reason or bad[0].status)
        return None if self.processes else "no sample of it is here"

    @property
    def missing(self):
        """Why it has no values, although all of its processes came to their end; None where it has them."""
        for process in self.good:
            if not (process.figures["wall_ns"] or 0) > 0:
                return "its time is not known"
            if process.peak_above_bytes is None or process.figures["retained_bytes"] is None:
                return "its memory is not known"
        return None


@dataclass
class Measured:
    """A run as measured; `hash` is of its plan and its samples, the same wherever the folder lies."""
    folder: str
    name: str
    suite: str
    plan_hash: str
    hash: str
    finished: bool
    plan: dict
    machine: dict
    cells: list

    @property
    def at_once(self):
        """Whether the rows of a round ran at the same time: their times are of all together."""
        return self.plan.get("together") is True

    def refuse_at_once(self):
        """For who looks at times of one row."""
        if self.at_once:
            raise RunError(f"{self.folder}: its rows ran at once, so that their times are of all together; what tells them apart is: "
                           f"tidemark compare {self.folder} --metric cpu")

    def host_name(self, host):
        """"CPython 3.11.2" of a real one, "" of our own object runtime."""
        if host == "objects":
            return ""
        python = (self.machine.get("python") or {}).get(host) or {}
        return words.plain(python.get("version") or host, 40)


def read(folder):
    """The Measured of a run folder. Raises RunError."""
    path, plan = run_folder.read_plan(folder)
    plan_bytes = read_bytes(path, MOST_BYTES)
    cells = [_read_cell(record, index, f"{path}: cell {index}") for index, record in enumerate(plan["cells"])]
    _shorten_rows(cells)
    samples = os.path.join(folder, "samples.jsonl")
    samples_bytes = read_bytes(samples, MOST_LINES_BYTES) if cells else b""  # one of micro-benchmarks alone has no such file
    seen = set()
    for where, record in read_lines(samples) if cells else ():
        index, process = get(record, "cell", int, where), _read_process(record, where)
        if not 0 <= index < len(cells):
            raise RunError(f"{where}: 'cell' is {index}, but plan.json has {len(cells)} cells")
        if (index, process.block) in seen:
            raise RunError(f"{where}: cell {index} has round {process.block[0]}, repeat {process.block[1]} twice")
        if len(cells[index].processes) == MOST_SAMPLES:
            raise RunError(f"{where}: the cell has more than {MOST_SAMPLES} samples")
        seen.add((index, process.block))
        cells[index].processes.append(process)
    machine = run_folder.read_machine(os.path.join(folder, "machine.json"))
    finished = machine.get("finished") is not None and not get_flag(machine, "interrupted", "machine.json")
    return Measured(folder, os.path.basename(os.path.abspath(folder)), get(plan, "suite", str, path, optional=True),
                    hashlib.sha256(plan_bytes).hexdigest(), _hash(plan_bytes, samples_bytes), finished,
                    plan, machine, cells)


def _hash(plan, samples):
    """A last line without its end, what an interrupted write leaves, is no sample."""
    whole = hashlib.sha256(b"%d\n" % len(plan) + plan)
    whole.update(samples[:samples.rfind(b"\n") + 1])
    return whole.hexdigest()


def _read_cell(record, index, where):
    workload, params, allocator, host, idle_ns, control, way = run_folder.read_key(record, where)
    reason = get(record, "not_available", str, where, optional=True) if "not_available" in record else None
    return MeasuredCell(index, workload, json.loads(params), allocator, allocator, host, idle_ns, way, control, reason)


def _shorten_rows(cells):
    """Rows with a path are called by its last part, where that tells them apart, as `tidemark show` does."""
    short = {cell.allocator: run_folder.FOLDER_OF_PATH.sub(r"\1", cell.allocator) for cell in cells}
    if len(set(short.values())) == len(short):
        for cell in cells:
            cell.row = short[cell.allocator]


def _read_process(record, where):
    status = get(record, "status", str, where)
    text = lambda name: get(record, name, str, where, optional=True) if name in record else None
    providers = get(record, "providers", dict, where, optional=True) if "providers" in record else None
    repeat = get(record, "repeat", int, where, least=0) if "repeat" in record else 0
    figures = dict.fromkeys(ALL_FIGURES)
    if status == "ok":
        figures.update((name, get(record, name, NUMBER, where, optional=True)) for name in ALL_FIGURES if name in record)
    return Process(get(record, "sample", int, where, least=0), (get(record, "round", int, where, least=0), repeat), status,
                   text("reason"), bool(get_flag(record, "dirty", where)), text("started") or "", text("version") or "",
                   (providers or {}).get("object") == OWN, figures)
