"""
Reads what a run tells of memory that goes back: the moments after the last free of a sample, the times and prices of a cell.
It leaves out how that looks (returned.py). The fields are those of samples.jsonl and summary.json in results/FORMAT.md; a
run of a version before them has none.
"""
import statistics
from dataclasses import dataclass

from checked import NUMBER, RunError, get

MB = 1e6
SECOND = 1e9
MOMENTS_NS = (0, 10**8, 10**9, 10**10, 3 * 10**10)
LEAST_MB = 1.048576  # of what can go back, below which a share says nothing


@dataclass
class Moment:
    """Memory so long after the last free, above the baseline; `lazy_mb` of it was freed lazily, None where nobody told."""
    name: str
    after_s: float
    resident_mb: float
    lazy_mb: float


@dataclass
class Going:
    """Of one sample: what could go back, when the last free was on the clock of its phases, and what was left by and by."""
    peak_mb: float
    returnable_mb: float
    last_free_s: float
    moments: list

    def kept(self, resident_mb):
        """The share of what could go back that is still resident, 0 to 1; works on arrays too."""
        share = 1 - (self.peak_mb - resident_mb) / self.returnable_mb
        return share.clip(0, 1) if hasattr(share, "clip") else min(max(share, 0.0), 1.0)

    def lazy(self, lazy_mb):
        return min(lazy_mb / self.returnable_mb, 1.0)


@dataclass
class Reach:
    """When nine tenths had gone back: the median, None for not within the rest; how many of how many samples came to it."""
    median_s: float
    reached: int
    of: int


@dataclass
class Prices:
    """Of a cell, a Figure or None: the time over that of stock, what asking took, and building anew; a Reach or None."""
    beside_stock: object
    asking_s: object
    rebuild_s: object
    ninety: Reach


def read_sample(record, phases, where):
    """The Going of an ok sample, None where too little could go back to speak of shares. Raises RunError."""
    if "moments" not in record or "returnable_bytes" not in record:
        return None
    if len(get(record, "moments", list, where)) > len(MOMENTS_NS):
        raise RunError(f"{where}: it has more than {len(MOMENTS_NS)} moments")
    baseline = get(record, "baseline_bytes", int, where, least=0)
    moments = [_read_moment(moment, baseline, f"{where}: moment {index}") for index, moment in enumerate(record["moments"])]
    returnable = get(record, "returnable_bytes", NUMBER, where, optional=True)
    _check_order(moments, where)
    if returnable is None or returnable / MB < LEAST_MB or not moments or moments[0].after_s > 0:
        return None
    last_free_s = record["moments"][0]["at_ns"] / SECOND
    # Beside the moments the ends of what the harness did after the last free: the rest, and what was asked for.
    moments += [Moment(phase.name, phase.end_s - last_free_s, phase.resident_mb, phase.lazy_mb)
                for phase in phases if phase.end_s > last_free_s]
    peak = get(record, "peak_bytes", int, where, least=0)
    return Going((peak - baseline) / MB, returnable / MB, last_free_s, sorted(moments, key=lambda moment: moment.after_s))


def _read_moment(record, baseline, where):
    after, resident = get(record, "after_ns", int, where), get(record, "rss_bytes", int, where, least=0)
    get(record, "at_ns", int, where, least=0)
    if after not in MOMENTS_NS:
        raise RunError(f"{where}: 'after_ns' is {after}, wanted {', '.join(map(str, MOMENTS_NS[:-1]))} or {MOMENTS_NS[-1]}")
    lazy = get(record, "lazyfree_bytes", int, where, optional=True, least=0)
    return Moment(f"{after / SECOND:g} s", after / SECOND, (resident - baseline) / MB, None if lazy is None else lazy / MB)


def _check_order(moments, where):
    for before, moment in zip(moments, moments[1:]):
        if moment.after_s <= before.after_s:
            raise RunError(f"{where}: moments: {moment.name} comes after {before.name}")


def read_cell(record, read_figure, where):
    """The Prices of an object of summary.json; `read_figure(object, name, scale)` reads a Figure. Raises RunError."""
    beside = get(record, "beside_stock", dict, where, optional=True) if "beside_stock" in record else None
    return Prices(read_figure(beside, "wall_ns", 1) if beside else None, read_figure(record, "give_back_ns", SECOND),
                  read_figure(record, "rebuild_ns", SECOND), _read_reach(record, where))


def _read_reach(record, where):
    reach = get(record, "give_back_90_ns", dict, where, optional=True) if "give_back_90_ns" in record else None
    if reach is None:
        return None
    where += ": give_back_90_ns"
    median = get(reach, "median", NUMBER, where, optional=True, least=0)
    reached, of = (get(reach, name, int, where, least=0) for name in ("reached", "of"))
    if reached > of:
        raise RunError(f"{where}: 'reached' is {reached}, more than 'of', {of}")
    return Reach(None if median is None else median / SECOND, reached, of)


@dataclass
class Point:
    """Medians over the samples of a cell: so long after the last free this share is kept, and this freed lazily."""
    name: str
    after_s: float
    kept: float
    lazy: float


def points(cell):
    """The Points of a cell by time, those that all its samples have; empty where no share can be told."""
    known = [sample.going for sample in cell.good if sample.going]
    by_name = {}
    for going in known:
        for moment in going.moments:
            by_name.setdefault(moment.name, []).append((moment.after_s, going.kept(moment.resident_mb),
                                                        going.lazy(moment.lazy_mb or 0)))
    found = [Point(name, *map(statistics.median, zip(*values))) for name, values in by_name.items()
             if len(values) == len(known)]
    return sorted(found, key=lambda point: point.after_s)
