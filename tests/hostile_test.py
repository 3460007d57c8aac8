"""
A run folder may come from anywhere: show, plot and run --resume answer any with an error that names the file, and soon.
It leaves out what is in the files byte by byte: tests/fuzz has that, and a short portion of it runs here.
"""
import gzip
import json
import os
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


class HostileFolder(Scratch):
    """A copy of a good run of three cells, cut from the reference, in which one file is another."""

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

    def remove(self, name):
        path = self.folder("run/" + name)
        if not os.path.lexists(path):
            return
        if stat.S_ISDIR(os.lstat(path).st_mode):
            os.rmdir(path)
        else:
            os.remove(path)

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
