"""
Reads a run folder (results/FORMAT.md) into the objects of model.py; the one place where units change.
It leaves out what the figures mean. Odd input is a RunError that names the file and the line.
"""
import dataclasses
import json
import math
import os
import re
import reprlib

import numpy

import census
import given_back
import ledger
import machines
import pages
import words
from checked import MIB, NUMBER, RunError, decode, get, get_flag, read_json, read_lines, read_packed
from model import Cell, Control, Curve, Experiment, Figure, Phase, Reading, Run, Sample, Until, Way

MB = 1e6
SECOND = 1e9
PIECES = ("loop_ns", "latency_ns", "fault_ns")
COLUMNS = ("t_ns", "rss_bytes", "object_bytes", "live_bytes", "parked")
AMOUNT = re.compile(r"\d{1,20}", re.ASCII)  # of a curve: what 64 bits hold
FOLDER_OF_PATH = re.compile(r"(^|=|@)/[^+@]*/(?=[^+@/])")  # in a row: all but the last part of a library's path
MOST_CURVE_BYTES = 32 * MIB  # unpacked; 2**18 ticks of the longest numbers are 26 MB
MOST_TICKS = 2**18
MOST_CELLS = 4096            # PLAN_MOST_CELLS of harness/plan.h
MOST_PHASES = 16             # PAGE_PHASES of harness/page.h
MOST_PARKS = 64              # one at the end of each phase, and room
MOST_MICRO = 1000
MODES = ("stock", "idle", "eager", "purge", "pressure")
THPS = ("system", "on", "off")
UNTIL_WORDS = {"wall_ns": "time", "peak_bytes": "peak", "retained_bytes": "retained"}  # of --until-of


def read_run(folder):
    """All of a run but its curves. Raises RunError."""
    path, plan = read_plan(folder)
    planned = [read_key(cell, f"{path}: cell {index}") for index, cell in enumerate(plan["cells"])]
    machine = read_machine(os.path.join(folder, "machine.json"))
    shards = machines.read_shards(plan, machine, folder)
    of_cells = [_read_shard(cell, f"{path}: cell {index}") for index, cell in enumerate(plan["cells"])]
    samples, readings = _read_samples(os.path.join(folder, "samples.jsonl"), [key[6] for key in planned], of_cells)
    cells, controls, missing = _read_cells(os.path.join(folder, "summary.json"), planned, samples, machine)
    told = len({key[6] for key in planned}) > 1
    for cell in [*cells, *(control.cell for control in controls)]:
        cell.way = _tell(cell.way, told)
        cell.machine = machines.name_of(shards, of_cells[cell.index])
    missing = [(*key, _tell(way, told)) for *key, way in missing]
    return Run(folder, os.path.basename(os.path.abspath(folder)), get(plan, "suite", str, path, optional=True),
               get(plan, "tick_ns", NUMBER, path, least=0) / SECOND, machine, _group(cells), missing,
               _read_micro(os.path.join(folder, "micro")), readings, controls,
               bool(get_flag(plan, "repeat_dirty", path)), bool(get_flag(plan, "together", path)), census.read_censuses(folder, cells),
               pages.read_pages(folder, cells), ledger.read_ledgers(folder, cells), shards)


def read_curve(run, sample):
    """The curve of one good sample of the run, to the end of its last phase. Raises RunError."""
    path = os.path.join(run.folder, "curves", f"{sample.number:06d}.csv.gz")
    data = read_packed(path, MOST_CURVE_BYTES, f"missing, although sample {sample.number} is ok")
    t, rss, objects, live, parked = _read_columns(path, decode(data, path))
    # After the last phase the process ends; what its memory does then says nothing about the workload.
    last = numpy.flatnonzero(((parked == 1) & (t / SECOND < sample.until_s))
                             | (t / SECOND <= sample.phases[-1].end_s if sample.phases else True))
    upto = slice(0, (last[-1] if len(last) else len(t) - 1) + 1)
    return Curve((t / SECOND)[upto], (rss / MB - sample.baseline_mb)[upto], (objects / MB)[upto], (live / MB)[upto],
                 (parked == 1)[upto])


def _read_columns(path, text):
    """The columns of a curve as arrays, in the order of COLUMNS."""
    lines = text.removesuffix("\n").split("\n")
    header = lines[0].split(",")
    if any(name not in header for name in COLUMNS):
        raise RunError(f"{path}:1: columns {reprlib.repr(lines[0])}; wanted {', '.join(COLUMNS)}")
    if len(lines) > 1 + MOST_TICKS:
        raise RunError(f"{path}:{2 + MOST_TICKS}: more than {MOST_TICKS} lines after the header")
    if len(lines) == 1:
        raise RunError(f"{path}:2: no line after the header")
    places = [header.index(name) for name in COLUMNS]
    columns = _read_whole(text, len(header), len(lines) - 1)
    if columns is not None:
        columns = columns[places]
    else:
        columns = numpy.empty((len(COLUMNS), len(lines) - 1))
        for index, line in enumerate(lines[1:]):
            columns[:, index] = _read_tick(line, places, len(header), f"{path}:{index + 2}")
    # Each park is drawn: thousands of them would take an hour.
    parks = numpy.flatnonzero(numpy.diff(columns[-1] == 1, prepend=False))[::2]
    if len(parks) > MOST_PARKS:
        raise RunError(f"{path}:{parks[MOST_PARKS] + 2}: parked for the {MOST_PARKS + 1}th time; only phase ends are parked")
    return columns


def _read_whole(text, fields, lines):
    """
    All columns of a curve in which every line has so many amounts and none is blank, else None: the way of nearly every curve, and
    many times as fast as line by line.
    """
    body = text[text.index("\n") + 1:].removesuffix("\n")
    if not re.fullmatch(rf"(?:(?:\d{{1,20}},){{{fields - 1}}}\d{{1,20}}(?:\n|\Z))+", body, re.ASCII) or body.endswith("\n"):
        return None
    values = numpy.array(body.replace("\n", ",").split(","), dtype=float)
    return values.reshape(lines, fields).T


def _read_tick(line, places, wanted, where):
    """The amounts at these places of one line; what an interpreter does not tell may be blank."""
    fields = line.split(",")
    if len(fields) == wanted:
        values = [fields[place] for place in places]
        if all(AMOUNT.fullmatch(value) or (not value and place > 1) for place, value in enumerate(values)):
            return [float(value or "nan") for value in values]
    raise RunError(f"{where}: {reprlib.repr(line)} is not {wanted} numbers")


def _group(cells):
    groups = {}
    for cell in cells:
        key = (cell.workload, json.dumps(cell.params, sort_keys=True), cell.idle_s, cell.way)
        groups.setdefault(key, Experiment(cell.workload, cell.params, cell.idle_s, [], cell.way,
                                          cell.machine)).cells.append(cell)
    return list(groups.values())


def _tell(way, is_one_of_several):
    return dataclasses.replace(way, told=is_one_of_several or way != Way())


def read_plan(folder):
    """(path, record) of a run's plan, with as many cells as a plan may have. Raises RunError."""
    if not os.path.isdir(folder):
        raise RunError(f"{folder}: no such folder")
    path = os.path.join(folder, "plan.json")
    plan = read_json(path, dict)
    if get(plan, "format", NUMBER, path) != 1:
        raise RunError(f"{path}: format {reprlib.repr(plan['format'])}; this program reads format 1")
    if len(get(plan, "cells", list, path)) > MOST_CELLS:
        raise RunError(f"{path}: it has more than {MOST_CELLS} cells")
    return path, plan


def read_machine(path):
    """The record of the machine, any field of which may be missing."""
    machine = read_json(path, dict)
    for name, kind in (("memory_bytes", NUMBER), ("python", dict), ("warm_up", dict)):
        if name in machine:
            get(machine, name, kind, path, optional=True)
    for name in ("bytes", "first_ns_per_page", "again_ns_per_page") if machine.get("warm_up") else ():
        get(machine["warm_up"], name, NUMBER, path)
    for host in machine.get("python") or {}:
        get(machine["python"], host, dict, path)
    for name in ("tidemark", "git", "build_type", "sanitizer", "cpu", "kernel", "libc", "thp", "governor", "started",
                 "finished"):
        if name in machine:
            get(machine, name, str, path, optional=True)
    return machine


def read_key(record, where):
    """What tells one cell from another, as a hashable key."""
    for name in get(record, "params", dict, where):
        get(record["params"], name, str, f"{where}: params")
    return (get(record, "workload", str, where), json.dumps(record["params"]), get(record, "allocator", str, where),
            get(record, "host", str, where), get(record, "idle_ns", NUMBER, where, least=0),
            bool(get_flag(record, "control", where)), _read_way(record, where))


def _read_shard(record, where):
    return get(record, "shard", int, where, least=1) if "shard" in record else None


def _read_way(record, where):
    """How the cell gives back; what a run of an earlier version lacks is as it was then."""
    activity_ns = get(record, "activity_ns", int, where, least=0) if "activity_ns" in record else 0
    return Way(_read_choice(record, "return", MODES, where), activity_ns / SECOND, bool(get_flag(record, "rebuild", where)),
               _read_choice(record, "thp", THPS, where))


def _read_choice(record, name, choices, where):
    """record[name], one of the choices; the first where the field is absent."""
    text = get(record, name, str, where) if name in record else choices[0]
    if text not in choices:
        raise RunError(f"{where}: '{name}' is {reprlib.repr(text)}, wanted {', '.join(choices[:-1])} or {choices[-1]}")
    return text


def _read_samples(path, ways, shards):
    """The samples, by the index of their cell, each with its way; the canary before each, None where no sample has one."""
    cells = len(ways)
    samples = [[] for _ in range(cells)]
    readings = []
    for where, record in read_lines(path):
        cell = get(record, "cell", int, where)
        if not 0 <= cell < cells:
            raise RunError(f"{where}: 'cell' is {cell}, but plan.json has {cells} cells")
        samples[cell].append(_read_sample(record, ways[cell], where))
        if record.get("canary") is not None:
            readings.append(_read_reading(record, shards[cell], where))
    return samples, readings or None


def _read_reading(record, shard, where):
    canary = get(record, "canary", dict, where)
    return Reading(get(record, "sample", int, where), tuple(get(canary, name, NUMBER, f"{where}: canary") for name in PIECES),
                   bool(get_flag(record, "dirty", where)), get(record, "repeat", int, where), shard)


def _read_sample(record, way, where):
    number, status = get(record, "sample", int, where, least=0), get(record, "status", str, where)
    if status != "ok":
        return Sample(number, status, None, None, None, [])
    baseline_mb = get(record, "baseline_bytes", int, where, least=0) / MB
    if len(get(record, "phases", list, where)) > MOST_PHASES:
        raise RunError(f"{where}: it has more than {MOST_PHASES} phases")
    uss = get(record, "baseline_uss_bytes", int, where, optional=True, least=0) if "baseline_uss_bytes" in record else None
    uss_mb = None if uss is None else uss / MB
    phases = [_read_phase(phase, baseline_mb, uss_mb, f"{where}: phase {index}") for index, phase in enumerate(record["phases"])]
    until_s = math.inf
    if way.rebuild and len(phases) > 1 and phases[-1].name == "rebuild":
        until_s = phases.pop().begin_s
    return Sample(number, status, baseline_mb, get(record, "wall_ns", int, where, least=0) / SECOND,
                  get(record, "retained_bytes", int, where) / MB, phases, given_back.read_sample(record, phases, where),
                  until_s)


def _read_phase(record, baseline_mb, uss_baseline_mb, where):
    def known(name):
        value = get(record, name, int, where, optional=True, least=0)
        return math.nan if value is None else value / MB
    lazy, uss = (get(record, name, int, where, optional=True, least=0) if name in record else None
                 for name in ("lazyfree_bytes", "uss_bytes"))
    begin_s, end_s, wall_s = (get(record, name, int, where, least=0) / SECOND for name in ("begin_ns", "end_ns", "wall_ns"))
    resident_mb = get(record, "rss_bytes", int, where, least=0) / MB - baseline_mb
    return Phase(get(record, "name", str, where), begin_s, end_s, wall_s, resident_mb, known("object_bytes"),
                 known("live_bytes"), None if lazy is None else lazy / MB,
                 None if uss is None or uss_baseline_mb is None else uss / MB - uss_baseline_mb)


def _read_cells(path, planned, samples, machine):
    """The cells of summary.json, its controls, and the planned ones that it lacks."""
    left = list(enumerate(planned))
    cells, controls = [], []
    for index, record in enumerate(read_json(path, list)):
        where = f"{path}: object {index}"
        key = read_key(record, where)
        match = next((item for item in left if item[1] == key), None)
        if match is None:
            raise RunError(f"{where}: no such cell in plan.json, or once too often: {' '.join(map(reprlib.repr, key[:5]))}, "
                           f"return {words.way_short(key[6])}")
        left.remove(match)
        cell = _read_cell(record, samples[match[0]], machine, where)
        cell.index, cell.way = match[0], key[6]
        if key[5]:
            controls.append(_read_control(record, cell, where))
        else:
            cells.append(cell)
    _shorten_rows([*cells, *(control.cell for control in controls)])
    return cells, controls, [(key[0], json.loads(key[1]), key[2], key[6]) for _, key in left]


def _shorten_rows(cells):
    """Rows with a path are called by its last part, where that tells them apart, as `tidemark show` does."""
    short = {cell.allocator: FOLDER_OF_PATH.sub(r"\1", cell.allocator) for cell in cells}
    if len(set(short.values())) == len(short):
        for cell in cells:
            cell.allocator = short[cell.allocator]


def _read_cell(record, samples, machine, where):
    def figure(name, scale):
        return _read_figure(get(record, name, dict, where, optional=True), scale, f"{where}: {name}")
    host = record["host"]
    python = (machine.get("python") or {}).get(host) or {}
    known = lambda inner, name, scale: (_read_figure(get(inner, name, dict, where, optional=True), scale, f"{where}: {name}")
                                        if name in inner else None)
    cell = Cell(record["workload"], record["params"], record["allocator"], host,
                str(python.get("version") or host), record["idle_ns"] / SECOND,
                get(record, "version", str, where, optional=True) or "",
                get(record, "providers", dict, where, optional=True) or {}, get(record, "status", str, where),
                get(record, "reason", str, where, optional=True) or "", get(record, "samples", int, where), samples,
                wall_s=figure("wall_ns", SECOND), peak_mb=figure("peak_bytes", MB),
                retained_mb=figure("retained_bytes", MB), return_ratio=figure("return_ratio", 1),
                return_ratio_live=figure("return_ratio_live", 1), since_last_free_s=figure("since_last_free_ns", SECOND),
                prices=given_back.read_cell(record, known, where), until=_read_until(record, where))
    _check_between(cell.wall_s, [sample.wall_s for sample in cell.good], f"{where}: wall_ns")
    _check_between(cell.retained_mb, [sample.retained_mb for sample in cell.good], f"{where}: retained_bytes")
    return cell


def _read_until(record, where):
    """None of a cell that can get no further rounds, and of a run without."""
    if record.get("until") is None:
        return None
    until, where = get(record, "until", dict, where), f"{where}: until"
    cap = get(until, "cap", str, where, optional=True)
    if cap not in (None, "rounds", "time"):
        raise RunError(f"{where}: 'cap' is {reprlib.repr(cap)}, wanted rounds, time or null")
    widths = {word: get(until["half_widths"], name, NUMBER, f"{where}: half_widths", optional=True)
              for name, word in UNTIL_WORDS.items() if name in get(until, "half_widths", dict, where)}
    return Until(get(until, "share", NUMBER, where), bool(get_flag(until, "reached", where)), cap, widths)


def _check_between(figure, values, where):
    """A median and its interval lie among the samples, or the summary is of others: `tidemark plot` makes it anew."""
    if not figure or not values:
        return
    slack = 1e-9 * max(map(abs, values))  # a summary has 12 digits
    for value in (figure.median, figure.low, figure.high):
        if value is not None and not min(values) - slack <= value <= max(values) + slack:
            raise RunError(f"{where}: it is not between the values of its samples; `tidemark plot` makes it anew")


def _read_control(record, cell, where):
    noise = get(record, "noise_floor", dict, where)
    where += ": noise_floor"
    return Control(cell, get(noise, "pairs", int, where),
                   *(_read_figure(get(noise, name, dict, where, optional=True), 1, f"{where}: {name}")
                     for name in ("wall_ns", "peak_bytes", "retained_bytes")))


def _read_figure(record, scale, where):
    if record is None:
        return None
    low, high = (get(record, bound, NUMBER, where, optional=True) for bound in ("low", "high"))
    return Figure(get(record, "median", NUMBER, where) / scale, None if low is None else low / scale,
                  None if high is None else high / scale)


def _read_micro(folder):
    """Google Benchmark's own objects, by the name of their file; empty when there is no such folder."""
    if not os.path.isdir(folder):
        return {}
    names = sorted(name for name in os.listdir(folder) if name.endswith(".json"))
    if len(names) > MOST_MICRO:
        raise RunError(f"{folder}: more than {MOST_MICRO} files")
    return {name[:-len(".json")]: read_json(os.path.join(folder, name), dict) for name in names}
