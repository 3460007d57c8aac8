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

    @staticmethod
    def rows(thread):
        """(stretch, bytes, end, count) of each row of a fit's thread; an end in its own stretch is that."""
        each = lambda name, fields: [thread[name][at:at + fields] for at in range(0, len(thread[name]), fields)]
        return ([(row[0], row[1], row[0], row[3]) for row in each("passing", 4)] + [tuple(row) for row in each("staying", 4)]
                + [tuple(row[:4]) for row in each("moving", 7)])

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
        rows = self.rows(thread)
        self.assertEqual(sum(count for _, _, _, count in rows), trace["made"])
        self.assertEqual(sum(size for _, size, _, _ in rows), trace["asked_bytes"])
        self.assertEqual(sum(count for _, _, end, count in rows if end < 0), trace["left"])
        recorded, fitted = self.replay("a.trace"), self.replay("a.fit")
        live = [sample["phases"][0]["live_bytes"] for sample in (recorded, fitted)]
        self.assertEqual(live[1], live[0])
        peak = [sample["peak_bytes"] - sample["baseline_bytes"] for sample in (recorded, fitted)]
        self.assertAlmostEqual(peak[1] / peak[0], 1, delta=0.1)
        self.assertEqual(fit["live"]["trace_peak_bytes"], trace["peak_bytes"])
        self.assertEqual(fit["live"]["fit_peak_bytes"], trace["peak_bytes"])

    def live(self, lines, form="rep"):
        """What a trace and the program of its fit have alive at the most, of these calls."""
        path = self.write("a.rep", b"1\n2\n3\n4\n" + b"".join(lines)) if form == "rep" else self.write("a.wl", lines)
        self.imported(form, path)
        live = self.fit()["live"]
        return live["trace_peak_bytes"], live["fit_peak_bytes"]

    def test_what_dies_together_does_so_in_the_fit(self):
        calls = [b"a %d 1000\n" % number for number in range(64)]
        self.assertEqual(self.live(calls), (64000, 64000))
        for number in range(64, 40960, 64):
            calls += [b"f %d\n" % old for old in range(number - 64, number)]
            calls += [b"a %d 1000\n" % new for new in range(number, number + 64)]
        calls += [b"f %d\n" % old for old in range(40960 - 64, 40960)]
        self.assertEqual(self.live(calls), (64000, 64000))

    def test_the_one_high_moment_of_a_program_is_in_its_fit(self):
        # 20,000 blocks of 100 bytes, ten alive at once; within them, once, 500 of 10,000 bytes that are gone at once.
        calls, number = [], 0
        for step in range(20000):
            calls.append(b"a %d 100\n" % number)
            if step >= 10:
                calls.append(b"f %d\n" % oldest.pop(0))
            else:
                oldest = [] if step == 0 else oldest
            oldest.append(number)
            number += 1
            if step == 12345:
                calls += [b"a %d 10000\n" % (number + i) for i in range(500)] + [b"f %d\n" % (number + i) for i in range(500)]
                number += 500
        self.assertEqual(self.live(calls), (500 * 10000 + 1000, 500 * 10000 + 1000))

    def test_short_lived_large_blocks_do_not_meet_in_the_fit(self):
        # A megabyte each, never two at once, between small ones that stay.
        calls = []
        for number in range(5000):
            calls += [b"a %d 16\n" % (2 * number), b"a %d 1048576\n" % (2 * number + 1), b"f %d\n" % (2 * number + 1)]
        self.assertEqual(self.live(calls), (5000 * 16 + 1048576, 5000 * 16 + 1048576))

    def test_a_vector_that_grows_is_moved_in_the_fit(self):
        # To 64 MB by doubling, between blocks that stay; and the same again, after it was freed.
        calls, number = [], 2
        for turn in range(2):
            calls.append(b"a %d 1000\n" % turn)
            for doubled in range(1, 17):
                for _ in range(200):
                    calls.append(b"a %d 48\n" % number)
                    number += 1
                calls.append(b"r %d %d\n" % (turn, 1000 << doubled))
            calls.append(b"f %d\n" % turn)
        most = (number - 2) * 48 + (1000 << 16)
        self.assertEqual(self.live(calls), (most, most))
        with open(self.folder("a.fit"), encoding="utf-8") as file:
            (thread,) = json.load(file)["threads"]
        moving = thread["moving"]
        rows = [moving[at:at + 7] for at in range(0, len(moving), 7)]
        # Of the sixteen moves those to 128,000 bytes and more, and that to 64,000, of which the next one is.
        self.assertEqual(sum(row[3] for row in rows if row[5]), 2 * 10)
        self.assertEqual(sum(row[3] for row in rows if row[6]), 2 * 10)

    def test_a_peak_that_is_off_is_told(self):
        # Threads take turns, a call each; small moves are one call in the trace and two in the fit: here those of one thread make it
        # late for the high moment of the other.
        pairs = lambda block, count: [(2, block, 10), (5, block)] * count
        late = [(2, 1, 10)] + [(4, 1, 1, 10)] * 2000 + [(2, 2, 1000000)] + pairs(5, 50) + [(5, 2)]
        early = pairs(3, 1000) + [(2, 4, 1000000)] + pairs(6, 50) + [(5, 4)]
        trace, fitted = self.live(self.workload(late, early), "wl")
        self.assertAlmostEqual(trace, 2000020, delta=20)
        self.assertLess(fitted, 1.1e6)
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertRegex(ran.stdout, r"20000\d\d bytes in the trace, \d+ in the fit, -.* %; more than 10 % off")

    def test_a_thread_of_few_blocks_is_no_sequence(self):
        self.imported("rep", self.write("a.rep", b"1\n2\n3\n4\n" + b"".join(b"a %d 100\nf %d\n" % (i, i) for i in range(120))))
        (thread,) = self.fit()["threads"]
        self.assertLessEqual(thread["stretches"], 2)

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
        path = self.write("a.fit", self.document(b'"passing": [], "staying": [0, 2147483648, -1, 2147483648], "moving": []', 64))
        ran = tidemark("replay", path, "-a", "glibc", "-o", self.folder("run"), env={**os.environ, "TMPDIR": self.scratch})
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn("takes more than half of the memory of this machine", ran.stderr)
        self.assertEqual(os.listdir(self.scratch), ["a.fit"])

    @staticmethod
    def document(thread, threads=1):
        return b'{"tidemark_fit": 2, "threads": [%s]}' % b", ".join([b'{"stretches": 3, "last": [1, 10, 4096], %s}' % thread] * threads)

    def test_what_is_no_fit_is_refused(self):
        document = self.document
        arrays = lambda passing=b"", staying=b"", moving=b"": document(
            b'"passing": [%s], "staying": [%s], "moving": [%s]' % (passing, staying, moving))
        good = arrays(b"0, 10, 0, 1", b"0, 10, 3, 1, 1, 10, -1, 1", b"2, 100000, 2, 1, 0, 0, 1, 2, 200000, 3, 1, 0, 100000, 0")
        ran = tidemark("replay", self.write("a.fit", good), "-a", "glibc", "--rounds", "1", "--no-control", "--warm-up", "0", "-o",
                       self.folder("run"))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        for content in (b"{}", b'{"tidemark_fit": "2"}', b'{"tidemark_fit": 2, "threads": []}', document(b'"passing": [0, 10, 0, 1]'),
                        good.replace(b"[1, 10, 4096]", b"[1, 10]"), good.replace(b"[1, 10, 4096]", b"[1, 10, 0]"),
                        arrays(), arrays(b"0, 10, 0"), arrays(b"3, 10, 0, 1"), arrays(b"-1, 10, 0, 1"), arrays(b"0, 10, 161, 1"),
                        arrays(b"0, 10, -1, 1"), arrays(b"0, 10, 0, 0"), arrays(b"0, 9, 0, 10"), arrays(b"0, 1.5, 0, 1"),
                        arrays(b"0, 10, 0, 2147483649"), arrays(b"0, 281474976710656, 0, 1"),
                        arrays(b"0, 9000000000000000000, 0, 40000"), arrays(staying=b"1, 10, 1, 1"), arrays(staying=b"1, 10, 0, 1"),
                        arrays(staying=b"1, 10, 4, 1"), arrays(staying=b"1, 10, -2, 1"), arrays(moving=b"0, 10, 1, 1, 0, 0"),
                        arrays(moving=b"0, 10, -1, 1, 0, 0, 1"), arrays(moving=b"0, 10, 1, 1, 0, 0, 2"),
                        arrays(moving=b"0, 10, 1, 1, 0, -1, 0"), arrays(moving=b"0, 10, 1, 1, 0, 281474976710656, 0")):
            ran = tidemark("replay", self.write("a.fit", content), "-a", "glibc", "-o", self.folder("refused"))
            self.assertEqual(ran.returncode, 2, (content, ran.stderr))
            self.assertIn("it is no fit of tidemark fit", ran.stderr, content)
            self.assertFalse(os.path.exists(self.folder("refused")))

    def test_moves_without_what_they_move_are_made_all_the_same(self):
        made = self.document(b'"passing": [], "staying": [], "moving": [0, 100000, 3, 1, 0, 70000, 0, 1, 90000, 1, 2, 0, 5, 1]')
        ran = tidemark("replay", self.write("a.fit", made), "-a", "glibc", "--rounds", "1", "--no-control", "--warm-up", "0", "-o",
                       self.folder("run"))
        self.assertEqual(ran.returncode, 0, ran.stderr)

    def test_a_fit_of_another_format_is_told_as_such(self):
        for form in (1, 3):
            old = b'{"tidemark_fit": %d, "stretches": 64, "threads": [{"blocks": 1, "cells": [0, 1, 0, 1]}]}' % form
            ran = tidemark("replay", self.write("a.fit", old), "-a", "glibc", "-o", self.folder("run"))
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(f"it is a fit of format {form}, and this tidemark reads format 2: make it anew with `tidemark fit`", ran.stderr)


if __name__ == "__main__":
    unittest.main()
