"""`tidemark run --together` from outside: rows that share a processor, each sample stored as any other."""
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, TIDEMARK, Scratch, read_record, read_samples, tidemark  # noqa: E402

PLANTED = os.path.abspath(os.environ.get("PLANTED", "build/libtidemark-planted.so"))
WORK = ("-w", "glibc_simple:n=400k,live=400,size=64", "-a", "glibc,jemalloc", "--idle", "0s", *PLAIN)


class Together(Scratch):
    def run_together(self, *words, status=0):
        ran = tidemark("run", *WORK, "--together", *words, "-o", self.folder())
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        return ran

    def test_rows_and_their_control_share_one_processor(self):
        ran = self.run_together("--rounds", "6")
        samples = read_samples(self.folder())
        self.assertEqual(sorted((sample["cell"], sample["round"]) for sample in samples), [(cell, turn) for cell in range(3) for turn in range(6)])
        self.assertEqual(len({sample["cpu"] for sample in samples}), 1)
        # Three share it: each takes as long as all of them. One alone has it for itself.
        self.assertGreater(statistics.median(sample["wall_ns"] / sample["cpu_ns"] for sample in samples), 1.8)
        self.assertIn(", and 2 beside it", ran.stderr)
        for text in (ran.stdout, tidemark("show", self.folder()).stdout):
            self.assertIn("rows of a round ran at once, on one processor", text)
        self.assertTrue(read_record(self.folder("run/plan.json"))["together"])
        compared = json.loads(tidemark("compare", self.folder(), "--json").stdout)["comparisons"]
        self.assertEqual([(one["metric"], one["at_once"]) for one in compared], [("cpu", True)])

    def test_each_sample_is_of_its_own_process(self):
        self.run_together("--rounds", "2")
        for sample in read_samples(self.folder()):
            self.assertEqual(sample["status"], "ok")
            self.assertIn("jemalloc" if sample["cell"] == 1 else "libc", sample["providers"]["object"])
        self.assertEqual(len(os.listdir(self.folder("run/curves"))), 4)

    def test_a_row_that_runs_out_of_memory_holds_up_no_other(self):
        """Which it does by taking no block back: 300 MB of them."""
        ran = tidemark("run", "-w", "steady:n=1k,size=1k,replaced=300k", "-a", f"glibc,{PLANTED}+leak:100", "--idle", "0s", "--together", "--rounds", "1",
                       "--memory-limit", "64MiB", *PLAIN, "-o", self.folder())
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertEqual({sample["cell"]: sample["status"] for sample in read_samples(self.folder())}, {0: "ok", 1: "oom"})

    def test_who_takes_times_of_one_row_refuses_it_and_the_page_says_so(self):
        self.run_together("--rounds", "1")
        for command in (("advise", self.folder()), ("history", "add", self.folder(), "--db", self.folder("history.db"))):
            refused = tidemark(*command)
            self.assertEqual((refused.returncode, refused.stdout), (1, ""), refused.stderr)
            self.assertIn("its rows ran at once, so that their times are of all together", refused.stderr)
        self.assertEqual(tidemark("plot", self.folder()).returncode, 0)
        with open(self.folder("run/report.html"), encoding="utf-8") as file:
            self.assertIn("every time on this page is of all of them together", file.read())

    def test_a_plan_says_so_before_it_runs(self):
        self.assertIn("; the rows of a round at once", tidemark("run", *WORK, "--together", "--dry-run").stdout)
        self.assertNotIn("at once", tidemark("run", *WORK, "--dry-run").stdout)

    def test_an_interrupted_run_goes_on_together(self):
        """None of the rows of a round that was cut is kept: the rest of them would be measured alone."""
        command = ("run", *WORK, "--together", "--rounds", "8", "-o", self.folder())
        with subprocess.Popen([TIDEMARK, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not (os.path.exists(self.folder("run/samples.jsonl")) and read_samples(self.folder())):
                time.sleep(0.01)
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        kept = read_samples(self.folder())
        self.assertEqual(len(kept) % 3, 0, "whole rounds")
        self.assertLess(len(kept), 24)
        resumed = tidemark("run", "--resume", self.folder())
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        samples = read_samples(self.folder())
        self.assertEqual((len(samples), samples[:len(kept)]), (24, kept))
        self.assertGreater(statistics.median(sample["wall_ns"] / sample["cpu_ns"] for sample in samples[len(kept):]), 1.5)

    def test_programs_take_turns(self):
        refused = tidemark("run", "programs", "--together", "-o", self.folder())
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("--together: 'packaged' runs programs, which take turns", refused.stderr)

    def test_together_they_have_as_much_memory_as_one(self):
        self.run_together("--rounds", "1")
        tidemark("run", *WORK, "--rounds", "1", "-o", self.folder("apart"))
        one, all_three = (read_record(self.folder(name + "/plan.json"))["memory_limit_bytes"] for name in ("apart", "run"))
        self.assertAlmostEqual(all_three / one, 1 / 2, delta=0.1)


if __name__ == "__main__":
    unittest.main()
