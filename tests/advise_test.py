#!/usr/bin/python3
"""
Promises of `tidemark advise`: who dominates whom, on known answers and in noise; fronts, means over experiments, orders by weights;
the paragraphs; and the command from outside, on planted runs and hostile ones. It leaves out statistics (inference_test.py).
The runs are synthetic, for tests only, but for results/reference. Run from the repository root: /usr/bin/python3 tests/advise_test.py
"""
import json
import math
import os
import pty
import re
import subprocess
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import MB, Folder, change_json, list_lifetime, make_run, read, write  # noqa: E402
import terminals  # noqa: E402
from tidemark_run import TIDEMARK, tidemark  # noqa: E402

import numpy  # noqa: E402

import advice_words  # noqa: E402
import advise  # noqa: E402
import dominance  # noqa: E402
import processes  # noqa: E402
import run_folder  # noqa: E402
from dominance import CERTAIN, MAY, MAYBE, NOT, OFF, ON, Ratio  # noqa: E402

MIB = 2**20


def sure(value, low=None, high=None):
    return Ratio(value, low or value, high or value, True)


def seen(value, low, high):
    return Ratio(value, low, high, False)


def values_of(rows, blocks=10, noise=0.0, seed=1):
    """[axis, row, block] of rows given as (seconds, peak MB, retained MB); a round slows all rows alike, `noise` each by itself."""
    generator = numpy.random.default_rng(seed)
    found = numpy.empty((3, len(rows), blocks))
    for row, (seconds, peak, retained) in enumerate(rows):
        found[0, row], found[1, row], found[2, row] = seconds * 1e9, peak * MB, retained * MB
    found[0] *= numpy.exp(generator.normal(0, 0.1, blocks)) * numpy.exp(generator.normal(0, noise, (len(rows), blocks)))
    return found


def compare(*rows, **options):
    return dominance.compare([chr(ord("A") + index) for index in range(len(rows))], values_of(rows, **options))


class Pairs(unittest.TestCase):
    def test_six_ratios_hold_their_median_between_the_least_and_the_greatest(self):
        ratio = dominance.paired_ratio(numpy.array([1.0, 2, 3, 4, 5, 6]), numpy.array([2.0] * 6))
        self.assertEqual(ratio, Ratio(1.75, 0.5, 3.0, True))

    def test_what_a_round_does_to_both_rows_cancels(self):
        rounds = numpy.array([1.0, 7, 2, 30, 0.5, 11])
        self.assertEqual(dominance.paired_ratio(3 * rounds, 2 * rounds), Ratio(1.5, 1.5, 1.5, True))

    def test_below_six_rounds_there_is_a_range_and_no_interval(self):
        ratio = dominance.paired_ratio(numpy.array([1.0, 2, 3, 4, 5]), numpy.ones(5))
        self.assertEqual(ratio, seen(3.0, 1.0, 5.0))

    def test_the_interval_holds_the_truth_as_often_as_it_says(self):
        """Two equal rows, a round slows both: why ratios have exact intervals (docs/advise.md)."""
        exact = 0
        for seed in range(300):
            one, other = values_of([(1.0, 1, 1)] * 2, blocks=6, noise=0.03, seed=seed)[0]
            ratio = dominance.paired_ratio(one, other)
            exact += ratio.low <= 1 <= ratio.high
        self.assertGreaterEqual(exact / 300, 0.95 - 3 * math.sqrt(0.95 * 0.05 / 300))

    def test_the_answers_of_the_rule(self):
        same, better, worse, open_to_both = sure(1), sure(0.8, 0.7, 0.9), sure(1.2, 1.1, 1.3), sure(0.97, 0.9, 1.1)
        for ratios, point, wanted in (
                ((better, same, same), -0.2, CERTAIN), ((better, better, better), -0.6, CERTAIN), ((same, same, better), -0.2, CERTAIN),
                ((worse, better, better), -0.2, NOT),        # a trade
                ((same, same, same), 0.0, NOT),              # nowhere better
                ((worse, same, same), 0.2, NOT),
                ((open_to_both, same, same), -0.03, MAY), ((better, open_to_both, same), -0.2, MAY),
                ((sure(0.995, 0.992, 0.999), same, same), -0.005, NOT),  # below the margin: no difference
                ((better, sure(1.008, 1.006, 1.009), same), -0.2, CERTAIN),  # a loss below the margin is none
                ((sure(0.985, 0.98, 0.989), sure(1.009, 1.008, 1.0095), sure(1.009, 1.008, 1.0095)), 0.003, MAY)):
            with self.subTest(ratios=ratios):
                self.assertEqual(dominance.outcome(ratios, point), wanted)

    def test_too_few_rounds_never_dominate_for_certain(self):
        better, same, worse = seen(0.5, 0.4, 0.6), seen(1.0, 1.0, 1.0), seen(2.0, 1.9, 2.1)
        self.assertEqual(dominance.outcome((better, same, same), -0.7), MAY)
        self.assertEqual(dominance.outcome((better, worse, same), 0.0), NOT)
        self.assertEqual(dominance.outcome((seen(1.2, 0.9, 1.4), same, same), 0.2), NOT)


class Fronts(unittest.TestCase):
    def test_a_planted_row_is_dominated_and_only_it(self):
        found = compare((1.0, 100, 10), (0.8, 120, 10), (1.3, 125, 12), noise=0.01)
        self.assertEqual(found.front, [ON, ON, OFF])
        self.assertEqual(found.dominators(2, CERTAIN), [0, 1])
        self.assertEqual(found.share, [1.0, 1.0, 0.0])

    def test_a_trade_leaves_every_row_on_the_front(self):
        found = compare((1.0, 300, 30), (2.0, 200, 30), (3.0, 300, 10))
        self.assertEqual(found.front, [ON] * 3)

    def test_two_rows_that_cannot_be_told_apart_are_maybe(self):
        found = compare((1.0, 100, 10), (1.02, 100, 10), noise=0.1)
        self.assertEqual(found.front, [MAYBE, MAYBE])
        self.assertEqual(found.share[0] + found.share[1] >= 1, True)

    def test_three_rounds_decide_nothing(self):
        found = compare((1.0, 100, 10), (2.0, 200, 20), blocks=3)
        self.assertEqual(found.front, [ON, MAYBE])
        self.assertEqual((found.share, found.resamples), ([None, None], None))
        self.assertEqual(found.spans[0][0], (None, None))

    def test_next_to_nothing_is_as_good_as_nothing(self):
        """0 and 0.9 MB retained are alike, and shown as they are."""
        found = compare((1.0, 100, 0.0), (1.0, 100, 0.9))
        self.assertEqual(found.ratios[2][0][1], sure(1.0))
        self.assertEqual(found.middles[2], [0.0, 0.9 * MB])
        self.assertEqual(found.front, [ON, ON])

    def test_less_than_nothing_retained_is_no_error(self):
        found = compare((1.0, 100, -2.0), (1.0, 100, 50.0))
        self.assertEqual(found.outcomes[0][1], CERTAIN)

    def test_no_front_is_empty_however_near_the_rows_are(self):
        generator = numpy.random.default_rng(3)
        logs = generator.uniform(-0.012, 0.012, (20000, 3, 6))
        self.assertTrue(dominance.front_of(logs).any(axis=1).all())

    def test_equal_rows_are_seldom_called_dominated(self):
        """The rate of false alarms: of six rounds, one order of all six is 1 in 64 for each of the two."""
        with mock.patch("inference.RESAMPLES", 9):  # of shares alone, which are no matter here
            alarms = sum(OFF in compare((1.0, 100, 10), (1.0, 100, 10), blocks=6, noise=0.05, seed=seed).front for seed in range(400))
        self.assertLessEqual(alarms / 400, 2 / 64 + 3 * math.sqrt(2 / 64 / 400))


class Means(unittest.TestCase):
    def test_they_are_of_ratios_to_the_best_of_each_experiment(self):
        first, second = values_of([(1.0, 100, 10), (2.0, 100, 10)]), values_of([(30.0, 10, 80), (10.0, 40, 10)])
        found = dominance.mean_over(["A", "B"], [first, second])
        for axis, wanted in enumerate(((3**0.5, 2**0.5), (1.0, 2.0), (8**0.5, 1.0))):
            for row in range(2):
                self.assertAlmostEqual(found.middles[axis][row], wanted[row])

    def test_the_interval_is_that_of_rounds_within_experiments(self):
        experiments = [values_of([(1.0, 100, 10), (1.5, 100, 10)], blocks=8, noise=0.05, seed=seed) for seed in range(4)]
        ratio = dominance.mean_over(["A", "B"], experiments).ratios[0][1][0]
        self.assertTrue(ratio.sure)
        self.assertLess(ratio.low, ratio.value)
        self.assertTrue(1.4 < ratio.low < 1.5 < ratio.high < 1.6, ratio)

    def test_an_experiment_of_few_rounds_makes_the_mean_uncertain(self):
        found = dominance.mean_over(["A", "B"], [values_of([(1.0, 100, 10), (2.0, 100, 10)], blocks=count) for count in (8, 3)])
        self.assertFalse(found.sure)
        self.assertEqual(found.front, [ON, MAYBE])

    def test_which_experiments_are_averaged(self):
        sets = ["abc", "abc", "abc", "bcdef", "defgh", "defgh", "xy"]
        self.assertEqual(dominance.choose_blocks(sets), [([4, 5], set("defgh")), ([0, 1, 2], set("abc"))])
        self.assertEqual(dominance.choose_blocks(["ab", "abc", "abd"]), [([0, 1, 2], set("ab"))])
        self.assertEqual(dominance.choose_blocks(["a", "ab"]), [])
        self.assertEqual(dominance.choose_blocks([]), [])


class Orders(unittest.TestCase):
    def test_the_order_is_that_of_the_weighted_geometric_mean(self):
        found = compare((1.0, 400, 10), (2.0, 100, 10), (4.0, 401, 11))
        for weights, wanted in (((1, 0, 0), [0, 1]), ((0, 1, 0), [1, 0]), ((1, 1, 0), [1, 0]), ((3, 1, 0), [0, 1])):
            with self.subTest(weights=weights):
                self.assertEqual([row for row, _ in dominance.order_front(found, weights)], wanted)  # C is dominated
        (_, first), (_, second) = dominance.order_front(found, (1, 1, 0))
        self.assertAlmostEqual(first, 0.0)
        self.assertAlmostEqual(math.exp(second), 2**0.5)

    def test_an_order_that_hangs_on_the_weights_is_told(self):
        found = compare((1.0, 400, 10), (4.0, 100, 10))
        stable = dominance.weigh_stability(found, (1, 1.01, 0))
        self.assertEqual(stable.changes, 9)
        self.assertEqual(stable.first, {0: 3, 1: 6})
        self.assertEqual(dominance.weigh_stability(found, (4, 1, 0)).same, 9)

    def test_weights_are_read_or_refused(self):
        self.assertEqual(advise.read_weights("time=1,retained=.5"), (1.0, 0.0, 0.5))
        for text in ("", "time", "time=", "time=-1", "time=nan", "time=inf", "speed=1", "time=0", "time=1,,peak=1", "time=1e9"):
            with self.subTest(text=text), self.assertRaisesRegex(advise.command.Usage, "weights"):
                advise.read_weights(text)

    def test_how_many_rounds_would_tell(self):
        near = compare((1.0, 100, 10), (1.002, 100, 10), noise=0.001)
        self.assertIsNone(dominance.rounds_to_tell(near, 0, 0, 1))
        self.assertIsNone(dominance.rounds_to_tell(compare((1.0, 100, 10), (2.0, 100, 10), blocks=3), 0, 0, 1))
        clear = compare((1.0, 100, 10), (2.0, 100, 10), noise=0.01)
        self.assertEqual(dominance.rounds_to_tell(clear, 0, 0, 1), dominance.FEWEST)
        noisy = compare((1.0, 100, 10), (1.05, 100, 10), noise=0.1, blocks=20)
        self.assertGreater(dominance.rounds_to_tell(noisy, 0, 0, 1), 20)


class Paragraphs(unittest.TestCase):
    def say(self, *rows, **options):
        found = compare(*rows, **options)
        text = advice_words.paragraph("here", found, advice_words.say_next(found), found.middles)
        return text.replace(advice_words.words.NARROW, " ")

    def test_each_aim_has_its_row(self):
        text = self.say((1.0, 300, 30), (2.0, 200, 30), (3.0, 300, 10), noise=0.001)
        for wanted in ("If time matters, ship A: B, the next, takes 2.0", "If the peak matters, ship B: A, the next, needs 300.0 MB",
                       "If giving back matters, ship C: A, the next, keeps 30.0 MB to C's 10.0 MB", "from 10 rounds",
                       "more rounds of this one will not change the choice"):
            self.assertIn(wanted, text)

    def test_a_row_that_is_best_in_all_is_all_that_is_told_to_ship(self):
        text = self.say((1.0, 100, 10), (1.3, 120, 30), noise=0.01)
        self.assertIn("Whatever matters, ship A: B, the next, takes ", text)
        self.assertIn("Nothing speaks for B beside A", text)

    def test_what_cannot_be_told_is_said_with_what_to_do(self):
        text = self.say((1.0, 100, 10), (1.05, 100, 10), (3.0, 300, 40), noise=0.05)
        self.assertIn("cannot be told from it", text)
        self.assertRegex(text, r"Next: some \d+ rounds would tell A and B apart in time")

    def test_few_rounds_make_no_claim(self):
        text = self.say((1.0, 100, 10), (2.0, 200, 20), blocks=3, noise=0.01)
        for wanted in ("From 3 rounds none of this is certain", "no row is called dominated", "[seen: ", "--rounds 20"):
            self.assertIn(wanted, text)
        self.assertNotIn("95 % intervals", text)

    def test_rows_that_are_alike_are_said_to_be(self):
        text = self.say((1.0, 100, 10), (1.0, 100, 10))
        self.assertIn("No row is clearly worse", text)
        self.assertIn("alike within 1 %", text)


def planted(rounds=8):
    """On one experiment fast trades time for memory, slow is dominated by it, missing is n/a."""
    missing = list_lifetime("missing", 1.0, rounds=rounds)
    missing.update(status="n/a", reason="libmissing.so is not installed", not_available="libmissing.so is not installed")
    return [list_lifetime("fast", 90.0, rounds=rounds), list_lifetime("small", 20.0, rounds=rounds, slower=1.8),
            list_lifetime("slow", 150.0, rounds=rounds, slower=2.5, peak_mb=260.0), missing]


class Command(Folder):
    def advise(self, *arguments, status=0):
        ran = tidemark("advise", self.folder, *arguments)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
        return ran

    def test_a_planted_run(self):
        make_run(self.folder, planted())
        os.remove(os.path.join(self.folder, "summary.json"))
        before = sorted(os.walk(self.folder))
        told = self.advise().stdout.replace(advice_words.words.NARROW, " ")
        self.assertEqual(sorted(os.walk(self.folder)), before, "it writes nothing to the run")
        for wanted in (r"slow .* no 0 %  dominated by fast and small", r"fast .* yes 100 %", "n/a: missing: libmissing.so is not installed",
                       "If time matters, ship fast", "ship small", "Nothing speaks for slow"):
            self.assertRegex(" ".join(told.split("\n")), wanted)
        self.assertNotIn("\x1b", told)

    def test_the_json_says_the_same(self):
        make_run(self.folder, planted())
        told = json.loads(self.advise("--json", "--weights", "time=1").stdout)
        (experiment,) = told["experiments"]
        self.assertEqual({row["row"]: row["front"] for row in experiment["rows"]}, {"fast": "on", "small": "on", "slow": "off"})
        self.assertEqual(experiment["left_out"], [{"row": "missing", "reason": "libmissing.so is not installed"}])
        self.assertEqual([row["row"] for row in experiment["order"]["rows"]], ["fast", "small"])
        pairs = {(pair["row"], pair["over"]): pair for pair in experiment["pairs"]}
        self.assertEqual(len(pairs), 6)
        self.assertEqual(pairs["fast", "slow"]["outcome"], CERTAIN)
        self.assertLess(pairs["fast", "slow"]["time"]["high"], 0.5)
        self.assertEqual(told["weights"], {"time": 1.0, "peak": 0.0, "retained": 0.0})
        self.assertEqual(len(told["advice"]), 1)

    def test_paragraphs_are_there_for_a_report(self):
        make_run(self.folder, planted()[:3])
        run = run_folder.read_run(self.folder)
        (text,) = advise.paragraphs(run)
        self.assertIn("ship fast", text)

    def test_a_row_that_failed_once_is_not_shipped(self):
        make_run(self.folder, planted()[:3])
        lines = read(self.folder, "samples.jsonl").splitlines()
        record = {**json.loads(lines[0]), "status": "signal", "reason": "killed by SIGSEGV in build"}
        write(self.folder, "samples.jsonl", "\n".join([json.dumps(record), *lines[1:], ""]))
        self.assertIn("n/a: fast: 1 of 8 samples: killed by SIGSEGV in build", self.advise().stdout)

    def test_rounds_that_all_rows_have_are_compared(self):
        """As of an interrupted run: the last sample is not there."""
        make_run(self.folder, planted()[:3])
        lines = read(self.folder, "samples.jsonl").splitlines()
        write(self.folder, "samples.jsonl", "\n".join([*lines[:-1], ""]))
        self.assertIn("(7 rounds)", self.advise().stdout)

    def test_means_over_experiments_name_who_is_not_in_them(self):
        cells = planted(6)[:3]
        other = [list_lifetime(row, kept, rounds=6, slower=slower) for row, kept, slower in (("fast", 80, 1), ("small", 20, 2))]
        for cell in other:
            cell["params"] = {**cell["params"], "n": "1000000"}
        failed = {**list_lifetime("slow", 1.0, rounds=6), "params": other[0]["params"]}
        failed.update(status="oom", reason="more than the limit", not_available="more than the limit")
        make_run(self.folder, [*cells, *other, failed])
        told = self.advise().stdout
        self.assertIn("Over 2 experiments (list_lifetime)  (6 rounds)", told)
        self.assertIn("n/a: slow: more than the limit", told.partition("Over 2")[2])
        chosen = self.advise("-w", "list_lifetime:n=1M").stdout
        self.assertNotIn("Over 2", chosen)
        self.assertIn("n=1M", chosen)

    def test_another_rest_of_the_same_program_does_not_count_twice(self):
        rows = (("fast", 90.0), ("small", 20.0))
        make_run(self.folder, [list_lifetime(row, kept, rounds=6, idle_s=idle_s) for row, kept in rows for idle_s in (0.5, 12)])
        told = json.loads(self.advise("--json").stdout)
        self.assertEqual((len(told["experiments"]), told["overall"], len(told["advice"])), (2, [], 1))
        self.assertEqual([told["experiments"][index]["idle_ns"] for index in told["not_in_overall"]], [12 * 10**9])

    def test_names_with_quotes_and_controls_reach_no_terminal_as_they_are(self):
        rows = ("it's", plot_test.HOSTILE)
        make_run(self.folder, [list_lifetime(row, kept, rounds=6) for row, kept in zip(rows, (20.0, 90.0))])
        told = self.advise().stdout
        self.assertIn("it's", told)
        self.assertNotIn("\x1b", told)
        self.assertEqual(json.loads(self.advise("--json").stdout)["experiments"][0]["rows"][1]["row"], plot_test.HOSTILE)

    def test_what_is_refused(self):
        make_run(self.folder, planted()[:2])
        for arguments, status, said in (
                (("-w", "list_lifetime:n=7"), 2, "no cell of"), (("-w", "nosuch"), 2, "no workload is called 'nosuch'"),
                (("--weights", "time=x"), 2, "'time=x'"), (("--weights", "peak=0"), 2, "above 0"), (("another",), 2, "one run at a time"),
                (("-w", "larson", "-w", "larson"), 2, "one workload at a time")):
            with self.subTest(arguments=arguments):
                self.assertIn(said, self.advise(*arguments, status=status).stderr)
        missing = tidemark("advise", self.folder + "/nothing")
        self.assertEqual((missing.returncode, missing.stdout), (1, ""))
        self.assertIn("no such folder", missing.stderr)

    def test_a_damaged_run_is_refused_by_its_place(self):
        make_run(self.folder, planted()[:2])
        good = read(self.folder, "samples.jsonl")
        for text, said in ((good + "[]\n", "samples.jsonl:17"), (good + good.splitlines()[0] + "\n", "twice"),
                           (good.replace('"wall_ns": ', '"wall_ns": "x", "y": ', 1), "wall_ns")):
            write(self.folder, "samples.jsonl", text)
            self.assertIn(said, self.advise(status=1).stderr)
        write(self.folder, "samples.jsonl", good)
        change_json(self.folder, "plan.json", lambda plan: plan.update(format=2))
        self.assertIn("format 2", self.advise(status=1).stderr)

    def test_a_full_disk_is_an_error(self):
        make_run(self.folder, planted()[:2])
        with open("/dev/full", "w", encoding="utf-8") as full:
            ran = subprocess.run([TIDEMARK, "advise", self.folder], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("cannot write to stdout: No space left on device", ran.stderr)

    def on_terminal(self, **environment):
        if lacks := terminals.find():
            self.skipTest("not run: " + lacks)
        process, terminal = pty.fork()
        if process == 0:
            os.execve(TIDEMARK, ["tidemark", "advise", self.folder], {**os.environ, "TERM": "xterm", **environment})
        shown = b""
        try:
            while piece := os.read(terminal, 65536):
                shown += piece
        except OSError:  # the other end is closed
            pass
        os.close(terminal)
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), 0)
        return shown.decode()

    def test_the_front_is_bold_on_a_terminal_unless_no_color_is_set(self):
        make_run(self.folder, planted()[:3])
        self.assertRegex(self.on_terminal(NO_COLOR=""), "\x1b\\[1m  fast")
        self.assertNotIn("\x1b", self.on_terminal(NO_COLOR="1"))
        self.assertNotIn("\x1b", self.on_terminal(TERM="dumb"))


class Documents(unittest.TestCase):
    def test_the_example_is_what_is_printed_of_the_reference(self):
        told = tidemark("advise", "results/reference", "-w", "list_lifetime").stdout
        blocks = re.findall(r"```\n(.*?)```", read("docs", "advise.md"), re.DOTALL)
        self.assertIn(told, blocks)

    def test_the_reference_can_be_advised_on_whole(self):
        run = processes.read("results/reference")
        found = advise.advise(run)
        self.assertEqual([one.comparison.rounds for one in found.overalls], [3, 6])
        self.assertEqual(len(advise.say_paragraphs(found)), 4)


if __name__ == "__main__":
    unittest.main(verbosity=2)
