"""Many suspended tasks on a real CPython: n generators that have run to their first yield, finished or dropped as they are.

The same phases as workloads/async_tasks.c. It leaves out an event loop, and `async def`, which 2.7 has not: a coroutine is a
generator with another name, and its frame is as large.

Started by `tidemark run --host PYTHON`, as async_tasks.py n=200000 end=cancelled idle_ns=500000000.
"""
import gc
import sys

import tidemark_host

ENDS = ("cancelled", "finished")
FIRST_REQUEST = 1000000


def task(number):
    request = number + FIRST_REQUEST
    header = body = reply = error = None
    yield request
    reply = request
    yield reply


def start(n):
    tasks = []
    for number in tidemark_host.lazy_range(n):
        new = task(number)
        next(new)
        tasks.append(new)
    return tasks


def finish(tasks):
    for each in tasks:
        for _ in each:
            pass


def play(host, values):
    n, end = values["n"], values["end"]
    dead = tidemark_host.dead_ints_bytes(2 * n)
    ints = (n + max(0, n - tidemark_host.SMALL_INTS)) * tidemark_host.INT_BYTES
    host.begin("start")
    tasks = start(n)
    frame = tasks[0].gi_frame if sys.version_info < (3, 11) else None  # later it is part of the generator
    frames = n * sys.getsizeof(frame) if frame else 0
    held = sys.getsizeof(tasks) + n * sys.getsizeof(tasks[0])
    del frame
    if end == "finished":
        host.begin("run", held + ints + frames)
        finish(tasks)
        host.begin("del", held, held + dead, freed=True)
    else:
        host.begin("del", held + ints + frames)
    del tasks, held, ints, frames
    host.begin("collect", 0, dead, freed=True)
    gc.collect()
    host.idle(values["idle_ns"], freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (200000, 1)}, {"end": ENDS})
