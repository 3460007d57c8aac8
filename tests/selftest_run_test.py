#!/usr/bin/python3
"""
`tidemark selftest` on this machine: the planted faults are there, and what is far above any noise is found.
It leaves out how often a verdict is wrong (selftest_test.py).
"""
import json
import os
import sys
import unittest

import numpy

sys.path.insert(0, "tests")
sys.path.insert(0, "plot")
import measured  # noqa: E402
import selftest  # noqa: E402
from selftest_test import criterion  # noqa: E402
from tidemark_run import Scratch, run_into, tidemark  # noqa: E402

PLANTED = os.path.abspath(os.environ.get("PLANTED", "build/libtidemark-planted.so"))


class Planted(Scratch):
    """libtidemark-planted.so: each fault by itself, beside its clean twin."""

    def cells(self, workload, rounds=3, **rows):
        words = [word for row, tunables in rows.items() for word in ("-a", f"{row}={PLANTED}{tunables}")]
        run = run_into(self.scratch, "-w", workload, "--rounds", str(rounds), "--idle", "0s", *words)
        return {cell.label: cell for cell in measured.read(run).cells}

    def median(self, cell, metric):
        return float(numpy.median(measured.values_of(cell, measured.METRICS[metric]).numbers))

    def test_work_takes_time_and_nothing_else(self):
        # Where libraries are mapped moves a peak of 2.5 MB by 5 % either way, from sample to sample: 15 have their median within some 2 %.
        cells = self.cells("glibc_simple:n=100k,live=400,size=64", rounds=15, clean="", slow="+spin:20000")
        self.assertGreater(self.median(cells["slow"], "cpu"), 2 * self.median(cells["clean"], "cpu"))
        self.assertAlmostEqual(self.median(cells["slow"], "peak") / self.median(cells["clean"], "peak"), 1, delta=0.05)

    def test_what_is_held_is_that_share_of_what_is_live(self):
        cells = self.cells(selftest.HOLD, clean="", holds="+hold:50", none="+hold:0")
        more = self.median(cells["holds"], "peak") - self.median(cells["clean"], "peak")
        self.assertAlmostEqual(more / (1500 * 16384 / 2), 1, delta=0.05)
        self.assertAlmostEqual(self.median(cells["none"], "peak") / self.median(cells["clean"], "peak"), 1, delta=0.02)
        self.assertEqual(self.median(cells["holds"], "retained"), measured.MIB, "it goes with what it is a share of")

    def test_never_and_at_once_and_leaks(self):
        cells = self.cells(selftest.HOLD, clean="", never="+return:never", leaks="+leak:10")
        self.assertEqual(self.median(cells["clean"], "retained"), measured.MIB)
        for row in ("never", "leaks"):
            self.assertGreater(self.median(cells[row], "retained"), 0.8 * 1500 * 16384)
        cells = self.cells(selftest.SURVIVE, clean="", once="+return:at-once")
        self.assertGreater(self.median(cells["clean"], "retained"), 0.8 * 1500 * 16384)
        self.assertLess(self.median(cells["once"], "retained"), 0.1 * 1500 * 16384)


class Command(Scratch):
    def test_words_that_are_not_understood_are_usage_errors(self):
        for arguments, says in ((("x",), "it takes no argument, not 'x'"), (("-o", "-x"), "Write ./-x"), (("--nix",), "unrecognized option")):
            refused = tidemark("selftest", *arguments)
            self.assertEqual((refused.returncode, refused.stdout), (2, ""))
            self.assertIn(says, refused.stderr)

    def test_a_folder_that_is_not_empty_is_left_alone(self):
        os.mkdir(self.folder("here"))
        refused = tidemark("selftest", "--quick", "-o", self.scratch)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("it is not empty", refused.stderr)
        self.assertEqual(os.listdir(self.scratch), ["here"])

    def test_the_quick_one_finds_what_is_far_above_noise_and_keeps_its_runs(self):
        ran = tidemark("selftest", "--quick", "--json", "-o", self.folder("kept"), timeout=800)
        self.assertEqual(ran.returncode, 0, ran.stderr + ran.stdout[:3000])
        result = json.loads(ran.stdout)
        with open(self.folder("kept/selftest.json"), encoding="utf-8") as file:
            self.assertEqual(json.load(file), result)
        for metric in ("cpu", "together"):
            self.assertEqual(criterion(result, metric + ": 100 % more found")["found"], 1)
        self.assertEqual(sorted(os.listdir(self.folder("kept"))), ["calibration", "memory", "selftest.json", "survivors", "time", "together"])
        self.assertEqual(tidemark("show", self.folder("kept/time")).returncode, 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
