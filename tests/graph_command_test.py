"""`tidemark graph` from outside: what docs/graph.md shows of it is so, and a wrong word is refused by name."""
import json
import os
import re
import shlex
import sys
import unittest
import xml.etree.ElementTree

sys.path.insert(0, "tests")
from tidemark_run import Scratch, not_run, tidemark  # noqa: E402

PAGE = "docs/graph.md"
RINGS = "cycles:n=100,shape=rings"
SMALL = ("-w", RINGS)
OTHER_PYTHON = "is not profile="
# Whose objects are those of the script on a real CPython, all of them and in each phase.
REPLAYS = (
    "list_lifetime:n=1000,how=local", "list_lifetime:n=1000,how=cycle_collect", "user_batches:n=500",
    "user_batches:n=500,results=kept,links=acyclic", "slice_copy:n=1000", "dedupe_set:n=1000,distinct=all",
    "interning:n=1000",
    "bounded_history:n=1000", "generator_vs_list:n=1000,numbers=list", "cycles:n=1000", "cycles:n=1000,shape=rings",
    "cycles:n=1000,shape=parents_strong", "cycles:n=1000,shape=parents_weak", "waste:n=1000", "waste:n=1000,values=retained",
    "free_list_pressure:n=1000,kind=tuple", "free_list_pressure:n=1000,kind=dict", "async_tasks:n=1000", "compress:n=10k",
    "threads_shared:n=1000")


def documented():
    """Each `tidemark graph` of the page: its words, and what is printed below it."""
    with open(PAGE, encoding="utf-8") as page:
        blocks = re.findall(r"```\n\$ tidemark graph (.*)\n((?:.*\n)*?)```", page.read())
    return [(shlex.split(words), output) for words, output in blocks]


def without_version(text):
    return re.sub(r"CPython 3\.11\.\d+", "CPython 3.11", text)


class Graph(Scratch):
    def graph(self, *words, status=0, **options):
        told = tidemark("graph", *words, **options)
        self.assertEqual(told.returncode, status, told.stdout + told.stderr)
        return told

    def refused(self, expected, *words, status=2, **options):
        told = self.graph(*words, status=status, **options)
        self.assertIn(expected, told.stderr)
        self.assertEqual(told.stdout, "")

    def record(self, *words):
        return json.loads(self.graph("--json", *words).stdout)

    def read(self, name):
        with open(self.folder(name), "rb") as file:
            return file.read()


class TheDocument(Graph):
    def test_every_example_prints_what_the_page_shows(self):
        examples = documented()
        self.assertGreater(len(examples), 4)
        for words, output in examples:
            with self.subTest(words=" ".join(words)):
                told = self.told(words)
                self.assertEqual(without_version(told), without_version(output))

    def told(self, words):
        try:
            return self.graph(*words, cwd=self.scratch).stdout
        except AssertionError as error:
            if "--host" in words and OTHER_PYTHON in str(error):
                not_run(self, "another python3 than the page's")
            raise

    def test_its_pictures_are_those_of_its_examples(self):
        drawn = [words for words, _ in documented() if "-o" in words]
        self.assertEqual(len(drawn), 3)
        for words in drawn:
            name = os.path.splitext(words[words.index("-o") + 1])[0]
            with self.subTest(picture=name):
                self.graph(*words[:words.index("-o")], "-o", self.folder(name + ".dot"))
                with open("docs/graph/%s.dot" % name, "rb") as kept:
                    self.assertEqual(self.read(name + ".dot"), kept.read())
                self.check_picture(name)

    def check_picture(self, name):
        """The SVG has the objects of the DOT: its layout is Graphviz's, of whatever version."""
        with open("docs/graph/%s.dot" % name, encoding="utf-8") as file:
            dot = file.read()
        words = " ".join(xml.etree.ElementTree.parse("docs/graph/%s.svg" % name).getroot().itertext())
        objects = re.findall(r'n\d+ \[label="(\w+ #\d+)', dot)
        self.assertGreater(len(objects), 2)
        for label in objects:
            self.assertIn(label, words)
        self.assertIn(re.match(r'digraph "(.*)" {', dot).group(1), words)


class Pictures(Graph):
    def test_the_same_command_draws_the_same_on_every_allocator(self):
        for row in ("pymalloc", "glibc", "jemalloc"):
            self.graph(*SMALL, "-a", row, "-o", self.folder(row + ".dot"))
        self.assertEqual(self.read("pymalloc.dot"), self.read("glibc.dot"))
        self.assertEqual(self.read("pymalloc.dot"), self.read("jemalloc.dot"))

    def test_the_cycle_is_red_and_whole(self):
        self.graph(*SMALL, "-o", self.folder("ring.dot"))
        dot = self.read("ring.dot").decode()
        thick = re.findall(r"n(\d+) -> n(\d+) .*#C8102E.*penwidth=3", dot)
        self.assertEqual(len(thick), 10)
        at, seen = thick[0][0], []
        for _ in thick:
            seen.append(at)
            at = dict(thick)[at]
        self.assertEqual((at, len(set(seen))), (seen[0], 10))

    def test_dot_lays_out_each_format(self):
        for name, begins in (("a.svg", b"<?xml"), ("a.png", b"\x89PNG"), ("a.pdf", b"%PDF")):
            self.graph(*SMALL, "-o", self.folder(name))
            self.assertTrue(self.read(name).startswith(begins), name)
        title = xml.etree.ElementTree.fromstring(self.read("a.svg")).find(".//{http://www.w3.org/2000/svg}title").text
        self.assertEqual(title, "Objects of %s,profile=3.11 at the end of del" % RINGS)

    def test_without_graphviz_the_text_is_written_and_the_package_named(self):
        told = self.graph(*SMALL, "-o", self.folder("a.svg"), status=1, env={"PATH": self.scratch})
        self.assertIn("package graphviz", told.stderr)
        self.assertIn("Why is Node #0 there?", told.stdout)
        self.assertEqual(os.listdir(self.scratch), ["a.dot"])
        self.graph(*SMALL, "-o", self.folder("b.dot"), env={"PATH": self.scratch})
        self.assertEqual(self.read("a.dot"), self.read("b.dot"))

    def test_values_are_quoted(self):
        self.graph("-w", "interning:n=1000", "--type", "str:3", "-o", self.folder("a.svg"))
        self.assertIn("str #", self.read("a.svg").decode())

    def test_what_is_cut_is_told(self):
        picture = self.record("-w", "cycles:n=1000", "--most", "5")["picture"]
        self.assertEqual(len(picture["nodes"]), 5)
        self.assertEqual(picture["objects"], picture["left_out"] + 5)
        drawn = {(edge["from"], edge["to"]): edge["count"] for edge in picture["edges"]}
        for place in (0, 1):  # each list holds 1000 ints and the other list
            self.assertEqual(sum(count for (start, _), count in drawn.items() if start == place)
                             + picture["nodes"][place]["more_to"], 1001)

    def test_directions_go_one_way(self):
        words = ("-w", "global_leak:n=50", "--type", "dict:3", "--depth", "1")
        for flag, types in (("--refs", {"dict", "int", "str"}), ("--backrefs", {"dict", "list"})):
            nodes = self.record(*words, flag)["picture"]["nodes"]
            self.assertEqual({node["type"] for node in nodes}, types, flag)

    def test_an_index_is_the_number_that_pictures_show(self):
        node = self.record(*SMALL, "--at", "build", "--index", "42")["picture"]["nodes"][0]
        self.assertEqual((node["index"], node["chosen"]), (42, True))
        chosen = [node["index"] for node in self.record(*SMALL, "--at", "build", "--type", "Node:7", "--type", "list")
                  ["picture"]["nodes"] if node["chosen"]]
        self.assertEqual(chosen, [8, 0])  # the list is the first object, and the nodes follow

    def test_json_may_be_a_file(self):
        self.graph(*SMALL, "-o", self.folder("a.json"))
        self.assertEqual(json.loads(self.read("a.json")), self.record(*SMALL))


class Phases(Graph):
    def test_the_phase_with_lost_cycles_is_taken_else_the_fullest(self):
        self.assertEqual(self.record(*SMALL)["picture"]["phase"], "del")
        self.assertEqual(self.record("-w", "list_lifetime:n=1000,how=global")["picture"]["phase"], "build")
        self.assertEqual(self.record(*SMALL, "--at", "build")["picture"]["phase"], "build")

    def test_growth_is_the_difference_of_the_phases(self):
        phases = {phase["name"]: {kind["name"]: kind["count"] for kind in phase["types"]}
                  for phase in self.record(*SMALL, "--growth")["phases"]}
        self.assertEqual(phases, {"(start)": {}, "build": {"list": 1, "Node": 100}, "del": {"Node": 100}, "collect": {}})
        lines = self.graph(*SMALL, "--growth", "--from", "build", "--to", "collect").stdout.splitlines()[2:]
        self.assertEqual([line.split()[:4] for line in lines], [["list", "1", "0", "-1"], ["Node", "100", "0", "-100"]])

    def test_a_collection_frees_what_was_unreachable(self):
        for workload in ("cycles:n=1000", "cycles:n=300,shape=rings", "cycles:n=300,shape=parents_strong"):
            by_name = {phase["name"]: phase for phase in self.record("-w", workload)["phases"]}
            self.assertGreater(by_name["del"]["unreachable_objects"], 0)
            self.assertEqual(by_name["del"]["objects"] - by_name["collect"]["objects"],
                             by_name["del"]["unreachable_objects"], workload)


class RealPython(Graph):
    def growth(self, workload, host):
        told = tidemark("graph", "-w", workload, "--growth", "--host", host, "--json")
        if OTHER_PYTHON in told.stderr:
            not_run(self, told.stderr)
        self.assertEqual(told.returncode, 0, told.stderr)
        return {phase["name"]: {kind["name"]: (kind["count"], kind["bytes"]) for kind in phase["types"]}
                for phase in json.loads(told.stdout)["phases"]}

    def test_objects_are_those_of_a_real_cpython(self):
        kinds = set()
        for workload in REPLAYS:
            with self.subTest(workload=workload):
                replayed = self.growth(workload, "objects")
                self.assertEqual(replayed, self.growth(workload, "python3"))
                kinds.update(*replayed.values())
        for kind in ("Node", "bytes", "deque", "dict", "generator", "int", "list", "set", "str", "tuple", "weakref"):
            self.assertIn(kind, kinds)

    def test_what_a_list_of_the_module_holds_is_counted(self):
        """The list itself is there before the first phase; what goes into it is not."""
        self.assertEqual(self.growth("global_leak:n=1000", "python3")["serve"]["dict"][0], 1000)

    def test_a_real_cpython_tells_of_growth_alone(self):
        self.refused("of a real CPython there is --growth alone", *SMALL, "--host", "python3")
        self.refused("nosuch", *SMALL, "--growth", "--host", "/nosuch/python3")


class Refusals(Graph):
    def test_a_wrong_name_names_those_that_there_are(self):
        self.refused("there are: build del collect", *SMALL, "--at", "nosuch")
        self.refused("there are: (start) build del collect", *SMALL, "--growth", "--from", "nosuch", "--to", "build")
        self.refused("there are: list (1) Node (100)", *SMALL, "--at", "build", "--type", "Nod")
        self.refused("only 0 to 99", *SMALL, "--at", "build", "--type", "Node:100")
        self.refused("only 0 to 100", *SMALL, "--at", "build", "--index", "101")
        self.refused("no object is tracked by the collector at the end of collect", *SMALL, "--at", "collect")
        self.refused("the workload bulk keeps no objects", "-w", "bulk")
        self.refused("that workload runs a program", "-w", "program:command=true")

    def test_a_wrong_number_names_its_bounds(self):
        self.refused("'x' is no number between", *SMALL, "--type", "Node:x")
        self.refused("'-1' is no number between", *SMALL, "--index", "-1")
        self.refused("between 1 and 2000", *SMALL, "--most", "0")
        self.refused("between 0 and 1000", *SMALL, "--depth", "1001")
        self.refused("at most 32 objects", *SMALL, *(["--index", "0"] * 33))

    def test_what_contradicts_itself_is_refused(self):
        self.refused("which workload?")
        self.refused("no sweep", "-w", "cycles:n=1|2")
        self.refused("--at says what to draw", *SMALL, "--growth", "--at", "del")
        self.refused("--from and --to", *SMALL, "--from", "del", "--to", "build")
        self.refused("--refs or --backrefs", *SMALL, "--refs", "--backrefs")
        self.refused("one workload", *SMALL, "-w", "waste")

    def test_a_file_that_cannot_be_is_refused_before_the_run(self):
        long = ("-w", "cycles:n=100M")  # would take minutes
        os.mkdir(self.folder("folder.svg"))
        self.refused("ends with none of .dot", *long, "-o", self.folder("a.txt"), timeout=10)
        self.refused("No such file or directory", *long, "-o", self.folder("none/a.dot"), status=1, timeout=10)
        self.refused("Is a directory", *long, "-o", self.folder("folder.svg"), status=1, timeout=10)

    def test_a_row_that_cannot_run_it_says_why(self):
        self.refused("bump has no", "-w", "waste:n=10", "-a", "bump", status=1)


if __name__ == "__main__":
    unittest.main()
