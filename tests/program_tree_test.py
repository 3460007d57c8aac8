"""What a program and all that it starts hold, use and leave behind; the limit is kept as this machine can, and by the sampler."""
import os
import resource
import subprocess
import sys
import unittest

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, TIDEMARK, Scratch, json, not_run  # noqa: E402

PYTHON = "/usr/bin/python3"
MB = 1e6
NOBODY = 65534
HOLD = "held = bytearray(b'x') * 100_000_000\n"
FORK = ("import os, time\n"
        "def fork(children, work):\n"
        "    for _ in range(children):\n"
        "        if os.fork() == 0:\n"
        "            work(); os._exit(0)\n"
        "    for _ in range(children):\n"
        "        os.wait()\n")


class Programs(Scratch):
    def setUp(self):
        super().setUp()
        os.chmod(self.scratch, 0o777)
        self.user = None

    def keep_by_sampler(self):
        """A user that may make no memory group."""
        if os.getuid() == 0:
            self.user = NOBODY
            try:
                subprocess.run([TIDEMARK, "--version"], user=NOBODY, check=True, capture_output=True)
            except OSError as error:
                not_run(self, f"another user cannot run tidemark: {error}")

    def write(self, name, text):
        with open(self.folder(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.folder(name)

    def sample_of(self, *command, row="glibc", options=(), status=0, prepare=None):
        """Of a program of which each word stands by itself."""
        folder = self.folder("run")
        ran = subprocess.run([TIDEMARK, "run", "-o", folder, "--rounds", "1", "--no-control", *PLAIN, "-a", row,
                              "-w", "program:command=" + " ".join(command), *options],
                             capture_output=True, text=True, check=False, timeout=300, user=self.user, preexec_fn=prepare)
        self.assertEqual(ran.returncode, status, ran.stderr)
        with open(os.path.join(folder, "samples.jsonl"), encoding="utf-8") as file:
            sample, = map(json.loads, file)
        return sample

    def assert_gone(self, name):
        """The process whose number is in that file."""
        with open(self.folder(name), encoding="utf-8") as file:
            pid = int(file.read())
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                self.assertEqual(file.read().rpartition(")")[2].split()[0], "Z")
        except (FileNotFoundError, ProcessLookupError):
            pass


class Memory(Programs):
    def test_pages_that_forks_share_count_once_and_kill_nobody(self):
        script = self.write("forks.py", FORK + HOLD + "fork(8, lambda: time.sleep(0.3))\n")
        sample = self.sample_of(PYTHON, script, options=("--memory-limit", "300MiB"))
        self.assertEqual(sample["status"], "ok", sample)
        self.assertTrue(105 * MB < sample["peak_bytes"] < 150 * MB, sample["peak_bytes"])

    def test_pages_that_forks_have_written_to_count_for_each(self):
        script = self.write("forks.py", FORK + HOLD + "def work():\n    held[::4096] = bytes(len(held[::4096]))\n"
                            "    time.sleep(1)\nfork(3, work)\n")
        sample = self.sample_of(PYTHON, script)
        self.assertTrue(400 * MB < sample["peak_bytes"] < 470 * MB, sample["peak_bytes"])

    def test_a_child_in_its_parents_memory_does_not_count(self):
        script = self.write("spawn.py", HOLD + "import subprocess\nfor _ in range(200):\n    subprocess.run(['true'])\n")
        sample = self.sample_of(PYTHON, script)
        self.assertTrue(105 * MB < sample["peak_bytes"] < 130 * MB, sample["peak_bytes"])

    def test_a_program_of_a_millisecond_has_a_peak(self):
        for row in ("glibc", "jemalloc"):
            sample = self.sample_of("true", row=row, options=("--tick", "1s"))
            self.assertEqual(sample["status"], "ok", sample)
            self.assertTrue(0.5 * MB < sample["peak_bytes"] < 16 * MB, sample["peak_bytes"])
            os.rename(self.folder("run"), self.folder("run-" + row))

    def test_the_sampler_kills_all_of_a_tree_above_the_limit(self):
        self.keep_by_sampler()
        script = self.write("forks.py", "import os, sys, time\nif os.fork() == 0:\n    os.setsid()\n"
                            "    open(sys.argv[1], 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
                            "time.sleep(0.3)\n" + HOLD + "more = held * 3\ntime.sleep(60)\n")
        sample = self.sample_of(PYTHON, script, self.folder("pid"), options=("--memory-limit", "200MiB"), status=1)
        self.assertEqual((sample["status"], sample["limited_by"]), ("oom", "sampler"), sample)
        self.assertIn("killed by the sampler above the memory limit of 200 MiB in phase run", sample["reason"])
        self.assert_gone("pid")


class Descriptors(Programs):
    def sample_of_sixty(self, most, status):
        """Each of them takes two descriptors of tidemark, which may have 64, and `most` if it asks."""
        script = self.write("sixty.sh", "for i in $(seq 60); do sleep 0.5 & done; wait\n")
        return self.sample_of("sh", script, status=status,
                              prepare=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (64, most)))

    def test_tidemark_takes_the_descriptors_that_it_may_have(self):
        sample = self.sample_of_sixty(1024, 0)
        self.assertEqual(sample["status"], "ok", sample)
        self.assertGreater(sample["peak_bytes"], 60 * 0.1 * MB)

    def test_a_program_that_cannot_be_seen_whole_is_an_error(self):
        sample = self.sample_of_sixty(64, 1)
        self.assertEqual(sample["status"], "exit", sample)
        self.assertIn("its processes could not all be seen (Too many open files) after phase run", sample["reason"])


class Leaving(Programs):
    def setUp(self):
        super().setUp()
        self.keep_by_sampler()

    def test_a_daemon_does_not_outlive_its_program(self):
        script = self.write("daemon.sh", "setsid sh -c 'echo $$ >$0; exec sleep 60' \"$1\" &\n"
                            "while ! test -s \"$1\"; do sleep 0.01; done\n")
        sample = self.sample_of("sh", script, self.folder("pid"))
        self.assertEqual(sample["status"], "ok", sample)
        self.assert_gone("pid")

    def test_a_job_of_its_own_group_does_not_outlive_the_time_limit(self):
        script = self.write("job.sh", "timeout 300 sh -c 'echo $$ >$0; exec sleep 60' \"$1\"\n")
        sample = self.sample_of("sh", script, self.folder("pid"), options=("--timeout", "1s"), status=1)
        self.assertEqual(sample["status"], "timeout", sample)
        self.assert_gone("pid")


class Time(Programs):
    def test_processor_time_is_the_programs(self):
        script = self.write("busy.py",
                            "import subprocess\nsubprocess.run(['python3', '-c', 'for _ in range(10**7): pass'])\n")
        sample = self.sample_of(PYTHON, script)
        self.assertGreater(sample["cpu_ns"], 0.05e9)
        self.assertGreater(sample["minor_faults"], 500)
        self.assertIsNone(sample["phases"][0]["cpu_ns"])

    def test_a_phase_begins_where_the_last_one_ended(self):
        script = self.write("phases.sh",
                            "for name in a b c; do sleep 0.02; echo $name >&$TIDEMARK_PHASE_FD; done\nsleep 0.02\n")
        sample = self.sample_of("sh", script)
        phases = sample["phases"]
        self.assertEqual([phase["name"] for phase in phases], ["run", "a", "b", "c"])
        for before, after in zip(phases, phases[1:]):
            self.assertEqual(before["end_ns"], after["begin_ns"])
        self.assertEqual(sample["wall_ns"], phases[-1]["end_ns"] - phases[0]["begin_ns"])


if __name__ == "__main__":
    unittest.main()
