#!/usr/bin/python3
"""
`tidemark selftest` on values that are made up: planted differences are found, twins are not called different, and its criteria can fail.
It leaves out this machine (selftest_run_test.py).
"""
import json
import sys
import unittest
import unittest.mock

import numpy

sys.path.insert(0, "tests")
sys.path.insert(0, "plot")
import selftest  # noqa: E402
import verdict  # noqa: E402
from selftest import Trial  # noqa: E402

SIMULATE = selftest.simulate
TRIAL = Trial(20, 20, 20, 6, (1, 2, 5, 10), (1, 2, 5, 10), (5, 20), True)


def made_up(spread, drift=0.0, seed=1, rounds=400):
    """Values as a selftest measures them, on a machine of this spread: what is planted is there to the percent."""
    dice = numpy.random.default_rng(seed)
    shared = numpy.exp(numpy.linspace(0, drift, rounds)) * dice.lognormal(0, spread / 2, rounds)

    def times(share):
        return list(40e6 * (1 + share) * shared * dice.lognormal(0, spread, rounds))

    def amounts(value):
        return list(value + 4096.0 * dice.integers(0, 3, rounds * 3 // 10))
    rows = {"clean": 0, "twin": 0, "control": 0, "slower1": 0.01, "slower2": 0.02, "slower5": 0.05, "slower10": 0.1}
    held = {"clean": 30e6, "control": 30e6, "holds1": 30.3e6, "holds2": 30.6e6, "holds5": 31.5e6, "holds10": 33e6, "never": 30e6, "leaks": 30e6}
    kept = {"clean": 1.1e6, "control": 1.1e6, "never": 24e6, "leaks": 20e6}
    return {"turns_per_percent": 1.0, "time": {row: times(share) for row, share in rows.items()},
            "cpu": {row: times(share) for row, share in rows.items()}, "together": {row: times(share) for row, share in rows.items()},
            "peak": {row: amounts(value) for row, value in held.items()},
            "retained": {row: amounts(kept.get(row, 1.1e6)) for row in held},
            "kept": {"clean": amounts(24e6), "control": amounts(24e6), "at-once": amounts(1.1e6)}}


def criterion(result, beginning):
    return next(one for one in result["criteria"] if one["what"].startswith(beginning))


class Judged(unittest.TestCase):
    """On values that are made up."""

    @classmethod
    def setUpClass(cls):
        cls.values = made_up(0.02, drift=0.1)
        cls.result = selftest.evaluate(cls.values, TRIAL)

    def test_on_a_machine_of_two_percent_the_verdicts_hold(self):
        failed = [one for one in self.result["criteria"] if one["passes"] is False]
        self.assertEqual((self.result["passes"], failed), (True, []))

    def test_five_percent_is_found_in_nine_of_ten_with_20_rounds(self):
        found = criterion(self.result, "together: 5 % more found, measured")
        self.assertGreaterEqual(found["found"], 18)
        self.assertEqual(found["of"], 20)
        self.assertGreaterEqual(criterion(self.result, "together: 5 % more found, simulated")["found"], 90)

    def test_twins_are_called_different_in_one_of_twenty_at_most(self):
        for line in self.result["simulated"]:
            self.assertLessEqual(line["alarms"], 5, line)

    def test_more_rounds_find_less(self):
        curve = {line["rounds"]: line["detectable"] for line in self.result["simulated"] if line["metric"] == "together"}
        self.assertIsNone(curve[5], "five values have no interval")
        self.assertLessEqual(curve[20], 0.05)

    def test_what_was_kept_of_it_gives_the_same_words(self):
        kept = json.loads(json.dumps(self.result))
        self.assertEqual(selftest.judge_repetitions(kept["values"]["cpu"], kept["rounds"]), kept["words"]["cpu"])
        few = [selftest.simulate(values["cpu"], (10,), 5) for values in (self.values, kept["values"])]
        self.assertEqual(few[0], few[1])

    def test_the_table_has_every_criterion(self):
        text = selftest.table(self.result)
        for one in self.result["criteria"]:
            self.assertIn(one["what"], text)
        self.assertTrue(text.endswith("the verdicts hold"))


class Failing(unittest.TestCase):
    """The trial is no good unless it can fail."""
    simulated = {}

    @classmethod
    def simulate(cls, values, rounds, compute):
        """What is the same each time is simulated once."""
        key = (verdict.judge, rounds, compute, *(tuple(values[row]) for row in ("clean", "twin", "control")))
        if key not in cls.simulated:
            cls.simulated[key] = SIMULATE(values, rounds, compute=compute)
        return cls.simulated[key]

    def setUp(self):
        patch = unittest.mock.patch.object(selftest, "simulate", self.simulate)
        patch.start()
        self.addCleanup(patch.stop)

    def failed(self, change):
        values = made_up(0.01, rounds=100)
        change(values)
        result = selftest.evaluate(values, Trial(5, 20, 5, 6, (5,), (10,), (20,), True))
        self.assertFalse(result["passes"])
        self.assertIn("FAIL", selftest.table(result))
        return [one["what"] for one in result["criteria"] if one["passes"] is False]

    def test_twins_that_differ(self):
        def change(values):
            values["cpu"]["twin"] = [1.2 * value for value in values["cpu"]["twin"]]
        self.assertIn("cpu: twins called different, measured, 20 rounds", self.failed(change))

    def test_a_fault_in_memory_that_is_not_there(self):
        def change(values):
            values["retained"]["leaks"] = values["retained"]["control"]
        self.assertEqual(self.failed(change), ["a leak found"])

    def test_a_planted_difference_that_is_another(self):
        def change(values):
            values["together"]["slower5"] = values["together"]["slower10"]
        self.assertEqual(self.failed(change), ["together: 5 % more as planted, over all rounds"])

    def test_noise_that_hides_five_percent(self):
        def change(values):
            values["together"] = made_up(0.2, seed=3, rounds=100)["together"]
        self.assertIn("together: 5 % more found, simulated, 20 rounds", self.failed(change))

    def test_a_rule_that_cries_wolf(self):
        """Were everything told by the medians alone, twins would be called different: the criterion sees that."""
        def judge(difference, corrected, threshold, floor=None, *others):
            return verdict.Verdict("worse" if difference.ratio.value > 1 else "better", "")
        kept, verdict.judge = verdict.judge, judge
        try:
            self.assertIn("cpu: twins called different, simulated, 20 rounds", self.failed(lambda values: None))
        finally:
            verdict.judge = kept


if __name__ == "__main__":
    unittest.main(verbosity=2)
