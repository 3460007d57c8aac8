"""The command line from outside: help, errors, JSON, the run folder, interruption."""
import csv
import gzip
import json
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, SMALL, TIDEMARK, Scratch, read_samples, show, tidemark  # noqa: E402

MICRO = os.path.join(os.path.dirname(TIDEMARK), "tidemark-micro")


class Help(unittest.TestCase):
    def test_every_subcommand_has_help_with_an_example(self):
        for command in ("list", "run", "show", "stats", "plot", "micro", "doctor", "overhead", "snapshot"):
            with self.subTest(command=command):
                helped = tidemark(command, "--help")
                self.assertEqual(helped.returncode, 0)
                self.assertIn("Example:", helped.stdout)
                self.assertIn("tidemark %s" % command, helped.stdout)

    def test_no_command_is_a_usage_error(self):
        self.assertEqual(tidemark().returncode, 2)

    def test_version_is_printed(self):
        self.assertRegex(tidemark("--version").stdout, r"^tidemark \d+\.\d+\.\d+( \(git [^()\s]+\))?\n$")

    def test_help_names_a_subcommand(self):
        self.assertEqual(tidemark("help", "run").stdout, tidemark("run", "--help").stdout)

    def test_a_full_stdout_is_no_success(self):
        for command in (["list", "allocators"], ["--help"], ["run", "--dry-run"], ["--complete", ""]):
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                failed = subprocess.run([TIDEMARK, *command], stdout=full, stderr=subprocess.PIPE, text=True, check=False)
                self.assertEqual(failed.returncode, 1)
                self.assertIn("cannot write to stdout", failed.stderr)


class Lists(unittest.TestCase):
    def test_allocators_hold_the_promised_rows(self):
        listed = {entry["name"]: entry for entry in json.loads(tidemark("list", "allocators", "--json").stdout)}
        self.assertEqual(set(listed), {"glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "boehm", "boehm-collected",
                                       "glib-slice", "cpython", "bump", "frees", "obstack", "apr", "talloc",
                                       "mimalloc-heap", "jemalloc-arena", "pmr-monotonic", "pmr-pool", "null", "pymalloc",
                                       "pymalloc-2.7", "pymalloc-3.8", "pymalloc-3.9", "pymalloc-3.11", "pymalloc-locked"})
        self.assertEqual(listed["jemalloc"]["package"], "libjemalloc2")
        self.assertIn("tcache_count", [tunable["name"] for tunable in listed["glibc"]["tunables"]])

    def test_workloads_hold_their_parameters_and_bounds(self):
        listed = {entry["name"]: entry for entry in json.loads(tidemark("list", "workloads", "--json").stdout)}
        ways = [p for p in listed["del_collect"]["parameters"] if p["name"] == "way"][0]
        self.assertEqual(ways["choices"], ["pass", "del", "del_collect", "collect_without_del"])
        hows = [p for p in listed["list_lifetime"]["parameters"] if p["name"] == "how"][0]
        self.assertEqual(hows["choices"], ["local", "global", "returned", "del_collect", "cycle", "cycle_collect"])

    def test_an_unknown_workload_is_told_every_known_one(self):
        refused = tidemark("run", "-w", "no_such_workload")
        self.assertEqual(refused.returncode, 2)
        for entry in json.loads(tidemark("list", "workloads", "--json").stdout):
            self.assertIn(entry["name"], refused.stderr)

    def test_the_suites(self):
        listed = json.loads(tidemark("list", "suites", "--json").stdout)
        self.assertEqual([entry["name"] for entry in listed],
                         ["quick", "return", "classic", "regions", "threads", "python", "programs", "full", "layers", "pymalloc", "survivors", "fidelity",
                          "fidelity_full"])

    def test_text_and_json_name_the_same(self):
        for what in ("allocators", "workloads", "suites"):
            text = tidemark("list", what).stdout
            for entry in json.loads(tidemark("list", what, "--json").stdout):
                self.assertIn(entry["name"], text)


class Usage(Scratch):
    def assert_refused(self, arguments, *says):
        refused = tidemark(*arguments, cwd=self.scratch)
        self.assertEqual(refused.returncode, 2, refused.stdout + refused.stderr)
        for words in says:
            self.assertIn(words, refused.stderr)
        self.assertEqual(os.listdir(self.scratch), [], "a usage error writes nothing")

    def test_unknown_names_are_refused_with_the_near_and_the_accepted_ones(self):
        self.assert_refused(["runn"], "did you mean run?")
        self.assert_refused(["list", "allocator"], "did you mean allocators?")
        self.assert_refused(["run", "quik"], "did you mean quick?")
        self.assert_refused(["run", "-a", "jemaloc"], "jemaloc", "did you mean jemalloc?")
        self.assert_refused(["run", "-w", "del_colect"], "did you mean del_collect?")
        self.assert_refused(["run", "-w", "list_lifetime:how=lcal"], "did you mean local?")
        self.assert_refused(["run", "-w", "list_lifetime", "--host", "pyton"], "pyton", "accepted: objects, python3")

    def test_bad_numbers_name_the_value_and_the_bounds(self):
        self.assert_refused(["run", "--rounds", "0"], "'0'", "between 1 and 1000")
        self.assert_refused(["run", "--scale", "0"], "'0'", "0.001 to 1000")
        self.assert_refused(["run", "--scale", "half"], "'half'", "0.25")
        self.assert_refused(["run", "--idle", "5"], "'5'", "0.5s")
        self.assert_refused(["run", "--tick", "1us"], "'1us'", "100us and 1s")
        self.assert_refused(["run", "--memory-limit", "1MB"], "'1MB'", "MiB")
        self.assert_refused(["run", "--timeout", "never"], "'never'")
        self.assert_refused(["run", "--warm-up", "1GB"], "'1GB'", "0, 512MiB or 4GiB")
        self.assert_refused(["run", "-w", "del_collect:n=1T"], "'1T'")

    def test_an_unknown_pass_is_refused_with_those_that_there_are(self):
        accepted = "(accepted: all, none, census, latency, ledger, pages)"
        for passes in ("xray", "census,xray"):
            for where in ([], ["-w", "bulk:n=1k", "-a", "glibc"]):
                self.assert_refused(["run", "--passes", passes, *where, "-o", "run"], "'xray'", accepted)

    def test_conflicting_words_are_refused(self):
        self.assert_refused(["run", "quick", "-w", "del_collect"], "not both")
        self.assert_refused(["run", "quick", "full"], "one suite")
        self.assert_refused(["run", "quick", "--host", "python3"], "--host goes with -w")

    def test_what_is_given_twice_is_refused(self):
        self.assert_refused(["run", "-a", "glibc", "-a", "glibc", "-w", "del_collect"], "given twice")
        self.assert_refused(["run", "-a", "glibc", "-w", "del_collect:n=1k|1k"], "given twice")
        self.assert_refused(["run", "-w", "list_lifetime", "--host", "python3", "--host", "python3"], "given twice")

    def test_an_unknown_option_is_refused(self):
        self.assert_refused(["run", "--frobnicate"], "frobnicate")


class Runs(Scratch):
    def test_dry_run_prints_the_plan_and_writes_nothing(self):
        planned = tidemark("run", "--dry-run", "-o", self.folder())
        self.assertEqual(planned.returncode, 0)
        self.assertIn("31 cells + 2 control cells, 144 samples", planned.stdout)
        self.assertFalse(os.path.exists(self.folder()))

    def test_a_run_leaves_plan_machine_samples_and_curves(self):
        ran = tidemark("run", *SMALL, "-a", "glibc", "-a", "pymalloc", "--rounds", "2", "-o", self.folder())
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("[4/4]", ran.stderr)
        self.assertIn(self.folder(), ran.stdout)
        samples = read_samples(self.folder())
        self.assertEqual([sample["sample"] for sample in samples], [0, 1, 2, 3])
        self.assertEqual({sample["status"] for sample in samples}, {"ok"})
        with gzip.open(self.folder() + "/curves/000000.csv.gz", "rt") as file:
            ticks = list(csv.DictReader(file))
        self.assertEqual(len(ticks), samples[0]["ticks"])
        self.assertLessEqual(int(ticks[-1]["t_ns"]), samples[0]["phases"][-1]["end_ns"] + samples[0]["phases"][-1]["park_ns"])
        self.assertGreater(len(ticks), 10)
        with open(self.folder() + "/machine.json", encoding="utf-8") as file:
            machine = json.load(file)
        self.assertFalse(machine["interrupted"])
        self.assertEqual(machine["libraries"]["glibc"].split()[0], "glibc")

    def test_show_json_has_one_complete_object_per_cell(self):
        tidemark("run", *SMALL, "-a", "glibc", "-a", "bump", "--rounds", "6", "-o", self.folder())
        glibc, bump = show(self.folder())
        for key in ("workload", "params", "allocator", "host", "version", "providers", "status", "reason", "samples",
                    "phases", "idle_ns"):
            self.assertIn(key, glibc)
        for key in ("wall_ns", "cpu_ns", "peak_bytes", "retained_bytes", "baseline_bytes", "live_peak_bytes",
                    "since_last_free_ns", "minor_faults"):
            self.assertEqual(set(glibc[key]), {"median", "low", "high"})
            self.assertLessEqual(glibc[key]["low"], glibc[key]["median"])
            self.assertLessEqual(glibc[key]["median"], glibc[key]["high"])
        self.assertEqual([phase["name"] for phase in glibc["phases"]], ["build", "del", "collect", "idle"])
        for key in ("wall_ns", "rss_bytes", "uss_bytes", "lazyfree_bytes", "object_bytes", "live_bytes"):
            self.assertIn(key, glibc["phases"][0])
        self.assertTrue(glibc["providers"]["raw"].endswith("libc.so.6"))
        self.assertEqual((bump["status"], bump["samples"]), ("n/a", 0))
        self.assertIn("bump has no malloc", bump["reason"])

    def test_every_row_is_served_by_its_own_file(self):
        rows = {"glibc": "libc.so.6", "jemalloc": "libjemalloc.so.2", "mimalloc": "libmimalloc.so.2",
                "tcmalloc": "libtcmalloc_minimal.so.4", "pymalloc": "libc.so.6", "pymalloc@jemalloc": "libjemalloc.so.2"}
        arguments = [word for row in rows for word in ("-a", row)]
        tidemark("run", *SMALL, *arguments, "--rounds", "1", "-o", self.folder())
        for cell in show(self.folder()):
            raw = os.path.basename(cell["providers"]["raw"])
            self.assertTrue(raw.startswith(rows[cell["allocator"]]), cell)
            if cell["allocator"].startswith("pymalloc"):
                self.assertEqual(cell["providers"]["object"], "tidemark-child")
            else:
                self.assertEqual(cell["providers"]["object"], cell["providers"]["raw"])

    def test_a_real_cpython_is_served_by_the_row_that_was_asked_for(self):
        tidemark("run", *SMALL, "--host", "python3", "-a", "pymalloc", "-a", "jemalloc", "-a", "null", "--rounds", "1",
                 "-o", self.folder())
        own, jemalloc, null = show(self.folder())
        self.assertEqual(own["status"], "ok", own["reason"])
        self.assertTrue(own["version"].startswith("CPython 3"))
        self.assertIn("libjemalloc.so.2", jemalloc["providers"]["object"])
        self.assertEqual(null["status"], "n/a")

    def test_a_real_cpython_has_no_pymalloc_with_a_lock(self):
        ran = tidemark("run", *SMALL, "--host", "python3", "-a", "pymalloc", "-a", "pymalloc-locked", "--dry-run")
        self.assertIn("a CPython has no pymalloc-locked", ran.stdout)

    def test_the_same_seed_gives_the_same_operations_on_every_row(self):
        tidemark("run", *SMALL, "-a", "glibc", "-a", "mimalloc", "--rounds", "1", "-o", self.folder())
        samples = read_samples(self.folder())
        self.assertEqual(samples[0]["checksum"], samples[1]["checksum"])
        self.assertEqual(samples[0]["operations"], samples[1]["operations"])
        self.assertGreater(samples[0]["operations"], 0)

    def test_a_tunable_reaches_the_allocator(self):
        """glibc's fastbins keep 48 B chunks; without them the freed top of the heap is trimmed."""
        tidemark("run", *PLAIN, "-w", "list_lifetime:n=200k", "-a", "glibc", "-a", "glibc+mxfast:0+tcache_count:0", "--rounds",
                 "1", "--idle", "0s", "-o", self.folder())
        stock, tuned = show(self.folder())
        self.assertGreater(stock["retained_bytes"]["median"], 8_000_000)
        self.assertLess(tuned["retained_bytes"]["median"], 1_000_000)

    def test_a_sample_above_the_memory_limit_is_a_row_and_status_1(self):
        ran = tidemark("run", *PLAIN, "-w", "list_lifetime:n=2M", "-a", "glibc", "--rounds", "1", "--memory-limit", "32MiB", "-o",
                       self.folder())
        self.assertEqual(ran.returncode, 1)
        (cell,) = show(self.folder())
        self.assertEqual(cell["status"], "oom")
        with open(self.folder() + "/machine.json", encoding="utf-8") as file:
            by = json.load(file)["memory_limit"]["by"]
        self.assertIn({"cgroup": "killed by the kernel in its memory group above the limit of 32 MiB in phase build",
                       "sampler": "killed by the sampler above the memory limit of 32 MiB in phase build"}[by],
                      cell["reason"])

    def test_who_keeps_the_memory_limit_is_recorded(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "2", "-o", self.folder())
        with open(self.folder() + "/machine.json", encoding="utf-8") as file:
            limit = json.load(file)["memory_limit"]
        self.assertEqual(limit["reason"] is None, limit["by"] == "cgroup")
        with open(self.folder() + "/samples.jsonl", encoding="utf-8") as file:
            self.assertEqual([json.loads(line)["limited_by"] for line in file], [limit["by"]] * 2)
        checks = {check["name"]: check for check in json.loads(tidemark("doctor", "--json").stdout)}
        self.assertEqual(checks["memory limit"]["status"], "ok" if limit["by"] == "cgroup" else "warn")
        print("the memory limit was kept by the %s" % limit["by"], file=sys.stderr)

    def test_a_sample_out_of_time_is_a_row_and_status_1(self):
        ran = tidemark("run", *PLAIN, "-w", "list_lifetime:n=100M", "--idle", "0s", "-a", "pymalloc", "--rounds", "1", "--timeout",
                       "1s", "-o", self.folder())
        self.assertEqual(ran.returncode, 1)
        (cell,) = show(self.folder())
        self.assertEqual(cell["status"], "timeout")
        self.assertIn("time limit of 1 s in phase build", cell["reason"])

    def test_a_cell_that_runs_into_a_limit_twice_is_given_up(self):
        ran = tidemark("run", *PLAIN, "-w", "list_lifetime:n=2M", "-a", "glibc", "--rounds", "5", "--memory-limit", "32MiB", "-o",
                       self.folder())
        self.assertEqual(ran.returncode, 1)
        self.assertIn("run into a limit twice", ran.stderr)
        with open(self.folder() + "/samples.jsonl", encoding="utf-8") as file:
            self.assertEqual(len(file.readlines()), 2)

    def test_idle_time_does_not_count_against_the_time_limit(self):
        ran = tidemark("run", *PLAIN, "-w", "list_lifetime:n=1k", "--idle", "1.5s", "-a", "glibc", "--rounds", "1", "--timeout",
                       "1s", "-o", self.folder())
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_a_folder_that_holds_something_is_left_alone(self):
        os.mkdir(self.folder())
        with open(self.folder() + "/thesis.txt", "w", encoding="utf-8"):
            pass
        refused = tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        self.assertEqual(refused.returncode, 2)
        self.assertIn("not empty", refused.stderr)
        self.assertEqual(os.listdir(self.folder()), ["thesis.txt"])

    def test_inherited_allocator_variables_are_named_and_not_passed_on(self):
        ran = tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder(),
                       env={**os.environ, "MALLOC_ARENA_MAX": "1"})
        self.assertIn("not passed on to the allocators: MALLOC_ARENA_MAX=1", ran.stderr)
        with open(self.folder() + "/machine.json", encoding="utf-8") as file:
            self.assertIn("MALLOC_ARENA_MAX=1", json.load(file)["dropped_environment"])


class Noise(Scratch):
    """The canary before each sample, the memory before the first one, and the A/A controls."""

    def samples(self):
        return read_samples(self.folder())

    def machine(self):
        with open(self.folder("run/machine.json"), encoding="utf-8") as file:
            return json.load(file)

    def test_each_sample_has_its_canary_and_the_first_five_are_never_dirty(self):
        tidemark("run", *SMALL, "-a", "glibc", "-a", "pymalloc", "--rounds", "3", "-o", self.folder())
        samples = self.samples()
        self.assertEqual(len(samples), 6)
        for sample in samples:
            self.assertEqual(set(sample["canary"]), {"loop_ns", "latency_ns", "fault_ns"})
            for piece in sample["canary"].values():
                self.assertGreater(piece, 0)
            self.assertEqual(sample["repeat"], 0)
            self.assertIsInstance(sample["dirty"], bool)
        self.assertEqual([sample["dirty"] for sample in samples[:5]], [False] * 5)

    def test_memory_is_warmed_as_much_as_is_asked_and_both_passes_recorded(self):
        ran = tidemark("run", "-w", "list_lifetime:n=20k", "--idle", "20ms", "-a", "glibc", "--rounds", "1", "--warm-up",
                       "8MiB", "-o", self.folder())
        self.assertIn("warming 8.4 MB of memory", ran.stderr)
        warm_up = self.machine()["warm_up"]
        self.assertEqual(warm_up["bytes"], 8 << 20)
        self.assertGreater(warm_up["first_ns_per_page"], 0)
        self.assertGreater(warm_up["again_ns_per_page"], 0)

    def test_the_memory_limit_bounds_the_warm_up(self):
        tidemark("run", "-w", "list_lifetime:n=20k", "--idle", "20ms", "-a", "glibc", "--rounds", "1", "--memory-limit",
                 "16MiB", "-o", self.folder())
        self.assertEqual(self.machine()["warm_up"]["bytes"], 16 << 20)

    def test_without_a_warm_up_it_is_null(self):
        ran = tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        self.assertNotIn("warming", ran.stderr)
        self.assertIsNone(self.machine()["warm_up"])

    def test_six_rounds_of_two_rows_have_a_control_that_is_no_row(self):
        ran = tidemark("run", *SMALL, "-a", "glibc", "-a", "pymalloc", "--rounds", "6", "-o", self.folder())
        self.assertEqual(len(self.samples()), 18)
        glibc, pymalloc, control = show(self.folder())
        self.assertEqual((glibc["control"], pymalloc["control"], control["control"]), (False, False, True))
        self.assertEqual((control["allocator"], control["samples"], control["noise_floor"]["pairs"]), ("glibc", 6, 6))
        time = control["noise_floor"]["wall_ns"]
        self.assertLessEqual(time["low"], time["median"])
        self.assertLessEqual(time["median"], time["high"])
        self.assertIsNone(glibc["noise_floor"])
        self.assertRegex(ran.stdout, r"A/A: glibc against itself in list_lifetime \(host objects, 6 pairs\): "
                                     r"time x\d\.\d{3} \[\d\.\d{3}, \d+\.\d{3}\], peak x")
        self.assertEqual(len([line for line in ran.stdout.splitlines() if line.startswith("  glibc ")]), 1)

    def test_there_is_no_control_without_an_interval_or_when_none_is_wanted(self):
        for words in (["--rounds", "5"], ["--rounds", "6", "--no-control"]):
            with self.subTest(words=words):
                planned = tidemark("run", *SMALL, "-a", "glibc", "-a", "pymalloc", "--dry-run", *words)
                self.assertNotIn("control", planned.stdout)
                self.assertIn("2 cells, ", planned.stdout)

    def test_what_was_asked_for_is_kept_in_the_plan(self):
        for words, kept in ((["--no-repeats", "--warm-up", "0"], (False, 0)), (["--warm-up", "8MiB"], (True, 8 << 20))):
            with self.subTest(words=words):
                run = self.folder(words[-1])
                tidemark("run", "-w", "list_lifetime:n=20k", "--idle", "20ms", "-a", "glibc", "--rounds", "1", *words, "-o", run)
                with open(run + "/plan.json", encoding="utf-8") as file:
                    plan = json.load(file)
                self.assertEqual((plan["repeat_dirty"], plan["warm_up_bytes"]), kept)

    def test_one_factor_scales_suites_and_workloads_alike(self):
        planned = tidemark("run", "quick", "--scale", "0.1", "--dry-run")
        self.assertEqual(planned.returncode, 0, planned.stderr)
        self.assertIn("del_collect:n=500000,", planned.stdout)
        self.assertIn("seed 1, scale 0.1", planned.stdout)
        words = ("run", "-w", "list_lifetime:n=100k", "-w", "cfrac:n=3,digits=8", "--scale", "0.1", "--idle", "20ms", "-a",
                 "glibc", "--rounds", "1", "--warm-up", "0", "-o", self.folder())
        ran = tidemark(*words)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("--scale 0.1: cfrac: n is 1, the least that it takes", ran.stderr)
        with open(self.folder() + "/plan.json", encoding="utf-8") as file:
            plan = json.load(file)
        self.assertEqual((plan["scale"], plan["scale_notes"]), (0.1, ["cfrac: n is 1, the least that it takes"]))
        self.assertEqual([cell["params"]["n"] for cell in plan["cells"]], ["10000", "1"])
        again = tidemark("run", "--resume", self.folder())
        self.assertEqual(again.returncode, 0, again.stderr)

    def test_an_interrupted_warm_up_is_an_interrupted_run(self):
        with subprocess.Popen([TIDEMARK, "run", *SMALL[:2], "-a", "glibc", "--warm-up", "64GiB", "-o", self.folder()],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            for line in process.stderr:
                if line.startswith("warming"):
                    break
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(self.samples(), [])
        self.assertTrue(self.machine()["interrupted"])
        self.assertIsNone(self.machine()["warm_up"], "it did not come to its end")


class Shows(Scratch):
    def test_what_is_no_run_is_refused(self):
        shown = tidemark("show", self.scratch)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("is no run", shown.stderr)

    def test_a_broken_line_is_named_with_file_and_line(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "2", "-o", self.folder())
        with open(self.folder() + "/samples.jsonl", "a", encoding="utf-8") as file:
            file.write("{broken\n")
        shown = tidemark("show", self.folder())
        self.assertEqual(shown.returncode, 1)
        self.assertIn("samples.jsonl:3", shown.stderr)

    def test_a_run_of_another_format_is_refused(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder())
        with open(self.folder() + "/plan.json", encoding="utf-8") as file:
            plan = json.load(file)
        with open(self.folder() + "/plan.json", "w", encoding="utf-8") as file:
            json.dump({**plan, "format": 2}, file)
        shown = tidemark("show", self.folder())
        self.assertEqual(shown.returncode, 1)
        self.assertIn("its format is not 1", shown.stderr)

    def test_phases_are_what_the_summary_has_above_the_baseline(self):
        tidemark("run", "-w", "bulk:n=100k,size=64", "-a", "glibc,pymalloc-3.11", "--rounds", "1", "-o", self.folder())
        shown = tidemark("show", self.folder(), "--phases")
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        lines = [line.split() for line in shown.stdout.splitlines()]
        for cell in json.loads(tidemark("show", self.folder(), "--json").stdout):
            if cell["control"]:
                continue
            self.assertIn(["row", *(phase["name"] for phase in cell["phases"])], lines)
            (line,) = (line for line in lines if line[:1] == [cell["allocator"]])
            above = [max(phase["rss_bytes"] - cell["baseline_bytes"]["median"], 0) / 1e6 for phase in cell["phases"]]
            self.assertEqual(line[1::4], ["%.1f" % megabytes for megabytes in above])
            self.assertEqual(line[2::4], ["MB"] * len(above))

    def test_threads_that_work_at_once_are_not_pinned(self):
        tidemark("run", "-w", "threadtest:n=100,rounds=2", "-w", "bulk:n=1k", "-a", "glibc", "--rounds", "1", "-o",
                 self.folder())
        with open(self.folder() + "/plan.json", encoding="utf-8") as file:
            names = [cell["workload"] for cell in json.load(file)["cells"]]
        with open(self.folder() + "/samples.jsonl", encoding="utf-8") as file:
            pinned = {names[sample["cell"]]: sample["cpu"] is not None for sample in map(json.loads, file)}
        self.assertEqual(pinned, {"threadtest": False, "bulk": os.cpu_count() > 1})

    def test_a_choice_may_need_more_of_a_row(self):
        tidemark("run", "-w", "documents:n=1k,most=100,how=blocks|region", "-a", "glibc,bump", "--rounds", "1", "-o",
                 self.folder())
        shown = {(cell["params"]["how"], cell["allocator"]): cell["reason"]
                 for cell in json.loads(tidemark("show", self.folder(), "--json").stdout) if not cell["control"]}
        self.assertIsNone(shown["blocks", "glibc"])
        self.assertIsNone(shown["region", "bump"])
        self.assertIn("has no regions, which documents needs", shown["region", "glibc"])
        self.assertIn("has no malloc, free, which documents needs", shown["blocks", "bump"])

    def test_json_and_phases_exclude_each_other(self):
        shown = tidemark("show", "--json", "--phases", self.scratch)
        self.assertEqual(shown.returncode, 2)
        self.assertIn("--json has the phases", shown.stderr)

    def test_a_half_written_last_line_is_left_out(self):
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "2", "-o", self.folder())
        with open(self.folder() + "/samples.jsonl", "a", encoding="utf-8") as file:
            file.write('{"sample": 2, "cell"')
        (cell,) = show(self.folder())
        self.assertEqual(cell["samples"], 2)


class Plots(Scratch):
    def test_a_run_becomes_a_report_with_figures(self):
        tidemark("run", *SMALL, "-a", "glibc", "-a", "pymalloc", "--rounds", "1", "-o", self.folder())
        plotted = tidemark("plot", self.folder())
        self.assertEqual(plotted.returncode, 0, plotted.stderr)
        self.assertTrue(os.path.getsize(self.folder() + "/report.html") > 1000)
        figures = os.listdir(self.folder() + "/figures")
        self.assertTrue([name for name in figures if name.endswith(".png")])
        self.assertTrue([name for name in figures if name.endswith(".svg")])

    def test_a_part_of_it_that_there_is_none_of_is_refused_with_those_that_there_are(self):
        refused = tidemark("plot", "--only=pictures", "results/reference")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("'pictures' is neither report nor figures", refused.stderr)


class Setup(Scratch):
    def test_without_apt_the_packages_are_listed_and_the_status_is_2(self):
        for tool in ("bash", "env", "dirname", "readlink", "sed", "awk", "cat"):
            os.symlink(shutil.which(tool), os.path.join(self.scratch, tool))
        to_measure, to_test = self.packages("harness/packages.txt"), self.packages("tests/packages.txt")
        for script, packages in (("./bench", to_measure), ("./test", to_measure + to_test)):
            with self.subTest(script=script):
                refused = subprocess.run([script], env={"PATH": self.scratch}, capture_output=True, text=True, check=False)
                self.assertEqual(refused.returncode, 2)
                self.assertEqual([line[2:] for line in refused.stderr.splitlines() if line.startswith("  ")], packages)

    def packages(self, path):
        with open(path, encoding="utf-8") as file:
            return [line.split()[0] for line in file if line.strip() and not line.startswith("#")]


class Overhead(unittest.TestCase):
    # What takes longer and what it is a part of, as (longer, part). Each is one reading, some milliseconds apart.
    LONGER = (("snapshot_pair", "pair"), ("snapshot_pair_preload", "pair"), ("syscall_watched", "syscall"),
              ("latency_call", "latency_clock"), ("latency_empty", "latency_clock"))

    def measure(self):
        measured = tidemark("overhead", "--rounds", "1", "--size", "16MiB", "--json")
        self.assertEqual(measured.returncode, 0, measured.stderr)
        return {figure["name"]: figure for figure in json.loads(measured.stdout)}

    def test_each_figure_of_the_harness_is_measured(self):
        figures = self.measure()
        self.assertEqual(set(figures), {"loop", "pair_direct", "pair", "dispatch", "sampling", "parent_cpu",
                                        "phase_boundary", "phase_boundary_small", "parent_memory",
                                        "snapshot_pair", "snapshot_pair_preload", "snapshot_objects",
                                        "snapshot_objects_preload", "snapshot_mallocs", "snapshot_mallocs_preload",
                                        "syscall", "syscall_watched", "syscall_told",
                                        "latency_call", "latency_empty", "latency_clock"})
        for name in set(figures) - {"dispatch", "sampling"}:
            self.assertGreater(figures[name]["median"], 0, name)
            self.assertIsNone(figures[name]["low"], "one round has no interval")
        self.assertAlmostEqual(figures["dispatch"]["median"], figures["pair"]["median"] - figures["pair_direct"]["median"],
                               places=4)
        self.assertEqual([name for name, figure in figures.items() if figure["aim"] is not None],
                         ["dispatch", "sampling", "snapshot_objects", "snapshot_objects_preload"])
        for name in ("latency_call", "latency_empty"):
            self.assertLess(figures[name]["median"], 1e5)
        # The machine may have stood still in one reading of a pair: not in the same pair of three rounds.
        swapped = set(self.LONGER)
        for again in (lambda: figures, self.measure, self.measure):
            found = again() if swapped else {}
            swapped = {(longer, part) for longer, part in swapped if not found[longer]["median"] > found[part]["median"]}
        self.assertEqual(swapped, set())

    @unittest.skipUnless(platform.machine() == "x86_64", "reads x86-64 code")
    def test_the_three_kinds_of_a_pair_call_as_they_say(self):
        calls = {name: self.calls_of("run_" + name) for name in ("loop", "direct", "pair")}
        inside = lambda name, what: [call for call in calls[name] if what in call]
        self.assertEqual([call for name in ("loop", "direct") for call in calls[name] if "*" in call], [])
        self.assertEqual((inside("loop", "<null_"), inside("pair", "<null_")), ([], []))
        self.assertEqual(sorted(inside("direct", "<null_")), ["<null_free>", "<null_malloc>"])
        self.assertGreaterEqual(len(inside("pair", "*")), 3, "the live neighbour's malloc, and the pair")

    @staticmethod
    def calls_of(function):
        """What each call instruction of a function of tidemark-micro calls, as objdump shows it."""
        shown = subprocess.run(["objdump", "-d", "--no-show-raw-insn", "--disassemble=" + function, MICRO],
                               capture_output=True, text=True, check=True)
        return re.findall(r"\tcallq?\s+(?:[0-9a-f]+ )?(\S+)", shown.stdout)

    def test_a_pair_is_taken_apart_on_null_only(self):
        listed = subprocess.run([MICRO, "--object", "null", "--dispatch", "--benchmark_list_tests"], capture_output=True,
                                text=True, check=False)
        self.assertEqual((listed.returncode, listed.stdout.split()), (0, ["loop/size:64", "direct/size:64", "pair/size:64"]))
        refused = subprocess.run([MICRO, "--object", "glibc", "--dispatch"], capture_output=True, text=True, check=False)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("--dispatch goes with --object null, unlike glibc", refused.stderr)

    def test_bad_options_are_usage_errors(self):
        for arguments in (["--rounds", "0"], ["--size", "1KiB"], ["--size", "1GB"], ["extra"]):
            with self.subTest(arguments=arguments):
                self.assertEqual(tidemark("overhead", *arguments).returncode, 2)


class Micro(Scratch):
    FAST = ("--", "--benchmark_filter=pair/size:64$", "--benchmark_min_time=0.01")

    def test_each_row_leaves_google_benchmark_s_json(self):
        ran = tidemark("micro", "-a", "null", "-a", "pymalloc@jemalloc", "-o", self.folder(), *self.FAST)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("pair/size:64", ran.stdout)
        with open(self.folder() + "/micro/pymalloc@jemalloc.json", encoding="utf-8") as file:
            result = json.load(file)
        self.assertEqual(result["benchmarks"][0]["name"], "pair/size:64")
        self.assertEqual(result["context"]["tidemark_row"], "pymalloc@jemalloc")
        self.assertIn("libjemalloc.so.2", result["context"]["tidemark_raw_provider"])
        self.assertNotIn("host_name", result["context"])

    def test_show_prints_the_table_again(self):
        ran = tidemark("micro", "-a", "null,glibc", "-o", self.folder(), *self.FAST)
        shown = tidemark("show", self.folder())
        self.assertEqual((shown.returncode, shown.stderr), (0, ""))
        table = [line.split() for line in shown.stdout.splitlines() if line]
        self.assertEqual(table[0][-2:], ["null", "glibc"], "in the order in which they were measured")
        self.assertEqual(table, [line.split() for line in ran.stdout.splitlines() if line][:-1])

    def test_show_goes_by_the_names_of_files_that_tell_no_order(self):
        tidemark("micro", "-a", "null,glibc", "-o", self.folder(), *self.FAST)
        for row in ("null", "glibc"):
            path = self.folder() + "/micro/" + row + ".json"
            with open(path, encoding="utf-8") as file:
                result = json.load(file)
            del result["context"]["tidemark_measured_ns"]
            with open(path, "w", encoding="utf-8") as file:
                json.dump(result, file)
        self.assertEqual(tidemark("show", self.folder()).stdout.split("\n")[1].split()[-2:], ["glibc", "null"])

    def test_show_names_a_result_that_is_none(self):
        tidemark("micro", "-a", "null", "-o", self.folder(), *self.FAST)
        with open(self.folder() + "/micro/broken.json", "w", encoding="utf-8") as file:
            file.write("{")
        shown = tidemark("show", self.folder())
        self.assertEqual(shown.returncode, 1)
        self.assertIn("micro/broken.json:1: ", shown.stderr)

    def test_show_lets_no_control_character_of_a_row_through(self):
        tidemark("micro", "-a", "null", "-o", self.folder(), *self.FAST)
        path = self.folder() + "/micro/null.json"
        with open(path, encoding="utf-8") as file:
            result = json.load(file)
        result["context"]["tidemark_row"] = "a\x1b[2Jb"
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result, file)
        shown = tidemark("show", self.folder())
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertNotIn("\x1b", shown.stdout)
        self.assertIn("[2Jb", shown.stdout)

    def test_an_unknown_google_benchmark_flag_is_a_usage_error(self):
        ran = tidemark("micro", "-a", "null", "-o", self.folder(), "--", "--benchmark_nonsense")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("benchmark_nonsense", ran.stderr)
        self.assertFalse(os.path.exists(self.folder()))

    def test_a_filter_that_leaves_nothing_of_the_rows_is_a_failure(self):
        ran = tidemark("micro", "-a", "null", "-o", self.folder(), "--", "--benchmark_filter=^calloc/")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("no row has a result", ran.stderr)

    def test_help_of_google_benchmark_is_printed_and_nothing_written(self):
        ran = tidemark("micro", "-o", self.folder(), "--", "--help")
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("--benchmark_filter", ran.stdout)
        self.assertFalse(os.path.exists(self.folder()))

    def test_a_terminated_micro_leaves_no_process_and_no_half_file(self):
        with subprocess.Popen([TIDEMARK, "micro", "-a", "null", "-o", self.folder(), "--", "--benchmark_min_time=30"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            child = ""
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not os.path.exists(self.folder() + "/micro/.null.json.new"):
                time.sleep(0.05)
                with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="utf-8") as file:
                    child = file.read().strip()
            process.terminate()
            process.wait(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertTrue(child)
        self.assertFalse(os.path.exists("/proc/" + child))
        self.assertEqual(os.listdir(self.folder() + "/micro"), [])

    def test_nothing_measured_is_overwritten(self):
        tidemark("micro", "-a", "null", "-o", self.folder(), *self.FAST)
        again = tidemark("micro", "-a", "null", "-o", self.folder(), *self.FAST)
        self.assertEqual(again.returncode, 1)
        self.assertIn("is there already", again.stderr)


class Doctor(unittest.TestCase):
    CHECKS = ("clock", "statm", "rollup", "real-time priority", "cores", "transparent huge pages", "overcommit", "cgroup",
              "memory limit", "memory", "page reporting", "installation", "library cpython", "library jemalloc",
              "library mimalloc", "library tcmalloc", "library tbb", "library boehm",
              "library glib-slice", "library apr", "library talloc", "library pmr-monotonic",
              "plot interpreter", "real CPython", "steady integer loop", "steady memory latency", "steady first touch")

    def test_each_check_has_one_known_status_and_advice_unless_ok(self):
        asked = tidemark("doctor", "--json", timeout=30)
        checks = json.loads(asked.stdout)
        self.assertEqual(sorted(check["name"] for check in checks), sorted(self.CHECKS))
        for check in checks:
            with self.subTest(check=check["name"]):
                self.assertEqual(set(check), {"name", "status", "finding", "advice"})
                self.assertIn(check["status"], ("ok", "warn", "fail", "n/a"))
                self.assertTrue(check["finding"])
                self.assertEqual(check["advice"] == "", check["status"] == "ok")
        self.assertEqual(asked.returncode, int(any(check["status"] == "fail" for check in checks)), asked.stderr)

    def test_a_library_that_opens_is_named_with_version_and_file(self):
        checks = {check["name"]: check for check in json.loads(tidemark("doctor", "--json").stdout)}
        self.assertRegex(checks["library jemalloc"]["finding"],
                         r"^jemalloc \d+\.\d+\.\d+ from /.*libjemalloc\.so\.2; it would not open without GLIBC_TUNABLES=")

    def test_text_has_a_line_for_each_check_without_colour(self):
        asked = tidemark("doctor")
        for name in self.CHECKS:
            self.assertRegex(asked.stdout, r"(?m)^(ok|warn|fail|n/a) +%s  " % name)
        self.assertNotIn("\x1b", asked.stdout)

    def test_what_it_does_not_know_is_a_usage_error(self):
        for arguments in (["--jsn"], ["clock"]):
            self.assertEqual(tidemark("doctor", *arguments).returncode, 2)

    def test_help_of_the_whole_names_it(self):
        self.assertIn("  doctor ", tidemark("--help").stdout)


if __name__ == "__main__":
    unittest.main(verbosity=2)
