"""
Says in words what a run found. Numbers and verdicts are computed from the run; what it cannot answer is said to be absent.
It leaves out significance: with the six rounds of the quick suite none can be claimed (docs/method.md).
The questions are those of the articles on Python's memory that the workloads replay.
"""
from dataclasses import dataclass, field

import replay
import words

ALIKE, ALIKE_MB = 0.01, 1.0  # two amounts are alike within 1 % of the larger, or within 1 MB
MOST, LITTLE = 0.9, 0.1      # shares from which on memory "goes back", and up to which it "stays"
NOTHING = 0.01               # share below which no row is called the one that gave back most


@dataclass
class Section:
    """A question; what the run says to it, in paragraphs; the figures behind it, as a list."""
    anchor: str
    title: str
    paragraphs: list
    items: list = field(default_factory=list)
    absent: bool = False


def absent(anchor, title, what):
    return Section(anchor, title, [f"Not answered by this run: it has no {what}."], absent=True)


def alike(a, b):
    return abs(a - b) <= max(ALIKE_MB, ALIKE * max(abs(a), abs(b)))


def short_idle(run, workload):
    """The experiments of a workload but those of the long idle, if at least one of their cells ran."""
    return [experiment for experiment in run.experiments
            if experiment.workload == workload and not experiment.long_idle and experiment.counts]


def read_lifetimes(run):
    """Which row gives a dropped list back: one Section per experiment of list_lifetime."""
    title = "Who gives a dropped list back"
    experiments = short_idle(run, "list_lifetime")
    return [_lifetime(f"lifetime-{index}" if index else "lifetime", title, experiment)
            for index, experiment in enumerate(experiments)] or [absent("lifetime", title, "list_lifetime cells")]


def _lifetime(anchor, title, experiment):
    title += f" ({words.experiment(experiment)})"
    cells = [cell for cell in experiment.cells if cell.ran and cell.host == "objects" and cell.return_ratio]
    if not cells:
        return absent(anchor, title, "row with a share given back")
    cells.sort(key=lambda cell: -cell.return_ratio.median)
    best, worst = cells[0], cells[-1]
    text = f"{words.plain(best.allocator)} gave back most: {words.percent(best.return_ratio.median)} of what it could."
    if best.return_ratio.median < NOTHING:
        text = f"No row gave back as much as {words.percent(NOTHING)} of what it could."
    elif worst is not best:
        text += (f" {words.plain(worst.allocator)} gave back least: {words.percent(worst.return_ratio.median)}. "
                 + _say_first_two(*cells[:2]))
    return Section(anchor, title, [text], [_say_share(cell) for cell in cells])


def _say_share(cell):
    """A share needs the time since the last free beside it: some allocators give back by and by."""
    since = f", {words.duration(cell.since_last_free_s.median)} after the last free" if cell.since_last_free_s else ""
    return (f"{words.plain(cell.allocator)}: {words.percent(cell.return_ratio.median)}"
            f"{words.interval(cell.return_ratio, words.percent)}; keeps {words.memory(cell.retained_mb.median)}{since}; "
            f"n = {cell.count}.")


def _say_first_two(first, second):
    a, b = first.return_ratio, second.return_ratio
    if a.low is None or b.low is None:
        return "There are too few samples for intervals."
    verdict = "do not overlap" if a.low > b.high else "overlap"
    return (f"The 95 % intervals of the first two, {words.plain(first.allocator)} and {words.plain(second.allocator)}, "
            f"{verdict}.")


def read_replays(run):
    """How close the replay in C comes to the real CPython: one Section per pair of cells."""
    title = "Does the replay in C match the real CPython?"
    return [_replay(f"replay-{index}" if index else "replay", title, *pair)
            for index, pair in enumerate(replay.find_pairs(run))
            ] or [absent("replay", title, "row that finished both as a replay and in a real CPython")]


def _replay(anchor, title, experiment, ours, real):
    host = words.plain(real.host_version, 24)
    title += f" ({words.experiment(experiment)}, row {words.plain(ours.allocator)})"
    phases = replay.compare(ours, real)
    if not phases:
        return absent(anchor, title, f"phase that {host} and the replay share")
    apart, _, off, share = max(phases, key=lambda phase: abs(phase[0].resident_mb - phase[1].resident_mb))
    text = (f"Resident memory above baseline, medians at each phase's end. The two are furthest apart after "
            f"{words.plain(apart.name)}: {off} ({share}).")
    return Section(anchor, title, [text], [_say_phase(*phase, host) for phase in phases])


def _say_phase(a, b, off, share, host):
    return (f"{words.plain(a.name)}: replay {words.memory(a.resident_mb)}, {host} {words.memory(b.resident_mb)}, difference "
            f"{off} ({share}); the phase takes {words.duration(a.wall_s)} and {words.duration(b.wall_s)}.")


def read_idles(run):
    """Whether waiting brings memory back: one Section per experiment with a long idle."""
    title = "Does waiting help?"
    experiments = [experiment for experiment in run.experiments if experiment.long_idle and experiment.counts]
    return [_idle(f"idle-{index}" if index else "idle", title, experiment)
            for index, experiment in enumerate(experiments)
            ] or [absent("idle", title, "cells that stay idle for 10 s or more")]


def _idle(anchor, title, experiment):
    title += f" ({words.experiment(experiment)}, {words.duration(experiment.idle_s)} idle)"
    given = [(cell.given_back_while_idle_mb(), cell) for cell in experiment.cells if cell.ran]
    given = sorted(((mb, cell) for mb, cell in given if mb is not None), key=lambda pair: -pair[0])
    if not given:
        return absent(anchor, title, "phase called idle in these cells")
    most_mb, best = given[0]
    text = (f"No row gave back as much as {words.memory(ALIKE_MB)} while it waited." if most_mb < ALIKE_MB else
            f"{words.row(best)} gave back most while it waited: {words.memory(most_mb)}.")
    text += f" {words.samples(experiment.counts)}."
    items = [f"{words.row(cell)}: {words.memory(max(mb, 0))} given back while idle; keeps "
             f"{words.memory(cell.retained_mb.median)} at the end." for mb, cell in given]
    return Section(anchor, title, [text], items)


def read_troubles(run):
    """What did not run, or not always, with its reason; no Section when all went well."""
    items = [f"{words.row(cell)} in {words.experiment(experiment)}: {cell.status}"
             f"{', ' + words.plain(cell.reason, 300) if cell.reason else ''} ({cell.count} samples ok)."
             for experiment in run.experiments for cell in experiment.cells if cell.status != "ok" or not cell.ran]
    items += [words.with_way(f"{words.plain(row)} in {words.plain(workload)}: {words.parameters(params)}", way)
              + ": planned, but not in summary.json." for workload, params, row, way in run.missing]
    if not items:
        return []
    text = "These cells have no figure, or one from fewer samples."
    return [Section("not-run", "What did not run, or not always", [text], items)]


def read_articles(run):
    """What the articles said and this run did not reproduce: (claim, why, anchor of the data in this run or None)."""
    measured = any(cell.ran for experiment in short_idle(run, "del_collect") if experiment.params.get("way") == "del_collect"
                   for cell in experiment.cells)
    return [
        ("The figures from Windows.",
         "There is no Windows machine here. CPython on Windows takes its arenas with VirtualAlloc and the rest from the "
         "Windows heap: another allocator in both places. Not measured.", None),
        ("The machine with 2 GB of memory.",
         "What happened there was swapping and paging with too little memory, which this suite does not cause. Not measured.",
         None),
        ("“Only gc.collect() releases the memory.”",
         "True only of Python 2.7's free list of ints together with a malloc that trims its heap. From Python 3 on ints have "
         "no such list, and reference counting alone frees a list that is in no cycle. "
         + ("This run measured the 2.7 case over several mallocs:" if measured else "This run did not measure the 2.7 case."),
         "collect" if measured else None),
    ]
