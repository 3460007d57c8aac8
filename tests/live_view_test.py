"""The live view of `tidemark run` on a pseudo-terminal, read by a terminal emulator (pyte) as a user would see it."""
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
import unittest

import pyte

sys.path.insert(0, "tests")
import terminals  # noqa: E402
from tidemark_run import PLAIN, TIDEMARK, Scratch, tidemark  # noqa: E402

RUN = ("run", "-w", "list_lifetime:n=200k", "--no-control", *PLAIN)
WIDE, HIGH = 400, 60
BLOCKS = "▁▂▃▄▅▆▇█"


class Terminal:
    """A program whose stderr is a terminal. The emulator is wider and higher than what the program is told, so that a line
    or a frame that is too large shows as that."""

    def __init__(self, *arguments, columns=80, rows=24, out=subprocess.PIPE, **environment):
        if lacks := terminals.find():
            raise unittest.SkipTest("not run: " + lacks)
        self.main, side = pty.openpty()
        self.screen = pyte.Screen(WIDE, HIGH)
        self.stream = pyte.ByteStream(self.screen)
        self.raw, self.frames = b"", []
        self.resize(columns, rows)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(side, termios.TIOCSCTTY, 0)

        variables = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "LANG")}
        self.process = subprocess.Popen([TIDEMARK, *arguments], stdin=side, stdout=out, stderr=side, preexec_fn=take_terminal,
                                        env={**variables, "TERM": "xterm", "LC_ALL": "C.UTF-8", **environment})
        os.close(side)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()
        os.close(self.main)

    def resize(self, columns, rows):
        fcntl.ioctl(self.main, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def lines(self):
        return "\n".join(line.rstrip() for line in self.screen.display).rstrip().split("\n")

    def feed(self, seconds=0.05):
        """Reads what there is; False at the end."""
        if not select.select([self.main], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.main, 65536)
        except OSError:
            return False
        # Piece by piece: a screen counts when a frame is whole, which ends with the erasing of what is below.
        for piece in re.split(b"(?<=\x1b\\[J)", data):
            self.raw += piece
            self.stream.feed(piece)
            if piece.endswith(b"\x1b[J") and self.lines() != [""]:
                self.frames.append(self.lines())
        return bool(data)

    def read_until(self, is_there, seconds=60):
        deadline = time.monotonic() + seconds
        while not is_there(self):
            if time.monotonic() > deadline or not self.feed():
                raise AssertionError("it did not come:\n" + "\n".join(self.lines()))

    def read_all(self):
        """To the end of the program; its exit status and what it wrote to stdout."""
        deadline = time.monotonic() + 120
        while self.feed() and time.monotonic() < deadline:
            pass
        out = self.process.stdout.read().decode() if self.process.stdout else ""
        return self.process.wait(timeout=30), out


class LiveView(Scratch):
    def start(self, *words, **terminal):
        rows = () if "-a" in words else ("-a", "glibc,pymalloc")
        return Terminal(*RUN, "-o", self.folder(), *rows, *words, **terminal)

    def frames_of(self, *words, **terminal):
        with self.start(*words, **terminal) as shown:
            status, _ = shown.read_all()
        self.assertEqual(status, 0, shown.lines())
        self.assertTrue(shown.frames)
        return shown.frames

    def test_progress_the_curve_and_a_table_that_fills_are_drawn(self):
        frames = self.frames_of("--rounds", "3", "--idle", "500ms")
        for number, frame in enumerate(frames):
            self.assertRegex(frame[0], r"^[█░]{40}  [0-6]/6  (\d+ min )?\d+ s left$", number)
            self.assertRegex(frame[1], r"^round [123], list_lifetime:n=200000,.* on (glibc|pymalloc)$")
            self.assertRegex(frame[3], r"^list_lifetime n=200000,")
            self.assertEqual(frame[4].split(), ["row", "time", "peak", "retained", "n", "dirty"])
            self.assertEqual([line[2:].split()[0] for line in frame[5:]], ["glibc", "pymalloc"])
            running = frame[1].rsplit(" ", 1)[1]
            self.assertEqual([line[2:].split()[0] for line in frame[5:] if line.startswith("> ")], [running])
        curves = [frame[2] for frame in frames if frame[2]]
        self.assertGreater(len(curves), 6, "some are drawn while a sample runs")
        for curve in curves:
            self.assertRegex(curve, r"^[%s]+ \d+\.\d MB, at most \d+\.\d MB, after [\d.]+ m?s$" % BLOCKS)
        self.assertGreater(max(len(set(curve) & set(BLOCKS)) for curve in curves), 2, "it rises and falls")
        self.assertRegex(frames[0][5], r"^. glibc +- +- +- +0 +0$")
        self.assertRegex(frames[-1][5], r"^. glibc +[\d.]+ ms +[\d.]+ MB +[\d.]+ MB +[23] +\d$")
        done = [int(re.search(r"(\d)/6", frame[0]).group(1)) for frame in frames]
        self.assertEqual((done, sorted(set(done))), (sorted(done), [0, 1, 2, 3, 4, 5]))

    def test_it_is_drawn_at_most_five_times_a_second(self):
        with self.start("--rounds", "1", "--idle", "2s", "-a", "glibc") as shown:
            shown.read_until(lambda terminal: len(terminal.frames) >= 2)
            before, began = len(shown.frames), time.monotonic()
            while time.monotonic() < began + 1.5:
                shown.feed()
            drawn = len(shown.frames) - before
            shown.read_all()
        self.assertLessEqual(drawn, 9)
        self.assertGreaterEqual(drawn, 3, "it moves")

    def test_the_terminal_is_left_as_it_was_and_the_table_is_on_stdout(self):
        with self.start("--rounds", "1", "--idle", "300ms") as shown:
            status, out = shown.read_all()
        self.assertEqual((status, shown.lines()), (0, [""]))
        self.assertEqual((shown.screen.cursor.x, shown.screen.cursor.y), (0, 0))
        self.assertIn("run folder: ", out)
        self.assertNotIn(b"\x1b[?", shown.raw, "no mode is changed, so none is left behind")

    def test_no_line_is_wider_and_no_frame_higher_than_the_terminal(self):
        for columns, rows in ((120, 24), (60, 12), (40, 7), (20, 5), (8, 3), (2, 2)):
            with self.subTest(columns=columns, rows=rows):
                with Terminal(*RUN, "-o", self.folder(str(columns)), "-a", "glibc,pymalloc", "--rounds", "1", "--idle", "300ms",
                              columns=columns, rows=rows) as shown:
                    self.assertEqual(shown.read_all()[0], 0)
                for frame in shown.frames:
                    self.assertLess(max(len(line) for line in frame), columns, frame)
                    self.assertLess(len(frame), rows, frame)

    def test_the_row_under_way_is_in_sight_where_not_all_rows_are(self):
        rows = "glibc,pymalloc,jemalloc,mimalloc,tcmalloc,tbb"
        frames = self.frames_of("-a", rows, "--rounds", "1", "--idle", "20ms", rows=9)
        for frame in frames:
            self.assertEqual(len(frame), 8)
            running = frame[1].rsplit(" ", 1)[1]
            self.assertEqual([line[2:].split()[0] for line in frame if line.startswith("> ")], [running])

    def test_a_window_that_changes_is_followed(self):
        with self.start("--rounds", "1", "--idle", "4s", "-a", "glibc", columns=100) as shown:
            for columns in (50, 30, 90):
                shown.resize(columns, 24)
                seen = len(shown.frames)
                shown.read_until(lambda terminal, seen=seen: len(terminal.frames) >= seen + 3)
                for frame in shown.frames[seen + 2:]:
                    self.assertLess(max(len(line) for line in frame), columns)
                    self.assertIn("glibc", "\n".join(frame))
            shown.read_all()
        self.assertGreater(max(len(line) for line in shown.frames[-1]), 50)

    def test_control_c_leaves_what_ran_last_as_a_plain_line(self):
        with self.start("--rounds", "20", "--idle", "400ms") as shown:
            shown.read_until(lambda terminal: terminal.frames and " 2/40 " in terminal.frames[-1][0])
            os.write(shown.main, b"\x03")
            status, out = shown.read_all()
        self.assertEqual(status, 130)
        last, interrupted, finish = shown.lines()
        self.assertRegex(last, r"^\[3/40\] .* left · round 2, list_lifetime:n=200000,.* on \w+$")
        self.assertRegex(interrupted, "^tidemark run: interrupted; what was measured is in ")
        self.assertIn("--resume", finish)
        self.assertIn("glibc", out)

    def test_a_hang_up_by_signal_ends_it_as_well(self):
        with self.start("--rounds", "20", "--idle", "400ms") as shown:
            shown.read_until(lambda terminal: len(terminal.frames) > 3)
            shown.process.send_signal(signal.SIGTERM)
            self.assertEqual(shown.read_all()[0], 130)
        self.assertEqual(len(shown.lines()), 3)

    def test_colours_are_left_out_where_they_are_not_wanted(self):
        colour = re.compile(b"\x1b\\[[0-9;]*m")
        for value, has_colour in (("1", False), ("", True), (None, True)):
            with self.subTest(value=value):
                variables = {} if value is None else {"NO_COLOR": value}
                with Terminal(*RUN, "-o", self.folder("colour %s" % value), "-a", "glibc", "--rounds", "1", "--idle", "300ms",
                              **variables) as shown:
                    self.assertEqual(shown.read_all()[0], 0)
                self.assertEqual(bool(colour.search(shown.raw)), has_colour)
                self.assertIn("█".encode(), shown.raw)

    def test_another_locale_than_utf_8_gets_ascii(self):
        with self.start("--rounds", "2", "--idle", "300ms", LC_ALL="C") as shown:
            self.assertEqual(shown.read_all()[0], 0)
        self.assertTrue(shown.raw.isascii())
        self.assertRegex(shown.frames[-1][0], r"^[#-]{40}  3/4 ")
        self.assertTrue(any(re.match(r"[.:=+*#@-]+ \d+\.\d MB, at most", frame[2]) for frame in shown.frames))

    def test_messages_stay_above_it(self):
        with self.start("-w", "list_lifetime:n=4M", "-a", "glibc", "--rounds", "1", "--memory-limit", "32MiB") as shown:
            self.assertEqual(shown.read_all()[0], 1)
        self.assertEqual(len(shown.lines()), 1)
        self.assertRegex(shown.lines()[0], "^oom: round 1, list_lifetime:n=4000000,")

    def test_a_run_that_asks_for_narrow_intervals_says_where_it_is(self):
        frames = self.frames_of("--rounds", "5", "--idle", "20ms", "--until", "0.01%", "--until-rounds", "7")
        lines = {frame[3].split(" samples")[0] for frame in frames if frame[3].startswith("until")}
        self.assertEqual(lines, {"until 0.01 %: round 6, 2", "until 0.01 %: round 7, 2"})

    def test_plain_lines_are_as_on_a_pipe(self):
        piped = tidemark(*RUN, "-a", "glibc,pymalloc", "--rounds", "1", "--idle", "20ms", "-o", self.folder("pipe")).stderr
        self.assertRegex(piped, r"^\[1/2\] .* left · round 1, list_lifetime:n=200000,.* on \w+\n\[2/2\] .*\n$")
        self.assertNotIn("\x1b", piped)
        for name, words, variables in (("dumb", (), {"TERM": "dumb"}), ("none", (), {"TERM": ""}),
                                       ("plain", ("--progress=plain",), {})):
            with self.subTest(name=name):
                with Terminal(*RUN, "-o", self.folder(name), "-a", "glibc,pymalloc", "--rounds", "1", "--idle", "20ms", *words,
                              **variables) as shown:
                    self.assertEqual(shown.read_all()[0], 0)
                self.assertNotIn(b"\x1b", shown.raw)
                self.assertEqual([line.split(" left")[0][:5] for line in shown.lines()], ["[1/2]", "[2/2]"])

    def test_none_is_none(self):
        ran = tidemark(*RUN, "-a", "glibc", "--rounds", "1", "--idle", "20ms", "--progress=none", "-o", self.folder())
        self.assertEqual((ran.returncode, ran.stderr), (0, ""))
        with Terminal(*RUN, "-a", "glibc", "--rounds", "1", "--idle", "20ms", "--progress=none", "-o",
                      self.folder("terminal")) as shown:
            self.assertEqual(shown.read_all()[0], 0)
        self.assertEqual(shown.raw, b"")

    def test_a_run_that_goes_on_takes_it_too(self):
        with self.start("--rounds", "3", "--idle", "400ms", "-a", "glibc") as shown:
            shown.read_until(lambda terminal: terminal.frames and " 1/3 " in terminal.frames[-1][0])
            shown.process.send_signal(signal.SIGINT)
            shown.read_all()
        with Terminal("run", "--resume", self.folder(), "--progress=live") as shown:
            self.assertEqual(shown.read_all()[0], 0)
        first = [line for line in shown.frames[0] if line.startswith("> ")]
        self.assertRegex(first[0], r"^> glibc +[\d.]+ ms ", "what was measured before is in the table")

    def test_words_that_do_not_fit_are_refused(self):
        for words, says in ((["--progress=bar"], "'bar' is neither live nor plain nor none nor auto"),
                            (["--progress=live"], "'live' needs a terminal")):
            with self.subTest(words=words):
                refused = tidemark(*RUN, *words, "-o", self.folder())
                self.assertEqual(refused.returncode, 2)
                self.assertIn(says, refused.stderr)

    def test_it_goes_on_beneath_a_shell_s_line_after_a_stop(self):
        with self.start("--rounds", "1", "--idle", "4s", "-a", "glibc") as shown:
            shown.read_until(lambda terminal: len(terminal.frames) > 2)
            shown.process.send_signal(signal.SIGSTOP)
            while shown.feed(0.3) and select.select([shown.main], [], [], 0.3)[0]:
                pass
            shown.stream.feed(b"$ fg\r\n")
            shown.process.send_signal(signal.SIGCONT)
            seen = len(shown.frames)
            shown.read_until(lambda terminal: len(terminal.frames) > seen + 1)
            self.assertIn("$ fg", shown.frames[-1])
            self.assertEqual(sum(line.startswith("round 1") for line in shown.frames[-1]), 2, "the one before the stop stays")
            shown.read_all()


if __name__ == "__main__":
    unittest.main()
