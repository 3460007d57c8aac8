"""
`tidemark fidelity` from outside: the recorded figures against the formulas of CPython's layout, the suites against what is
recorded, and the verdicts on the run of the repository, as it is and with wrong figures planted in it.
"""
import json
import math
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, read_samples, tidemark  # noqa: E402

RUN = "results/fidelity"
RECORDED = "harness/recorded.json"
N = 10_000_000
SMALL_INTS = 257
LIST = N * 8 / 1024
BLOCKS_2_7 = math.ceil((N - SMALL_INTS) / 41) * 1008 / 1024
POOLS_3_8 = math.ceil((N - SMALL_INTS) / 126) * 4
POOLS_3_11 = math.ceil((N - SMALL_INTS) / 510) * 16


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_json(path, value):
    with open(path, "w", encoding="utf-8") as file:
        json.dump(value, file)


def experiments_of(recorded):
    return {experiment["name"]: experiment for experiment in recorded["experiments"]}


def phase_of(experiment, name):
    return next(phase for phase in experiment["phases"] if phase["phase"] == name)


def planned(*arguments):
    """The cells of a dry run, as (workload with its parameters, row, host)."""
    ran = tidemark("run", "--dry-run", "--no-control", *arguments)
    if ran.returncode != 0:
        raise AssertionError(ran.stderr)
    return [tuple(match) for match in re.findall(r"^(\S+)  row (\S+)  host (\S+) ", ran.stdout, re.MULTILINE)]


class Recorded(unittest.TestCase):
    """The file itself."""

    @classmethod
    def setUpClass(cls):
        cls.recorded = read_json(RECORDED)
        cls.experiments = experiments_of(cls.recorded)

    def growth(self, name, phase):
        experiment = self.experiments[name]
        return phase_of(experiment, phase)["recorded_kb"] - experiment["recorded"]["start_kb"]

    def assert_near(self, name, phase, predicted, percent):
        self.assertLessEqual(abs(self.growth(name, phase) - predicted), predicted * percent / 100, name)

    def test_what_was_measured_is_what_the_layout_of_objects_predicts(self):
        self.assert_near("2.7/loop/del_collect", "idle", BLOCKS_2_7, 0.15)
        self.assert_near("2.7/list/del_collect", "build", BLOCKS_2_7 + LIST, 0.15)
        self.assert_near("3.8/list/local", "build", POOLS_3_8 + LIST, 0.15)
        self.assert_near("3.11/list/local", "build", POOLS_3_11 + LIST, 0.15)
        self.assert_near("3.13/list/local", "build", POOLS_3_11 + LIST, 0.15)
        self.assert_near("3.8/survivors/k=32130", "collect", 312 * 256, 0.15)
        self.assertLess(self.growth("2.7/loop/del_collect/tcache_off", "idle"), 256 + 512)
        self.assertLess(self.growth("3.8/list/del_collect", "del"), 256 + 512)

    def test_the_tightest_bounds_are_those_of_the_method(self):
        """While objects live 0.15 %, after them an arena and 0.5 MB, on the row that is CPython's own."""
        for name, experiment in self.experiments.items():
            if not re.match(r"(2\.7|3\.8|3\.11|3\.13)/(loop|list|survivors)/", name) or not experiment["recorded"]:
                continue
            if experiment["row"] not in ("pymalloc", "pymalloc@glibc+tcache_count:0"):
                continue
            slack = 512 + (256 if name.startswith(("2.7", "3.8")) else 1024)
            for phase in experiment["phases"]:
                with self.subTest(experiment=name, phase=phase["phase"]):
                    self.assertLessEqual(phase.get("bound_percent", 0), 0.15)
                    self.assertLessEqual(phase.get("bound_kb", 0), slack)
                    self.assertTrue("bound_percent" in phase or "bound_kb" in phase)

    def test_a_figure_without_a_bound_says_why(self):
        for name, experiment in self.experiments.items():
            for phase in experiment["phases"]:
                if "bound_percent" not in phase and "bound_kb" not in phase:
                    self.assertIn("reason", phase, name)

    def test_every_reason_is_used(self):
        used = {phase.get("reason") for experiment in self.experiments.values() for phase in experiment["phases"]}
        self.assertEqual(used - {None}, set(self.recorded["reasons"]))

    def test_the_full_suite_measures_all_that_is_recorded_and_nothing_else(self):
        suite = planned("fidelity_full")
        asked = {}
        for experiment in self.experiments.values():
            asked.setdefault(experiment["row"], []).append(experiment["workload"])
        cells = set()
        for row, workloads in asked.items():
            unique = sorted(set(workloads))
            for at in range(0, len(unique), 60):
                words = [word for workload in unique[at:at + 60] for word in ("-w", workload)]
                cells.update(planned(*words, "-a", row))
        self.assertEqual({cell for cell in suite if cell[2] == "objects"}, cells)
        self.assertLessEqual({(cell[0], cell[1]) for cell in suite}, {(cell[0], cell[1]) for cell in cells})

    def test_the_usual_suite_is_part_of_the_full_one(self):
        self.assertLess(set(planned("fidelity")), set(planned("fidelity_full")))


class Planted(Scratch):
    """Copies of the run, changed in one place."""

    def copy(self):
        folder = tempfile.mkdtemp(dir=self.scratch)
        for name in ("plan.json", "machine.json", "samples.jsonl"):
            shutil.copy(os.path.join(RUN, name), folder)
        return folder

    def report(self, folder, status, *arguments):
        ran = tidemark("fidelity", folder, "--json", *arguments)
        self.assertEqual(ran.returncode, status, ran.stderr)
        return json.loads(ran.stdout)

    def change(self, folder, name, change, host="objects"):
        """Calls change(sample) on the samples of the experiment's cell."""
        experiment = experiments_of(read_json(RECORDED))[name]
        ((workload, row, _),) = planned("-w", experiment["workload"], "-a", experiment["row"])
        plan = read_json(os.path.join(folder, "plan.json"))
        cells = [index for index, cell in enumerate(plan["cells"])
                 if "%s:%s" % (cell["workload"], ",".join("%s=%s" % pair for pair in cell["params"].items())) == workload
                 and cell["allocator"] == row and cell["host"] == host]
        self.assertEqual(len(cells), 1)
        path = os.path.join(folder, "samples.jsonl")
        samples = read_samples(folder)
        with open(path, "w", encoding="utf-8") as file:
            for sample in samples:
                if sample["cell"] != cells[0] or change(sample) is not False:
                    file.write(json.dumps(sample) + "\n")

    def set_growth(self, phase, kb):
        def change(sample):
            found = next(found for found in sample["phases"] if found["name"] == phase)
            found["rss_bytes"] = sample["baseline_bytes"] + kb * 1024
        return change

    def line(self, report, name, phase):
        return phase_of(experiments_of(report)[name], phase)

    def test_the_run_of_the_repository_holds(self):
        report = self.report(RUN, 0)
        self.assertEqual(report["counts"]["compared"], len(read_json(RECORDED)["experiments"]))
        self.assertEqual((report["counts"]["outside"], report["counts"]["missing"]), (0, 0))
        for experiment in report["experiments"]:
            source = experiment["real"]["source"]
            self.assertEqual(source, "measured here" if experiment["name"].startswith("3.11/")
                             and not experiment["name"].endswith("/recorded") else "recorded", experiment["name"])

    def test_a_replay_beyond_its_bound_is_outside_and_one_within_is_not(self):
        # 318,168 kB of the real one, 0.15 % of it is the bound; retained is 240,138 kB.
        for kb, status, verdict in ((240138 + 359, 0, "within"), (240138 + 362, 1, "outside"), (240138 - 362, 1, "outside")):
            with self.subTest(kb=kb):
                folder = self.copy()
                self.change(folder, "2.7/loop/pass", self.set_growth("idle", kb))
                line = self.line(self.report(folder, status), "2.7/loop/pass", "idle")
                self.assertEqual((line["verdict"], line["difference_kb"]), (verdict, kb - 240138))
                shown = tidemark("fidelity", folder)
                self.assertEqual((shown.returncode, "OUTSIDE" in shown.stdout), (status, status == 1))

    def test_after_the_objects_an_arena_and_half_a_megabyte_are_the_bound(self):
        # 3.8/list/del_collect grew by 304 kB.
        for kb, verdict in ((304 + 768, "within"), (304 + 769, "outside")):
            with self.subTest(kb=kb):
                folder = self.copy()
                self.change(folder, "3.8/list/del_collect", self.set_growth("del", kb))
                line = self.line(self.report(folder, int(verdict == "outside")), "3.8/list/del_collect", "del")
                self.assertEqual((line["bound_kb"], line["verdict"]), (768, verdict))

    def test_a_reason_goes_no_further_than_it_says(self):
        # The storage that stayed in the real heap: 8,156 kB, for which the reason goes to 8,400 kB.
        for kb, verdict in ((0, "explained"), (-200, "explained"), (-300, "outside")):
            with self.subTest(kb=kb):
                folder = self.copy()

                def change(sample, kb=kb):
                    base = next(phase for phase in sample["phases"] if phase["name"] == "build")["rss_bytes"]
                    next(phase for phase in sample["phases"] if phase["name"] == "del_copy")["rss_bytes"] = base + kb * 1024
                self.change(folder, "2.7/slice", change)
                line = self.line(self.report(folder, int(verdict == "outside")), "2.7/slice", "del_copy")
                self.assertEqual((line["verdict"], bool(line["reason"])), (verdict, verdict == "explained"))

    def test_a_phase_that_is_missing_is_no_agreement(self):
        folder = self.copy()

        def rename(sample):
            sample["phases"][-1]["name"] = "rest"
        self.change(folder, "3.13/loop/del", rename)
        self.assertEqual(self.line(self.report(folder, 1), "3.13/loop/del", "idle")["verdict"], "missing")
        self.assertIn("no such phase", tidemark("fidelity", folder).stdout)

    def test_a_sample_that_failed_is_told_and_no_success(self):
        for host in ("objects", "python3"):
            with self.subTest(host=host):
                folder = self.copy()

                def crash(sample):
                    sample.update(status="signal", reason="killed by SIGSEGV in phase build\x1b[31m")
                self.change(folder, "3.11/list/del_collect", crash, host)
                experiment = experiments_of(self.report(folder, 1))["3.11/list/del_collect"]
                self.assertEqual((experiment["status"], experiment["phases"]), ("signal", []))
                shown = tidemark("fidelity", folder).stdout
                self.assertIn("not compared, signal: killed by SIGSEGV in phase build?[31m", shown)

    def test_without_a_cpython_here_the_recorded_one_stands_in(self):
        folder = self.copy()
        self.change(folder, "3.11/list/del_collect", lambda sample: False, "python3")
        experiment = experiments_of(self.report(folder, 0))["3.11/list/del_collect"]
        self.assertEqual((experiment["real"]["source"], experiment["real"]["start_kb"]), ("recorded", 9670))
        line = phase_of(experiment, "build")
        self.assertEqual((line["real_kb"], line["recorded_kb"], line["verdict"]), (401826 - 9670, 401826 - 9670, "within"))

    def test_a_cpython_of_another_version_does_not_stand_in(self):
        for version, source in (("CPython 3.12.1", "measured here"), ("CPython 3.1.5", "recorded"),
                                ("CPython 3.110.1", "recorded"), ("3.11.2", "recorded")):
            with self.subTest(version=version):
                folder = self.copy()

                def change(sample, version=version):
                    sample["version"] = version
                self.change(folder, "3.11/list/local", change, "python3")
                self.assertEqual(experiments_of(self.report(folder, 0))["3.11/list/local"]["real"]["source"], source)

    def test_what_is_only_measured_needs_a_cpython(self):
        folder = self.copy()
        self.change(folder, "3.11/zlib/random", lambda sample: False, "python3")
        experiment = experiments_of(self.report(folder, 0))["3.11/zlib/random"]
        self.assertEqual((experiment["status"], experiment["real"]), ("n/a", None))
        self.assertIn("no CPython", experiment["reason"])

    def test_a_run_that_did_not_finish_is_no_success(self):
        folder = self.copy()
        machine = read_json(os.path.join(RUN, "machine.json"))
        machine["finished"] = None
        write_json(os.path.join(folder, "machine.json"), machine)
        ran = tidemark("fidelity", folder)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("did not finish", ran.stderr)

    def test_a_run_of_other_things_has_nothing_to_compare(self):
        report = self.report("results/survivors", 1)
        self.assertEqual((report["counts"]["compared"], report["counts"]["absent"]), (0, len(report["experiments"])))

    def test_the_share_given_back_is_of_the_largest_figure(self):
        share = experiments_of(self.report(RUN, 0))["2.7/loop/pass"]["given_back"]
        self.assertAlmostEqual(share["real"], (318168 - 240138) / 318168, 9)

    def test_published_figures_stand_on_the_start_of_the_real_one(self):
        report = self.report(RUN, 0)
        rest = next(figure for article in report["published"] for figure in article["figures"]
                    if (figure.get("experiment"), figure.get("phase")) == ("2.7/loop/pass", "idle"))
        line = self.line(report, "2.7/loop/pass", "idle")
        self.assertEqual(rest["replay_kb"], 8308 + line["replay_kb"])


class Hostile(Scratch):
    """Recorded figures that are not as results/FORMAT.md says."""

    def assert_refused(self, change, *says):
        recorded = read_json(RECORDED)
        change(recorded)
        path = os.path.join(self.scratch, "recorded.json")
        write_json(path, recorded)
        ran = tidemark("fidelity", RUN, "--recorded", path)
        self.assertEqual((ran.returncode, ran.stdout), (1, ""), ran.stderr)
        for words in (path, *says):
            self.assertIn(words, ran.stderr)

    def test_each_field_is_of_its_kind(self):
        first = "experiments[0]"
        for change, says in (
                (lambda r: r.update(format=2), ("format: wanted 1",)),
                (lambda r: r.pop("experiments"), ("experiments: wanted an array",)),
                (lambda r: r.update(reasons=[]), ("reasons: wanted an object",)),
                (lambda r: r["reasons"].update(x=3), ("reasons.x: wanted a string",)),
                (lambda r: r["experiments"].insert(0, 7), (first + ": wanted an object",)),
                (lambda r: r["experiments"][0].update(name=3), (first + ": name: wanted a string",)),
                (lambda r: r["experiments"][0].update(title="\x1b[2J"), (": title: wanted a string of printable ASCII",)),
                (lambda r: r["experiments"][0].update(measured=True), (first + ": measured: wanted an array",)),
                (lambda r: r["experiments"][0].update(measured=[3]), (first + ": measured[0]: wanted a string",)),
                (lambda r: r["experiments"][0].update(phases=[]), (first + ": phases: wanted at least one",)),
                (lambda r: r["experiments"][0]["phases"][0].update(recorded_kb=-1), ("recorded_kb: wanted a number",)),
                (lambda r: r["experiments"][0]["phases"][0].update(recorded_kb=None), ("phases[0].recorded_kb",)),
                (lambda r: r["experiments"][0]["phases"][0].update(bound_percent="1"), (".phases[0]: bound_percent",)),
                (lambda r: r["experiments"][0]["phases"][0].update(reason="nobody"), ("'nobody' is none of reasons",)),
                (lambda r: r["experiments"][0]["phases"][0].update(phase="idle"), ("'idle' is there twice",)),
                (lambda r: r["experiments"][0]["recorded"].update(start_kb=None), ("recorded.start_kb is null",)),
                (lambda r: r["experiments"][0]["recorded"].pop("version"), (first + ".recorded: version",)),
                (lambda r: r["experiments"][0].update(base="nowhere"), ("'nowhere' is neither start nor one of",)),
                (lambda r: r["published"][0].update(figures=3), ("published[0]: figures: wanted an array",)),
                (lambda r: r["published"][0]["figures"][0].update(experiment="3.99/x"), ("no experiment '3.99/x'",)),
                (lambda r: r["published"][0]["figures"][0].pop("phase"), ("wanted experiment and phase, or",)),
                (lambda r: r["published"][0]["holds"][0].update(holds=1), ("published[0].holds[0]: holds",)),
                (lambda r: r["not_compared"][0].pop("why"), ("not_compared[0]: why",))):
            with self.subTest(says=says):
                self.assert_refused(change, *says)

    def test_a_name_is_there_once(self):
        self.assert_refused(lambda r: r["experiments"].append(r["experiments"][0]), "'2.7/loop/pass' is there twice")

    def test_a_workload_is_one_of_this_build_with_one_value_for_each_parameter(self):
        self.assert_refused(lambda r: r["experiments"][0].update(workload="del_colect"), "did you mean del_collect?")
        self.assert_refused(lambda r: r["experiments"][0].update(workload="del_collect:n=1|2"), "sweeps n: wanted one value")

    def test_neither_recorded_nor_measured_is_nothing(self):
        def change(recorded):
            recorded["experiments"][0].update(recorded=None, measured=[])
        self.assert_refused(change, "neither recorded nor measured")

    def test_what_is_no_json_and_what_is_not_there(self):
        path = os.path.join(self.scratch, "recorded.json")
        with open(path, "w", encoding="utf-8") as file:
            file.write("{")
        for name, says in ((path, "recorded.json"), (os.path.join(self.scratch, "absent.json"), "absent.json"),
                           (self.scratch, "no regular file")):
            ran = tidemark("fidelity", RUN, "--recorded", name)
            self.assertEqual((ran.returncode, ran.stdout), (1, ""))
            self.assertIn(says, ran.stderr)

    def test_nothing_is_measured_for_a_file_that_is_refused(self):
        ran = tidemark("fidelity", "--recorded", "absent.json", "-o", self.folder())
        self.assertEqual(ran.returncode, 1)
        self.assertFalse(os.path.exists(self.folder()))


class Usage(Scratch):
    def assert_refused(self, arguments, *says):
        refused = tidemark(*arguments, cwd=self.scratch)
        self.assertEqual(refused.returncode, 2, refused.stdout + refused.stderr)
        for words in says:
            self.assertIn(words, refused.stderr)
        self.assertEqual(os.listdir(self.scratch), [], "a usage error writes nothing")

    def test_what_only_a_new_run_takes_is_refused_with_a_run(self):
        run = os.path.abspath(RUN)
        for option in (["--full"], ["--quick"], ["--rounds", "2"], ["-o", "other"]):
            self.assert_refused(["fidelity", run, *option], "is of a new run: not with the run", run)

    def test_bad_words_are_named(self):
        self.assert_refused(["fidelity", "--full", "--quick"], "not both")
        self.assert_refused(["fidelity", "--rounds", "0"], "'0'", "between 1 and 1000")
        self.assert_refused(["fidelity", "a", "b"], "one run at a time, not 'b' too")


class Measured(Scratch):
    def test_an_interrupted_run_keeps_its_samples_and_can_be_resumed(self):
        folder = self.folder()
        running = subprocess.Popen([TIDEMARK, "fidelity", "-o", folder], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True)
        for line in running.stderr:
            if line.startswith("[3/"):
                break
        running.send_signal(signal.SIGINT)
        stdout, stderr = running.communicate(timeout=60)
        self.assertEqual((running.returncode, stdout), (130, ""), stderr)
        self.assertIn("tidemark run --resume " + folder, stderr)
        plan = read_json(os.path.join(folder, "plan.json"))
        self.assertEqual((plan["suite"], plan["passes"], plan["repeat_dirty"]), ("fidelity", [], False))
        shown = tidemark("fidelity", folder)
        self.assertEqual(shown.returncode, 1)
        self.assertIn("did not finish", shown.stderr)
        self.assertIn("not measured: the run ended before it", shown.stdout)

    def test_a_folder_with_something_in_it_is_refused(self):
        refused = tidemark("fidelity", "-o", os.path.abspath(RUN), cwd=self.scratch)
        self.assertEqual((refused.returncode, refused.stdout), (2, ""))
        self.assertIn("results/fidelity", refused.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
