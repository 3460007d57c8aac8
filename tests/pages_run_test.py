"""
The pass `pages` from outside: which cells have a file, and figures known beforehand. Plug-ins are made whose every figure
follows from arithmetic, one writes down each call, so that all is counted again here; pymalloc's own census says how many of
its pools have a block. It leaves out the parts (pages_test.c, pages_look_test.c) and each field of a file, which
pages_pass_test.c has.
"""
import collections
import gzip
import json
import os
import struct
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import Scratch, read_samples, tidemark  # noqa: E402

PAGE = 4096
MIB = 2**20
QUIET = ("--warm-up", "0", "--no-repeats", "--no-control", "--rounds", "1", "--passes", "pages")
SLACK = 256 * 1024  # what a process touches besides: tables of the workload, code's own data

# A bump pointer in one mapping with small pages. What is given back is never used again.
PLUGIN = r"""
#define _GNU_SOURCE
#include "allocator.h"
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef ALIGN
#define ALIGN 16 /* each block begins at a multiple */
#endif
#ifndef STEP
#define STEP ALIGN /* between the begins of blocks, at least */
#endif
#ifndef USABLE
#define USABLE 0
#endif
#ifndef KEEP_BYTES
#define KEEP_BYTES 0
#endif
#define SPACE_BYTES ((size_t)1 << 30)

static char *space;
static size_t used, calls;

#ifdef LOG
static struct { size_t address, bytes; } entries[256];
static size_t entry_count;
static int log_fd;

__attribute__((destructor)) static void flush(void)
{
    if (write(log_fd, entries, entry_count * sizeof entries[0]) < 0)
        entry_count = 0;
    entry_count = 0;
}

static void note(void *block, size_t bytes)
{
    entries[entry_count].address = (size_t)block;
    entries[entry_count++].bytes = bytes;
    if (entry_count == 256)
        flush();
}
#else
#define note(block, bytes)
#endif

static void keep(void)
{
    char *kept = mmap(NULL, KEEP_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (kept != MAP_FAILED)
        memset(kept, 1, KEEP_BYTES);
}

static void *plugin_malloc(size_t bytes)
{
    const size_t at = (used + ALIGN - 1) / ALIGN * ALIGN;
#ifdef OVERLAP
    const size_t taken = OVERLAP;
#else
    const size_t taken = (bytes + STEP - 1) / STEP * STEP;
#endif

    if (taken > SPACE_BYTES - at)
        return NULL;
    used = at + taken;
    if (++calls == 100 && KEEP_BYTES > 0)
        keep();
    note(space + at, bytes + 1);
    return space + at;
}

static void plugin_free(void *block)
{
    if (block)
        note(block, 0);
}

static size_t plugin_usable(void *block)
{
    (void)block;
    return USABLE;
}

static int plugin_open(const struct allocator *self, struct allocator_ops *ops,
                       const struct allocator_ops *raw, char *reason)
{
    (void)self, (void)raw, (void)reason;
    space = mmap(NULL, SPACE_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    madvise(space, SPACE_BYTES, MADV_NOHUGEPAGE);
#ifdef LOG
    log_fd = open(LOG, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
#endif
    *ops = (struct allocator_ops){
        .malloc = plugin_malloc, .free = plugin_free, .usable_size = USABLE ? plugin_usable : NULL};
    return 0;
}

static void plugin_version(char *text)
{
    snprintf(text, ALLOCATOR_TEXT_BYTES, "1.0");
}

const struct allocator tidemark_allocator_v3 = {
    .name = "planted",
    .summary = "a bump pointer whose figures are known",
    .source = "tests/pages_run_test.py",
    .family = ALLOCATOR_GENERAL,
    .capabilities = ALLOCATOR_MALLOC | ALLOCATOR_FREE | ALLOCATOR_DISTINCT |
                    (USABLE ? ALLOCATOR_USABLE_SIZE : 0),
    .open = plugin_open,
    .version = plugin_version,
};
"""


class Pages(Scratch):
    def plugin(self, name, **defined):
        """The path of a plug-in with these knobs."""
        path = os.path.join(self.scratch, name)
        with open(path + ".c", "w", encoding="utf-8") as file:
            file.write(PLUGIN)
        subprocess.run(["cc", "-std=c17", "-O1", "-shared", "-fPIC", "-Iallocators", "-o", path + ".so", path + ".c",
                        *(f"-D{knob}={value}" for knob, value in defined.items())], check=True)
        return path + ".so"

    def run_into(self, *arguments, status=0):
        ran = tidemark("run", "-o", self.folder(), *QUIET, *arguments)
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran

    def files(self):
        folder = self.folder("run/pages")
        return sorted(int(name[:6]) for name in os.listdir(folder)) if os.path.isdir(folder) else []

    def read(self, cell=0, pass_name="pages"):
        with gzip.open(self.folder(f"run/{pass_name}/{cell:06d}.json.gz"), "rt", encoding="utf-8") as file:
            return json.load(file)

    def phases(self, cell=0):
        return {phase["name"]: phase for phase in self.read(cell)["phases"]}

    def cells(self):
        with open(self.folder("run/plan.json"), encoding="utf-8") as file:
            return json.load(file)["cells"]


class Planted(Pages):
    def test_one_block_a_page_takes_a_page_a_block(self):
        self.run_into("-w", "bulk:n=2000,size=100", "-a", self.plugin("each", ALIGN=PAGE), "--idle", "1ms")
        build, free = self.phases()["build"], self.phases()["free"]
        self.assertEqual((build["blocks"], build["requested_bytes"]), (2000, 200_000))
        self.assertEqual((build["live_page_bytes"], build["floor_bytes"]), (2000 * PAGE, 2000 * PAGE))
        self.assertEqual(build["share_pages"], [2000, 0, 0, 0, 0, 0, 0, 0])
        self.assertLess(build["held_bytes"], SLACK)
        self.assertEqual((free["blocks"], free["requested_bytes"], free["floor_bytes"]), (0, 0, 0))
        self.assertGreaterEqual(free["held_bytes"], 2000 * PAGE, "it gave nothing back")
        self.assertIsNone(build["usable_bytes"])
        self.assertIn("planted does not tell", build["no_usable"])

    def test_usable_sizes_are_added_up(self):
        self.run_into("-w", "bulk:n=6400,size=40", "-a", self.plugin("round", ALIGN=64, USABLE=64), "--idle", "1ms")
        build = self.phases()["build"]
        self.assertEqual((build["requested_bytes"], build["usable_bytes"]), (6400 * 40, 6400 * 64))
        self.assertEqual((build["requested_resident_bytes"], build["usable_resident_bytes"]), (6400 * 40, 6400 * 64))
        self.assertIn(build["floor_bytes"], (100 * PAGE, 101 * PAGE), "64 blocks a page, the first page begun before")
        self.assertEqual(build["share_pages"][4], build["floor_bytes"] // PAGE - (build["floor_bytes"] > 100 * PAGE))

    def test_what_is_kept_is_held(self):
        self.run_into("-w", "bulk:n=2000,size=64", "-a", self.plugin("plain", ALIGN=64), "-a",
                      self.plugin("keeps", ALIGN=64, KEEP_BYTES=8 * MIB), "--idle", "1ms")
        plain, keeps = self.phases(0)["build"], self.phases(1)["build"]
        self.assertEqual(plain["floor_bytes"], keeps["floor_bytes"])
        self.assertAlmostEqual(keeps["held_bytes"] - plain["held_bytes"], 8 * MIB, delta=SLACK)

    def test_usable_sizes_that_cannot_be_are_told_and_not_used(self):
        self.run_into("-w", "bulk:n=2000,size=64", "-a", self.plugin("less", ALIGN=64, USABLE=63), "--idle", "1ms")
        build = self.phases()["build"]
        self.assertIn("cannot be of its blocks", build["no_usable"])
        self.assertIsNone(build["usable_bytes"])
        self.assertIsNone(build["usable_resident_bytes"])

    def test_blocks_that_overlap_have_no_file(self):
        ran = self.run_into("-w", "bulk:n=2000,size=64", "-a", self.plugin("over", ALIGN=32, OVERLAP=32), "--idle", "1ms")
        self.assertEqual(self.files(), [])
        self.assertRegex(ran.stderr, r"no pages of bulk.*blocks overlap: in \d+ pages more is live than fits")

    def test_all_is_as_counted_again_from_each_call(self):
        log = os.path.join(self.scratch, "log")
        self.run_into("-w", "fragment_drift:live=300k,turns=1", "-a", self.plugin("logs", LOG=f'"{log}"'), "--idle", "1ms")
        with open(log, "rb") as file:
            calls = list(struct.iter_unpack("@NN", file.read()))
        phases = self.read()["phases"]
        self.assertGreater(len(phases), 5)
        states = self.replay(calls)
        state = next(states)
        for phase in phases:
            wanted = (phase["blocks"], phase["requested_bytes"], phase["live_page_bytes"], phase["floor_bytes"],
                      tuple(phase["share_pages"]))
            # All that is live was written: the pages are resident. A look is between two calls, in their order.
            while state not in (wanted, None):
                state = next(states, None)
            self.assertEqual(state, wanted, phase["name"])
        self.assertGreater(max(phase["blocks"] for phase in phases), 100)

    def replay(self, calls):
        """After each call (blocks, bytes, bytes of pages, the same, pages by their share), from its beginning on."""
        live, pages, shares, total = {}, collections.Counter(), [0] * 8, 0
        yield 0, 0, 0, 0, tuple(shares)
        for address, size in calls:
            size, sign = (size - 1, 1) if size else (live.pop(address), -1)
            if sign > 0:
                live[address] = size
            total += sign * size
            for page in range(address // PAGE, -(-(address + size) // PAGE)):
                there = min(address + size, (page + 1) * PAGE) - max(address, page * PAGE)
                if pages[page]:
                    shares[(8 * pages[page] - 1) // PAGE] -= 1
                pages[page] += sign * there
                if pages[page]:
                    shares[(8 * pages[page] - 1) // PAGE] += 1
                else:
                    del pages[page]
            yield len(live), total, len(pages) * PAGE, len(pages) * PAGE, tuple(shares)


class RealRows(Pages):
    def check_sums(self, phase):
        counted = sum(phase[name] for name in ("resident_bytes", "process_bytes", "own_bytes", "unread_bytes"))
        self.assertAlmostEqual(counted, phase["rss_bytes"], delta=SLACK)
        self.assertEqual(phase["requested_bytes"], phase["live_bytes"], "what the workload itself says that it holds")
        if phase["anon_huge_bytes"] == 0:
            self.assertEqual(phase["floor_mapped_bytes"], phase["floor_bytes"])

    def test_every_row_has_a_file_and_holds_what_the_workload_says(self):
        rows = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "boehm", "pymalloc", "pymalloc@jemalloc", "cpython")
        # 2.7 takes the blocks of its ints from the raw allocator, past the object one.
        self.run_into("-w", "list_lifetime:n=20k,profile=2.7|3.11", "-a", ",".join(rows), "--idle", "1ms")
        cells = self.cells()
        wanted = [index for index, cell in enumerate(cells) if cell["not_available"] is None]
        self.assertGreaterEqual(len(wanted), 3)
        self.assertEqual(self.files(), wanted)
        for index in wanted:
            for phase in self.read(index)["phases"]:
                with self.subTest(row=cells[index]["allocator"], phase=phase["name"]):
                    self.check_sums(phase)

    def test_threads_regions_and_reallocs_are_followed(self):
        self.run_into("-w", "larson:n=20k,slots=500,threads=3", "-w", "xmalloc:n=20k,threads=2",
                      "-w", "request_server:n=2k,how=blocks|region", "-w", "realloc_grow",
                      "-w", "compiler_phases:n=20k,how=region", "-a", "glibc,bump,frees@glibc", "--idle", "1ms")
        seen = collections.Counter()
        for index in self.files():
            cell = self.cells()[index]
            for phase in self.read(index)["phases"]:
                with self.subTest(cell=cell["workload"], row=cell["allocator"], phase=phase["name"]):
                    self.check_sums(phase)
            seen[cell["allocator"]] += 1
        self.assertEqual(seen, {"glibc": 4, "bump": 2, "frees@glibc": 2})
        region = next(index for index in self.files() if self.cells()[index]["allocator"] == "bump")
        self.assertIn("a block of a region", self.read(region)["phases"][0]["no_usable"])

    def test_pools_with_a_block_are_pages_with_a_live_byte(self):
        # A pool of 3.8 is a page, and blocks of 512 bytes lie whole in it: the pools that keep one are the floor.
        self.run_into("-w", "bulk:n=50k,size=512,order=random,keep=50", "-a", "pymalloc-3.8", "--idle", "1ms",
                      "--passes", "pages,census")
        pools = [sum(size > 0 for arena in phase["arenas"] for size in arena["pools"][::2])
                 for phase in self.read(0, "census")["phases"]]
        blocks = [sum(row["blocks_in_use"] for row in phase["classes"]) for phase in self.read(0, "census")["phases"]]
        phases = self.read()["phases"]
        self.assertEqual([phase["blocks"] for phase in phases], blocks)
        self.assertEqual([phase["floor_bytes"] for phase in phases], [PAGE * count for count in pools])
        # 7 blocks a pool, each kept 1 in 50.
        expected = -(-50_000 // 7) * (1 - (1 - 1 / 50)**7)
        self.assertAlmostEqual(phases[1]["floor_bytes"] / PAGE, expected, delta=0.1 * expected)
        self.assertGreater(phases[1]["held_bytes"], 3 * phases[1]["floor_bytes"], "full arenas go back, pools do not")

    def test_what_is_retained_is_what_was_measured(self):
        self.run_into("-w", "list_lifetime:n=300k", "-a", "glibc", "-a", "pymalloc", "--idle", "1ms")
        samples = read_samples(self.folder())
        for sample in samples:
            for measured, phase in zip(sample["phases"], self.read(sample["cell"])["phases"]):
                growth = measured["rss_bytes"] - sample["baseline_bytes"]
                self.assertAlmostEqual(phase["resident_bytes"], growth, delta=0.02 * growth + 2 * SLACK)

    def test_blocks_that_are_not_distinct_and_a_real_cpython_have_none(self):
        self.run_into("-w", "list_lifetime:n=1k", "-a", "glibc", "--host", "objects", "--host", "python3", "--idle", "1ms")
        hosts = [cell["host"] for cell in self.cells()]
        self.assertEqual(self.files(), [hosts.index("objects")])
        told = tidemark("show", self.folder(), "--pages")
        self.assertIn("no pages: a real CPython (python3) is asked for none", told.stderr)

    def test_its_child_waits_as_long_as_the_cell_does(self):
        began = time.monotonic()
        self.run_into("-w", "bulk:n=1k", "-a", "glibc", "--idle", "1500ms")
        self.assertGreater(time.monotonic() - began, 3, "what comes back in time is part of what is looked at")


class Show(Pages):
    def show(self, *arguments, status=0):
        told = tidemark("show", self.folder(), "--pages", *arguments)
        self.assertEqual(told.returncode, status, told.stdout + told.stderr)
        return told

    def test_a_line_for_each_phase_with_each_step_as_a_factor(self):
        row = self.plugin("round", ALIGN=64, USABLE=64)
        self.run_into("-w", "bulk:n=64k,size=40", "-a", row, "--idle", "1ms")
        lines = self.show().stdout.splitlines()
        build = next(line for line in lines if " build " in line).split()
        self.assertIn("build 2.6 MB 2.6 MB 4.1 MB 4.1 MB", " ".join(build))
        self.assertEqual([word for word in build if word.startswith("x")][:2], ["x1.60", "x1.00"])  # 64 / 40
        self.assertEqual(sum(" free " in line for line in lines), 1)

    def test_json_has_what_the_files_have(self):
        self.run_into("-w", "bulk:n=1k", "-a", "glibc", "-a", "pymalloc", "--idle", "1ms")
        told = json.loads(self.show("--json").stdout)
        self.assertEqual([cell["cell"] for cell in told], [0, 1])
        for cell in told:
            self.assertEqual(cell["pages"], self.read(cell["cell"]))
            self.assertEqual(cell["pages"]["page_bytes"], PAGE)

    def test_a_run_without_says_so(self):
        self.run_into("-w", "bulk:n=1k", "-a", "glibc", "--idle", "1ms", "--passes", "none")
        self.assertEqual(self.files(), [])
        self.assertIn("no pages: the run was made without: tidemark run --passes pages", self.show(status=1).stderr)

    def test_phases_and_pages_are_two_tables(self):
        self.assertEqual(tidemark("show", self.scratch, "--pages", "--phases").returncode, 2)

    def test_a_file_that_cannot_be_is_refused_by_its_name_and_field(self):
        self.run_into("-w", "bulk:n=1k", "-a", "glibc", "--idle", "1ms")
        good = self.read()
        good["phases"][0]["requested_bytes"] = 0
        impossible = gzip.compress(json.dumps(good).encode())
        for damage, message in ((b"x", "damaged"), (impossible, "phases[0].requested_resident_bytes is"), (b"", "damaged")):
            with self.subTest(message=message):
                with open(self.folder("run/pages/000000.json.gz"), "wb") as file:
                    file.write(damage)
                told = self.show(status=1)
                self.assertIn("pages/000000.json.gz", told.stderr)
                self.assertIn(message, told.stderr)


if __name__ == "__main__":
    unittest.main()
