#!/usr/bin/python3
"""
Promises of `tidemark history`: steps are found where they were planted and seldom elsewhere; runs are kept whole, once, or not at all;
only what was measured alike stands in one series; pictures show what the data say; hostile files are refused.
The runs are synthetic, for tests only, but for results/. Run from the repository root: /usr/bin/python3 tests/history_test.py
"""
import contextlib
import io
import json
import math
import os
import re
import resource
import signal
import sqlite3
import subprocess
import sys
import unittest
import xml.etree.ElementTree
from unittest import mock

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import png_size, read, write  # noqa: E402
from tidemark_run import TIDEMARK, Scratch, not_run, read_samples, tidemark  # noqa: E402

import numpy  # noqa: E402
from scipy import stats  # noqa: E402

import change_points  # noqa: E402
import history  # noqa: E402
import history_figure  # noqa: E402
import history_store  # noqa: E402
import style  # noqa: E402
import words  # noqa: E402

style.DOTS = 60  # per inch: coarse, for speed
TRIALS = 400
NOISES = {
    "normal": lambda generator, count: generator.normal(size=count),
    "laplace": lambda generator, count: generator.laplace(size=count),
    "t of 3": lambda generator, count: generator.standard_t(3, count),
    "exponential": lambda generator, count: generator.exponential(size=count),
}


def plain(text):
    return text.replace(words.NARROW, " ")


class Steps(unittest.TestCase):
    def found(self, *values, least=0.0):
        return [change.index for change in change_points.find(values, least)]

    def test_of_four_figures_p_is_student_s(self):
        """Two and two is the one way to part them: then the simulated p is that of the t test, within its own error."""
        values = numpy.array([1.0, 1.3, 1.9, 2.1])
        centred = values - values.mean()
        share = change_points._shares(centred[None, :], *change_points._arcs(4))[0]
        self.assertEqual(len(share), 1)
        wanted = stats.ttest_ind(values[:2], values[2:]).pvalue
        self.assertAlmostEqual(change_points._p_of(change_points._null(4), share[0]), wanted, delta=4 * math.sqrt(wanted / 999))

    def test_the_size_and_its_interval_are_student_s(self):
        (change,) = change_points.find([1.0, 1.1, 0.9, 5.0, 5.1, 4.9])
        self.assertEqual(change.index, 3)
        self.assertAlmostEqual(change.step, 4.0)
        reach = stats.t.ppf(0.975, 4) * math.sqrt(0.04 / 4) * math.sqrt(2 / 3)
        self.assertAlmostEqual(change.low, 4 - reach)
        self.assertAlmostEqual(change.high, 4 + reach)

    def test_planted_steps(self):
        noise = numpy.array([0.01, -0.02, 0.02, -0.01, 0.015, -0.015] * 4)
        level = numpy.repeat([1.0, 2.0, 1.5], 8)
        self.assertEqual(self.found(*(level + noise)), [8, 16])
        self.assertEqual(self.found(*(numpy.repeat([3.0, 1.0], [2, 22]) + noise)), [2])

    def test_a_level_that_came_and_went_is_two_steps(self):
        values = numpy.repeat([1.0, 1.2, 1.0], [5, 2, 5]) + numpy.tile([0.01, -0.01], 6)
        self.assertEqual(self.found(*values), [5, 7])

    def test_a_single_figure_is_no_level(self):
        self.assertEqual(self.found(1, 1.01, 0.99, 1, 9, 1.01, 0.99, 1), [])
        self.assertEqual(self.found(1, 1.01, 0.99, 1, 1.01, 0.99, 1, 9), [])

    def test_too_few_and_equal_figures_have_none(self):
        for values in ((), (1,), (1, 2), (1, 1, 9), (5,) * 12, (0,) * 12, (0.1 + 0.2, 0.3, 0.3, 0.1 + 0.2)):
            with self.subTest(values=values):
                self.assertEqual(self.found(*values), [])

    def test_figures_without_noise_step_exactly(self):
        self.assertEqual(self.found(4096, 4096, 8192, 8192), [2])
        (change,) = change_points.find([0, 0, 0, 7, 7, 7])
        self.assertEqual((change.step, change.low, change.high, change.p), (7, 7, 7, 0.0))

    def test_a_step_below_what_matters_is_left_out(self):
        values = [1.0, 1.001, 0.999, 1.105, 1.106, 1.104]
        self.assertEqual((self.found(*values, least=0.1), self.found(*values, least=0.11)), ([3], []))

    def test_noise_seldom_has_one(self):
        """The rate of false alarms, less three standard errors of this simulation; docs/history.md has the bounds."""
        reach = lambda rate: rate + 3 * math.sqrt(rate * (1 - rate) / TRIALS)
        for name, draw in NOISES.items():
            for count in (4, 6, 8, 12, 24, 40):
                if count > 24 and name not in ("normal", "exponential"):
                    continue
                generator = numpy.random.default_rng(count)
                bound = 0.05 if name == "normal" else 0.1
                alarms = sum(bool(change_points.find(10 + draw(generator, count))) for _ in range(TRIALS))
                with self.subTest(noise=name, count=count):
                    self.assertLessEqual(alarms / TRIALS, reach(bound))

    def test_noise_of_two_values_is_the_worst_there_is(self):
        generator = numpy.random.default_rng(1)
        for count in (4, 6, 12, 24):
            alarms = sum(bool(change_points.find(generator.integers(0, 2, count) * 1.0)) for _ in range(TRIALS))
            self.assertLessEqual(alarms / TRIALS, 0.15 + 3 * math.sqrt(0.15 * 0.85 / TRIALS))

    def test_what_is_large_is_found(self):
        generator = numpy.random.default_rng(2)
        hits = sum(self.found(*(generator.normal(size=8) + numpy.repeat([0, 6], 4))) == [4] for _ in range(100))
        self.assertGreaterEqual(hits, 85)

    def test_a_long_series_takes_no_minutes_and_a_longer_one_is_refused(self):
        self.assertEqual(len(self.found(*numpy.repeat([1.0, 2.0], 150))), 1)
        with self.assertRaises(ValueError):
            change_points.find(numpy.ones(change_points.MOST + 1))


def run_folder(path, started="2026-01-01T00:00:00Z", version="jemalloc 5.3.0", seconds=(0.30, 0.31, 0.29, 0.305, 0.295, 0.302), row="jemalloc",
               kept=20e6, params=None, provider="/usr/lib/libjemalloc.so.2", machine=None, extra=(), **plan):
    """A run folder of one experiment of larson, as results/FORMAT.md has it, of the fields that are read; `extra`: more rows."""
    os.makedirs(path)
    rows = [row, *extra]
    cell = {"workload": "larson", "params": params or {"n": "5000000", "slots": "5000", "threads": "2"}, "host": "objects",
            "idle_ns": 200_000_000, "control": False, "not_available": None, "rounds": len(seconds), **plan}
    write(path, "plan.json", json.dumps({"format": 1, "suite": None, "cells": [{**cell, "allocator": name} for name in rows]}))
    lines = [{"sample": turn * len(rows) + index, "cell": index, "round": turn, "repeat": 0, "status": "ok", "reason": None, "dirty": False,
              "started": started, "version": version, "providers": {"object": provider, "raw": provider}, "wall_ns": int(value * 1e9),
              "cpu_ns": int(value * 1e9), "baseline_bytes": 2_000_000, "peak_bytes": 102_000_000, "retained_bytes": int(kept),
              "return_ratio": 0.8, "return_ratio_live": 0.9} for turn, value in enumerate(seconds) for index in range(len(rows))]
    write(path, "samples.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write(path, "machine.json", json.dumps({
        "tidemark": "0.1.0", "git": "abc1234", "build_type": "Release", "cpu": "A Processor 9000", "cores": 8, "memory_bytes": 2**34 - 5 * 10**7,
        "page_bytes": 4096, "kernel": "Linux 6.1.0", "libc": "glibc 2.36", "thp": "madvise", "governor": None, "started": started,
        "finished": started, "interrupted": False, **(machine or {})}))
    return path


class Kept(Scratch):
    """Each test has a history of its own."""

    def setUp(self):
        super().setUp()
        self.db = self.folder("history.db")
        self.made = 0

    SCRIPTED = {"-w": "--workload", "-a": "--allocator", "-o": "--output", "--version": "--label"}

    def history(self, action, *arguments, status=0):
        """What the command hands to its script, in this process: a start of Python for each would take minutes."""
        words_of_script = [self.SCRIPTED.get(word, word) for word in arguments]
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            returned = history.main([f"--db={self.db}", action, *words_of_script])
        self.assertEqual(returned, status, out.getvalue() + err.getvalue())
        return subprocess.CompletedProcess(arguments, returned, out.getvalue(), err.getvalue())

    def command(self, action, *arguments, status=0, **options):
        """The command itself."""
        ran = tidemark("history", action, *arguments, "--db", self.db, **options)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
        return ran

    def add(self, *arguments, day=None, **fields):
        """Adds a run made later than the one before."""
        self.made += 1
        started = "2026-01-%02dT00:00:00Z" % (day or self.made)
        # No two runs have the same values.
        seconds = [value + self.made * 1e-6 for value in fields.pop("seconds", (0.30, 0.31, 0.29, 0.305, 0.295, 0.302))]
        folder = run_folder(self.folder("run%d" % self.made), started=started, seconds=seconds, **fields)
        return self.history("add", folder, *arguments)

    def series(self, *arguments):
        return json.loads(self.history("show", "--json", *arguments).stdout)["series"]

    def query(self, statement):
        connection = sqlite3.connect(self.db)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def execute(self, *statements):
        connection = sqlite3.connect(self.db)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()


class Files(Kept):
    def test_every_value_of_a_run_is_kept(self):
        self.history("add", "results/reference")
        samples = read_samples("results/reference")
        kept = self.query("SELECT sample.number, cell.place, sample.round, sample.repeat, status, wall_ns, cpu_ns, baseline_bytes, peak_bytes, "
                          "retained_bytes, return_ratio, return_ratio_live FROM sample JOIN cell ON cell.id = sample.cell ORDER BY number")
        names = ("sample", "cell", "round", "repeat", "status", "wall_ns", "cpu_ns", "baseline_bytes", "peak_bytes", "retained_bytes",
                 "return_ratio", "return_ratio_live")
        self.assertEqual(kept, [tuple(sample[name] for name in names) for sample in samples])

    def test_the_same_run_twice_is_told_and_left(self):
        first = self.command("add", "results/return").stdout
        before = read(self.db, mode="rb")
        again = self.command("add", "results/return", "--version", "another").stdout
        self.assertIn("this run is there as run 1, and was left as it is", again)
        self.assertIn("run 1, 75 cells, 85 samples", first)
        self.assertEqual(read(self.db, mode="rb"), before)

    def test_a_run_is_the_same_wherever_it_lies(self):
        self.add()
        os.rename(self.folder("run1"), self.folder("moved"))
        self.assertIn("is there as run 1", self.history("add", self.folder("moved")).stdout)

    def test_labels_are_versions_or_what_the_user_says(self):
        for fields, wanted in (({}, "jemalloc 5.3.0"), ({"provider": "tidemark-child", "version": "chunks of 1 MiB"}, "chunks of 1 MiB, tidemark abc1234"),
                               ({"version": None}, "2026-01-03T00:00:00Z")):
            self.add(**fields)
            self.assertEqual(self.query("SELECT label FROM cell ORDER BY id DESC LIMIT 1"), [(wanted,)])
        folder = run_folder(self.folder("quoted"), started="2026-01-09T00:00:00Z")
        self.command("add", folder, "--version", "it's \"1.4\"; DROP TABLE run")
        self.assertEqual(self.query("SELECT label FROM cell ORDER BY id DESC LIMIT 1"), [("it's \"1.4\"; DROP TABLE run",)])
        self.assertEqual([point["label"] for point in self.series()[0]["points"]][-1], "it's \"1.4\"; DROP TABLE run")

    def test_a_run_is_removed_whole_and_its_number_not_given_again(self):
        self.add()
        self.add()
        self.assertIn("run 2 is gone", self.history("remove", "2").stdout)
        self.assertEqual(self.query("SELECT (SELECT count(*) FROM cell), (SELECT count(*) FROM sample)"), [(1, 6)])
        self.add()
        self.assertEqual([run["id"] for run in json.loads(self.history("list", "--json").stdout)["runs"]], [1, 3])
        for wrong in ("2", "0", "x", "1e3", "9" * 30, "١"):
            with self.subTest(run=wrong):
                self.history("remove", wrong, status=2)

    def test_the_last_run_of_a_machine_takes_it_along(self):
        self.add()
        self.history("remove", "1")
        self.assertEqual(self.query("SELECT count(*) FROM machine"), [(0,)])
        self.history("show", status=2)

    def test_unfinished_and_empty_runs_are_refused(self):
        self.add()
        for number, machine in enumerate(({"finished": None}, {"interrupted": True})):
            folder = run_folder(self.folder("bad%d" % number), machine=machine)
            self.assertIn("did not finish", self.history("add", folder, status=1).stderr)
        folder = run_folder(self.folder("empty"))
        write(folder, "samples.jsonl", "")
        self.assertIn("there is nothing to keep", self.history("add", folder, status=1).stderr)
        self.assertEqual(self.query("SELECT count(*) FROM run"), [(1,)])

    def test_the_default_file_is_in_the_data_folder_of_the_user(self):
        folder = run_folder(self.folder("run"))
        for environment, wanted in (({"XDG_DATA_HOME": self.folder("data")}, "data/tidemark/history.db"),
                                    ({"XDG_DATA_HOME": "relative", "HOME": self.folder("home")}, "home/.local/share/tidemark/history.db")):
            ran = tidemark("history", "add", folder, env={**os.environ, **environment}, cwd=self.scratch)
            self.assertEqual(ran.returncode, 0, ran.stderr)
            self.assertTrue(os.path.exists(self.folder(wanted)), wanted)

    def test_a_name_with_quotes_and_marks_is_a_file_as_any(self):
        self.db = self.folder("it's 100% \"mine\"?#.db")
        self.add()
        self.assertEqual(len(self.series()), 1)
        self.assertTrue(os.path.exists(self.db))

    def test_list_is_safe_to_print(self):
        self.add("--version", plot_test.HOSTILE, machine={"cpu": plot_test.HOSTILE, "started": plot_test.HOSTILE})
        for action in (("list",), ("show",)):
            self.assertNotIn("\x1b", self.history(*action).stdout)


class Hostile(Kept):
    ACTIONS = (("list",), ("show",), ("plot", "-w", "larson"), ("remove", "1"), ("add", "results/return"))

    def refused(self, *said):
        before = read(self.db, mode="rb") if os.path.isfile(self.db) else None
        for action in self.ACTIONS:
            with self.subTest(action=action):
                text = self.history(*action, status=1).stderr
                self.assertIn(self.db, text)
                for part in said:
                    self.assertIn(part, text)
        if before is not None:
            self.assertEqual(read(self.db, mode="rb"), before, "a refusal writes nothing")

    def test_no_sqlite_file(self):
        write(self.scratch, "history.db", "these are words, not tables\n" * 200)
        self.refused("no SQLite file")

    def test_another_sqlite_file(self):
        self.execute("CREATE TABLE birds (name TEXT)")
        self.refused("no history of tidemark's")

    def test_a_newer_schema(self):
        self.add()
        self.execute("PRAGMA user_version = 2")
        self.assertIn("a newer tidemark wrote it", self.command("list", status=1).stderr)
        self.refused("its schema has version 2; this program reads 1, a newer tidemark wrote it")

    def test_a_truncated_file(self):
        self.history("add", "results/return")
        data = read(self.db, mode="rb")
        for length in (50, 512, 4096, len(data) // 2, len(data) - 4096, len(data) - 1):
            with open(self.db, "wb") as file:
                file.write(data[:length])
            with self.subTest(length=length):
                self.refused()

    def test_pages_of_noise(self):
        self.history("add", "results/return")
        data = bytearray(read(self.db, mode="rb"))
        for page in range(1, min(len(data) // 4096, 12)):
            with self.subTest(page=page):
                damaged = data[:]
                damaged[page * 4096:(page + 1) * 4096] = bytes((byte * 7 + 13) % 256 for byte in range(4096))
                with open(self.db, "wb") as file:
                    file.write(damaged)
                for action in self.ACTIONS[:2]:
                    self.assertIn(self.history(*action, status=1).returncode, (1,))

    def test_a_trigger_that_somebody_put_into_it(self):
        self.add()
        self.execute("CREATE TRIGGER more AFTER INSERT ON run BEGIN DELETE FROM run; END")
        self.refused("its tables are not those of version 1")

    def test_a_view_in_place_of_a_table(self):
        self.add()
        self.execute("ALTER TABLE sample RENAME TO kept", "CREATE VIEW sample AS SELECT * FROM kept")
        self.refused("its tables are not those")

    def test_text_that_is_no_json_in_it(self):
        self.add()
        self.execute("UPDATE cell SET params = '{'")
        self.assertIn("the history's params", self.history("show", status=1).stderr)
        self.execute("UPDATE cell SET params = '{\"n\": 5}'")
        self.assertIn("the history's params", self.history("show", status=1).stderr)

    def test_infinite_values_are_none(self):
        self.add()
        self.execute("UPDATE sample SET return_ratio = 9e999")
        self.assertIn("has such a figure", self.history("show", "--metric", "given_back", status=2).stderr)

    def test_what_is_no_regular_file(self):
        os.mkdir(self.db)
        self.refused("no regular file")
        os.rmdir(self.db)
        os.mkfifo(self.db)
        self.refused("no regular file")

    def test_a_missing_file_and_folder(self):
        for action in self.ACTIONS[:4]:
            self.assertIn("there is no history yet", self.history(*action, status=1).stderr)
        self.assertFalse(os.path.exists(self.db), "looking makes none")
        self.db = self.folder("nowhere/history.db")
        self.assertIn("no folder", self.history("add", "results/return", status=1).stderr)

    def test_a_locked_file(self):
        self.add()
        connection = sqlite3.connect(self.db, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
        try:
            self.assertIn("another process holds it", self.command("add", "results/return", status=1).stderr)
            with mock.patch.object(history_store, "WAIT_S", 0.1):
                self.assertIn("another process holds it", self.history("list", status=1).stderr)
        finally:
            connection.close()
        self.assertEqual(len(json.loads(self.history("list", "--json").stdout)["runs"]), 1)

    def test_two_at_once_both_get_in(self):
        runs = [run_folder(self.folder("both%d" % number), seconds=[0.3 + number] * 6) for number in range(4)]
        started = [subprocess.Popen([TIDEMARK, "history", "add", run, "--db", self.db], stdout=subprocess.DEVNULL) for run in runs]
        self.assertEqual([process.wait(timeout=120) for process in started], [0] * 4)
        self.assertEqual(self.query("SELECT count(*) FROM run"), [(4,)])

    def test_an_unwritable_folder(self):
        self.add()
        os.chmod(self.scratch, 0o555)
        os.chmod(self.db, 0o444)
        self.addCleanup(os.chmod, self.scratch, 0o755)
        command = [TIDEMARK, "history", "add", os.path.abspath("results/return"), "--db", self.db]
        if os.geteuid() == 0:  # whom no mode stops: as a user who owns nothing
            def drop():
                os.setgroups([])
                os.setgid(65534)
                os.setuid(65534)
            try:
                reachable = subprocess.run(["test", "-r", self.db], preexec_fn=drop, check=False).returncode == 0
                ran = subprocess.run(command, preexec_fn=drop, capture_output=True, text=True, check=False) if reachable else None
            except (OSError, subprocess.SubprocessError):
                reachable = False
            if not reachable:
                not_run(self, "another user cannot get to this folder")
        else:
            ran = subprocess.run(command, capture_output=True, text=True, check=False)
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertRegex(ran.stderr, "cannot be (written to|opened)")

    def test_a_full_disk_leaves_what_was_there(self):
        self.add()
        before = self.query("SELECT count(*) FROM sample")

        def limit():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            size = os.path.getsize(self.db) + 4096
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
        ran = subprocess.run([TIDEMARK, "history", "add", "results/return", "--db", self.db], preexec_fn=limit, capture_output=True, text=True,
                             check=False)
        self.assertEqual(ran.returncode, 1, ran.stdout)
        self.assertIn(self.db, ran.stderr)
        self.assertEqual(self.query("SELECT count(*) FROM sample"), before)
        self.assertIn("run 2", self.history("add", "results/return").stdout)


class Series(Kept):
    def plant(self, count=10, step=5, factor=1.2):
        for number in range(count):
            slower = factor if number >= step else 1
            wobble = 1 + 0.002 * ((number * 7) % 5 - 2)
            self.add(version=f"jemalloc 5.3.{number}", seconds=[value * slower * wobble for value in (0.30, 0.31, 0.29, 0.305, 0.295, 0.302)],
                     kept=20e6 + (5e6 if number >= step else 0))

    def test_a_planted_regression_is_found_with_its_size(self):
        self.plant()
        (series,) = self.series()
        self.assertEqual(len(series["points"]), 10)
        (change,) = series["changes"]
        self.assertEqual((change["at"], change["run"]), (5, 6))
        self.assertLess(change["low"], 1.2)
        self.assertLess(1.2, change["high"])
        self.assertAlmostEqual(change["ratio"], 1.2, delta=0.01)
        (kept,) = self.series("--metric", "retained")
        self.assertEqual([(change["at"], change["difference"]) for change in kept["changes"]], [(5, 5e6)])
        self.assertEqual(self.series("--metric", "peak")[0]["changes"], [])
        told = plain(self.command("show", "-w", "larson:n=5M", "-a", "jemalloc").stdout)
        self.assertRegex(told, r"jemalloc 5\.3\.5 .* <- \+(19|20)\.\d % \[")

    def test_other_machines_parameters_and_rows_stand_apart(self):
        self.add()
        self.add()
        others = ({"machine": {"kernel": "Linux 6.5.0"}}, {"machine": {"cpu": "Another"}}, {"machine": {"build_type": "Debug"}},
                  {"params": {"n": "5000000", "slots": "5000", "threads": "4"}}, {"row": "mimalloc"}, {"idle_ns": 10**9}, {"return": "eager"})
        for fields in others:
            self.add(**fields)
        self.add(machine={"memory_bytes": 2**34 - 9 * 10**7, "libc": "glibc 2.41"})  # the same machine
        self.assertEqual(sorted(len(series["points"]) for series in self.series()), [1] * len(others) + [3])

    def test_a_labelled_row_is_one_wherever_its_file_lies(self):
        self.add(row="mine=/opt/1.0/libmine.so")
        self.add(row="mine=/opt/1.1/libmine.so")
        (series,) = self.series("-a", "mine")
        self.assertEqual(len(series["points"]), 2)
        self.add(row="/a/libx.so", extra=("/b/libx.so",))
        self.assertEqual(len(self.series()), 3)

    def test_controls_and_samples_that_failed_are_in_no_series(self):
        self.add(extra=("jemalloc",))
        self.execute("UPDATE cell SET control = 1 WHERE place = 1", "UPDATE sample SET status = 'oom' WHERE number = 0")
        (series,) = self.series()
        (point,) = series["points"]
        self.assertEqual((len(point["values"]), point["failed"], point["low"]), (5, 1, None))

    def test_runs_stand_in_the_order_of_time_or_of_versions(self):
        for day, version in ((3, "1.9"), (1, "1.10"), (2, "1.2")):
            self.add("--version", version, day=day)
        labels = lambda *arguments: [point["label"] for point in self.series(*arguments)[0]["points"]]
        self.assertEqual(labels(), ["1.10", "1.2", "1.9"])
        self.assertEqual(labels("--order", "version"), ["1.2", "1.9", "1.10"])

    def test_a_picture_shows_what_the_data_say(self):
        self.plant()
        for name in ("it's.png", "picture.svg"):
            self.history("plot", "-w", "larson", "-o", self.folder(name))
        self.assertEqual(png_size(self.folder("it's.png"))[0], round(style.WIDTH * style.DOTS))
        xml.etree.ElementTree.parse(self.folder("picture.svg"))
        first = read(self.folder("picture.svg"), mode="rb")
        self.history("plot", "-w", "larson", "-o", self.folder("picture.svg"))
        self.assertEqual(read(self.folder("picture.svg"), mode="rb"), first, "the same bytes each time")
        self.history("plot", "-w", "larson", "-o", self.folder("no/where.png"), status=1)
        ran = self.command("plot", "-w", "larson:threads=2", "--metric", "given_back", cwd=self.scratch)
        self.assertEqual(ran.stdout, "history-larson-given_back.png\n")

    def drawn(self):
        """The axes of the picture, in place of a file."""
        with history_store.opened(self.db) as connection:
            metric = history.METRICS["time"]
            series = history_store.read_series(connection, metric.read, lambda *_: True)
        drawn = [history.evaluate(one, metric, False) for one in series]
        kept = []
        with mock.patch.object(history_figure, "_save", lambda figure, path: kept.append(figure)):
            history_figure.draw(drawn, metric, "larson", "nowhere.png")
        self.addCleanup(style.discard)
        kept[0].canvas.draw()
        return kept[0], kept[0].axes

    def test_lines_join_medians_of_one_machine_alone(self):
        self.plant(6, 3)
        for number in range(3):
            self.add(version="jemalloc 5.3.%d" % number, day=2 + number, seconds=(0.1,) * 6, machine={"kernel": "Linux 6.5.0"})
        _, (axis,) = self.drawn()
        lines = [line for line in axis.lines if line.get_linestyle() == "-" and len(line.get_xdata()) > 2 and line.get_marker() == "None"]
        heights = sorted((min(line.get_ydata()), max(line.get_ydata())) for line in lines)
        self.assertEqual(len(heights), 2)
        self.assertAlmostEqual(heights[0][1], 0.1, delta=0.001)
        self.assertGreater(heights[1][0], 0.29)
        self.assertEqual([text.get_text() for text in axis.texts if text.get_text().startswith("machine")], ["machine 1", "machine 2"])

    def test_a_change_is_marked_between_its_runs_with_its_size(self):
        self.plant()
        _, (axis,) = self.drawn()
        marks = [line.get_xdata()[0] for line in axis.lines if line.get_linestyle() == "--"]
        self.assertEqual(marks, [4.5])
        self.assertRegex(plain(axis.texts[0].get_text()), r"^\+(19|20)\.\d % \[\d+\.\d, \d+\.\d\]$")

    def test_labels_of_many_versions_do_not_touch(self):
        self.add(version="jemalloc 5.0.0")
        # In the file itself: so many folders would take a while.
        self.execute(*(statement for number in range(2, 121) for statement in (
            f"INSERT INTO run SELECT {number}, 'h{number}', plan_hash, name, suite, label, '2026-02-01T00:{number // 60:02d}:{number % 60:02d}Z', "
            "added, tidemark, git, libc, machine FROM run WHERE id = 1",
            f"INSERT INTO cell SELECT {number}, {number}, place, workload, params, host, idle_ns, return_mode, activity_ns, rebuild, thp, control, "
            f"allocator, row, version, 'jemalloc 5.{number // 10}.{number % 10}', not_available FROM cell WHERE id = 1",
            f"INSERT INTO sample SELECT {number}, number, round, repeat, status, reason, dirty, wall_ns + {number}, cpu_ns, baseline_bytes, "
            "peak_bytes, retained_bytes, return_ratio, return_ratio_live FROM sample WHERE cell = 1")))
        figure, (axis,) = self.drawn()
        labels = [label for label in axis.get_xticklabels() if label.get_text()]
        self.assertGreater(len(labels), 30)
        self.assertEqual((labels[0].get_text(), labels[-1].get_text()), ("5.0.0", "5.12.0"))
        # Slanted by 45 degrees: they keep clear where their feet are further apart than a line is high.
        feet = [axis.transData.transform((tick, 0))[0] for tick in axis.get_xticks()]
        line = labels[0].get_fontsize() * figure.dpi / 72
        self.assertGreater(min(right - left for left, right in zip(feet, feet[1:])) / math.sqrt(2), 0.75 * line)

    def test_what_is_common_to_all_labels_is_left_out(self):
        for labels, wanted in ((["a 1", "a 2"], ["1", "2"]), (["a", "a"], ["a", "a"]), (["a b", "a b c"], ["b", "b c"]), (["x 1", "y 1"], ["x 1", "y 1"]),
                               (["a 1"], ["a 1"]), (["", "a"], ["", "a"]), ([], [])):
            self.assertEqual(history.shorten_labels(labels), wanted)

    def test_too_many_panels_are_refused_with_what_to_do(self):
        rows = [f"row{number}" for number in range(history_figure.MOST_PANELS + 1)]
        self.add(row=rows[0], extra=rows[1:])
        self.assertIn("name an allocator", self.history("plot", "-w", "larson", "-o", self.folder("x.png"), status=1).stderr)

    def test_nothing_as_asked_for_names_what_there_is(self):
        self.add()
        self.assertIn("larson on jemalloc", self.command("show", "-w", "larson:threads=3", status=2).stderr)
        self.assertIn("no workload is called", self.command("show", "-w", "nosuch", status=2).stderr)


class Usage(unittest.TestCase):
    def test_words_that_fit_nothing_are_refused(self):
        for arguments, said in (((), "what of the history"), (("keep",), "'keep': wanted add RUN"), (("add",), "add which run"), (("list", "x"), "list takes no run"),
                                (("plot",), "needs -w"), (("list", "-w", "larson"), "--workload is not for list"),
                                (("plot", "-w", "larson", "-o", "x.pdf"), "neither in .png nor in .svg"), (("show", "--metric", "speed"), "'speed', wanted time"),
                                (("show", "--order", "size"), "'size', wanted time or version"), (("add", "x", "--version", ""), "--version is empty"),
                                (("show", "--version", "x"), "--version is not for show"), (("remove", "1", "2"), "one run at a time")):
            with self.subTest(arguments=arguments):
                ran = tidemark("history", *arguments)
                self.assertEqual((ran.returncode, ran.stdout), (2, ""))
                self.assertIn(said, ran.stderr)


class Documents(Kept):
    def test_the_example_is_what_is_printed_of_the_reference(self):
        self.history("add", "results/reference")
        told = self.history("show", "-w", "larson", "-a", "jemalloc").stdout.rstrip("\n") + "\n"
        self.assertIn(told, re.findall(r"```\n(.*?)```", read("docs", "history.md"), re.DOTALL))

    def test_the_schema_is_documented(self):
        text = read("results", "FORMAT.md").partition("## history\n")[2].partition("\n## ")[0]
        for statement in history_store.SCHEMA:
            for name in re.findall(r"^ +(\w+) (?:INTEGER|TEXT|REAL)", statement, re.MULTILINE):
                self.assertIn(f"`{name}`", text)


if __name__ == "__main__":
    unittest.main(verbosity=2)
