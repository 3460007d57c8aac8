#!/usr/bin/python3
"""
Promises of plot/ on memory that goes back: what is read and refused, the two figures and their words. It leaves out looks.
The files are synthetic, for tests only. Run from the repository root: /usr/bin/python3 tests/plot_returned_test.py
"""
import json
import os
import sys
import unittest
from unittest import mock

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import MB, SECOND, Folder, cell, change_json, foreign_scripts, make_run, png_size, read, write  # noqa: E402

import findings_returned  # noqa: E402
import given_back  # noqa: E402
import report  # noqa: E402
import report_figures  # noqa: E402
import returned  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import words  # noqa: E402

PEAK_MB, LIVE_MB = 100, 20  # so that 80 MB can go back
AFTER_S = (0, 0.1, 1, 10, 30)


def kept(row, mode, shares, rest_s=1.05, lazy=(), rounds=1, times=None, **way):
    """
    A cell that keeps these shares of 80 MB at 0, 0.1 ... s after the last free and at the end, which is the last of them;
    `lazy` is as `shares`, of the moments. `times`: its prices in summary.json.
    """
    resident = [LIVE_MB + (PEAK_MB - LIVE_MB) * share for share in shares]
    phases = [("build", 0.1, PEAK_MB, PEAK_MB, PEAK_MB), ("free", 0.02, resident[0], LIVE_MB, LIVE_MB)]
    if mode == "purge":
        phases.append(("purge", 0.012, resident[1], LIVE_MB, LIVE_MB))
    phases.append(("idle", rest_s, resident[-2] if mode == "pressure" else resident[-1], LIVE_MB, LIVE_MB))
    if mode == "pressure":
        phases.append(("pressure", 0.03, resident[-1], LIVE_MB, LIVE_MB))
    one = cell("bulk", {"n": "100000"}, row, phases, idle_s=rest_s, rounds=rounds)
    rebuild = mode != "stock"
    moments = [(after_s, mb, (PEAK_MB - LIVE_MB) * share)
               for after_s, mb, share in zip(AFTER_S, resident[:-1], [*lazy, *[0] * len(shares)])]
    return {**one, "return": mode, "activity_ns": 0, "rebuild": rebuild, "thp": "system", "moments": moments,
            "times": times or {}, "retained_mb": resident[-1], **way}


def make_returned(folder, cells):
    """A run of such cells, with what a run of a version before the ways lacks."""
    make_run(folder, cells)
    lines = [json.loads(line) for line in read(folder, "samples.jsonl").splitlines()]
    for record in lines:
        one, baseline = cells[record["cell"]], record["baseline_bytes"]
        last_free = record["phases"][1]["end_ns"]
        record.update(peak_bytes=baseline + PEAK_MB * MB, returnable_bytes=(PEAK_MB - LIVE_MB) * MB,
                      retained_bytes=round(one["retained_mb"] * MB))
        record["moments"] = [{"after_ns": round(after_s * SECOND), "at_ns": last_free + round(after_s * SECOND),
                              "rss_bytes": baseline + round(mb * MB), "lazyfree_bytes": round(lazy_mb * MB)}
                             for after_s, mb, lazy_mb in one["moments"]]
    write(folder, "samples.jsonl", "".join(json.dumps(record) + "\n" for record in lines))

    def add(summary):
        for one, record in zip(cells, summary):
            if one["status"] == "ok":
                record.update(retained_bytes=figure(one["retained_mb"] * MB), **prices(one["times"]))
    change_json(folder, "summary.json", add)
    return folder


def figure(value):
    return None if value is None else {"median": value, "low": None, "high": None}


def prices(times):
    """Of summary.json: `beside` a ratio, the others seconds; `ninety` None is not within the rest."""
    in_ns = lambda name: None if times.get(name) is None else times[name] * SECOND
    beside = times.get("beside")
    return {"beside_stock": None if beside is None else {"pairs": 1, "wall_ns": figure(beside)},
            "give_back_ns": figure(in_ns("asking")), "rebuild_ns": figure(in_ns("rebuild")),
            "give_back_90_ns": {"median": in_ns("ninety"), "low": None, "high": None,
                                "reached": int(times.get("ninety") is not None), "of": 1}}


def all_ways():
    """Five rows, of which each gives back by something else."""
    active = {"activity_ns": SECOND // 10}
    times = {"stock": {}, "idle": {"beside": 1.0, "rebuild": 0.06},
             "purge": {"beside": 1.01, "asking": 0.012, "rebuild": 0.11}, "eager": {"beside": 1.5, "rebuild": 0.12}}
    cells = []
    for row, by in (("soon", "stock"), ("later", "idle"), ("used", "active"), ("asked", "purge"), ("pinned", None)):
        for mode in ("stock", "idle", "active", "purge", "eager"):
            gone = by == "stock" or by == mode or (by in ("idle", "active") and mode == "active")
            before, after = (0.02 if by == "stock" or mode == by == "eager" else 1), (0.02 if gone else 0.99)
            if mode == "stock":
                shares, rest_s = [before, before, after], 0.5
            elif mode in ("idle", "active"):
                shares, rest_s = [before, before, before, after, after, after], 30.02
            else:
                shares, rest_s = [before, after, after], 0.5
            real = "idle" if mode == "active" else mode
            told = {**times[real], "ninety": (0 if by == "stock" else 0.012 if mode == "purge" else 4.2) if gone else None}
            cells.append(kept(row, real, shares, rest_s, times=told, **(active if mode == "active" else {})))
    return cells


class Reading(Folder):
    def only(self, *cells):
        make_returned(self.folder, cells)
        return run_folder.read_run(self.folder).experiments[0].cells[0]

    def test_shares_are_of_what_could_go_back(self):
        points = given_back.points(self.only(kept("glibc", "idle", [1, 0.75, 0.5, 0.25], lazy=[0, 0.5])))
        self.assertEqual([(point.name, round(point.kept, 3), round(point.lazy, 3)) for point in points],
                         [("0 s", 1, 0), ("0.1 s", 0.75, 0.5), ("1 s", 0.5, 0), ("idle", 0.25, 0)])
        self.assertAlmostEqual(points[2].after_s, 1)
        self.assertGreater(points[3].after_s, 1)

    def test_a_purge_is_between_the_last_free_and_the_first_moment(self):
        points = given_back.points(self.only(kept("glibc", "purge", [1, 0.1, 0.1])))
        self.assertEqual([(point.name, round(point.kept, 3)) for point in points],
                         [("0 s", 1), ("purge", 0.1), ("0.1 s", 0.1), ("idle", 0.1)])

    def test_a_point_is_the_median_of_its_samples_and_has_all_of_them(self):
        self.only(kept("glibc", "idle", [1, 0.75, 0.5, 0.25], rounds=3))
        lines = [json.loads(line) for line in read(self.folder, "samples.jsonl").splitlines()]
        for record, share in zip(lines, (0.1, 0.2, 0.9)):
            record["moments"][1]["rss_bytes"] = record["baseline_bytes"] + round((LIVE_MB + 80 * share) * MB)
        lines[1]["moments"].pop()
        write(self.folder, "samples.jsonl", "".join(json.dumps(record) + "\n" for record in lines))
        points = given_back.points(run_folder.read_run(self.folder).experiments[0].cells[0])
        self.assertEqual([(point.name, round(point.kept, 3)) for point in points],
                         [("0 s", 1), ("0.1 s", 0.2), ("idle", 0.25)])

    def test_less_than_a_mebibyte_has_no_share(self):
        self.only(kept("glibc", "idle", [1, 1, 1]))
        for returnable, expected in ((2**20, 3), (2**20 - 1, 0), (None, 0), (-5, 0)):
            with self.subTest(returnable=returnable):
                line = {**json.loads(read(self.folder, "samples.jsonl")), "returnable_bytes": returnable}
                write(self.folder, "samples.jsonl", json.dumps(line) + "\n")
                (one,) = run_folder.read_run(self.folder).experiments[0].cells
                self.assertEqual(len(given_back.points(one)), expected)

    def test_moments_that_are_none_are_refused(self):
        self.only(kept("glibc", "idle", [1, 1, 1, 1]))
        good = json.loads(read(self.folder, "samples.jsonl"))
        one, other = good["moments"][:2]
        for moments, said in (({}, "'moments' is {}"), ([7], "moment 0: wanted an object"),
                              ([one] * 6, "more than 5 moments"),
                              ([other, one], "0 s comes after 0.1 s"), ([one, one], "0 s comes after 0 s"),
                              ([{**one, "after_ns": 5}], "moment 0: 'after_ns' is 5, wanted 0, 100000000"),
                              ([{**one, "after_ns": "0"}], "'after_ns' is '0'"), ([{**one, "at_ns": -1}], "'at_ns' is -1"),
                              ([{**one, "rss_bytes": None}], "'rss_bytes' is None"),
                              ([{**one, "lazyfree_bytes": -1}], "'lazyfree_bytes' is -1")):
            with self.subTest(said=said):
                write(self.folder, "samples.jsonl", json.dumps({**good, "moments": moments}) + "\n")
                self.fails("samples.jsonl:1", said)
        for returnable in ("1", True, []):
            write(self.folder, "samples.jsonl", json.dumps({**good, "returnable_bytes": returnable}) + "\n")
            self.fails("samples.jsonl:1: 'returnable_bytes' is")

    def test_prices_that_are_none_are_refused(self):
        self.only(kept("glibc", "purge", [1, 1, 1], times={"asking": 0.1, "beside": 1.0, "rebuild": 0.1, "ninety": 0.1}))
        good = json.loads(read(self.folder, "summary.json"))
        ninety = lambda median, reached, of: {"give_back_90_ns": {"median": median, "reached": reached, "of": of}}
        for change, said in (({"give_back_ns": 7}, "'give_back_ns' is 7"),
                             ({"rebuild_ns": {}}, "rebuild_ns: no field 'low'"),
                             ({"beside_stock": []}, "'beside_stock' is []"),
                             ({"beside_stock": {"wall_ns": "x"}}, "'wall_ns' is 'x'"),
                             (ninety(-1, 0, 0), "give_back_90_ns: 'median' is -1"),
                             (ninety(1, 2, 1), "'reached' is 2, more than 'of', 1")):
            with self.subTest(change=change):
                write(self.folder, "summary.json", json.dumps([{**good[0], **change}]))
                self.fails("summary.json: object 0", said)


class Drawn(Folder):
    def groups(self, cells):
        make_returned(self.folder, cells)
        return returned.find_groups(run_folder.read_run(self.folder))

    def figure(self, draw, group):
        with mock.patch.object(style, "save", lambda figure, *_: figure):
            figure = draw(run_folder.read_run(self.folder), group, "x")
        self.addCleanup(style.discard)
        return figure

    def test_ways_are_columns_and_what_gives_back_most_stands_first(self):
        (group,) = self.groups(all_ways())
        self.assertEqual([words.way_short(column.way).replace(words.NARROW, " ") for column in group.columns],
                         ["stock", "idle", "idle, active every 100 ms", "purge", "eager"])
        self.assertEqual(group.rows[0].name, "soon")
        self.assertEqual(group.rows[-1].name, "pinned")
        for row in group.rows:
            self.assertEqual([one.way.mode for one in row.cells], ["stock", "idle", "idle", "purge", "eager"])
            self.assertEqual({one.allocator for one in row.cells}, {row.name})

    def test_a_run_in_stock_alone_has_no_such_figure_and_no_such_words(self):
        self.assertEqual(self.groups([kept("glibc", "stock", [1, 1, 1])]), [])
        self.assertNotIn("How much goes back", self.page().text)

    def test_an_interpreter_that_does_not_build_anew_stands_in_the_column_of_those_that_do(self):
        real = {**kept("pymalloc", "idle", [1, 1, 1]), "host": "python3", "rebuild": False}
        (group,) = self.groups([real, kept("pymalloc", "idle", [1, 1, 1])])
        self.assertEqual([(row.name, len(row.cells)) for row in group.rows],
                         [("pymalloc", 1), ("pymalloc in CPython 3.11.2", 1)])

    def test_ways_that_rest_for_another_time_are_another_column(self):
        (group,) = self.groups([kept("glibc", "idle", [1, 1, 1], rest_s) for rest_s in (0.5, 2.0)])
        self.assertEqual([column.idle_s for column in group.columns], [0.5, 2.0])

    def test_panels_hold_no_more_than_can_be_read(self):
        cells = [kept(f"row{index:02}", "idle", [1, 1, 1], rest_s) for index in range(25) for rest_s in (0.5, 0.6)]
        (group,) = self.groups(cells)
        self.assertEqual([len(part.rows) for part in returned.parts(group)], [24, 1])
        self.assertEqual({len(row.cells) for part in returned.parts(group) for row in part.rows}, {2})
        self.assertEqual(sum(len(part.rows) for part in returned.price_parts(group)), 25)
        self.assertTrue(all(2 * len(part.rows) <= returned.MOST_LANES for part in returned.price_parts(group)))

    def test_the_dark_area_is_as_high_as_what_is_kept_and_not_freed_lazily(self):
        (group,) = self.groups([kept("glibc", "idle", [1, 1, 1, 1], lazy=[0, 0, 0.5])])
        figure = self.figure(returned.draw, group)
        (axis,) = figure.axes
        foot, heights = returned.STRIP + returned.PANEL, {}
        for area in axis.collections:
            xs, ys = area.get_paths()[0].vertices.T
            at_end = ys[abs(xs - xs.max()) < 1e-9]
            near = ys[(xs > 0.95) & (xs <= 1)]
            heights[len(heights)] = [(foot - some.min()) / returned.PANEL for some in (near, at_end)]
        watched, dark, _ = heights.values()
        self.assertEqual([round(height, 3) for height in watched], [1, 1])
        self.assertAlmostEqual(dark[0], 0.5, delta=0.05)  # at 1 s, when half is freed lazily
        self.assertAlmostEqual(dark[1], 1, delta=0.06)  # idle's end: no longer
        (points,) = [line for line in axis.lines if line.get_marker() == "o"]
        self.assertEqual([round((foot - y) / returned.PANEL, 3) for y in points.get_ydata()], [1, 1, 1, 1])
        hatches = [area for area in axis.collections if area.get_hatch()]
        self.assertEqual(len(hatches), 1)
        xs, ys = hatches[0].get_paths()[0].vertices.T
        near = abs(xs - 1) < 0.02
        self.assertAlmostEqual((ys[near].max() - ys[near].min()) / returned.PANEL, 0.5, delta=0.03)

    def test_a_panel_says_what_is_kept_and_when_nine_tenths_had_gone(self):
        (group,) = self.groups([kept("a", "idle", [0, 0, 0], times={"ninety": 0}), kept("b", "idle", [1, 1, 1]),
                                kept("c", "idle", [1, 1, 0.05], times={"ninety": 0.25})])
        (axis,) = self.figure(returned.draw, group).axes
        told = [text.get_text().replace(words.NARROW, " ") for text in axis.texts]
        for text in ("0.0 %", "at once", "100 %", "> 1.1 s", "5.0 %", "250 ms"):
            self.assertIn(text, told)

    def test_what_is_not_available_has_its_reason_beneath(self):
        none = {**kept("tbb", "eager", [1, 1, 1]), "status": "n/a", "reason": "tbb has no tunables"}
        (group,) = self.groups([none, kept("glibc", "eager", [1, 1, 1])])
        figure = self.figure(returned.draw, group)
        self.assertIn("n/a", [text.get_text() for text in figure.axes[0].texts])
        caption = " ".join(text.get_text() for text in figure.texts).replace("\n", " ")
        self.assertIn("n/a: tbb, eager: tbb has no tunables.", caption)

    def test_prices_stand_beside_memory(self):
        times = {"asking": 0.012, "beside": 1.25, "rebuild": 0.06}
        (group,) = self.groups([kept("glibc", "stock", [1, 1, 1], 0.5),
                                kept("glibc", "purge", [1, 0.5, 0.5], 0.5, times=times)])
        figure = self.figure(returned.draw_prices, group)
        told = [[text.get_text().replace(words.NARROW, " ") for text in axis.texts if text.get_text()]
                for axis in figure.axes]
        self.assertEqual([told[0][:2], *told[1:3]], [["100.0", "60.0"], ["1.25"], ["12 ms"]])
        (ratio,) = map(float, told[3])
        self.assertAlmostEqual(ratio, 0.06 / 0.132, delta=0.02)  # these files count purge as time

    def test_a_ratio_needs_a_time(self):
        make_returned(self.folder, [kept("glibc", "purge", [1, 1, 1])])
        (one,) = run_folder.read_run(self.folder).experiments[0].cells
        self.assertIsNone(returned.rebuild_ratio(one))

    def test_words_stay_inside_the_picture_and_off_each_other(self):
        cells = all_ways()
        for one in cells[:5]:
            one["allocator"] = "jemalloc+dirty_decay_ms:50+muzzy_decay_ms:-1+background_thread:true"
        (group,) = self.groups(cells)
        for draw in (returned.draw, returned.draw_prices):
            figure = self.figure(draw, group)
            figure.canvas.draw()
            boxes = [(text.get_text(), text.get_window_extent()) for text in
                     [*figure.texts, *(text for axis in figure.axes for text in [*axis.texts, axis.title, axis._left_title])]
                     if text.get_text()]
            for text, box in boxes:
                self.assertTrue(figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, text)
                self.assertTrue(figure.bbox.y0 <= box.y0 and box.y1 <= figure.bbox.y1, text)
            for index, (text, box) in enumerate(boxes):
                for other, its in boxes[:index]:
                    self.assertFalse(box.padded(-1.5).overlaps(its.padded(-1.5)), f"{text!r} on {other!r}")


class Said(Folder):
    def test_each_row_is_named_at_what_was_enough(self):
        make_returned(self.folder, all_ways())
        text = self.said()
        self.assertIn("How much goes back, and how soon (bulk: n=100k)", text)
        for sentence in ("with the last free, soon", "by itself while it rested, later",
                         "only while it was used a little, used",
                         "only when asked (purge), asked", "in no way of this run, pinned",
                         "1 s after the last free, nothing done meanwhile, this is kept of it: soon 2.0 %"):
            self.assertIn(sentence, text)
        self.assertIn("purge (500 ms): keeps 2.0 %, nine tenths after 12 ms, asking took 12 ms", text)
        self.assertRegex(text, r"Giving back eagerly costs \w+ most: 1\.50 times the time of stock\.")
        self.assertRegex(text, r"When asked \w+ takes longest, 12 ms\.")

    def test_what_helps_beside_each_other_is_not_said_to_be_the_only_thing(self):
        make_returned(self.folder, [kept("glibc", "eager", [0, 0, 0]), kept("glibc", "purge", [1, 0, 0])])
        self.assertIn("only with its eager tunables or when asked (purge), glibc", self.said())

    def test_eager_before_the_last_free_is_not_stock(self):
        make_returned(self.folder, [kept("glibc", "eager", [0, 0, 0]), kept("glibc", "idle", [1, 1, 1])])
        self.assertNotIn("with the last free, glibc", self.said())

    def test_the_report_has_both_figures_before_the_curves(self):
        make_returned(self.folder, all_ways())
        titles = [picture.title for picture in report.draw_all(run_folder.read_run(self.folder))]
        self.assertEqual(titles[:2], ["How much goes back, and how soon · bulk: n=100k",
                                      "What giving back costs · bulk: n=100k"])
        for name in ("returned-bulk-100k", "returned-bulk-100k-price"):
            path = os.path.join(self.folder, "figures", name)
            self.assertEqual(png_size(path + ".png")[0], round(style.WIDTH * style.DOTS))
        before = read(self.folder, "figures", "returned-bulk-100k.svg", mode="rb")
        self.assertEqual(len(list(report._draw_returned(run_folder.read_run(self.folder)))), 2)
        self.assertEqual(read(self.folder, "figures", "returned-bulk-100k.svg", mode="rb"), before)

    def test_the_page_has_a_chart_of_the_prices(self):
        make_returned(self.folder, all_ways())
        run = run_folder.read_run(self.folder)
        (figure,) = report_figures.read_prices(run, report_figures.rows_of(run))
        (group,) = returned.find_groups(run)
        values = dict(zip((key for key, *_ in figure.data["metrics"]), figure.data["values"]))
        for at, column in enumerate(group.columns):
            for row, kept, asking in zip(group.rows, values["kept"][at], values["asking"][at]):
                found = row.cells[at]
                with self.subTest(row=row.name, way=figure.data["phases"][at]):
                    self.assertEqual(kept and kept[0][0], max(found.retained_mb.median, 0) if found and found.ran else None)
                    self.assertEqual(asking and asking[0][0], found and found.prices.asking_s and found.prices.asking_s.median)
        self.assertEqual(figure.data["panel"], "way")
        self.assertTrue(any(line for panel in values["time"] for line in panel))

    def test_more_workloads_than_figures_are_named(self):
        cells = [{**kept("glibc", "idle", [1, 1, 1]), "params": {"n": str(number)}} for number in range(1, 4)]
        make_returned(self.folder, cells)
        with mock.patch.object(returned, "MOST_GROUPS", 1):
            run = run_folder.read_run(self.folder)
            sections = findings_returned.read_sections(run)
            pictures = list(report._draw_returned(run))
        self.assertEqual([section.anchor for section in sections], ["returned", "returned-left"])
        self.assertEqual(sections[1].paragraphs[1], "bulk: n=2 and bulk: n=3.")
        self.assertEqual(len([picture for picture in pictures if "how soon" in picture.title]), 1)

    def test_a_hostile_row_is_text(self):
        make_returned(self.folder, [kept(plot_test.HOSTILE, "idle", [1, 1, 1])])
        self.page()
        self.assertEqual(foreign_scripts(read(self.folder, "report.html")), [])


if __name__ == "__main__":
    unittest.main()
