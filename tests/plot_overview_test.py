#!/usr/bin/python3
"""
Promises of plot/overview.py: which runs get a table, the numbers in it, and the file drawn. It leaves out looks.
The runs are made up in memory, for tests only. Run from the repository root: /usr/bin/python3 tests/plot_overview_test.py
"""
import dataclasses
import os
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "plot"))
import model  # noqa: E402
import overview  # noqa: E402
import style  # noqa: E402
import trade_off  # noqa: E402

style.DOTS = 60  # per inch: coarse, for speed
ROWS = ("glibc", "jemalloc", "bump")


def sample():
    return model.Sample(0, "ok", 2.0, 1.0, 1.0, [])


def cell(allocator, wall_s=1.0, peak_mb=12.0, ratio=1.0, ran=True, host="objects"):
    """Above a baseline of 2 MB."""
    figures = dict(wall_s=model.Figure(wall_s), peak_mb=model.Figure(peak_mb), retained_mb=model.Figure(1.0),
                   return_ratio=None if ratio is None else model.Figure(ratio)) if ran else {}
    return model.Cell("bulk", {}, allocator, host, "", 0.5, "1.0", {}, "ok" if ran else "n/a", "", int(ran),
                      [sample()] if ran else [], **figures)


def run_of(*lines, folder=None):
    experiments = [model.Experiment("bulk", {"n": str(number)}, 0.5, list(cells)) for number, cells in enumerate(lines)]
    return model.Run(folder, "a run", "classic", 0.001, {}, experiments, [], {})


class Numbers(unittest.TestCase):
    def test_only_a_run_of_many_experiments_has_a_table(self):
        line = [cell("glibc"), cell("jemalloc")]
        self.assertEqual(overview.candidates(run_of(*[line] * (overview.FEWEST - 1))), [])
        self.assertEqual(len(overview.candidates(run_of(*[line] * overview.FEWEST))), overview.FEWEST)

    def test_an_experiment_of_one_row_has_no_line(self):
        lines = [[cell("glibc"), cell("jemalloc")]] * overview.FEWEST + [[cell("glibc")], [cell("glibc"), cell("x", ran=False)]]
        self.assertEqual(len(overview.candidates(run_of(*lines))), overview.FEWEST)

    def test_ratios_are_over_the_best_of_the_line(self):
        self.assertEqual(overview.ratios([3.0, 1.5, None, 6.0]), [2.0, 1.0, None, 4.0])
        self.assertEqual(overview.ratios([0.0, 2.0, 4.0]), [1.0, 1.0, 2.0])
        self.assertEqual(overview.ratios([None, None]), [None, None])

    def test_means_are_over_the_lines_that_have_the_common_columns(self):
        lines = [[1.0, 4.0, None], [1.0, 1.0, None], [2.0, 1.0, 1.0], [2.0, 1.0, None], [None, 1.0, 3.0]]
        mean = overview.geometric_means(lines)
        self.assertAlmostEqual(mean[0], 2**0.5)
        self.assertAlmostEqual(mean[1], 4**0.25)
        self.assertIsNone(mean[2])
        self.assertIsNone(overview.geometric_means([[None, None]]))
        self.assertIsNone(overview.geometric_means([[1.0, None], [None, 1.0]]))

    def test_a_peak_of_the_process_itself_is_blank(self):
        self.assertIsNone(overview._peak(cell("glibc", peak_mb=3.0)))
        self.assertEqual(overview._peak(cell("glibc", peak_mb=12.0)), 10.0)

    def test_kept_is_the_share_that_did_not_come_back(self):
        pairs = trade_off.candidates(run_of([cell("glibc", ratio=0.25), cell("jemalloc", ratio=None), cell("bump", ratio=-0.1)]))
        self.assertEqual(overview._kept(pairs, ROWS), [[0.75, None, 1], None])

    def test_long_tables_and_many_panels_are_parted(self):
        self.assertEqual(list(map(len, overview.parts([(None, [])] * 61))), [31, 30])
        self.assertEqual(list(map(len, overview.parts([(None, [])] * 60))), [60])
        self.assertEqual(list(map(len, trade_off.parts(list(range(30))))), [12, 12, 6])
        self.assertEqual(trade_off.parts([]), [])


class Drawn(unittest.TestCase):
    def test_a_wide_axis_of_time_has_plain_numbers(self):
        cells = [dataclasses.replace(cell("glibc"), samples=[dataclasses.replace(sample(), wall_s=wall_s)])
                 for wall_s in (0.08, 4.0)]
        figure, (axis,) = style.make_panels(1, 1, 3, "wide", "", "")
        trade_off._set_limits(axis, cells)
        figure.canvas.draw()
        self.assertEqual(axis.get_xscale(), "log")
        shown = [label.get_text() for label in axis.get_xticklabels() if label.get_text()]
        self.assertLessEqual({"0.1", "0.5", "1", "5"}, set(shown))
        self.assertEqual([text for text in shown if "$" in text], [])

    def test_many_rows_have_their_tables_one_above_the_other(self):
        with tempfile.TemporaryDirectory() as folder:
            heights = []
            for count in (overview.MOST_BESIDE, overview.MOST_BESIDE + 1):
                lines = [[cell(f"row{row}", 1.0 + row) for row in range(count)] for _ in range(7)]
                run = run_of(*lines, folder=folder)
                path = overview.draw(run, overview.candidates(run), "overview")
                heights.append(style.pyplot.imread(path).shape[0])
            self.assertGreater(heights[1], 2 * heights[0])

    def test_a_table_with_holes_is_drawn(self):
        with tempfile.TemporaryDirectory() as folder:
            lines = [[cell("glibc"), cell("jemalloc", 2.0, 24.0, 0.5), cell("<$x\x1b", ran=number > 2)] for number in range(7)]
            run = run_of(*lines, folder=folder)
            path = overview.draw(run, overview.candidates(run), "overview")
            self.assertTrue(os.path.getsize(path) > 1000)


if __name__ == "__main__":
    unittest.main(verbosity=2)
