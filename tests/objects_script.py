"""What a real CPython says of its objects: sizes, growth, memory and collections of a fixed script, as lines of numbers.

tests/objects_replay.c plays the same script over the object runtime and prints the same lines; tests/objects_test.py
compares. It leaves out every object that the script itself would add: loops go over ranges, and what is measured stands in
lists made before.
Runs on 2.7, 3.8, 3.11 and 3.13; a line that a version cannot give is not printed.
"""
from __future__ import print_function

import array
import collections
import gc
import sys
import weakref

try:
    import tracemalloc

    tracemalloc.start()  # now: what a class or all deques share is seen to go only if it was seen to be made
except ImportError:
    tracemalloc = None

SIZE = sys.getsizeof
PYTHON_2 = sys.version_info[0] == 2
NUMBERS = xrange if PYTHON_2 else range  # noqa: F821
LIVE = 2100  # objects of each kind whose memory is measured: more than any free list keeps
KEPT = 300000  # containers that are made under the collector's eye
# Calls before the measured ones: to 3.8 a code keeps its first frame, and 3.8 makes caches for one that ran 1024 times. On later
# versions each instance leaves its marks on those to come.
WARM = 1100 if sys.version_info < (3, 11) else 1


class Usual(object):
    pass


class Wide(object):
    """More attributes than the first table of names has room for."""


class Unlike(object):
    """Attributes in another order from instance to instance."""


class TwoSlots(object):
    __slots__ = ("a", "b")


class Weak(object):
    __slots__ = ("a", "__weakref__")


class Bare(object):
    __slots__ = ()


class Finalized(object):
    __slots__ = ("a",)

    def __del__(self):
        pass


SAVED = []


class Saved(object):
    __slots__ = ("a",)

    def __del__(self):
        SAVED.append(self)


def count_up(n, held):
    for i in NUMBERS(n):
        yield i


def seven(a, b, c, d):
    e = f = g = None
    yield (a, b, c, d, e, f, g)


def say(name, values):
    print(name, *values)


def growth(name, new, add, most):
    """The sizes of what `new` makes, with the number of items at which they change."""
    grown = new()
    size = SIZE(grown)
    steps = [0, size]
    for i in NUMBERS(most):
        add(grown, i)
        if SIZE(grown) != size:
            size = SIZE(grown)
            steps += [i + 1, size]
    say(name, steps)


def empty_dict():
    """Not by a call of dict, which makes a table at once on 3.8."""
    return {}


def set_item(mapping, i):
    mapping[i] = 0


def set_text(mapping, i):
    mapping["key %d" % i] = 0


def churn(mapping, i):
    """A key in, and the one two before it out."""
    mapping[i] = 0
    mapping.pop(i - 2, None)


def churn_set(members, i):
    members.add(i)
    members.discard(i - 3)


def queue(items, i):
    items.append(0)
    if i % 3 == 0:
        items.popleft()


def sizes():
    lengths = [2, 3, 4, 7, 8, 9, 15, 16, 100, 471, 472, 1000]
    say("float", [SIZE(1.5)])
    say("int", [SIZE(1), SIZE(1000), SIZE(2 ** 30 - 1)])
    say("bytes", [SIZE(b"x" * n) for n in lengths])
    say("str", [SIZE("x" * n) for n in lengths])
    if not PYTHON_2:
        say("latin1", [SIZE(u"\xe9" * n) for n in lengths])
        say("ucs2", [SIZE(u"\u1234" * n) for n in lengths])
        say("ucs4", [SIZE(u"\U00012345" * n) for n in lengths])
    say("tuple", [SIZE((None,) * n) for n in NUMBERS(40)])
    say("range", [SIZE(range(n) if PYTHON_2 else list(range(n))) for n in NUMBERS(40)])
    say("instances", [SIZE(Usual()), SIZE(TwoSlots()), SIZE(Weak()), SIZE(Bare())])
    say("weakref", [SIZE(weakref.ref(Usual))])
    bounded = collections.deque(maxlen=100)
    for i in NUMBERS(1000):
        bounded.append(None)
    say("maxlen", [SIZE(bounded)])


def all_growth():
    growth("list", list, list.append, 20000)
    growth("dict", empty_dict, set_item, 20000)
    growth("dict of strings", empty_dict, set_text, 20000)
    growth("dict churn", empty_dict, churn, 2000)
    growth("set", set, set.add, 20000)
    growth("set churn", set, churn_set, 2000)
    growth("deque", collections.deque, collections.deque.append, 2000)
    growth("deque left", collections.deque, collections.deque.appendleft, 2000)
    growth("queue", collections.deque, queue, 2000)


def set_order():
    members = set()
    for i in NUMBERS(300):
        members.add(i * i * 7919 % 10007)
    say("set order", list(members))
    for i in NUMBERS(0, 300, 3):
        members.discard(i * i * 7919 % 10007)
    for i in NUMBERS(20):
        members.add(i * 4096)
    say("set reuse", list(members))


def generators():
    """Locals, stack and size of each; the replay is told the first two."""
    for function, call in ((count_up, count_up(1, 2)), (seven, seven(1, 2, 3, 4))):
        code = function.__code__
        size = SIZE(call) + (SIZE(call.gi_frame) if sys.version_info < (3, 11) else 0)
        say("generator %d:%d" % (code.co_nlocals, code.co_stacksize), [size])


class Memory(object):
    """Bytes that the interpreter asked for and has not freed: after start, and at each mark, in an array made before."""

    def __init__(self):
        self.marks = array.array("q", [0] * 8)
        self.used = 0

    def begin(self):
        gc.collect()
        self.used = 0
        self.mark()  # warm: what it takes is taken before the first one counts
        self.used = 0
        self.mark()

    def mark(self):
        self.marks[self.used] = tracemalloc.get_traced_memory()[0]
        self.used += 1

    def end(self, name):
        marks = self.marks[:self.used]
        say("live " + name, [mark - marks[0] for mark in marks[1:]])


def make_float(held, i):
    held[i] = i + 0.5


def make_int(held, i):
    held[i] = 1000 + i


def make_tuple(held, i):
    held[i] = (held, None, None)


def make_list(held, i):
    made = []
    held[i] = made
    made.append(None)
    made.append(None)
    made.append(None)
    made.append(None)
    made.append(None)


KEYS = ["name of key %d" % i for i in range(9)]
OTHERS = [i * 1000 for i in range(40)]


def make_dict(held, i):
    made = {}
    held[i] = made
    for key in KEYS:
        made[key] = None


def make_small_dict(held, i):
    made = {}
    held[i] = made
    made[KEYS[0]] = None


def make_int_dict(held, i):
    made = {}
    held[i] = made
    for key in OTHERS:
        made[key] = None


def make_set(held, i):
    made = set()
    held[i] = made
    for key in OTHERS:
        made.add(key)


def make_deque(held, i):
    made = collections.deque()
    held[i] = made
    for key in OTHERS:
        made.append(key)
        made.append(key)


def make_usual(held, i):
    made = Usual()
    held[i] = made
    made.x = None
    made.y = None


def make_wide(held, i):
    made = Wide()
    held[i] = made
    made.a = None
    made.b = None
    made.c = None
    made.d = None
    made.e = None
    made.f = None
    made.g = None


def make_unlike(held, i):
    made = Unlike()
    held[i] = made
    if i % 3:
        made.x = None
        made.y = None
    else:
        made.y = None
        made.x = None
    made.z = None


def make_slots(held, i):
    held[i] = TwoSlots()


def make_generator(held, i):
    held[i] = count_up(None, None)


TARGET = Weak()


def ignore(reference):
    pass


def make_weakref(held, i):
    held[i] = weakref.ref(TARGET, ignore)


def live(name, make):
    """What LIVE objects take, what their free lists keep when they are dropped in order, and after a full collection."""
    memory = Memory()
    held = [None] * LIVE
    numbers = NUMBERS(LIVE)  # before: the call takes a tuple to 3.8
    for i in NUMBERS(WARM):
        make(held, 0)
        held[0] = None
    i = None
    memory.begin()
    for i in numbers:
        make(held, i)
    i = None  # an int of its own
    memory.mark()
    for i in numbers:
        held[i] = None
    i = None
    memory.mark()
    gc.collect()
    memory.mark()
    memory.end(name)


def all_live():
    gc.disable()
    for make in (make_int, make_float, make_tuple, make_list, make_small_dict, make_dict, make_int_dict, make_set,
                 make_deque, make_usual, make_wide, make_unlike, make_slots, make_generator, make_weakref):
        live(make.__name__[len("make_"):], make)
    tracemalloc.stop()
    gc.enable()


def garbage_list():
    made = []
    made.append(made)


def garbage_tuple():
    made = []
    made.append((made,))


def garbage_dict():
    made = {}
    made[1] = made


def garbage_deque():
    made = collections.deque()
    made.append(made)


def garbage_instance():
    made = Usual()
    made.x = made


def garbage_slots():
    made = TwoSlots()
    made.a = made


def garbage_finalizer():
    made = Finalized()
    made.a = made


def garbage_weakref():
    made = Weak()
    made.a = [made, weakref.ref(made, ignore), weakref.ref(made)]


def garbage_weak_list():
    """Two weak references without a way to them but the list, one with a callback on an object that lives."""
    made = [weakref.ref(TARGET, ignore), weakref.ref(TARGET)]
    made.append(made)


def garbage_generator():
    held = []
    made = count_up(10, held)
    held.append(made)
    next(made)


def garbage_unbegun():
    held = []
    made = count_up(10, held)
    held.append(made)


def found_saved():
    """One of two that hold each other saves itself; there is other garbage. Then nothing holds it any more."""
    gc.collect()
    made = Saved()
    made.a = [made]
    made = []
    made.append(made)
    made = None
    first = gc.collect()
    SAVED.pop()
    say("found saved", [first, gc.collect(), gc.collect()])


def found():
    """What gc.collect() returns for garbage of each kind, and how much of it is left as gc.garbage."""
    gc.disable()
    for make in (garbage_list, garbage_tuple, garbage_dict, garbage_deque, garbage_instance, garbage_slots,
                 garbage_finalizer, garbage_weakref, garbage_weak_list, garbage_generator, garbage_unbegun):
        gc.collect()
        make()
        say("found " + make.__name__[len("garbage_"):], [gc.collect(), len(gc.garbage)])
        for kept in gc.garbage:
            kept.a = None
        del gc.garbage[:]
    if not PYTHON_2:
        found_saved()
    gc.enable()


def keep_list(held, i):
    held[i] = []


def keep_tuple(held, i):
    held[i] = (i,)


def keep_dict_in_list(held, i):
    held[i] = [{}]


def drop_cycle(held, i):
    made = [None]
    made[0] = made


def counts(name, make):
    """The three counts at twenty points. Emptied first: 2.7's free lists of lists and dicts, which no collection clears."""
    held = [None] * KEPT
    found = [0] * 60
    spare = [[{}] for _ in NUMBERS(200)]
    numbers = NUMBERS(KEPT)  # before: the call takes a tuple to 3.8
    make(held, 0)
    gc.collect()
    for i in numbers:
        make(held, i)
        if i % (KEPT // 20) == 777:
            now = gc.get_count()
            at = i // (KEPT // 20) * 3
            found[at] = now[0]
            found[at + 1] = now[1]
            found[at + 2] = now[2]
            now = None
    del spare
    say("counts " + name, found)


def collections_of(name, make):
    """How often each generation was collected, and what was found."""
    held = [None] * KEPT
    numbers = NUMBERS(KEPT)
    before = gc.get_stats()
    gc.collect()
    for i in numbers:
        make(held, i)
    after = gc.get_stats()
    say("collections " + name, [after[i]["collections"] - before[i]["collections"] for i in range(3)] +
        [after[i]["collected"] - before[i]["collected"] for i in range(3)])


def collector():
    gc.collect()
    print("tracked", len(gc.get_objects()))
    for make in (keep_list, keep_tuple, keep_dict_in_list, drop_cycle):
        counts(make.__name__, make)
        if hasattr(gc, "get_stats"):
            collections_of(make.__name__, make)


def main():
    sizes()
    all_growth()
    set_order()
    generators()
    if tracemalloc and not PYTHON_2:
        all_live()
    found()
    collector()


if __name__ == "__main__":
    main()
