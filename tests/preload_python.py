"""What preload_test.py has a CPython do: collections, lists, dicts, threads, fork, processes, ctypes. Prints what came out,
then waits for the end of its standard input. Leaves out CPython's own tests, which preload_test.py runs where they are."""
import ctypes
import gc
import hashlib
import multiprocessing
import os
import random
import sys
import threading
import weakref


def say(name, value):
    print(name, value, flush=True)


def lists(seed):
    """Grows, sorts and cuts lists of strings of all sizes; returns a digest of what is left."""
    chance, kept = random.Random(seed), []
    for step in range(20_000):
        kept.append("x" * chance.randrange(900) + str(step))
        if len(kept) > 3_000:
            del kept[chance.randrange(1_500)::2]
    kept.sort()
    return hashlib.sha256("".join(kept).encode()).hexdigest()


def dicts():
    table = {("key", i): [i] * (i % 40) for i in range(60_000)}
    for i in range(0, 60_000, 3):
        del table["key", i]
    table.update({i: {i: str(i)} for i in range(20_000)})
    return len(table), sum(len(value) for value in table.values())


class Node:
    def __init__(self):
        self.other = None


def cycles():
    """Makes garbage that only the collector finds; returns how much of it is still there."""
    gc.collect()
    watched = []
    for _ in range(5_000):
        one, two = Node(), Node()
        one.other, two.other = two, one
        watched.append(weakref.ref(one))
    del one, two
    gc.collect()
    return sum(watch() is not None for watch in watched)


def threads():
    results = [None] * 8

    def work(i):
        results[i] = lists(i)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return hashlib.sha256("".join(results).encode()).hexdigest()


def forks():
    """Children of a process whose other threads allocate."""
    end = threading.Event()

    def churn():
        while not end.is_set():
            dict.fromkeys(range(500))

    workers = [threading.Thread(target=churn) for _ in range(3)]
    for worker in workers:
        worker.start()
    statuses = []
    for i in range(20):
        child = os.fork()
        if child == 0:
            os._exit(len([str(n) * 50 for n in range(1000 + i)]) % 100)
        statuses.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    end.set()
    for worker in workers:
        worker.join()
    return statuses


def processes():
    with multiprocessing.get_context("fork").Pool(3) as pool:
        return hashlib.sha256("".join(pool.map(lists, range(6))).encode()).hexdigest()


def foreign():
    """Blocks that C code makes and frees, through a callback."""
    libc = ctypes.CDLL(None)
    compare_type = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
    numbers = (ctypes.c_int * 5_000)(*(n * 7919 % 5_000 for n in range(5_000)))
    libc.qsort(numbers, len(numbers), ctypes.sizeof(ctypes.c_int), compare_type(lambda a, b: a[0] - b[0]))
    libc.strdup.restype = ctypes.c_void_p
    libc.free.argtypes = [ctypes.c_void_p]
    for i in range(5_000):
        libc.free(libc.strdup(b"y" * (i % 1_000)))
    return list(numbers) == list(range(5_000))


say("lists", lists(1))
say("dicts", dicts())
say("cycles left", cycles())
say("threads", threads())
say("forks", forks())
say("processes", processes())
say("foreign", foreign())
sys.stdin.read()
