"""The latency pass from outside: calls, sizes and delays that are known beforehand, hostile files, and what is printed."""
import copy
import gzip
import json
import math
import os
import re
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
from tidemark_run import Scratch, not_run, read_samples, refuse_seccomp, tidemark  # noqa: E402

QUIET = ("--warm-up", "0", "--no-repeats", "--rounds", "1", "--no-control", "--passes", "latency")
CALLS = 50_000
BULK = ("-w", "bulk:n=50k,size=48", "--idle", "0s", *QUIET)

# Blocks from one mapping that is there from the start; each 1000th call sleeps a millisecond, touches three pages for the
# first time, makes a mapping, unmaps it and gives advice five times. A free looks at nothing.
PLANTED = """
#define _GNU_SOURCE
#include <stddef.h>
#include <sys/mman.h>
#include <time.h>
enum { PAGE = 4096, ALL = 64 << 20, FRESH = 16 << 20 };
static char *ready, *fresh;
static size_t used, touched, calls;
__attribute__((constructor)) static void begin(void)
{
    ready = mmap(NULL, ALL, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    fresh = mmap(NULL, FRESH, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    madvise(fresh, FRESH, MADV_NOHUGEPAGE);
}
static void be_slow(void)
{
    const struct timespec pause = {.tv_nsec = 1000000};
    for (int i = 0; i < 3; i++, touched += PAGE)
        *(volatile char *)(fresh + touched) = 1;
    munmap(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
    for (int i = 0; i < 5; i++)
        madvise(ready, 0, MADV_NORMAL);
    nanosleep(&pause, NULL);
}
void *malloc(size_t size)
{
    char *block = ready + used;
    used += (size + 15) / 16 * 16;
    if (%d && ++calls %% 1000 == 0)
        be_slow();
    return used <= ALL ? block : NULL;
}
void free(void *block)
{
    (void)block;
}
"""

# Runs a command whose perf_event_open is refused: by a filter, since root may do it whatever the sysctl says.
REFUSER = """
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_perf_event_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EACCES),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof code[0], code};
    return argc < 2 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) ||
           execv(argv[1], argv + 1);
}
"""


def bucket_width(least):
    return 1 if least < 64 else 2 ** (least.bit_length() - 6)


def quantile(histogram, share):
    """By the definition of results/FORMAT.md, in ticks."""
    rank = max(1, math.ceil(round(histogram["count"] * share, 6)))
    if rank >= histogram["count"]:
        return histogram["most_ticks"]
    pairs = zip(histogram["buckets"][::2], histogram["buckets"][1::2])
    for least, count in pairs:
        rank -= count
        if rank <= 0:
            return min(max(least + (bucket_width(least) - 1) // 2, histogram["least_ticks"]), histogram["most_ticks"])
    raise AssertionError("the buckets hold fewer than count")


class Latency(Scratch):
    def run_into(self, *arguments, name="run", **options):
        ran = tidemark("run", *arguments, "-o", self.folder(name), **options)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        return ran

    def path(self, cell=0, name="run"):
        return os.path.join(self.folder(name), "latency", "%06d.json.gz" % cell)

    def latency(self, cell=0, name="run"):
        with gzip.open(self.path(cell, name), "rt", encoding="utf-8") as file:
            return json.load(file)

    def write(self, latency, cell=0):
        with gzip.open(self.path(cell), "wt", encoding="utf-8") as file:
            json.dump(latency, file)

    def show(self, *arguments, status=0):
        shown = tidemark("show", self.folder(), "--latency", *arguments)
        self.assertEqual(shown.returncode, status, shown.stdout + shown.stderr)
        return shown

    def find(self, latency, phase, operation, layer="object"):
        for one in latency["phases"]:
            for found in one["operations"] if one["name"] == phase else ():
                if (found["layer"], found["operation"]) == (layer, operation):
                    return found
        raise AssertionError("no %s %s in phase %s" % (layer, operation, phase))

    def compile(self, name, source, *flags):
        path = os.path.join(self.scratch, name)
        with open(path + ".c", "w", encoding="utf-8") as file:
            file.write(source)
        subprocess.run(["cc", "-std=c17", "-O2", *flags, "-o", path, path + ".c"], check=True)
        return path

    def planted(self, is_slow):
        return self.compile("slow.so" if is_slow else "fast.so", PLANTED % is_slow, "-shared", "-fPIC", "-fno-builtin")

    def samples(self):
        return read_samples(self.folder())


class Calls(Latency):
    def test_each_call_of_the_program_is_there_once(self):
        self.run_into(*BULK, "-a", "glibc")
        latency = self.latency()
        self.assertEqual([phase["name"] for phase in latency["phases"]], ["build", "free"])
        for phase, operation in (("build", "malloc"), ("free", "free")):
            found = self.find(latency, phase, operation)
            self.assertEqual(found["count"], CALLS)
            (size,) = found["sizes"]
            self.assertEqual((size["least_bytes"], size["most_bytes"], size["count"]), (33, 64, CALLS))

    def test_what_threads_did_adds_up_to_the_operations_of_the_sample(self):
        workloads = ("mstress:n=1k,rounds=5,threads=4", "mleak:n=10,rounds=40,threads=8", "larson:n=20k,threads=3",
                     "sh8:n=20k,threads=2")
        self.run_into(*[word for workload in workloads for word in ("-w", workload)], *QUIET, "--idle", "0s", "-a", "jemalloc",
                      "-a", "pymalloc-locked")
        samples = {sample["cell"]: sample for sample in self.samples()}
        self.assertEqual(len(samples), 2 * len(workloads))
        for cell, sample in samples.items():
            phases = self.latency(cell)["phases"]
            with self.subTest(cell=cell):
                self.assertEqual([phase["name"] for phase in phases], [phase["name"] for phase in sample["phases"]])
                self.assertEqual({phase["unrecorded"] for phase in phases}, {0})
                # In which phase a block is freed may depend on which thread was faster.
                self.assertEqual(sum(one["count"] for phase in phases for one in phase["operations"]),
                                 sum(phase["operations"] for phase in sample["phases"]))
        threads = {slow["thread"] for one in self.latency(0)["phases"] for found in one["operations"]
                   for slow in found["slowest"]}
        self.assertGreater(len(threads), 1)

    def test_a_free_is_of_the_size_that_was_asked_for(self):
        self.run_into("-w", "fleet:n=20k,live=1M,threads=1", "-w", "waste:n=2k", *QUIET, "--idle", "0s", "-a", "mimalloc")
        for cell in (0, 1):
            made, freed = {}, {}
            for phase in self.latency(cell)["phases"]:
                for one in phase["operations"]:
                    into = freed if one["operation"] == "free" else made
                    for size in one["sizes"]:
                        into[size["most_bytes"]] = into.get(size["most_bytes"], 0) + size["count"]
            self.assertGreater(len(freed), 3)
            for most_bytes, count in freed.items():
                self.assertLessEqual(count, made.get(most_bytes, 0), most_bytes)
            self.assertGreater(sum(freed.values()), 0.9 * sum(made.values()) * (cell == 0))

    def test_what_lies_beneath_is_a_layer_of_its_own(self):
        self.run_into("-w", "waste:n=1k,profile=2.7", *QUIET, "--idle", "0s", "-a", "pymalloc@jemalloc", "-a", "jemalloc")
        layers = [{(one["layer"], one["operation"]) for phase in self.latency(cell)["phases"] for one in phase["operations"]}
                  for cell in (0, 1)]
        self.assertTrue({("object", "malloc"), ("object", "free"), ("raw", "realloc"), ("raw", "free")} <= layers[0], layers)
        self.assertEqual({layer for layer, _ in layers[1]}, {"object"})

    def test_regions_are_timed_too(self):
        self.run_into("-w", "request_server:n=100,how=region", *QUIET, "--idle", "0s", "-a", "bump")
        counts = {}
        for phase in self.latency()["phases"]:
            for one in phase["operations"]:
                counts[one["operation"]] = counts.get(one["operation"], 0) + one["count"]
        self.assertGreater(counts["region_alloc"], 100)
        self.assertGreaterEqual(counts.get("region_reset", 0) + counts.get("region_destroy", 0), 99)


class KnownTimes(Latency):
    def test_one_slow_call_in_a_thousand_is_where_it_has_to_be(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True))
        latency = self.latency()
        malloc = self.find(latency, "build", "malloc")
        self.assertLess(malloc["p99_ns"], 0.9e6)
        self.assertGreaterEqual(malloc["p99_99_ns"], 1e6)
        tick_ns = latency["clock"]["tick_ns"]
        slow = sum(count for least, count in zip(malloc["buckets"][::2], malloc["buckets"][1::2]) if least * tick_ns > 0.97e6)
        self.assertGreaterEqual(slow, CALLS // 1000)
        self.assertLess(slow, CALLS // 1000 + 20, "but for what took the processor away")
        self.assertGreaterEqual(malloc["sum_ticks"] * tick_ns, CALLS // 1000 * 1e6)
        slowest = [one for one in malloc["slowest"] if not one["preemptions"]]
        self.assertEqual(len(slowest), 16)
        self.assertEqual(malloc["slowest"], sorted(malloc["slowest"], key=lambda one: -one["ticks"]))
        begins = [one["at_ns"] for one in slowest]
        self.assertGreater(max(begins) - min(begins), 15e6, "each of them waited for those before it")
        self.assertLess(max(begins), 1e9 * 60)
        for one in slowest:
            self.assertEqual((one["size_bytes"], one["least_bytes"], one["most_bytes"]), (48, 33, 64))
            self.assertGreaterEqual(one["ns"], 1e6)

    def test_what_the_kernel_did_in_it_is_told(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True))
        latency = self.latency()
        if not latency["events"]:
            not_run(self, "perf_event_open: %s" % latency["no_events_because"])
        malloc, free = self.find(latency, "build", "malloc"), self.find(latency, "free", "free")
        self.assertEqual(malloc["faulted_count"], CALLS // 1000)
        self.assertGreaterEqual(malloc["faulted_ns"], CALLS // 1000 * 1e6)
        self.assertEqual(free["faulted_count"], 0)
        for one in (one for one in malloc["slowest"] if not one["preemptions"]):
            self.assertEqual((one["page_faults"], one["mappings"]), (3, 1))
            self.assertGreaterEqual(one["switches"], 1, "it slept")
        self.assertRegex(self.show().stdout, r"malloc .* [0-9.]+ ms  48 B, in build: 3 page faults, 1 mmap, 1 munmap, 5 madvise, \d+ switch")

    def test_the_system_calls_in_it_are_told(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True))
        latency = self.latency()
        if not latency["system_calls"]:
            not_run(self, latency["no_system_calls_because"])
        malloc, free = self.find(latency, "build", "malloc"), self.find(latency, "free", "free")
        slow = CALLS // 1000
        self.assertEqual(malloc["trapped_count"], slow)
        self.assertEqual(malloc["system_calls"], {"mmap": slow, "munmap": slow, "madvise": 5 * slow})
        self.assertEqual((free["trapped_count"], free["system_calls"]), (0, {}))
        for one in (one for one in malloc["slowest"] if not one["preemptions"]):
            self.assertEqual(one["system_calls"], {"mmap": 1, "munmap": 1, "madvise": 5})
        self.assertEqual({len(one["system_calls"]) for one in free["slowest"]}, {0})
        self.assertGreater(latency["trapped_call_ns"], latency["plain_call_ns"] + 100)
        self.assertGreater(latency["plain_call_ns"], 0)
        self.assertIsNone(latency["no_system_calls_because"])
        self.assertRegex(self.show().stdout,
                         r"each took up to\n[0-9.]+ us longer for it.*; of a row's calls at most 0\.05 % had any")

    def test_they_are_those_of_the_ledger(self):
        self.run_into("-w", "bulk:n=200k,size=48", "--idle", "0s", *QUIET[:-1], "latency,ledger", "-a", "glibc")
        with gzip.open(self.folder("run/ledger/000000.json.gz"), "rt", encoding="utf-8") as file:
            ledger = json.load(file)
        for phase, watched in zip(self.latency()["phases"], ledger["phases"]):
            counted, expected = {}, {}
            for one in phase["operations"]:
                for call, count in one["system_calls"].items():
                    counted[call] = counted.get(call, 0) + count
            for line in watched["calls"]:
                expected[line["call"]] = expected.get(line["call"], 0) + line["count"]
            self.assertEqual(counted, expected, phase["name"])
        self.assertGreater(self.find(self.latency(), "build", "malloc")["system_calls"]["brk"], 50)

    def test_a_call_that_does_nothing_costs_what_the_clock_does(self):
        self.run_into("-w", "bulk:n=500k,size=48", "--idle", "0s", *QUIET, "-a", "fast=" + self.planted(False))
        latency = self.latency()
        own = latency["clock"]["own"]
        for phase, operation in (("build", "malloc"), ("free", "free")):
            found = self.find(latency, phase, operation)
            self.assertGreaterEqual(found["p50_ns"], 0.9 * own["least_ns"])
            self.assertLess(found["p50_ns"], 2 * own["p50_ns"] + 10)
        self.assertGreater(latency["clock"]["call_cost_ns"], own["p50_ns"])

    def test_the_clock_agrees_with_the_system(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True))
        clock = self.latency()["clock"]
        self.assertAlmostEqual(clock["tick_ns"], clock["calibration_ns"] / clock["calibration_ticks"])
        self.assertLess(clock["calibration_error_ns"], clock["calibration_ns"] / 10_000)
        slept_ns = [one["ns"] for one in self.find(self.latency(), "build", "malloc")["slowest"]]
        self.assertLess(min(slept_ns), 1e8)

    def test_figures_follow_from_the_buckets(self):
        self.run_into("-w", "alloc_test:n=100k,slots=1k", *QUIET, "--idle", "0s", "-a", "glibc")
        latency = self.latency()
        shares = {"p50_ns": 0.5, "p90_ns": 0.9, "p99_ns": 0.99, "p99_9_ns": 0.999, "p99_99_ns": 0.9999}
        for phase in latency["phases"]:
            for one in (each for operation in phase["operations"] for each in (operation, *operation["sizes"])):
                for key, share in shares.items():
                    self.assertAlmostEqual(one[key], quantile(one, share) * latency["clock"]["tick_ns"], places=6)
                self.assertEqual(sum(one["buckets"][1::2]), one["count"])


class WithoutTheKernel(Latency):
    def test_without_records_there_are_times_and_no_tags(self):
        refuser = self.compile("refuser", REFUSER)
        subprocess.run([refuser, os.path.abspath(os.environ.get("TIDEMARK", "build/tidemark")), "run", *BULK, "-a", "glibc",
                        "-o", self.folder()], check=True, capture_output=True, timeout=300)
        latency = self.latency()
        self.assertEqual((latency["events"], latency["no_events_because"]), (False, "Permission denied"))
        malloc = self.find(latency, "build", "malloc")
        self.assertEqual(malloc["count"], CALLS)
        self.assertIsNone(malloc["faulted_count"])
        for one in malloc["slowest"]:
            self.assertEqual([one[key] for key in ("page_faults", "switches", "preemptions", "mappings")], [None] * 4)
        shown = self.show().stdout
        self.assertRegex(shown, r"malloc .* n/a +[0-9.]+ [num]s  48 B, in build: (\d+ brk|not known)")
        self.assertIn("Permission denied", shown)

    def test_without_the_table_the_sizes_of_freed_blocks_are_unknown(self):
        self.run_into(*BULK, "-a", "glibc",
                      preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2**38, resource.RLIM_INFINITY)))
        latency = self.latency()
        self.assertIs(latency["freed_sizes"], False)
        (size,) = self.find(latency, "free", "free")["sizes"]
        self.assertEqual((size["count"], size["least_bytes"], size["most_bytes"]), (CALLS, None, None))
        (size,) = self.find(latency, "build", "malloc")["sizes"]
        self.assertEqual(size["most_bytes"], 64)


    def test_without_a_filter_there_are_times_and_no_system_calls(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True), preexec_fn=refuse_seccomp)
        latency = self.latency()
        self.assertEqual((latency["system_calls"], latency["plain_call_ns"], latency["trapped_call_ns"]), (False, None, None))
        self.assertEqual(latency["no_system_calls_because"], "the kernel takes no seccomp filter: Operation not permitted")
        malloc = self.find(latency, "build", "malloc")
        self.assertEqual((malloc["count"], malloc["trapped_count"], malloc["system_calls"]), (CALLS, None, None))
        self.assertEqual({str(one["system_calls"]) for one in malloc["slowest"]}, {"None"})
        shown = self.show().stdout
        self.assertIn("system calls are not counted: the kernel takes no seccomp filter: Operation not permitted", shown)
        self.assertNotIn("trapped", shown)
        if latency["events"]:
            self.assertRegex(shown, r"malloc .* 3 page faults, 1 mapping, \d+ switch")


class Files(Latency):
    def test_hostile_files_are_refused_by_their_field(self):
        self.run_into(*BULK, "-a", "glibc")
        sound = self.latency()
        first = ("phases", 0, "operations", 0)
        cases = (
            (("format",), 2, "format"), (("cell",), 1, "cell"), (("phases",), [], "phases"), (("phases",), [3], "name"),
            (("clock", "tick_ns"), 0, "clock.tick_ns"), (("clock", "tick_ns"), "x", "clock.tick_ns"),
            (("clock", "own", "count"), 5, "clock.own.count"), (("events",), 1, "events"),
            (("no_events_because",), "\x1b[2J", "no_events_because"), (("clock", "name"), "a\nb", "clock.name"),
            ((*first, "layer"), "middle", "operation"), ((*first, "operation"), "mallocs", "operation"),
            ((*first, "count"), CALLS + 1, "count"), ((*first, "count"), -1, "count"), ((*first, "sum_ticks"), 1, "sum_ticks"),
            ((*first, "sum_ticks"), 2**62, "sum_ticks"), ((*first, "least_ticks"), 0, "least_ticks"),
            ((*first, "most_ticks"), 2**40, "least_ticks"), ((*first, "buckets", 0), 1.5, "buckets[0]"),
            ((*first, "buckets", 1), 0, "buckets[0]"), ((*first, "buckets", 1), 2**62, "buckets[0]"),
            ((*first, "buckets"), [], "buckets"), ((*first, "buckets", 2), 0, "buckets[2]"),
            ((*first, "p99_ns"), 1e300, "p99_ns"), ((*first, "p50_ns"), None, "p50_ns"), ((*first, "mean_ns"), 0, "mean_ns"),
            ((*first, "sizes"), [], "buckets"), ((*first, "sizes", 0, "most_bytes"), 65, "least_bytes"),
            ((*first, "sizes", 0, "least_bytes"), None, "least_bytes"), ((*first, "slowest", 0, "ticks"), 1, "ticks"),
            ((*first, "slowest", 1, "ns"), 1, "ns"), ((*first, "slowest", 2, "page_faults"), -1, "page_faults"),
            ((*first, "slowest", 2, "thread"), None, "thread"), ((*first, "slowest", 15, "ticks"), 2**40, "ticks"),
            ((*first, "slowest"), [{}] * 33, "slowest"), ((*first, "faulted_count"), CALLS + 1, "faulted_count"),
            (("phases", 0, "name"), "x" * 24, "name"), (("phases", 0, "unrecorded"), None, "unrecorded"),
            (("phases", 0, "operations"), {}, "operations"), (("system_calls",), 1, "system_calls"),
            (("trapped_call_ns",), -1, "trapped_call_ns"), (("plain_call_ns",), "1", "plain_call_ns"),
            (("no_system_calls_because",), "\x1b[2J", "no_system_calls_because"),
            ((*first, "trapped_count"), CALLS + 1, "trapped_count"), ((*first, "trapped_count"), "1", "trapped_count"),
            ((*first, "system_calls"), 3, "system_calls"), ((*first, "system_calls"), {"execve": 1}, "system_calls: 'execve'"),
            ((*first, "system_calls"), {"brk": 0}, "system_calls.brk"), ((*first, "system_calls"), {"\x1b[2J": 1}, "system_calls"),
            ((*first, "slowest", 0, "system_calls"), {"brk": 2**60}, "system_calls.brk"),
            ((*first, "slowest", 0, "system_calls"), [1], "system_calls"),
        )
        for path, value, field in cases:
            with self.subTest(path=path, value=value):
                broken = copy.deepcopy(sound)
                at = broken
                for key in path[:-1]:
                    at = at[key]
                at[path[-1]] = value
                self.write(broken)
                told = self.show(status=1)
                self.assertEqual(told.stdout, "")
                self.assertRegex(told.stderr, r"latency/000000\.json\.gz: .*" + re.escape(field))
                self.assertNotIn("\x1b", told.stderr)
        self.write(sound)
        self.show()

    def test_a_file_of_an_earlier_version_is_shown(self):
        self.run_into(*BULK, "-a", "slow=" + self.planted(True))
        latency = self.latency()
        for name in ("system_calls", "no_system_calls_because", "plain_call_ns", "trapped_call_ns"):
            del latency[name]
        for one in (one for phase in latency["phases"] for one in phase["operations"]):
            del one["trapped_count"], one["system_calls"]
            for slow in one["slowest"]:
                del slow["system_calls"]
        self.write(latency)
        shown = self.show().stdout
        self.assertNotIn("system calls", shown)
        if latency["events"]:
            self.assertRegex(shown, r"malloc .* 3 page faults, 1 mapping, \d+ switch")

    def test_an_operation_stands_once(self):
        self.run_into(*BULK, "-a", "glibc")
        latency = self.latency()
        latency["phases"][0]["operations"] *= 2
        self.write(latency)
        self.assertIn("operations[1].operation", self.show(status=1).stderr)


class Printed(Latency):
    def test_a_line_for_each_row_and_operation(self):
        self.run_into(*BULK, "-a", "glibc", "-a", "jemalloc")
        shown = self.show().stdout
        lines = re.findall(r"(?m)^  (\S*) +(malloc|free) +(\d+) +\d+\.\d %((?: +[0-9.]+ [num]?s){4})", shown)
        self.assertEqual([line[:3] for line in lines], [("glibc", "malloc", "50000"), ("", "free", "50000"),
                                                        ("jemalloc", "malloc", "50000"), ("", "free", "50000")])
        self.assertIn("bulk n=50000 size=48", shown)
        phases = self.show("--phases").stdout
        self.assertRegex(phases, r"(?m)^  glibc, build +malloc +50000 +100\.0 %")
        self.assertRegex(phases, r"(?m)^  jemalloc, free +free +50000 +100\.0 %")

    def test_calls_that_are_in_no_figure_are_told(self):
        self.run_into(*BULK, "-a", "glibc", "-a", "jemalloc")
        self.assertNotIn("in no figure", self.show().stdout)
        latency = self.latency(1)
        latency["phases"][0]["unrecorded"], latency["phases"][1]["unrecorded"] = 40, 2
        self.write(latency, 1)
        self.assertIn("bulk on jemalloc: 42 calls are in no figure: there was no room for their threads\n", self.show().stdout)

    def test_json_is_the_file_with_its_cell(self):
        self.run_into(*BULK, "-a", "glibc", "-a", "jemalloc")
        cells = json.loads(self.show("--json").stdout)
        self.assertEqual([(cell["cell"], cell["allocator"], cell["workload"]) for cell in cells],
                         [(0, "glibc", "bulk"), (1, "jemalloc", "bulk")])
        malloc = cells[1]["latency"]["phases"][0]["operations"][0]
        stored = self.latency(1)["phases"][0]["operations"][0]
        self.assertEqual(malloc["buckets"], stored["buckets"])
        self.assertAlmostEqual(malloc["p99_9_ns"], stored["p99_9_ns"], places=3)

    def test_a_run_without_says_how_to_get_them(self):
        without = [*QUIET]
        without[without.index("latency")] = "none"
        self.run_into("-w", "bulk:n=1k", "--idle", "0s", *without, "-a", "glibc", "-a", "null")
        told = self.show(status=1)
        self.assertEqual(told.stdout, "")
        self.assertIn("the run was made without: tidemark run --passes latency", told.stderr)
        self.assertIn("null has no distinct blocks", told.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
