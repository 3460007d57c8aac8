"""The third article's history on a real CPython: n ints appended to a deque with maxlen, to one without, or to a list.

The same phases as workloads/bounded_history.c. It leaves out the module level, and a range that is a list on 2.7.

Started by `tidemark run --host PYTHON`, as bounded_history.py n=5000000 history=bounded maxlen=1000 idle_ns=500000000.
"""
import collections
import gc
import sys

import tidemark_host

HISTORIES = ("bounded", "deque", "list")


def append_all(history, n):
    """A loop with a name of its own, so that the last int goes with it."""
    for i in tidemark_host.lazy_range(n):
        history.append(i)


def play(host, values):
    n, kind = values["n"], values["history"]
    kept = min(n, values["maxlen"]) if kind == "bounded" else n
    dead = tidemark_host.dead_ints_bytes(min(n, kept + tidemark_host.SMALL_INTS))
    own = min(kept, max(0, n - tidemark_host.SMALL_INTS)) * tidemark_host.INT_BYTES
    host.begin("append")
    if kind == "list":
        history = []
    else:
        history = collections.deque(maxlen=values["maxlen"] if kind == "bounded" else None)
    append_all(history, n)
    host.begin("clear", sys.getsizeof(history) + own)
    if kind == "list":
        del history[:]  # 2.7 has no list.clear()
    else:
        history.clear()
    host.begin("del", sys.getsizeof(history), sys.getsizeof(history) + dead, freed=True)
    del history
    host.begin("collect", 0, dead, freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1), "maxlen": (1000, 1)}, {"history": HISTORIES})
