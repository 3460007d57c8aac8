"""The second article on a real CPython: `a = [i for i in range(n)]` and the ways in which its life may end.

The same phases as workloads/list_lifetime.c. It leaves out everything that would hold a reference of its own: the sizes are
plain numbers, taken while the list is alive.

Started by `tidemark run --host PYTHON`, as list_lifetime.py n=10000000 how=del_collect idle_ns=500000000.
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
    host.begin("collect", 0, tidemark_host.dead_ints_bytes(n), freed=True)
    gc.collect()


def cycle(host, n):
    a = [i for i in range(n)]
    b = [i for i in range(n)]
    a.append(b)
    b.append(a)
    host.begin("del", tidemark_host.list_bytes(a, n) + tidemark_host.list_bytes(b, n))


def play(host, values):
    n, how, idle_ns = values["n"], values["how"], values["idle_ns"]
    host.begin("build")
    if how == "local":
        local(host, n)
        host.idle(idle_ns, 0, tidemark_host.dead_ints_bytes(n), freed=True)
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
        cycle(host, n)
        host.idle(idle_ns, 0, tidemark_host.SAME)
    else:
        cycle(host, n)
        host.begin("collect", 0, tidemark_host.SAME)
        gc.collect()
        host.idle(idle_ns, freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (5000000, 1)}, {"how": HOWS})
