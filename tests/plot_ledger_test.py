#!/usr/bin/python3
"""
Promises of plot/ on the system calls of a run: what is read and refused, which way bytes went, the bars and their words.
It leaves out looks. The files are synthetic, for tests only.
Run from the repository root: /usr/bin/python3 tests/plot_ledger_test.py
"""
import gzip
import json
import os
import random
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_latency_test import change_one  # noqa: E402
from plot_test import Folder, list_lifetime, make_run, png_size, read  # noqa: E402

import checked  # noqa: E402
import findings_ledger  # noqa: E402
import matplotlib.colors  # noqa: E402
import report  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import system_calls  # noqa: E402
import words  # noqa: E402

MB = 1_000_000
ROWS = ("glibc", "jemalloc", "mimalloc")


def line_of(call, kind, count, mb, ms=1, old_mb=None, failed=0):
    record = {"call": call, "kind": kind, "count": count, "failed": failed, "bytes": round(mb * MB), "net_bytes": 0,
              "time_ns": round(ms * 1e6), "longest_ns": 1000}
    return record if old_mb is None else {**record, "old_bytes": round(old_mb * MB)}


def phase_of(name, *lines):
    return {"name": name, "before": [], "calls": list(lines), "mapped_begin_bytes": 0, "mapped_end_bytes": 0}


def put_ledger(folder, index, phases, **changes):
    path = os.path.join(folder, "ledger")
    os.makedirs(path, exist_ok=True)
    record = {"format": 1, "cell": index, "clock_ns": 20, "empty_call_ns": 150, "trapped_call_ns": 1500, "opening": [],
              "phases": phases, **changes}
    with gzip.open(os.path.join(path, f"{index:06d}.json.gz"), "wt", encoding="utf-8") as file:
        json.dump(record, file)


PHASES = {
    "glibc": [phase_of("build", line_of("brk", "grow", 40, 30), line_of("mmap", "rw", 2, 10)),
              phase_of("del", line_of("brk", "shrink", 1, 5, 4), line_of("munmap", "", 2, 8, 2)), phase_of("collect"), phase_of("idle")],
    "jemalloc": [phase_of("build", line_of("mmap", "rw+noreserve", 3, 50, 0.5)),
                 phase_of("del", line_of("madvise", "MADV_DONTNEED", 700, 20, 50), line_of("madvise", "MADV_FREE", 30, 12, 5)),
                 phase_of("collect"), phase_of("idle")],
    "mimalloc": [phase_of("build", line_of("mmap", "none+noreserve", 1, 1000, 0.2), line_of("mprotect", "rw", 4, 44, 0.2),
                          line_of("munmap", "", 1, 300, 0.1)),
                 phase_of("del"), phase_of("collect"), phase_of("idle")],
}


class Calls(Folder):
    def setUp(self):
        super().setUp()
        make_run(self.folder, [list_lifetime(row, 20.0) for row in ROWS])

    def put_all(self):
        for index, row in enumerate(ROWS):
            put_ledger(self.folder, index, PHASES[row])

    def only(self):
        ((experiment, ledgers),), _ = system_calls.candidates(run_folder.read_run(self.folder))
        return experiment, ledgers


class Reading(Calls):
    def directions(self, *lines):
        put_ledger(self.folder, 0, [phase_of("build", *lines)])
        (one,) = run_folder.read_run(self.folder).ledgers
        return [(line.took, line.gave, line.reserved) for line in one.phases[0].lines]

    def test_bytes_go_the_way_that_the_call_sends_them(self):
        for record, wanted in ((line_of("mmap", "rw", 1, 7), (7, 0, 0)), (line_of("mmap", "r+file", 1, 7), (7, 0, 0)),
                               (line_of("mmap", "none+noreserve", 1, 7), (0, 0, 7)),
                               (line_of("mmap", "none+fixed+noreserve", 1, 7), (0, 7, 0)),
                               (line_of("mmap", "rw+fixed", 1, 7), (7, 0, 0)), (line_of("mmap", "other", 1, 7), (0, 0, 0)),
                               (line_of("munmap", "", 1, 7), (0, 7, 0)), (line_of("brk", "grow", 1, 7), (7, 0, 0)),
                               (line_of("brk", "shrink", 1, 7), (0, 7, 0)), (line_of("brk", "query", 1, 0), (0, 0, 0)),
                               (line_of("mremap", "grow+moved", 1, 7, old_mb=3), (4, 0, 0)),
                               (line_of("mremap", "shrink", 1, 3, old_mb=7), (0, 4, 0)),
                               (line_of("mprotect", "rw", 1, 7), (7, 0, 0)), (line_of("mprotect", "none", 1, 7), (0, 7, 0)),
                               (line_of("mprotect", "r", 1, 7), (0, 0, 0)),
                               (line_of("madvise", "MADV_DONTNEED", 1, 7), (0, 7, 0)),
                               (line_of("madvise", "MADV_FREE", 1, 7), (0, 7, 0)),
                               (line_of("process_madvise", "MADV_PAGEOUT", 1, 7), (0, 7, 0)),
                               (line_of("madvise", "MADV_HUGEPAGE", 1, 7), (0, 0, 0)),
                               (line_of("madvise", "MADV_WILLNEED", 1, 7), (0, 0, 0))):
            with self.subTest(call=record["call"], kind=record["kind"]):
                self.assertEqual(self.directions(record), [wanted])

    def test_what_may_be_address_space_is_at_most_what_was_reserved(self):
        for reserved, unmapped, wanted in ((10, 4, 4), (4, 10, 4), (0, 10, 0)):
            put_ledger(self.folder, 0, [phase_of("a", line_of("mmap", "none", 1, reserved), line_of("munmap", "", 1, unmapped),
                                                 line_of("madvise", "MADV_DONTNEED", 1, 50))])
            self.assertEqual(run_folder.read_run(self.folder).ledgers[0].phases[0].unused, wanted)

    def test_a_file_that_is_none_is_refused(self):
        for changes, wanted in (({"format": 2}, "'format' is 2"), ({"cell": 1}, "'cell' is 1, wanted 0"),
                                ({"phases": []}, "'phases' has 0"), ({"phases": [1]}, "wanted an object"),
                                ({"phases": PHASES["glibc"] * 5}, "'phases' has 20"), ({"phases": None}, "'phases' is None"),
                                ({"empty_call_ns": -1}, "'empty_call_ns' is -1"),
                                ({"empty_call_ns": 2**51}, "'empty_call_ns' is 2251799813685248, wanted no more")):
            with self.subTest(**changes):
                put_ledger(self.folder, 0, **{"phases": PHASES["glibc"], **changes})
                self.fails("ledger/000000.json.gz", wanted)
        with open(os.path.join(self.folder, "ledger", "000000.json.gz"), "wb") as file:
            file.write(b"\x1f\x8b")
        self.fails("ledger/000000.json.gz: damaged")
        self.assertFalse(os.path.exists(os.path.join(self.folder, "figures")))

    def test_a_line_that_is_none_is_refused(self):
        for name, value, wanted in (("call", "execve", "'call' is 'execve'"), ("call", 7, "'call' is 7"),
                                    ("kind", "<b>", "'kind' is '<b>'"), ("kind", "x" * 96, "'kind' is 'xxx"),
                                    ("count", 0, "'count' is 0"), ("failed", 3, "'failed' is 3, more than 'count', 2"),
                                    ("bytes", 2**51, "'bytes' is"), ("bytes", -1, "'bytes' is -1"),
                                    ("bytes", True, "'bytes' is True"), ("net_bytes", -2**51, "'net_bytes' is"),
                                    ("time_ns", 0.5, "'time_ns' is 0.5"), ("longest_ns", None, "'longest_ns' is None"),
                                    ("call", "mremap", "no field 'old_bytes'")):
            with self.subTest(name=name, value=value):
                put_ledger(self.folder, 0, [phase_of("a"), phase_of("b", {**line_of("mmap", "rw", 2, 1), name: value})])
                self.fails("ledger/000000.json.gz: phase 1: line 0", wanted)

    def test_a_phase_that_is_none_is_refused(self):
        one = line_of("mmap", "rw", 2, 1)
        for calls, wanted in (([one, one], "'calls' has a call and its kind twice"), ([7], "phase 0: line 0: wanted an object"),
                              ([{**one, "kind": f"k{i}"} for i in range(257)], "'calls' has 257 lines"), ({}, "'calls' is {}")):
            put_ledger(self.folder, 0, [{**phase_of("a"), "calls": calls}])
            self.fails("ledger/000000.json.gz: phase 0", wanted)


class Any(Calls):
    def test_any_change_is_refused_or_drawn(self):
        dice = random.Random(3)
        odd = (None, True, -1, 0, 1, 7, 2**50, 2**62, 2**63 - 1, 0.5, "", [], {}, [1], "MADV_FREE", "none", "x" * 50)
        refused = drawn = 0
        for turn in range(150):
            put_ledger(self.folder, 1, change_one(json.loads(json.dumps(PHASES["jemalloc"])), dice, odd))
            try:
                run = run_folder.read_run(self.folder)
                findings_ledger.read_sections(run)
                for experiment, ledgers in system_calls.candidates(run)[0] if turn % 5 == 0 else ():
                    with mock.patch.object(style, "save", lambda *_: None):
                        system_calls.draw(run, experiment, ledgers, "x")
                    style.discard()
                    drawn += 1
            except checked.RunError as error:
                self.assertIn("ledger/000001.json.gz", str(error))
                refused += 1
        self.assertGreater(refused, 50)
        self.assertGreater(drawn, 5)


class Drawn(Calls):
    def draw(self):
        experiment, ledgers = self.only()
        with mock.patch.object(style, "save", lambda figure, *_: figure):
            figure = system_calls.draw(run_folder.read_run(self.folder), experiment, ledgers, "x")
        self.addCleanup(style.discard)
        return figure

    def bars(self, figure):
        """Of each panel the bars as (row, left, right, colour or "hatched"), by place."""
        row = lambda bar: round(bar.get_y() + bar.get_height() / 2)
        ends = lambda bar: sorted(round(x, 3) for x in (bar.get_x(), bar.get_x() + bar.get_width()))
        look = lambda bar: "hatched" if bar.get_hatch() else matplotlib.colors.to_hex(bar.get_facecolor()).upper()
        return [sorted((row(bar), *ends(bar), look(bar)) for bar in axis.patches) for axis in figure.axes]

    def texts(self, figure, panel=0):
        return [text.get_text().replace(words.NARROW, " ") for text in figure.axes[panel].texts]

    def test_a_bar_is_parted_by_call_and_what_was_given_back_lies_left(self):
        self.put_all()
        figure = self.draw()
        # The least time in calls stands first: mimalloc, glibc, jemalloc. What it unmapped may be of what it reserved.
        build, away = self.bars(figure)
        self.assertEqual(build, [(0, -300, 0, "hatched"), (0, 0, 44, style.PURPLE), (1, 0, 10, style.BLUE),
                                 (1, 10, 40, style.SKY), (2, 0, 50, style.BLUE)])
        self.assertEqual(away, [(1, -13, -5, style.VERMILLION), (1, -5, 0, style.SKY), (2, -32, -20, "hatched"),
                                (2, -20, 0, style.ORANGE)])

    def test_address_space_does_not_set_the_scale(self):
        self.put_all()
        low, high = self.draw().axes[0].get_xlim()
        self.assertTrue(-40 < low < -32 and 50 < high < 60, (low, high))

    def test_counts_times_and_shares_stand_beside_the_bars(self):
        self.put_all()
        figure = self.draw()
        build, away = self.texts(figure), self.texts(figure, 1)
        self.assertEqual(build[:5], ["44.0 MB", "≥ 0 MB", "500 µs", "0.56 %", "4 mprotect · 1 mmap none · 1 munmap"])
        self.assertEqual(away, ["none", "", "13.0 MB", "6 ms", "17 %", "2 munmap · 1 brk",
                                "", "32.0 MB", "55 ms", "156 %", "700 DONTNEED · 30 FREE"])
        title = figure.texts[0].get_text().replace(words.NARROW, " ")
        self.assertEqual(title, "mimalloc spends 500 µs in 6 system calls, jemalloc 55.5 ms in 733")
        caption = figure.texts[-1].get_text().replace("\n", " ")
        for wanted in ("No call in: collect and idle.", "Hatched in orange: MADV_FREE", "hatched in grey"):
            self.assertIn(wanted, caption)

    def test_a_share_is_of_the_same_phase_of_the_samples_or_not_known(self):
        put_ledger(self.folder, 0, [phase_of("build", line_of("mmap", "rw", 1, 1)), phase_of("other", line_of("brk", "grow", 1, 1))])
        figure = self.draw()
        self.assertEqual([self.texts(figure, panel)[3] for panel in (0, 1)], ["1.1 %", "n/a"])

    def test_refused_calls_and_kinds_without_room_are_told(self):
        lines = [line_of("madvise", f"MADV_{name}", 900 - place, 1, failed=place) for place, name in enumerate(
            ("DONTNEED", "POPULATE_WRITE", "WILLNEED", "HUGEPAGE"))]
        put_ledger(self.folder, 0, [phase_of("build", *lines)])
        self.assertIn("900 DONTNEED · 3 more · 6 refused", self.texts(self.draw()))

    def test_rows_and_phases_beyond_the_most_are_named_or_counted(self):
        self.put_all()
        put_ledger(self.folder, 0, [phase_of(f"phase_{i}", line_of("mmap", "rw", 1, 1, 1 + i)) for i in range(12)])
        with mock.patch.object(system_calls, "MOST_ROWS", 1):
            figure = self.draw()
        self.assertEqual(len(figure.axes), system_calls.MOST_PANELS)
        caption = figure.texts[-1].get_text().replace("\n", " ")
        self.assertIn("Not drawn: phase_0, phase_1, phase_2 and phase_3.", caption)
        self.assertIn("Left out: 2 rows with less time in calls.", caption)

    def test_experiments_beyond_the_most_are_counted(self):
        self.folder += "-of-two"
        make_run(self.folder, [list_lifetime("glibc", 20.0), {**list_lifetime("glibc", 20.0), "params": {"n": "7"}}])
        for index, ms in ((0, 1), (1, 2)):
            put_ledger(self.folder, index, [phase_of("build", line_of("mmap", "rw", 1, 1, ms))])
        with mock.patch.object(system_calls, "MOST_FIGURES", 1):
            run = run_folder.read_run(self.folder)
            pairs, more = system_calls.candidates(run)
            self.assertEqual(([experiment.params for experiment, _ in pairs], more), ([{"n": "7"}], 1))
            self.assertIn("1 further experiment, with less time in calls, is not drawn",
                          findings_ledger.read_sections(run)[0].paragraphs[0])

    def test_words_stay_inside_the_picture_and_off_the_bars(self):
        wide = [line_of("madvise", "MADV_DONTNEED", 123_456_789, 12_345.6, 999, failed=99_999),
                line_of("mmap", "none", 99_999, 99_999), line_of("mprotect", "rw", 99_999, 12_345.6)]
        put_ledger(self.folder, 0, [phase_of("build", *wide)])
        put_ledger(self.folder, 1, PHASES["jemalloc"])
        figure = self.draw()
        figure.canvas.draw()
        for axis in figure.axes:
            for text in axis.texts:
                box = text.get_window_extent()
                self.assertLessEqual(box.x1, figure.bbox.x1, text.get_text())
                self.assertGreater(box.x0, axis.get_window_extent().x1, text.get_text())
            lines = {}
            for text in axis.texts:
                lines.setdefault(round(text.get_window_extent().y0 / 4), []).append(text.get_window_extent())
            for boxes in lines.values():
                boxes = sorted((box for box in boxes if box.width > 1), key=lambda box: box.x0)
                for box, other in zip(boxes, boxes[1:]):
                    self.assertLess(box.x1, other.x0)

    def test_the_report_has_the_figure_and_the_words(self):
        self.put_all()
        text = self.page().text.replace(words.NARROW, " ")
        self.assertIn("Calls to the kernel", text)
        self.assertIn("glibc: 45 calls, 8 ms, 6.3 % of the time of the phases; took 40.0 MB, gave back 13.0 MB; most often brk.", text)
        self.assertIn("took 44.0 MB, gave back 0 to 300.0 MB; most often mprotect.", text)
        self.assertIn("They took the largest share of the time on jemalloc: 44 %.", text)
        (name,) = [name for name in os.listdir(os.path.join(self.folder, "figures"))
                   if name.startswith("system-calls") and name.endswith(".png")]
        self.assertEqual(png_size(os.path.join(self.folder, "figures", name))[0], round(style.WIDTH * style.DOTS))
        before = read(self.folder, "figures", name[:-4] + ".svg", mode="rb")
        self.assertEqual(len(list(report._draw_calls(run_folder.read_run(self.folder)))), 1)
        self.assertEqual(read(self.folder, "figures", name[:-4] + ".svg", mode="rb"), before)

    def test_a_run_without_calls_or_without_the_pass_draws_nothing_of_it(self):
        self.assertNotIn("Calls to the kernel", self.said())
        put_ledger(self.folder, 0, [phase_of("build"), phase_of("del")])
        run = run_folder.read_run(self.folder)
        self.assertEqual(len(run.ledgers), 1)
        self.assertEqual(findings_ledger.read_sections(run), [])
        self.assertNotIn("Calls to the kernel", self.page().text)


if __name__ == "__main__":
    unittest.main()
