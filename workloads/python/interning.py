"""Interning on a real CPython: a list of n strings of 20 characters with a thousand values, interned or not.

The same phases as workloads/interning.c. It leaves out where such strings come from: each is cut out of one text.

Started by `tidemark run --host PYTHON`, as interning.py n=2000000 how=interned idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

HOWS = ("interned", "separate")
VALUES = 1000
LENGTH = 20

interned = sys.intern if hasattr(sys, "intern") else intern  # noqa: F821


def build(text, how, n):
    column = []
    for i in tidemark_host.lazy_range(n):
        at = i % VALUES * LENGTH
        word = text[at:at + LENGTH]
        column.append(interned(word) if how == "interned" else word)
    return column


def play(host, values):
    n, how = values["n"], values["how"]
    text = "".join("status-%013d" % value for value in range(VALUES))
    host.begin("build")
    column = build(text, how, n)
    words = min(n, VALUES) if how == "interned" else n
    host.begin("del", sys.getsizeof(column) + words * sys.getsizeof(column[0]))
    del column, words
    host.begin("collect", freed=True)
    gc.collect()
    host.idle(values["idle_ns"])


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (2000000, 1)}, {"how": HOWS})
