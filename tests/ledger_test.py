"""
The system-call ledger of a run, against what others say of the same child: strace call by call, the kernel's VmSize, an allocator
whose calls are known. It leaves out the trap in one process, which is ledger_trap_test.c's.
"""
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import unittest
from collections import Counter, defaultdict

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, not_run, refuse_seccomp, tidemark  # noqa: E402

QUIET = ("--warm-up", "0", "--no-repeats", "--no-control", "--rounds", "1", "--passes", "ledger")
LISTS = ("-w", "list_lifetime:n=20k", "--idle", "1ms")
THREADS = ("-w", "larson:n=100k,threads=3", "--idle", "1200ms")  # longer than jemalloc's background thread sleeps
WATCHED = ("mmap", "munmap", "mremap", "brk", "mprotect", "madvise", "process_madvise")
PAGE = os.sysconf("SC_PAGESIZE")
MIB = 1 << 20

# Serves blocks from a static arena. From the 1000th on, three allocations map 1 MiB each; two frees give two of them to MADV_FREE.
PLANTED = """
#define _GNU_SOURCE
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
static _Alignas(16) char arena[256 << 20];
static size_t used, mallocs, frees;
static void *maps[3];
static size_t *head_of(void *block) { return (size_t *)block - 2; }
static void *take(size_t bytes, size_t alignment)
{
    size_t at = (used + 16 + alignment - 1) / alignment * alignment;
    if (at > sizeof arena || bytes > sizeof arena - at)
        return NULL;
    if (++mallocs >= 1000 && mallocs < 1003)
        maps[mallocs - 1000] = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    used = at + bytes;
    *head_of(arena + at) = bytes;
    return arena + at;
}
void *malloc(size_t bytes) { return take(bytes, 16); }
void *aligned_alloc(size_t alignment, size_t bytes) { return take(bytes, alignment < 16 ? 16 : alignment); }
void *calloc(size_t count, size_t bytes) { return take(count * bytes, 16); }
size_t malloc_usable_size(void *block) { return *head_of(block); }
/* The loader would bind a free() called here to the first of the process. */
static void give(void *block)
{
    if (block && mallocs >= 1003 && frees < 2)
        madvise(maps[frees++], 1 << 20, MADV_FREE);
}
void free(void *block) { give(block); }
void *realloc(void *block, size_t bytes)
{
    void *other = take(bytes, 16);
    if (other && block)
        memcpy(other, block, *head_of(block) < bytes ? *head_of(block) : bytes);
    give(block);
    return other;
}
"""


class Ledger(Scratch):
    def run_into(self, *arguments, status=0, prefix=(), **options):
        ran = subprocess.run([*prefix, TIDEMARK, "run", "-o", self.folder(), *QUIET, *arguments], capture_output=True, text=True,
                             check=False, timeout=300, **options)
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran

    def path(self, cell):
        return self.folder("run/ledger/%06d.json.gz" % cell)

    def ledger(self, cell):
        with gzip.open(self.path(cell), "rt", encoding="utf-8") as file:
            return json.load(file)

    def cells(self):
        with open(self.folder("run/plan.json"), encoding="utf-8") as file:
            return json.load(file)["cells"]

    def show(self, *arguments, status=0):
        shown = tidemark("show", self.folder(), *arguments)
        self.assertEqual(shown.returncode, status, shown.stdout + shown.stderr)
        return shown


def totals_of(*arrays):
    """{(call, kind): [count, failed, bytes]} over arrays of a ledger."""
    totals = defaultdict(lambda: [0, 0, 0])
    for line in (line for array in arrays for line in array):
        for index, name in enumerate(("count", "failed", "bytes")):
            totals[line["call"], line["kind"]][index] += line[name]
    return dict(totals)


# --- What strace says. ---

LINE = re.compile(r"(\d+\.\d+) (\w+)\((.*)\)\s+= (\S+)(.*)")
TRAPPED = re.compile(r"si_code=SYS_SECCOMP.* si_syscall=__NR_(\w+)")


def pages(text):
    return -(-int(text, 0) // PAGE) * PAGE


def protection(text):
    return "".join(letter for letter, word in zip("rwx", ("PROT_READ", "PROT_WRITE", "PROT_EXEC")) if word in text) or "none"


def mapping_kind(arguments):
    """The kind of an mmap, from the names that strace gives its arguments."""
    flags = arguments[3].split("|")
    kind = [protection(arguments[2])]
    kind += ["file"] * ("MAP_ANONYMOUS" not in flags) + ["shared"] * ("MAP_PRIVATE" not in flags)
    return "+".join(kind + [name for name in ("fixed", "noreserve", "populate", "hugetlb", "stack", "locked")
                            if "MAP_" + name.upper() in flags])


class Break:
    """The program break, which strace tells only as it becomes."""
    def __init__(self):
        self.at = 0

    def move(self, asked, result):
        before, self.at = self.at, int(result, 16)
        if asked in ("NULL", "0"):
            return "query", 0, 0
        wanted = int(asked, 16)
        kind = "grow" if wanted > before else "shrink" if wanted < before else "query"
        return kind, int(self.at != wanted), abs(self.at - before)


def describe(call, arguments, result, program_break):
    """(kind, failed, bytes) of a call as strace prints it."""
    if call == "brk":
        return program_break.move(arguments[0], result)
    failed = result == "-1"
    if call == "mmap":
        kind, size = mapping_kind(arguments), arguments[1]
    elif call == "munmap":
        kind, size = "", arguments[1]
    elif call == "mremap":
        old, size = arguments[1:3]
        kind = "grow" if pages(size) > pages(old) else "shrink" if pages(size) < pages(old) else "same"
        kind += "+moved" * (not failed and result != arguments[0])
    else:
        kind, size = protection(arguments[2]) if call == "mprotect" else arguments[2], arguments[1]
    return kind, int(failed), 0 if failed else pages(size)


def read_thread(path):
    """[(time, call, arguments, result)] without those that were trapped: the kernel did not run them."""
    events = []
    with open(path, encoding="utf-8") as file:
        for line in file:
            found = LINE.match(line)
            if found:
                events.append((float(found[1]), found[2], found[3].split(", "), found[4]))
            trapped = TRAPPED.search(line)
            if trapped and trapped[1] in WATCHED:
                events.pop()
    return events


def read_child(folder):
    """The events of all threads of the one child that was watched, in the order of time, from its filter on."""
    names = [name for name in os.listdir(folder)
             if any(event[1] == "seccomp" for event in read_thread(os.path.join(folder, name)))]
    if len(names) != 1:
        raise AssertionError("%d processes have a filter, wanted one" % len(names))
    events, left = [], [names[0].rpartition(".")[2]]
    while left:
        found = read_thread(os.path.join(folder, "trace." + left.pop()))
        left += [event[3] for event in found if event[1] in ("clone", "clone3")]
        events += found
    events.sort(key=lambda event: event[0])
    begun = next(index for index, event in enumerate(events) if event[1] == "seccomp")
    heap = [event for event in events[:begun] if event[1] == "brk"]
    return heap[-1][3], events[begun + 1:]


def windows_of(folder):
    """Totals as of totals_of() up to the baseline, then of each phase with what came before it."""
    heap, events = read_child(folder)
    program_break = Break()
    program_break.at = int(heap, 16)
    windows = [defaultdict(lambda: [0, 0, 0])]
    for _, call, arguments, result in events:
        if call == "write" and arguments[0] == "4" and arguments[1] in ('"B"', '"P"'):
            windows.append(defaultdict(lambda: [0, 0, 0]))
        # What the child times first is advice on no bytes.
        elif call in WATCHED and not (call == "madvise" and arguments[:3] == ["NULL", "0", "MADV_NORMAL"]):
            kind, failed, size = describe(call, arguments, result, program_break)
            total = windows[-1][call, kind]
            total[0] += 1
            total[1] += failed
            total[2] += size
    return [dict(window) for window in windows[:-1]]  # after the last phase nobody counts


class Strace(Ledger):
    def trace(self, *arguments):
        if not shutil.which("strace"):
            not_run(self, "strace is missing (Debian package strace)")
        if subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, check=False).returncode != 0:
            not_run(self, "strace may not trace here")
        folder = self.folder("trace")
        os.mkdir(folder)
        calls = ",".join((*WATCHED, "seccomp", "write", "clone", "clone3"))
        self.run_into(*arguments, prefix=("strace", "-ff", "-ttt", "-s", "1", "-qq", "-e", "trace=" + calls, "-o",
                                          os.path.join(folder, "trace")))
        return windows_of(folder)

    def phase_by_phase(self, row):
        windows = self.trace(*LISTS, "-a", row)
        ledger = self.ledger(0)
        phases = ledger["phases"]
        told = [totals_of(ledger["opening"], phases[0]["before"]), totals_of(phases[0]["calls"])]
        told += [totals_of(phase["before"], phase["calls"]) for phase in phases[1:]]
        self.assertEqual([phase["name"] for phase in phases], ["build", "del", "collect", "idle"])
        self.assertEqual(told, windows)
        return told

    def test_it_sees_the_same_calls_of_glibc_in_each_phase(self):
        told = self.phase_by_phase("glibc")
        self.assertGreater(told[1]["brk", "grow"][0], 3)
        self.assertIn(("munmap", ""), told[2])

    def test_it_sees_the_same_calls_of_pools_over_jemalloc(self):
        self.phase_by_phase("pymalloc@jemalloc")

    def test_it_sees_the_same_calls_of_mimalloc(self):
        self.phase_by_phase("mimalloc")

    def test_it_sees_the_same_calls_of_tcmalloc(self):
        self.phase_by_phase("tcmalloc")

    def threads_together(self, row):
        """Threads run across the borders of phases, so that only their sum is exact."""
        traced = Counter()
        for window in self.trace(*THREADS, "-a", row):
            for key, total in window.items():
                traced.update({(*key, index): value for index, value in enumerate(total)})
        ledger = self.ledger(0)
        told = totals_of(ledger["opening"], *(phase[part] for phase in ledger["phases"] for part in ("before", "calls")))
        self.assertEqual({(*key, index): value for key, total in told.items() for index, value in enumerate(total)}, dict(traced))

    def test_it_sees_every_call_of_every_thread(self):
        self.threads_together("glibc")

    def test_it_sees_the_calls_of_a_background_thread_that_blocks_every_signal(self):
        self.threads_together("jemalloc+background_thread:true")


class Known(Ledger):
    def test_a_planted_allocator_is_told_call_by_call(self):
        library = self.folder("planted.so")
        subprocess.run(["cc", "-O1", "-fno-builtin", "-shared", "-fPIC", "-o", library, "-x", "c", "-"], input=PLANTED, text=True,
                       check=True)
        self.run_into(*LISTS, "-a", library)
        phases = self.ledger(0)["phases"]
        told = totals_of(*(phase[part] for phase in phases for part in ("before", "calls")))
        self.assertEqual(told, {("mmap", "rw"): [3, 0, 3 * MIB], ("madvise", "MADV_FREE"): [2, 0, 2 * MIB]})
        self.assertEqual(phases[0]["mapped_end_bytes"] - phases[0]["mapped_begin_bytes"], 3 * MIB)

    def test_the_calls_come_to_what_the_kernel_says_is_mapped(self):
        rows = ("glibc", "jemalloc", "jemalloc+background_thread:true", "mimalloc", "tcmalloc", "tbb", "pymalloc",
                "pymalloc@jemalloc")
        self.run_into("-w", "list_lifetime:n=100k", "-w", "larson:n=200k,threads=2", "-w", "realloc_grow", "-w", "compiler_phases",
                      "--idle", "10ms", *(word for row in rows for word in ("-a", row)))
        compared, mapped = 0, Counter()
        for index, cell in enumerate(self.cells()):
            if cell["not_available"] is not None:
                continue
            for phase in self.ledger(index)["phases"]:
                with self.subTest(cell["workload"], row=cell["allocator"], phase=phase["name"]):
                    net = sum(line["net_bytes"] for line in phase["calls"])
                    self.assertEqual(net, phase["mapped_end_bytes"] - phase["mapped_begin_bytes"])
                    compared += 1
                    mapped[cell["allocator"]] += abs(net)
        self.assertGreater(compared, 60)
        for row in ("glibc", "jemalloc", "tcmalloc", "tbb", "pymalloc"):
            self.assertGreater(mapped[row], MIB, row)

    def test_times_are_of_the_calls_and_within_their_phases(self):
        self.run_into("-w", "malloc_large:n=60", "--idle", "1ms", "-a", "glibc")
        ledger = self.ledger(0)
        self.assertLess(ledger["clock_ns"], ledger["empty_call_ns"])
        self.assertLess(ledger["empty_call_ns"], ledger["trapped_call_ns"])
        self.assertLess(ledger["trapped_call_ns"], 1e6)
        for line in (line for phase in ledger["phases"] for line in phase["calls"]):
            self.assertGreaterEqual(line["time_ns"], line["longest_ns"])
            self.assertGreaterEqual(line["longest_ns"] * line["count"], line["time_ns"])
        unmapped = [line for phase in ledger["phases"] for line in phase["calls"] if line["call"] == "munmap"]
        # Blocks of 5 to 25 MiB that were written: each munmap frees thousands of pages, at more than a nanosecond each.
        self.assertGreater(sum(line["time_ns"] for line in unmapped), sum(line["bytes"] for line in unmapped) / PAGE)

    def test_a_kernel_that_refuses_is_named_and_the_run_is_none_the_worse(self):
        ran = self.run_into(*LISTS, "-a", "glibc", preexec_fn=refuse_seccomp)
        self.assertRegex(ran.stderr, "ledger of list_lifetime.*n/a: the kernel takes no seccomp filter: Operation not permitted")
        self.assertFalse(os.path.exists(self.path(0)))
        self.assertIn("tidemark run --resume", self.show("--syscalls", status=1).stderr)


class Show(Ledger):
    def test_the_table_has_each_call_of_each_phase(self):
        self.run_into(*LISTS, "-a", "glibc", "-a", "pymalloc@jemalloc")
        shown = self.show("--syscalls").stdout
        for line in (line for phase in self.ledger(0)["phases"] for line in phase["calls"]):
            self.assertRegex(shown, r"\n +%s %s +%d " % (line["call"], re.escape(line["kind"]), line["count"]))
        for phase in self.ledger(1)["phases"]:
            self.assertRegex(shown, r"\n    %s +all +%d " % (phase["name"], sum(line["count"] for line in phase["calls"])))
        self.assertNotIn("the kernel's figure", shown)
        cells = json.loads(self.show("--syscalls", "--json").stdout)
        self.assertEqual([cell["allocator"] for cell in cells], ["glibc", "pymalloc@jemalloc"])
        self.assertEqual([cell["ledger"] for cell in cells], [self.ledger(0), self.ledger(1)])

    def test_a_difference_to_the_kernel_is_told(self):
        self.run_into(*LISTS, "-a", "glibc")
        ledger = self.ledger(0)
        ledger["phases"][1]["mapped_end_bytes"] += 7 * MIB
        self.put(ledger)
        self.assertRegex(self.show("--syscalls").stdout, r"the kernel's figure for this phase is \+\d\.\d MB")

    def test_a_run_without_says_why(self):
        ran = tidemark("run", "-o", self.folder(), *QUIET[:-2], *LISTS, "-a", "glibc", "--passes", "none")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("no system calls: the run was made without: tidemark run --passes ledger",
                      self.show("--syscalls", status=1).stderr)
        both = tidemark("show", self.folder(), "--syscalls", "--phases")
        self.assertEqual((both.returncode, both.stdout), (2, ""))

    def put(self, ledger):
        with gzip.open(self.path(0), "wt", encoding="utf-8") as file:
            json.dump(ledger, file)

    def test_a_hostile_file_is_refused_with_its_field(self):
        self.run_into(*LISTS, "-a", "glibc")
        good = json.dumps(self.ledger(0))
        calls = "phases[0].calls[0]."
        for change, told in ((lambda l: l.update(format=2), "format: this program reads 1"),
                             (lambda l: l.update(cell=1), "cell: it is another cell's"),
                             (lambda l: l.update(clock_ns="1"), "clock_ns: wanted a whole number"),
                             (lambda l: l.pop("opening"), "opening: wanted an array"),
                             (lambda l: l.update(phases=[]), "phases: wanted an array of 1 to 16"),
                             (lambda l: l.update(phases=l["phases"] * 5), "phases: wanted an array of 1 to 16"),
                             (lambda l: l["phases"][0].update(name="\x1b[2J"), "phases[0].name: wanted 1 to 23"),
                             (lambda l: l["phases"][0].update(name="x" * 24), "phases[0].name: wanted 1 to 23"),
                             (lambda l: l["phases"][0].pop("mapped_end_bytes"), "phases[0].mapped_end_bytes: wanted a whole"),
                             (lambda l: l["phases"][0].update(before={}), "phases[0].before: wanted an array"),
                             (lambda l: l["phases"][0]["calls"].append(7), "it is no object"),
                             (lambda l: l["phases"][0]["calls"][0].update(call="execve"), calls + "call: 'execve' is none"),
                             (lambda l: l["phases"][0]["calls"][0].update(kind="<b>"), calls + "kind: wanted letters"),
                             (lambda l: l["phases"][0]["calls"][0].update(kind="x" * 96), calls + "kind: wanted letters"),
                             (lambda l: l["phases"][0]["calls"][0].update(count=0), calls + "count is 0, not between 1"),
                             (lambda l: l["phases"][0]["calls"][0].update(failed=-1), calls + "failed is -1"),
                             (lambda l: l["phases"][0]["calls"][0].update(bytes=2**62), calls + "bytes is 4611686018427387904"),
                             (lambda l: l["phases"][0]["calls"][0].update(net_bytes=-2**62), calls + "net_bytes is -4611"),
                             (lambda l: l["phases"][0]["calls"][0].update(time_ns=1.5), calls + "time_ns: wanted a whole number"),
                             (lambda l: l["phases"][0]["calls"].insert(0, l["phases"][0]["calls"][0]), "it stands there twice"),
                             (lambda l: l["phases"][0]["calls"][0].update(call="mremap"), "old_bytes: wanted a whole number"),
                             (lambda l: l["phases"][0].update(calls=l["phases"][0]["calls"] * 300), "calls: wanted an array of at")):
            with self.subTest(told):
                ledger = json.loads(good)
                change(ledger)
                self.put(ledger)
                for json_too in ((), ("--json",)):
                    shown = self.show("--syscalls", *json_too, status=1)
                    self.assertIn("ledger/000000.json.gz: ", shown.stderr)
                    self.assertIn(told, shown.stderr)
                    self.assertEqual(shown.stdout, "")


if __name__ == "__main__":
    unittest.main()
