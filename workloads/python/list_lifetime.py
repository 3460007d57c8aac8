"""The second article on a real CPython: `a = [i for i in range(n)]` and the ways in which its life may end.

The same phases as workloads/list_lifetime.c. It leaves out everything that would hold a reference of its own: the sizes are
plain numbers, taken while the list is alive.

Started by `tidemark run --host python3`, as list_lifetime.py n=10000000 how=del_collect idle_ns=500000000.
"""
import gc

import tidemark_host

HOWS = ("local", "global", "returned", "del_collect", "cycle", "cycle_collect")


def local(host, n):
    a = [i for i in range(n)]
    host.begin("return", tidemark_host.list_bytes(a, n))


def in_global(host, n):
    global a
    a = [i for i in range(n)]
    host.begin("return", tidemark_host.list_bytes(a, n))


def returned(host, n):
    a = [i for i in range(n)]
    host.begin("return", tidemark_host.list_bytes(a, n))
    return a


def del_collect(host, n):
    a = [i for i in range(n)]
    host.begin("del", tidemark_host.list_bytes(a, n))
    del a
    host.begin("collect", 0, freed=True)
    gc.collect()


def cycle(host, n):
    """Returns what the two lists hold, which nobody can reach any more."""
    a = [i for i in range(n)]
    b = [i for i in range(n)]
    a.append(b)
    b.append(a)
    held = tidemark_host.list_bytes(a, n) + tidemark_host.list_bytes(b, n)
    host.begin("del", held)
    return held


def play(host, how, n, idle_ns):
    host.begin("build")
    if how == "local":
        local(host, n)
        host.idle(idle_ns, freed=True)
    elif how == "global":
        in_global(host, n)
        host.idle(idle_ns, tidemark_host.list_bytes(a, n))
    elif how == "returned":
        kept = returned(host, n)
        host.idle(idle_ns, tidemark_host.list_bytes(kept, n))
    elif how == "del_collect":
        del_collect(host, n)
        host.idle(idle_ns)
    elif how == "cycle":
        host.idle(idle_ns, 0, cycle(host, n))
    else:
        held = cycle(host, n)
        host.begin("collect", 0, held)
        gc.collect()
        host.idle(idle_ns, freed=True)


def main():
    values = tidemark_host.read_arguments(
        {"n": "5000000", "how": "del_collect", "idle_ns": "0", "profile": "", "seed": ""})
    if values["how"] not in HOWS:
        tidemark_host.refuse("how='%s' is none of %s" % (values["how"], ", ".join(HOWS)))
    n = tidemark_host.read_count(values, "n", 1)
    idle_ns = tidemark_host.read_count(values, "idle_ns", 0)
    host = tidemark_host.Host()
    try:
        play(host, values["how"], n, idle_ns)
    except MemoryError:
        host.fail("Cannot allocate memory")
    host.finish()


if __name__ == "__main__":
    main()
