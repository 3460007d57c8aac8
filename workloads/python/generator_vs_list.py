"""The third article's generator on a real CPython: sum() over a generator of n ints, or over a list of them.

The same phases as workloads/generator_vs_list.c. It leaves out the sum itself, an int that would live on, and a range
that is a list on 2.7.

Started by `tidemark run --host PYTHON`, as generator_vs_list.py n=5000000 numbers=generator idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

NUMBERS = ("generator", "list")


def play(host, values):
    n, kind = values["n"], values["numbers"]
    dead = tidemark_host.dead_ints_bytes(n) if kind == "list" else 0
    i = None
    host.begin("build")
    if kind == "generator":
        numbers = (i for i in tidemark_host.lazy_range(n))
        held = sys.getsizeof(numbers)
    else:
        numbers = [i for i in tidemark_host.lazy_range(n)]
        i = None  # on 2.7 the variable outlives the comprehension
        held = tidemark_host.list_bytes(numbers, n)
    host.begin("sum", held)
    sum(numbers)
    host.begin("del", held)
    del numbers, held, i
    host.begin("collect", 0, dead, freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1)}, {"numbers": NUMBERS})
