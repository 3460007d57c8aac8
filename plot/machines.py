"""
Which part of a plan a run has, and on which machines it was measured: `shard` of plan.json, `shards` of machine.json
(results/FORMAT.md). It leaves out figures: an experiment is of one shard, and so of one machine, whatever is drawn of it.
"""
from dataclasses import dataclass, field

import words
from checked import NUMBER, RunError, get

MOST_SHARDS = 4096  # SHARDS_MOST of harness/shard.h


@dataclass
class Machine:
    """One that measured something; `record` is its machine.json, of the first of its `shards`."""
    name: str
    record: dict
    shards: list = field(default_factory=list)


@dataclass
class Shards:
    """`index` of a shard, None of a merged run; `count` of the plan; `machines` of a merged run, by number, and of each shard."""
    index: int
    count: int
    machines: dict = field(default_factory=dict)
    of_shard: dict = field(default_factory=dict)


def read_shards(plan, machine, folder):
    """The Shards of a run; None of one that measured its whole plan. Raises RunError."""
    if "shard" not in plan:
        return None
    where = f"{folder}/plan.json: shard"
    shard = get(plan, "shard", dict, f"{folder}/plan.json")
    count = get(shard, "count", int, where, least=1)
    if "merged" not in shard:
        return Shards(get(shard, "index", int, where, least=1), count)
    shards = Shards(None, count)
    where = f"{folder}/machine.json"
    records = get(machine, "shards", list, where)
    if len(records) > MOST_SHARDS:
        raise RunError(f"{where}: more than {MOST_SHARDS} shards")
    for index, record in enumerate(records):
        _add_record(shards, record, f"{where}: shards: object {index}")
    return shards


def _add_record(shards, record, where):
    if not isinstance(record, dict):
        raise RunError(f"{where}: it is no object")
    shard, number = get(record, "shard", int, where, least=1), get(record, "machine", int, where, optional=True, least=1)
    name = words.plain(get(record, "host_name", str, where))
    get(record, "memory_bytes", NUMBER, where, optional=True)
    if "warm_up" in record:
        warm_up = get(record, "warm_up", dict, where, optional=True) or {}
        for key in ("bytes", "first_ns_per_page", "again_ns_per_page") if warm_up else ():
            get(warm_up, key, NUMBER, where)
    if number is None:
        return  # it measured nothing
    if number not in shards.machines:
        taken = {one.name for one in shards.machines.values()}
        shards.machines[number] = Machine(f"{name} ({number})" if name in taken else name, record)
    shards.machines[number].shards.append(shard)
    shards.of_shard[shard] = shards.machines[number]


def several(run):
    """The machines of a run that was measured on more than one; else none."""
    machines = list(run.shards.machines.values()) if run.shards else []
    return machines if len(machines) > 1 else []


def name_of(shards, shard):
    """The machine of a shard, where a figure has to name it: in a run of several machines."""
    if not shards or len(shards.machines) < 2 or shard not in shards.of_shard:
        return ""
    return shards.of_shard[shard].name


def describe(machine):
    """"north (Intel Xeon, 2 cores, 7.8 GiB, Linux 6.1; shards 1 and 3)"""
    record = machine.record
    memory = record.get("memory_bytes")
    parts = [words.plain(record.get("cpu") or "unknown cpu", 80), f"{words.plain(record.get('cores') or '?')} cores",
             f"{memory / 2**30:.1f} GiB" if memory else "", words.plain(record.get("kernel") or "unknown kernel", 80)]
    which = words.listing(map(str, machine.shards)) if len(machine.shards) < 8 else f"{len(machine.shards)} of them"
    return f"{machine.name} ({', '.join(filter(None, parts))}; shard{'s' if len(machine.shards) > 1 else ''} {which})"


def say(run):
    """What the report says of it at its head; empty of a run that measured its whole plan."""
    if not run.shards:
        return ""
    if run.shards.index is not None:
        return (f"This is shard {run.shards.index} of {run.shards.count}: what other shards measure is n/a here. "
                "`tidemark merge` joins them.")
    machines = run.shards.machines.values()
    text = (f"Measured on {len(machines)} machine{'' if len(machines) == 1 else 's'}, and merged: "
            + "; ".join(map(describe, machines)) + ".")
    if len(machines) < 2:
        return text
    return text + (" All rows of an experiment are of one machine. Experiments are of other machines than each other where their "
                   "names say so: between these, times and amounts differ by machine too, so that ratios are what compares.")
