#!/usr/bin/python3
"""
Promises of plot/inference.py: exact answers on tiny inputs, known values, and intervals that hold what they should as often as
they say. Simulations have a fixed seed. Run from the repository root: /usr/bin/python3 tests/inference_test.py
"""
import math
import os
import subprocess
import sys
import unittest

import numpy
from scipy import stats

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "plot"))
import inference  # noqa: E402
from inference import Interval  # noqa: E402


class Median(unittest.TestCase):
    def test_of_few_values(self):
        self.assertIsNone(inference.median([]))
        self.assertEqual(inference.median([7]), Interval(7.0))
        self.assertEqual(inference.median([3, 1]), Interval(2.0))
        self.assertEqual(inference.median([5, 1, 4, 2, 3]), Interval(3.0), "five have no interval of 95 %")
        self.assertEqual(inference.median([6, 5, 1, 4, 2, 3]), Interval(3.5, 1.0, 6.0))

    def test_the_ranks_are_those_of_the_binomial_distribution(self):
        """Conover's table A3, and by counting: one rank further in would hold less than 95 %."""
        for count, rank in ((6, 0), (8, 0), (9, 1), (12, 2), (15, 3), (20, 5), (25, 7)):
            with self.subTest(count=count):
                found = inference.median(range(count))
                self.assertEqual((found.low, found.high), (rank, count - 1 - rank))
        for count in range(6, 200):
            rank = int(inference.median(range(count)).low)
            outside = [2 * sum(math.comb(count, k) for k in range(upto + 1)) / 2**count for upto in (rank, rank + 1)]
            self.assertLessEqual(outside[0], 0.05, count)
            self.assertGreater(outside[1], 0.05, count)

    def test_it_is_that_of_the_summary_in_c(self):
        """harness/statistics.c computes the medians of tables; both have to print the same."""
        import measured  # noqa: PLC0415 (draws in matplotlib)
        import json  # noqa: PLC0415
        folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "results", "reference")
        with open(os.path.join(folder, "summary.json"), encoding="utf-8") as file:
            summary = json.load(file)
        compared = 0
        for cell, record in zip(measured.read(folder).cells, summary):
            values = measured.values_of(cell, measured.METRICS["time"])
            if values and record["wall_ns"]:
                mine = inference.median(values.numbers)
                self.assertAlmostEqual(mine.value / record["wall_ns"]["median"], 1, places=10)
                self.assertEqual((mine.low, mine.high), (record["wall_ns"]["low"], record["wall_ns"]["high"]))
                compared += 1
        self.assertGreater(compared, 20)

    def test_zeros_and_equal_values(self):
        self.assertEqual(inference.median([0] * 6), Interval(0.0, 0.0, 0.0))
        self.assertIsNone(inference.median([0] * 6).width)
        self.assertEqual(inference.median([4] * 6).width, 0)

    def test_half_its_width_is_told_as_a_share(self):
        self.assertAlmostEqual(inference.median([98, 99, 100, 100, 101, 102]).width, 0.02)


class Difference(unittest.TestCase):
    def test_what_has_no_ratio(self):
        self.assertIsNone(inference.difference([], [1]))
        self.assertIsNone(inference.difference([1], []))
        self.assertIsNone(inference.difference([0, 0, 0], [1, 2, 3]))
        self.assertIsNone(inference.difference([-2, -1, -1], [1, 2, 3]))

    def test_of_one_value_each(self):
        found = inference.difference([2], [3])
        self.assertEqual((found.ratio, found.probability, found.superiority), (Interval(1.5), 1.0, 1.0))

    def test_equal_values_are_equal_for_sure(self):
        found = inference.difference([5] * 8, [5] * 8)
        self.assertEqual((found.ratio, found.probability, found.superiority), (Interval(1.0, 1.0, 1.0), 1.0, 0.5))

    def test_constants_that_differ_have_a_certain_ratio(self):
        found = inference.difference([5] * 8, [6] * 8)
        self.assertEqual(found.ratio, Interval(1.2, 1.2, 1.2))
        self.assertLess(found.probability, 0.001)

    def test_u_counts_pairs_with_ties_as_halves(self):
        self.assertEqual(inference.difference([1, 2], [2, 3]).superiority, 3.5 / 4)
        self.assertEqual(inference.difference([1, 2, 3], [0, 0, 0]).superiority, 0)

    def test_p_is_exact_for_few_values(self):
        """By hand: of C(6, 3) = 20 orders one is as far apart on either side."""
        self.assertAlmostEqual(inference.difference([1, 2, 3], [4, 5, 6]).probability, 2 / 20)
        self.assertAlmostEqual(inference.least_probability(3, 3), 2 / 20)
        self.assertAlmostEqual(inference.difference([1, 2, 4], [3, 5, 6]).probability, 4 / 20)
        self.assertEqual(inference.least_probability(1, 1), 1.0)

    def test_a_published_example(self):
        """Wild and Seber, as in SciPy's documentation: U = 17 or 3 and p = 0.1111."""
        males, females = [19, 22, 16, 29, 24], [20, 11, 17, 12]
        found = inference.difference(females, males)
        self.assertAlmostEqual(found.superiority, 17 / 20)
        self.assertAlmostEqual(found.probability, 0.11111111, places=7)

    def test_many_values_take_the_normal_approximation_and_agree(self):
        dice = numpy.random.default_rng(3)
        first, second = dice.normal(10, 1, 19), dice.normal(10.8, 1, 19)
        exact = inference.probability(first, second)
        normal = stats.mannwhitneyu(second, first, alternative="two-sided", method="asymptotic").pvalue
        self.assertAlmostEqual(exact, normal, delta=0.003)
        self.assertNotEqual(exact, normal)

    def test_the_same_values_have_the_same_interval(self):
        dice = numpy.random.default_rng(4)
        first, second = dice.lognormal(0, 0.1, 20), dice.lognormal(0, 0.1, 20)
        self.assertEqual(inference.difference(first, second), inference.difference(first, second))

    def test_pairs_are_drawn_together_and_what_they_share_cancels(self):
        dice = numpy.random.default_rng(5)
        shared = dice.lognormal(0, 0.3, 20)
        first, second = shared * dice.lognormal(0, 0.01, 20), 1.05 * shared * dice.lognormal(0, 0.01, 20)
        pairs = [(index, index) for index in range(20)]
        together, apart = inference.difference(first, second, pairs), inference.difference(first, second)
        self.assertEqual((together.pairs, apart.pairs), (20, 0))
        self.assertLess(together.ratio.width, apart.ratio.width / 3)
        self.assertEqual(inference.difference(first, second, pairs[1:]).pairs, 0, "not all are in a pair")

    def test_the_order_within_a_side_says_nothing_where_pairs_name_their_places(self):
        dice = numpy.random.default_rng(6)
        first, second = dice.lognormal(0, 0.1, 12), dice.lognormal(0, 0.1, 12)
        order = dice.permutation(12)
        straight = inference.difference(first, second, [(index, index) for index in range(12)])
        shuffled = inference.difference(first, second[order], [(int(old), new) for new, old in enumerate(order)])
        self.assertAlmostEqual(straight.probability, shuffled.probability)
        self.assertAlmostEqual(straight.ratio.low, shuffled.ratio.low, delta=0.02)

    def test_at_once_what_pairs_share_is_in_neither_ratio_nor_p(self):
        dice = numpy.random.default_rng(5)
        shared = dice.lognormal(0, 0.5, 20)
        first, second = shared * dice.lognormal(0, 0.01, 20), 1.05 * shared * dice.lognormal(0, 0.01, 20)
        pairs = [(index, index) for index in range(20)]
        at_once = inference.difference_at_once(first, second, pairs)
        self.assertGreater(inference.difference(first, second, pairs).probability, 0.05)
        self.assertLess(at_once.probability, 1e-4)
        self.assertTrue(1.03 < at_once.ratio.low < 1.05 < at_once.ratio.high < 1.07, at_once.ratio)
        self.assertEqual((at_once.pairs, at_once.counts, at_once.superiority), (20, (20, 20), 1.0))

    def test_a_published_example_of_signed_ranks(self):
        """Hollander and Wolfe, depression of nine patients: the estimate -0.46, P(T+ >= 40) = 0.019, so that the 6th of 45 bounds it."""
        before, after = ((1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30), (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29))
        found = inference.difference_at_once(numpy.exp(before), numpy.exp(after), [(index, index) for index in range(9)])
        self.assertAlmostEqual(math.log(found.ratio.value), -0.46, places=3)
        self.assertAlmostEqual(math.log(found.ratio.low), -0.786, places=3)
        self.assertAlmostEqual(math.log(found.ratio.high), -0.010, places=3)
        self.assertAlmostEqual(found.probability, 2 * 0.01953, places=4)

    def test_its_interval_leaves_out_no_difference_where_its_p_says_so(self):
        dice = numpy.random.default_rng(7)
        for count in (6, 8, 13, 20):
            for _ in range(50):
                first, second = dice.lognormal(0, 0.02, count), 1.01 * dice.lognormal(0, 0.02, count)
                found = inference.difference_at_once(first, second, [(index, index) for index in range(count)])
                self.assertEqual(found.probability <= 0.05, not found.ratio.low <= 1 <= found.ratio.high)

    def test_at_once_few_pairs_have_no_interval_and_equal_ones_no_difference(self):
        self.assertIsNone(inference.difference_at_once([1, 2], [1, 2], []))
        self.assertFalse(inference.difference_at_once([1] * 5, [2] * 5, [(index, index) for index in range(5)]).ratio.known)
        found = inference.difference_at_once([5] * 8, [5] * 8, [(index, index) for index in range(8)])
        self.assertEqual((found.ratio, found.probability, found.superiority), (Interval(1.0, 1.0, 1.0), 1.0, 0.5))
        self.assertEqual([found.least_probability(count) for count in (1, 6)], [1.0, 2**-5])

    def test_a_plan_s_most_rounds_at_once_have_an_interval(self):
        dice = numpy.random.default_rng(9)
        for count in (200, 201, 2000):  # the last that is counted out, the first that is not, and each round run once more
            first, second = dice.lognormal(0, 0.1, count), 1.05 * dice.lognormal(0, 0.1, count)
            found = inference.difference_at_once(first, second, [(index, index) for index in range(count)])
            self.assertTrue(found.ratio.low < 1.05 < found.ratio.high < 1.1, (count, found.ratio))
            self.assertEqual(found.probability <= 0.05, not found.ratio.low <= 1 <= found.ratio.high)
        self.assertAlmostEqual(inference._signed_rank(200), inference._signed_rank(201), delta=110)

    def test_outliers_count_and_do_not_break_it(self):
        found = inference.difference([10, 11, 12, 10, 11, 1e9], [10, 11, 12, 10, 11, 12])
        self.assertTrue(math.isfinite(found.ratio.high))
        self.assertAlmostEqual(found.ratio.value, 1.0)

    def test_nothing_is_said_on_stderr(self):
        program = ("import sys; sys.path.insert(0, 'plot'); import inference\n"
                   "for a, b in (([5] * 6, [5] * 6), ([1] * 6, [2] * 6), ([1, 1, 1, 1, 1, 2], [1] * 6), ([0, 0, 0, 1, 1, 1, 1], [0] * 7)):\n"
                   "    inference.difference(a, b); inference.difference(a, b, [(i, i) for i in range(len(a))]); inference.course(a)\n")
        ran = subprocess.run([sys.executable, "-B", "-W", "always", "-c", program], capture_output=True, text=True, check=False)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))


    def test_three_values_have_no_interval(self):
        self.assertFalse(inference.difference([1, 2, 3], [4, 5, 6]).ratio.known)


class Coverage(unittest.TestCase):
    """Of 600 intervals of 95 % fewer than 555 hold the truth once in 300 such tests: the seed is fixed."""
    TRIES = 600
    LEAST = 0.925

    def holds(self, draw, truth, find):
        dice = numpy.random.default_rng(99)
        found = [find(draw(dice)) for _ in range(self.TRIES)]
        return sum(one.low <= truth <= one.high for one in found) / self.TRIES

    def test_the_median_s_is_exact_for_any_distribution(self):
        for count in (6, 20):
            for draw, truth in ((lambda dice, n=count: dice.lognormal(0, 1, n), 1.0),
                                (lambda dice, n=count: dice.exponential(1, n), math.log(2)),
                                (lambda dice, n=count: dice.standard_cauchy(n), 0.0)):
                self.assertGreaterEqual(self.holds(draw, truth, inference.median), self.LEAST)

    def ratio_holds(self, count, together, spread=0.05):
        def draw(dice):
            shared = dice.lognormal(0, spread, count) if together else 1
            return shared * dice.lognormal(0, spread, count), 1.2 * shared * dice.lognormal(0, spread, count)
        pairs = [(index, index) for index in range(count)] if together else None
        return self.holds(draw, 1.2, lambda both: inference.difference(*both, pairs, resamples=499).ratio)

    def test_the_ratio_s_for_20_rounds(self):
        self.assertGreaterEqual(self.ratio_holds(20, False), self.LEAST)
        self.assertGreaterEqual(self.ratio_holds(20, True), self.LEAST)

    def test_the_ratio_s_for_6_rounds(self):
        """Where BCa alone holds nine in ten."""
        self.assertGreaterEqual(self.ratio_holds(6, False), self.LEAST)
        self.assertGreaterEqual(self.ratio_holds(6, True), self.LEAST)


    def test_that_of_pairs_at_once(self):
        def find(both):
            return inference.difference_at_once(*both, [(index, index) for index in range(len(both[0]))]).ratio
        for count in (6, 20):
            self.assertGreaterEqual(self.holds(lambda dice, n=count: (dice.lognormal(0, 0.05, n), 1.2 * dice.lognormal(0, 0.05, n)), 1.2, find),
                                    self.LEAST)


class Correction(unittest.TestCase):
    def test_holm_s_own_example(self):
        self.assertEqual([round(p, 10) for p in inference.correct([0.01, 0.04, 0.03, 0.005])], [0.03, 0.06, 0.06, 0.02])

    def test_one_alone_is_not_corrected_and_none_is_above_one(self):
        self.assertEqual(inference.correct([0.2]), [0.2])
        self.assertEqual(inference.correct([0.9, 0.8]), [1.0, 1.0])
        self.assertEqual(inference.correct([]), [])

    def test_it_keeps_the_order_of_the_probabilities(self):
        dice = numpy.random.default_rng(8)
        raw = list(dice.random(30))
        corrected = inference.correct(raw)
        order = sorted(range(30), key=raw.__getitem__)
        self.assertEqual([corrected[index] for index in order], sorted(corrected))


class Course(unittest.TestCase):
    def test_few_and_equal_values_have_none(self):
        self.assertEqual(inference.course([1, 2, 3]), inference.Course(None, None, None, ()))
        self.assertEqual(inference.course([2] * 9), inference.Course(0.0, 1.0, None, ()))

    def test_a_straight_drift_is_told_whole(self):
        found = inference.course([100 + index for index in range(21)])
        self.assertAlmostEqual(found.slope, 20 / 110)
        self.assertLess(found.trend, 1e-6)
        self.assertGreater(found.autocorrelation, 0.8)
        rise = inference.course([100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110])
        self.assertAlmostEqual(rise.trend, 2 / math.factorial(11), places=6)

    def test_values_that_alternate_have_no_trend_and_a_negative_autocorrelation(self):
        found = inference.course([1, 2] * 10)
        self.assertGreater(found.trend, 0.3)
        self.assertAlmostEqual(found.autocorrelation, -19 / 20)

    def test_outliers_are_named_by_their_place(self):
        self.assertEqual(inference.course([10, 11, 50, 10, 11, 10, 11, 1]).outliers, (2, 7))


if __name__ == "__main__":
    unittest.main(verbosity=2)
