"""The child's side of harness/page.h for a real CPython: phases on the shared page, parks on two pipes.

It leaves out the 'R' and 'T' parks (an interpreter cannot touch memory to order), the providers (the harness reads them from
the mappings) and the checksum. The idea: nothing but plain stores in a phase, so that the interpreter's own heap is what is seen.

A script hands its play() to run(), and play() calls begin() at each boundary with the sizes at that moment and idle() last.
For CPython 2.7 and from 3.6 on. Nothing here holds an int of its own in a phase: on 2.7 one live int keeps a block of them.
"""
import mmap
import os
import resource
import struct
import sys
import time

# struct page and struct page_phase of harness/page.h, layout 1. Native sizes, so that each field is one store.
PAGE_BYTES = 4096
PAGE_LAYOUT = 1
PAGE_PHASES = 16
PAGE_DONE = 1
PAGE_FAILED = 3
OBJECT_BYTES_AT = 0
LIVE_BYTES_AT = 8
FREES_AT = 24
PHASE_AT = 40
PARKED_AT = 44
LAYOUT_AT = 64
STATUS_AT = 68
PHASE_COUNT_AT = 72
VERSION_AT = 80
REASON_AT = 656
TEXT_BYTES = 192
PHASES_AT = 848
PHASE_FORMAT = struct.Struct("@24s11Q")
U32 = struct.Struct("@I")
U64 = struct.Struct("@Q")
START_FORMAT = struct.Struct("@6Q")  # what a phase began with: the time, and _counters()

SMALL_INTS = 257  # 0..256 are shared; a list of range(n) holds n - 257 ints of its own
INT_BYTES = sys.getsizeof(1 << 20)
SAME = object()  # in place of live bytes: as many as at the end of the phase before

if hasattr(time, "clock_gettime_ns"):
    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID = time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID
    clock_ns = time.clock_gettime_ns
elif hasattr(time, "clock_gettime"):  # 3.6
    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID = time.CLOCK_MONOTONIC, time.CLOCK_PROCESS_CPUTIME_ID

    def clock_ns(clock):
        return int(time.clock_gettime(clock) * 1e9)
else:  # 2.7
    import ctypes

    CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID = 1, 2  # linux/time.h

    class Timespec(ctypes.Structure):
        _fields_ = [("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long)]

    LIBC = ctypes.CDLL(None)
    NOW = Timespec()

    def clock_ns(clock):
        LIBC.clock_gettime(clock, ctypes.byref(NOW))
        return NOW.seconds * 1000000000 + NOW.nanoseconds


def refuse(problem):
    """A bad start: the message goes to stderr, the process ends with 2."""
    sys.stderr.write("%s: %s\n" % (os.path.basename(sys.argv[0]), problem))
    sys.exit(2)


def read_arguments(known):
    """name=value arguments as a dictionary; `known` holds the accepted names and their defaults."""
    values = dict(known)
    for argument in sys.argv[1:]:
        name, equals, value = argument.partition("=")
        if not equals or name not in known:
            refuse("no such parameter: '%s' (accepted: %s)" % (argument, " ".join(n + "=" for n in known)))
        values[name] = value
    return values


def read_count(values, name, minimum):
    """The whole number called `name`, at least `minimum`."""
    text = values[name]
    if not (text.isdigit() and int(text) >= minimum):
        refuse("%s='%s' is no whole number of at least %d" % (name, text, minimum))
    return int(text)


def list_bytes(numbers, n):
    """What a list of range(n) holds, itself included, as sys.getsizeof counts it. Costs the same for every n."""
    return sys.getsizeof(numbers) + max(0, n - SMALL_INTS) * INT_BYTES


def int_bytes(value):
    """What a reference to that int keeps alive."""
    return 0 if -5 <= value < SMALL_INTS else INT_BYTES


def instance_bytes(instance, names):
    """What an instance takes that has set so many attributes; on 3.x all of its class have set the same."""
    if sys.version_info >= (3, 11):
        room = names + 1  # Objects/dictobject.c, init_inline_values: values, and a byte each and two more before them
        return sys.getsizeof(instance) + (room + 2 + 7) // 8 * 8 + room * 8
    return sys.getsizeof(instance) + sys.getsizeof(instance.__dict__)


def dead_ints_bytes(n):
    """What the ints of range(n) leave behind when they die: on 2.7 the blocks that they stood in, 41 ints to 992 bytes."""
    return (max(0, n - SMALL_INTS) + 40) // 41 * 992 if sys.version_info[0] == 2 else 0


def range_list(n):
    """A new list of the ints from 0 to n - 1, its storage made once: what 2.7 calls range(n)."""
    return range(n) if sys.version_info[0] == 2 else list(range(n))


def lazy_range(n):
    """The ints from 0 to n - 1, one at a time."""
    return xrange(n) if sys.version_info[0] == 2 else range(n)  # noqa: F821


def run(play, counts, choices):
    """All that a script does: reads its arguments, calls play(host, values) and reports how that ended.

    `counts` holds the names of the whole numbers, each with its default and its least value, `choices` those of the choices,
    each with all that it may be, in the order of the workload in C; the harness names every one. `values` holds them all,
    and idle_ns.
    """
    known = {"idle_ns": "0", "profile": "", "seed": ""}
    known.update((name, str(default)) for name, (default, _) in counts.items())
    known.update((name, accepted[0]) for name, accepted in choices.items())
    values = read_arguments(known)
    for name, accepted in choices.items():
        if values[name] not in accepted:
            refuse("%s='%s' is none of %s" % (name, values[name], ", ".join(accepted)))
    for name, (_, least) in counts.items():
        values[name] = read_count(values, name, least)
    values["idle_ns"] = read_count(values, "idle_ns", 0)
    host = make_host()
    try:
        play(host, values)
    except MemoryError:
        host.fail("Cannot allocate memory")
    host.finish()


def make_host():
    """One that reports to the harness, or counts objects for `tidemark graph`."""
    if "TIDEMARK_GROWTH_FD" not in os.environ:
        return Host()
    import tidemark_growth  # here, so that no measured process has it

    return tidemark_growth.Growth()


def descriptor(name):
    text = os.environ.get(name, "")
    if not text.isdigit():
        refuse("%s is not set: this script is started by `tidemark run --host python3`" % name)
    return int(text)


class Host(object):
    """Reports phases. `object_bytes` and `live_bytes` are what the last begin() or idle() was told."""

    __slots__ = ("page", "park_fd", "go_fd", "count", "name", "start")

    def __init__(self):
        """Maps the page and waits at the baseline. Ends with 2 when not started by the harness."""
        page_fd = descriptor("TIDEMARK_PAGE_FD")
        self.park_fd = descriptor("TIDEMARK_PARK_FD")
        self.go_fd = descriptor("TIDEMARK_GO_FD")
        try:
            self.page = mmap.mmap(page_fd, PAGE_BYTES)
        except (OSError, ValueError) as error:
            refuse("TIDEMARK_PAGE_FD=%d cannot be mapped: %s" % (page_fd, error))
        if U32.unpack_from(self.page, LAYOUT_AT)[0] != PAGE_LAYOUT:
            refuse("the page has another layout than %d" % PAGE_LAYOUT)
        self.count = 0
        self.name = None
        self._text(VERSION_AT, "CPython %d.%d.%d" % sys.version_info[:3])
        self.start = bytearray(START_FORMAT.size)
        self._warm()
        self._park(b"B")

    def begin(self, name, object_bytes=0, live_bytes=None, freed=False):
        """Ends the phase before, if any, with these sizes at its end, and begins the one called `name`.

        `live_bytes` is the same as `object_bytes` unless given (SAME: as it was); `freed` says that the phase before gave
        memory back to an allocator.
        """
        if self.name is not None:
            self._end(object_bytes, live_bytes, freed)
            self._park(b"P")
        if self.count == PAGE_PHASES:
            raise ValueError("more than %d phases" % PAGE_PHASES)
        self.name = name
        struct.pack_into("@24s", self.page, PHASES_AT + self.count * PHASE_FORMAT.size, name.encode("ascii"))
        U32.pack_into(self.page, PHASE_AT, self.count + 1)
        self._start()

    def idle(self, idle_ns, object_bytes=0, live_bytes=None, freed=False):
        """Ends the phase before as begin() does, then waits in a phase called idle, unless idle_ns is 0."""
        if idle_ns > 0:
            self.begin("idle", object_bytes, live_bytes, freed)
            time.sleep(idle_ns / 1e9)
            freed = False
        self._end(object_bytes, live_bytes, freed)
        self._park(b"P")

    def finish(self):
        """The workload is through."""
        U32.pack_into(self.page, STATUS_AT, PAGE_DONE)

    def fail(self, reason):
        """The workload ended early; the process ends with 1."""
        self._text(REASON_AT, "the workload ended with: %s" % reason)
        U32.pack_into(self.page, STATUS_AT, PAGE_FAILED)
        sys.exit(1)

    def _warm(self):
        """Ends a phase that nobody sees, for what the first call makes and keeps: frames.

        On 2.7 they come from malloc. Made at the end of the first phase, they would lie above all that the program built,
        and keep the heap from being trimmed.
        """
        self.name = "start"
        self._start()
        self._end(0, None, False)
        self.count = 0
        U32.pack_into(self.page, PHASE_COUNT_AT, 0)

    def _start(self):
        counters = self._counters()
        START_FORMAT.pack_into(self.start, 0, clock_ns(CLOCK_MONOTONIC), *counters)

    def _end(self, object_bytes, live_bytes, freed):
        end_ns = clock_ns(CLOCK_MONOTONIC)
        now = self._counters()
        begin_ns, cpu_ns, minor, major, voluntary, involuntary = START_FORMAT.unpack_from(self.start, 0)
        page = self.page
        if live_bytes is None:
            live_bytes = object_bytes
        elif live_bytes is SAME:
            live_bytes = U64.unpack_from(page, LIVE_BYTES_AT)[0]
        if freed:
            U64.pack_into(page, FREES_AT, U64.unpack_from(page, FREES_AT)[0] + 1)
        U64.pack_into(page, OBJECT_BYTES_AT, object_bytes)
        U64.pack_into(page, LIVE_BYTES_AT, live_bytes)
        PHASE_FORMAT.pack_into(
            page, PHASES_AT + self.count * PHASE_FORMAT.size, self.name.encode("ascii"),
            begin_ns, end_ns, now[0] - cpu_ns, 0, now[1] - minor, now[2] - major, now[3] - voluntary,
            now[4] - involuntary, object_bytes, live_bytes, 1 if freed else 0)
        self.count += 1
        U32.pack_into(page, PHASE_COUNT_AT, self.count)
        self.name = None

    def _park(self, reason):
        U32.pack_into(self.page, PARKED_AT, 1)
        try:
            os.write(self.park_fd, reason)
            went_on = os.read(self.go_fd, 1)
        except OSError:
            went_on = b""
        if not went_on:  # the parent is gone: there is nothing left to report to
            os._exit(1)
        U32.pack_into(self.page, PARKED_AT, 0)

    def _text(self, at, text):
        self.page[at:at + TEXT_BYTES] = text.encode("utf-8")[:TEXT_BYTES - 1].ljust(TEXT_BYTES, b"\0")

    @staticmethod
    def _counters():
        usage = resource.getrusage(resource.RUSAGE_SELF)
        return (clock_ns(CLOCK_PROCESS_CPUTIME_ID), usage.ru_minflt, usage.ru_majflt,
                usage.ru_nvcsw, usage.ru_nivcsw)
