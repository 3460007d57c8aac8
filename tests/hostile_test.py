"""
A run folder may come from anywhere: show, plot and run --resume answer any with an error that names the file, and soon.
It leaves out what is in the files byte by byte: tests/fuzz has that, and a short portion of it runs here.
"""
import gzip
import json
import os
import random
import re
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, "tests")
sys.path.insert(0, "tests/fuzz")
import fuzz_plot_reader  # noqa: E402  (with plot/ on the path)

import checked  # noqa: E402
from fuzz_plot_reader import put_device, put_folder, put_hole, put_loop, put_nothing, put_pipe  # noqa: E402
from tidemark_run import Scratch, tidemark  # noqa: E402

SOON_S = 20
COMMANDS = (("show",), ("show", "--json"), ("plot",), ("run", "--resume"))


class CopyOfRun(Scratch):
    """A good run of three cells, cut from the reference, in which files can be changed."""

    def setUp(self):
        super().setUp()
        os.mkdir(self.folder())
        fuzz_plot_reader.write_run(self.folder(), fuzz_plot_reader.read_seed(), {})
        self.edit("machine.json", interrupted=True)  # so that there is something to resume

    def edit(self, name, **fields):
        with open(self.folder("run/" + name), encoding="utf-8") as file:
            edited = {**json.load(file), **fields}
        self.put(name, json.dumps(edited).encode())

    def put(self, name, data):
        with open(self.folder("run/" + name), "wb") as file:
            file.write(data)

    def get(self, name):
        with open(self.folder("run/" + name), "rb") as file:
            return file.read()

    def remove(self, name):
        path = self.folder("run/" + name)
        if not os.path.lexists(path):
            return
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.remove(path)


class HostileFolder(CopyOfRun):
    """One file of the run is another."""

    def assert_refused(self, *says, commands=COMMANDS, status=(1, 2)):
        for command in commands:
            with self.subTest(command=command):
                refused = tidemark(command[0], *command[1:], self.folder(), timeout=SOON_S, stdin=subprocess.DEVNULL)
                self.assertIn(refused.returncode, status, refused.stdout + refused.stderr)
                self.assertNotIn("Traceback", refused.stderr)
                self.assertLess(len(refused.stderr), 3000)
                for words in says:
                    self.assertIn(words, refused.stderr)

    def test_the_run_is_good_before_a_file_is_changed(self):
        shown = tidemark("show", self.folder(), timeout=SOON_S)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertIsNone(fuzz_plot_reader.check(self.folder()))

    def test_what_is_no_file_keeps_nobody_waiting(self):
        odd = {"it is no regular file": (put_pipe, put_device, put_folder), "larger than": (put_hole,),
               "": (put_loop, put_nothing)}
        for name in ("plan.json", "machine.json", "samples.jsonl"):
            data = self.get(name)
            for said, puts in odd.items():
                for put in puts:
                    with self.subTest(name=name, put=put.__name__):
                        os.remove(self.folder("run/" + name))
                        put(self.folder("run/" + name))
                        reads = [command for command in COMMANDS if command[0] != "run"]
                        self.assert_refused(name, said, commands=reads)
                        # Before it reads, --resume opens samples.jsonl for writing, and plan.json is what tells a run.
                        self.assert_refused(commands=(("run", "--resume"),), status=(2,))
                        self.remove(name)
                        self.put(name, data)

    def test_a_line_of_ten_megabytes_is_refused_by_its_number(self):
        lines = self.get("samples.jsonl")
        self.put("samples.jsonl", lines + b'{"a":"' + b"a" * 10_000_000 + b'"}\n')
        self.assert_refused("samples.jsonl:%d: the line is longer than 1024 KiB" % (lines.count(b"\n") + 1))

    def test_a_last_line_of_ten_megabytes_without_its_end_is_left_out(self):
        self.put("samples.jsonl", self.get("samples.jsonl") + b'{"a":"' + b"a" * 10_000_000)
        self.assertEqual(tidemark("show", self.folder(), timeout=SOON_S).returncode, 0)

    def test_nesting_without_end_is_refused(self):
        for name in ("plan.json", "machine.json", "samples.jsonl"):
            with self.subTest(name=name):
                data = self.get(name)
                self.put(name, b"[" * 1_000_000 + b"\n")
                self.assert_refused(name + ":1: ")
                self.put(name, data)

    def test_control_characters_reach_no_terminal(self):
        for field, text in (("allocator", "\x1b[2J"), ("host", "a\nb"), ("workload", "\u009b")):
            with self.subTest(field=field):
                plan = json.loads(self.get("plan.json"))
                stored = self.get("plan.json")
                plan["cells"][0][field] = text
                self.put("plan.json", json.dumps(plan).encode())
                self.assert_refused("plan.json: cells[0].%s: wanted" % field)
                self.put("plan.json", stored)
        sample = json.loads(self.get("samples.jsonl").split(b"\n")[0])
        sample.update(status="exit", reason="\x1b[2Jlast words")
        self.put("samples.jsonl", json.dumps(sample).encode() + b"\n")
        shown = tidemark("show", self.folder())
        self.assertIn("exit: ?[2Jlast words", shown.stdout)
        self.assertNotIn("\x1b", shown.stdout)

    def test_many_cells_and_many_samples_are_summarised_soon(self):
        plan, sample = json.loads(self.get("plan.json")), json.loads(self.get("samples.jsonl").split(b"\n")[0])
        plan["cells"] = [{**plan["cells"][0], "idle_ns": number} for number in range(4096)]
        self.put("plan.json", json.dumps(plan).encode())
        short = {**{name: sample[name] for name in ("round", "status", "reason")}, "phases": []}
        self.put("samples.jsonl", b"".join(json.dumps({**short, "sample": number, "cell": number % 4096}).encode() + b"\n"
                                           for number in range(50_000)))
        shown = tidemark("show", self.folder(), "--json", timeout=SOON_S)
        self.assertEqual(shown.returncode, 0, shown.stderr)
        self.assertEqual([cell["samples"] for cell in json.loads(shown.stdout)][:2], [13, 13])

    def test_a_gzip_bomb_is_refused_before_it_unpacks(self):
        bomb = gzip.compress(b"0,0,0,0,0,0\n" * 2**25, 9)  # 400 MB in 400 kB
        for name in os.listdir(self.folder("run/curves")):
            self.put("curves/" + name, bomb)
        self.assert_refused(".csv.gz: it unpacks to more than 32 MiB", commands=(("plot",),))
        self.assertFalse(os.path.exists(self.folder("run/report.html")))


class HostileCensus(CopyOfRun):
    """What a census may not be is said with its file and field; nothing of it reaches a terminal."""
    NAME = "census/000000.json.gz"
    CENSUS = {"format": 1, "cell": 0, "version": "made up", "phases": [{
        "name": "build", "object_bytes": 5, "live_bytes": 6,
        "figures": {"arena_bytes": 4096, "pool_bytes": 1024, "pool_header_bytes": 24, "arenas_current": 1, "pools_unused": 3,
                    "allocated_bytes": 700},
        "classes": [{"block_bytes": 100, "pools": 1, "blocks_in_use": 7, "blocks_available": 3}],
        "arenas": [{"base": "0x7f0000000000", "pools": [0, 0, 100, 7, 0, 0, 0, 0]}]}]}

    def setUp(self):
        super().setUp()
        os.mkdir(self.folder("run/census"))
        self.put_census(self.CENSUS)

    def put_census(self, census):
        self.put(self.NAME, gzip.compress(json.dumps(census).encode(), 1))

    def stats(self):
        return tidemark("stats", self.folder(), timeout=SOON_S, stdin=subprocess.DEVNULL)

    def assert_census_refused(self, *says):
        refused = self.stats()
        self.assertEqual(refused.returncode, 1, refused.stdout + refused.stderr)
        self.assertLess(len(refused.stderr), 2000)
        for words in (self.folder() + "/" + self.NAME, *says):
            self.assertIn(words, refused.stderr)

    def changed(self, change):
        census = json.loads(json.dumps(self.CENSUS))
        change(census, census["phases"][0])
        return census

    def test_it_is_printed_before_it_is_changed(self):
        told = self.stats()
        self.assertEqual(told.returncode, 0, told.stderr)
        self.assertIn("    -    100           1               7             3\n", told.stdout)

    def test_each_field_is_refused_by_name(self):
        for change, says in (
                (lambda census, _: census.update(format=2), "format is 2"),
                (lambda census, _: census.update(cell=1), "another cell's"),
                (lambda census, _: census.update(version="\x1b[2J"), "version: wanted"),
                (lambda census, _: census.update(phases=[census["phases"][0]] * 17), "phases: wanted 1 to 16"),
                (lambda _, phase: phase.update(name="a\nb"), "phases[0].name: wanted"),
                (lambda _, phase: phase["figures"].update({"\x1b[2J": "x"}), "figures.?[2J: wanted"),
                (lambda _, phase: phase["figures"].update(arena_bytes=2**62), "figures.arena_bytes is"),
                (lambda _, phase: phase["figures"].update(pool_bytes=0), "figures.pool_bytes is 0"),
                (lambda _, phase: phase["figures"].update(arenas_current=2), "figures.arenas_current is 2, its arenas have 1"),
                (lambda _, phase: phase["classes"][0].update(pools=2**62), "classes[0] has"),
                (lambda _, phase: phase["classes"].append(phase["classes"][0]), "classes[1].block_bytes is 100"),
                (lambda _, phase: phase["arenas"][0].update(base="0xffffffffffffffff"), "arenas[0].base"),
                (lambda _, phase: phase["arenas"][0].update(base="7f\x1b[2J"), "arenas[0].base: wanted"),
                (lambda _, phase: phase["arenas"][0]["pools"].pop(), "arenas[0].pools has 7 numbers"),
                (lambda _, phase: phase["arenas"].append(phase["arenas"][0]), "arenas[1].base: not above"),
                (lambda _, phase: phase["arenas"][0].update(pools=[0, 0, 100, 11, 0, 0, 0, 0]), "arenas[0].pools[2]")):
            with self.subTest(says=says):
                self.put_census(self.changed(change))
                self.assert_census_refused(says)
                self.assertNotIn("\x1b", self.stats().stderr)

    def test_odd_files_and_bombs_keep_nobody_waiting(self):
        for put, says in ((put_pipe, "it is no regular file"), (put_device, "it is no regular file"),
                          (put_folder, "it is no regular file"), (put_hole, "larger than 32 MiB"), (put_loop, "")):
            with self.subTest(put=put.__name__):
                self.remove(self.NAME)
                put(self.folder("run/" + self.NAME))
                self.assert_census_refused(says)
                self.remove(self.NAME)
        for data, says in ((gzip.compress(b"0," * 2**27, 9), "it unpacks to more than 32 MiB"), (b"", "damaged"),
                           (gzip.compress(b"[" * 10**6), "more than 262144 objects"), (b"plain text", "no gzip"),
                           (gzip.compress(b'{"format":1,"format":1}'), "duplicate"),
                           (gzip.compress(b"{}") + b"more", "damaged"), (gzip.compress(b"\xff"), ":1: ")):
            self.put(self.NAME, data)
            self.assert_census_refused(says)

    def test_no_mutation_does_more_than_be_read_or_refused(self):
        dice, seen = random.Random(1), set()
        text = json.dumps(self.CENSUS).encode()
        for number in range(300):
            mutate = dice.choice((fuzz_plot_reader.cut, fuzz_plot_reader.flip, fuzz_plot_reader.splice, fuzz_plot_reader.insert,
                                  fuzz_plot_reader.empty))
            packed = gzip.compress(text, 1, mtime=0)
            data = gzip.compress(mutate(text, dice), 1) if number % 3 else mutate(packed, dice)
            self.put(self.NAME, data)
            told = self.stats()
            self.assertIn(told.returncode, (0, 1), (mutate.__name__, data, told.stderr))
            self.assertTrue(all(byte == "\n" or " " <= byte <= "~" or ord(byte) > 0x9f for byte in told.stdout + told.stderr), data)
            seen.add(told.returncode)
        self.assertEqual(seen, {0, 1})


class HostileJson(Scratch):
    """What JSON may not be is said with its line; the C readers refuse the same."""

    def test_each_is_refused(self):
        for text, says in (("NaN", "NaN is no number"), ("-Infinity", "-Infinity is no number"), ("1e999", "is too large"),
                           (str(2**63), "is too large"), ("-" + "9" * 400, "is too large"), ("9" * 5000, "is too large"),
                           ("[" * 32 + "]" * 32, "nested too deeply"), ("[" * 10**6, "nested too deeply"),
                           ('"\\ud800"', "half of a surrogate pair"), ('{"b":1,"b":2}', "stands twice"),
                           ("01", "not JSON"), ("", "not JSON")):
            with self.subTest(text=text[:40]):
                with self.assertRaisesRegex(checked.RunError, "^f:3: .*" + says) as raised:
                    checked.parse('{"a":%s}' % text, dict, "f", 3)
                self.assertLess(len(str(raised.exception)), 300)

    def test_more_objects_than_a_run_has_are_refused_by_line(self):
        for name, data, said in (("samples.jsonl", b"{}\n" * (2**21 + 1), "samples.jsonl:2097153: more than 2097152"),
                                 ("plan.json", b"[\n" + b"[]," * 2**18 + b"0]", "plan.json:2: more than 262144")):
            with self.subTest(name=name):
                path = os.path.join(self.scratch, name)
                with open(path, "wb") as file:
                    file.write(data)
                with self.assertRaisesRegex(checked.RunError, said):
                    list(checked.read_lines(path) if name.endswith("l") else checked.read_json(path, list))

    def test_what_the_format_allows_is_read(self):
        for text, value in ((str(2**63 - 1), 2**63 - 1), (str(1 - 2**63), 1 - 2**63), ("1e308", 1e308),
                            ('"\\ud83d\\ude00"', "\U0001f600"), ("[" * 31 + "]" * 31, None)):
            with self.subTest(text=text[:40]):
                read = checked.parse('{"a":%s}' % text, dict, "f", 3)["a"]
                self.assertEqual(read, read if value is None else value)

    def test_odd_files_are_named(self):
        for put, says in ((put_pipe, "it is no regular file"), (put_device, "it is no regular file"),
                          (put_folder, "cannot be read: Is a directory"), (put_hole, "it is larger than 32 MiB"),
                          (put_nothing, "missing"), (put_loop, "cannot be read: Too many levels")):
            with self.subTest(put=put.__name__):
                path = os.path.join(tempfile.mkdtemp(dir=self.scratch), "plan.json")
                put(path)
                with self.assertRaisesRegex(checked.RunError, "plan.json: .*" + says):
                    checked.read_json(path, dict)


class HostileCurve(Scratch):
    """What a curve may not be is said with its line."""
    HEADER = "t_ns,rss_bytes,object_bytes,live_bytes,phase,parked\n"

    def refusal(self, data):
        files = {name: data if name.startswith("curves/") else text for name, text in fuzz_plot_reader.read_seed().items()}
        folder = tempfile.mkdtemp(dir=self.scratch)
        fuzz_plot_reader.write_run(folder, files, {})
        said = fuzz_plot_reader.check(folder)
        self.assertIsNotNone(said, "it was read")
        return re.sub(r"^.*\.csv\.gz:", "", said)

    def test_each_is_named_by_line(self):
        for lines, says in (("0,1,1,1,1,0\n0,1,1,1,1\n", "3: '0,1,1,1,1' is not 6 numbers"),
                            ("nan,1,1,1,1,0\n", "2: 'nan,1,1,1,1,0' is not 6 numbers"),
                            ("0,1e9,1,1,1,0\n", "2: '0,1e9,1,1,1,0' is not 6 numbers"),
                            ("0,-1,1,1,1,0\n", "2: "), ("0,\u0663,1,1,1,0\n", "2: "), ("\n0,1,1,1,1,0\n", "2: "),
                            (",1,1,1,1,0\n", "2: "), ("", "2: no line after the header"),
                            ("0,1,1,1,1,1\n1,1,1,1,1,0\n" * 70, "130: parked for the 65th time"),
                            ("0,1,1,1,1,0\n" * (2**18 + 1), "262146: more than 262144 lines")):
            with self.subTest(lines=lines[:40]):
                self.assertTrue(self.refusal(gzip.compress((self.HEADER + lines).encode(), 1)).startswith(says))

    def test_a_gzip_bomb_takes_no_memory(self):
        member = gzip.compress(b"0,0,0,0,0,0\n" * 10**6, 9)
        with fuzz_plot_reader.limits():
            self.assertIn("unpacks to more than 32 MiB", self.refusal(member * 400))  # 5 GB

    def test_bytes_that_are_no_text_are_named(self):
        self.assertEqual(self.refusal(gzip.compress(self.HEADER.encode() + b"0,1\n\xff\n")), "3: byte 0xff is no UTF-8")
        self.assertIn("damaged", self.refusal(b"no gzip"))
        self.assertIn("damaged", self.refusal(gzip.compress(self.HEADER.encode())[:-9]))


class Mutations(Scratch):
    def test_five_hundred_of_them_break_no_promise(self):
        read, refused, failures = fuzz_plot_reader.fuzz(500, 1, self.scratch)
        self.assertEqual(failures, [])
        self.assertGreater(read, 50, "mutations that leave the run good test nothing of the refusals, and the reverse")
        self.assertGreater(refused, 50)


if __name__ == "__main__":
    unittest.main(verbosity=2)
