"""The third article's compression on a real CPython: n bytes that repeat a line, or are random, through zlib and back.

The same phases as workloads/compress.c. It leaves out streams.

Started by `tidemark run --host PYTHON`, as compress.py n=32000000 data=repetitive idle_ns=500000000.
"""
import os
import sys
import zlib

import tidemark_host

DATA = ("repetitive", "random")
LINE = b"the tide comes in and the tide goes out, and the sand is as was\n"


def play(host, values):
    n = values["n"]
    lines = max(1, n // len(LINE))
    host.begin("build")
    data = os.urandom(n) if values["data"] == "random" else LINE * lines
    host.begin("compress", sys.getsizeof(data))
    packed = zlib.compress(data)
    host.begin("del", sys.getsizeof(data) + sys.getsizeof(packed), freed=True)
    del data
    host.begin("decompress", sys.getsizeof(packed), freed=True)
    data = zlib.decompress(packed)
    host.begin("del_all", sys.getsizeof(data) + sys.getsizeof(packed), freed=True)
    del data, packed
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (32000000, 1)}, {"data": DATA})
