"""`tidemark micro`: its names, its themes on rows of each kind, planted faults, its table and its flags."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, tidemark  # noqa: E402

THEMES = ["pair", "aligned", "calloc", "realloc_grow", "batch", "threads", "remote", "region"]
PROCESSORS = len(os.sched_getaffinity(0))
QUICK = "--benchmark_min_time=0.001"
# One benchmark of each theme whose time does not hang on a second processor.
ONE_EACH = ("pair/size:64$", "aligned/size:1024/alignment:64$", "calloc/reused/size:64$", "realloc_grow/by:2/to:4KiB$",
            "batch/order:lifo/n:100/size:64$", "threads/size:64/real_time/threads:1$")


def theme(name):
    return name.split("/")[0]


def golden():
    """(usual, every) names of tests/micro_names.txt, for as many processors as there are here."""
    usual, every = [], []
    with open("tests/micro_names.txt", encoding="utf-8") as file:
        for line in file.read().splitlines():
            if line.startswith("#"):
                continue
            name = line.removeprefix("* ")
            first = 2 if name.startswith("remote/") else 1
            threads = [first << power for power in range(7) if first << power <= min(PROCESSORS, 64)]
            names = [name.replace("threads:T", f"threads:{count}") for count in threads] if "threads:T" in name else [name]
            every += names
            usual += names if line.startswith("* ") else []
    return usual, every


def listed(*arguments):
    ran = tidemark("micro", "--list", *arguments)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return ran.stdout.split()


def no_constant(name):
    raise ValueError(name + " is no JSON")


class Names(unittest.TestCase):
    def test_the_names_are_those_of_the_golden_list(self):
        usual, every = golden()
        self.assertEqual(sorted(listed("--all")), sorted(every))
        self.assertEqual(sorted(listed()), sorted(usual))

    def test_the_usual_ones_take_a_minute_at_most(self):
        # Google Benchmark takes somewhat less than twice its minimum of half a second for each.
        general = [name for name in listed() if theme(name) != "region" and not re.search("threads:([4-9]|[1-9][0-9])", name)]
        self.assertLessEqual(len(general) * 2 * 0.5, 60)

    def test_a_filter_selects_from_all(self):
        self.assertEqual(listed("--", "--benchmark_filter=batch/order:random/.*size:64$"),
                         [f"batch/order:random/n:{n}/size:64" for n in (100, 1000, 10000)])
        self.assertEqual(listed("--", "--benchmark_filter=pair/size:512$"), ["pair/size:512"], "not among the usual ones")
        self.assertEqual(listed("--", "--benchmark_filter=aligned/size:64/"),
                         ["aligned/size:64/alignment:32", "aligned/size:64/alignment:64"])

    def test_every_theme_is_in_both_helps(self):
        for text in (tidemark("micro", "--help").stdout, tidemark("micro", "--", "--help").stdout):
            for name in THEMES:
                self.assertRegex(text, rf"(?m)^ +{name}[ /]")

    def test_the_list_opens_no_allocator_and_writes_nothing(self):
        before = sorted(os.listdir("."))
        self.assertEqual(len(listed("-a", "null")), len(listed()))
        self.assertEqual(sorted(os.listdir(".")), before)


class Measured(Scratch):
    def measure(self, *rows, flags=(QUICK,), options=(), status=0):
        """{row: result} of `tidemark micro`, and what it printed."""
        folder = self.folder()
        words = [word for row in rows for word in ("-a", row)]
        ran = tidemark("micro", *words, "-o", folder, *options, "--", *flags)
        self.assertEqual(ran.returncode, status, ran.stderr)
        results = {}
        for name in os.listdir(folder + "/micro"):
            with open(f"{folder}/micro/{name}", encoding="utf-8") as file:
                result = json.load(file, parse_constant=no_constant)
            results[result["context"]["tidemark_row"]] = result
        return results, ran

    def build(self, name, *defines):
        path = self.folder(name + ".so")
        subprocess.run(["cc", "-std=gnu17", "-O2", "-fno-builtin", "-shared", "-fPIC", "-Wl,-Bsymbolic",
                        *("-D" + word for word in defines), "-o", path, "tests/planted_malloc.c"], check=True)
        return f"{name}={path}"

    def test_every_theme_runs_where_it_can_and_says_why_where_not(self):
        results, _ = self.measure("null", "glibc", "bump", options=["--all"])
        can = {"null": {"pair", "batch", "threads"}, "glibc": set(THEMES) - {"region", "remote"}, "bump": {"region"}}
        _, every = golden()
        for row, themes in can.items():
            with self.subTest(row=row):
                if PROCESSORS > 1 and row != "bump":
                    themes.add("remote")
                result = results[row]
                self.assertEqual([entry["name"] for entry in result["benchmarks"]],
                                 [name for name in every if theme(name) in themes])
                told = {key.removeprefix("tidemark_na_") for key in result["context"] if key.startswith("tidemark_na_")}
                self.assertEqual(told, set(THEMES) - themes)
        self.assertEqual(results["null"]["context"]["tidemark_na_calloc"], "null has no calloc")
        self.assertEqual(results["bump"]["context"]["tidemark_na_batch"], "bump has no malloc, free")

    def test_each_benchmark_has_its_counters(self):
        results, _ = self.measure("glibc", "bump")
        for row, result in results.items():
            for entry in result["benchmarks"]:
                with self.subTest(row=row, name=entry["name"]):
                    self.assertGreater(entry["items_per_second"], 0)
                    self.assertIn("rss_bytes", entry)
                    self.assertGreaterEqual(entry["peak_bytes"], 0)
                    if entry["name"] != "region/create":
                        size = re.search(r"size:(\d+)", entry["name"])
                        each = entry["bytes_per_second"] / entry["items_per_second"]
                        if size:
                            self.assertAlmostEqual(each / int(size[1]) / (1000 if "region/destroy" in entry["name"] else 1), 1,
                                                   places=3)
        peak = {entry["name"]: entry["peak_bytes"] for entry in results["bump"]["benchmarks"]}
        self.assertGreater(peak["region/destroy/size:1024"], 16 * 1000 * 1024 * 0.9, "16 regions of 1000 blocks at once")

    def test_a_fault_is_seen_in_its_theme_and_in_no_other(self):
        faults = {"SLOW_CALLOC": "calloc", "SLOW_ALIGNED": "aligned", "SLOW_REALLOC": "realloc_grow"}
        rows = [self.build("sound")] + [self.build(fault, fault) for fault in faults]
        results, _ = self.measure(*rows, flags=["--benchmark_min_time=0.02", "--benchmark_filter=" + "|".join(ONE_EACH)])
        times = {row.split("=")[0]: {theme(entry["name"]): 1e9 / entry["items_per_second"] for entry in result["benchmarks"]}
                 for row, result in results.items()}
        for fault, slow in faults.items():
            for name, sound_ns in times["sound"].items():
                with self.subTest(fault=fault, theme=name):
                    if name == slow:
                        self.assertGreater(times[fault][name], 20000, "each call wastes 20 µs")
                    else:
                        self.assertLess(times[fault][name], sound_ns + 5000)

    def test_a_leak_is_seen_in_its_theme_and_in_no_other(self):
        row = self.build("leaky", "LEAKY_CALLOC")
        results, ran = self.measure(row, flags=["--benchmark_min_time=0.02", "--benchmark_filter=" + "|".join(ONE_EACH)])
        [result] = results.values()
        kept = {theme(entry["name"]): entry["rss_bytes"] for entry in result["benchmarks"]}
        [calls] = [entry["iterations"] for entry in result["benchmarks"] if theme(entry["name"]) == "calloc"]
        self.assertGreater(calls, 300)
        self.assertGreaterEqual(kept.pop("calloc"), 4096 * (calls - 256), "a page a call, less what the kernel's count lags")
        self.assertLess(max(kept.values()), 512 * 1024)
        self.assertIn(f"kept: {row}: calloc/reused/size:64 (", ran.stdout)
        self.assertEqual(len(re.findall("(?m)^kept: ", ran.stdout)), 1)

    def test_a_benchmark_that_fails_takes_no_other_with_it(self):
        row = self.build("lacking", "NO_ALIGNED")
        results, ran = self.measure(row, status=1, flags=[QUICK, "--benchmark_filter=(pair|aligned)/size:1024"])
        [result] = results.values()
        figures = {entry["name"]: entry.get("error_message") for entry in result["benchmarks"]}
        self.assertIsNone(figures["pair/size:1024"])
        self.assertEqual(figures["aligned/size:1024/alignment:64"], "it gave NULL")
        self.assertIn(f"failed: {row}: aligned/size:1024/alignment:64: it gave NULL", ran.stderr)
        self.assertIn(f"failed: {row}: aligned/size:1024/alignment:64 (it gave NULL)", ran.stdout)
        self.assertRegex(ran.stdout, r"(?m)^aligned/size:1024/alignment:64 +failed$")

    def test_a_crash_is_told_as_one(self):
        row = self.build("crashing", "CRASHING_CALLOC")
        ran = tidemark("micro", "-a", row, "-o", self.folder(), "--", QUICK, "--benchmark_filter=(pair|calloc/reused)/size:64$")
        self.assertEqual(ran.returncode, 1)
        self.assertIn(f"failed: {row}: tidemark-micro was ended by signal 6 (Aborted)", ran.stderr)
        self.assertEqual(os.listdir(self.folder() + "/micro"), [])

    def test_threads_are_for_rows_that_promise_them(self):
        flags = [QUICK, "--benchmark_filter=(pair|threads|remote)/size:64($|/)"]
        results, ran = self.measure("pymalloc", "pymalloc-locked", flags=flags)
        names = [entry["name"] for entry in results["pymalloc-locked"]["benchmarks"]]
        self.assertEqual([name for name in golden()[1] if re.search(flags[1].split("=")[1], name)], names)
        self.assertEqual([entry["name"] for entry in results["pymalloc"]["benchmarks"]], ["pair/size:64"])
        for name in ("threads", "remote")[:PROCESSORS]:
            self.assertIn(f"n/a: pymalloc: {name} (pymalloc has no threads)", ran.stdout)

    def test_the_table_has_groups_and_the_ratio_to_the_first_row(self):
        results, ran = self.measure("null", "glibc", flags=[QUICK, "--benchmark_filter=(pair|calloc/reused)/size:64$"])
        each = lambda row, name: next(1e9 / entry["items_per_second"] for entry in results[row]["benchmarks"]
                                      if entry["name"] == name)
        table = [line for line in ran.stdout.splitlines() if line]
        self.assertEqual(table[0].split()[-2:], ["null", "glibc"])
        self.assertTrue(table[1].startswith("pair: malloc, write one word, free"), table[1])
        name, floor, time, ratio = table[2].split()
        self.assertEqual(name, "pair/size:64")
        self.assertEqual((floor, time), (f"{each('null', name):.2f}", f"{each('glibc', name):.2f}"))
        self.assertEqual(ratio, f"{each('glibc', name) / each('null', name):.2f}x")
        self.assertEqual(table[4].split(), ["calloc/reused/size:64", "n/a", f"{each('glibc', 'calloc/reused/size:64'):.2f}"])
        self.assertIn("n/a: null: calloc (null has no calloc)", table)
        self.assertEqual(tidemark("show", self.folder()).stdout.split("\n\n", 1)[1].strip(),
                         ran.stdout.split("\n\n", 1)[1].rsplit("\nrun folder:", 1)[0].strip())

    def test_repetitions_and_interleaving_pass_through(self):
        flags = [QUICK, "--benchmark_filter=pair/size:(16|64)$", "--benchmark_repetitions=3",
                 "--benchmark_enable_random_interleaving=true"]
        results, ran = self.measure("null", flags=flags)
        entries = results["null"]["benchmarks"]
        self.assertEqual(sum(entry["run_type"] == "iteration" for entry in entries), 6)
        variation = [entry for entry in entries if entry.get("aggregate_name") == "cv"]
        self.assertEqual([entry["rss_bytes"] for entry in variation], [None, None], "no NaN, which is no JSON")
        self.assertEqual(len(re.findall("(?m)^pair/size:", ran.stdout)), 2)


class Refused(Scratch):
    def refuse(self, *flags):
        ran = tidemark("micro", "-a", "null", "-o", self.folder(), "--", *flags)
        self.assertEqual((ran.returncode, ran.stdout), (2, ""), ran.stderr)
        self.assertFalse(os.path.exists(self.folder()))
        return ran.stderr

    def test_a_filter_that_selects_nothing_is_a_usage_error(self):
        for pattern in ("nosuch", "(", "[", "*", "\x1b[2J\n", "(" * 5000, "a{99999}", "pair/64$"):
            with self.subTest(pattern=pattern[:20]):
                self.assertIn("no benchmark's name matches the filter", self.refuse("--benchmark_filter=" + pattern))

    def test_a_filter_that_takes_for_ever_is_given_up(self):
        self.assertIn("more than 10 s to match", self.refuse("--benchmark_filter=(.*)*(.*)*(.*)*(.*)*x$"))

    def test_a_filter_that_is_too_long_is_refused(self):
        self.assertIn("too long", self.refuse("--benchmark_filter=" + "a" * 20000))

    def test_the_list_of_the_program_stands_alone(self):
        micro = os.path.join(os.path.dirname(TIDEMARK), "tidemark-micro")
        ran = subprocess.run([micro, "--list", "--object", "null"], capture_output=True, text=True, check=False)
        self.assertEqual((ran.returncode, ran.stdout), (2, ""))
        self.assertIn("--list stands alone", ran.stderr)


if __name__ == "__main__":
    unittest.main()
