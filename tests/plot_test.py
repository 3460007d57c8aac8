#!/usr/bin/python3
"""
Promises of plot/: figures and a report from a run folder alone, deterministic, self-contained, safe against hostile names.
It leaves out looks; those need eyes. The run folders here are synthetic, written as results/FORMAT.md says, and for tests only,
but for one: results/reference has to be readable by this code, drawn by it, and shown as it is.
Run from the repository root: /usr/bin/python3 tests/plot_test.py
"""
import contextlib
import gzip
import html.parser
import io
import json
import math
import os
import random
import re
import shutil
import statistics
import struct
import sys
import tempfile
import unittest
import xml.etree.ElementTree

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "plot"))

import matplotlib  # noqa: E402
import numpy  # noqa: E402
import PIL.Image  # noqa: E402
import checked  # noqa: E402
import findings  # noqa: E402
import memory_return  # noqa: E402
import micro  # noqa: E402
import model  # noqa: E402
import replay  # noqa: E402
import report  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import trade_off  # noqa: E402
import words  # noqa: E402
from tidemark_run import show, tidemark  # noqa: E402

MB, SECOND = 10**6, 10**9
FULL_DOTS = style.DOTS
style.DOTS = 60  # per inch: coarse, for speed
HOSTILE = "<script>$\\nosuch{$</script>&\n\x1b"  # markup, broken mathtext, control characters
TICK_NS = 4_000_000
FIGURES = ("wall_ns", "cpu_ns", "peak_bytes", "retained_bytes", "baseline_bytes", "live_peak_bytes", "return_ratio",
           "return_ratio_live", "since_last_free_ns", "minor_faults")
OVER = ("pymalloc", "pymalloc@glibc+tcache_count:0", "pymalloc@jemalloc", "pymalloc@mimalloc")
KEY = ("workload", "params", "allocator", "host", "idle_ns")
WAY = ("return", "activity_ns", "rebuild", "thp")
QUICK_PICTURES = [
    "idle-list_lifetime-5M-del_collect-3.11", "memory-return-del_collect-5M-del-range-2.7",
    "memory-return-del_collect-5M-del_collect-range-2.7", "memory-return-del_collect-5M-pass-range-2.7",
    "memory-return-list_lifetime-5M-del_collect-3.11", "replay-list_lifetime-5M-del_collect-3.11-pymalloc",
    "steadiness", "trade-off"]
# What results/reference has beside: servers, a table of all experiments, address maps and the micro suite.
REFERENCE_PICTURES = [
    "address-map-larson-5M-5k-2-pymalloc-locked", "address-map-list_lifetime-5M-del_collect-3.11-pymalloc",
    "address-map-request_server-300k-20-blocks-pymalloc-locked", "memory-return-larson-5M-5k-2",
    "memory-return-request_server-300k-20-blocks", "memory-return-request_server-300k-20-region", "micro", "overview"]
NOT_RECORDED = ("canary", "dirty", "repeat")  # what runs of earlier versions lack


# --- a synthetic run --------------------------------------------------------------------------------------------------------

def del_collect(way, allocator, kept_mb, live_mb=120.0, peak_mb=160.0):
    """A cell of 2.7's ints: a list that goes at the loop's end, ints that stay on their free list until a collection."""
    phases = [("build", 0.12, peak_mb, peak_mb, peak_mb), ("loop_end", 0.06, 0.77 * peak_mb, 0.0, live_mb)]
    if way != "pass":
        phases.append(("del", 0.004, 0.77 * peak_mb, 0.0, live_mb))
    if way == "del_collect":
        phases.append(("collect", 0.05, kept_mb, 0.0, 0.0))
    phases.append(("idle", 0.5, kept_mb, 0.0, 0.0 if way == "del_collect" else live_mb))
    params = {"n": "5000000", "way": way, "source": "range", "profile": "2.7"}
    return cell("del_collect", params, allocator, phases)


def controlled(wall, peak, retained, **cell_of):
    """A control of list_lifetime on glibc with the noise floor given, each figure as (median, low, high) or None."""
    figure = lambda parts: None if parts is None else dict(zip(("median", "low", "high"), parts))
    return {**list_lifetime("glibc", 20.0, **cell_of), "control": True,
            "noise_floor": {"pairs": 6, "wall_ns": figure(wall), "peak_bytes": figure(peak), "retained_bytes": figure(retained)}}


def list_lifetime(allocator, kept_mb, host="objects", idle_s=0.5, rounds=6, peak_mb=200.0, idle_end_mb=None, slower=1.0):
    phases = [("build", 0.09 * slower, peak_mb, 200.0, 200.0), ("del", 0.035 * slower, kept_mb, 0.0, 0.0),
              ("collect", 0.002, kept_mb, 0.0, 0.0),
              ("idle", idle_s, kept_mb if idle_end_mb is None else idle_end_mb, 0.0, 0.0)]
    params = {"n": "5000000", "how": "del_collect", "profile": "3.11"}
    return cell("list_lifetime", params, allocator, phases, host, idle_s, rounds)


def cell(workload, params, allocator, phases, host="objects", idle_s=0.5, rounds=6):
    return {"workload": workload, "params": params, "allocator": allocator, "host": host, "idle_ns": int(idle_s * SECOND),
            "rounds": rounds, "not_available": None, "phases": phases, "status": "ok", "reason": None}


def quick_cells():
    cells = []
    for way, kept in (("pass", (123, 123, 131, 128)), ("del", (123, 123, 131, 128)), ("del_collect", (123, 0.4, 130, 127))):
        cells += [del_collect(way, allocator, float(kept_mb)) for allocator, kept_mb in zip(OVER, kept)]
    for allocator, kept_mb, peak_mb, after_12s_mb in (("pymalloc", 1.2, 201.0, 1.2), ("glibc", 240.0, 280.0, 240.0),
                                                      ("jemalloc", 178.0, 224.0, 171.0), ("mimalloc", 160.0, 202.0, 160.0)):
        cells.append(list_lifetime(allocator, kept_mb, peak_mb=peak_mb))
        cells.append(list_lifetime(allocator, kept_mb, idle_s=12, rounds=1, idle_end_mb=after_12s_mb))
    cells.append(list_lifetime("pymalloc", 1.5, host="python3", slower=3.0))
    tcmalloc = list_lifetime("tcmalloc", 1.0)
    tcmalloc.update(status="n/a", reason="libtcmalloc_minimal.so.4 is not installed (package libtcmalloc-minimal4)")
    return cells + [tcmalloc]


def sample_of(cell, number, index, turn, dice):
    """One line of samples.jsonl and its curve."""
    noise = lambda width=0.03: 1 + dice.uniform(-width, width)
    baseline = 2_500_000 + dice.randrange(50) * 4096
    at_ns, rss, objects, live, peak = 0, 0.0, 0.0, 0.0, 0.0
    phases, curve = [], []
    for place, (name, seconds, rss_end, object_end, live_end) in enumerate(cell["phases"], 1):
        wall_ns, park_ns, begin_ns = int(seconds * SECOND * noise()), 12_000_000, at_ns
        for t_ns in range(begin_ns, begin_ns + wall_ns, TICK_NS):
            share = (t_ns - begin_ns) / wall_ns
            eased = share if name != "idle" else 1 / (1 + math.exp(-20 * (share - 0.8)))
            mix = lambda a, b, s: int(((1 - s) * a + s * b) * MB)
            curve.append((t_ns, baseline + mix(rss, rss_end, eased), mix(objects, object_end, share),
                          mix(live, live_end, share), place, 0))
        at_ns = begin_ns + wall_ns
        rss, objects, live, peak = rss_end, object_end, live_end, max(peak, rss_end)
        amounts = (baseline + int(rss * MB), int(objects * MB), int(live * MB))
        curve += [(at_ns + step, *amounts, place, 1) for step in (0, park_ns)]
        phases.append({"name": name, "begin_ns": begin_ns, "end_ns": at_ns, "wall_ns": wall_ns, "park_ns": park_ns,
                       "cpu_ns": wall_ns, "minor_faults": 10, "major_faults": 0, "voluntary_switches": 0,
                       "involuntary_switches": 0, "operations": 1, "rss_bytes": amounts[0], "uss_bytes": int(rss * MB),
                       "lazyfree_bytes": 0, "anon_huge_bytes": 0, "swap_bytes": 0, "page_table_bytes": 4096,
                       "peak_bytes": baseline + int(peak * MB), "object_bytes": amounts[1], "live_bytes": amounts[2]})
        at_ns += park_ns
    curve.append((at_ns + TICK_NS, 0, 0, 0, len(phases), 0))  # the process has ended
    timed = sum(phase["wall_ns"] for phase in phases if phase["name"] != "idle")
    ratio = lambda floor: (peak - rss) / (peak - floor) if peak - floor > 1.05 else None
    record = {"sample": number, "cell": index, "round": turn, "status": "ok", "reason": None, "version": "1.0",
              "providers": {"object": cell["allocator"], "raw": "libc.so.6"}, "started": "2024-05-01T12:00:00Z",
              "pad_bytes": 17, "cpu": 1, "statm_error_bytes": 0, "baseline_bytes": baseline, "baseline_uss_bytes": baseline,
              "peak_bytes": baseline + int(peak * MB), "retained_bytes": int(rss * MB * noise(0.003)),
              "live_peak_bytes": int(peak * MB), "return_ratio": ratio(objects), "return_ratio_live": ratio(live),
              "since_last_free_ns": 530_000_000, "wall_ns": timed, "cpu_ns": timed, "minor_faults": 50_000,
              "major_faults": 0, "voluntary_switches": 1, "involuntary_switches": 1, "operations": 1,
              "checksum": "00000000deadbeef", "ticks": len(curve), "late_ticks": 0, "phases": phases, "repeat": 0,
              "canary": {"loop_ns": 2.0 * noise(), "latency_ns": 100 * noise(), "fault_ns": 1500 * noise(0.1)}, "dirty": False}
    return record, curve


def summary_of(cell, records):
    """A cell of summary.json; the interval of six samples is their range."""
    good = [record for record in records if record["status"] == "ok"]
    bad = next((record for record in records if record["status"] != "ok"), cell)

    def figure(name):
        values = [record[name] for record in good if record[name] is not None]
        if not values:
            return None
        enough = len(values) >= 6
        return {"median": statistics.median(values), "low": min(values) if enough else None,
                "high": max(values) if enough else None}
    names = ("wall_ns", "rss_bytes", "uss_bytes", "lazyfree_bytes", "object_bytes", "live_bytes")
    phases = [{"name": same[0]["name"], **{name: statistics.median(phase[name] for phase in same) for name in names}}
              for same in zip(*(record["phases"] for record in good))]
    return {**{name: cell[name] for name in (*KEY, *WAY) if name in cell}, "version": "1.0" if good else None,
            "providers": good[0]["providers"] if good else None, "status": bad["status"], "reason": bad["reason"],
            "control": cell.get("control", False), "noise_floor": cell.get("noise_floor"), "dirty": 0, "repeats": 0,
            "samples": len(good), **{name: figure(name) for name in FIGURES}, "statm_error_bytes": 0, "phases": phases,
            "curves": [record["sample"] for record in good]}


def make_run(folder, cells, seed=1):
    """Writes a run folder: every cell in every round, cells with a status but `ok` without samples."""
    dice = random.Random(seed)
    os.makedirs(os.path.join(folder, "curves"))
    records = [[] for _ in cells]
    lines = []
    for turn in range(max(cell["rounds"] for cell in cells)):
        for index, one in enumerate(cells):
            if one["status"] != "ok" or turn >= one["rounds"]:
                continue
            record, curve = sample_of(one, len(lines), index, turn, dice)
            lines.append(json.dumps(record))
            records[index].append(record)
            write_curve(folder, record["sample"], [",".join(map(str, point)) for point in curve])
    plan = {"format": 1, "suite": "quick", "seed": 1, "tick_ns": 1_000_000, "timeout_ns": 60 * SECOND,
            "memory_limit_bytes": 10**10, "warm_up_bytes": 2**30, "repeat_dirty": True, "order": [],
            "cells": [{"control": False, **{name: one[name] for name in (*KEY, *WAY, "rounds", "not_available", "control")
                                            if name in one}} for one in cells]}
    machine = {"tidemark": "0.1.0", "git": "abcdef0", "build_type": "Release", "sanitizer": None, "cpu": "A Processor 9000",
               "cores": 2, "memory_bytes": 8 * 2**30, "page_bytes": 4096, "kernel": "Linux 6.1.0", "libc": "glibc 2.36",
               "thp": "madvise", "overcommit_memory": 0, "governor": None, "cgroup": 2, "sampler": "fifo",
               "libraries": {"jemalloc": "5.3.0", "mimalloc": "2.0.9"}, "dropped_environment": [],
               "python": {"python3": {"path": "python3", "version": "CPython 3.11.2"}},
               "started": "2024-05-01T12:00:00Z", "finished": "2024-05-01T12:03:00Z", "interrupted": False,
               "warm_up": {"bytes": 2**30, "first_ns_per_page": 4500.0, "again_ns_per_page": 1500.0}}
    write(folder, "samples.jsonl", "".join(line + "\n" for line in lines))
    write(folder, "plan.json", json.dumps(plan))
    write(folder, "machine.json", json.dumps(machine))
    write(folder, "summary.json", json.dumps([summary_of(*pair) for pair in zip(cells, records)]))
    return folder


def write_curve(folder, number, lines):
    with gzip.open(os.path.join(folder, "curves", f"{number:06d}.csv.gz"), "wt", compresslevel=1) as file:
        file.write("\n".join(["t_ns,rss_bytes,object_bytes,live_bytes,phase,parked", *lines, ""]))


def write(folder, name, text):
    with open(os.path.join(folder, name), "w", encoding="utf-8") as file:
        file.write(text)


def read(*path, mode="r"):
    with open(os.path.join(*path), mode) as file:
        return file.read()


def png_size(path):
    """(width, height) in pixels, from the header."""
    data = read(path, mode="rb")
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise AssertionError(f"{path} is no PNG")
    return struct.unpack(">II", data[16:24])


def change_json(folder, name, change):
    value = json.loads(read(folder, name))
    change(value)
    write(folder, name, json.dumps(value))


def run_report(*arguments):
    """Exit status, standard output, standard error."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            status = report.main(list(arguments))
        except SystemExit as stop:
            status = stop.code
    return status, out.getvalue(), err.getvalue()


def foreign_scripts(page):
    """The script elements of a page but its own: packed data, which are no program, and the one with the page's checksum."""
    found = re.findall(r"<script[^>]*>", page)
    own = [tag for tag in found if re.fullmatch(r'<script type="application/octet-stream" id="[a-z0-9-]+">', tag)]
    return sorted(set(found) - set(own) - {"<script>"}) + ["<script>"] * (found.count("<script>") - 1)


class References(html.parser.HTMLParser):
    """Collects what a page would load or link to, its tags and its text."""

    def __init__(self, text):
        super().__init__()
        self.found, self.tags, self.words, self.anchors = [], set(), [], set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        loads = ("src", "href", "srcset", "action", "data", "poster")
        self.found += [(tag, value) for name, value in attributes if name in loads]
        self.anchors |= {value for name, value in attributes if name == "id"}

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return re.sub(r"\s+", " ", " ".join(self.words))


class TableOfCells(html.parser.HTMLParser):
    """The rows of the table of cells: for each cell of the table its words, the small ones after the others."""

    def __init__(self, text):
        super().__init__()
        self.rows = []
        self.feed(text[text.index('id="cells"'):].partition("</table>")[0])

    def handle_starttag(self, tag, attributes):
        if tag == "tr":
            self.rows.append([])
        elif tag == "td":
            self.rows[-1].append([])

    def handle_data(self, data):
        if self.rows and self.rows[-1] and data.strip():
            self.rows[-1][-1].append(data.strip())


class Folder(unittest.TestCase):
    """Gives each test a fresh path for a run."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = os.path.join(holder.name, "run")

    def fails(self, *wanted):
        status, _, err = run_report(self.folder)
        self.assertEqual(status, 1, err)
        for text in wanted:
            self.assertIn(text, err)
        self.assertNotIn("Traceback", err)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "report.html")))

    def page(self, *options):
        status, _, err = run_report(self.folder, *options)
        self.assertEqual(status, 0, err)
        return References(read(self.folder, "report.html"))

    def said(self):
        """The text of the page, for tests that are of no figure: none is drawn."""
        return self.page("--only=report").text.replace(words.NARROW, " ")


# --- the whole of a quick run -----------------------------------------------------------------------------------------------

class QuickRun(unittest.TestCase):
    """One run with the cells of the quick suite, drawn once for all tests here."""

    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = make_run(os.path.join(cls.holder.name, "run"), quick_cells())
        cls.status, cls.out, cls.err = run_report(cls.folder)
        cls.page = References(read(cls.folder, "report.html")) if cls.status == 0 else None

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def test_ends_well_and_names_what_it_wrote(self):
        self.assertEqual((self.status, self.err), (0, ""))
        for path in self.out.split():
            self.assertTrue(os.path.exists(path), path)

    def test_every_figure_is_a_png_of_readable_size_with_its_svg(self):
        figures = os.path.join(self.folder, "figures")
        names = sorted(os.listdir(figures))
        pictures = [name[:-4] for name in names if name.endswith(".png")]
        self.assertEqual(pictures, QUICK_PICTURES)
        self.assertEqual(names, sorted([name + ".png" for name in pictures] + [name + ".svg" for name in pictures]))
        for name in pictures:
            width, height = png_size(os.path.join(figures, name + ".png"))
            self.assertEqual(width, round(style.WIDTH * style.DOTS))
            self.assertGreater(height, 4 * style.DOTS)

    def test_svg_is_the_same_when_drawn_again(self):
        figures = os.path.join(self.folder, "figures")
        before = {name: read(figures, name, mode="rb") for name in os.listdir(figures)}
        self.assertEqual(run_report(self.folder, "--only=figures")[0], 0)
        self.assertEqual({name: read(figures, name, mode="rb") for name in os.listdir(figures)}, before)

    def test_the_report_loads_nothing_from_elsewhere(self):
        for tag, value in self.page.found:
            self.assertTrue(value.startswith("#") if tag == "a" else value.startswith("data:image/png;base64,"), value[:60])
        self.assertNotIn("url(", read(self.folder, "report.html"))
        self.assertFalse(self.page.tags & {"link", "iframe", "object", "embed"})  # scripts have no src: that would have been found
        self.assertRegex(read(self.folder, "report.html"), r"Content-Security-Policy\" content=\"default-src &#39;none&#39;;")

    def test_every_link_inside_the_report_has_its_target(self):
        self.assertLessEqual({value[1:] for tag, value in self.page.found if tag == "a"}, self.page.anchors)

    def test_the_report_says_what_the_data_say(self):
        for sentence in ("Nothing (pass) and del keep the same in every row", "glibc gave back least: 14.3 %",
                         "pymalloc gave back most: 99.4 % of what it could.",
                         "jemalloc gave back most while it waited: 7.0 MB. n = 1: one sample per row, no interval.",
                         "del and a collection leave 12", "whether they reach the system is decided by malloc"):
            self.assertIn(sentence, self.page.text.replace(words.NARROW, " "))

    def test_a_row_that_is_not_available_stays_in_table_and_words_with_its_reason(self):
        self.assertGreaterEqual(self.page.text.count("libtcmalloc_minimal.so.4 is not installed"), 2)

    def test_the_articles_that_were_not_reproduced_are_named(self):
        for text in ("Windows", "2 GB of memory", "Only gc.collect() releases"):
            self.assertIn(text, self.page.text)

    def test_no_temporary_file_stays(self):
        left = [name for _, _, names in os.walk(self.folder) for name in names if name.startswith(".")]
        self.assertEqual(left, [])


# --- the reference run ------------------------------------------------------------------------------------------------------

REFERENCE = os.path.abspath("results/reference")
SHOWN = re.compile(r"(−?[\d,]+)(\.\d+)?(?:\s(ns|µs|ms|s|MB|%))?")
FACTORS = {"ns": 1, "µs": 1e3, "ms": 1e6, "s": 1e9, "MB": 1e6, "%": 0.01}  # to the units of summary.json
COLUMNS = ("wall_ns", "peak_bytes", "retained_bytes", "return_ratio", "return_ratio_live", "since_last_free_ns")


class RowsByPath(unittest.TestCase):
    def read(self, *rows):
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        make_run(folder, [list_lifetime(row, 1.0) for row in rows])
        return [cell.allocator for experiment in run_folder.read_run(folder).experiments for cell in experiment.cells]

    def test_a_path_is_called_by_its_last_part(self):
        self.assertEqual(self.read("/opt/lib/liba.so", "mine=/opt/libb.so+x:1", "pymalloc@/opt/liba.so"),
                         ["liba.so", "mine=libb.so+x:1", "pymalloc@liba.so"])

    def test_where_that_would_make_two_rows_alike_the_paths_stay(self):
        self.assertEqual(self.read("/opt/a/lib.so", "/opt/b/lib.so"), ["/opt/a/lib.so", "/opt/b/lib.so"])


class ReferenceRun(unittest.TestCase):
    """
    results/reference, drawn once in full size. Where these fail, the code and the run that we show have parted:
    renew what is computed (`tidemark show --json`, `tidemark plot`), or measure the run anew.
    """

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.folder = os.path.join(holder.name, "reference")
        shutil.copytree(REFERENCE, cls.folder, ignore=shutil.ignore_patterns("figures", "report.html"))
        cls.addClassCleanup(setattr, style, "DOTS", style.DOTS)
        style.DOTS = FULL_DOTS
        status, cls.out, err = run_report(cls.folder)
        if (status, err) != (0, ""):
            raise AssertionError(f"results/reference cannot be drawn by this code: status {status}: {err}")
        cls.html = read(cls.folder, "report.html")
        cls.page = References(cls.html)
        cls.summary = json.loads(read(REFERENCE, "summary.json"))
        cls.pictures = sorted(QUICK_PICTURES + REFERENCE_PICTURES)

    def texts_of(self, picture):
        """Every text of a figure: matplotlib leaves each as a comment beside its outlines."""
        svg = read(self.folder, "figures", picture + ".svg")
        return [text.replace(words.NARROW, " ") for text in re.findall(r"<!-- (.*?) -->", svg)]

    def assert_shown(self, text, wanted, unit=None):
        """`text` is `wanted`, rounded to the digits that it shows. Returns its unit."""
        match = SHOWN.fullmatch(text)
        self.assertTrue(match, f"{text!r} is no quantity")
        whole, digits, unit = match[1].replace(",", "").replace(words.MINUS, "-"), match[2] or "", match[3] or unit
        half = 0.5 * 10.0 ** -max(len(digits) - 1, 0) * FACTORS[unit]
        self.assertAlmostEqual(float(whole + digits) * FACTORS[unit], wanted, delta=half * 1.001)
        return unit

    def assert_figure(self, told, figure):
        """A cell of the table: the median and, where there is one, its interval."""
        if figure is None:
            self.assertEqual(told, ["n/a"])
            return
        unit = self.assert_shown(told[0], figure["median"])
        bounds = [figure[bound] for bound in ("low", "high") if figure[bound] is not None]
        self.assertEqual(len(told), 2 if bounds else 1)
        for text, bound in zip(told[1].strip("[]").split(", ") if bounds else (), bounds, strict=True):
            self.assert_shown(text, bound, unit)

    def test_it_is_computed_today_as_it_is_stored(self):
        self.assertEqual(show(REFERENCE), self.summary, "build/tidemark show results/reference --json gives another summary")

    def test_its_plan_and_samples_can_be_gone_on_with(self):
        resumed = tidemark("run", "--resume", self.folder)
        self.assertEqual(resumed.returncode, 0, resumed.stderr)
        self.assertIn("is complete: nothing is left to run", resumed.stdout + resumed.stderr)

    def test_every_figure_is_there_in_the_stated_size(self):
        figures = os.path.join(self.folder, "figures")
        self.assertEqual(sorted(os.listdir(figures)),
                         sorted(name + end for name in self.pictures for end in (".png", ".svg")))
        for name in self.pictures:
            width, height = png_size(os.path.join(figures, name + ".png"))
            root = xml.etree.ElementTree.parse(os.path.join(figures, name + ".svg")).getroot()
            self.assertEqual((width, root.tag, root.get("width")), (1650, "{http://www.w3.org/2000/svg}svg", "792pt"))
            self.assertAlmostEqual(float(root.get("height").removesuffix("pt")) / 792, height / width, delta=1.5 / width)

    @unittest.skipUnless(matplotlib.__version__.startswith("3.6."), "kept as matplotlib 3.6 of Debian 12 draws them")
    def test_the_figures_that_are_kept_are_those_that_this_code_draws(self):
        kept = os.path.join(REFERENCE, "figures")
        self.assertEqual(sorted(name for name in os.listdir(kept) if name.endswith(".png")),
                         [name + ".png" for name in self.pictures])
        for name in self.pictures:
            shown, drawn = (numpy.asarray(PIL.Image.open(os.path.join(folder, name + ".png")).convert("RGB"), int)
                            for folder in (kept, os.path.join(self.folder, "figures")))
            self.assertEqual(shown.shape, drawn.shape, name)
            # The palette and the edges of letters may differ with the libraries; a digit alone is some fifty pixels.
            differ = int((abs(shown - drawn).max(axis=2) > 64).sum())
            self.assertLessEqual(differ, 20, f"{name}.png: draw it anew with build/tidemark plot results/reference")

    def test_each_curve_names_its_row_and_the_share_of_the_summary(self):
        for picture, idle_ns, params in (
                ("memory-return-del_collect-5M-pass-range-2.7", SECOND // 5, {"way": "pass"}),
                ("memory-return-del_collect-5M-del-range-2.7", SECOND // 5, {"way": "del"}),
                ("memory-return-del_collect-5M-del_collect-range-2.7", SECOND // 5, {"way": "del_collect"}),
                ("memory-return-list_lifetime-5M-del_collect-3.11", SECOND // 5, {"how": "del_collect"}),
                ("idle-list_lifetime-5M-del_collect-3.11", 12 * SECOND, {"how": "del_collect"})):
            with self.subTest(picture=picture):
                titles = dict(text.split(" · gives back ") for text in self.texts_of(picture) if " · gives back " in text)
                cells = {cell["allocator"] + (" in CPython 3.11.2" if cell["host"] == "python3" else ""): cell
                         for cell in self.summary if not cell["control"] and cell["idle_ns"] == idle_ns
                         and params.items() <= cell["params"].items()}
                self.assertEqual(set(titles), set(cells))
                for row, title in titles.items():
                    self.assert_shown(title.split(",")[0], cells[row]["return_ratio"]["median"])

    def test_the_other_figures_name_their_rows(self):
        rows = {name.removesuffix(".json") for name in os.listdir(os.path.join(REFERENCE, "micro"))}
        self.assertEqual(len(rows), 7)
        self.assertLessEqual(rows, set(self.texts_of("micro")))
        self.assertLessEqual({cell["allocator"] for cell in self.summary}, set(self.texts_of("trade-off")))
        self.assertLessEqual({"CPython 3.11.2", "replay in C"},
                             set(self.texts_of("replay-list_lifetime-5M-del_collect-3.11-pymalloc")))

    def test_the_table_has_every_row_with_the_numbers_of_the_summary(self):
        rows = [row for row in TableOfCells(self.html).rows if row]
        groups = {}  # as the page has them: equal in workload, parameters and idle time
        for cell in self.summary:
            if cell["control"]:  # told with the steadiness of the machine, and no row
                continue
            groups.setdefault((cell["workload"], str(cell["params"]), cell["idle_ns"]), []).append(cell)
        cells = [cell for group in groups.values() for cell in group]
        self.assertEqual([(row[0], row[1]) for row in rows],
                         [([cell["allocator"], cell["version"]], [cell["host"]]) for cell in cells])
        for row, cell in zip(rows, cells):
            with self.subTest(row=cell["allocator"], params=cell["params"], idle=cell["idle_ns"]):
                self.assertEqual(row[8:], [[str(cell["samples"])], ["ok"]])
                for told, column in zip(row[2:8], COLUMNS, strict=True):
                    self.assert_figure(told, cell[column])

    def test_every_cell_of_the_plan_is_in_the_summary(self):
        plan = json.loads(read(REFERENCE, "plan.json"))
        self.assertEqual([[cell[name] for name in KEY] for cell in plan["cells"]],
                         [[cell[name] for name in KEY] for cell in self.summary])
        self.assertNotIn('id="not-run"', self.html)

    def test_the_words_name_the_rows_that_gave_back_most_and_least(self):
        shares = sorted((cell["return_ratio"]["median"], cell["allocator"]) for cell in self.summary
                        if cell["workload"] == "list_lifetime" and cell["host"] == "objects" and cell["idle_ns"] < SECOND)
        for end, (share, row) in (("most", shares[-1]), ("least", shares[0])):
            told = re.search(rf"(\S+) gave back {end}: ([\d.]+\s%)", self.page.text)
            self.assertEqual(told[1], row)
            self.assert_shown(told[2], share)

    def test_nothing_is_referred_to_that_is_not_there(self):
        for tag, value in self.page.found:
            if tag == "a":
                self.assertIn(value.removeprefix("#"), self.page.anchors)
            else:
                self.assertTrue(value.startswith("data:image/png;base64,"), value[:60])
        charts = re.findall(r'<figure class="chart" id="([a-z0-9-]+)"', self.html)
        self.assertGreater(len(charts), len(self.pictures))
        self.assertEqual(sorted(re.findall(r'<script type="application/octet-stream" id="(chart-[a-z0-9-]+)-data">', self.html)), sorted(charts))
        self.assertEqual([path for path in self.out.split() if not os.path.exists(path)], [])

    def test_what_the_documents_show_of_it_is_there(self):
        pages = ["README.md", *(os.path.join("docs", name) for name in sorted(os.listdir("docs")) if name.endswith(".md"))]
        found = {path for page in pages for path in re.findall(r"\(((?:\.\./)?results/reference[^)\s]*)\)", read(page))}
        self.assertGreaterEqual(len(found), 3)
        self.assertEqual([path for path in found if not os.path.exists(path.removeprefix("../"))], [])

    def test_the_table_of_the_readme_is_what_show_prints(self):
        block = re.search(r"```\n(list_lifetime .*?)```", read("README.md"), re.DOTALL)
        self.assertIn(block[1], tidemark("show", REFERENCE).stdout)


# --- partial and odd runs ---------------------------------------------------------------------------------------------------

class OddRun(Folder):
    def test_a_hostile_row_name_is_text(self):
        make_run(self.folder, [list_lifetime(HOSTILE, 10.0, rounds=2), list_lifetime("glibc", 20.0, rounds=2)])
        page = self.page()
        self.assertIn("<script>$\\nosuch{$</script>&", page.text)
        html = read(self.folder, "report.html")
        self.assertNotIn("<script>$", html)
        self.assertEqual(foreign_scripts(html), [])
        for name in os.listdir(os.path.join(self.folder, "figures")):
            self.assertRegex(name, r"^[A-Za-z0-9._-]+$")

    def test_one_sample_has_no_interval(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=1), list_lifetime("mimalloc", 9.0, rounds=1)])
        self.assertIn("There are too few samples for intervals.", self.page().text)

    def test_a_share_that_does_not_exist_is_not_available(self):
        small = list_lifetime("bump", 0.5, peak_mb=0.9)
        make_run(self.folder, [small, list_lifetime("glibc", 20.0)])
        self.assertIsNone(json.loads(read(self.folder, "summary.json"))[0]["return_ratio"])
        self.assertIn("n/a", self.page().text)

    def test_a_run_in_which_nothing_ran_still_has_its_report(self):
        one = list_lifetime("glibc", 20.0)
        one.update(status="exit", reason="the child ended with 3")
        make_run(self.folder, [one])
        self.assertIn("the child ended with 3", self.page().text)

    def test_where_nothing_goes_back_no_row_is_called_the_best(self):
        make_run(self.folder, [list_lifetime("glibc", 200.0), list_lifetime("mimalloc", 199.0)])
        self.assertIn("No row gave back as much as 1.0 % of what it could.", self.said())

    def test_where_next_to_nothing_stays_a_collection_is_not_judged(self):
        make_run(self.folder, [del_collect(way, "pymalloc", 0.2, 0.1, peak_mb=0.5) for way in ("pass", "del", "del_collect")])
        self.assertIn("Less than 1.0 MB stays in every row, in each of the ways pass, del and del_collect",
                      self.said())

    def test_an_experiment_that_is_absent_is_said_to_be(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0)])
        text = self.said()
        for what in ("del_collect cells", "real CPython", "idle for 10 s or more"):
            self.assertRegex(text, "Not answered by this run: it has no [^.]*" + what)

    def test_a_planned_cell_that_the_summary_lacks_is_named(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0)])
        change_json(self.folder, "summary.json", lambda cells: cells.pop())
        self.assertIn("mimalloc in list_lifetime: n=5M, how=del_collect, profile=3.11: planned, but not in summary.json",
                      self.page().text)

    def test_a_cell_of_which_one_sample_failed_keeps_the_others(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=3), list_lifetime("mimalloc", 9.0, rounds=3)])
        lines = read(self.folder, "samples.jsonl").splitlines()
        failed = {"sample": 0, "cell": 0, "round": 0, "status": "timeout", "reason": "no end after 60 s", "phases": []}
        write(self.folder, "samples.jsonl", "\n".join([json.dumps(failed), *lines[1:]]) + "\n")
        change_json(self.folder, "summary.json",
                    lambda cells: cells[0].update(status="timeout", reason="no end after 60 s", samples=2))
        self.assertIn("timeout, no end after 60 s (2 samples ok)", self.page().text)

    def test_micro_benchmarks_are_drawn(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=1)])
        os.mkdir(os.path.join(self.folder, "micro"))
        for row, ns in (("glibc", 5), ("mimalloc", 3)):
            entries = [{"name": f"{name}/{8 << power}", "run_type": "iteration", "real_time": (ns + power) * items,
                        "time_unit": "ns", "items_per_second": 1e9 / (ns + power)}
                       for name, items in (("pair", 1), ("stack", 1000)) for power in range(10)]
            write(self.folder, f"micro/{row}.json", json.dumps({"context": {"tidemark_row": row}, "benchmarks": entries}))
        self.page()
        self.assertTrue(os.path.exists(os.path.join(self.folder, "figures", "micro.png")))
        lines = micro.read_lines(run_folder.read_run(self.folder))
        self.assertEqual([size for size, _ in lines["stack"]["glibc"]], [8 << power for power in range(10)])
        self.assertAlmostEqual(lines["stack"]["mimalloc"][0][1], 3)

    def test_a_micro_benchmark_has_its_panel_and_its_place(self):
        for name, place in (("pair/8", ("pair", "size", 8)), ("pair/size:65536", ("pair", "size", 65536)),
                            ("aligned/size:1024/alignment:64", ("aligned/alignment:64", "size", 1024)),
                            ("batch/order:random/n:1000/size:64", ("batch/order:random/n:1000", "size", 64)),
                            ("realloc_grow/by:1.5/to:64KiB", ("realloc_grow/by:1.5", "size", 65536)),
                            ("threads/size:64/real_time/threads:2", ("threads/size:64", "threads", 2)),
                            ("region/create", ("region/create", "", 1))):
            with self.subTest(name=name):
                self.assertEqual(micro.place(name), place)


class Ways(Folder):
    """Cells that give back in different ways are never in one experiment, and every name says which way it is."""

    def experiments(self):
        return run_folder.read_run(self.folder).experiments

    def test_what_a_run_of_before_the_ways_lacks_is_stock_and_not_told(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=1)])
        (experiment,) = self.experiments()
        self.assertEqual(experiment.way, model.Way("stock", 0, False, "system"))
        self.assertEqual(words.experiment(experiment), "list_lifetime: n=5M, how=del_collect, profile=3.11")

    def test_each_field_of_a_way_parts_experiments(self):
        ways = [{}, {"return": "idle"}, {"return": "idle", "rebuild": True}, {"activity_ns": SECOND // 10}, {"thp": "off"}, {"thp": "on"}]
        cells = [{**list_lifetime(row, 20.0, rounds=1), **way} for way in ways for row in ("glibc", "jemalloc")]
        make_run(self.folder, cells)
        experiments = self.experiments()
        self.assertEqual([len(experiment.cells) for experiment in experiments], [2] * len(ways))
        names = [words.experiment(experiment).replace(words.NARROW, " ").partition(" · ")[2] for experiment in experiments]
        self.assertEqual(names, ["return stock", "return idle, not rebuilt", "return idle", "return stock, active every 100 ms",
                                 "return stock, THP off", "return stock, THP on"])
        self.assertEqual([cell.way for cell in experiments[2].cells], [model.Way("idle", 0, True, "system")] * 2)

    def test_one_way_alone_that_is_not_stock_is_told(self):
        make_run(self.folder, [{**list_lifetime("glibc", 20.0, rounds=1), "return": "eager", "rebuild": True}])
        self.assertIn("profile=3.11 · return eager", words.experiment(self.experiments()[0]))

    def test_figures_table_and_words_name_the_way(self):
        make_run(self.folder, [{**list_lifetime(row, kept, rounds=1), "return": mode} for mode in ("stock", "eager")
                               for row, kept in (("glibc", 20.0), ("jemalloc", 90.0))])
        change_json(self.folder, "summary.json", lambda cells: cells.pop())
        page = self.page()
        names = os.listdir(os.path.join(self.folder, "figures"))
        for mode in ("stock", "eager-not-rebuilt"):
            self.assertIn(f"memory-return-list_lifetime-5M-del_collect-3.11-return-{mode}.png", names)
        for text in ("list_lifetime: n=5M, how=del_collect, profile=3.11 · return stock · 500 ms idle",
                     "list_lifetime: n=5M, how=del_collect, profile=3.11 · return eager, not rebuilt · 500 ms idle",
                     "profile=3.11 · return eager, not rebuilt: planned, but not in summary.json"):
            self.assertIn(text, page.text.replace(words.NARROW, " "))

    def test_a_collection_is_compared_within_its_way(self):
        make_run(self.folder, [{**del_collect(way, "glibc", kept), "return": mode} for mode, kept in (("stock", 50.0), ("purge", 3.0))
                               for way in ("pass", "del", "del_collect")])
        text = self.said()
        for mode, kept in (("stock", "(49|50)"), ("purge, not rebuilt", "[23]")):
            told = text.partition(f"profile=2.7 · return {mode})")[2].partition(" stay after del")[0]
            self.assertRegex(told, rf" {kept}\.\d MB$")

    def test_a_phase_rebuild_is_in_no_figure_of_the_sample(self):
        one = {**list_lifetime("glibc", 20.0, rounds=1), "return": "purge", "rebuild": True}
        one["phases"] = [*one["phases"], ("rebuild", 0.1, 20.0, 0.0, 0.0)]
        make_run(self.folder, [one])
        run = run_folder.read_run(self.folder)
        (sample,) = run.experiments[0].cells[0].good
        self.assertEqual([phase.name for phase in sample.phases], ["build", "del", "collect", "idle"])
        park_s = 0.012
        self.assertAlmostEqual(run_folder.read_curve(run, sample).t_s[-1], sample.phases[-1].end_s, delta=park_s)

    def test_a_phase_of_that_name_that_the_program_has_itself_stays(self):
        one = list_lifetime("glibc", 20.0, rounds=1)
        one["phases"] = [*one["phases"], ("rebuild", 0.1, 20.0, 0.0, 0.0)]
        make_run(self.folder, [one])
        self.assertEqual(self.experiments()[0].cells[0].good[0].phases[-1].name, "rebuild")

    def test_what_is_no_way_is_refused_by_file_and_field(self):
        for field, value, said in (("return", "idel", "'return' is 'idel', wanted stock, idle, eager, purge or pressure"),
                                   ("return", None, "'return' is None, wanted a string"), ("return", "", "'return' is ''"),
                                   ("thp", "always", "'thp' is 'always', wanted system, on or off"), ("thp", 1, "'thp' is 1"),
                                   ("activity_ns", -1, "'activity_ns' is -1"), ("activity_ns", 0.5, "'activity_ns' is 0.5"),
                                   ("rebuild", 1, "'rebuild' is 1, wanted true or false")):
            with self.subTest(field=field, value=value):
                shutil.rmtree(self.folder, ignore_errors=True)
                make_run(self.folder, [{**list_lifetime("glibc", 20.0, rounds=1), field: value}])
                self.fails("plan.json: cell 0: " + said)

    def test_a_summary_in_another_way_than_the_plan_is_refused(self):
        make_run(self.folder, [{**list_lifetime("glibc", 20.0, rounds=1), "return": "idle"}])
        change_json(self.folder, "summary.json", lambda cells: cells[0].update({"return": "eager"}))
        self.fails("summary.json: object 0: no such cell in plan.json", "return eager")


class Steadiness(Folder):
    """The section on noise, its figure, and controls, which are rows nowhere else."""

    def text(self):
        """Of the page; of the figures that of the canary alone is drawn."""
        text = self.said()
        list(report._draw_canary(run_folder.read_run(self.folder)))
        return text

    def change_samples(self, change):
        records = [json.loads(line) for line in read(self.folder, "samples.jsonl").splitlines()]
        for record in records:
            change(record)
        write(self.folder, "samples.jsonl", "".join(json.dumps(record) + "\n" for record in records))

    def test_rounds_until_an_interval_is_narrow_are_told_with_what_was_inconclusive(self):
        asked = [{"share": 0.02, "reached": True, "cap": None, "half_widths": {"wall_ns": 0.019}},
                 {"share": 0.02, "reached": False, "cap": "rounds", "half_widths": {"wall_ns": 0.031, "peak_bytes": None}}, None]
        make_run(self.folder, [list_lifetime(row, 20.0) for row in ("glibc", "mimalloc", "jemalloc")])
        change_json(self.folder, "summary.json", lambda cells: [cell.update(until=until) for cell, until in zip(cells, asked)])
        self.assertIn("Rounds were added until half the interval is at most 2.0 % of the median: 1 of 2 rows came to that; not mimalloc in "
                      "list_lifetime: n=5M, how=del_collect, profile=3.11 (inconclusive at the bound of rounds, ±3.1 % in time).",
                      self.text())

    def test_a_bound_that_there_is_not_is_refused(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0)])
        until = {"share": 0.02, "reached": False, "cap": "patience", "half_widths": {}}
        change_json(self.folder, "summary.json", lambda cells: cells[0].update(until=until))
        self.fails("summary.json: object 0: until: 'cap' is 'patience', wanted rounds, time or null")

    def test_a_quiet_run_says_so_and_draws_its_canary(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0)])
        text = self.text()
        self.assertIn("How steady was the machine", text)
        self.assertIn("None of 12 samples was dirty: no piece", text)
        self.assertIn("This run has no A/A control", text)
        self.assertTrue(os.path.exists(os.path.join(self.folder, "figures", "steadiness.png")))

    def test_dirty_samples_and_those_taken_once_more_are_counted(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0)])
        self.change_samples(lambda record: record.update(dirty=record["sample"] in (6, 7, 11), repeat=int(record["sample"] > 7)))
        self.assertIn("3 of 12 samples were dirty", self.text())
        self.assertIn("Their rounds were run once more, 4 samples.", self.text())

    def test_a_run_that_was_to_repeat_nothing_says_so(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0)])
        self.change_samples(lambda record: record.update(dirty=record["sample"] == 5))
        change_json(self.folder, "plan.json", lambda plan: plan.update(repeat_dirty=False))
        self.assertIn("told to take no sample once more", self.text())

    def test_the_noise_floor_is_told_in_percent(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0),
                               controlled((1.003, 0.981, 1.032), (1.0, 0.9999, 1.0001), None)])
        self.assertIn("glibc in list_lifetime: n=5M, how=del_collect, profile=3.11: two identical rows differed by "
                      "+0.30 % [−1.9, +3.2] in time and by 0.00 % [−0.01, +0.01] in peak, 6 pairs: a smaller difference means "
                      "nothing in this run.", self.text())

    def test_a_control_is_in_no_table_and_no_other_figure(self):
        cells = [list_lifetime("glibc", 20.0), list_lifetime("mimalloc", 9.0)]
        make_run(self.folder, [*cells, controlled((1.0, 0.9, 1.1), None, None)])
        run = run_folder.read_run(self.folder)
        self.assertEqual([cell.allocator for cell in run.experiments[0].cells], ["glibc", "mimalloc"])
        self.assertEqual((len(run.controls), run.missing), (1, []))
        self.assertEqual(len(run.controls[0].cell.good), 6)
        self.assertEqual(len(run.readings), 18)

    def test_a_control_without_enough_pairs_has_no_interval(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), controlled((1.5, None, None), None, None)])
        self.assertIn("differed by +50 % in time, 6 pairs", self.text())
        self.assertIn("too few pairs for an interval", self.text())

    def test_a_control_that_never_finished_says_so(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0), controlled(None, None, None)])
        self.assertIn("no pair of samples finished", self.text())

    def test_the_warm_up_tells_what_it_saved(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0)])
        self.assertIn("1,074 MB of memory were touched: a page cost 4.5 µs the first time and 1.5 µs again. Without that the first "
                      "samples would have paid 3.0 times as much", self.text())
        change_json(self.folder, "machine.json", lambda machine: machine["warm_up"].update(first_ns_per_page=1510.0))
        self.assertIn("The machine had that memory at hand.", self.text())

    def test_a_run_of_an_earlier_version_says_not_recorded(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0)])
        self.change_samples(lambda record: [record.pop(name) for name in NOT_RECORDED])
        change_json(self.folder, "machine.json", lambda machine: machine.pop("warm_up"))
        change_json(self.folder, "plan.json", lambda plan: [plan.pop("repeat_dirty"), plan["cells"][0].pop("control")])
        change_json(self.folder, "summary.json",
                    lambda cells: [cells[0].pop(name) for name in ("control", "noise_floor", "dirty", "repeats")])
        self.assertIn("Not recorded by this run.", self.text())
        self.assertFalse(os.path.exists(os.path.join(self.folder, "figures", "steadiness.png")))

    def test_fields_of_the_wrong_type_are_errors_with_file_and_line(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=2)])
        text = read(self.folder, "samples.jsonl")
        write(self.folder, "samples.jsonl", text.replace('"dirty": false', '"dirty": 0', 1))
        self.fails("samples.jsonl:1", "'dirty' is 0, wanted true or false")
        write(self.folder, "samples.jsonl", re.sub(r'"loop_ns": [0-9.]+', '"loop_ns": null', text, count=1))
        self.fails("samples.jsonl:1: canary", "'loop_ns'")

    def test_one_sample_is_drawn_too(self):
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=1)])
        self.assertIn("None of 1 samples was dirty", self.text())


class BadInput(Folder):
    def setUp(self):
        super().setUp()
        make_run(self.folder, [list_lifetime("glibc", 20.0, rounds=2), list_lifetime("mimalloc", 9.0, rounds=2)])

    def test_a_cut_line_is_an_error_with_file_and_line(self):
        text = read(self.folder, "samples.jsonl")
        write(self.folder, "samples.jsonl", text[:-300] + "\n")
        self.fails("samples.jsonl:4: not JSON")

    def test_a_last_line_that_was_never_finished_is_left_out(self):
        text = read(self.folder, "samples.jsonl")
        write(self.folder, "samples.jsonl", text + '{"sample": 4, "cel')
        status, _, err = run_report(self.folder)
        self.assertEqual(status, 0, err)

    def test_a_sample_of_no_cell_is_an_error_with_file_and_line(self):
        text = read(self.folder, "samples.jsonl")
        write(self.folder, "samples.jsonl", text.replace('"cell": 1', '"cell": 7', 1))
        self.fails("samples.jsonl:2", "'cell' is 7")

    def test_a_field_of_the_wrong_type_is_an_error_with_file_and_line(self):
        text = read(self.folder, "samples.jsonl")
        write(self.folder, "samples.jsonl", re.sub(r'"baseline_bytes": \d+', '"baseline_bytes": "much"', text, count=1))
        self.fails("samples.jsonl:1", "'baseline_bytes' is 'much', wanted a whole number")

    def test_a_summary_of_other_samples_is_refused(self):
        for name, value in (("wall_ns", 10**18), ("retained_bytes", -10**12)):
            with self.subTest(name=name):
                summary = read(self.folder, "summary.json")
                change_json(self.folder, "summary.json", lambda cells: cells[1][name].update(median=value))
                self.fails(f"summary.json: object 1: {name}: it is not between the values of its samples")
                write(self.folder, "summary.json", summary)

    def test_a_time_that_no_item_takes_is_refused(self):
        os.mkdir(os.path.join(self.folder, "micro"))
        for fields in ({"items_per_second": 1e-300}, {"cpu_time": 0}, {"cpu_time": -1}, {"cpu_time": 1e300},
                       {"cpu_time": 1e9, "time_unit": ["s"]}):
            with self.subTest(fields=fields):
                entries = [{"name": "pair/8", **fields}, {"name": "pair/16", "cpu_time": 5}]
                write(self.folder, "micro/glibc.json", json.dumps({"context": ["odd"], "benchmarks": entries}))
                if "time_unit" in fields:
                    self.assertEqual(micro.read_lines(run_folder.read_run(self.folder))["pair"]["glibc"][0], (8, 1e9))
                else:
                    self.fails("micro/glibc.json: 'pair/8' takes", "which is no time of an item")

    def test_more_panels_than_a_picture_holds_are_refused(self):
        with self.assertRaisesRegex(checked.RunError, "2000 panels are more than one picture holds"):
            style.make_panels(1000, 2, 2.15, "title", "", "")

    def test_a_missing_file_is_named(self):
        os.unlink(os.path.join(self.folder, "summary.json"))
        self.fails("summary.json: missing")

    def test_broken_json_is_an_error_with_file_and_line(self):
        write(self.folder, "machine.json", '{\n"cpu": \n')
        self.fails("machine.json:3: not JSON")

    def test_a_truncated_curve_is_an_error_that_names_it(self):
        path = os.path.join(self.folder, "curves", "000000.csv.gz")
        data = read(path, mode="rb")
        for number in range(4):
            with open(os.path.join(self.folder, "curves", f"{number:06d}.csv.gz"), "wb") as file:
                file.write(data[:len(data) // 2])
        self.fails(".csv.gz: damaged")

    def test_a_curve_with_an_odd_line_is_an_error_with_file_and_line(self):
        for number in range(4):
            write_curve(self.folder, number, ["0,1,1,1,1,0", "5,x,1,1,1,0"])
        self.fails(".csv.gz:3:")

    def test_an_unknown_format_is_refused(self):
        change_json(self.folder, "plan.json", lambda plan: plan.update(format=2))
        self.fails("plan.json", "format 2")

    def test_the_report_can_be_written_without_the_figures_and_they_without_it(self):
        for only, kept in (("report", "report.html"), ("figures", "figures")):
            with self.subTest(only=only), tempfile.TemporaryDirectory() as holder:
                folder = shutil.copytree(self.folder, os.path.join(holder, "run"))
                status, out, err = run_report(folder, "--only", only)
                self.assertEqual((status, err), (0, ""))
                self.assertEqual({"report.html", "figures"} & set(os.listdir(folder)), {kept})
                self.assertEqual({os.path.relpath(line, folder).partition("/")[0] for line in out.split()}, {kept})

    def test_wrong_usage_ends_with_2(self):
        self.assertEqual(run_report()[0], 2)
        self.assertEqual(run_report(self.folder, "--no-such-option")[0], 2)

    def test_help_has_an_example(self):
        status, out, _ = run_report("--help")
        self.assertEqual(status, 0)
        self.assertIn("example:", out)

    def test_a_folder_that_is_not_there_ends_with_1(self):
        status, _, err = run_report(self.folder + "-not")
        self.assertEqual(status, 1)
        self.assertIn("no such folder", err)


# --- small parts ------------------------------------------------------------------------------------------------------------

class Parts(unittest.TestCase):
    def test_a_file_is_replaced_whole_or_not_at_all(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "report.html")
            write(folder, "report.html", "before")

            def fail_halfway(temporary):
                write(folder, os.path.basename(temporary), "ha")
                raise OSError("disk full")
            with self.assertRaises(OSError):
                style.write_file(path, fail_halfway)
            self.assertEqual((os.listdir(folder), read(path)), (["report.html"], "before"))

    def test_the_pareto_front_holds_what_nothing_beats(self):
        self.assertEqual(trade_off.pareto_front([(1, 9), (2, 5), (3, 6), (4, 5), (5, 1)]), [(1, 9), (2, 5), (5, 1)])

    def test_labels_are_spread_without_overlap_and_stay_inside(self):
        placed = style.spread([1, 1.1, 1.2, 9.9], [2, 2, 2, 2], 0, 10)
        for left, right in zip(placed, placed[1:]):
            self.assertGreaterEqual(right - left, 2 - 1e-9)
        self.assertGreaterEqual(placed[0], 1)
        self.assertLessEqual(placed[-1], 9)

    def test_quantities_are_written_with_their_unit_and_a_true_minus(self):
        shown = [words.memory(0.04), words.memory(-7.25), words.memory(1234.5), words.duration(0.0213), words.duration(12),
                 words.percent_short(0.994), words.percent_short(1.0), words.percent_short(0.186), words.percent(0.186)]
        self.assertEqual([text.replace(words.NARROW, " ") for text in shown],
                         ["0.04 MB", "−7.2 MB", "1,234 MB", "21.3 ms", "12 s", "99.4 %", "100 %", "19 %", "18.6 %"])

    def test_a_count_is_shortened_and_other_text_left_alone(self):
        self.assertEqual([words.count(text) for text in ("5000000", "500000", "0", "0000", "12", "\u00b2", "\u0663000", "")],
                         ["5M", "500k", "0", "0000", "12", "\u00b2", "\u0663000", ""])

    def test_a_line_of_many_points_keeps_its_ends_and_extremes(self):
        resident = numpy.zeros(10**5)
        resident[::2], resident[777], resident[88888] = 1, 9, -9
        curve = model.Curve(numpy.arange(10**5) / 1e3, resident, resident, resident, resident > 10)
        kept = memory_return._thin(curve)
        self.assertLessEqual(len(kept), memory_return.MOST_POINTS)
        self.assertLessEqual({0, 777, 88888, 10**5 - 1}, set(kept))

    def test_a_small_difference_keeps_its_digits(self):
        self.assertEqual([text.replace(words.NARROW, " ") for text in replay.difference(200.06, 200.0, 200.0)],
                         ["+0.06 MB", "+0.03 %"])

    def test_where_little_is_left_a_difference_is_a_share_of_the_highest(self):
        self.assertEqual([text.replace(words.NARROW, " ") for text in replay.difference(1.0, 2.0, 200.0)],
                         ["−1.0 MB", "−0.50 % of highest"])

    def test_amounts_are_alike_within_one_percent_or_one_megabyte(self):
        self.assertTrue(findings.alike(246.5, 246.6) and findings.alike(0.2, 1.1))
        self.assertFalse(findings.alike(246.5, 6.6))

    def test_a_long_name_is_cut_in_the_middle(self):
        cut = words.plain("a" * 40 + "z" * 40, 20)
        self.assertEqual((len(cut), cut[0], cut[-1]), (20, "a", "z"))

    def test_a_curve_ends_with_the_last_phase_and_not_with_the_process(self):
        with tempfile.TemporaryDirectory() as holder:
            run = run_folder.read_run(make_run(os.path.join(holder, "run"), [list_lifetime("glibc", 20.0, rounds=1)]))
            curve = run_folder.read_curve(run, run.experiments[0].cells[0].good[0])
        self.assertAlmostEqual(curve.resident_mb[-1], 20.0)

    def test_the_representative_sample_is_the_one_at_the_median(self):
        sample = lambda number, kept: model.Sample(number, "ok", 0, 1, kept, [])
        one = model.Cell("w", {}, "a", "objects", "", 0, "", {}, "ok", "", 3, [sample(0, 5), sample(1, 9), sample(2, 6)],
                         retained_mb=model.Figure(6))
        self.assertEqual(one.representative().number, 2)


if __name__ == "__main__":
    unittest.main()
