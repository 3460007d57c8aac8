#!/usr/bin/python3
"""
What a run leaves behind that is interrupted or killed: what was measured, no child, and a memory group only until the next run.
It is run alone: any other run removes such a group. It leaves out going on with it (resume_test.py).
Run from the repository root: /usr/bin/python3 tests/leftovers_test.py
"""
import glob
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, "tests")
from tidemark_run import PLAIN, SMALL, TIDEMARK, Scratch, show, tidemark  # noqa: E402


def memory_groups(of_pid):
    """The folders of the memory groups that a run of that process has made in the group of this one."""
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        lines = [line.rstrip("\n").split(":", 2) for line in file]
    v1 = ["/sys/fs/cgroup/memory" + path for _, controllers, path in lines if "memory" in controllers.split(",")]
    own = (v1 or ["/sys/fs/cgroup" + path for _, controllers, path in lines if not controllers] or [""])[0]
    return glob.glob("%s/tidemark-%d-*" % (glob.escape(own), of_pid)) if own else []


def is_sample(child):
    """Whether the process is there and runs tidemark-child: what the harness asks beforehand comes and goes."""
    try:
        return os.readlink("/proc/%s/exe" % child).endswith("-child")
    except OSError:
        return False


class Ended(Scratch):
    def test_an_interrupted_run_keeps_what_was_measured(self):
        with subprocess.Popen([TIDEMARK, "run", *SMALL[:2], *PLAIN, "--idle", "300ms", "-a", "glibc", "--rounds", "50", "-o",
                               self.folder()], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            samples = self.folder() + "/samples.jsonl"
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not (os.path.exists(samples) and os.path.getsize(samples)):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
        self.assertEqual(process.returncode, 130)
        self.assertEqual(memory_groups(process.pid), [])
        self.assertIn("interrupted", errors)
        (cell,) = show(self.folder())
        self.assertGreaterEqual(cell["samples"], 1)
        self.assertRegex(tidemark("show", self.folder()).stderr, r"did not finish: \d+ of 50 samples")
        with open(self.folder() + "/machine.json", encoding="utf-8") as file:
            self.assertTrue(json.load(file)["interrupted"])

    def test_a_killed_parent_leaves_no_child(self):
        with subprocess.Popen([TIDEMARK, "run", *SMALL[:2], *PLAIN, "--idle", "60s", "-a", "glibc", "--rounds", "1", "-o",
                               self.folder()], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            child = ""
            deadline = time.monotonic() + 30
            while time.monotonic() < deadline and not is_sample(child):
                time.sleep(0.05)
                with open("/proc/%d/task/%d/children" % (process.pid, process.pid), encoding="utf-8") as file:
                    child = file.read().strip()
            process.kill()
        self.assertTrue(child)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and os.path.exists("/proc/" + child):
            time.sleep(0.05)
        self.assertFalse(os.path.exists("/proc/" + child))
        # The group that it had is removed by the next run.
        left = memory_groups(process.pid)
        tidemark("run", *SMALL, "-a", "glibc", "--rounds", "1", "-o", self.folder("next"))
        with open(self.folder("next") + "/machine.json", encoding="utf-8") as file:
            self.assertEqual(len(left), int(json.load(file)["memory_limit"]["by"] == "cgroup"))
        self.assertEqual(memory_groups(process.pid), [])


if __name__ == "__main__":
    unittest.main()
