"""
Reads what the report shows of each sample when a row of its table is opened: round, figures, canary, what became of it.
It leaves out curves and phases, which run_folder.py has. The fields are those of samples.jsonl in results/FORMAT.md.
"""
import os

import report_pack
import words
from checked import NUMBER, get, get_flag, read_lines

MB = 1e6
SECOND = 1e9
# (name in the page, field, scale)
FIGURES = (("time", "wall_ns", SECOND), ("peak", "peak_bytes", MB), ("kept", "retained_bytes", MB),
           ("back", "return_ratio", 1), ("live", "return_ratio_live", 1), ("since", "since_last_free_ns", SECOND))
PIECES = ("loop_ns", "latency_ns", "fault_ns")


def read_samples(run):
    """{index of a cell in plan.json: its samples in the order measured}, each as the page takes it. Raises RunError."""
    found = {}
    for where, record in read_lines(os.path.join(run.folder, "samples.jsonl")):
        found.setdefault(get(record, "cell", int, where), []).append(_read_sample(record, where))
    return found


def _read_sample(record, where):
    canary = get(record, "canary", dict, where, optional=True) if "canary" in record else None
    status = get(record, "status", str, where)
    reason = get(record, "reason", str, where, optional=True) if "reason" in record else None
    sample = {"n": get(record, "sample", int, where, least=0), "round": get(record, "round", int, where, least=0),
              "repeat": get(record, "repeat", int, where, least=0) if "repeat" in record else 0,
              "dirty": bool(get_flag(record, "dirty", where)), "status": words.plain(status, 20)}
    if reason:
        sample["reason"] = words.plain(reason, 300)
    if canary:
        sample["canary"] = [report_pack.short(get(canary, name, NUMBER, f"{where}: canary"), 4) for name in PIECES]
    if status == "ok":
        for name, field, scale in FIGURES:
            value = get(record, field, NUMBER, where, optional=True) if field in record else None
            sample[name] = None if value is None else report_pack.short(value / scale, 6)
    return sample
