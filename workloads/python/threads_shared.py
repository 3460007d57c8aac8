"""Threads under one lock on a real CPython: in turn each makes a list of strings and drops one that another made.

The same phases as workloads/threads_shared.c. It leaves out work outside of the lock.

Started by `tidemark run --host PYTHON`, as threads_shared.py n=8000000 threads=4 idle_ns=500000000.
"""
import gc
import string
import sys
import threading

import tidemark_host

THREADS = ("1", "2", "4", "8")
ROUNDS = 16
LENGTH = 50
TEXT = string.ascii_lowercase * 3


class Turns(object):
    """What the threads share. Each waits for a lock that the one before it releases, which allocates nothing."""

    def __init__(self, threads, n):
        self.turn = 0
        self.threads = threads
        self.n = n
        self.shared = [None] * threads
        self.failed = False
        self.locks = [threading.Lock() for _ in range(threads)]
        for lock in self.locks[1:]:
            lock.acquire()

    def strings(self):
        """The share of this turn: all turns together make n."""
        turns = self.threads * ROUNDS
        return self.n * (self.turn + 1) // turns - self.n * self.turn // turns

    def take(self, index, slot):
        self.locks[index].acquire()
        try:
            self.shared[slot] = make_strings(self.strings())
        except MemoryError:
            self.failed = True
        self.turn += 1
        self.locks[(index + 1) % self.threads].release()


def make_strings(strings):
    made = []
    for number in tidemark_host.lazy_range(strings):
        at = number % 26
        made.append(TEXT[at:at + LENGTH])
    return made


def work(turns, index):
    for done in range(ROUNDS):
        turns.take(index, (index + done) % turns.threads)


def run_threads(turns):
    workers = [threading.Thread(target=work, args=(turns, index)) for index in range(turns.threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if turns.failed:
        raise MemoryError


def shared_bytes(shared):
    return sum(sys.getsizeof(made) + sum(sys.getsizeof(text) for text in made[:1]) * len(made) for made in shared)


def play(host, values):
    turns = Turns(int(values["threads"]), values["n"])
    host.begin("run")
    run_threads(turns)
    host.begin("del", shared_bytes(turns.shared), freed=True)
    del turns.shared[:]
    host.begin("collect", freed=True)
    gc.collect()
    host.idle(values["idle_ns"])


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (8000000, 1)}, {"threads": THREADS})
