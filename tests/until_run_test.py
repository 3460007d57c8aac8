"""`tidemark run --until` from outside: rounds that are added, what is told of them, and a run that goes on."""
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, TIDEMARK, Scratch, read_samples, show, tidemark  # noqa: E402

SMALL = ("-w", "list_lifetime:n=20k", "--idle", "20ms", "-a", "glibc,pymalloc", *PLAIN)
# No interval of a time is that narrow, and every one of the peak is narrower than that.
NEVER, ALWAYS = ("--until", "0.01%"), ("--until", "50%", "--until-of", "peak")


class Until(Scratch):
    def run_until(self, *words, status=0):
        ran = tidemark("run", *SMALL, *words, "-o", self.folder())
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran

    def read(self, name):
        with open(self.folder("run/" + name), encoding="utf-8") as file:
            return json.load(file)

    def samples(self):
        return read_samples(self.folder())

    def places(self):
        return [(sample["cell"], sample["round"]) for sample in self.samples()]

    def test_rounds_are_added_up_to_the_cap_which_is_told(self):
        ran = self.run_until(*NEVER, "--rounds", "2", "--until-rounds", "8")
        self.assertEqual(sorted(self.places()), [(cell, turn) for cell in range(3) for turn in range(8)],
                         "whole rounds of both rows and of their control")
        plan = self.read("plan.json")
        self.assertEqual(plan["until"], {"share": 0.0001, "metrics": ["wall_ns"], "most_rounds": 8, "most_ns": 1800 * 10**9})
        self.assertEqual(len(plan["order"]), 2, "the planned rounds")
        for cell in self.read("summary.json")[:2]:
            self.assertEqual((cell["samples"], cell["until"]["reached"], cell["until"]["cap"]), (8, False, "rounds"))
            wall = cell["wall_ns"]
            self.assertAlmostEqual(cell["until"]["half_widths"]["wall_ns"],
                                   (wall["high"] - wall["low"]) / 2 / wall["median"], 9)
        for text in (ran.stdout, tidemark("show", self.folder()).stdout):
            self.assertEqual(text.count("inconclusive at the cap: time +-"), 2)
            self.assertIn("until 0.01 %: of 2 rows 0 have an interval whose half is at most that share of the median; "
                          "2 stopped at a bound, inconclusive.\n", text)
        self.assertIn("until 0.01 %: round 3, 3 samples more;", ran.stderr)
        self.assertIn("has no interval yet", ran.stderr)
        self.assertEqual(show(self.folder()), self.read("summary.json"))

    def test_what_is_narrow_with_its_first_interval_stops_there(self):
        ran = self.run_until(*ALWAYS, "--rounds", "2")
        self.assertEqual(sorted(self.places()), [(cell, turn) for cell in range(3) for turn in range(6)])
        for cell in self.read("summary.json")[:2]:
            self.assertEqual((cell["until"]["reached"], cell["until"]["cap"]), (True, None))
            self.assertEqual(list(cell["until"]["half_widths"]), ["peak_bytes"])
        self.assertNotIn("inconclusive", ran.stdout)
        self.assertIn("until 50 %: of 2 rows 2 have", ran.stdout)

    def test_each_added_round_has_an_order_of_its_own_that_the_seed_decides(self):
        orders = []
        for run in ("first", "again"):
            tidemark("run", *SMALL, *NEVER, "--rounds", "1", "--until-rounds", "12", "-o", self.folder(run))
            with open(self.folder(run + "/samples.jsonl"), encoding="utf-8") as file:
                orders.append([json.loads(line)["cell"] for line in file])
        self.assertEqual(orders[0], orders[1])
        rounds = [tuple(orders[0][at:at + 3]) for at in range(0, 36, 3)]
        self.assertEqual({tuple(sorted(cells)) for cells in rounds}, {(0, 1, 2)})
        self.assertGreater(len(set(rounds)), 2)

    def test_the_bound_on_time_is_one_of_samples(self):
        self.run_until(*NEVER, "--rounds", "1", "--until-time", "1s", "--idle", "150ms")
        samples = self.samples()
        took = [sample["took_ns"] for sample in samples]
        self.assertGreaterEqual(sum(took), 10**9)
        before_the_last_round = sum(took[:3 * (len(samples) // 3 - 1)])
        self.assertLess(before_the_last_round, 10**9, "no round was begun after the bound")
        for sample in samples:
            self.assertGreater(sample["took_ns"], sample["phases"][-1]["end_ns"])
        self.assertEqual({cell["until"]["cap"] for cell in self.read("summary.json")[:2]}, {"time"})

    def test_a_suite_s_long_rests_keep_their_own_rounds(self):
        planned = tidemark("run", "quick", "--until", "2%", "--dry-run").stdout
        self.assertIn("; more until half the interval of time is at most 2 %, up to 60 rounds and 30 min 0 s", planned)
        self.assertIn("rounds 1", planned)
        self.assertNotIn("more until", tidemark("run", "quick", "--dry-run").stdout)

    def test_an_interrupted_run_goes_on_to_the_same_decision(self):
        """Stopped in an added round, and killed in another: each time the next run takes what is left of it."""
        words = (*NEVER, "--rounds", "2", "--until-rounds", "9", "--idle", "150ms")
        commands = [("run", *SMALL, *words, "-o", self.folder()), ("run", "--resume", self.folder())]
        for command, with_signal, stored in zip(commands, (signal.SIGINT, signal.SIGKILL), (10, 17)):
            with subprocess.Popen([TIDEMARK, *command], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline and not (os.path.exists(self.folder("run/samples.jsonl")) and
                                                           len(self.samples()) >= stored):
                    time.sleep(0.01)
                process.send_signal(with_signal)
                process.communicate(timeout=30)
        self.assertLess(len(self.samples()), 27)
        self.assertRegex(tidemark("show", self.folder()).stderr, r"6 of 6 samples are here, and 1\d of further rounds; finish it")
        if not self.read("machine.json")["interrupted"]:
            self.assertIn("not narrow yet", tidemark("show", self.folder()).stdout)
        resumed = tidemark("run", "--resume", self.folder())
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertEqual(sorted(self.places()), [(cell, turn) for cell in range(3) for turn in range(9)])
        turns = [turn for _, turn in self.places()]
        self.assertEqual(turns, sorted(turns), "round after round")
        self.assertIn("is complete", tidemark("run", "--resume", self.folder()).stderr)
        tidemark("run", *SMALL, *words, "-o", self.folder("whole"))
        with open(self.folder("whole/samples.jsonl"), encoding="utf-8") as file:
            whole = [(sample["cell"], sample["round"]) for sample in map(json.loads, file)]
        self.assertEqual(self.places(), whole, "as a run that nothing stopped")

    def test_passes_come_after_all_rounds(self):
        ran = tidemark("run", "-w", "list_lifetime:n=20k", "--idle", "20ms", "-a", "glibc,pymalloc", "--warm-up", "0",
                       "--no-repeats", *ALWAYS, "--rounds", "2", "--passes", "census,latency", "-o", self.folder())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(os.listdir(self.folder("run/census")), ["000001.json.gz"])
        self.assertEqual(len(os.listdir(self.folder("run/latency"))), 2)
        self.assertEqual(len(self.samples()), 18)

    def test_words_that_do_not_fit_are_refused_by_name(self):
        for words, says in ((["--until", "2"], "'2' is no share from 0.01% to 50%"),
                            (["--until", "0%"], "'0%' is no share"),
                            (["--until", "2%", "--until-of", "rss"], "'rss' is neither time nor peak nor retained"),
                            (["--until", "2%", "--until-rounds", "5"], "'5' is no number between 6 and 1000"),
                            (["--until", "2%", "--until-time", "0s"], "'0s' is no time between 1s"),
                            (["--until-rounds", "20"], "--until-rounds goes with --until"),
                            (["--until-of", "peak"], "--until-of goes with --until"),
                            (["--until", "2%", "--rounds", "30", "--until-rounds", "20"], "20 is fewer than the 30 of --rounds"),
                            (["--resume", "x", "--until", "2%"], "not with --until")):
            with self.subTest(words=words):
                refused = tidemark("run", *words)
                self.assertEqual(refused.returncode, 2)
                self.assertIn(says, refused.stderr)

    def test_an_edited_bound_is_refused(self):
        self.run_until(*ALWAYS, "--rounds", "2")
        plan = self.read("plan.json")
        plan["until"]["most_rounds"] = 5
        with open(self.folder("run/plan.json"), "w", encoding="utf-8") as file:
            json.dump(plan, file)
        self.assertIn("plan.json has changed", tidemark("run", "--resume", self.folder()).stderr)

    def test_runs_that_did_not_ask_have_no_such_fields(self):
        self.run_until("--rounds", "1")
        self.assertNotIn("until", self.read("plan.json"))
        self.assertNotIn("until", self.read("summary.json")[0])


if __name__ == "__main__":
    unittest.main()
