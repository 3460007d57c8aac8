#!/usr/bin/python3
"""
Promises of plot/ on censuses: what is read and refused, the numbers behind address maps and survivors, and the files drawn.
It leaves out looks. The censuses are synthetic, for tests only: blocks fill pools and arenas in a row and survive by chance.
Run from the repository root: /usr/bin/python3 tests/plot_census_test.py
"""
import gzip
import itertools
import json
import math
import os
import random
import re
import sys
import unittest

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import Folder, MB, cell, list_lifetime, make_run, png_size, read, run_report  # noqa: E402

import address_map  # noqa: E402
import census  # noqa: E402
import checked  # noqa: E402
import findings_census  # noqa: E402
import numpy  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import survivors  # noqa: E402
import words  # noqa: E402

GEOMETRY = {"2.7": (256 * 1024, 4096), "3.11": (1024 * 1024, 16384)}
HEADER = 48
KEEPS = (2, 5, 10, 20, 50, 100, 200, 500, 1000)
MOST_SVG_BYTES = 300_000


# --- a synthetic census ----------------------------------------------------------------------------------------------------

def arena_of(pools, profile, number):
    """An arena at a page of its own: pools of 4 KiB fit, of those of 16 KiB one is lost three times in four."""
    arena_bytes, _ = GEOMETRY[profile]
    base = 0x7f0000000000 + number * (2 * arena_bytes + 4096)
    return {"base": f"{base:#x}", "pools": [number for pool in pools for number in pool]}


def pools_of_arena(profile, number):
    arena_bytes, pool_bytes = GEOMETRY[profile]
    return arena_bytes // pool_bytes - (number * 4096 % pool_bytes != 0)


def phase_of(name, arenas, profile):
    """A phase whose figures and classes are those of its arenas."""
    arena_bytes, pool_bytes = GEOMETRY[profile]
    classes, allocated = {}, 0
    for arena in arenas:
        for block_bytes, in_use in zip(arena["pools"][::2], arena["pools"][1::2]):
            if block_bytes:
                counts = classes.setdefault(block_bytes, [0, 0, 0])
                for place, count in enumerate((1, in_use, (pool_bytes - HEADER) // block_bytes - in_use)):
                    counts[place] += count
                allocated += block_bytes * in_use
    names = ("pools", "blocks_in_use", "blocks_available")
    return {"name": name, "object_bytes": allocated, "live_bytes": allocated, "arenas": arenas,
            "classes": [{"block_bytes": size, **dict(zip(names, classes[size]))} for size in sorted(classes)],
            "figures": {"arena_bytes": arena_bytes, "pool_bytes": pool_bytes, "pool_header_bytes": HEADER,
                        "arenas_current": len(arenas), "allocated_bytes": allocated}}


def bulk_phases(n, size, keep, profile="3.11", seed=1):
    """`n` blocks in a row of pools and arenas; then each is kept with a chance of 1 in `keep`, all go if that is 0."""
    dice = random.Random(f"{seed} {size} {keep} {profile}")
    per_pool = (GEOMETRY[profile][1] - HEADER) // size
    before, after, left, number = [], [], n, 0
    while left:
        full, kept = [], []
        for _ in range(pools_of_arena(profile, number)):
            blocks = min(per_pool, left)
            left -= blocks
            survivors_ = sum(dice.random() * keep < 1 for _ in range(blocks)) if keep else 0
            full.append((size, blocks) if blocks else (0, 0))
            kept.append((size, survivors_) if survivors_ else (0, 0))
        before.append(arena_of(full, profile, number))
        if any(in_use for _, in_use in kept):
            after.append(arena_of(kept, profile, number))
        number += 1
    freed = phase_of("free", after, profile)
    return [phase_of("build", before, profile), freed, {**freed, "name": "idle"}]


def bulk(n, size, keep, allocator="pymalloc-3.11", idle_s=0.5):
    """A cell of bulk; its memory is made up, as only its census counts here."""
    phases = [("build", 0.1, 60.0, 60.0, 60.0), ("free", 0.05, 50.0, 1.0, 1.0), ("idle", idle_s, 50.0, 1.0, 1.0)]
    return cell("bulk", {"n": str(n), "size": str(size), "order": "random", "keep": str(keep)}, allocator, phases,
                idle_s=idle_s, rounds=1)


def put_census(folder, index, phases, version="3.11 geometry", **more):
    put_text(folder, index, json.dumps({"format": 1, "cell": index, "version": version, "phases": phases, **more}))


def put_text(folder, index, text):
    os.makedirs(os.path.join(folder, "census"), exist_ok=True)
    with gzip.open(os.path.join(folder, "census", f"{index:06d}.json.gz"), "wt", compresslevel=1) as file:
        file.write(text)


def survivors_run(folder, n=60_000, keeps=KEEPS, sizes=(32, 512), profiles=("2.7", "3.11")):
    """A run as the suite `survivors` makes it, smaller."""
    wanted = list(itertools.product(profiles, sizes, keeps))
    make_run(folder, [bulk(n, size, keep, f"pymalloc-{profile}") for profile, size, keep in wanted])
    for index, (profile, size, keep) in enumerate(wanted):
        put_census(folder, index, bulk_phases(n, size, keep, profile), f"{profile} geometry")
    return folder
