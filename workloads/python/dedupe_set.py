"""The third article's set on a real CPython: `unique = set(data)` of a list of n ints, of which few or all differ.

The same phases as workloads/dedupe_set.c. It leaves out the module level, and a range that is a list on 2.7.

Started by `tidemark run --host PYTHON`, as dedupe_set.py n=1000000 distinct=few idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

DISTINCTS = ("few", "all")
FEW_VALUES = 1000


def own_ints(n, distinct):
    """How many ints of a list of n, with values from 0 to distinct - 1 in turn, are not shared."""
    return n // distinct * max(0, distinct - tidemark_host.SMALL_INTS) + max(0, n % distinct - tidemark_host.SMALL_INTS)


def play(host, values):
    n = values["n"]
    distinct = FEW_VALUES if values["distinct"] == "few" else n
    own = own_ints(n, distinct)
    dead = tidemark_host.dead_ints_bytes(own + tidemark_host.SMALL_INTS)
    kept = own_ints(min(n, distinct), min(n, distinct)) * tidemark_host.INT_BYTES
    host.begin("build")
    data = [i % distinct for i in tidemark_host.lazy_range(n)]
    i = None  # on 2.7 the variable outlives the comprehension
    host.begin("dedupe", sys.getsizeof(data) + own * tidemark_host.INT_BYTES)
    unique = set(data)
    host.begin("del", sys.getsizeof(data) + sys.getsizeof(unique) + own * tidemark_host.INT_BYTES)
    del data, i
    host.begin("del_set", sys.getsizeof(unique) + kept, sys.getsizeof(unique) + max(kept, dead), freed=True)
    del unique
    host.begin("collect", 0, dead, freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (1000000, 1)}, {"distinct": DISTINCTS})
