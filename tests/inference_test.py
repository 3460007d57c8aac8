#!/usr/bin/python3
"""
Promises of plot/inference.py: on inputs small enough to be worked out by hand, the answers are exact.
It leaves out how often an interval holds what it should: that takes simulation.
Run from the repository root: /usr/bin/python3 tests/inference_test.py
"""
import math
import os
import sys
import unittest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "plot"))

import inference  # noqa: E402


class Median(unittest.TestCase):
    def test_five_values_have_no_interval(self):
        self.assertEqual(inference.median([5, 1, 4, 2, 3]), inference.Interval(3.0))

    def test_six_values_have_their_extremes(self):
        self.assertEqual(inference.median([6, 1, 5, 2, 4, 3]), inference.Interval(3.5, 1.0, 6.0))

    def test_twenty_values_leave_five_out_at_each_end(self):
        # 2 * P(B <= 5) = 4.14 % and 2 * P(B <= 6) = 11.5 % for B ~ Binomial(20, 1/2): Conover, table A3.
        self.assertEqual(inference.median(range(1, 21)), inference.Interval(10.5, 6.0, 15.0))

    def test_half_its_width_is_told_as_a_share(self):
        self.assertAlmostEqual(inference.median([98, 99, 100, 100, 101, 102]).width, 0.02)


class Difference(unittest.TestCase):
    def test_groups_that_do_not_overlap_have_the_least_p_there_is(self):
        found = inference.difference([1, 2, 3, 4], [5, 6, 7, 8])
        self.assertAlmostEqual(found.probability, 2 / 70)  # of the 70 ways to draw 4 of 8 only two are as far apart
        self.assertAlmostEqual(found.probability, inference.least_probability(4, 4))
        self.assertEqual(found.superiority, 1.0)

    def test_two_equal_groups_do_not_differ(self):
        found = inference.difference([1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6])
        self.assertEqual((found.ratio.value, found.superiority), (1.0, 0.5))
        self.assertGreater(found.probability, 0.9)

    def test_values_that_are_all_equal_have_an_interval_without_width(self):
        found = inference.difference([5] * 6, [6] * 6)
        self.assertEqual(found.ratio, inference.Interval(1.2, 1.2, 1.2))

    def test_what_pairs_share_cancels(self):
        machine = [1.0, 1.1, 1.3, 0.9, 1.2, 1.0, 0.8, 1.4]
        alone = inference.difference(machine, [1.05 * value for value in machine])
        paired = inference.difference(machine, [1.05 * value for value in machine], [(k, k) for k in range(8)])
        self.assertEqual((alone.pairs, paired.pairs), (0, 8))
        self.assertGreater(alone.ratio.high - alone.ratio.low, 0.1)
        self.assertAlmostEqual(paired.ratio.low, 1.05)
        self.assertAlmostEqual(paired.ratio.high, 1.05)

    def test_three_values_have_no_interval(self):
        self.assertFalse(inference.difference([1, 2, 3], [4, 5, 6]).ratio.known)

    def test_nothing_is_compared_with_nothing_or_with_zero(self):
        self.assertIsNone(inference.difference([], [1]))
        self.assertIsNone(inference.difference([1], []))
        self.assertIsNone(inference.difference([0, 0, 0], [1, 1, 1]))

    def test_the_same_values_have_the_same_interval_each_time(self):
        first, second = [1.0, 1.2, 1.1, 1.4, 0.9, 1.3], [1.1, 1.5, 1.2, 1.2, 1.0, 1.6]
        self.assertEqual(inference.difference(first, second), inference.difference(first, second))


class Holm(unittest.TestCase):
    def test_the_smallest_is_multiplied_by_their_number(self):
        for got, wanted in zip(inference.correct([0.01, 0.04, 0.03]), [0.03, 0.06, 0.06]):
            self.assertAlmostEqual(got, wanted)

    def test_none_is_above_one_and_none_below_a_smaller_one(self):
        self.assertEqual(inference.correct([0.9, 0.8]), [1.0, 1.0])
        self.assertEqual(inference.correct([]), [])


class Course(unittest.TestCase):
    def test_a_straight_rise_is_a_trend_and_its_size(self):
        found = inference.course([100, 101, 102, 103, 104, 105, 106, 107, 108, 109, 110])
        self.assertAlmostEqual(found.slope, 10 / 105)
        self.assertAlmostEqual(found.trend, 2 / math.factorial(11), places=6)
        self.assertEqual(found.outliers, ())

    def test_values_that_alternate_are_opposed_to_their_neighbours(self):
        self.assertAlmostEqual(inference.course([1, -1, 1, -1]).autocorrelation, -0.75)

    def test_a_far_value_is_named(self):
        self.assertEqual(inference.course([10, 11, 10, 90, 11, 10]).outliers, (3,))

    def test_equal_values_go_nowhere(self):
        self.assertEqual(inference.course([7] * 5), inference.Course(0.0, 1.0, None, ()))

    def test_three_values_have_no_course(self):
        self.assertEqual(inference.course([1, 2, 3]), inference.Course(None, None, None, ()))


if __name__ == "__main__":
    unittest.main()
