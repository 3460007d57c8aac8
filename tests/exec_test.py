"""`tidemark exec` from outside: programs that hold known amounts, alone and as trees, and rows that never were."""
import json
import os
import subprocess
import unittest

import sys
sys.path.insert(0, "tests")
from tidemark_run import Scratch, tidemark  # noqa: E402

STATIC = os.environ["RECORDED_STATIC"]
PYTHON = "/usr/bin/python3"
MB = 1e6
HOLD = "import time; x = [bytes(600) for _ in range(100000)]; time.sleep(0.2)"  # some 66 MB


class Executing(Scratch):
    def run_program(self, *command, rows="glibc,jemalloc", options=(), status=0):
        """Samples by row, and what was said."""
        folder = self.folder()
        ran = tidemark("exec", "-a", rows, "-o", folder, "--warm-up", "0", *options, "--", *command)
        self.assertEqual(ran.returncode, status, ran.stderr)
        with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
            cells = json.load(file)["cells"]
        with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
            return {cells[sample["cell"]]["allocator"]: sample for sample in map(json.loads, file)}, ran.stderr


class Figures(Executing):
    def test_a_program_runs_on_the_malloc_of_its_row(self):
        samples, _ = self.run_program(PYTHON, "-c", HOLD, rows="glibc,jemalloc,mimalloc")
        for row, file in (("glibc", "libc.so.6"), ("jemalloc", "libjemalloc.so"), ("mimalloc", "libmimalloc.so")):
            self.assertEqual(samples[row]["status"], "ok", samples[row])
            self.assertIn(file, samples[row]["providers"]["object"])
            self.assertTrue(60 * MB < samples[row]["peak_bytes"] < 110 * MB, samples[row]["peak_bytes"])
            self.assertGreater(samples[row]["wall_ns"], 0.2e9)

    def test_what_a_tree_holds_together_is_its_peak(self):
        script = "".join(f"{PYTHON} -c '{HOLD}' & " for _ in range(3)) + "wait"
        samples, _ = self.run_program("sh", "-c", script)
        for sample in samples.values():
            self.assertTrue(3 * 60 * MB < sample["peak_bytes"] < 3 * 90 * MB, sample["peak_bytes"])

    def test_a_program_tells_its_phases(self):
        script = ("import os, time\n"
                  "phases = os.fdopen(int(os.environ['TIDEMARK_PHASE_FD']), 'w')\n"
                  "print('build', file=phases, flush=True)\n" + HOLD + "\n"
                  "print('drop', file=phases, flush=True)\n"
                  "del x; time.sleep(0.1)\nprint('end', file=phases, flush=True)\ntime.sleep(0.1)\n")
        samples, _ = self.run_program(PYTHON, "-c", script, rows="glibc")
        phases = {phase["name"]: phase for phase in samples["glibc"]["phases"]}
        self.assertEqual(list(phases), ["run", "build", "drop", "end"])
        self.assertGreater(phases["build"]["rss_bytes"], 60 * MB)
        self.assertGreater(phases["build"]["wall_ns"], 0.2e9)

    def test_a_program_tells_its_phases_by_the_module(self):
        script = "import sys, time; sys.path.insert(0, 'harness/phase'); import tidemark_phase\n" \
                 "tidemark_phase.begin('one'); time.sleep(0.05); tidemark_phase.begin('two')"
        samples, _ = self.run_program(PYTHON, "-c", script, rows="glibc")
        self.assertEqual([phase["name"] for phase in samples["glibc"]["phases"]], ["run", "one", "two"])

    def test_a_program_tells_its_phases_by_the_header(self):
        source, program = self.folder("phases.c"), self.folder("phases")
        with open(source, "w", encoding="utf-8") as file:
            file.write('#include "harness/phase/tidemark_phase.h"\n'
                       'int main(void)\n{\n    tidemark_phase("one");\n    usleep(50000);\n    tidemark_phase("two");\n    return 0;\n}\n')
        subprocess.run(["gcc", "-std=c99", "-D_DEFAULT_SOURCE", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-I.", "-o", program, source], check=True)
        self.assertEqual(subprocess.run([program], check=False).returncode, 0)  # where nobody measures
        samples, _ = self.run_program(program, rows="glibc")
        self.assertEqual([phase["name"] for phase in samples["glibc"]["phases"]], ["run", "one", "two"])

    def test_what_was_held_at_the_end_is_the_last_phases(self):
        samples, _ = self.run_program(PYTHON, "-c", "import os; " + HOLD + "; os._exit(0)", rows="glibc")
        self.assertGreater(samples["glibc"]["phases"][-1]["rss_bytes"], 60 * MB)

    def test_tunables_of_the_row_reach_the_program(self):
        script = "import os, sys; sys.exit(0 if 'arena_max=1' in os.environ['GLIBC_TUNABLES'] else 5)"
        self.run_program(PYTHON, "-c", script, rows="glibc+arena_max:1")

    def test_the_environment_is_the_callers(self):
        os.environ["TIDEMARKS_TEST"] = "here"
        self.addCleanup(os.environ.pop, "TIDEMARKS_TEST")
        self.run_program("sh", "-c", 'test "$TIDEMARKS_TEST" = here', rows="glibc")


class Comparing(Executing):
    def test_another_exit_status_is_told(self):
        _, said = self.run_program("sh", "-c", 'case "$LD_PRELOAD" in *jemalloc*) exit 3;; esac', status=1)
        self.assertIn("on jemalloc the program ended with status 3, on glibc with 0", said)

    def test_the_same_exit_status_is_no_error(self):
        self.run_program("sh", "-c", "exit 4")

    def test_a_signal_is_an_exit_status_as_of_a_shell(self):
        _, said = self.run_program("sh", "-c", 'case "$LD_PRELOAD" in *jemalloc*) kill -9 $$;; esac', status=1)
        self.assertIn("on jemalloc the program ended with status 137, on glibc with 0", said)

    def test_another_output_is_told_when_asked_for(self):
        _, said = self.run_program("sh", "-c", "echo $LD_PRELOAD", options=("--compare-output",), status=1)
        self.assertIn("on jemalloc the program wrote something else than on glibc", said)
        self.assertEqual(tidemark("exec", "-a", "glibc,jemalloc", "--warm-up", "0", "-o", self.folder("other"), "--", "sh", "-c", "echo $LD_PRELOAD").returncode, 0)


class Rows(Executing):
    def test_a_static_program_is_an_error_row(self):
        samples, _ = self.run_program(STATIC, "each", status=1)
        for sample in samples.values():
            self.assertEqual(sample["status"], "exit")
            self.assertIn("was never loaded: the program is linked statically", sample["reason"])

    def test_a_program_that_drops_its_environment_is_an_error_row(self):
        samples, _ = self.run_program("env", "-i", PYTHON, "-c", HOLD, rows="jemalloc", status=1)
        self.assertRegex(samples["jemalloc"]["reason"], r"^python3(\.\d+)? \(\d+\.\d MB\), which the program started, did not load libjemalloc")

    def test_a_row_without_a_library_is_not_available(self):
        ran = tidemark("exec", "-a", "bump", "-o", self.folder(), "--", "true")
        self.assertIn("a program cannot run on bump", ran.stdout + ran.stderr)

    def test_a_command_that_is_not_there_is_an_error(self):
        samples, _ = self.run_program("/nowhere/program", rows="glibc", status=1)
        self.assertIn("No such file or directory", samples["glibc"]["reason"])

    def test_mistakes_of_the_command_line(self):
        for arguments, said in ((("-a", "glibc"), "what? A command, behind --"), (("--", "ls"), "on what? Rows"),
                                (("-a", "glibc", "ls"), "'ls'? The command stands behind --"),
                                (("-a", "glibc", "--repeat", "0", "--", "ls"), "0"),
                                (("-a", "glibc", "--", "x" * 4000), "the command is too long")):
            ran = tidemark("exec", *arguments)
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(said, ran.stderr)


if __name__ == "__main__":
    unittest.main()
