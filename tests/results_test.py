"""The runs that the documents show, results/*: what is written of them is what this build computes of them."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
sys.path.insert(0, "plot")
import selftest  # noqa: E402
from tidemark_run import tidemark  # noqa: E402

RUNS = ("fidelity", "layers", "programs", "pymalloc", "reference", "return", "survivors")
LAYERS = "docs/why-memory-does-not-come-back.md"
RETURN = "docs/return.md"
PROGRAMS = "docs/programs.md"
METHOD = "docs/method.md"
SELFTEST = "results/selftest/selftest.json"

# The tables of RETURN, one for each of these, a line for each row: the peak, then what is left after each of these ways.
RETURN_SHAPES = ({"n": "8000000", "size": "56"}, {"n": "300000", "size": "1000"}, {"n": "32", "size": "33554431"})
RETURN_ROWS = ("glibc", "jemalloc", "jemalloc+dirty_decay_ms:1000", "mimalloc", "tcmalloc")
RETURN_WAYS = (("stock", False), ("idle", False), ("idle", True), ("eager", False), ("purge", False))

# The tables of PROGRAMS, one for each of these, a line for each row: the most there was, then what is held at the end of these phases.
PROGRAM_ROWS = ("glibc", "jemalloc", "mimalloc", "tcmalloc", "tbb", "pymalloc-locked")
PROGRAM_PHASES = (("redis", ("fill", "load", "expire", "flush", "after")), ("python_json", ("build", "dump", "load", "drop")))

# The tables of LAYERS: of each line its first field, the cell, the row, and the phases whose memory the other fields show.
LISTS, INTS, PINNED = "list_lifetime", "del_collect", "pinning"
LAYER_LINES = (
    ("`global`: a name is left", LISTS, {"how": "global"}, "pymalloc", ("build", "return", None)),
    ("`del_collect`: none is left", LISTS, {"how": "del_collect"}, "pymalloc", ("build", "del", "collect")),
    ("never collected", LISTS, {"how": "cycle"}, "pymalloc", ("build", "del", None)),
    ("`gc.collect()`", LISTS, {"how": "cycle_collect"}, "pymalloc", ("build", "del", "collect")),
    ("`del i`, then `gc.collect()`", INTS, {"way": "del_collect"}, "pymalloc", ("build", "loop_end", "del", "collect")),
    ("2.7", "free_list_pressure", {"profile": "2.7"}, "pymalloc", ("build", "drop", "other", "drop_other", "collect")),
    ("3.11", "free_list_pressure", {"profile": "3.11"}, "pymalloc", ("build", "drop", "other", "drop_other", "collect")),
    ("3.8, k = 1,000,000: 10 ints", PINNED, {"profile": "3.8", "k": "1000000"}, "pymalloc", ("build", "collect", "del_kept")),
    ("3.8, k = 32,130: 312 ints", PINNED, {"profile": "3.8", "k": "32130"}, "pymalloc", ("build", "collect", "del_kept")),
    ("3.8, k = 1,000: 10,000 ints", PINNED, {"profile": "3.8", "k": "1000"}, "pymalloc", ("build", "collect", "del_kept")),
    ("3.11, k = 1,000,000: 10 ints", PINNED, {"profile": "3.11", "k": "1000000"}, "pymalloc", ("build", "collect", "del_kept")),
    ("3.11, k = 32,130: 312 ints", PINNED, {"profile": "3.11", "k": "32130"}, "pymalloc", ("build", "collect", "del_kept")),
    ("3.11, k = 1,000: 10,000 ints", PINNED, {"profile": "3.11", "k": "1000"}, "pymalloc", ("build", "collect", "del_kept")),
    ("glibc", INTS, {"way": "del_collect"}, "pymalloc", ("build", "loop_end", "del", "collect")),
    ("glibc without its thread cache", INTS, {"way": "del_collect"}, "pymalloc@glibc+tcache_count:0",
     ("build", "loop_end", "del", "collect")),
    ("the same, no `del i`", INTS, {"way": "collect_without_del"}, "pymalloc@glibc+tcache_count:0",
     ("build", "loop_end", None, "collect")),
    *(("`%s`" % row, LISTS, {"how": "del_collect"}, row, ("build", "collect"))
      for row in ("mimalloc+decommit_delay:0", "tcmalloc+aggressive_decommit:1", "jemalloc+dirty_decay_ms:0", "mimalloc", "jemalloc",
                  "glibc", "tcmalloc")),
    *(("`%s`" % row, LISTS, {"how": "del_collect"}, row, ("collect", "idle"))
      for row in ("jemalloc", "jemalloc+background_thread:true", "jemalloc+background_thread:true+muzzy_decay_ms:-1")),
)


def read_file(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Runs(unittest.TestCase):
    def test_these_are_all_that_the_repository_holds(self):
        listed = subprocess.run(["git", "ls-files", "results"], capture_output=True, text=True, check=False)
        if listed.returncode != 0:
            self.skipTest("not run: this is no git checkout")
        self.assertEqual(sorted({path.split("/")[1] for path in listed.stdout.splitlines() if path.count("/") > 1}),
                         sorted((*RUNS, SELFTEST.split("/")[1])))

    def test_the_summary_is_computed_today_as_it_is_stored(self):
        for run in RUNS:
            with self.subTest(run=run):
                folder = os.path.join("results", run)
                shown = tidemark("show", folder, "--json")
                self.assertEqual((shown.returncode, shown.stderr), (0, ""))
                self.assertEqual(json.loads(shown.stdout), json.loads(read_file(os.path.join(folder, "summary.json"))))

    def test_every_sample_is_of_a_finished_run(self):
        for run in RUNS:
            with self.subTest(run=run):
                machine = json.loads(read_file(os.path.join("results", run, "machine.json")))
                self.assertFalse(machine["interrupted"])
                self.assertIsNone(machine["sanitizer"])
                self.assertEqual(machine["build_type"], "Release")


def megabytes(figure_bytes):
    return "%.1f" % (max(figure_bytes, 0) / 1e6)


def find_cell(summary, workload, params, row, is_long):
    """The one cell of that experiment; of the two that differ in their idle time the long one or the other."""
    (cell,) = (cell for cell in summary if cell["workload"] == workload and cell["allocator"] == row and not cell["control"]
               and params.items() <= cell["params"].items() and (cell["idle_ns"] > 10**9) == is_long)
    return cell


def layer_line(summary, title, workload, params, row, phases):
    """A line of a table in LAYERS."""
    cell = find_cell(summary, workload, params, row, "idle" in phases)
    above = {phase["name"]: megabytes(phase["rss_bytes"] - cell["baseline_bytes"]["median"]) for phase in cell["phases"]}
    return "| %s | %s |" % (title, " | ".join(above[phase] if phase else "" for phase in phases))


def return_line(summary, shape, row):
    """A line of a table in RETURN."""
    kept, peak = [], None
    for way, is_active in RETURN_WAYS:
        (cell,) = (cell for cell in summary if shape.items() <= cell["params"].items() and cell["allocator"] == row
                   and cell["return"] == way and (cell["activity_ns"] > 0) == is_active)
        kept.append(megabytes(cell["retained_bytes"]["median"]) if cell["status"] == "ok" else "n/a")
        if peak is None:
            peak = megabytes(cell["peak_bytes"]["median"] - cell["baseline_bytes"]["median"])
    return "| `%s` | %s |" % (row, " | ".join([peak, *kept]))


def program_line(summary, program, row, phases):
    """A line of a table in PROGRAMS."""
    cell = find_cell(summary, "packaged", {"program": program}, row, False)
    baseline = cell["baseline_bytes"]["median"]
    held = {phase["name"]: megabytes(phase["rss_bytes"] - baseline) for phase in cell["phases"]}
    return "| `%s` | %s | %s | %.0f %% |" % (row, megabytes(cell["peak_bytes"]["median"] - baseline),
                                             " | ".join(held[phase] for phase in phases), 100 * cell["return_ratio"]["median"])


def selftest_lines(kept):
    """The table in METHOD: simulated runs of so many rounds, in hundredths; then the measured ones."""
    lines = []
    for metric, way in (("cpu", "one after another"), ("together", "at once")):
        for told in (line for line in kept["simulated"] if line["metric"] == metric):
            found = " | ".join(str(told["found"][share]) for share in ("1", "2", "5", "10"))
            smallest = "none to 20 %" if told["detectable"] is None else "%.1f %%" % (100 * told["detectable"])
            lines.append("| %s | %d | %d | %s | %s |" % (way, told["rounds"], told["alarms"], found, smallest))
        counts = lambda row, *words: "%d of 20" % sum(word in words for word in kept["words"][metric][row])
        lines.append("| %s | 20, measured | %s | %s | not counted |" % (
            way, counts("twin", "better", "worse"), " | ".join(counts("slower%d" % share, "worse") for share in (1, 2, 5, 10))))
    return lines


class Documents(unittest.TestCase):
    def test_the_table_of_verdicts_is_of_its_selftest(self):
        kept = json.loads(read_file(SELFTEST))
        self.assertEqual(re.findall(r"^\| (?:one after another|at once) \|(?: [^|]* \|){7}$", read_file(METHOD), re.MULTILINE),
                         selftest_lines(kept))

    def test_the_verdicts_of_the_selftest_are_told_today_as_they_are_stored(self):
        kept = json.loads(read_file(SELFTEST))
        for metric in ("cpu", "together"):
            self.assertEqual(selftest.judge_repetitions(kept["values"][metric], kept["rounds"], selftest.way_of(metric)), kept["words"][metric])
        self.assertEqual(selftest.judge_repetitions(kept["values"]["peak"], kept["memory_rounds"]), kept["words"]["peak"])

    def test_the_tables_of_programs_are_of_their_run(self):
        summary = json.loads(read_file("results/programs/summary.json"))
        wanted = [program_line(summary, program, row, phases) for program, phases in PROGRAM_PHASES for row in PROGRAM_ROWS]
        written = re.findall(r"^\| `[^`]+`(?: \| [0-9.]+)+ \| [0-9]+ % \|$", read_file(PROGRAMS), re.MULTILINE)
        self.assertEqual(written, wanted)

    def test_the_tables_of_published_shapes_are_of_their_run(self):
        summary = json.loads(read_file("results/return/summary.json"))
        wanted = [return_line(summary, shape, row) for shape in RETURN_SHAPES for row in RETURN_ROWS]
        written = re.findall(r"^\| `[^`]+`(?: \| (?:[0-9.]+|n/a)){6} \|$", read_file(RETURN), re.MULTILINE)
        self.assertEqual(written, wanted)

    def test_the_tables_of_the_layers_are_of_their_run(self):
        summary = json.loads(read_file("results/layers/summary.json"))
        wanted = [layer_line(summary, *line) for line in LAYER_LINES]
        # What is a line of figures, and so of the run: every field but the first is a number or empty.
        written = re.findall(r"^\| [^|]+(?:\| [0-9.]* )+\|$", read_file(LAYERS), re.MULTILINE)
        self.assertEqual(written, wanted)

    def test_the_sentence_on_lazily_freed_pages_is_of_its_run(self):
        lazy = find_cell(json.loads(read_file("results/layers/summary.json")), LISTS, {"how": "del_collect"},
                         "jemalloc+background_thread:true+muzzy_decay_ms:-1", True)
        idle = lazy["phases"][-1]
        self.assertIn("%s of its %s MB are LazyFree" % (megabytes(idle["lazyfree_bytes"]), megabytes(
            idle["rss_bytes"] - lazy["baseline_bytes"]["median"])), read_file(LAYERS))

    def test_what_they_link_to_is_there(self):
        pages = ["README.md", *(os.path.join("docs", name) for name in sorted(os.listdir("docs")) if name.endswith(".md"))]
        for page in pages:
            for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", read_file(page)):
                if "://" not in target:
                    self.assertTrue(os.path.exists(os.path.join(os.path.dirname(page), target)), "%s links to %s" % (page, target))

    def test_the_tables_of_pymalloc_are_what_show_prints(self):
        shown = tidemark("show", "results/pymalloc").stdout
        blocks = [block for block in re.findall(r"```\n(.*?)```", read_file("docs/pymalloc.md"), re.DOTALL) if "pymalloc-3.11 " in block]
        self.assertEqual(len(blocks), 2)
        for block in blocks:
            self.assertIn(block, shown)

    def test_the_table_of_fidelity_is_what_it_prints(self):
        shown = tidemark("fidelity", "results/fidelity").stdout
        self.assertEqual(re.findall(r"```\n(.*?)```", read_file("docs/fidelity.md"), re.DOTALL)[-1], shown)

    def test_the_claims_of_the_articles_are_those_of_the_recorded_figures(self):
        page = read_file("docs/fidelity.md")
        for article in json.loads(read_file("harness/recorded.json"))["published"]:
            self.assertIn("| %s, %s: %s |" % (article["article"], article["platform"], article["claim"]), page)
            self.assertIn("- **%s, %s.** %s" % (article["article"], article["platform"], article["why"]), page)
            for holds in article["holds"]:
                self.assertIn("| %s | %s | %s |" % (holds["version"], "yes" if holds["holds"] else "no", holds["why"]), page)


if __name__ == "__main__":
    unittest.main(verbosity=2)
