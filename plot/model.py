"""
What a run is made of, in memory: plain objects in MB (1,000,000 bytes) and seconds, resident memory above each baseline.
It leaves out files and units, which are run_folder.py's.
"""
import math
import statistics
from dataclasses import dataclass, field

import numpy

LONG_IDLE_S = 10  # idle times from here on are shown as what comes back while idle, apart from the comparisons


@dataclass(frozen=True)
class Way:
    """
    How memory is given back after the last free (docs/return.md); as it stands, what every run did before there were ways.
    `told`: a figure or a text has to name it, as its run has others, or as it is not that one.
    """
    mode: str = "stock"
    activity_s: float = 0.0
    rebuild: bool = False
    thp: str = "system"
    told: bool = field(default=False, compare=False)


@dataclass
class Figure:
    """A median over the samples of a cell; its 95 % interval, None below six samples."""
    median: float
    low: float = None
    high: float = None


@dataclass
class Phase:
    """
    A phase of one sample, or the medians of a cell; the amounts are those at its end, of `lazy_mb` and `uss_mb` (above that of the
    baseline) of a sample alone, None where nobody told.
    """
    name: str
    begin_s: float
    end_s: float
    wall_s: float
    resident_mb: float
    object_mb: float
    live_mb: float
    lazy_mb: float = None
    uss_mb: float = None


@dataclass
class Sample:
    """
    One process; the figures are None unless `status` is ok. A phase `rebuild`, after all that they speak of, is left out.
    `going` is the Going of given_back.py, None where it says nothing; `until_s` where that phase begins on the curve.
    """
    number: int
    status: str
    baseline_mb: float
    wall_s: float
    retained_mb: float
    phases: list
    going: object = None
    until_s: float = math.inf


@dataclass
class Cell:
    """
    One object of summary.json with its samples; `peak_mb` is absolute, a Figure is None when no sample has it; `index` is
    its place in plan.json; `machine` the name of that which it was measured on, in a run of several.
    """
    workload: str
    params: dict
    allocator: str
    host: str
    host_version: str
    idle_s: float
    version: str
    providers: dict
    status: str
    reason: str
    count: int
    samples: list
    wall_s: Figure = None
    peak_mb: Figure = None
    retained_mb: Figure = None
    return_ratio: Figure = None
    return_ratio_live: Figure = None
    since_last_free_s: Figure = None
    index: int = None
    way: Way = Way()
    machine: str = ""
    prices: object = None  # of given_back.py
    until: object = None   # an Until where further rounds were asked for

    @property
    def good(self):
        return [sample for sample in self.samples if sample.status == "ok"]

    @property
    def ran(self):
        return self.retained_mb is not None and bool(self.good)

    def median_phases(self):
        """The phases that all good samples have; every number the median over them."""
        names = ("begin_s", "end_s", "wall_s", "resident_mb", "object_mb", "live_mb")
        return [Phase(same[0].name, *(statistics.median(getattr(phase, name) for phase in same) for name in names))
                for same in zip(*(sample.phases for sample in self.good))]

    def representative(self):
        """The good sample whose retained memory is nearest to the median; the earliest of equals."""
        middle = self.retained_mb.median
        return min(self.good, key=lambda sample: (abs(sample.retained_mb - middle), sample.number))

    def given_back_while_idle_mb(self):
        """Median of resident memory at the start of the phase `idle`, less that at its end; None without one."""
        phases = self.median_phases()
        for before, phase in zip(phases, phases[1:]):
            if phase.name == "idle":
                return before.resident_mb - phase.resident_mb
        return None


@dataclass
class Until:
    """
    What came of rounds that were to narrow a cell's intervals: `widths`, half of each as a share of its median, by the word of
    --until-of, None without an interval; `cap`: "rounds" or "time", the bound at which it stopped before, None otherwise.
    """
    share: float
    reached: bool
    cap: str
    widths: dict


@dataclass
class Reading:
    """
    The canary before one sample: nanoseconds of a turn, a load and a page; `repeat` is 1 when it was taken once more; `shard`
    that of its cell, None of a run without shards.
    """
    number: int
    pieces: tuple
    dirty: bool
    repeat: int
    shard: int = None


@dataclass
class Control:
    """An A/A control: the cell, and ratios of its figures to those of the cell that it repeats; None where there is none."""
    cell: Cell
    pairs: int
    wall: Figure
    peak: Figure
    retained: Figure


@dataclass
class Experiment:
    """The cells that may be compared: equal in workload, parameters, idle time and way."""
    workload: str
    params: dict
    idle_s: float
    cells: list
    way: Way = Way()
    machine: str = ""  # in a run of several machines

    @property
    def long_idle(self):
        return self.idle_s >= LONG_IDLE_S

    @property
    def counts(self):
        """How many good samples its cells have, each number once; empty when nothing ran."""
        return sorted({cell.count for cell in self.cells if cell.ran})


@dataclass
class Curve:
    """Memory over time of one sample; `parked` is true while the child waited for the harness."""
    t_s: numpy.ndarray
    resident_mb: numpy.ndarray
    object_mb: numpy.ndarray
    live_mb: numpy.ndarray
    parked: numpy.ndarray


@dataclass
class Run:
    """
    `missing`: (workload, params, allocator, way) of planned cells that summary.json lacks; `micro`: what micro/ has, by file;
    `readings`: by sample, None of a version that took no canary; `censuses`: what census.py read, in the order of the cells;
    `pages`: what pages.py did; `ledgers`: what ledger.py did; `shards`: what machines.py did. Controls are in no experiment.
    """
    folder: str
    name: str
    suite: str
    tick_s: float
    machine: dict
    experiments: list
    missing: list
    micro: dict
    readings: list = None
    controls: list = field(default_factory=list)
    repeat_dirty: bool = False
    at_once: bool = False  # the rows of a round ran at the same time: their times are of all together
    censuses: list = field(default_factory=list)
    pages: list = field(default_factory=list)
    ledgers: list = field(default_factory=list)
    shards: object = None
