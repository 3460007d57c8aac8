#!/usr/bin/python3
"""
`tidemark compare` from outside, on run folders whose values are made up, so that what is to be said of them is known; and the rule
of plot/verdict.py by itself. Leaves out whether the verdicts hold on a machine: tests/selftest_test.py.
"""
import contextlib
import io
import json
import os
import pty
import subprocess
import sys
import unittest
import unittest.mock

import numpy

sys.path.insert(0, "tests")
sys.path.insert(0, "tests/fuzz")
sys.path.insert(0, "plot")
from fuzz_plot_reader import put_device, put_folder, put_hole, put_pipe  # noqa: E402
import compare  # noqa: E402
import inference  # noqa: E402
import measured  # noqa: E402
import verdict  # noqa: E402
import terminals  # noqa: E402
from tidemark_run import TIDEMARK, Scratch, tidemark  # noqa: E402

MS, MIB = 10**6, 2**20


def noise(seed, count, spread=0.01):
    return numpy.random.default_rng(seed).lognormal(0, spread, count)


def sample(wall_ns, **fields):
    return {"status": "ok", "reason": None, "wall_ns": int(wall_ns), "cpu_ns": int(wall_ns), "peak_bytes": 50 * MIB, "retained_bytes": 20 * MIB,
            "return_ratio": 0.5, "return_ratio_live": 0.5, "minor_faults": 1000, "returnable_bytes": 30 * MIB, "watched_ns": 500 * MS,
            "give_back_50_ns": 0, "give_back_90_ns": None, "rebuild_ns": None, **fields}


def run_script(*arguments):
    """plot/compare.py with the words of the command line, as harness/cli_compare.c hands them over."""
    words, given = ["compare.py"], iter(arguments)
    for word in given:
        if word == "-a":
            words += [f"--row={row}" for row in next(given).split(",")]
        elif word == "-w":
            words += ["--workload", next(given)]
        elif word == "--metric":
            words += [part for name in next(given).split(",") for part in ("--metric", name)]
        elif word == "--threshold":
            words += ["--threshold", str(float(next(given).removesuffix("%")) / 100)]
        else:
            words.append(word)
    out, errors = io.StringIO(), io.StringIO()
    with unittest.mock.patch.object(sys, "argv", words), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
        status = compare.main()
    # cli_compare.c takes 10 off.
    return subprocess.CompletedProcess(words, status - 10 if status != 14 else 4, out.getvalue(), errors.getvalue())


class Made(Scratch):
    """Run folders that are made up."""

    def cell(self, row, workload="bulk", control=False, **fields):
        return {"workload": workload, "params": {"n": "1000"}, "allocator": row, "host": "objects", "idle_ns": 0, "return": "stock",
                "activity_ns": 0, "rebuild": False, "thp": "system", "rounds": 20, "control": control, "not_available": None, **fields}

    def make(self, name, rows, plan=None, machine=None):
        """A run of rows [(cell or name, [sample or wall_ns])], all in the same rounds."""
        folder = self.folder(name)
        os.mkdir(folder)
        cells = [row if isinstance(row, dict) else self.cell(row) for row, _ in rows]
        self.write(name, "plan.json", {"format": 1, "suite": None, "seed": 1, "tick_ns": MS, "cells": cells, "order": [], **(plan or {})})
        self.write(name, "machine.json", {"cpu": "made up", "cores": 2, "kernel": "6.1", "libraries": {}, "plan": "0", "finished": "then",
                                          "interrupted": False, **(machine or {})})
        lines = []
        for index, (_, values) in enumerate(rows):
            for turn, value in enumerate(values):
                value = value if isinstance(value, dict) else sample(value)
                lines.append((turn, {"sample": 0, "cell": index, "round": turn, "repeat": 0, **value}))
        with open(os.path.join(folder, "samples.jsonl"), "w", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for _, line in sorted(lines, key=lambda pair: pair[0])))
        return folder

    def write(self, run, name, value):
        with open(os.path.join(self.folder(run), name), "w", encoding="utf-8") as file:
            json.dump(value, file)

    def compare(self, *arguments, status):
        """What the script does, in this process: starting an interpreter with SciPy takes longer than all else."""
        ran = run_script(*arguments)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        return ran

    def command(self, *arguments, status):
        ran = tidemark("compare", *arguments)
        self.assertEqual(ran.returncode, status, ran.stdout + ran.stderr)
        self.assertNotIn("Traceback", ran.stderr)
        return ran

    def compare_json(self, *arguments, status):
        return json.loads(self.compare(*arguments, "--json", status=status).stdout)

    def words(self, document):
        return [one["verdict"] for one in document["comparisons"]]


class AtOnce(Made):
    """Runs with --together."""

    def run_of(self, plan=None):
        shared = noise(1, 20, 0.3)
        return self.make("run", [("glibc", [sample(900 * MS, cpu_ns=int(100 * MS * one)) for one in shared * noise(2, 20)]),
                                 ("mimalloc", [sample(900 * MS, cpu_ns=int(105 * MS * one)) for one in shared * noise(3, 20)])], plan)

    def test_what_rows_share_cancels_and_processor_time_is_what_is_asked_for(self):
        document = self.compare_json(self.run_of({"together": True}), status=1)
        (one,) = document["comparisons"]
        self.assertEqual((one["metric"], one["verdict"], one["at_once"], one["pairs"]), ("cpu", "worse", True, 20))
        self.assertTrue(1.04 < one["ratio"]["low"] < 1.05 < one["ratio"]["high"] < 1.06, one["ratio"])
        self.assertEqual(one["notes"], [])

    def test_what_did_not_begin_together_is_no_pair(self):
        """Of a round that was killed one row was stored; the other one was measured alone, later."""
        values = [sample(900 * MS, cpu_ns=int(100 * MS * one)) for one in noise(4, 8)]
        later = {**values[0], "cpu_ns": 1000 * MS, "started": "2026-01-01T00:00:09Z"}
        (one,) = self.compare_json(self.make("run", [("glibc", values), ("mimalloc", [later, *values[1:]])], {"together": True}),
                                   status=0)["comparisons"]
        self.assertEqual((one["verdict"], one["pairs"], one["ratio"]["value"]), ("same", 7, 1.0))

    def test_the_same_values_one_after_another_tell_nothing(self):
        (one,) = self.compare_json(self.run_of(), "--metric", "cpu", status=3)["comparisons"]
        self.assertEqual((one["verdict"], one["at_once"]), ("cannot tell", False))

    def test_the_table_says_how_and_that_time_is_of_all(self):
        ran = self.compare(self.run_of({"together": True}), "--metric", "cpu,time", status=1)
        self.assertIn("ratio: within rounds, whose rows ran at once (Hodges-Lehmann)", ran.stdout)
        self.assertIn("p: Wilcoxon's signed ranks", ran.stdout)
        self.assertEqual(ran.stdout.count("rows that ran at once took this time together: compare --metric cpu"), 1)


class Rows(Made):
    """Two allocators in one run."""

    def test_a_slower_row_is_worse_and_the_status_1(self):
        folder = self.make("run", [("a", 100 * MS * noise(1, 20)), ("b", 105 * MS * noise(2, 20))])
        document = self.compare_json(folder, status=1)
        (one,) = document["comparisons"]
        self.assertEqual((document["verdict"], one["verdict"], one["metric"], one["better"]), ("worse", "worse", "time", "lower"))
        self.assertEqual((one["baseline"]["row"], one["changed"]["row"], one["baseline"]["samples"]), ("a", "b", 20))
        self.assertAlmostEqual(one["ratio"]["value"], 1.05, delta=0.01)
        self.assertLess(one["ratio"]["low"], one["ratio"]["value"])
        self.assertEqual((one["pairs"], one["p"]), (20, one["p_holm"]))
        self.assertGreater(one["effect"], 0.95)

    def test_turned_around_it_is_better_and_the_status_0(self):
        folder = self.make("run", [("a", 100 * MS * noise(1, 20)), ("b", 105 * MS * noise(2, 20))])
        self.assertEqual(self.words(self.compare_json(folder, "-a", "b,a", status=0)), ["better"])

    def test_what_is_within_the_threshold_is_the_same(self):
        folder = self.make("run", [("a", 100 * MS * noise(1, 20, 0.001)), ("b", 100.3 * MS * noise(2, 20, 0.001))])
        self.assertEqual(self.words(self.compare_json(folder, status=0)), ["same"])
        self.assertEqual(self.words(self.compare_json(folder, "--threshold", "0.1%", status=1)), ["worse"])

    def test_noise_cannot_be_told_and_says_how_many_rounds_it_takes(self):
        folder = self.make("run", [("a", 100 * MS * noise(1, 20, 0.1)), ("b", 103 * MS * noise(2, 20, 0.1))])
        document = self.compare_json(folder, status=3)
        (one,) = document["comparisons"]
        self.assertEqual((document["verdict"], one["verdict"]), ("cannot tell", "cannot tell"))
        self.assertTrue(one["rounds"] is None or one["rounds"] > 20)

    def test_equal_values_to_the_byte_are_the_same_and_others_are_not(self):
        folder = self.make("run", [("a", [sample(MS)] * 8), ("b", [sample(MS)] * 8), ("c", [sample(MS, peak_bytes=60 * MIB)] * 8)])
        document = self.compare_json(folder, "--metric", "peak", status=1)
        self.assertEqual(self.words(document), ["same", "worse"])
        self.assertEqual(document["comparisons"][1]["ratio"], {"value": 1.2, "low": 1.2, "high": 1.2})

    def test_more_given_back_is_better(self):
        folder = self.make("run", [("a", [sample(MS)] * 8), ("b", [sample(MS, return_ratio=0.9)] * 8)])
        self.assertEqual(self.words(self.compare_json(folder, "--metric", "given-back", status=0)), ["better"])

    def test_less_than_a_mebibyte_is_no_difference_of_memory(self):
        folder = self.make("run", [("a", [sample(MS, retained_bytes=-4096)] * 8), ("b", [sample(MS, retained_bytes=900000)] * 8),
                                   ("c", [sample(MS, retained_bytes=20 * MIB)] * 8)])
        document = self.compare_json(folder, "--metric", "retained", status=1)
        self.assertEqual(self.words(document), ["same", "worse"])
        self.assertEqual(document["comparisons"][1]["ratio"]["value"], 20)

    def test_what_was_not_given_back_counts_as_long_as_was_waited(self):
        folder = self.make("run", [("a", [sample(MS, give_back_90_ns=20 * MS)] * 8), ("b", [sample(MS)] * 8)])
        (one,) = self.compare_json(folder, "--metric", "give-back-90", status=1)["comparisons"]
        self.assertEqual((one["ratio"]["value"], one["verdict"]), (25, "worse"))
        self.assertIn("8 of 8 did not come so far", one["notes"][0])

    def test_a_figure_that_samples_lack_is_named(self):
        folder = self.make("run", [("a", [sample(MS)] * 8), ("b", [sample(MS)] * 8)])
        (one,) = self.compare_json(folder, "--metric", "rebuild", status=3)["comparisons"]
        self.assertIn("not every sample has this figure", one["reason"])

    def test_a_row_that_fails_where_the_baseline_does_not_is_worse(self):
        failed = {**sample(1), "status": "signal", "reason": "killed by SIGSEGV in the phase build"}
        folder = self.make("run", [("a", [sample(MS)] * 8), ("b", [sample(MS)] * 7 + [failed])])
        (one,) = self.compare_json(folder, status=1)["comparisons"]
        self.assertIn("SIGSEGV", one["reason"])
        self.assertEqual(one["changed"]["failed"], 1)
        self.assertEqual(self.words(self.compare_json(folder, "-a", "b,a", status=0)), ["better"])

    def test_a_row_that_is_not_available_cannot_be_told(self):
        missing = {**sample(1), "status": "n/a", "reason": "libfoo.so is missing (Debian package foo)"}
        folder = self.make("run", [("a", [sample(MS)] * 8), ("b", [missing]), (self.cell("c", not_available="it has no threads"), [])])
        reasons = [one["reason"] for one in self.compare_json(folder, status=3)["comparisons"]]
        self.assertIn("libfoo.so is missing", reasons[0])
        self.assertIn("it has no threads", reasons[1])

    def test_few_rounds_cannot_be_told_however_large_the_difference(self):
        folder = self.make("run", [("a", [MS] * 5), ("b", [2 * MS] * 5)])
        (one,) = self.compare_json(folder, status=3)["comparisons"]
        self.assertEqual((one["rounds"], one["p_holm"]), (6, None))

    def test_holm_s_correction_is_over_all_lines_of_the_metric(self):
        rows = [("base", 100 * MS * noise(0, 20))] + [(f"row{index}", 100.9 * MS * noise(index, 20)) for index in range(1, 12)]
        folder = self.make("run", rows)
        both = self.compare_json(folder, "-a", "base,row1", "--metric", "time,peak", "--threshold", "0%", status=1)["comparisons"]
        self.assertEqual(both[0]["p"], both[0]["p_holm"], "one line of time, one of the peak: no family")
        document = self.compare_json(folder, "--threshold", "4%", status=0)
        raw = [one["p"] for one in document["comparisons"]]
        for got, wanted in zip([one["p_holm"] for one in document["comparisons"]], inference.correct(raw)):
            self.assertAlmostEqual(got, wanted)

    def test_the_floor_of_identical_cells_is_not_passed(self):
        """The control of the first row came out 8 % apart from it: 5 % more of another row is nothing."""
        rows = [("a", 100 * MS * noise(1, 20)), ("b", 105 * MS * noise(2, 20)), (self.cell("a", control=True), 108 * MS * noise(3, 20))]
        (one,) = self.compare_json(self.make("run", rows), status=3)["comparisons"]
        self.assertGreater(one["noise_floor"], 1.07)
        self.assertIn("two identical cells of this run differ by", one["reason"])
        rows[2] = (self.cell("a", control=True), 100 * MS * noise(3, 20))
        self.assertEqual(self.words(self.compare_json(self.make("quiet", rows), status=1)), ["worse"])

    def test_drift_likeness_and_outliers_are_told_and_count(self):
        drift = numpy.linspace(1, 1.5, 20)
        far = [100 * MS] * 16 + [300 * MS] * 4
        folder = self.make("run", [("a", 100 * MS * drift * noise(1, 20)), ("b", 120 * MS * drift * noise(2, 20)), ("c", far)])
        document = self.compare_json(folder, status=1)
        notes = " ".join(document["comparisons"][0]["notes"])
        self.assertRegex(notes, r"baseline: drifted by \+\d+")
        self.assertIn("samples resemble those before them", notes)
        self.assertIn("changed: 4 of 20 are outliers; all count", " ".join(document["comparisons"][1]["notes"]))
        self.assertEqual(document["comparisons"][1]["changed"]["course"]["outliers"], [16, 17, 18, 19])
        self.assertEqual(document["comparisons"][1]["changed"]["samples"], 20)

    def test_what_rounds_share_cancels(self):
        machine = noise(9, 20, 0.2)
        folder = self.make("run", [("a", 100 * MS * machine), ("b", 100 * MS * machine * noise(2, 20, 0.001))])
        self.assertEqual(self.words(self.compare_json(folder, status=0)), ["same"])

    def test_only_what_was_asked_for_is_compared(self):
        rows = [("a", [MS] * 6), ("b", [MS] * 6), (self.cell("a", "steady"), [MS] * 6), (self.cell("b", "steady"), [MS] * 6)]
        folder = self.make("run", rows)
        self.assertEqual(len(self.compare_json(folder, status=0)["comparisons"]), 2)
        (one,) = self.compare_json(folder, "-w", "steady:n=1000", status=0)["comparisons"]
        self.assertEqual(one["experiment"]["workload"], "steady")
        self.assertIn("it has the workloads bulk and steady", self.compare(folder, "-w", "steady:n=2000", status=2).stderr)
        self.assertIn("the rows a and b", self.compare(folder, "-a", "a,z", status=2).stderr)

    def test_a_run_of_one_row_wants_another_run(self):
        self.assertIn("name a second run", self.compare(self.make("run", [("a", [MS] * 6)]), status=2).stderr)

    def test_labels_and_paths_are_names(self):
        folder = self.make("run", [("old=/opt/old/libx.so", [MS] * 6), ("/opt/new/liby.so", [MS] * 6)])
        for names in ("old,liby.so", "old=/opt/old/libx.so,/opt/new/liby.so"):
            shown = self.compare(folder, "-a", names, status=0).stdout
            self.assertIn("old → liby.so", shown)


class Runs(Made):
    """Two runs of one plan."""

    def pair(self, **changes):
        first = self.make("before", [("a", 100 * MS * noise(1, 20)), ("b", 100 * MS * noise(2, 20, 0.001))])
        second = self.make("after", [("a", 110 * MS * noise(3, 20)), ("b", 100 * MS * noise(4, 20, 0.001))], **changes)
        return first, second

    def test_each_row_beside_itself(self):
        document = self.compare_json(*self.pair(), status=1)
        self.assertEqual(self.words(document), ["worse", "same"])
        self.assertEqual([one["pairs"] for one in document["comparisons"]], [0, 0], "rounds of two runs have nothing in common")
        self.assertEqual(document["warnings"], [])

    def test_one_row_alone(self):
        self.assertEqual(self.words(self.compare_json(*self.pair(), "-a", "b", status=0)), ["same"])

    def test_another_plan_is_refused_with_its_differences(self):
        first = self.make("before", [("a", [MS] * 6), ("b", [MS] * 6)])
        second = self.make("after", [("a", [MS] * 6), (self.cell("a", params={"n": "2000"}), [MS] * 6)], {"seed": 7})
        told = self.compare(first, second, status=4)
        self.assertEqual(told.stdout, "")
        for words in ("runs of different plans", "seed is 1 in the first and 7 in the second", "only the first has bulk n=1k on b",
                      "only the second has bulk n=2k on a"):
            self.assertIn(words, told.stderr)

    def test_limits_and_the_number_of_rounds_may_differ(self):
        first = self.make("before", [("a", [MS] * 6)], {"memory_limit_bytes": 1})
        second = self.make("after", [("a", [MS] * 20)], {"memory_limit_bytes": 2, "timeout_ns": 3})
        self.assertEqual(self.words(self.compare_json(first, second, status=0)), ["same"])

    def test_another_machine_is_told(self):
        ran = self.compare(*self.pair(machine={"cpu": "another", "libraries": {}}), status=1)
        self.assertIn("different machines: cpu is 'made up' and 'another'", ran.stderr)

    def test_another_version_of_a_row_is_told(self):
        first = self.make("before", [("a", [MS] * 6)], machine={"libraries": {"a": "1.0"}})
        second = self.make("after", [("a", [MS] * 6)], machine={"libraries": {"a": ["1.0", "2.0"]}})
        self.assertEqual(self.compare_json(first, second, status=0)["warnings"], ["the row a is 1.0 and 2.0"])

    def test_an_unfinished_run_is_told(self):
        ran = self.compare(*self.pair(machine={"finished": None}), status=1)
        self.assertIn("after: this run did not finish", ran.stderr)

    def test_labels_pair_what_lies_elsewhere(self):
        first = self.make("before", [("mine=/old/libx.so", [MS] * 6)])
        second = self.make("after", [("mine=/new/libx.so", [MS] * 6)])
        self.assertEqual(self.words(self.compare_json(first, second, status=0)), ["same"])

    def test_a_run_beside_itself_is_never_better_or_worse(self):
        shown = self.compare("results/reference", "results/reference", "--metric", "peak,retained", status=3).stdout
        self.assertNotIn("better", shown)
        self.assertNotIn("worse", shown)


class Micro(Made):
    """Google Benchmark's JSON on either side."""

    def benchmark(self, path, values, row="glibc", **context):
        entries = [{"name": name, "run_name": name, "run_type": "iteration", "repetition_index": index, "items_per_second": 1e9 / ns,
                    "cpu_time": ns, "real_time": ns, "time_unit": "ns"} for name, numbers in values.items() for index, ns in enumerate(numbers)]
        entries += [{"name": name + "_median", "run_name": name, "run_type": "aggregate", "aggregate_name": "median", "cpu_time": 1,
                     "items_per_second": 1, "time_unit": "ns"} for name in values]
        os.makedirs(os.path.dirname(self.folder(path)) or ".", exist_ok=True)
        with open(self.folder(path), "w", encoding="utf-8") as file:
            json.dump({"context": {"tidemark_row": row, "num_cpus": 2, **context}, "benchmarks": entries}, file)
        return self.folder(path)

    def test_repetitions_are_the_values_and_aggregates_are_not(self):
        first = self.benchmark("a.json", {"pair/size:8": 10 * noise(1, 12)})
        second = self.benchmark("b.json", {"pair/size:8": 12 * noise(2, 12)})
        (one,) = self.compare_json(first, second, status=1)["comparisons"]
        self.assertEqual((one["experiment"], one["metric"], one["changed"]["samples"]), ({"benchmark": "pair/size:8"}, "micro", 12))
        self.assertAlmostEqual(one["baseline"]["median"]["value"], 10, delta=0.2)
        self.assertEqual(self.words(self.compare_json(second, first, status=0)), ["better"])

    def test_a_file_of_google_benchmark_itself(self):
        entries = [{"name": "BM_x", "iterations": 1, "real_time": 2.0 + index / 1000, "cpu_time": 2.0 + index / 1000, "time_unit": "us"}
                   for index in range(8)]
        for name in ("a.json", "b.json"):
            with open(self.folder(name), "w", encoding="utf-8") as file:
                json.dump({"benchmarks": entries}, file)
        (one,) = self.compare_json(self.folder("a.json"), self.folder("b.json"), status=0)["comparisons"]
        self.assertAlmostEqual(one["baseline"]["median"]["value"], 2003.5)

    def test_a_run_on_either_side(self):
        run = self.make("run", [], {"suite": "micro"})
        os.mkdir(run + "/micro")
        self.benchmark("run/micro/glibc.json", {"pair/size:8": 10 * noise(1, 12)})
        self.benchmark("run/micro/mimalloc.json", {"pair/size:8": 20 * noise(1, 12)}, row="mimalloc")
        file = self.benchmark("b.json", {"pair/size:8": 12 * noise(2, 12)})
        self.assertEqual(self.words(self.compare_json(run, file, status=1)), ["worse"])
        self.assertEqual(self.words(self.compare_json(file, run, status=0)), ["better"])
        self.assertEqual(self.words(self.compare_json(run, status=1)), ["worse"], "its two rows")
        self.assertEqual(self.words(self.compare_json(run, "-a", "mimalloc,glibc", status=0)), ["better"])
        other = self.benchmark("c.json", {"pair/size:8": [1] * 6}, row="tbb")
        self.assertIn("no row is in both", self.compare(run, other, status=4).stderr)

    def test_aggregates_alone_are_refused_with_what_to_do(self):
        path = self.benchmark("a.json", {"pair": [1, 2]})
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        record["benchmarks"] = record["benchmarks"][2:]
        with open(path, "w", encoding="utf-8") as file:
            json.dump(record, file)
        self.assertIn("--benchmark_repetitions=20", self.compare(path, path, status=4).stderr)

    def test_one_value_says_how_to_get_more(self):
        path = self.benchmark("a.json", {"pair": [1]})
        self.assertIn("--benchmark_repetitions=20", self.compare(path, path, status=3).stdout)

    def test_other_benchmarks_of_one_row_are_another_plan(self):
        first, second = self.benchmark("a.json", {"pair": [1] * 6}), self.benchmark("b.json", {"pair": [1] * 6, "batch": [1] * 6})
        self.assertIn("only the second has batch", self.compare(first, second, status=4).stderr)
        third = self.benchmark("c.json", {"pair": [1] * 6, "batch": [1] * 6}, row="mimalloc")
        self.assertIn("1 benchmarks of mimalloc alone are left out", self.compare(first, third, status=0).stderr)

    def test_another_machine_is_told(self):
        first, second = self.benchmark("a.json", {"pair": [1] * 6}), self.benchmark("b.json", {"pair": [1] * 6}, num_cpus=64)
        self.assertIn("num_cpus is 2 and 64", self.compare(first, second, status=0).stderr)


class Command(Made):
    def test_words_that_are_not_understood_are_usage_errors(self):
        for arguments, says in (((), "which runs?"), (("a", "b", "c"), "two runs at a time"), (("a", "-a", "x"), "takes two rows"),
                                (("a", "--metric", "speed"), "'speed' is none of time|cpu|"), (("a", "--metric", ""), "'' is none of"),
                                (("a", "-a", "x,,y"), "a row is missing"), (("a", "--threshold", "2"), "no share from 0% to 100%"),
                                (("a", "--threshold", "nan%"), "no share"), (("a", "--threshold", "-1%"), "no share"),
                                (("a", "--nix"), "unrecognized option"), (("--", "-x"), "Write ./-x")):
            with self.subTest(arguments=arguments):
                refused = self.command(*arguments, status=2)
                self.assertIn(says, refused.stderr)
                self.assertEqual(refused.stdout, "")

    def test_every_metric_of_the_reader_is_known_to_the_command(self):
        told = self.command("a", "--metric", "nix", status=2).stderr.split(" is none of ")[1].split("\n")[0]
        self.assertEqual(told.split("|"), [*measured.METRICS, "micro"])
        helped = tidemark("compare", "--help").stdout
        for name in told.split("|"):
            self.assertRegex(helped, r"\b%s\b" % name)

    def test_a_script_that_fails_by_itself_is_no_verdict(self):
        """Python then ends with 1, which is that of `worse`."""
        folder = self.make("run", [("a", [MS] * 6), ("b", [MS] * 6)])
        with open(self.folder("sitecustomize.py"), "w", encoding="utf-8") as file:
            file.write("import sys\nif any('compare.py' in word for word in sys.orig_argv):\n    raise SystemExit(1)\n")
        ran = tidemark("compare", folder, env={**os.environ, "PYTHONPATH": self.scratch})
        self.assertEqual(ran.returncode, 4, ran.stderr)

    def test_the_table_has_a_line_for_each_comparison_with_its_figures(self):
        folder = self.make("run", [("glibc", 100 * MS * noise(1, 20)), ("jemalloc", 105 * MS * noise(2, 20))])
        shown = self.command(folder, status=1).stdout
        (line,) = [line for line in shown.splitlines() if "→" in line]
        self.assertRegex(line, r"glibc → jemalloc +time +\d+ ms +10\d ms +1\.0\d\d +\[1\.0\d\d, 1\.0\d\d\] +<0\.0001 +(0\.9\d|1\.00)  worse: [\d.]+ % more")
        self.assertIn("1 worse; threshold 1 %", shown)
        self.assertNotIn("\033", shown)

    def shown_on_a_terminal(self, folder, **variables):
        main, other = pty.openpty()
        environment = {**{name: value for name, value in os.environ.items() if name != "NO_COLOR"}, "TERM": "xterm", **variables}
        with subprocess.Popen([TIDEMARK, "compare", folder], stdout=other, env=environment) as process:
            os.close(other)
            shown = b""
            try:
                while piece := os.read(main, 65536):
                    shown += piece
            except OSError:
                pass
            process.wait()
        os.close(main)
        return shown

    def test_colour_is_for_terminals_that_want_it(self):
        if lacks := terminals.find():
            self.skipTest("not run: " + lacks)
        folder = self.make("run", [("a", [MS] * 8), ("b", [2 * MS] * 8)])
        self.assertIn(b"\033[31mworse\033[0m", self.shown_on_a_terminal(folder))
        self.assertNotIn(b"\033", self.shown_on_a_terminal(folder, NO_COLOR="1"))
        self.assertNotIn(b"\033", self.shown_on_a_terminal(folder, TERM="dumb"))

    def test_the_statuses_are_those_of_the_help_text_and_the_words_arrive(self):
        folder = self.make("run", [("a", [100 * MS] * 8), ("b,c", [105 * MS] * 8), (self.cell("a", "steady"), noise(1, 20, 0.3) * MS),
                                   (self.cell("d", "steady"), noise(2, 20, 0.3) * MS)])
        self.assertEqual(json.loads(self.command(folder, "-a", r"a,b\,c", "-w", "bulk", "--json", status=1).stdout)["verdict"], "worse")
        self.command(folder, "-a", r"b\,c,a", "-w", "bulk:n=1000", status=0)
        self.command(folder, "-a", r"a,b\,c", "-w", "bulk", "--threshold", "5%", "--metric", "time,cpu", status=0)
        self.command(folder, "-w", "steady", status=3)
        self.command(folder, "-w", "nix", status=2)
        self.command(folder, self.folder("nowhere"), status=4)
        self.command(folder, folder, "-w", "bulk", status=0)

    def test_a_full_stdout_is_no_verdict(self):
        folder = self.make("run", [("a", [MS] * 6), ("b", [MS] * 6)])
        for options in ((), ("--json",)):
            with open("/dev/full", "w", encoding="utf-8") as full:
                ran = subprocess.run([TIDEMARK, "compare", folder, *options], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
            self.assertEqual((ran.returncode, ran.stderr), (4, "tidemark compare: cannot write to stdout: No space left on device\n"))

    def test_the_same_runs_are_told_in_the_same_words(self):
        folder = self.make("run", [("a", 100 * MS * noise(1, 20)), ("b", 105 * MS * noise(2, 20))])
        self.assertEqual(self.compare(folder, status=1).stdout, self.compare(folder, status=1).stdout)


class Hostile(Made):
    """What is in a folder may come from anywhere."""

    def good(self):
        return self.make("run", [("a", [MS] * 6), ("b", [MS] * 6)])

    def refuse(self, name, data, *says):
        with open(os.path.join(self.folder("run"), name), "wb") as file:
            file.write(data)
        refused = self.compare(self.folder("run"), status=4)
        self.assertLess(len(refused.stderr), 3000)
        self.assertEqual(refused.stdout, "")
        for words in (name, *says):
            self.assertIn(words, refused.stderr)

    def test_odd_lines_are_refused_by_file_and_line(self):
        self.good()
        line = json.dumps({"sample": 0, "cell": 0, "round": 0, "repeat": 0, **sample(MS)})
        for change, says in (({"cell": 9}, "'cell' is 9"), ({"cell": "a"}, "'cell' is 'a'"), ({"round": -1}, "'round' is -1"),
                             ({"wall_ns": "x"}, "'wall_ns' is 'x'"), ({"status": 7}, "'status' is 7"), ({"wall_ns": [1]}, "'wall_ns'")):
            with self.subTest(change=change):
                self.refuse("samples.jsonl", (line + "\n" + json.dumps({**json.loads(line), "round": 1, **change}) + "\n").encode(),
                            "samples.jsonl:2", says)
        self.refuse("samples.jsonl", (line + "\n" + line + "\n").encode(), "has round 0, repeat 0 twice")
        self.refuse("samples.jsonl", b'{"cell": 1e999}\n', "too large")
        self.refuse("samples.jsonl", b"[" * 100000 + b"\n", "nested too deeply")

    def test_odd_plans_and_machines_are_refused(self):
        for name, data in (("plan.json", b"{}"), ("plan.json", b'{"format": 2, "cells": []}'), ("plan.json", b'{"format": 1, "cells": [[]]}'),
                           ("plan.json", b"\xff"), ("machine.json", b"[]"), ("machine.json", b'{"libraries": 7}')):
            with self.subTest(name=name, data=data):
                self.folder_is_new()
                self.refuse(name, data)

    def folder_is_new(self):
        subprocess.run(["rm", "-rf", self.folder("run")], check=True)
        self.good()

    def test_more_samples_than_a_plan_may_have_are_refused(self):
        self.good()
        self.refuse("samples.jsonl", b"".join(json.dumps({"sample": turn, "cell": 0, "round": turn, "repeat": 0, "dirty": False, "status": "ok", "wall_ns": 1}).encode() + b"\n"
                                              for turn in range(2001)), "more than 2000 samples")

    def test_what_is_no_file_keeps_nobody_waiting(self):
        for put in (put_pipe, put_device, put_folder, put_hole):
            with self.subTest(put=put.__name__):
                self.folder_is_new()
                os.remove(self.folder("run/samples.jsonl"))
                put(self.folder("run/samples.jsonl"))
                self.assertIn("samples.jsonl", self.compare(self.folder("run"), status=4).stderr)

    def test_names_steer_no_terminal(self):
        folder = self.make("run", [("a\x1b[2J", [MS] * 6), ("b\nb", [2 * MS] * 6)])
        shown = self.compare(folder, status=1)
        self.assertNotIn("\x1b", shown.stdout + shown.stderr)
        self.assertIn("a [2J → b b", shown.stdout)

    def test_numbers_at_the_edges_have_an_answer(self):
        for value in (0, 2**62, 5e-324):
            with self.subTest(value=value):
                subprocess.run(["rm", "-rf", self.folder("run")], check=True)
                folder = self.make("run", [("a", [{**sample(1), "wall_ns": value}] * 6), ("b", [{**sample(1), "wall_ns": 2**62}] * 6)])
                self.assertIn(run_script(folder, "--json").returncode, (0, 1))

    def test_a_document_that_is_neither_is_named(self):
        with open(self.folder("x.json"), "w", encoding="utf-8") as file:
            file.write("{}")
        self.assertIn("neither a run folder nor JSON of Google Benchmark", self.compare(self.folder("x.json"), status=4).stderr)
        self.assertIn("nowhere", self.compare(self.folder("nowhere"), status=4).stderr)


class Rule(unittest.TestCase):
    """verdict.judge, on differences that are written down."""

    def judge(self, low, value, high, p=0.001, threshold=0.01, count=20, **others):
        difference = inference.Difference(inference.Interval(value, low, high), p, 0.5, 0, (count, count))
        return verdict.judge(difference, others.pop("corrected", p), threshold, **others)

    def test_the_four_words(self):
        for bounds, p, word in (((1.02, 1.05, 1.08), 0.001, "worse"), ((0.92, 0.95, 0.98), 0.001, "better"), ((0.995, 1, 1.005), 0.9, "same"),
                                ((0.98, 1.0, 1.02), 0.9, "cannot tell"), ((1.002, 1.006, 1.009), 0.001, "same"),
                                ((1.002, 1.006, 1.02), 0.001, "cannot tell"), ((0.99, 1.05, 1.1), 0.001, "cannot tell"),
                                ((1.02, 1.05, 1.08), 0.06, "cannot tell")):
            self.assertEqual(self.judge(*bounds, p=p).word, word, (bounds, p))

    def test_higher_may_be_better(self):
        self.assertEqual(self.judge(1.02, 1.05, 1.08, higher_is_better=True).word, "better")
        self.assertEqual(self.judge(0.92, 0.95, 0.98, higher_is_better=True).word, "worse")

    def test_p_is_taken_as_corrected(self):
        found = self.judge(1.02, 1.05, 1.08, p=0.001, corrected=0.2, family=200)
        self.assertEqual(found.word, "cannot tell")
        self.assertIn("with 200 comparisons", found.reason)
        self.assertGreater(found.rounds, 20)

    def test_the_floor(self):
        self.assertEqual(self.judge(1.02, 1.05, 1.08, floor=1.04).word, "worse")
        found = self.judge(1.02, 1.05, 1.08, floor=1.06)
        self.assertEqual((found.word, found.reason), ("cannot tell", "5 % more, but two identical cells of this run differ by 6 %"))
        self.assertEqual(self.judge(0.92, 0.95, 0.98, floor=1.06).word, "cannot tell")

    def test_the_floor_goes_as_far_as_an_interval_that_leaves_out_one(self):
        def of(*bounds):
            return inference.Difference(inference.Interval(*bounds), 0.5, 0.5, 0, (20, 20))
        self.assertIsNone(verdict.noise_floor([]))
        self.assertEqual(verdict.noise_floor([of(1.01, 0.98, 1.04)]), 1.01)
        self.assertEqual(verdict.noise_floor([of(0.8, 0.7, 1.04)]), 1.25)
        self.assertEqual(verdict.noise_floor([of(1.01, 0.98, 1.04), of(1.02, 1.01, 1.03)]), 1.03)
        self.assertEqual(verdict.noise_floor([of(1.5)]), 1.5)

    def test_rounds_grow_with_the_square_of_the_interval(self):
        """Half of the interval is 10 %, the difference 5 %: four times as many rounds."""
        found = self.judge(1.05 / 1.1025, 1.05, 1.05 * 1.1025, p=0.3, count=20)
        self.assertAlmostEqual(found.rounds, 80, delta=1)

    def test_rounds_that_no_plan_has_are_not_promised(self):
        found = self.judge(0.9, 1.0101, 1.12, p=0.8)
        self.assertIsNone(found.rounds)
        self.assertIn("no run has rounds enough", found.reason)

    def test_a_correction_for_many_takes_more_rounds_than_six(self):
        found, at_once = inference.Difference(None, None, None, 0), inference.Difference(None, None, None, 0, at_once=True)
        self.assertEqual(verdict._rounds_for_test(found, 1), 6)
        self.assertGreater(verdict._rounds_for_test(found, 1000), 8)
        self.assertEqual((verdict._rounds_for_test(at_once, 1), verdict._rounds_for_test(at_once, 3)), (6, 7))

    def test_the_smaller_the_threshold_the_less_is_the_same(self):
        self.assertEqual(self.judge(0.99, 1.0, 1.009, p=0.9, threshold=0.02).word, "same")
        self.assertEqual(self.judge(0.99, 1.0, 1.009, p=0.9, threshold=0.005).word, "cannot tell")


if __name__ == "__main__":
    unittest.main(verbosity=2)
