"""Survivors on a real CPython: of a list of n ints one in k is kept, `kept = a[::k]`, and the list goes.

The same phases as workloads/pinning.c. It leaves out the module level.

Started by `tidemark run --host PYTHON`, as pinning.py n=10000000 k=32130 idle_ns=500000000.
"""
import gc
import sys

import tidemark_host


def kept_ints(n, k):
    """How many of the ints 0, k, 2k, ... below n are not shared."""
    return max(0, (n - 1) // k - (tidemark_host.SMALL_INTS - 1) // k)


def pinned_bytes(n, k):
    """What the kept ints hold besides themselves: on 2.7 a block of 41 each, or where they lie closer, all blocks."""
    one = tidemark_host.dead_ints_bytes(tidemark_host.SMALL_INTS + 1)
    return min(kept_ints(n, k) * one, tidemark_host.dead_ints_bytes(n))


def play(host, values):
    n, k = values["n"], values["k"]
    ints, dead, pinned = kept_ints(n, k) * tidemark_host.INT_BYTES, tidemark_host.dead_ints_bytes(n), pinned_bytes(n, k)
    host.begin("build")
    a = tidemark_host.range_list(n)
    host.begin("keep", tidemark_host.list_bytes(a, n))
    kept = a[::k]
    host.begin("del", tidemark_host.list_bytes(a, n) + sys.getsizeof(kept))
    del a
    held = sys.getsizeof(kept) + ints
    host.begin("collect", held, sys.getsizeof(kept) + max(ints, dead), freed=True)
    gc.collect()
    host.begin("del_kept", held, sys.getsizeof(kept) + max(ints, pinned), freed=True)
    del kept, held
    host.idle(values["idle_ns"], 0, pinned, freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1), "k": (32130, 1)}, {})
