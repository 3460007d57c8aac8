"""The workload `packaged`: each program runs as its driver has it, measured by itself, or is n/a with the name of its package."""
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import sys
sys.path.insert(0, "tests")
from tidemark_run import PLAIN, Scratch, read_samples, run_into, tidemark  # noqa: E402

# By program: a command that it needs, its package, phases of its driver, and the least and most of its peak in MB.
PROGRAMS = {
    "python_json": ("python3", "python3", ["run", "build", "dump", "load", "drop"], 60, 600),
    "python_text": ("python3", "python3", ["run"], 60, 900),
    "redis": ("redis-check-rdb", "redis-tools", ["start", "fill", "load", "expire", "flush", "after"], 60, 400),
    "sqlite": ("sqlite3", "sqlite3", ["run"], 20, 400),
    "nginx": ("nginx", "nginx-light", ["start", "serve", "after"], 2, 60),
    "gcc": ("gcc", "gcc", ["run"], 20, 400),
    "gxx": ("g++", "g++", ["run"], 40, 900),
    "git": ("git", "git", ["run"], 5, 400),
    "lua": ("lua5.4", "lua5.4", ["run"], 5, 600),
    "perl": ("perl", "perl", ["run"], 5, 600),
    "xz": ("xz", "xz-utils", ["run"], 20, 200),
    "zstd": ("zstd", "zstd", ["run"], 5, 600),
    "ghostscript": ("gs", "ghostscript", ["run"], 10, 300),
}
MB = 1e6
PATH = os.environ["PATH"] + ":/usr/sbin"  # where servers are
COMMON = os.path.abspath("workloads/programs/common.sh")


def read_run(folder):
    """Cells and samples, in that order."""
    with open(os.path.join(folder, "plan.json"), encoding="utf-8") as file:
        cells = json.load(file)["cells"]
    return cells, read_samples(folder)


class Programs(Scratch):
    def test_each_program_runs_on_jemalloc_or_names_its_package(self):
        for program, (command, package, phases, least, most) in PROGRAMS.items():
            with self.subTest(program=program):
                cells, samples = read_run(run_into(self.scratch, "-w", "packaged:program=" + program, "-a", "jemalloc", "--rounds", "1"))
                if not shutil.which(command, path=PATH):
                    self.assertEqual(samples, [])
                    self.assertEqual(cells[0]["not_available"], f"{command} is not installed: it is in the Debian package {package}")
                    continue
                self.assertEqual([sample["status"] for sample in samples], ["ok"], samples[0].get("reason"))
                self.assertEqual([phase["name"] for phase in samples[0]["phases"]], phases)
                self.assertTrue(least * MB < samples[0]["peak_bytes"] < most * MB, samples[0]["peak_bytes"])
                self.assertIn("libjemalloc", samples[0]["providers"]["object"])

    @unittest.skipUnless(shutil.which("redis-check-rdb"), "not run: redis-tools is not installed")
    def test_a_program_that_is_linked_with_another_malloc_runs_on_its_rows(self):
        cells, samples = read_run(run_into(self.scratch, "-w", "packaged:program=redis", "-a", "glibc,jemalloc,mimalloc,tbb", "--rounds", "1"))
        self.assertEqual(len(samples), 4)
        for sample in samples:
            row = cells[sample["cell"]]["allocator"]
            self.assertEqual(sample["status"], "ok", sample.get("reason"))
            self.assertIn({"glibc": "libc.so.6", "tbb": "libtbbmalloc_proxy"}.get(row, "lib" + row), sample["providers"]["object"])
            held = {phase["name"]: phase["rss_bytes"] for phase in sample["phases"]}
            # 200,000 keys with values of 200 bytes.
            self.assertGreater(held["fill"] - held["start"], 40 * MB)
            if row == "jemalloc":  # FLUSHALL asked it to give back: at once, or a part where its own thread is at it just then
                self.assertLess(held["after"], 0.75 * held["load"])

    @unittest.skipUnless(shutil.which("nginx", path=PATH), "not run: nginx is not installed")
    def test_servers_are_found_by_users_whose_path_lacks_them(self):
        path = ":".join(folder for folder in os.environ["PATH"].split(":") if folder not in ("/usr/sbin", "/sbin"))
        ran = tidemark("run", "-o", self.folder(), *PLAIN, "-w", "packaged:program=nginx", "-a", "glibc", "--rounds", "1", env={**os.environ, "PATH": path})
        self.assertEqual(ran.returncode, 0, ran.stderr)
        self.assertEqual([sample["status"] for sample in read_run(self.folder())[1]], ["ok"], ran.stdout + ran.stderr)

    def test_every_program_of_the_workload_is_tested(self):
        listed = json.loads(tidemark("list", "workloads", "--json").stdout)
        workload = next(one for one in listed if one["name"] == "packaged")
        self.assertEqual(sorted(workload["parameters"][0]["choices"]), sorted(PROGRAMS))

    def test_a_program_that_is_not_there_is_not_available(self):
        path = tempfile.mkdtemp(dir=self.scratch)
        for name in ("sh", "env", "awk"):
            os.symlink(shutil.which(name), os.path.join(path, name))
        run = os.path.join(self.scratch, "none")
        ran = tidemark("run", "-o", run, "--warm-up", "0", "-w", "packaged:program=sqlite", "-a", "glibc", "--rounds", "1", env={**os.environ, "PATH": path})
        self.assertIn("sqlite3 is not installed: it is in the Debian package sqlite3", ran.stdout + ran.stderr)

    def test_ways_that_need_the_workload_itself_are_not_available(self):
        for way in ("purge", "pressure"):
            run = os.path.join(self.scratch, way)
            ran = tidemark("run", "-o", run, "--warm-up", "0", "-w", "packaged:program=xz", "-a", "jemalloc", "--rounds", "1", "--return", way)
            self.assertIn("jemalloc is not asked to give back by a program", ran.stdout + ran.stderr)


class Drivers(Scratch):
    """What drivers share, by drivers of our own that nobody measures."""

    def drive(self, script, **variables):
        """The driver, started, and the reading end of its phases."""
        path = self.folder("driver.sh")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f". {COMMON}\n{script}\n")
        reads, writes = os.pipe()
        driver = subprocess.Popen(["sh", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, pass_fds=(writes,), env={
            **os.environ, "TMPDIR": self.scratch, "TIDEMARK_ASIDE": "1", "TIDEMARK_PHASE_FD": str(writes), "TIDEMARK_PROGRAM_PRELOAD": "",
            **variables})
        os.close(writes)
        self.addCleanup(driver.stdout.close)
        self.addCleanup(driver.wait)
        self.addCleanup(driver.kill)  # where the test failed
        phases = os.fdopen(reads, encoding="utf-8")
        self.addCleanup(phases.close)
        return driver, phases

    def output(self, script, status=0, **variables):
        driver, _ = self.drive(script, **variables)
        said = driver.communicate(timeout=30)[0]
        self.assertEqual(driver.returncode, status, said)
        return said

    def test_what_is_measured_is_not_aside(self):
        self.assertEqual(self.output('under sh -c \'echo "${TIDEMARK_ASIDE:-none}"\''), "none\n")

    def assert_dies_with_its_driver(self, started):
        driver, phases = self.drive(started + " sh -c 'echo $$ >&\"$TIDEMARK_PHASE_FD\"; exec sleep 60'\nwait")
        process = int(phases.readline())
        os.kill(process, 0)
        driver.kill()
        driver.wait()
        limit = time.monotonic() + 10
        while os.path.exists(f"/proc/{process}") and time.monotonic() < limit:
            with open(f"/proc/{process}/stat", encoding="utf-8") as file:
                if file.read().rsplit(")", 1)[1].split()[0] == "Z":  # nobody here waits for it
                    break
            time.sleep(0.01)
        else:
            if os.path.exists(f"/proc/{process}"):
                os.kill(process, signal.SIGKILL)
                self.fail(f"what was started by `{started}` outlives its driver")

    def test_a_server_dies_with_its_driver(self):
        self.assert_dies_with_its_driver("serve")

    def test_a_program_dies_with_its_driver(self):
        self.assert_dies_with_its_driver("under")

    def test_a_server_is_ended_where_its_driver_fails(self):
        self.output('serve sleep 60; echo "$server"; false', status=1)  # within its 30 s

    def test_a_server_that_fails_fails_its_driver(self):
        ended = "while kill -0 \"$server\" 2> /dev/null; do sleep 0.01; done\nend_server"
        self.output("serve sh -c 'exit 3'\n" + ended, status=1)
        self.output("serve true\n" + ended, status=1)

    def test_a_server_is_ended_as_it_is(self):
        self.output("serve sh -c 'trap \"exit 3\" TERM; while :; do sleep 1; done'\nend_server")

    def test_a_server_that_is_never_ready_fails_its_driver(self):
        self.output("serve sleep 60\nsleep() { :; }\nuntil_done false", status=1)

    def test_the_folder_of_the_harness_is_used_and_left_to_it(self):
        folder = self.folder("given")
        os.mkdir(folder)
        self.assertEqual(self.output('pwd; echo "$HOME"; : > file', TIDEMARK_PROGRAM_SCRATCH=folder), f"{folder}\n{folder}\n")
        self.assertEqual(os.listdir(folder), ["file"])

    def test_without_one_the_driver_removes_its_own(self):
        for script, status in (("pwd", 0), ("pwd; false", 1), ("pwd; kill $$", 143)):
            folder = self.output(script, status=status).strip()
            self.assertTrue(folder.startswith(self.scratch), folder)
            self.assertFalse(os.path.exists(folder))

    def test_drivers_run_whatever_the_users_settings_are(self):
        settings = {"git": {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere"}, "xz": {"XZ_OPT": "--bogus"},
                    "perl": {"PERL5OPT": "-MNothing"}, "lua": {"LUA_INIT": "error('bogus')"}}
        for program, variables in settings.items():
            if not shutil.which(PROGRAMS[program][0]):
                continue
            with self.subTest(program=program):
                driver = subprocess.run(["sh", f"workloads/programs/{program}.sh"], capture_output=True, text=True, check=False, pass_fds=(2,), env={
                    **os.environ, "TIDEMARK_PHASE_FD": "2", "TIDEMARK_PROGRAM_PRELOAD": "", **variables})
                self.assertEqual((driver.returncode, driver.stderr), (0, "run\n"), driver.stdout)

    def test_a_port_is_one_that_nothing_has(self):
        listens = 'import socket, sys, time; one = socket.create_server(("127.0.0.1", int(sys.argv[1]))); open("ready", "w").close(); time.sleep(60)'
        script = f"first=$(free_port)\nserve python3 -c '{listens}' \"$first\"\nuntil_done test -e ready\necho \"$first $(free_port)\""
        first, second = map(int, self.output(script).split())
        self.assertTrue(20000 <= first < second < 32768, (first, second))


if __name__ == "__main__":
    unittest.main()
