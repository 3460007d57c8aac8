"""Free lists under pressure on a real CPython: n objects of one type made and dropped twice, then n strings.

The same phases as workloads/free_list_pressure.c. It leaves out types whose free lists are like these.

Started by `tidemark run --host PYTHON`, as free_list_pressure.py n=1000000 kind=float idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

KINDS = ("float", "int", "tuple", "list", "dict")
OTHER_LENGTH = 7
TEXT = "pressure" * 4
ABOVE_SHARED = 1000


def make_floats(n):
    kept = []
    for number in tidemark_host.lazy_range(n):
        kept.append(float(number))
    return kept


def make_ints(n):
    kept = []
    for number in tidemark_host.lazy_range(n):
        kept.append(number + ABOVE_SHARED)
    return kept


def make_tuples(n):
    kept, zero = [], 0
    for _ in tidemark_host.lazy_range(n):
        kept.append((zero,))  # of a name: of constants it would be one tuple for all
    return kept


def make_lists(n):
    kept = []
    for _ in tidemark_host.lazy_range(n):
        kept.append([])
    return kept


def make_dicts(n):
    kept = []
    for _ in tidemark_host.lazy_range(n):
        kept.append({})
    return kept


def make_strings(n):
    kept = []
    for number in tidemark_host.lazy_range(n):
        at = number % 8
        kept.append(TEXT[at:at + OTHER_LENGTH])
    return kept


def kept_bytes(kept):
    return sys.getsizeof(kept) + len(kept) * sys.getsizeof(kept[0])


def play(host, values):
    n = values["n"]
    make = dict(zip(KINDS, (make_floats, make_ints, make_tuples, make_lists, make_dicts)))[values["kind"]]
    # On 2.7 floats lie in the same blocks as ints, but none is shared.
    own = n + tidemark_host.SMALL_INTS
    dead = tidemark_host.dead_ints_bytes(own) if values["kind"] in ("float", "int") else 0
    host.begin("build")
    kept = make(n)
    host.begin("drop", kept_bytes(kept))
    del kept
    host.begin("again", 0, dead, freed=True)
    kept = make(n)
    host.begin("drop_again", kept_bytes(kept))
    del kept
    host.begin("other", 0, dead, freed=True)
    kept = make_strings(n)
    host.begin("drop_other", kept_bytes(kept), kept_bytes(kept) + dead)
    del kept
    host.begin("collect", 0, dead, freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (1000000, 1)}, {"kind": KINDS})
