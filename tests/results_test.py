"""The runs that the documents show, results/*: what is written of them is what this build computes of them."""
import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
from tidemark_run import tidemark  # noqa: E402

RUNS = ("fidelity", "pymalloc", "reference", "survivors")


def read_file(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


class Runs(unittest.TestCase):
    def test_these_are_all_that_the_repository_holds(self):
        listed = subprocess.run(["git", "ls-files", "results"], capture_output=True, text=True, check=False)
        if listed.returncode != 0:
            self.skipTest("not run: this is no git checkout")
        self.assertEqual(sorted({path.split("/")[1] for path in listed.stdout.splitlines() if path.count("/") > 1}), list(RUNS))

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


class Documents(unittest.TestCase):
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
