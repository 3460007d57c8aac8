"""`tidemark import` and `fit` from outside: what other tools wrote of a program whose calls are known (tests/captures).

The program makes 100 blocks of each kind and frees all but ten of malloc, of 7000 bytes. trace-utils is in no Debian package:
its files are made here, by the description of its format.
"""
import json
import os
import random
import unittest

import sys
sys.path.insert(0, "tests")
from tidemark_run import Scratch, tidemark  # noqa: E402

CAPTURES = "tests/captures"


class Importing(Scratch):
    def imported(self, form, path, status=0):
        """The summary of a capture's trace, and what was said."""
        ran = tidemark("import", "--from", form, "-o", self.folder("a.trace"), path)
        self.assertEqual(ran.returncode, status, ran.stderr)
        if status:
            return None, ran.stderr
        return json.loads(tidemark("trace", "--json", self.folder("a.trace")).stdout), ran.stderr

    def write(self, name, content):
        with open(self.folder(name), "wb") as file:
            file.write(content)
        return self.folder(name)


class Captures(Importing):
    def assert_each(self, trace, said, realloc):
        """Of what the program does: blocks of 4096 bytes and more, but for a buffer or two of the tool's or of stdio."""
        own = sum(size["blocks"] for size in trace["sizes"] if size["below_bytes"] > 4096)
        self.assertTrue(500 <= own <= 505, trace["sizes"])
        self.assertEqual(trace["calls"]["realloc"], realloc)
        self.assertTrue(70000 <= trace["left_bytes"] < 70000 + 150000, trace["left_bytes"])
        self.assertTrue(2077000 <= trace["peak_bytes"] < 2077000 + 200000, trace["peak_bytes"])
        self.assertNotIn("not understood", said)

    def test_mtrace(self):
        self.assert_each(*self.imported("mtrace", f"{CAPTURES}/each.mtrace"), realloc=100)

    def test_valgrind(self):
        trace, said = self.imported("valgrind", f"{CAPTURES}/each.valgrind")
        self.assert_each(trace, said, realloc=100)
        self.assertEqual(trace["calls"]["calloc"], 100)
        self.assertEqual(trace["calls"]["aligned"], 100)

    def test_heaptrack(self):
        self.assert_each(*self.imported("heaptrack", f"{CAPTURES}/each.heaptrack"), realloc=0)


class Formats(Importing):
    def test_rep(self):
        trace, _ = self.imported("rep", self.write("a.rep", b"20000\n3\n6\n1\na 0 100\na 1 200\nr 0 300\nf 1\na 2 50\nf 0\n"))
        self.assertEqual((trace["made"], trace["ended"], trace["calls"]["realloc"]), (4, 3, 1))
        self.assertEqual((trace["peak_bytes"], trace["left_bytes"]), (500, 50))

    def test_what_has_no_times_is_told_over_its_blocks(self):
        # Blocks of 100 and 200 bytes, the first moved to 300, the second freed, one of 50, the first freed.
        calls = b"a 0 100\na 1 200\nr 0 300\nf 1\na 2 50\nf 0\n"
        trace, _ = self.imported("rep", self.write("a.rep", b"20000\n3\n6\n1\n" + calls))
        self.assertEqual((trace["curve_over"], trace["curve_end"], trace["duration_ns"]), ("blocks", 4, 0))
        self.assertEqual((trace["peak_bytes"], trace["peak_made"], trace["peak_is_exact"]), (500, 3, True))
        # The most of each step: while the third is there, and after it is gone the fourth.
        self.assertEqual([point[:2] for point in trace["curve"]], [[0, 0], [1, 100], [2, 300], [3, 500], [4, 350]])
        self.assertEqual((trace["lifetime_us"]["count"], trace["lifetime_bytes"]["count"]), (0, 3))
        shown = tidemark("trace", self.folder("a.trace")).stdout
        self.assertIn("without times", shown)
        self.assertIn("after 3 blocks", shown)
        self.assertNotIn("in time", shown)

    def test_threads_without_times_begin_together(self):
        path = self.write("a.wl", self.workload([(2, 1, 1000)] * 3, [(2, 2, 70)] * 2))
        trace, _ = self.imported("wl", path)
        self.assertEqual((trace["curve_over"], trace["curve_end"]), ("blocks", 3))
        self.assertEqual([point[0] for point in trace["curve"]], [0, 1, 2, 3])

    def test_the_peak_of_threads_is_that_of_all_in_turn(self):
        path = self.write("a.wl", self.workload([(2, 1, 1000), (5, 1), (2, 2, 10)], [(2, 3, 3000), (5, 3)]))
        self.imported("wl", path)
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertIn("alive at the most: 4000 bytes in the trace, 4000 in the fit", ran.stdout)

    @staticmethod
    def number(value):
        """Seven bits a byte, the highest first."""
        parts = [value & 0x7f]
        while value > 0x7f:
            value >>= 7
            parts.append(value & 0x7f | 0x80)
        return bytes(reversed(parts))

    def workload(self, *threads):
        """A .wl: a head, and the threads behind it."""
        n, head_of = self.number, lambda offsets: (
            b"\x08" + self.number(8) + b"\x09" + self.number(4) + b"\x0a" + self.number(len(threads))
            + b"".join(b"\x0b" + self.wide(offset) for offset in offsets) + b"\x01")
        size = len(head_of([0] * len(threads)))
        bodies = [b"".join(bytes([call[0]]) + b"".join(n(value) for value in call[1:]) for call in thread) + b"\x01"
                  for thread in threads]
        offsets = [size + sum(map(len, bodies[:i])) for i in range(len(bodies))]
        return head_of(offsets) + b"".join(bodies)

    @staticmethod
    def wide(value):
        """The same in three bytes, so that offsets take no other place than those they stand for."""
        return bytes([value >> 14 & 0x7f | 0x80, value >> 7 & 0x7f | 0x80, value & 0x7f])

    def test_wl(self):
        path = self.write("a.wl", self.workload([(2, 1, 1000), (3, 2, 50000), (4, 1, 1, 3000), (12, 3, 64, 640), (5, 2), (5, 1)]))
        trace, _ = self.imported("wl", path)
        self.assertEqual((trace["made"], trace["ended"], trace["left_bytes"]), (4, 3, 640))
        self.assertEqual(trace["calls"]["aligned"], 1)

    def test_threads_of_wl_hand_blocks_over(self):
        path = self.write("a.wl", self.workload([(7, 1), (5, 1), (2, 2, 70)], [(2, 1, 1000), (6, 1)]))
        trace, said = self.imported("wl", path)
        self.assertEqual((trace["threads"], trace["made"], trace["ended"], trace["remote"]), (2, 2, 1, 1))
        self.assertNotIn("never made", said)

    def test_what_is_cut_or_made_up_is_refused(self):
        whole = self.workload([(2, 1, 1000), (5, 1)])
        for cut in range(len(whole)):
            _, said = self.imported("wl", self.write("a.wl", whole[:cut]), status=1)
            self.assertIn("is it of this format?", said)
            self.assertEqual(sorted(os.listdir(self.scratch)), ["a.wl"])
        randomly = random.Random(1)
        for _ in range(50):
            ran = tidemark("import", "--from", randomly.choice(("wl", "rep", "mtrace", "valgrind", "heaptrack")), "-o",
                           self.folder("b.trace"), self.write("a.wl", randomly.randbytes(200)))
            self.assertIn(ran.returncode, (0, 1))

    def test_lines_that_are_not_understood_are_told(self):
        _, said = self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\na 1 10\nx 1\nf 1\nf 9\n"))
        self.assertIn("1 lines are not understood, the first is line 6", said)
        self.assertIn("1 frees of blocks that were never made: left out", said)

    def test_a_capture_is_not_written_over(self):
        path = self.write("a.rep", b"1\n2\n3\n4\na 1 10\n")
        os.link(path, self.folder("link"))
        os.symlink(path, self.folder("b.partial"))
        for output in (path, self.folder("link"), self.folder("b")):
            ran = tidemark("import", "--from", "rep", "-o", output, path)
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(f"-o '{output}' would replace the capture '{path}' itself", ran.stderr)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"1\n2\n3\n4\na 1 10\n")

    def test_mistakes_of_the_command_line(self):
        ran = tidemark("import", "--from", "mtraze", "-o", "x", "y")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("'mtraze' is no format", ran.stderr)
        self.assertEqual(tidemark("import", "y").returncode, 2)
        ran = tidemark("import", "--from", "rep", "-o", self.folder("x"), "/nowhere/y")
        self.assertEqual(ran.returncode, 1)
        self.assertIn("/nowhere/y: No such file or directory", ran.stderr)


class Fits(Importing):
    def fit(self):
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        with open(self.folder("a.fit"), encoding="utf-8") as file:
            return json.load(file)

    def replay(self, name):
        folder = self.folder("run-" + name)
        ran = tidemark("replay", self.folder(name), "-a", "glibc", "--rounds", "1", "--no-control", "--warm-up", "0", "--idle",
                       "0s", "-o", folder)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
            return json.loads(file.readline())

    def test_a_fit_has_the_blocks_of_the_trace(self):
        randomly, lines = random.Random(2), []
        live = []
        for number in range(20000):
            lines.append(b"a %d %d" % (number, randomly.choice((16, 48, 200, 1000, 30000))))
            live.append(number)
            if len(live) > 500 + number // 40:
                lines.append(b"f %d" % live.pop(randomly.randrange(len(live))))
        trace, _ = self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\n" + b"\n".join(lines) + b"\n"))
        fit = self.fit()
        (thread,) = fit["threads"]
        self.assertEqual(thread["blocks"], trace["made"])
        counts, sizes, lives = thread["cells"][3::4], thread["cells"][1::4], thread["cells"][2::4]
        self.assertEqual(sum(counts), trace["made"])
        self.assertAlmostEqual(sum(map(int.__mul__, sizes, counts)), trace["asked_bytes"], delta=trace["asked_bytes"] / 1000)
        self.assertEqual(sum(count for count, life in zip(counts, lives) if life < 0), trace["left"])
        recorded, fitted = self.replay("a.trace"), self.replay("a.fit")
        live = [sample["phases"][0]["live_bytes"] for sample in (recorded, fitted)]
        self.assertAlmostEqual(live[1] / live[0], 1, delta=0.02)
        peak = [sample["peak_bytes"] - sample["baseline_bytes"] for sample in (recorded, fitted)]
        self.assertAlmostEqual(peak[1] / peak[0], 1, delta=0.1)
        self.assertEqual(fit["live"]["trace_peak_bytes"], trace["peak_bytes"])
        self.assertAlmostEqual(fit["live"]["fit_peak_bytes"] / trace["peak_bytes"], 1, delta=0.1)

    def test_a_peak_that_is_off_is_told(self):
        # That blocks die together is lost.
        calls = [b"a %d 1000\n" % number for number in range(64)]
        self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\n" + b"".join(calls)))
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertEqual(ran.stdout, "alive at the most: 64000 bytes in the trace, 64000 in the fit, +0.0 %\n")
        for number in range(64, 4096, 64):
            calls += [b"f %d\n" % old for old in range(number - 64, number)]
            calls += [b"a %d 1000\n" % new for new in range(number, number + 64)]
        calls += [b"f %d\n" % old for old in range(4096 - 64, 4096)]
        self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\n" + b"".join(calls)))
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertRegex(ran.stdout, r"64000 bytes in the trace, \d+ in the fit, .* %; more than 10 % off")

    def test_a_fit_too_large_to_be_replayed_is_not_written(self):
        randomly, lines, dying = random.Random(3), [], {}
        for number in range(1500000):  # of sizes and lifetimes of every length
            bits = randomly.randrange(35)
            lines.append(b"a %d %d" % (number, 1 << bits | randomly.getrandbits(bits + 1) >> 1))
            dying.setdefault(number + int(2 ** (18 * randomly.random())), []).append(b"f %d" % number)
            lines += dying.pop(number, [])
        self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\n" + b"\n".join(lines) + b"\n"))
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertEqual(ran.returncode, 1, ran.stderr)
        self.assertIn("its fit would be larger than 15 MiB, which no replay takes", ran.stderr)
        self.assertFalse(os.path.exists(self.folder("a.fit")))

    def test_a_fit_does_not_replace_its_trace(self):
        path, _ = self.folder("a.trace"), self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\na 1 10\n"))
        with open(path, "rb") as file:
            before = file.read()
        ran = tidemark("fit", path, "-o", path)
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn("would replace the trace", ran.stderr)
        with open(path, "rb") as file:
            self.assertEqual(file.read(), before)

    def test_a_program_of_more_blocks_than_memory_is_refused_before_it_is_made(self):
        path = self.write("a.fit", b'{"tidemark_fit": 1, "stretches": 64, "threads": [%s]}' %
                          b", ".join([b'{"cells": [0, 1, -1, 2147483648]}'] * 64))
        ran = tidemark("replay", path, "-a", "glibc", "-o", self.folder("run"), env={**os.environ, "TMPDIR": self.scratch})
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn("takes more than half of the memory of this machine", ran.stderr)
        self.assertEqual(os.listdir(self.scratch), ["a.fit"])

    def test_what_is_no_fit_is_refused(self):
        for content in (b"{}", b'{"tidemark_fit": 1, "stretches": 64, "threads": [{"cells": [0, 1, 2]}]}',
                        b'{"tidemark_fit": 1, "stretches": 64, "threads": [{"cells": [64, 1, 0, 1]}]}'):
            ran = tidemark("replay", self.write("a.fit", content), "-a", "glibc", "-o", self.folder("run"))
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn("it is no fit of tidemark fit", ran.stderr)


if __name__ == "__main__":
    unittest.main()
