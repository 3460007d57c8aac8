"""In place of Host of tidemark_host.py: counts objects by type at the end of each phase, and measures nothing.

It leaves out who refers to whom, and what no name leads to, which an interpreter does not tell. Counted is what
gc.get_objects() shows and all that leads on from there (gc.get_referents), but for the interpreter's own small ints, strings
of one character and the empty tuple, and for what was there before the first phase. After objgraph's show_growth().

`tidemark graph --growth --host python3` starts a script with TIDEMARK_GROWTH_FD, where the JSON goes.
"""
import gc
import os
import sys

START = "(start)"
SMALL_INTS = 257  # 0..256, and five below 0
NAMES = {"ReferenceType": "weakref"}  # what earlier versions call it, and objects in C


def is_shared(thing):
    """Whether the interpreter itself holds a reference to it."""
    kind = type(thing)
    if kind is int:
        return -5 <= thing < SMALL_INTS
    return kind in (str, bytes, tuple) and len(thing) <= (0 if kind is tuple else 1)


class Growth(object):
    """Takes the place of a Host: the sizes that a script tells are left alone."""

    def __init__(self):
        self.fd = int(os.environ["TIDEMARK_GROWTH_FD"])
        self.name = None
        self.texts = []  # of each phase, JSON already
        self.own = []  # what was there before the first phase, kept so that nothing new takes its address
        self.own_ids = set()

    def begin(self, name, object_bytes=0, live_bytes=None, freed=False):
        """Ends the phase before, if any, and begins the one called `name`."""
        if self.name is None:
            gc.collect()
            self.own = self._things()
            self.own_ids.update(map(id, self.own))
        self._end()
        self.name = name

    def idle(self, idle_ns, object_bytes=0, live_bytes=None, freed=False):
        """Ends the phase before; there is no phase idle."""
        self._end()

    def finish(self):
        """The workload is through: writes what was counted."""
        version = "CPython %d.%d.%d" % sys.version_info[:3]
        text = ('{"version": "%s", "phases": [%s]}' % (version, ", ".join(self.texts))).encode("ascii")
        while text:
            text = text[os.write(self.fd, text):]

    def fail(self, reason):
        """The workload ended early; the process ends with 1."""
        sys.stderr.write("%s: the workload ended with: %s\n" % (os.path.basename(sys.argv[0]), reason))
        sys.exit(1)

    def _end(self):
        """Counts: plain loops here and below, since what comprehensions make would be counted too."""
        things = self._things()
        counts, sizes, types = {}, {}, []
        for thing in things:
            if not is_shared(thing):
                name = type(thing).__name__
                name = NAMES.get(name, name)
                counts[name] = counts.get(name, 0) + 1
                sizes[name] = sizes.get(name, 0) + sys.getsizeof(thing)
        for name in sorted(counts):
            types.append('{"name": "%s", "count": %d, "bytes": %d}' % (name, counts[name], sizes[name]))
        self.texts.append('{"name": "%s", "objects": %d, "bytes": %d, "types": [%s]}' % (
            self.name or START, sum(counts.values()), sum(sizes.values()), ", ".join(types)))

    def _things(self):
        """All but what was there at the start, without a collection meanwhile, which would free what is to be counted."""
        was_enabled = gc.isenabled()
        gc.disable()
        try:
            return self._walk()
        finally:
            if was_enabled:
                gc.enable()

    def _walk(self):
        """From all that is tracked, and what was there at the start: a list of a module's may hold what is new.

        This object, what it keeps and the frames that run are no part of the program.
        """
        seen = set(self.own_ids)
        for mine in [self, self.__dict__, self.own, self.own_ids, self.texts, seen] + self.texts:
            seen.add(id(mine))
        frame = sys._getframe()
        while frame:
            seen.add(id(frame))
            frame = frame.f_back
        things = []
        seen.add(id(things))
        tracked = gc.get_objects()
        seen.add(id(tracked))
        for thing in tracked:
            if id(thing) not in seen:
                things.append(thing)
        seen.update(map(id, things))
        del tracked
        for thing in self.own:
            self._add_held(thing, things, seen)
        for thing in things:  # it grows
            self._add_held(thing, things, seen)
        return things

    @staticmethod
    def _add_held(thing, things, seen):
        for held in gc.get_referents(thing):
            if id(held) not in seen:
                seen.add(id(held))
                things.append(held)
