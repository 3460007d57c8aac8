"""The tracemalloc article's program on a real CPython: n objects with a hundred random bytes each, in lists.

The same phases as workloads/waste.c. It leaves out the tracing.

Started by `tidemark run --host PYTHON`, as waste.py n=500000 values=dropped idle_ns=500000000.
"""
import gc
import os
import sys

import tidemark_host

VALUES = ("dropped", "retained")
ROW = 100
RANDOM_BYTES = 100


class Waste(object):
    def __init__(self):
        self.data = os.urandom(RANDOM_BYTES)


def build(n):
    rows = []
    for made in tidemark_host.lazy_range((n + ROW - 1) // ROW):
        row = []
        for _ in tidemark_host.lazy_range(min(ROW, n - made * ROW)):
            row.append(Waste())
        rows.append(row)
    return rows


def rows_bytes(rows, n):
    waste = rows[0][0]
    each = tidemark_host.instance_bytes(waste, 1) + sys.getsizeof(waste.data)
    return sys.getsizeof(rows) + len(rows) * sys.getsizeof(rows[0]) + n * each


def play(host, values):
    host.begin("build")
    rows = build(values["n"])
    held = rows_bytes(rows, values["n"])
    host.begin("return", held)
    if values["values"] == "dropped":
        del rows
        held = 0
    host.begin("collect", held, freed=held == 0)
    gc.collect()
    host.idle(values["idle_ns"], held)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (500000, 1)}, {"values": VALUES})
