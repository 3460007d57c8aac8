"""
What one entry of Google Benchmark's JSON says of the time of an item: shared by what draws it (micro.py) and what compares it
(measured.py). It leaves out which entries are looked at.
"""
import math
import reprlib

from checked import NUMBER, RunError

SHORTEST_NS, LONGEST_NS = 1e-3, 1e12  # of an item: what is beyond is no time of one
UNIT_NS = {"ns": 1, "us": 1e3, "ms": 1e6, "s": 1e9}


def ns_per_item(entry, where):
    """By its rate of items where it has one, else its processor time, else the time on the wall. Raises RunError."""
    rate, time = entry.get("items_per_second"), entry.get("cpu_time", entry.get("real_time"))
    if isinstance(rate, NUMBER) and rate > 0:
        ns = 1e9 / rate if rate > 1e-9 else math.inf
    elif isinstance(time, NUMBER):
        ns = time * UNIT_NS.get(str(entry.get("time_unit")), 1)
    else:
        raise RunError(f"{where}: {reprlib.repr(entry.get('name'))} has neither items_per_second nor a time")
    if not SHORTEST_NS <= ns <= LONGEST_NS:
        raise RunError(f"{where}: {reprlib.repr(entry.get('name'))} takes {ns:g} ns, which is no time of an item")
    return ns
