#!/usr/bin/python3
"""
Promises of plot/ on the pages of a run: what is read and refused, the bars and their words. It leaves out looks.
The files are synthetic, for tests only. Run from the repository root: /usr/bin/python3 tests/plot_pages_test.py
"""
import gzip
import json
import os
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import Folder, list_lifetime, make_run, png_size, read  # noqa: E402

import findings_pages  # noqa: E402
import held_back  # noqa: E402
import report  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import words  # noqa: E402

MB = 1_000_000


def phase_of(name, requested, usable, floor, held, lazy=0, untouched=0, mapped=None):
    """Of such a phase what plot/ reads, from MB."""
    sizes = {"requested_bytes": requested + untouched, "requested_resident_bytes": requested,
             "usable_resident_bytes": usable, "floor_bytes": floor, "live_page_bytes": floor + untouched,
             "held_bytes": held, "resident_bytes": floor + held, "lazyfree_bytes": lazy, "rss_bytes": floor + held + 5,
             "floor_mapped_bytes": mapped}
    return {"name": name, **{key: None if size is None else round(size * MB) for key, size in sizes.items()}}


def put_pages(folder, index, phases, **changes):
    path = os.path.join(folder, "pages")
    os.makedirs(path, exist_ok=True)
    record = {"format": 1, "cell": index, "version": "1.0", "page_bytes": 4096, "phases": phases, **changes}
    with gzip.open(os.path.join(path, f"{index:06d}.json.gz"), "wt", encoding="utf-8") as file:
        json.dump(record, file)


PHASES = {
    "glibc": [phase_of("build", 80, 90, 100, 10), phase_of("del", 2, 3, 20, 70), phase_of("idle", 2, 3, 20, 70)],
    "jemalloc": [phase_of("build", 80, 82, 90, 2), phase_of("del", 2, 3, 15, 80, 60), phase_of("idle", 2, 3, 15, 8, 6)],
    "pymalloc": [phase_of("build", 80, None, 95, 1), phase_of("del", 2, None, 30, 0), phase_of("idle", 0, None, 0, 0.4)],
}


class Held(Folder):
    def setUp(self):
        super().setUp()
        make_run(self.folder, [list_lifetime(row, 20.0) for row in PHASES])

    def put_all(self):
        for index, phases in enumerate(PHASES.values()):
            put_pages(self.folder, index, phases)

    def only(self):
        ((experiment, rows),) = held_back.candidates(run_folder.read_run(self.folder))
        return experiment, rows


class Reading(Held):
    def test_figures_are_read_as_they_are_written(self):
        put_pages(self.folder, 1, [phase_of("build", 80, 82, 90, 8, 60, untouched=7)])
        (one,) = run_folder.read_run(self.folder).pages
        self.assertEqual(one.cell.allocator, "jemalloc")
        phase = one.last
        self.assertEqual((phase.name, phase.requested, phase.usable, phase.floor, phase.resident), ("build", 80, 82, 90, 98))
        self.assertEqual((phase.held, phase.lazy, phase.held_lazily, phase.untouched), (8, 60, 8, 7))

    def test_the_fullest_phase_is_the_one_with_the_most_asked_for(self):
        self.put_all()
        run = run_folder.read_run(self.folder)
        self.assertEqual([(one.fullest.name, one.last.name) for one in run.pages], [("build", "idle")] * 3)
        put_pages(self.folder, 0, [phase_of("a", 1, 1, 1, 500), phase_of("b", 2, 2, 2, 0), phase_of("c", 2, 2, 2, 9)])
        self.assertEqual(run_folder.read_run(self.folder).pages[0].fullest.name, "b")

    def test_a_part_that_is_more_than_its_whole_is_refused(self):
        for name, size, wanted in (("requested_resident_bytes", 91 * MB, "more than 'usable_resident_bytes'"),
                                   ("usable_resident_bytes", 101 * MB, "more than 'floor_bytes'"),
                                   ("floor_bytes", 111 * MB, "more than 'live_page_bytes'"),
                                   ("requested_bytes", 0, "more than 'requested_bytes'"),
                                   ("held_bytes", 0, "not the sum"), ("resident_bytes", 120 * MB, "not the sum"),
                                   ("lazyfree_bytes", 10**12, "more than 'rss_bytes'"),
                                   ("rss_bytes", 2**57, "no more than 2**56"), ("floor_bytes", -1, "'floor_bytes' is -1"),
                                   ("floor_bytes", None, "'floor_bytes' is None"),
                                   ("floor_bytes", True, "'floor_bytes' is True"), ("name", 7, "'name' is 7")):
            with self.subTest(name=name, size=size):
                put_pages(self.folder, 0, [{**PHASES["glibc"][0], name: size}])
                self.fails("pages/000000.json.gz: phase 0", wanted)

    def test_a_file_that_is_none_is_refused(self):
        for changes, wanted in (({"format": 2}, "'format' is 2"), ({"cell": 1}, "'cell' is 1, wanted 0"),
                                ({"phases": []}, "'phases' has 0"), ({"phases": [1]}, "wanted an object"),
                                ({"phases": [PHASES["glibc"][0]] * 17}, "'phases' has 17")):
            with self.subTest(**changes):
                put_pages(self.folder, 0, **{"phases": PHASES["glibc"], **changes})
                self.fails("pages/000000.json.gz", wanted)
        with open(os.path.join(self.folder, "pages", "000000.json.gz"), "wb") as file:
            file.write(b"\x1f\x8b")
        self.fails("pages/000000.json.gz: damaged")


class Drawn(Held):
    def bars(self):
        """Of each of the two panels the bars as (row, left, right), rounded, without the empty ones."""
        experiment, rows = self.only()
        with mock.patch.object(style, "save", lambda figure, *_: figure):
            figure = held_back.draw(run_folder.read_run(self.folder), experiment, rows, "x")
        self.addCleanup(style.discard)
        row = lambda bar: round(bar.get_y() + bar.get_height() / 2)
        ends = lambda bar: (round(bar.get_x(), 3), round(bar.get_x() + bar.get_width(), 3))
        return figure, [sorted((row(bar), *ends(bar)) for bar in axis.patches if bar.get_width() > 0)
                        for axis in figure.axes]

    def test_a_bar_is_parted_at_each_step(self):
        self.put_all()
        _, (fullest, last) = self.bars()
        # The least held back at the end stands first: pymalloc, jemalloc, glibc.
        self.assertEqual(fullest, [(0, 0, 80), (0, 80, 95), (0, 95, 96), (1, 0, 80), (1, 80, 82), (1, 82, 90), (1, 90, 92),
                                   (2, 0, 80), (2, 80, 90), (2, 90, 100), (2, 100, 110)])
        self.assertEqual(last, [(0, 0, 0.4), (1, 0, 2), (1, 2, 3), (1, 3, 15), (1, 15, 23), (1, 17, 23),
                                (2, 0, 2), (2, 2, 3), (2, 3, 20), (2, 20, 90)])

    def test_the_least_held_back_stands_first_whatever_is_resident(self):
        put_pages(self.folder, 0, [phase_of("end", 0, 0, 0, 5)])
        put_pages(self.folder, 1, [phase_of("end", 30, 30, 30, 1)])
        self.assertEqual([one.cell.allocator for one in self.only()[1]], ["jemalloc", "glibc"])

    def test_what_is_lazily_freed_is_hatched_and_named(self):
        self.put_all()
        figure, _ = self.bars()
        hatched = [bar for axis in figure.axes for bar in axis.patches if bar.get_hatch()]
        self.assertEqual([round(bar.get_width(), 3) for bar in hatched], [6])
        self.assertIn("Hatched: freed lazily", " ".join(text.get_text() for text in figure.texts))

    def test_a_floor_by_huge_pages_is_marked_where_it_differs(self):
        put_pages(self.folder, 0, [phase_of("build", 5, 5, 6, 90, mapped=80), phase_of("idle", 5, 5, 6, 90, mapped=6)])
        figure, _ = self.bars()
        dotted = [[list(line.get_xdata()) for line in axis.lines if line.is_dashed()] for axis in figure.axes]
        self.assertEqual(dotted, [[[80, 80]], []])
        self.assertIn("Dotted mark: the floor by huge pages", " ".join(text.get_text() for text in figure.texts))

    def test_words_stay_inside_the_picture(self):
        self.put_all()
        figure, _ = self.bars()
        figure.canvas.draw()
        frame = figure.bbox
        texts = [text for axis in figure.axes for text in axis.texts] + figure.legends[0].get_texts() + figure.texts
        for text in texts:
            box = text.get_window_extent()
            self.assertTrue(frame.x0 <= box.x0 and box.x1 <= frame.x1, text.get_text())
        for axis, other in zip(figure.axes, figure.axes[1:]):
            for text in axis.texts:
                self.assertLess(text.get_window_extent().x1, other.get_window_extent().x0, text.get_text())

    def test_the_report_has_the_figure_and_the_words(self):
        self.put_all()
        page = self.page()
        text = page.text.replace(words.NARROW, " ")
        self.assertIn("Who holds memory back", text)
        self.assertIn("glibc: of 90.0 MB at the end 2.0 MB was asked for; the pages of that, 20.0 MB, cannot go back, "
                      "70.0 MB is held back.", text)
        self.assertIn("up to 6.0 MB of it freed lazily", text)
        self.assertIn("pymalloc: all of the 0.4 MB at the end is held back", text)
        self.assertIn("glibc held back most at the end, 70.0 MB. The floors lie between 15.0 MB and 20.0 MB.", text)
        (name,) = [name for name in os.listdir(os.path.join(self.folder, "figures"))
                   if name.startswith("held-back") and name.endswith(".png")]
        self.assertEqual(png_size(os.path.join(self.folder, "figures", name))[0], round(style.WIDTH * style.DOTS))
        before = read(self.folder, "figures", name[:-4] + ".svg", mode="rb")
        self.assertEqual(len(list(report._draw_held(run_folder.read_run(self.folder)))), 1)
        self.assertEqual(read(self.folder, "figures", name[:-4] + ".svg", mode="rb"), before)

    def test_one_row_alone_and_one_with_nothing_are_drawn(self):
        put_pages(self.folder, 2, [phase_of("build", 0, 0, 0, 0)])
        self.assertIn("Who holds memory back", self.page().text)

    def test_a_run_without_says_and_draws_nothing_of_it(self):
        self.assertNotIn("Who holds memory back", self.page().text)
        self.assertEqual(findings_pages.read_sections(run_folder.read_run(self.folder)), [])


if __name__ == "__main__":
    unittest.main()
