"""The third article's slice on a real CPython: `b = a[:]` of a list of n ints, or `b = a`.

The same phases as workloads/slice_copy.c. It leaves out the module level.

Started by `tidemark run --host PYTHON`, as slice_copy.py n=10000000 how=slice idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

HOWS = ("slice", "name")


def play(host, values):
    n, how = values["n"], values["how"]
    host.begin("build")
    a = tidemark_host.range_list(n)
    host.begin("copy", tidemark_host.list_bytes(a, n))
    b = a[:] if how == "slice" else a
    host.begin("del_copy", tidemark_host.list_bytes(a, n) + (sys.getsizeof(b) if how == "slice" else 0))
    del b
    host.begin("del", tidemark_host.list_bytes(a, n), freed=how == "slice")
    del a
    host.begin("collect", 0, tidemark_host.dead_ints_bytes(n), freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1)}, {"how": HOWS})
