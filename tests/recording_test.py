"""`tidemark record`, `trace` and `replay` from outside: programs whose calls are known, however they end.

The programs are recorded_program.c; sizes from 7000 on are theirs alone.
"""
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
import unittest
import unittest.mock

import sys
sys.path.insert(0, "tests")
from tidemark_run import TIDEMARK, Scratch, tidemark  # noqa: E402

PROGRAM = os.environ["RECORDED_PROGRAM"]
STATIC = os.environ["RECORDED_STATIC"]
SIGNAL_MALLOC = os.environ["SIGNAL_MALLOC"]
RELOADED = os.environ["RELOADED_MODULES"].split(":")
RECORDED = re.compile(r"(\d+) events of (\d+) threads? in (\d+) process(?:es)?")


class Recording(Scratch):
    def record(self, *arguments, status=0, options=()):
        """What is said of a program that is recorded into a.trace."""
        ran = tidemark("record", "-o", self.folder("a.trace"), *options, "--", *arguments)
        self.assertEqual(ran.returncode, status, ran.stderr)
        return ran.stderr

    def trace(self, status=0):
        ran = tidemark("trace", "--json", self.folder("a.trace"))
        self.assertEqual(ran.returncode, status, ran.stderr)
        return json.loads(ran.stdout)

    def own(self, trace):
        """Blocks of sizes that only the program asks for: all of 4096 bytes and more, but for a buffer or two of stdio."""
        return sum(size["blocks"] for size in trace["sizes"] if size["below_bytes"] > 4096)


class Programs(Recording):
    def test_each_kind_of_call_is_there(self):
        self.record(PROGRAM, "each")
        trace = self.trace()
        self.assertEqual(trace["calls"]["aligned"], 100)
        self.assertEqual(trace["calls"]["realloc"], 100)
        self.assertGreaterEqual(trace["calls"]["calloc"], 100)
        self.assertEqual(self.own(trace), 500)
        self.assertGreaterEqual(trace["left"], 10)
        self.assertGreaterEqual(trace["left_bytes"], 70000)
        self.assertTrue(trace["peak_is_exact"])
        self.assertEqual(trace["made"] - trace["ended"], trace["left"])
        # Ten that stay, and the largest on top of them.
        self.assertTrue(2000000 + 80000 - 10000 <= trace["peak_bytes"] <= 2000000 + 80000 + 120000, trace["peak_bytes"])

    def test_sites_are_named_and_counted(self):
        self.record(PROGRAM, "each", options=("--stacks",))
        trace = self.trace()
        large = next(site for site in trace["sites"] if site["bytes"] == 100 * 2007000)
        self.assertEqual((large["blocks"], large["left_blocks"]), (100, 0))
        self.assertTrue(any(call.startswith("call_each") and "recorded_program" in call for call in large["stack"]), large["stack"])
        self.assertTrue(any(site["left_blocks"] == 10 and site["left_bytes"] == 70000 for site in trace["sites"]), trace["sites"])
        shown = tidemark("trace", self.folder("a.trace")).stdout
        self.assertIn("by where it was asked for", shown)
        self.assertIn("never freed: 70 kB in 10", shown)

    def test_without_stacks_there_are_no_sites(self):
        self.record(PROGRAM, "each")
        self.assertEqual(self.trace()["sites"], [])
        self.assertNotIn("asked for, the innermost", tidemark("trace", self.folder("a.trace")).stdout)

    def test_a_block_that_another_thread_frees_is_told(self):
        said = self.record(PROGRAM, "threads")
        trace = self.trace()
        self.assertEqual(RECORDED.search(said).group(2), "2")
        self.assertEqual(trace["calls"]["thread_starts"], 1)
        self.assertEqual(trace["remote"], 200)
        self.assertEqual(self.own(trace), 200)

    def test_two_thousand_threads_one_after_the_other(self):
        said = self.record(PROGRAM, "many-threads")
        self.assertEqual(RECORDED.search(said).group(2), "2001")
        self.assertGreaterEqual(self.own(self.trace()), 2000)

    def test_two_thousand_threads_at_once(self):
        said = self.record(PROGRAM, "threads-at-once")
        self.assertEqual(RECORDED.search(said).group(2), "2001")
        trace = self.trace()
        self.assertGreaterEqual(self.own(trace), 2000)
        self.assertNotIn("were lost", said)

    def test_a_forked_process_is_in_it_too(self):
        said = self.record(PROGRAM, "fork")
        trace = self.trace()
        self.assertEqual(RECORDED.search(said).group(3), "2")
        self.assertEqual(self.own(trace), 2)
        self.assertEqual((trace["inherited"], trace["remote"], trace["left"]), (1, 0, 1), "the child frees its copy")

    def test_what_exec_begins_is_in_it_too(self):
        said = self.record(PROGRAM, "exec", PROGRAM)
        self.assertEqual(RECORDED.search(said).group(3), "2")
        self.assertEqual(self.own(self.trace()), 1000)

    def test_an_end_without_atexit_loses_nothing(self):
        self.record(PROGRAM, "exit", status=7)
        self.assertEqual(self.own(self.trace()), 500)

    def test_a_program_that_is_killed_is_there_up_to_then(self):
        self.record(PROGRAM, "kill", status=128 + signal.SIGKILL)
        self.assertEqual(self.own(self.trace()), 500)

    def test_a_shell_and_its_programs_are_told_apart(self):
        self.record("sh", "-c", f"'{PROGRAM}' each; '{PROGRAM}' many")
        ran = tidemark("trace", self.folder("a.trace"))
        self.assertEqual(len(re.findall(r"^ +\d+ +recorded_program ", ran.stdout, re.M)), 2, ran.stdout)

    def test_of_many_processes_those_with_most_events_are_named(self):
        self.record("sh", "-c", f"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13; do env true; done; '{PROGRAM}' many")
        table = tidemark("trace", self.folder("a.trace")).stdout.partition("events\n")[2].partition("\n\n")[0].splitlines()
        self.assertEqual(len(table), 13, table)
        self.assertRegex(table[0], "recorded_program")
        events = [int(line.split()[2]) for line in table]
        self.assertEqual(events[:-1], sorted(events[:-1], reverse=True))
        self.assertEqual(table[-1].split()[:2], ["all", "others"])
        self.assertGreater(events[-1], 0)

    def test_a_row_serves_the_program(self):
        self.record(PROGRAM, "each", options=("-a", "jemalloc"))
        self.assertEqual(self.trace()["about"]["malloc"], "jemalloc")

    def test_times_are_those_of_each_event(self):
        self.record(PROGRAM, "many", options=("--times",))
        with_times = os.path.getsize(self.folder("a.trace"))
        trace = self.trace()
        self.assertEqual((trace["curve_over"], trace["curve_end"]), ("time", trace["duration_ns"]))
        self.assertLessEqual(trace["peak_ns"], trace["duration_ns"])
        self.record(PROGRAM, "many")
        self.assertGreater(with_times, 2 * os.path.getsize(self.folder("a.trace")))

    def test_few_bytes_are_kept_of_an_event(self):
        said = self.record(PROGRAM, "many")
        self.assertLess(float(re.search(r"([\d.]+) bytes an event", said).group(1)), 0.5)


class Stacks(Recording):
    """Those that are walked by our own rules are those of libunwind."""

    def sites(self, *arguments, unwinder=None):
        with unittest.mock.patch.dict(os.environ, {"TIDEMARK_UNWINDER": unwinder} if unwinder else {}):
            self.record(*arguments, options=("--stacks",))
        return sorted((site["bytes"], site["blocks"], site["stack"]) for site in self.trace()["sites"])

    def check(self, *arguments):
        own = self.sites(*arguments)
        self.assertGreater(len(own), 0)
        self.assertEqual(own, self.sites(*arguments, unwinder="libunwind"))
        return own

    def test_of_a_program_in_c(self):
        self.check(PROGRAM, "each")

    def test_of_threads(self):
        self.check(PROGRAM, "threads")
        self.check(PROGRAM, "many-threads")

    def test_of_an_interpreter(self):
        self.check("python3", "-S", "-E", "-c", "import json; x = [json.dumps([i] * 1000) for i in range(2000)]")

    def test_of_a_library_that_comes_to_where_another_was(self):
        ran = tidemark("record", "-o", self.folder("a.trace"), "--stacks", "--", PROGRAM, "reload", *RELOADED)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual(ran.stdout.strip(), "same place", "else nothing is checked here")
        site = next(site for site in self.trace()["sites"] if site["bytes"] == 100 * (7100 + 7101))
        self.assertEqual(site["blocks"], 200)
        self.assertTrue(site["stack"][1].startswith("reload "), site)
        self.assertTrue(site["stack"][2].startswith("main "), site)
        self.assertTrue(site["stack"][-1].startswith("_start"), site)


class Signals(Recording):
    """A handler that mallocs each 100 us, on a malloc that lets it."""

    def interrupted(self, which, *options):
        """The trace, what was said, and how often the program and its handlers did what they do."""
        ran = tidemark("record", "-o", self.folder("a.trace"), "-a", SIGNAL_MALLOC, *options, "--", PROGRAM, which)
        self.assertEqual(ran.returncode, 0, ran.stderr)
        trace = self.trace()
        self.assertEqual(trace["made"] - trace["ended"], trace["left"])
        return trace, ran.stderr, *map(int, ran.stdout.split())

    def made(self, trace, below):
        return next(size["blocks"] for size in trace["sizes"] if size["below_bytes"] == below)

    def check_each_call_is_there(self, *options):
        trace, said, rounds, handlers = self.interrupted("signals", *options)
        self.assertGreater(handlers, 100)
        self.assertEqual(trace["calls"]["realloc"], rounds + handlers)
        self.assertAlmostEqual(self.made(trace, 32), 3 * rounds, delta=20)  # the loader and libc ask for some
        self.assertAlmostEqual(self.made(trace, 64), 4 * handlers, delta=20)
        self.assertLess(trace["left"], 20)
        self.assertNotIn("free was not seen", said)
        self.assertNotIn("signal handlers", said)

    def test_no_call_is_lost_where_a_handler_interrupts_another(self):
        self.check_each_call_is_there()

    def test_nor_where_events_have_stamps(self):
        self.check_each_call_is_there("--times")

    def test_with_stacks_the_programs_own_are_there(self):
        trace, said, rounds, handlers = self.interrupted("signals", "--stacks")
        self.assertNotIn("free was not seen", said)
        self.assertAlmostEqual(self.made(trace, 32), 3 * rounds, delta=20)
        self.assertLessEqual(trace["calls"]["realloc"], rounds + handlers)
        self.assertGreaterEqual(trace["calls"]["realloc"], rounds)
        self.assertLess(trace["left"], 20)

    def test_calls_beyond_the_room_for_them_are_told(self):
        trace, said, rounds, _ = self.interrupted("bursts")
        self.assertRegex(said, r"\d+ calls of signal handlers are not in it: too many at once")
        self.assertAlmostEqual(self.made(trace, 32), 3 * rounds, delta=20)


class Refusals(Recording):
    def test_a_static_program_is_not_recorded_and_that_is_said(self):
        said = self.record(STATIC, "each", status=1)
        self.assertIn("nothing was recorded: the program did not load libtidemark-record.so", said)
        self.assertFalse(os.path.exists(self.folder("a.trace")))
        self.assertFalse(os.path.exists(self.folder("a.trace.partial")))

    def test_a_command_that_is_not_there(self):
        said = self.record("/nowhere/program", status=127)
        self.assertIn("cannot execute /nowhere/program: No such file or directory", said)
        self.assertFalse(os.path.exists(self.folder("a.trace")))

    def test_a_folder_that_cannot_be_written(self):
        ran = tidemark("record", "-o", self.folder("none/a.trace"), "--", PROGRAM, "each")
        self.assertEqual(ran.returncode, 2)
        self.assertIn(f"cannot write {self.folder('none/a.trace.partial')}: No such file or directory", ran.stderr)

    def test_what_the_command_is_given_is_not_written_over(self):
        shutil.copy(PROGRAM, self.folder("program"))
        with open(self.folder("script"), "w", encoding="utf-8") as file:
            file.write("true\n")
        for output, command in (("program", ("program", "each")), ("script", ("/bin/sh", "script")), ("script", ("sh", "script"))):
            ran = tidemark("record", "-o", self.folder(output), "--",
                           *(self.folder(word) if os.path.exists(self.folder(word)) else word for word in command))
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(f"would replace '{self.folder(output)}', which the command is given", ran.stderr)
        with open(self.folder("script"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "true\n")

    def test_mistakes_of_the_command_line(self):
        for arguments, said in ((("--", PROGRAM), "where to? -o FILE"),
                                (("-o", "x"), "what of? A command, behind --"),
                                (("-o", "x", "ls"), "'ls'? The command stands behind --"),
                                (("-o", "x", "--level", "20", "--", "ls"), "--level: '20' is no number between 1 and 19"),
                                (("-o", "x", "-a", "bump", "--", "ls"), "no library holds its malloc"),
                                (("-o", "x", "-a", "jemaloc", "--", "ls"), "jemaloc")):
            ran = tidemark("record", *arguments)
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(said, ran.stderr)
            self.assertFalse(os.path.exists("x"))

    def test_a_file_that_is_no_trace(self):
        ran = tidemark("trace", __file__)
        self.assertEqual(ran.returncode, 1)
        self.assertIn("is no trace of tidemark record", ran.stderr)

    def test_a_trace_that_was_cut_is_shown_up_to_there(self):
        self.record(PROGRAM, "many")
        path = self.folder("a.trace")
        os.truncate(path, os.path.getsize(path) - 100)
        ran = tidemark("trace", path)
        self.assertEqual(ran.returncode, 0)
        self.assertRegex(ran.stderr, r"from byte \d+ on it is not readable: it is cut off")


class Replays(Recording):
    def replay(self, *options, status=0):
        """The summary of a run that replays a.trace once on each row."""
        folder = self.folder("run")
        ran = tidemark("replay", self.folder("a.trace"), "--rounds", "1", "--no-control", "--no-repeats", "--warm-up", "0",
                       "--idle", "0s", "-o", folder, *options)
        self.assertEqual(ran.returncode, status, ran.stderr)
        with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
            cells = json.load(file)["cells"]
        found = {cell["allocator"]: {"status": "n/a", "reason": cell["not_available"]} for cell in cells}
        with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
            found.update((cells[sample["cell"]]["allocator"], sample) for sample in map(json.loads, file))
        return found, ran.stderr

    def test_a_replay_does_what_was_recorded(self):
        self.record(PROGRAM, "each")
        trace = self.trace()
        samples, _ = self.replay("-a", "glibc,jemalloc,mimalloc,pymalloc")
        self.assertIn("aligned blocks, and pymalloc has no aligned_alloc", samples.pop("pymalloc")["reason"])
        self.assertEqual(len(samples), 3)
        operations = trace["made"] + trace["ended"] - trace["calls"]["realloc"]
        for sample in samples.values():
            self.assertEqual(sample["status"], "ok", sample)
            self.assertEqual(sample["operations"], operations)
            (phase,) = [phase for phase in sample["phases"] if phase["name"] == "replay"]
            self.assertEqual(phase["live_bytes"], trace["left_bytes"])
        self.assertEqual(len({sample["checksum"] for sample in samples.values()}), 1)

    def test_threads_are_threads_again(self):
        self.record(PROGRAM, "threads")
        samples, said = self.replay("-a", "glibc,pymalloc")
        self.assertEqual(samples["glibc"]["status"], "ok", samples["glibc"])
        self.assertEqual(samples["pymalloc"]["status"], "n/a")
        self.assertIn("the trace has 2 threads", samples["pymalloc"]["reason"])

    def test_of_several_processes_the_largest_is_replayed(self):
        self.record("sh", "-c", f"'{PROGRAM}' many; '{PROGRAM}' each")
        samples, said = self.replay("-a", "glibc")
        self.assertIn("of 3 processes the one with the most events is replayed, recorded_program", said)
        self.assertEqual(samples["glibc"]["status"], "ok")

    def test_of_several_processes_the_largest_is_fitted_and_that_is_told(self):
        self.record("sh", "-c", f"'{PROGRAM}' many; '{PROGRAM}' each")
        ran = tidemark("fit", self.folder("a.trace"), "-o", self.folder("a.fit"))
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertIn("of 3 processes the one with the most events is fitted, recorded_program", ran.stderr)

    def test_what_is_no_trace_is_refused_before_the_run(self):
        ran = tidemark("replay", __file__, "-a", "glibc", "-o", self.folder("run"))
        self.assertEqual(ran.returncode, 2, ran.stderr)
        self.assertIn("is no trace of tidemark record", ran.stderr)
        self.assertFalse(os.path.exists(self.folder("run")))

    def test_the_trace_stands_before_all_options(self):
        ran = tidemark("replay", "-a", "glibc")
        self.assertEqual(ran.returncode, 2)


class Overhead(Scratch):
    def overhead(self, *arguments, status=0, **options):
        ran = tidemark("overhead", "--record", "--rounds", "1", "--json", *arguments,
                       env={**os.environ, "TMPDIR": self.scratch}, **options)
        self.assertEqual(ran.returncode, status, ran.stderr)
        self.assertEqual(os.listdir(self.scratch), [])
        return ran

    def test_a_program_is_held_against_itself_recorded(self):
        ran = self.overhead("--", PROGRAM, "each")
        figures = {figure["name"]: figure["median"] for figure in json.loads(ran.stdout)}
        own = {"program", "record_events", "record", "record_program", "record_stacks", "record_bytes", "record_stacks_bytes"}
        if shutil.which("heaptrack"):
            self.assertEqual(set(figures), own | {"heaptrack", "heaptrack_bytes"})
        else:
            self.assertEqual(set(figures), own)
            self.assertIn("heaptrack is n/a: it is not installed (Debian package heaptrack)", ran.stderr)
        self.assertAlmostEqual(figures["record_events"], 890e-6, delta=50e-6)
        self.assertLessEqual(figures["record_program"], figures["record"])
        self.assertTrue(all(value > 0 for value in figures.values()), figures)

    def test_a_trace_without_large_blocks_is_replayed_on_null(self):
        script = "for _ in range(8): [str(number) for number in range(100000)]"
        ran = self.overhead("--", "env", "PYTHONMALLOC=malloc", sys.executable, "-S", "-c", script)
        figures = {figure["name"]: figure for figure in json.loads(ran.stdout)}
        speed, held = figures["replay_null"], figures["replay_bytes"]
        self.assertEqual((speed["unit"], speed["aim"], speed["aim_is_least"]), ("M/s", 100, True))
        self.assertEqual((held["unit"], held["aim"], held["aim_is_least"]), ("B", 16, False))
        self.assertTrue(0.5 < speed["median"] < 5000, speed)
        # A word of 8 bytes each, and 16 for each of the 100,000 blocks that are alive at once, of 1.6 million operations.
        self.assertAlmostEqual(held["median"], 8 + 16 / 16, delta=0.7)
        shown = tidemark("overhead", "--record", "--rounds", "1", "--", "env", "PYTHONMALLOC=malloc", sys.executable, "-S", "-c", script)
        self.assertRegex(shown.stdout, r"replay_null .* M/s +aim: at least 100; too few rounds")
        self.assertRegex(shown.stdout, r"replay_bytes .* B +aim: at most 16; too few rounds")

    def test_what_null_cannot_replay_is_told(self):
        said = self.overhead("--", PROGRAM, "each").stderr
        self.assertIn("replay_null and replay_bytes are n/a: the replay on null: ", said)
        self.assertIn("Cannot allocate memory", said)

    def test_a_trace_too_short_to_tell_what_it_holds_is_told(self):
        ran = self.overhead("--", "sh", "-c", ":")
        self.assertIn("replay_bytes is n/a: the replay of so short a trace holds less than 1 MiB", ran.stderr)
        self.assertIn("replay_null", [figure["name"] for figure in json.loads(ran.stdout)])

    def interrupted(self, number, *arguments, until):
        """What it came to, when the signal was sent once that was on its stderr, or there, as a file."""
        with subprocess.Popen([TIDEMARK, "overhead", "--json", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              env={**os.environ, "TMPDIR": self.scratch}, start_new_session=True) as started:
            try:
                said = ""
                if os.path.isabs(until):
                    self.wait_for(lambda: os.path.exists(until))
                while not os.path.isabs(until) and until not in said:
                    line = started.stderr.readline()
                    self.assertTrue(line, said)
                    said += line
                started.send_signal(number)
                output, errors = started.communicate(timeout=60)
            finally:
                if started.poll() is None:
                    os.killpg(started.pid, signal.SIGKILL)
        self.assertEqual(started.returncode, 130, errors)
        return output, said + errors

    def wait_for(self, condition):
        deadline = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.01)

    def test_an_interrupt_keeps_the_rounds_that_were_done(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            output, said = self.interrupted(number, "--record", "--rounds", "90", "--", sys.executable, "-S", "-c", "list(range(100000))",
                                            until="[3/90]")
            figures = {figure["name"]: figure["n"] for figure in json.loads(output)}
            done = figures["record"]
            self.assertTrue(2 <= done < 90, figures)
            self.assertEqual({figures[name] for name in ("program", "record_stacks", "record_bytes", "replay_null")}, {done})
            self.assertIn(f"tidemark overhead: interrupted; {done} of 90 rounds were done, and the figures are those of them\n", said)
            self.assertEqual(os.listdir(self.scratch), [])

    def test_an_interrupt_ends_all_that_runs_and_leaves_nothing(self):
        # Neither the shell nor what it started ends by the signal.
        script = "trap '' INT TERM HUP; sleep 1000 & echo $! $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; wait; sleep 1000"
        with tempfile.TemporaryDirectory() as folder:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                told = os.path.join(folder, str(number))
                output, said = self.interrupted(number, "--record", "--rounds", "9", "--", "sh", "-c", script, told, until=told)
                self.assertEqual(output, "")
                self.assertTrue(said.endswith("tidemark overhead: interrupted; 0 of 9 rounds were done\n"), said)
                self.assertEqual(os.listdir(self.scratch), [])
                with open(told, encoding="ascii") as file:
                    for process in file.read().split():
                        self.wait_for(lambda process=process: not os.path.exists("/proc/" + process))

    def test_an_interrupt_while_it_is_recorded_leaves_nothing_either(self):
        # As it is, the program is over at once; recorded, it stays.
        script = "case $LD_PRELOAD in *record*) echo $$ > \"$0.new\"; mv \"$0.new\" \"$0\"; exec sleep 1000;; esac"
        with tempfile.TemporaryDirectory() as folder:
            told = os.path.join(folder, "told")
            output, _ = self.interrupted(signal.SIGINT, "--record", "--rounds", "9", "--", "sh", "-c", script, told, until=told)
            self.assertEqual((output, os.listdir(self.scratch)), ("", []))
            with open(told, encoding="ascii") as file:
                process = file.read().strip()
            self.wait_for(lambda: not os.path.exists("/proc/" + process))

    def test_an_interrupt_of_the_harness_s_own_figures_keeps_rounds_too(self):
        output, said = self.interrupted(signal.SIGINT, "--rounds", "90", "--size", "16MiB", until="[2/90]")
        figures = {figure["name"]: figure["n"] for figure in json.loads(output)}
        done = figures["sampling"]
        self.assertTrue(1 <= done < 90, figures)
        self.assertEqual({figures[name] for name in ("loop", "parent_cpu", "phase_boundary", "latency_call", "snapshot_pair")}, {done})
        self.assertIn(f"tidemark overhead: interrupted; {done} of 90 rounds were done, and the figures are those of them\n", said)
        self.assertEqual(os.listdir(self.scratch), [])

    def test_what_the_program_writes_is_thrown_away_and_it_reads_nothing(self):
        script = "import sys; print(1); print(2, file=sys.stderr); sys.exit(sys.stdin.read() != '')"
        ran = self.overhead("--", sys.executable, "-c", script, input="a line")
        self.assertGreater(len(json.loads(ran.stdout)), 5)
        self.assertNotIn("2\n", ran.stderr.splitlines(keepends=True))

    def test_without_a_command_a_program_of_its_own_runs(self):
        """It takes minutes: that it still runs after what a refused word would take is looked at, and what it is."""
        started = subprocess.Popen([TIDEMARK, "overhead", "--record", "--rounds", "1"], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                   env={**os.environ, "TMPDIR": self.scratch}, start_new_session=True)
        try:
            with self.assertRaises(subprocess.TimeoutExpired):
                started.communicate(timeout=1)
            with open(f"/proc/{started.pid}/task/{started.pid}/children", encoding="ascii") as file:
                (child,) = file.read().split()
            with open(f"/proc/{child}/cmdline", encoding="utf-8") as file:
                self.assertIn("cfrac", file.read().split("\0"))
        finally:
            os.killpg(started.pid, signal.SIGKILL)
            started.communicate()

    def test_a_program_may_have_many_words(self):
        script = "import sys; sys.exit(len(sys.argv) != 301)"  # 4 KB of them are too many for heaptrack
        self.overhead("--", sys.executable, "-c", script, *["a"] * 300)

    def test_a_program_that_fails_is_told(self):
        self.assertIn("false did not run to its end", self.overhead("--", "false", status=1).stderr)

    def test_a_command_needs_record(self):
        ran = tidemark("overhead", "--", "true")
        self.assertEqual(ran.returncode, 2)
        self.assertIn("a command is for --record", ran.stderr)


if __name__ == "__main__":
    unittest.main()
