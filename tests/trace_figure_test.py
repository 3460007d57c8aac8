#!/usr/bin/python3
"""
Promises of plot/trace.py: the figure shows the figures of the trace, and what is no summary of one is refused without a file.
It leaves out looks, and what is counted (recording_test.py). The summaries are synthetic, but for that of a capture which the
built `tidemark` imports. Run from the repository root: /usr/bin/python3 tests/trace_figure_test.py
"""
import contextlib
import json
import os
import resource
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True

from plot_test import HOSTILE, png_size, read, write  # noqa: E402  (puts plot/ on the path)
from tidemark_run import Scratch, tidemark  # noqa: E402

import style  # noqa: E402
import trace  # noqa: E402
import words  # noqa: E402
from checked import RunError  # noqa: E402

MS = 1_000_000
# As `tidemark trace --json` tells of nothing; of one block of 100 bytes that stays; of four blocks of two sizes.
EMPTY = {
    "about": None, "made": 0, "ended": 0, "remote": 0, "left_bytes": 0, "asked_bytes": 0, "peak_bytes": 0, "threads": 0,
    "processes": 0, "curve_over": "time", "curve_end": 0,
    "lifetime_bytes": {"count": 0, "p10": 0, "p50": 0, "p90": 0, "p99": 0, "most": 0},
    "sizes": [], "curve": [[0, 0, 0]]}
SINGLE = {
    **EMPTY, "made": 1, "left_bytes": 100, "asked_bytes": 100, "peak_bytes": 100, "threads": 1, "processes": 1,
    "curve_end": 300_000, "sizes": [{"below_bytes": 128, "blocks": 1, "bytes": 100}], "curve": [[0, 100, 1]]}
KNOWN = {
    **SINGLE, "about": {"command": "a program", "malloc": "its own"}, "made": 4, "ended": 3, "remote": 1, "left_bytes": 1_000_000,
    "asked_bytes": 8_000_000, "peak_bytes": 5_000_000, "threads": 2, "curve_end": 2_500_000,
    "lifetime_bytes": {"count": 2, "p10": 0, "p50": 50, "p90": 3_000_000, "p99": 3_000_000, "most": 4_000_000},
    "sizes": [{"below_bytes": 2**20, "blocks": 1, "bytes": 2_000_000}, {"below_bytes": 2**21, "blocks": 3, "bytes": 6_000_000}],
    "curve": [[0, 2_000_000, 1], [1 * MS, 5_000_000, 3], [2 * MS, 1_000_000, 1]]}


def plain(texts):
    return [text.get_text().replace(words.NARROW, " ") for text in texts]


class Drawn(unittest.TestCase):
    def draw(self, summary):
        """The figure, and its panels: live bytes, sizes, lifetimes."""
        figure = trace.draw(summary)
        self.addCleanup(style.discard)
        return figure, figure.axes

    def curve(self, summary):
        """Times and live bytes of the line."""
        _, (axis, _, _) = self.draw(summary)
        (line,) = axis.lines
        return list(line.get_xdata()), list(line.get_ydata())

    def test_the_line_of_live_bytes_goes_through_the_points_of_the_trace(self):
        times, live = self.curve(KNOWN)
        self.assertEqual((times[:3], live[:3]), ([0, 0.001, 0.002], [2, 5, 1]))

    def test_the_last_point_goes_on_to_the_end_of_the_recording(self):
        times, live = self.curve(KNOWN)
        self.assertEqual((times[-1], live[-1]), (0.0025, 1))

    def test_a_trace_without_times_is_drawn_over_its_blocks(self):
        curve = [[0, 0, 0], [1, 2_000_000, 1], [3, 5_000_000, 3]]
        summary = {**KNOWN, "curve_over": "blocks", "curve_end": 4, "curve": curve}
        self.assertEqual(self.curve(summary), ([0, 1, 3, 4], [0, 2, 5, 5]))
        _, (axis, _, _) = self.draw(summary)
        self.assertEqual((axis.get_xlim(), axis.get_xlabel()), ((0, 4), "blocks made, of each thread"))
        self.assertIn("there are no times", axis.get_title(loc="left"))
        _, (axis, _, _) = self.draw({**SINGLE, "curve_over": "blocks", "curve_end": 1})
        self.assertEqual((axis.get_xlim(), axis.get_xlabel()), ((0, 1), "blocks made"))

    def test_a_curve_of_any_number_of_points_is_drawn(self):
        times, _ = self.curve({**KNOWN, "curve": [[i * MS, i, 1] for i in range(1000)]})
        self.assertEqual(len(times), 1001)

    def test_a_peak_above_every_point_is_inside_the_axis(self):
        _, (axis, _, _) = self.draw({**KNOWN, "peak_bytes": 9_000_000})
        self.assertGreater(axis.get_ylim()[1], 9)

    def test_the_words_above_are_the_figures_of_the_trace(self):
        figure, _ = self.draw(KNOWN)
        title, summary, caption = plain(figure.texts)
        self.assertEqual(title, "a program")
        self.assertEqual(summary, "4 blocks, 8.0 MB asked for, 5.0 MB alive at the most, 1.0 MB never freed; "
                                  "33.3 % of the frees by another thread than made the block.")
        self.assertIn("2 threads in 1 process, on its own malloc.", caption.replace("\n", " "))

    def test_the_shares_by_size_are_those_of_all_blocks_and_all_bytes(self):
        _, (_, axis, _) = self.draw(KNOWN)
        self.assertEqual([(line.get_label(), list(line.get_ydata())) for line in axis.lines],
                         [("blocks", [25, 75]), ("bytes", [25, 75])])
        self.assertEqual(plain(axis.get_xticklabels()), ["512k", "1M"])

    def test_a_lifetime_stands_above_its_share_with_its_own_number(self):
        _, (_, _, axis) = self.draw(KNOWN)
        (line,) = axis.lines
        self.assertEqual(list(line.get_ydata()), [1, 50, 3_000_000, 3_000_000, 4_000_000])
        self.assertEqual(plain(axis.texts), ["0 B", "50 B", "3.0 MB", "3.0 MB", "4.0 MB"])

    def test_a_single_block_is_a_line_as_wide_as_the_axis_in_bytes(self):
        self.assertEqual(self.curve(SINGLE), ([0, 0.001], [100, 100]))
        figure, (axis, _, _) = self.draw(SINGLE)
        self.assertEqual((axis.get_xlim(), axis.get_ylabel()), ((0, 0.001), "bytes alive"))
        self.assertIn("1 block, 100 B asked for, 100 B alive at the most, 100 B never freed", plain(figure.texts)[1])

    def test_the_labels_of_a_single_size_are_clear_of_each_other(self):
        _, (_, axis, _) = self.draw(SINGLE)
        blocks, of_bytes = (style.text_box(axis, text) for text in axis.texts)
        self.assertFalse(blocks.overlaps(of_bytes))

    def test_an_empty_trace_says_in_each_panel_what_there_is_not(self):
        _, (_, sizes, lifetimes) = self.draw(EMPTY)
        self.assertEqual([plain(axis.texts) for axis in (sizes, lifetimes)],
                         [["no block was made"], ["no block was freed by the thread that made it"]])
        self.assertEqual([len(axis.lines) for axis in (sizes, lifetimes)], [0, 0])

    def test_words_stay_inside_the_picture(self):
        for summary, command in ((KNOWN, "W" * 300), (KNOWN, HOSTILE * 50), (SINGLE, "true"), (EMPTY, 7)):
            with self.subTest(command=command):
                figure, _ = self.draw({**summary, "about": {"command": command}})
                figure.canvas.draw()
                frame = figure.bbox
                for text in [*figure.texts, *(one for axis in figure.axes for one in (axis.yaxis.label, *axis.texts))]:
                    box = text.get_window_extent()
                    self.assertTrue(frame.x0 <= box.x0 and box.x1 <= frame.x1, text.get_text())


class Written(Scratch):
    def setUp(self):
        super().setUp()
        self.addCleanup(style.discard)

    def draw(self, summary, name="a.png"):
        """The path of the figure: `summary` is written as JSON unless it is text."""
        write(self.scratch, "a.json", summary if isinstance(summary, str) else json.dumps(summary))
        path = self.folder(name)
        with mock.patch.object(sys, "argv", ["trace.py", self.folder("a.json"), path]):
            trace.main()
        return path

    def refused(self, summary, wanted):
        with self.assertRaises(RunError) as caught:
            self.draw(summary)
        self.assertIn(wanted, str(caught.exception))
        self.assertIn(self.folder("a.json"), str(caught.exception))
        self.assertEqual(os.listdir(self.scratch), ["a.json"])

    def test_a_png_is_as_wide_as_every_figure(self):
        self.assertEqual(png_size(self.draw(KNOWN))[0], round(style.WIDTH * style.DOTS))

    def test_an_svg_is_the_same_when_drawn_again(self):
        first = read(self.draw(KNOWN, "a.svg"))
        self.assertEqual(read(self.draw(KNOWN, "b.svg")), first)

    def test_each_field_that_is_drawn_is_asked_for_by_its_name(self):
        for name in set(KNOWN) - {"about"}:
            with self.subTest(name=name):
                self.refused({key: value for key, value in KNOWN.items() if key != name}, f"no field '{name}'")

    def test_what_is_no_summary_is_refused(self):
        for summary, wanted in (("", "not JSON"), ('{"made": 1,', "not JSON"), ("[1]", "wanted an object, found list"),
                                ("[" * 10**5, "nested too deeply"), ('{"made": NaN}', "NaN is no number"),
                                ({**KNOWN, "made": "4"}, "'made' is '4', wanted a whole number"),
                                ({**KNOWN, "peak_bytes": -1}, "'peak_bytes' is -1"),
                                ({**KNOWN, "about": ["ls"]}, "'about' is ['ls'], wanted an object"),
                                ({**KNOWN, "lifetime_bytes": {"count": 1}}, "lifetime_bytes: no field 'p10'"),
                                ({**KNOWN, "sizes": [7]}, "sizes 0: wanted an object"),
                                ({**KNOWN, "curve_over": "days"}, "'curve_over' is 'days', wanted one of time, blocks"),
                                ({**KNOWN, "curve": [[0, 1, 1], [5, 1]]}, "curve 1: wanted an array of a place, bytes"),
                                ({**KNOWN, "curve": [[0, None, 1]]}, "curve 0: 'bytes' is None")):
            with self.subTest(wanted=wanted):
                self.refused(summary, wanted)

    def test_a_pipe_is_refused_and_not_waited_for(self):
        os.mkfifo(self.folder("pipe"))
        with self.assertRaisesRegex(RunError, "no regular file"):
            trace.read_trace(self.folder("pipe"))

    def test_a_folder_that_is_not_there_is_named_and_not_made(self):
        with self.assertRaisesRegex(RunError, "none/a.png: No such file or directory"):
            self.draw(KNOWN, "none/a.png")
        self.assertEqual(os.listdir(self.scratch), ["a.json"])

    def test_a_full_disk_leaves_the_figure_that_was_there(self):
        write(self.scratch, "a.png", "before")
        with at_most(4096), self.assertRaisesRegex(RunError, "a.png: File too large"):
            self.draw(KNOWN)
        self.assertEqual((sorted(os.listdir(self.scratch)), read(self.folder("a.png"), mode="rb")),
                         (["a.json", "a.png"], b"before"))


@contextlib.contextmanager
def at_most(most_bytes):
    """No file grows beyond that: what a full disk does to a write."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class Command(Scratch):
    def test_the_command_draws_what_it_tells_and_reports_what_failed(self):
        write(self.scratch, "a.rep", "20000\n3\n6\n1\na 0 100\na 1 200\nr 0 300\nf 1\na 2 50\nf 0\n")
        recorded, figure = self.folder("a.trace"), self.folder("a.svg")
        self.assertEqual(tidemark("import", "--from", "rep", "-o", recorded, self.folder("a.rep")).returncode, 0)
        ran = tidemark("trace", recorded, "--figure", figure)
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        self.assertIn("4 blocks, 650 B asked for, 500 B alive at the most, 50 B never freed", read(figure).replace(words.NARROW, " "))
        self.assertIn("over blocks made: there are no times", read(figure))
        ran = tidemark("trace", recorded, "--figure", self.folder("none/a.svg"))
        self.assertEqual((ran.returncode, ran.stderr),
                         (1, f"tidemark trace: {self.folder('none/a.svg')}: No such file or directory\n"))


if __name__ == "__main__":
    unittest.main()
