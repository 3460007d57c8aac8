#!/usr/bin/python3
"""
Promises of plot/ on latencies: what is read and refused, quantiles against the values themselves, and the figures drawn.
It leaves out looks. The files are synthetic, for tests only: values drawn here and put into buckets as the format says.
Run from the repository root: /usr/bin/python3 tests/plot_latency_test.py
"""
import gzip
import json
import math
import os
import random
import sys
import unittest

sys.dont_write_bytecode = True

import plot_test  # noqa: E402  (puts plot/ on the path)
from plot_test import Folder, list_lifetime, make_run, png_size, read, run_report  # noqa: E402

import checked  # noqa: E402
import latency  # noqa: E402
import numpy  # noqa: E402
import run_folder  # noqa: E402
import style  # noqa: E402
import words  # noqa: E402

TICK_NS = 0.5


# --- a synthetic file ------------------------------------------------------------------------------------------------------

def bucket_of(ticks):
    """The least value of the bucket, by results/FORMAT.md."""
    if ticks >= 2**36:
        return 2**36
    return ticks if ticks < 64 else ticks - ticks % 2 ** (ticks.bit_length() - 6)


def histogram(ticks):
    counts = {}
    for value in ticks:
        counts[bucket_of(value)] = counts.get(bucket_of(value), 0) + 1
    return {"count": len(ticks), "sum_ticks": sum(ticks), "least_ticks": min(ticks), "most_ticks": max(ticks),
            "buckets": [number for pair in sorted(counts.items()) for number in pair]}


def file_of(index, phases):
    """phases: a dict of (layer, operation) to ticks for each."""
    return {"format": 1, "cell": index, "system_calls": True, "plain_call_ns": 150, "trapped_call_ns": 1650, "clock": {"name": "tsc", "tick_ns": TICK_NS, "own": histogram([42] * 1000 + [50])},
            "phases": [{"name": f"phase_{place}", "operations": [
                {"layer": layer, "operation": operation, "slowest": [slow_of(max(ticks))], **histogram(ticks)}
                for (layer, operation), ticks in phase.items()]} for place, phase in enumerate(phases)]}


def slow_of(ticks, faults=0, calls=None, preemptions=0):
    return {"ticks": ticks, "page_faults": faults, "preemptions": preemptions, "system_calls": calls or {}}


def put_file(folder, index, record):
    os.makedirs(os.path.join(folder, "latency"), exist_ok=True)
    with gzip.open(os.path.join(folder, "latency", f"{index:06d}.json.gz"), "wt", compresslevel=1) as file:
        json.dump(record, file)


def draw_ticks(seed, count):
    dice = random.Random(seed)
    return [int(50 * math.exp(dice.expovariate(0.7))) for _ in range(count)]


class Files(Folder):
    def setUp(self):
        super().setUp()
        make_run(self.folder, [list_lifetime("glibc", 20.0), list_lifetime("pymalloc@jemalloc", 10.0)])

    def read(self):
        return latency.read_latencies(run_folder.read_run(self.folder))


# --- reading ---------------------------------------------------------------------------------------------------------------

class Reading(Files):
    def test_phases_are_added_up_and_layers_kept_apart(self):
        first, second, beneath = draw_ticks(1, 5000), draw_ticks(2, 3000), draw_ticks(3, 200)
        put_file(self.folder, 1, file_of(1, [{("object", "malloc"): first}, {("object", "malloc"): second,
                                                                            ("raw", "malloc"): beneath}]))
        (one,) = self.read()
        self.assertEqual(one.cell.allocator, "pymalloc@jemalloc")
        self.assertEqual({name: times.calls for name, times in one.operations.items()}, {"malloc": 8000, "raw malloc": 200})
        self.assertAlmostEqual(one.operations["malloc"].most, max(first + second) * TICK_NS * 1e-9)

    def test_quantiles_are_within_a_64th_of_the_values(self):
        ticks = draw_ticks(4, 20_000)
        put_file(self.folder, 0, file_of(0, [{("object", "free"): ticks}]))
        times = self.read()[0].operations["free"]
        ordered = numpy.sort(ticks) * TICK_NS * 1e-9
        for share in (0.5, 0.9, 0.99, 0.999, 0.9999, 1):
            exact = ordered[math.ceil(round(share * len(ordered), 6)) - 1]
            self.assertLessEqual(abs(times.quantile(share) - exact), exact / 64 + 1e-15)

    def test_what_is_beyond_the_last_bucket_is_its_most(self):
        put_file(self.folder, 0, file_of(0, [{("object", "free"): [100] * 10 + [2**40]}]))
        times = self.read()[0].operations["free"]
        self.assertAlmostEqual(times.quantile(1), 2**40 * TICK_NS * 1e-9)
        self.assertAlmostEqual(times.total, (1000 + 5 + 2**40) * TICK_NS * 1e-9, delta=1e-8)

    def test_the_slowest_is_that_of_all_phases_that_kept_its_processor(self):
        record = file_of(0, [{("object", "free"): [100, 900]}, {("object", "free"): [100, 800]}])
        first, second = (phase["operations"][0] for phase in record["phases"])
        first["slowest"] = [slow_of(900, preemptions=1), slow_of(700, 5, {"brk": 1})]
        second["slowest"] = [slow_of(800, 1, {"munmap": 2, "madvise": 1200})]
        put_file(self.folder, 0, record)
        (one,) = self.read()
        tags = one.operations["free"].slowest.tags.replace(words.NARROW, " ")
        self.assertEqual(tags, "400 ns: 2 munmap, 1,200 madvise, 1 fault")
        self.assertAlmostEqual(one.trap, 1.5e-6)

    def test_where_nothing_is_known_of_the_slowest_there_are_no_tags(self):
        for slow in ([], [slow_of(900, preemptions=1)], [slow_of(900)],
                     [{**slow_of(900), "page_faults": None, "system_calls": None}], [{"ticks": 900, "page_faults": 0, "preemptions": None}]):
            record = file_of(0, [{("object", "free"): [100, 900]}])
            record["phases"][0]["operations"][0]["slowest"] = slow
            record["system_calls"] = False
            put_file(self.folder, 0, record)
            (one,) = self.read()
            self.assertIn("free: p99.9", latency.say([one], "free"))
            self.assertNotIn("slowest", latency.say([one], "free"))
            self.assertIsNone(one.trap)
        del record["system_calls"], record["plain_call_ns"]
        put_file(self.folder, 0, record)
        self.assertIsNone(self.read()[0].trap)

    def test_a_run_without_the_pass_has_none(self):
        self.assertEqual(self.read(), [])


class Refusing(Files):
    """What is not as the format says is an error that names the file and the field, and leaves no figure."""

    FILE = "latency/000000.json.gz"

    def setUp(self):
        super().setUp()
        self.record = file_of(0, [{("object", "malloc"): draw_ticks(5, 500)}])
        self.malloc = self.record["phases"][0]["operations"][0]

    def refuses(self, *wanted):
        put_file(self.folder, 0, self.record)
        self.fails(self.FILE, *wanted)
        self.assertFalse(os.path.exists(os.path.join(self.folder, "figures")))

    def test_another_cell_or_format(self):
        self.record["cell"] = 1
        self.refuses("'cell' is 1, wanted 0")
        self.record["format"] = 2
        self.refuses("'format' is 2")

    def test_a_clock_that_cannot_be(self):
        for tick_ns in (0, 1e9, -1, "1"):
            self.record["clock"]["tick_ns"] = tick_ns
            self.refuses("'tick_ns'")

    def test_operations_that_there_are_not(self):
        self.malloc["operation"] = "mallocs"
        self.refuses("phase 0: operation 0: no operation is called mallocs of layer object")

    def test_counts_that_do_not_add_up(self):
        self.malloc["count"] += 1
        self.refuses("phase 0: operation 0: 'count' is 501")

    def test_buckets_that_are_none(self):
        sound = list(self.malloc["buckets"])
        for buckets in ([], sound[:-1], [65, *sound[1:]], [-2, *sound[1:]], [2**36 + 1, *sound[1:]], [0.5, *sound[1:]], sound * 2,
                        [sound[0], 0, *sound[2:]], [True, *sound[1:]]):
            self.malloc["buckets"] = buckets
            self.refuses("phase 0: operation 0:")

    def test_a_most_that_is_not_in_the_last_bucket(self):
        self.malloc["most_ticks"] *= 2
        self.refuses("'most_ticks'")

    def test_slowest_that_are_none(self):
        good = slow_of(self.malloc["most_ticks"])
        for slowest, wanted in (({}, "'slowest' is {}"), ([good] * 33, "'slowest' has 33, wanted at most 32"),
                                ([{**good, "ticks": good["ticks"] + 1}], "more than 'most_ticks'"),
                                ([{**good, "page_faults": -1}], "'page_faults' is -1"),
                                ([good, {**good, "preemptions": "1"}], "slowest 1: 'preemptions' is '1'"),
                                ([{**good, "system_calls": {"execve": 1}}], "'system_calls' has 'execve'"),
                                ([{**good, "system_calls": {"brk": 0}}], "'brk' is 0"),
                                ([{**good, "system_calls": {"brk": 2**51}}], "'brk' is 2251799813685248"),
                                ([{**good, "system_calls": [1]}], "'system_calls' is [1]")):
            self.malloc["slowest"] = slowest
            self.refuses("phase 0: operation 0", wanted)

    def test_a_trap_that_is_none(self):
        for name, value in (("system_calls", 1), ("plain_call_ns", None), ("trapped_call_ns", -1)):
            self.record = {**file_of(0, [{("object", "malloc"): draw_ticks(5, 500)}]), name: value}
            self.refuses(f"'{name}'")

    def test_more_phases_than_a_child_has(self):
        self.record["phases"] *= 17
        self.refuses("'phases' has 17, wanted 1 to 16")

    def test_any_change_is_refused_or_drawn(self):
        dice = random.Random(7)
        odd = (None, True, -1, 0, 1, 7, 2**36, 2**50, 2**62, 2**63 - 1, 0.5, "", [], {}, [1], "x" * 50)
        refused = 0
        for _ in range(150):
            record = change_one(file_of(0, [{("object", "malloc"): draw_ticks(6, 30)}]), dice, odd)
            put_file(self.folder, 0, record)
            try:
                for one in self.read():
                    latency.choose([one])
                    for operation in one.operations:
                        latency.say([one], operation)
            except checked.RunError as error:
                self.assertIn(self.FILE, str(error))
                refused += 1
        self.assertGreater(refused, 75)


def change_one(value, dice, odd):
    """`value` with one of its parts, at any depth, replaced or left out."""
    if not isinstance(value, (dict, list)) or not value or dice.random() < 0.05:
        return dice.choice(odd)
    place = dice.choice(list(value) if isinstance(value, dict) else range(len(value)))
    if dice.random() < 0.1:
        del value[place]
    else:
        value[place] = change_one(value[place], dice, odd)
    return value


# --- figures ---------------------------------------------------------------------------------------------------------------

class Figures(Files):
    def report(self):
        status, out, err = run_report(self.folder)
        self.assertEqual((status, err), (0, ""))
        return [line for line in out.splitlines() if "/latency-" in line]

    def test_one_figure_for_each_experiment_with_a_panel_for_each_operation(self):
        for index, seed in ((0, 8), (1, 9)):
            record = file_of(index, [{("object", "malloc"): draw_ticks(seed, 5000), ("object", "free"): draw_ticks(seed + 10, 5000)}])
            record["phases"][0]["operations"][index]["slowest"] = [slow_of(100, 3, {"munmap": 5})]
            put_file(self.folder, index, record)
        (path,) = self.report()
        text = read(path.replace(".png", ".svg")).replace(words.NARROW, " ")
        self.assertEqual(text.count("50 ns: 5 munmap, 3 faults"), 2, "one of each row")
        for wanted in ("To be counted, each", "malloc · 99.9 %", "free · 99.9 %", "glibc", "pymalloc@jemalloc", "99.9 %", "the clock"):
            self.assertIn(wanted, text)
        self.assertGreater(png_size(path)[1], 2 * 3.1 * style.DOTS, "two panels")
        html = read(self.folder, "report.html").replace(words.NARROW, " ")
        self.assertIn("malloc: p99.9 ", html)
        self.assertIn("How long each call took", html)

    def test_the_same_data_are_the_same_bytes(self):
        put_file(self.folder, 0, file_of(0, [{("object", "malloc"): draw_ticks(12, 5000)}]))
        (path,) = self.report()
        first = read(path, mode="rb"), read(path.replace(".png", ".svg"))
        self.assertEqual(self.report(), [path])
        self.assertEqual((read(path, mode="rb"), read(path.replace(".png", ".svg"))), first)

    def test_one_call_or_a_call_of_no_time_is_drawn(self):
        for ticks in ([0], [100], [0, 0, 2**40]):
            put_file(self.folder, 0, file_of(0, [{("object", "malloc"): ticks}]))
            self.assertEqual(len(self.report()), 1)

    def test_more_operations_than_panels_leave_those_that_took_least_out(self):
        operations = {("object", name): [100 * (place + 1)] * 10 for place, name in enumerate(latency.OPERATIONS)}
        put_file(self.folder, 0, file_of(0, [operations]))
        chosen = latency.choose(self.read())
        self.assertEqual(chosen, list(latency.OPERATIONS[-latency.MOST_PANELS:]))

    def test_a_cell_without_a_call_is_left_out(self):
        put_file(self.folder, 0, file_of(0, [{}]))
        self.assertEqual(self.report(), [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
