"""The third article's leak on a real CPython: n requests whose dicts a list of the module keeps, or none.

The same phases as workloads/global_leak.c. It leaves out what else a request would do.

Started by `tidemark run --host PYTHON`, as global_leak.py n=500000 seen=global idle_ns=500000000.
"""
import gc
import string
import sys

import tidemark_host

SEEN = ("global", "local")
TEXT_LENGTH = 100
TEXT = string.ascii_lowercase * 5

seen = []


def handle(number, where):
    requests = seen if where == "global" else []
    at = number % 26
    text = TEXT[at:at + TEXT_LENGTH]
    request = {"id": number, "text": text}
    requests.append(request)


def serve(n, where):
    for number in tidemark_host.lazy_range(n):
        handle(number, where)


def seen_bytes():
    if not seen:
        return sys.getsizeof(seen)
    each = sys.getsizeof(seen[0]) + sys.getsizeof(seen[0]["text"])
    return tidemark_host.list_bytes(seen, len(seen)) + len(seen) * each


def play(host, values):
    n, where = values["n"], values["seen"]
    dead = tidemark_host.dead_ints_bytes(n) if where == "global" else 0
    host.begin("serve")
    serve(n, where)
    host.begin("collect", seen_bytes(), freed=where == "local")
    gc.collect()
    host.begin("forget", seen_bytes())
    del seen[:]
    host.idle(values["idle_ns"], seen_bytes(), seen_bytes() + dead, freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (500000, 1)}, {"seen": SEEN})
