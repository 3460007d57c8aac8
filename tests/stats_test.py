"""The census of a run from outside: which cells get one, what interrupts it, and what `tidemark stats` prints of it."""
import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, tidemark  # noqa: E402

QUIET = ("--warm-up", "0", "--no-repeats", "--rounds", "1")
BULK = ("-w", "bulk:n=20k,order=random,keep=0|100", "--idle", "1ms", *QUIET)
EXAMPLE = "docs/examples/kingsley.c"

# What a plug-in says of its pools: nothing that is so.
CENSUS = """
static void kingsley_census(const struct allocator_census *census)
{
    %s
    census->figure(census->context, "arena_bytes", 4096);
    census->figure(census->context, "pool_bytes", 1024);
    census->figure(census->context, "pool_header_bytes", 0);
    census->size_class(census->context, 64, %d, 1, 15);
    census->arena(census->context, 0x10000);
    census->pool(census->context, 64, 1);
    for (int i = 0; i < 3; i++)
        census->pool(census->context, 0, 0);
}
"""


class Census(Scratch):
    def run_into(self, *arguments, status=0):
        ran = tidemark("run", *arguments, "-o", self.folder())
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran

    def files(self):
        folder = self.folder("run/census")
        return sorted(os.listdir(folder)) if os.path.isdir(folder) else []

    def census(self, cell):
        with gzip.open(self.folder("run/census/%06d.json.gz" % cell), "rt", encoding="utf-8") as file:
            return json.load(file)

    def read(self, name):
        with open(self.folder("run/" + name), encoding="utf-8") as file:
            return json.load(file)

    def stats(self, *arguments, status=0):
        told = tidemark("stats", self.folder(), *arguments)
        self.assertEqual(told.returncode, status, told.stdout + told.stderr)
        return told

    def plugin(self, name, extra="", pools=1):
        """The example with a census, which does `extra` first and says that there are so many pools."""
        with open(EXAMPLE, encoding="utf-8") as file:
            source = file.read()
        source = source.replace("static int kingsley_open", CENSUS % (extra, pools) + "\nstatic int kingsley_open", 1)
        source = source.replace("*ops = (struct allocator_ops){", "*ops = (struct allocator_ops){\n.census = kingsley_census,", 1)
        source = source.replace(".capabilities = ", ".capabilities = ALLOCATOR_CENSUS | ", 1)
        path = os.path.join(self.scratch, name)
        with open(path + ".c", "w", encoding="utf-8") as file:
            file.write("#define _GNU_SOURCE\n#include <signal.h>\n#include <unistd.h>\n" + source)
        subprocess.run(["cc", "-std=c17", "-O1", "-shared", "-fPIC", "-Iallocators", "-o", path + ".so", path + ".c"], check=True)
        return path + ".so"


class Runs(Census):
    def test_every_cell_whose_allocator_tells_has_one_and_no_other(self):
        ran = self.run_into(*BULK, "-a", "pymalloc-2.7", "-a", "glibc", "-a", "pymalloc@jemalloc", "-a", "pymalloc-locked")
        self.assertEqual(self.files(), ["%06d.json.gz" % cell for cell in (0, 2, 3, 4, 6, 7)])
        self.assertIn("[6/6]", ran.stderr)
        self.assertIn("census of bulk:n=20000,size=32,order=random,keep=100 on pymalloc-locked", ran.stderr)
        for cell, version in ((0, "2.7 geometry"), (2, "3.11 geometry"), (3, "3.11 geometry")):
            census = self.census(cell)
            self.assertEqual((census["format"], census["cell"], census["version"]), (1, cell, version))
            self.assertEqual([phase["name"] for phase in census["phases"]], ["build", "free", "idle"])
            self.assertEqual([phase["live_bytes"] for phase in census["phases"]], [640000, 0, 0])
        with open(self.folder("run/samples.jsonl"), encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 8, "the child of a census is no sample")

    def test_a_control_and_a_real_cpython_have_none(self):
        self.run_into("-w", "list_lifetime:n=20k", "--idle", "1ms", *QUIET[:3], "--rounds", "6", "-a", "pymalloc", "-a", "glibc")
        self.assertEqual([cell["control"] for cell in self.read("plan.json")["cells"]], [False, False, True])
        self.assertEqual(self.files(), ["000000.json.gz"])
        self.scratch = os.path.join(self.scratch, "python")
        os.mkdir(self.scratch)
        self.run_into("-w", "list_lifetime:n=20k", "--idle", "1ms", *QUIET, "-a", "pymalloc", "--host", "python3")
        self.assertEqual(self.files(), [])
        self.assertIn("a real CPython (python3) is asked for none", self.stats(status=1).stderr)

    def test_the_map_agrees_with_the_figures_and_the_program(self):
        self.run_into("-w", "list_lifetime:n=200k", "--idle", "1ms", *QUIET, "-a", "pymalloc")
        for phase in self.census(0)["phases"]:
            figures = phase["figures"]
            pools = [arena["pools"] for arena in phase["arenas"]]
            self.assertEqual(len(pools), figures["arenas_current"])
            in_use = sum(size * blocks for pool in pools for size, blocks in zip(pool[::2], pool[1::2]))
            self.assertEqual(in_use, figures["allocated_bytes"])
            self.assertEqual(sum(row["block_bytes"] * row["blocks_in_use"] for row in phase["classes"]), in_use)
            self.assertEqual(sum(size == 0 for pool in pools for size in pool[::2]), figures["pools_unused"])
            self.assertEqual(sum(figures[name] for name in ("allocated_bytes", "available_bytes", "header_bytes",
                                                            "quantization_bytes", "alignment_bytes"))
                             + figures["pools_unused"] * figures["pool_bytes"],
                             figures["arenas_current"] * figures["arena_bytes"])
            bases = [int(arena["base"], 16) for arena in phase["arenas"]]
            self.assertEqual(bases, sorted(bases))
        build = self.census(0)["phases"][0]
        ints = next(row for row in build["classes"] if row["block_bytes"] == 32)
        self.assertGreaterEqual(ints["blocks_in_use"], 200_000 - 300, "all but the small ints that are shared")

    def test_a_run_without_is_valid_and_says_so(self):
        self.run_into(*BULK, "-a", "pymalloc", "--no-census")
        self.assertEqual(self.files(), [])
        self.assertFalse(os.path.exists(self.folder("run/census")))
        self.assertEqual(self.read("plan.json")["passes"], [])
        self.assertIn("the run was made without", self.stats(status=1).stderr)
        self.assertIn("is complete", tidemark("run", "--resume", self.folder()).stderr)

    def test_an_allocator_without_pools_leaves_no_folder(self):
        self.run_into(*BULK, "-a", "glibc")
        self.assertFalse(os.path.exists(self.folder("run/census")))
        self.assertEqual(self.read("plan.json")["passes"], ["census"])
        self.assertIn("glibc tells of no pools", self.stats(status=1).stderr)
        self.assertIn("is complete", tidemark("run", "--resume", self.folder()).stderr)

    def test_a_cell_that_never_came_to_its_end_has_none(self):
        ran = self.run_into("-w", "bulk:n=5M", "--idle", "0s", *QUIET, "-a", "pymalloc", "--memory-limit", "32MiB", status=1)
        self.assertEqual(self.files(), [])
        self.assertNotIn("census of", ran.stderr)
        self.assertIn("no sample of it came to its end", self.stats(status=1).stderr)


    def test_its_child_does_not_wait_out_the_idle_phase(self):
        self.run_into("-w", "bulk:n=1k|2k", "--idle", "2s", *QUIET, "-a", "pymalloc")
        samples, *censuses = (os.stat(self.folder(name)).st_mtime for name in ("run/samples.jsonl", *("run/census/" + name for name in self.files())))
        self.assertLess(max(censuses) - samples, 4, "two of two seconds after the last sample")
        self.assertEqual([phase["name"] for phase in self.census(1)["phases"]], ["build", "free", "idle"])


class Interruptions(Census):
    def test_resume_makes_what_is_missing_and_leaves_what_is_there(self):
        self.run_into(*BULK, "-a", "pymalloc-3.8", "-a", "pymalloc-3.11")
        self.assertEqual(len(self.files()), 4)
        os.remove(self.folder("run/census/000002.json.gz"))
        kept = os.stat(self.folder("run/census/000001.json.gz"))
        told = self.stats()
        self.assertIn("it is missing: tidemark run --resume takes it", told.stderr)
        resumed = tidemark("run", "--resume", self.folder())
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertIn("[1/1]", resumed.stderr)
        self.assertEqual(len(self.files()), 4)
        self.assertEqual(os.stat(self.folder("run/census/000001.json.gz")).st_ino, kept.st_ino)
        self.assertEqual(self.stats().stderr, "")
        self.assertIn("is complete", tidemark("run", "--resume", self.folder()).stderr)

    def test_ctrl_c_in_the_pass_leaves_whole_files_and_a_run_to_resume(self):
        row = "slow=" + self.plugin("slow", "usleep(500000);")
        with subprocess.Popen([TIDEMARK, "run", "-w", "bulk:n=20k,keep=0|2|3", *QUIET, "--idle", "0s", "-a", row, "-o",
                               self.folder()], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not self.files():
                time.sleep(0.01)
            time.sleep(0.3)
            process.send_signal(signal.SIGINT)
            said = process.communicate(timeout=30)[1]
        self.assertEqual(process.returncode, 130, said)
        self.assertIn("tidemark run --resume", said)
        self.assertIs(self.read("machine.json")["interrupted"], True)
        self.assertEqual(self.files(), ["000000.json.gz"], "no temporary file is left")
        self.census(0)
        resumed = tidemark("run", "--resume", self.folder())
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertEqual(len(self.files()), 3)
        self.assertIs(self.read("machine.json")["interrupted"], False)

    def test_a_child_that_crashes_in_its_census_is_a_note_that_names_the_cell(self):
        row = "broken=" + self.plugin("crash", "if (census) raise(SIGSEGV);")
        ran = self.run_into(*BULK, "-a", row, "-a", "pymalloc")
        for keep in (0, 100):
            self.assertRegex(ran.stderr, r"no census of bulk:n=20000,size=32,order=random,keep=%d on broken=.*: signal: .*signal 11 "
                             r"\(Segmentation fault\) in phase build" % keep)
        self.assertEqual(self.files(), ["000001.json.gz", "000003.json.gz"], "those of pymalloc")

    def test_one_that_does_not_add_up_is_not_written(self):
        row = "liar=" + self.plugin("liar", pools=2)
        ran = self.run_into(*BULK, "-a", row)
        self.assertIn("phases[0].classes[0] has 2 pools, 1 blocks in use and 15 available, its arenas have 1, 1 and 15", ran.stderr)
        self.assertEqual(self.files(), [])

    def test_one_that_hangs_is_stopped_at_the_limit_of_the_plan(self):
        row = "slow=" + self.plugin("slow", "pause();")
        ran = self.run_into("-w", "bulk:n=1k", "--idle", "0s", *QUIET, "--timeout", "1s", "-a", row)
        self.assertRegex(ran.stderr, r"no census of .*: timeout: stopped after the time limit of 1 s")


class Printed(Census):
    def test_a_plugin_s_own_pools_are_printed(self):
        self.run_into("-w", "bulk:n=1k", "--idle", "0s", *QUIET, "-a", "own=" + self.plugin("own"))
        told = self.stats("-a", self.read("plan.json")["cells"][0]["allocator"], "--phase", "free").stdout
        self.assertIn("    3     64           1               1            15\n", told)
        self.assertIn("1 arenas * 4096 bytes/arena        =                4,096\n", told)
        self.assertNotIn("Total", told, "it tells no figures to add up")

    def test_filters_choose_cells_and_phases(self):
        self.run_into(*BULK, "-a", "pymalloc-2.7", "-a", "pymalloc-3.11")
        heads = re.compile(r"(?m)^bulk n=20000 size=32 order=random keep=(\d+), 1.00 ms idle, on (\S+) \(.* geometry\)\nphase (\w+):")
        self.assertEqual(len(heads.findall(self.stats().stdout)), 2 * 2 * 3)
        for arguments, found in ((("-w", "bulk:keep=100", "--phase", "free"),
                                  [("100", "pymalloc-2.7", "free"), ("100", "pymalloc-3.11", "free")]),
                                 (("-w", "bulk", "-a", "pymalloc-2.7", "--phase", "build"),
                                  [("0", "pymalloc-2.7", "build"), ("100", "pymalloc-2.7", "build")]),
                                 (("-w", "bulk:n=20k,keep=0|5", "-a", "pymalloc-3.11", "--phase", "idle"),
                                  [("0", "pymalloc-3.11", "idle")])):
            self.assertEqual(heads.findall(self.stats(*arguments).stdout), found)

    def test_filters_that_match_nothing_say_what_there_is(self):
        self.run_into(*BULK, "-a", "pymalloc-2.7")
        for arguments, says in ((("-w", "bulk:keep=7"), "keep=100, 1.00 ms idle, on pymalloc-2.7"),
                                (("-w", "list_lifetime"), "keep=0, 1.00 ms idle, on pymalloc-2.7"),
                                (("-a", "glibc"), "on pymalloc-2.7"), (("--phase", "del"), "build free idle"),
                                (("-w", "bulkk"), "did you mean bulk?"), (("-w", "bulk:kepe=1"), "keep"),
                                (("-a", "a", "-a", "b"), "one row at a time")):
            with self.subTest(arguments=arguments):
                refused = self.stats(*arguments, status=2)
                self.assertIn(says, refused.stderr)
                self.assertEqual(refused.stdout, "")

    def test_json_is_the_census_with_its_cell(self):
        self.run_into(*BULK, "-a", "pymalloc", "-a", "glibc")
        cells = json.loads(self.stats("--json").stdout)
        self.assertEqual([(cell["cell"], cell["allocator"], cell["reason"]) for cell in cells],
                         [(0, "pymalloc", None), (1, "glibc", "glibc tells of no pools"), (2, "pymalloc", None),
                          (3, "glibc", "glibc tells of no pools")])
        self.assertEqual(cells[0]["phases"], self.census(0)["phases"])
        (one,) = json.loads(self.stats("--json", "-w", "bulk:keep=0", "-a", "pymalloc", "--phase", "free").stdout)
        self.assertEqual(one["phases"], [self.census(0)["phases"][1]])
        self.assertEqual(json.loads(self.stats("--json", "-a", "pymalloc", "-w", "bulk:keep=100").stdout)[0]["cell"], 2)

    def test_a_run_of_before_the_census_says_that_it_has_none(self):
        self.run_into(*BULK, "-a", "pymalloc", "--no-census")
        plan = self.read("plan.json")
        del plan["passes"]
        with open(self.folder("run/plan.json"), "w", encoding="utf-8") as file:
            json.dump(plan, file)
        told = tidemark("stats", self.folder(), "-a", "pymalloc")
        self.assertEqual((told.returncode, told.stdout), (1, ""))
        self.assertIn("no census: the run was made without", told.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
