"""The first article on a real CPython: `for i in range(n): pass`, and what may follow it.

The same phases as workloads/del_collect.c. It leaves out the module level: a function's names hold what they name as long.

Started by `tidemark run --host PYTHON`, as del_collect.py n=10000000 way=del_collect source=range idle_ns=500000000.
"""
import gc

import tidemark_host

WAYS = ("pass", "del", "del_collect", "collect_without_del")
SOURCES = ("range", "xrange")


def loop_over_list(host, n):
    """Ends in the phase loop_end. Returns the loop variable."""
    numbers = tidemark_host.range_list(n)
    for i in numbers:
        pass
    host.begin("loop_end", tidemark_host.list_bytes(numbers, n))
    del numbers
    return i


def loop_lazily(host, n):
    """The same without the list: 2.7's xrange(n)."""
    for i in tidemark_host.lazy_range(n):
        pass
    host.begin("loop_end", tidemark_host.int_bytes(i))
    return i


def play(host, values):
    n, way, source = values["n"], values["way"], values["source"]
    host.begin("build")
    i = loop_over_list(host, n) if source == "range" else loop_lazily(host, n)
    held, freed = tidemark_host.int_bytes(i), source == "range"
    dead = tidemark_host.dead_ints_bytes(n) if source == "range" else 0
    if way in ("del", "del_collect"):
        host.begin("del", held, held + dead, freed)
        del i
        held, freed = 0, True
    if way in ("del_collect", "collect_without_del"):
        host.begin("collect", held, held + dead, freed)
        gc.collect()
        host.idle(values["idle_ns"], held, freed=True)
    else:
        host.idle(values["idle_ns"], held, held + dead, freed)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1)}, {"way": WAYS, "source": SOURCES})
