"""Reference cycles on a real CPython: two lists of n ints that hold each other, or n nodes in rings or chains of ten.

The same phases as workloads/cycles.c. It leaves out the module level, and what else a node would carry.

Started by `tidemark run --host PYTHON`, as cycles.py n=1000000 shape=two_lists idle_ns=500000000.
"""
import gc
import sys
import weakref

import tidemark_host

SHAPES = ("two_lists", "rings", "parents_strong", "parents_weak")
CHAIN = 10


class Node(object):
    pass


def nodes_bytes(heads, n, shape):
    """What the nodes take, with their attributes and the list of the first ones."""
    node = getattr(heads[0], "next", heads[0])
    weak = (n - len(heads)) * sys.getsizeof(node.parent) if shape == "parents_weak" and n > 1 else 0
    return sys.getsizeof(heads) + n * tidemark_host.instance_bytes(node, 1 if shape == "rings" else 2) + weak


def build_list(n):
    return [i for i in tidemark_host.lazy_range(n)]


def build_nodes(shape, n):
    """The first node of each chain."""
    heads = []
    for i in tidemark_host.lazy_range(n):
        node = Node()
        if i % CHAIN == 0:
            first = node
            heads.append(node)
        else:
            last.next = node
            if shape == "parents_strong":
                node.parent = last
            elif shape == "parents_weak":
                node.parent = weakref.ref(last)
        if shape == "rings":
            node.next = first
        last = node
    return heads


def play(host, values):
    n, shape, idle_ns = values["n"], values["shape"], values["idle_ns"]
    host.begin("build")
    if shape == "two_lists":
        a = build_list(n)
        b = build_list(n)
        a.append(b)
        b.append(a)
        host.begin("del", tidemark_host.list_bytes(a, n) + tidemark_host.list_bytes(b, n))
        del a, b
    else:
        heads = build_nodes(shape, n)
        host.begin("del", nodes_bytes(heads, n, shape))
        del heads
    if shape == "parents_weak":
        host.begin("collect", freed=True)
    else:
        host.begin("collect", 0, tidemark_host.SAME, freed=shape != "two_lists")
    gc.collect()
    host.idle(idle_ns, freed=True)


if __name__ == "__main__":
    tidemark_host.run(play, {"n": (1000000, 1)}, {"shape": SHAPES})
