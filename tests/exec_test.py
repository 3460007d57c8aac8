"""`tidemark exec` from outside: programs that hold known amounts, alone and as trees, and rows that never were."""
import json
import os
import shutil
import subprocess
import unittest

import sys
sys.path.insert(0, "tests")
from tidemark_run import Scratch, run_into, tidemark  # noqa: E402

STATIC = os.environ["RECORDED_STATIC"]
PYTHON = "/usr/bin/python3"
MB = 1e6
HOLD = "import time; x = [bytes(600) for _ in range(100000)]; time.sleep(0.2)"  # some 66 MB


class Executing(Scratch):
    def run_program(self, *command, rows="glibc,jemalloc", options=(), status=0):
        """Samples by row, the last of each, and what was said."""
        folder = self.folder()
        ran = tidemark("exec", "-a", rows, "-o", folder, "--warm-up", "0", *options, "--", *command)
        self.assertEqual(ran.returncode, status, ran.stderr)
        with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
            cells = json.load(file)["cells"]
        with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
            return {cells[sample["cell"]]["allocator"]: sample for sample in map(json.loads, file)}, ran.stderr


    def build(self, name, text, *options):
        """A program in C."""
        program = self.folder(name)
        with open(program + ".c", "w", encoding="utf-8") as file:
            file.write(text)
        subprocess.run(["gcc", "-std=gnu17", "-O1", "-o", program, program + ".c", *options], check=True)
        return program


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

    def phases_told(self, *names):
        told = "".join(f"tidemark_phase.begin('{name}'); " for name in names)
        samples, _ = self.run_program(PYTHON, "-c", "import sys; sys.path.insert(0, 'harness/phase'); import tidemark_phase; " + told, rows="glibc")
        return [phase["name"] for phase in samples["glibc"]["phases"]]

    def test_a_phase_may_come_again(self):
        self.assertEqual(self.phases_told("load", "serve", "serve", "load", "serve"), ["run", "load", "serve", "load", "serve"])

    def test_the_twelfth_phase_is_the_last_one(self):
        names = ["load", "serve"] * 10
        self.assertEqual(self.phases_told(*names), ["run"] + names[:12])

    def test_a_program_without_the_descriptor_tells_no_phases(self):
        """Of the variables alone, which outlive it: neither into a file that has the number by now, nor with an error."""
        inner = "import os, sys; sys.path.insert(0, 'harness/phase'); import tidemark_phase\n" \
                "tidemark_phase.begin('closed')\n" \
                "os.dup2(os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY), int(os.environ['TIDEMARK_PHASE_FD']))\n" \
                "tidemark_phase.begin('file')\n" \
                "os.dup2(os.pipe()[1], int(os.environ['TIDEMARK_PHASE_FD']))\n" \
                "tidemark_phase.begin('pipe')\n"
        header = self.build("header", '#include "harness/phase/tidemark_phase.h"\nint main(void)\n{\n    tidemark_phase("file");\n    return 0;\n}\n', "-I.")
        script = f"import subprocess, sys; sys.exit(subprocess.run(['{PYTHON}', '-c', sys.argv[1], *sys.argv[2:]]).returncode)"
        files = [self.folder("python.txt"), self.folder("c.txt")]
        samples, _ = self.run_program(PYTHON, "-c", script, inner, files[0], rows="glibc")
        self.assertEqual((samples["glibc"]["exit_status"], len(samples["glibc"]["phases"])), (0, 1))
        shutil.rmtree(self.folder())
        samples, _ = self.run_program("sh", "-c", f'{header} 9> {files[1]} && [ -z "$({header} 9>&1)" ]', rows="glibc")
        self.assertEqual((samples["glibc"]["exit_status"], len(samples["glibc"]["phases"])), (0, 1))
        for name in files:
            self.assertEqual(os.path.getsize(name), 0, name)

    def test_a_program_has_no_other_descriptors(self):
        """3 is that of the look itself; 9 has one digit, which is what dash takes behind >&."""
        script = "import os, sys; sys.exit(0 if sorted(map(int, os.listdir('/proc/self/fd'))) == [0, 1, 2, 3, 9] else 5)"
        samples, _ = self.run_program(PYTHON, "-c", script, rows="glibc")
        self.assertEqual(samples["glibc"]["exit_status"], 0)

    def test_orphans_do_not_stay_as_zombies(self):
        script = "import os, subprocess, sys, time\n" \
                 "for _ in range(8): subprocess.run(['sh', '-c', 'sleep 0.05 &'])\n" \
                 "time.sleep(0.3)\n" \
                 "def stat(pid):\n" \
                 "    try: return open(f'/proc/{pid}/stat').read().rsplit(')')[1].split()[:2]\n" \
                 "    except OSError: return None\n" \
                 "sys.exit(sum(stat(pid) == ['Z', str(os.getppid())] for pid in os.listdir('/proc') if pid.isdigit()))"
        samples, _ = self.run_program(PYTHON, "-c", script, rows="glibc")
        self.assertEqual(samples["glibc"]["exit_status"], 0)

    def test_the_pad_is_in_the_environment(self):
        samples, _ = self.run_program(PYTHON, "-c", "import os, sys; sys.exit(len(os.environ['TIDEMARK_PAD']) % 128)", rows="glibc")
        self.assertEqual(samples["glibc"]["exit_status"], samples["glibc"]["pad_bytes"] % 128)

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
    def test_another_exit_status_is_no_figure(self):
        samples, said = self.run_program("sh", "-c", 'case "$LD_PRELOAD" in *jemalloc*) exit 3;; esac', rows="glibc,jemalloc,mimalloc", options=("--repeat", "2"), status=1)
        reason = "on jemalloc the program ended with status 3, on glibc with 0"
        self.assertIn(reason, said)
        self.assertEqual({row: (sample["status"], sample["exit_status"]) for row, sample in samples.items()},
                         {"glibc": ("ok", 0), "jemalloc": ("exit", 3), "mimalloc": ("ok", 0)})
        self.assertEqual((samples["jemalloc"]["reason"], samples["jemalloc"]["peak_bytes"]), (reason, None))
        shown = tidemark("show", self.folder(), "--json")
        self.assertEqual([(cell["status"], cell["reason"], cell["samples"] > 0) for cell in json.loads(shown.stdout)],
                         [("ok", None, True), ("exit", reason, False), ("ok", None, True)])

    def test_the_same_exit_status_is_no_error(self):
        self.run_program("sh", "-c", "exit 4")

    def test_a_signal_is_an_exit_status_as_of_a_shell(self):
        _, said = self.run_program("sh", "-c", 'case "$LD_PRELOAD" in *jemalloc*) kill -9 $$;; esac', status=1)
        self.assertIn("on jemalloc the program ended with status 137, on glibc with 0", said)

    def test_another_output_is_told_when_asked_for(self):
        _, said = self.run_program("sh", "-c", "echo $LD_PRELOAD", options=("--compare-output",), status=1)
        self.assertIn("on jemalloc the program wrote something else than on glibc", said)
        self.assertEqual(tidemark("exec", "-a", "glibc,jemalloc", "--warm-up", "0", "-o", self.folder("other"), "--", "sh", "-c", "echo $LD_PRELOAD").returncode, 0)


    def test_who_goes_on_writing_is_not_waited_for(self):
        samples, _ = self.run_program("sh", "-c", "yes & exit 0", rows="glibc", options=("--compare-output", "--timeout", "20s"))
        self.assertEqual((samples["glibc"]["status"], samples["glibc"]["exit_status"]), ("ok", 0))


OWN_MALLOC = """
#include <stddef.h>
#include <string.h>
static _Alignas(16) char heap[1 << 24];
static size_t used;
void *malloc(size_t bytes) { size_t at = used; used += (bytes + 15) / 16 * 16; return heap + at; }
void *calloc(size_t count, size_t bytes) { return malloc(count * bytes); }
void *realloc(void *old, size_t bytes) { void *new = malloc(bytes); return old ? memcpy(new, old, bytes) : new; }
void free(void *block) { (void)block; }
int main(void) { return malloc(8) == NULL; }
"""
BRIEF = """
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(void) { char *held = malloc(4 << 20); memset(held, 1, 4 << 20); usleep(70000); return held[getpid()] - 1; }
"""


class Rows(Executing):
    def test_a_malloc_of_its_own_in_any_program_is_an_error_row(self):
        own = self.build("own_malloc", OWN_MALLOC)
        samples, _ = self.run_program("sh", "-c", f"{own}; true", status=1)
        for sample in samples.values():
            self.assertEqual(sample["status"], "exit")
            self.assertRegex(sample["reason"], r"^own_malloc has its malloc from .*own_malloc, not from lib(c|jemalloc)\.so\.\d \(1 of 2 programs")

    def test_a_row_by_path_is_that_file_and_no_other_of_its_name(self):
        system = subprocess.run(["sh", "-c", "/sbin/ldconfig -p | sed -n 's/.*libjemalloc.so.2 .*=> //p'"], check=True, capture_output=True, text=True).stdout.strip()
        copy = self.folder("libjemalloc.so.2")
        shutil.copy(os.path.realpath(system), copy)
        samples, _ = self.run_program("true", rows="je=" + copy)
        self.assertEqual(samples["je=" + copy]["providers"]["object"], copy)
        shutil.rmtree(self.folder())
        script = f'LD_PRELOAD="${{LD_PRELOAD#*:}}:{system}" exec {PYTHON} -c pass'
        samples, _ = self.run_program("sh", "-c", script, rows="je=" + copy, status=1)
        self.assertIn(f"libjemalloc.so.2, not from {copy} (1 of 2 programs", samples["je=" + copy]["reason"])

    def test_brief_static_programs_are_an_error_row(self):
        brief = self.build("brief", BRIEF, "-static")
        samples, _ = self.run_program("sh", "-c", f"for i in 1 2 3 4; do {brief}; done", rows="jemalloc", status=1)
        self.assertRegex(samples["jemalloc"]["reason"], r"^brief \(4\.\d MB\), which the program started, did not load libjemalloc")

    def test_a_command_may_have_many_words(self):
        samples, _ = self.run_program("sh", "-c", "exit $#", *["w"] * 201, rows="glibc")
        self.assertEqual(samples["glibc"]["exit_status"], 200)
        shutil.rmtree(self.folder())
        self.run_program("true", *["w"] * 900, rows="glibc")

    def test_an_environment_that_does_not_fit_is_an_error_row(self):
        for number in range(4100):
            os.environ[f"TIDEMARKS_{number}"] = "1"
            self.addCleanup(os.environ.pop, f"TIDEMARKS_{number}")
        samples, _ = self.run_program("true", rows="glibc", status=1)
        self.assertIn("its environment has more than 4096 variables", samples["glibc"]["reason"])

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
                                (("-a", "glibc", "--", "x" * 4000), "the command is too long (accepted: up to 2047 bytes")):
            ran = tidemark("exec", *arguments)
            self.assertEqual(ran.returncode, 2, ran.stderr)
            self.assertIn(said, ran.stderr)


class Drivers(Scratch):
    """A driver of the workload `packaged` and what it starts, told by a program of the test's own in place of xz."""

    def run_in_place_of_xz(self, script, *options, status=0):
        path, temporary = self.folder("bin"), self.folder("temporary")
        for folder in (path, temporary):
            os.mkdir(folder)
        with open(os.path.join(path, "xz"), "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + script)
        os.chmod(os.path.join(path, "xz"), 0o755)
        for name, value in (("PATH", path + ":" + os.environ["PATH"]), ("TMPDIR", temporary), ("TIDEMARKS_TEST", "here"), ("LC_ALL", "C"), ("PYTHONMALLOC", "malloc")):
            before = os.environ.get(name)
            os.environ[name] = value
            self.addCleanup(os.environ.pop if before is None else os.environ.__setitem__, name, *[] if before is None else [before])
        run_into(self.scratch, "-w", "packaged:program=xz", "-a", "jemalloc+dirty_decay_ms:0", "--rounds", "1", *options, status=status)
        return temporary

    def test_its_environment_is_the_same_everywhere(self):
        told = self.folder("told")
        temporary = self.run_in_place_of_xz(f"env > {told}\nls -A $HOME > {told}.home\n")
        with open(told, encoding="utf-8") as file:
            variables = dict(line.rstrip("\n").split("=", 1) for line in file)
        scratch = variables["TIDEMARK_PROGRAM_SCRATCH"]
        self.assertEqual(os.path.dirname(scratch), temporary)
        for name, value in (("HOME", scratch), ("TMPDIR", scratch), ("LANG", "C.UTF-8"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC"),
                            ("PYTHONHASHSEED", "0"), ("PERL_HASH_SEED", "0"), ("PATH", os.environ["PATH"] + ":/usr/sbin"), ("MALLOC_CONF", "dirty_decay_ms:0")):
            self.assertEqual(variables.get(name), value, name)
        self.assertIn("libjemalloc", variables["LD_PRELOAD"])
        others = {name for name in variables if not name.startswith("TIDEMARK_")}
        self.assertEqual(others - {"HOME", "TMPDIR", "LANG", "LC_ALL", "TZ", "PYTHONHASHSEED", "PERL_HASH_SEED", "PATH", "MALLOC_CONF", "GLIBC_TUNABLES",
                                   "LD_PRELOAD", "PWD", "OLDPWD", "SHLVL", "_"}, set())

    def test_nothing_of_one_that_was_killed_is_left(self):
        temporary = self.run_in_place_of_xz('mkdir -p "$HOME/a/b"; echo 1 > "$HOME/a/b/c"; echo 1 > "$TMPDIR/d"; sleep 60\n', "--timeout", "2s", status=1)
        self.assertEqual(os.listdir(temporary), [])


if __name__ == "__main__":
    unittest.main()
