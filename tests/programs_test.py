"""The workload `packaged`: each program runs as its driver has it, measured by itself, or is n/a with the name of its package."""
import json
import os
import shutil
import tempfile
import unittest

import sys
sys.path.insert(0, "tests")
from tidemark_run import Scratch, run_into, tidemark  # noqa: E402

# By program: a command that it needs, its package, phases of its driver, and the least and most of its peak in MB.
PROGRAMS = {
    "python_json": ("python3", "python3", ["run", "build", "dump", "load", "drop", "end"], 60, 600),
    "python_text": ("python3", "python3", ["run"], 60, 900),
    "redis": ("redis-check-rdb", "redis-tools", ["start", "fill", "full", "flush", "after", "end"], 40, 400),
    "sqlite": ("sqlite3", "sqlite3", ["run"], 20, 400),
    "nginx": ("nginx", "nginx-light", ["start", "serve", "after", "end"], 2, 60),
    "gcc": ("gcc", "gcc", ["run"], 20, 400),
    "gxx": ("g++", "g++", ["run"], 40, 900),
    "git": ("git", "git", ["run"], 5, 400),
    "lua": ("lua5.4", "lua5.4", ["run"], 5, 600),
    "perl": ("perl", "perl", ["run"], 5, 600),
    "xz": ("xz", "xz-utils", ["run"], 20, 200),
    "zstd": ("zstd", "zstd", ["run"], 5, 600),
    "ghostscript": ("gs", "ghostscript", ["run"], 10, 300),
}
MB = 1e6


def read_run(folder):
    """Cells and samples, in that order."""
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
        return cells, [json.loads(line) for line in file]


class Programs(Scratch):
    def test_each_program_runs_on_jemalloc_or_names_its_package(self):
        for program, (command, package, phases, least, most) in PROGRAMS.items():
            with self.subTest(program=program):
                cells, samples = read_run(run_into(self.scratch, "-w", "packaged:program=" + program, "-a", "jemalloc", "--rounds", "1"))
                if not shutil.which(command):
                    self.assertEqual(samples, [])
                    self.assertEqual(cells[0]["not_available"], f"{command} is not installed: it is in the Debian package {package}")
                    continue
                self.assertEqual([sample["status"] for sample in samples], ["ok"], samples[0].get("reason"))
                self.assertEqual([phase["name"] for phase in samples[0]["phases"]], phases)
                self.assertTrue(least * MB < samples[0]["peak_bytes"] < most * MB, samples[0]["peak_bytes"])
                self.assertIn("libjemalloc", samples[0]["providers"]["object"])

    def test_every_program_of_the_workload_is_tested(self):
        listed = json.loads(tidemark("list", "workloads", "--json").stdout)
        workload = next(one for one in listed if one["name"] == "packaged")
        self.assertEqual(sorted(workload["parameters"][0]["choices"]), sorted(PROGRAMS))

    def test_a_program_that_is_not_there_is_not_available(self):
        path = tempfile.mkdtemp(dir=self.scratch)
        for name in ("sh", "env", "awk"):
            os.symlink(shutil.which(name), os.path.join(path, name))
        run = os.path.join(self.scratch, "none")
        ran = tidemark("run", "-o", run, "--warm-up", "0", "-w", "packaged:program=sqlite", "-a", "glibc", "--rounds", "1", env={**os.environ, "PATH": path})
        self.assertIn("sqlite3 is not installed: it is in the Debian package sqlite3", ran.stdout + ran.stderr)

    def test_ways_that_need_the_workload_itself_are_not_available(self):
        for way in ("purge", "pressure"):
            run = os.path.join(self.scratch, way)
            ran = tidemark("run", "-o", run, "--warm-up", "0", "-w", "packaged:program=xz", "-a", "jemalloc", "--rounds", "1", "--return", way)
            self.assertIn("jemalloc is not asked to give back by a program", ran.stdout + ran.stderr)


if __name__ == "__main__":
    unittest.main()
